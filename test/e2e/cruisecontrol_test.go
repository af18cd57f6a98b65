//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

const (
	// cargoTopic has enough data to take some time under the throttle: each broker that comes gets some 20 MiB.
	cargoTopic      = "cargo"
	cargoPartitions = 12
	cargoOfOne      = 2 << 20
	// throttle is in bytes per second. Kafka lets through the tenfold at once before it holds it.
	throttle = "1Mi"
)

// depot is the cluster of TestCruiseControl.
type depot struct {
	*cluster
	// kafka is a client of it that stays connected through everything.
	kafka   *kgo.Client
	standIn *standIn
}

// TestCruiseControl tells how data moves when brokers and disks come and go, and what happens when that is interrupted, on
// one cluster. The part of Cruise Control is played by the stand-in, which moves the replicas of the real Kafka.
func TestCruiseControl(t *testing.T) {
	d := newDepot(t)
	d.tell(t, []depotStory{
		{"BrokersAreAddedAndFilled", (*depot).brokersAreAddedAndFilled},
		{"OperationFromGitIsApproved", (*depot).operationFromGitIsApproved},
		{"BrokersAreRemovedFromTheMiddle", (*depot).brokersAreRemovedFromTheMiddle},
		{"DisksAreReplaced", (*depot).disksAreReplaced},
	})
}

type depotStory struct {
	name string
	tell func(*depot, *testing.T)
}

func (d *depot) tell(t *testing.T, stories []depotStory) {
	for _, s := range stories {
		d.story(t, s.name, func(t *testing.T) {
			d.standIn.begin(t)
			s.tell(d, t)
			d.requireNothingLeft(t)
			d.standIn.requireManners(t)
		})
	}
}

// newDepot makes a cluster of one controller and three brokers in three zones, with Cruise Control and with data.
func newDepot(t *testing.T) *depot {
	t.Helper()
	namespace := newNamespace(t)
	d := &depot{cluster: create(t, depotSpec(namespace))}
	applied := time.Now()
	d.waitReady(t, 4*time.Minute)
	t.Logf("SPEED: from apply to a cluster that is Ready: %s", seconds(time.Since(applied)))
	d.kafka = d.dial(t)
	d.keepLedger(t, 6, 3)
	d.load(t, cargoTopic)
	d.standIn = &standIn{cluster: d.cluster}
	d.waitCondition(t, v1beta1.ConditionCruiseControlReady, 2*time.Minute)
	d.waitCondition(t, v1beta1.ConditionDataPlaced, time.Minute)
	t.Logf("SPEED: from apply to a Cruise Control that can plan: %s", seconds(time.Since(applied)))
	return d
}

func depotSpec(namespace string) *v1beta1.KafkaCluster {
	kc := newCluster("depot", namespace, node(0, controllers), node(100, brokers), node(101, brokers), node(102, brokers))
	kc.Spec.CruiseControl = &v1beta1.CruiseControl{
		Image: settings.cruiseControl, ImagePullPolicy: corev1.PullIfNotPresent,
		// Progress is looked at each second, to be seen in the short time that a test takes.
		Config: v1beta1.CruiseControlConfig{"execution.progress.check.interval.ms": "1000", "min.execution.progress.check.interval.ms": "500"},
		Automation: &v1beta1.Automation{
			ReplicationThrottle: ptr.To(resource.MustParse(throttle)),
			// One replica after the other, because what has moved counts by whole replicas.
			Concurrency: &v1beta1.OperationConcurrency{PerBroker: 1},
		},
		Resources: &corev1.ResourceRequirements{Requests: corev1.ResourceList{
			corev1.ResourceCPU: resource.MustParse("20m"), corev1.ResourceMemory: resource.MustParse("64Mi"),
		}},
		PodTemplate: &runtime.RawExtension{Raw: fmt.Appendf(nil,
			`{"spec": {"containers": [{"name": %q, "env": [{"name": "CONTROL_ADDRESS", "value": ":%d"}]}]}}`, cruiseControlContainer, controlPort)},
	}
	return kc
}

// Two brokers are added. Each gets its share of the replicas, and everybody can see how far that is.
func (d *depot) brokersAreAddedAndFilled(t *testing.T) {
	before := d.lives(t)
	tr := d.trafficOn(t, "brokers-are-added")
	watch := d.watchOperations(t)
	d.addBrokers(t, node(103, brokers), node(104, brokers))
	begin := time.Now()
	d.waitReady(t, 3*time.Minute)
	op := watch.only(t, v1beta1.AddBrokers)
	d.waitPlaced(t, time.Minute)
	t.Logf("SPEED: from two more entries in the spec to their data: %s", seconds(time.Since(begin)))
	if !slices.Equal(op.Spec.Brokers, []int32{103, 104}) {
		t.Errorf("the operation adds %v, wanted 103 and 104", op.Spec.Brokers)
	}
	watch.requireProgress(t, op)
	d.requireShown(t, op)
	for id, count := range d.replicasOn(t, 103, 104) {
		if count == 0 {
			t.Errorf("broker %d has no replica", id)
		}
	}
	d.requireSameLives(t, before)
	d.requireWhole(t, cargoTopic)
	tr.end(t, d.cluster)
}

// requireShown looks at what `kubectl get` prints of an operation that has succeeded.
func (d *depot) requireShown(t *testing.T, op *v1beta1.CruiseControlOperation) {
	t.Helper()
	out, err := kubectl(t.Context(), "get", "cco", op.Name, "--namespace="+d.namespace)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("kubectl get cco\n%s", out)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	header := []string{"NAME", "CLUSTER", "TYPE", "PHASE", "PROGRESS", "MOVED", "ETA", "ATTEMPT", "AGE"}
	row := []string{op.Name, d.name, string(op.Spec.Type), "Succeeded", "100%"}
	if len(lines) != 2 || !slices.Equal(strings.Fields(lines[0]), header) || !slices.Equal(strings.Fields(lines[1])[:len(row)], row) {
		t.Errorf("wanted the columns %v, and %v in them; got:\n%s", header, row, out)
	}
}

// Two brokers are removed, neither of them the last one: their data moves away, and only when Kafka says that it has, their
// Pods and then their disks go. A producer and a consumer lose nothing.
func (d *depot) brokersAreRemovedFromTheMiddle(t *testing.T) {
	leaving := d.twoToRemove(t)
	before := d.lives(t)
	tr := d.trafficOn(t, "brokers-are-removed")
	reader := readAlong(t.Context(), d.dial(t, kgo.ConsumeTopics(tr.topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(200*time.Millisecond)))
	watch, guard := d.watchOperations(t), d.guard(t, leaving...)
	d.removeBrokers(t, leaving...)
	begin := time.Now()
	waitFor(t, 5*time.Minute, fmt.Sprintf("brokers %v to be gone", leaving), func(ctx context.Context) (string, bool) {
		seen, ready := d.isReady(ctx)
		return seen, ready
	})
	t.Logf("SPEED: from two entries less in the spec to their disks being gone: %s", seconds(time.Since(begin)))

	op := watch.only(t, v1beta1.RemoveBrokers)
	if !slices.Equal(slices.Sorted(slices.Values(op.Spec.Brokers)), leaving) {
		t.Errorf("the operation removes %v, wanted %v in one", op.Spec.Brokers, leaving)
	}
	watch.requireProgress(t, op)
	guard.end(t)
	for _, id := range leaving {
		d.requireGone(t, id)
	}
	d.requireSameLives(t, before, leaving...)
	d.requireWhole(t, cargoTopic)
	tr.end(t, d.cluster)
	waitFor(t, time.Minute, "the consumer to have read everything", func(context.Context) (string, bool) {
		missing := reader.missing(tr)
		return fmt.Sprintf("%d records are missing", missing), missing == 0
	})
}

// One broker gets a disk more, and that is taken away again while another one comes: what was on it is on the others, the new
// one included, and its claim is gone. Nobody else is restarted.
func (d *depot) disksAreReplaced(t *testing.T) {
	ids := d.brokerIDs(t)
	id := ids[0]
	before := d.lives(t)
	watch := d.watchOperations(t)
	tr := d.trafficOn(t, "disks-are-replaced")
	d.changeBroker(t, id, func(b *v1beta1.Broker) { b.Storage = append(b.Storage, disk(extraPath, "256Mi")) })
	d.waitReady(t, 3*time.Minute)
	watch.only(t, v1beta1.RebalanceDisks)
	if on := d.replicasIn(t, id, extraPath); on == 0 {
		t.Errorf("the new disk of broker %d has no replica", id)
	}
	claim := d.claimOf(t, id, extraPath)

	d.changeBroker(t, id, func(b *v1beta1.Broker) { b.Storage = []v1beta1.Storage{disk(laterPath, "256Mi")} })
	watch.only(t, v1beta1.RemoveDisks)
	d.waitReady(t, 3*time.Minute)
	d.waitPlaced(t, time.Minute)
	waitFor(t, time.Minute, "the claim of the removed disk to be gone", func(ctx context.Context) (string, bool) {
		claims, err := d.listClaims(ctx)
		if err != nil {
			return err.Error(), false
		}
		_, there := claims[claim]
		return "claim " + claim + " is there", !there
	})
	if dirs := sorted(logDirs(t, d.kafka, id)); !slices.Equal(dirs, []string{dataPath + "/kafka-logs", laterPath + "/kafka-logs"}) {
		t.Errorf("broker %d has the log directories %v", id, dirs)
	}
	if on := d.replicasIn(t, id, laterPath); on == 0 {
		t.Errorf("the newest disk of broker %d has no replica", id)
	}
	d.requireSameLives(t, before, id)
	d.requireWhole(t, cargoTopic)
	tr.end(t, d.cluster)
}
