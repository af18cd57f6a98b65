//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

// load makes a topic of twelve partitions and writes data to each of them, as much as it takes room on the disk.
func (d *depot) load(t *testing.T, topic string) {
	t.Helper()
	spreadTopic(t, d.kafka, topic, cargoPartitions, 3)
	cl := d.dial(t, kgo.DefaultProduceTopic(topic), kgo.RequiredAcks(kgo.AllISRAcks()), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchCompression(kgo.NoCompression()))
	defer cl.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	value := []byte(strings.Repeat("0", cargoRecord))
	var records []*kgo.Record
	for i := range cargoPartitions * cargoOfOne / cargoRecord {
		records = append(records, &kgo.Record{Partition: int32(i % cargoPartitions), Value: value})
	}
	if err := cl.ProduceSync(ctx, records...).FirstErr(); err != nil {
		t.Fatalf("writing to %s: %v", topic, err)
	}
}

const cargoRecord = 64 << 10

// requireWhole fails if a topic has fewer records than were written, or is not in sync.
func (d *depot) requireWhole(t *testing.T, topic string) {
	t.Helper()
	waitInSync(t, d.kafka, topic)
	ctx, cancel := context.WithTimeout(t.Context(), patienceOfKafka)
	defer cancel()
	offsets, err := kadm.NewClient(d.kafka).ListEndOffsets(ctx, topic)
	if err = errors.Join(err, offsets.Error()); err != nil {
		t.Fatalf("reading the ends of %s: %v", topic, err)
	}
	records := int64(0)
	offsets.Each(func(o kadm.ListedOffset) { records += o.Offset })
	if wanted := int64(cargoPartitions * cargoOfOne / cargoRecord); records != wanted {
		t.Errorf("%s has %d records, and %d were written", topic, records, wanted)
	}
}

// trafficOn makes a topic and writes to it.
func (d *depot) trafficOn(t *testing.T, topic string) *traffic {
	t.Helper()
	spreadTopic(t, d.kafka, topic, 6, 3)
	return d.startTraffic(t, topic)
}

// waitCondition waits until a condition of the cluster is True.
func (c *cluster) waitCondition(t *testing.T, kind string, patience time.Duration) {
	t.Helper()
	waitFor(t, patience, "the condition "+kind, func(ctx context.Context) (string, bool) {
		kc, err := c.get(ctx)
		if err != nil {
			return err.Error(), false
		}
		condition := conditionOf(kc, kind)
		return fmt.Sprintf("%s %s: %s", condition.Status, condition.Reason, condition.Message),
			condition.Status == metav1.ConditionTrue && condition.ObservedGeneration == kc.Generation
	})
}

// waitPlaced waits until all data is where the spec wants it.
func (d *depot) waitPlaced(t *testing.T, patience time.Duration) {
	t.Helper()
	d.waitCondition(t, v1beta1.ConditionDataPlaced, patience)
}

// brokerIDs are those of the brokers of the spec, in order.
func (d *depot) brokerIDs(t *testing.T) []int32 {
	t.Helper()
	kc := d.mustGet(t)
	var ids []int32
	for _, b := range kc.Spec.Brokers {
		if hasRole(kc, b, v1beta1.RoleBroker) {
			ids = append(ids, b.ID)
		}
	}
	slices.Sort(ids)
	return ids
}

// entry is the entry of a broker in the spec.
func (d *depot) entry(t *testing.T, id int32) v1beta1.Broker {
	t.Helper()
	kc := d.mustGet(t)
	i := slices.IndexFunc(kc.Spec.Brokers, func(b v1beta1.Broker) bool { return b.ID == id })
	if i < 0 {
		t.Fatalf("spec.brokers has no entry %d", id)
	}
	return kc.Spec.Brokers[i]
}

// twoToRemove are two brokers that are not the last one and without which there are still three zones: replicas of a partition
// are in different ones. The second one is as new as can be: the newest have most of the data.
func (d *depot) twoToRemove(t *testing.T) []int32 {
	t.Helper()
	kc, ids := d.mustGet(t), d.brokerIDs(t)
	for i, second := range slices.Backward(ids[:len(ids)-1]) {
		for _, first := range ids[:i] {
			zones := map[string]bool{}
			for _, id := range ids {
				if id != first && id != second {
					zones[brokerStatus(kc, id).Rack] = true
				}
			}
			if len(zones) == 3 {
				return []int32{first, second}
			}
		}
	}
	t.Fatalf("brokers %v: without any two of them there are no three zones", ids)
	return nil
}

// describeTopics asks Kafka for all partitions, and not a client for what it has heard before.
func describeTopics(ctx context.Context, cl *kgo.Client) (*kmsg.MetadataResponse, error) {
	request := kmsg.NewPtrMetadataRequest()
	request.Topics = nil
	response, err := request.RequestWith(ctx, cl)
	if err != nil {
		return nil, err
	}
	return response, kerr.ErrorForCode(response.ErrorCode)
}

// replicasOn counts the replicas of brokers, those that are on their way included.
func (d *depot) replicasOn(t *testing.T, ids ...int32) map[int32]int {
	t.Helper()
	counts, err := countReplicas(t.Context(), d.kafka, ids...)
	if err != nil {
		t.Fatalf("counting replicas: %v", err)
	}
	return counts
}

func countReplicas(ctx context.Context, cl *kgo.Client, ids ...int32) (map[int32]int, error) {
	ctx, cancel := context.WithTimeout(ctx, patienceOfKafka)
	defer cancel()
	metadata, err := describeTopics(ctx, cl)
	if err != nil {
		return nil, err
	}
	counts := map[int32]int{}
	for _, id := range ids {
		counts[id] = 0
	}
	for _, topic := range metadata.Topics {
		for _, p := range topic.Partitions {
			for _, id := range p.Replicas {
				if slices.Contains(ids, id) {
					counts[id]++
				}
			}
		}
	}
	return counts, nil
}

// replicasIn counts the replicas on one disk of a broker, as the broker itself says.
func (d *depot) replicasIn(t *testing.T, id int32, path string) int {
	t.Helper()
	count := 0
	logDirs(t, d.kafka, id)[path+"/kafka-logs"].Topics.Each(func(p kadm.DescribedLogDirPartition) {
		if !p.IsFuture {
			count++
		}
	})
	return count
}

// claimOf is the name of the claim of a disk.
func (d *depot) claimOf(t *testing.T, id int32, path string) string {
	t.Helper()
	status := brokerStatus(d.mustGet(t), id)
	i := slices.IndexFunc(status.Volumes, func(v v1beta1.VolumeStatus) bool { return v.Path == path })
	if i < 0 {
		t.Fatalf("broker %d has no disk %s: %+v", id, path, status.Volumes)
	}
	return status.Volumes[i].Claim
}

// requireNothingLeft fails if Kafka still reassigns something or has a throttle: no operation may leave either.
func (d *depot) requireNothingLeft(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patienceOfKafka)
	defer cancel()
	request := kmsg.NewPtrListPartitionReassignmentsRequest()
	response, err := request.RequestWith(ctx, d.kafka)
	if err != nil {
		t.Fatalf("listing reassignments: %v", err)
	}
	for _, topic := range response.Topics {
		t.Errorf("Kafka still reassigns partitions of %s: %+v", topic.Topic, topic.Partitions)
	}
	admin := kadm.NewClient(d.kafka)
	metadata, err := describeTopics(ctx, d.kafka)
	if err != nil {
		t.Fatalf("listing topics: %v", err)
	}
	var topics []string
	for _, topic := range metadata.Topics {
		topics = append(topics, *topic.Topic)
	}
	ofTopics, err := admin.DescribeTopicConfigs(ctx, topics...)
	if err != nil {
		t.Fatalf("describing topics: %v", err)
	}
	ofBrokers, err := admin.DescribeBrokerConfigs(ctx, d.brokerIDs(t)...)
	if err != nil {
		t.Fatalf("describing brokers: %v", err)
	}
	for _, resource := range append(ofTopics, ofBrokers...) {
		for _, config := range resource.Configs {
			dynamic := config.Source == kmsg.ConfigSourceDynamicTopicConfig || config.Source == kmsg.ConfigSourceDynamicBrokerConfig
			if dynamic && strings.Contains(config.Key, "replication.throttled") {
				t.Errorf("%s still has %s=%s", resource.Name, config.Key, config.MaybeValue())
			}
		}
	}
}

// guard looks all the time whether what belongs to leaving brokers is there as long as they have replicas.
type guard struct {
	stop  context.CancelFunc
	done  sync.WaitGroup
	mu    sync.Mutex
	wrong map[string]bool
	looks int
}

func (d *depot) guard(t *testing.T, ids ...int32) *guard {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	t.Cleanup(stop)
	g := &guard{stop: stop, wrong: map[string]bool{}}
	g.done.Go(func() {
		for ticker := time.NewTicker(lookEvery); ctx.Err() == nil; <-ticker.C {
			g.look(ctx, d, ids)
		}
	})
	return g
}

// look reads claims and Pods first: replicas only become fewer, so that those that are left were there before.
func (g *guard) look(ctx context.Context, d *depot, ids []int32) {
	claims, pods := &corev1.PersistentVolumeClaimList{}, &corev1.PodList{}
	if errors.Join(kube.List(ctx, claims, d.inNamespace(), d.ours()), kube.List(ctx, pods, d.inNamespace(), d.ours())) != nil {
		return
	}
	there := map[string]bool{}
	for i := range claims.Items {
		if id, ok := idOf(&claims.Items[i]); ok && claims.Items[i].DeletionTimestamp.IsZero() {
			there[fmt.Sprintf("disk of %d", id)] = true
		}
	}
	for i := range pods.Items {
		if id, ok := idOf(&pods.Items[i]); ok && pods.Items[i].DeletionTimestamp.IsZero() {
			there[fmt.Sprintf("Pod of %d", id)] = true
		}
	}
	counts, err := countReplicas(ctx, d.kafka, ids...)
	if err != nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.looks++
	for _, id := range ids {
		for _, what := range []string{fmt.Sprintf("disk of %d", id), fmt.Sprintf("Pod of %d", id)} {
			if counts[id] > 0 && !there[what] {
				g.wrong[what] = true
			}
		}
	}
}

// end fails if something went too early.
func (g *guard) end(t *testing.T) {
	t.Helper()
	g.stop()
	g.done.Wait()
	if len(g.wrong) > 0 || g.looks == 0 {
		t.Errorf("these went while Kafka had replicas on their broker: %v (%d looks)", sorted(g.wrong), g.looks)
	}
	t.Logf("looked %d times: nothing went before its data", g.looks)
}

// isDraining sees whether a broker that is not wanted any more is still there.
func (c *cluster) isDraining(id int32) look {
	return func(ctx context.Context) (string, bool) {
		kc, err := c.get(ctx)
		if err != nil {
			return err.Error(), false
		}
		pod := &corev1.Pod{}
		err = kube.Get(ctx, client.ObjectKey{Namespace: c.namespace, Name: fmt.Sprintf("%s-%d", c.name, id)}, pod)
		phase := brokerStatus(kc, id).Phase
		return fmt.Sprintf("phase %q, %v", phase, err), err == nil && podIsReady(pod) && phase == v1beta1.BrokerDraining
	}
}
