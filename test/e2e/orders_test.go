//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

// Nodes of the cluster of TestOrders. Broker 102 has one more disk than the others and a configuration of its own.
var (
	ordersControllers = []int32{0, 1, 2}
	ordersBrokers     = []int32{100, 101, 102}
)

// orders is the cluster of TestOrders, and what its stories share.
type orders struct {
	*cluster
	// kafka is a client of it that stays connected through everything.
	kafka *kgo.Client
}

// TestOrders tells everything that happens to a cluster in its life, on one cluster of three controllers and three
// brokers in three zones, in the order of the list.
func TestOrders(t *testing.T) {
	namespace := newNamespace(t)
	o := &orders{cluster: create(t, ordersSpec(namespace))}
	applied := time.Now()
	o.waitReady(t, 4*time.Minute)
	t.Logf("SPEED: from apply to six nodes Ready: %s", seconds(time.Since(applied)))
	o.kafka = o.dial(t)
	o.keepLedger(t, 6, 3)
	t.Logf("MEMORY: %s", managerMemory(t))

	for _, s := range []struct {
		name string
		tell func(*orders, *testing.T)
	}{
		{"IsShownByKubectl", (*orders).isShownByKubectl},
		{"IsSpreadOverZones", (*orders).isSpreadOverZones},
		{"OneBrokerHasItsOwnDiskAndConfig", (*orders).oneBrokerHasItsOwnDiskAndConfig},
		{"StrangersGetInNowhere", (*orders).strangersGetInNowhere},
		{"DynamicPropertiesRestartNothing", (*orders).dynamicPropertiesRestartNothing},
		{"StatusIsDeleted", (*orders).statusIsDeleted},
		{"OperatorIsUpgraded", (*orders).operatorIsUpgraded},
		{"BrokerProcessIsKilled", (*orders).brokerProcessIsKilled},
		{"PodIsDeleted", (*orders).podIsDeleted},
		{"PodsAreEvicted", (*orders).podsAreEvicted},
		{"DiskIsAdded", (*orders).diskIsAdded},
		{"ConfigChangeRollsTheCluster", (*orders).configChangeRollsTheCluster},
		{"NodeIsCutOff", (*orders).nodeIsCutOff},
		{"NodeLosesPower", (*orders).nodeLosesPower},
		{"NodeIsOutOfService", (*orders).nodeIsOutOfService},
		{"BrokenBrokersHarmNobody", (*orders).brokenBrokersHarmNobody},
		{"BrokerIsDrainedAndRemoved", (*orders).brokerIsDrainedAndRemoved},
	} {
		o.story(t, s.name, func(t *testing.T) { s.tell(o, t) })
	}
}

func ordersSpec(namespace string) *v1beta1.KafkaCluster {
	special := node(102, brokers)
	special.Storage = []v1beta1.Storage{disk(extraPath, "128Mi")}
	special.Config = v1beta1.Config{"num.io.threads": "5"}
	return newCluster("orders", namespace,
		node(0, controllers), node(1, controllers), node(2, controllers),
		node(100, brokers), node(101, brokers), special)
}

// The columns of `kubectl get` say how the cluster is, to a person who knows nothing else.
func (o *orders) isShownByKubectl(t *testing.T) {
	short, err := kubectl(t.Context(), "get", "kc", "orders", "--namespace="+o.namespace)
	if err != nil {
		t.Fatal(err)
	}
	wide, err := kubectl(t.Context(), "get", "kc", "orders", "--namespace="+o.namespace, "-o=wide")
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("kubectl get kc\n%s\nkubectl get kc -o wide\n%s", short, wide)
	for _, check := range []struct{ output, header, row string }{
		{short, `^NAME +READY +BROKERS +VERSION +MESSAGE +AGE *$`, `^orders +True +3/3 +4\.3\.1 .*\d+[ms]`},
		{wide, `^NAME +READY +BROKERS +CONTROLLERS +VERSION +CLUSTER ID +ROLLOUT +BOOTSTRAP +MESSAGE +AGE *$`, `^orders +True +3/3 +3/3 +4\.3\.1 +` + regexp.QuoteMeta(o.mustGet(t).Status.ClusterID)},
	} {
		lines := strings.Split(strings.TrimSpace(check.output), "\n")
		if len(lines) != 2 || !regexp.MustCompile(check.header).MatchString(lines[0]) || !regexp.MustCompile(check.row).MatchString(lines[1]) {
			t.Errorf("wanted a header like %s and a row like %s; got:\n%s", check.header, check.row, check.output)
		}
	}
}

// Kafka knows in which zone each broker is, and puts the replicas of each partition into different ones.
func (o *orders) isSpreadOverZones(t *testing.T) {
	kc, pods := o.mustGet(t), o.podList(t)
	if id := kafkaClusterID(t, o.kafka); id != kc.Status.ClusterID {
		t.Errorf("status.clusterID is %s, and Kafka says %s", kc.Status.ClusterID, id)
	}
	metadata, err := kadm.NewClient(o.kafka).Metadata(t.Context(), o.ledger.topic)
	if err != nil {
		t.Fatal(err)
	}
	racks := map[int32]string{}
	for _, b := range metadata.Brokers {
		if b.Rack == nil {
			t.Fatalf("broker %d has no rack", b.NodeID)
		}
		racks[b.NodeID] = *b.Rack
		zone := zoneOf(t, pods[b.NodeID])
		if *b.Rack != zone || brokerStatus(kc, b.NodeID).Rack != zone {
			t.Errorf("broker %d runs in %s; Kafka says %q, and status says %q", b.NodeID, zone, *b.Rack, brokerStatus(kc, b.NodeID).Rack)
		}
	}
	for _, p := range metadata.Topics[o.ledger.topic].Partitions {
		used := map[string]bool{}
		for _, replica := range p.Replicas {
			used[racks[replica]] = true
		}
		if len(used) != 3 {
			t.Errorf("the replicas %v of partition %d are in %v: wanted three zones", p.Replicas, p.Partition, sorted(used))
		}
	}
	used := map[string]bool{}
	for _, id := range ordersControllers {
		used[pods[id].Spec.NodeName] = true
	}
	if len(used) != 3 {
		t.Errorf("the controllers are on %v: wanted three nodes", sorted(used))
	}
}

func zoneOf(t *testing.T, pod *corev1.Pod) string {
	t.Helper()
	node := &corev1.Node{}
	if err := kube.Get(t.Context(), client.ObjectKey{Name: pod.Spec.NodeName}, node); err != nil {
		t.Fatalf("reading the node of Pod %s: %v", pod.Name, err)
	}
	return node.Labels[corev1.LabelTopologyZone]
}

// One broker differs from the others, and Kafka itself says so.
func (o *orders) oneBrokerHasItsOwnDiskAndConfig(t *testing.T) {
	for _, id := range ordersBrokers {
		wantedThreads, wantedDirs := "8", []string{dataPath + "/kafka-logs"}
		if id == 102 {
			wantedThreads, wantedDirs = "5", append(wantedDirs, extraPath+"/kafka-logs")
		}
		if threads := brokerConfig(t, o.kafka, id, "num.io.threads"); threads != wantedThreads {
			t.Errorf("broker %d: num.io.threads is %s, wanted %s", id, threads, wantedThreads)
		}
		if dirs := sorted(logDirs(t, o.kafka, id)); !slices.Equal(dirs, wantedDirs) {
			t.Errorf("broker %d has the log directories %v, wanted %v", id, dirs, wantedDirs)
		}
	}
	status := brokerStatus(o.mustGet(t), 102)
	if len(status.Volumes) != 2 || status.Volumes[1].Path != extraPath || status.Volumes[1].Phase != v1beta1.VolumeActive {
		t.Errorf("status of broker 102 has the volumes %+v", status.Volumes)
	}
}

// A disk is added to a running broker: that broker alone restarts, and Kafka uses the disk.
func (o *orders) diskIsAdded(t *testing.T) {
	before := o.lives(t)
	tr := o.trafficOn(t, "disk-is-added")
	o.changeBroker(t, 101, func(b *v1beta1.Broker) { b.Storage = append(b.Storage, disk(laterPath, "128Mi")) })
	took := o.waitReady(t, 3*time.Minute)
	t.Logf("from the change to the disk in use: %s", seconds(took))

	dirs := sorted(logDirs(t, o.kafka, 101))
	if wanted := []string{dataPath + "/kafka-logs", laterPath + "/kafka-logs"}; !slices.Equal(dirs, wanted) {
		t.Errorf("broker 101 has the log directories %v, wanted %v", dirs, wanted)
	}
	o.requireSameLives(t, before, 101)
	if after := o.lives(t)[101]; after.pod == before[101].pod && after.container == before[101].container {
		t.Error("broker 101 was not restarted: its new disk cannot be in use")
	}
	tr.end(t, o.cluster)
}

// A change of configuration restarts every node, one at a time: controllers first, the active one last, and a producer
// with acks=all loses nothing.
func (o *orders) configChangeRollsTheCluster(t *testing.T) {
	before := o.lives(t)
	waitInSync(t, o.kafka, o.ledger.topic)
	active := activeController(t, o.kafka)
	tr := o.trafficOn(t, "config-change")
	watch := o.observe(t)

	o.change(t, func(spec *v1beta1.KafkaClusterSpec) { spec.Config["background.threads"] = "7" })
	begin := time.Now()
	waitFor(t, 30*time.Second, "the rollout to be announced", func(ctx context.Context) (string, bool) {
		kc, err := o.get(ctx)
		if err != nil || kc.Status.Summary == nil {
			return fmt.Sprint(err), false
		}
		return kc.Status.Summary.Rollout, strings.Contains(kc.Status.Summary.Rollout, "background.threads")
	})
	o.waitReady(t, 6*time.Minute)
	t.Logf("SPEED: rolling restart of six nodes: %s", seconds(time.Since(begin)))

	for id, was := range before {
		if is := o.lives(t)[id]; is.pod == was.pod && is.container == was.container {
			t.Errorf("node %d was not restarted", id)
		}
	}
	down, _, _, most := watch.story()
	if len(most) > 1 {
		t.Errorf("nodes %v were down at the same time", most)
	}
	if len(down) != 6 || slices.Max(down[:3]) > 2 || down[2] != active {
		t.Errorf("nodes went down in the order %v; wanted every node once, the controllers first and %d, the active one, last of them", down, active)
	}
	for _, id := range ordersBrokers {
		if threads := brokerConfig(t, o.kafka, id, "background.threads"); threads != "7" {
			t.Errorf("broker %d: background.threads is %s, wanted 7", id, threads)
		}
	}
	t.Logf("the active controller was %d; %v", active, watch)
	tr.end(t, o.cluster)
}

// trafficOn makes a topic and writes to it.
func (o *orders) trafficOn(t *testing.T, topic string) *traffic {
	t.Helper()
	spreadTopic(t, o.kafka, topic, 6, 3)
	return o.startTraffic(t, topic)
}
