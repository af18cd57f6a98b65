package desired

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/controllers/internal/serverproperties"
)

func valuesOf(kc *v1beta1.KafkaCluster, node *Node, extraPaths ...string) map[string]string {
	return serverproperties.Values(ServerProperties(kc, node, Disks{Extra: extraPaths}))
}

func TestUserWinsOverDefaultsAndKoperatorOverUser(t *testing.T) {
	kc := readCluster(t, "sample")
	kc.Spec.Config = v1beta1.Config{
		"default.replication.factor": "2",
		"node.id":                    "7",
		"broker.rack":                "mine",
		"listener.name.controller.ssl.cipher.suites":   "x",
		"listener.name.internal.ssl.keystore.location": "/x",
		"listener.name.internal.ssl.cipher.suites":     "TLS_AES_256_GCM_SHA384",
		"controller.quorum.auto.join.enable":           "true",
	}
	got := valuesOf(kc, nodeOf(t, kc, 101))
	want := map[string]string{
		"default.replication.factor": "2",
		"node.id":                    "101",
		"broker.rack":                "",
		"listener.name.controller.ssl.cipher.suites":   "",
		"listener.name.internal.ssl.keystore.location": "/etc/kafka/tls/keystore.pem",
		"listener.name.internal.ssl.cipher.suites":     "TLS_AES_256_GCM_SHA384",
		"controller.quorum.auto.join.enable":           "",
	}
	for key, value := range want {
		if got[key] != value {
			t.Errorf("%s is %q, want %q", key, got[key], value)
		}
	}
}

func TestDisksThatAreRemovedStayLogDirs(t *testing.T) {
	kc := readCluster(t, "own")
	got := valuesOf(kc, nodeOf(t, kc, 100), "/var/lib/kafka/z", "/var/lib/kafka/a", "/var/lib/kafka/c")
	want := "/var/lib/kafka/a/kafka-logs,/var/lib/kafka/b/kafka-logs,/var/lib/kafka/c/kafka-logs,/var/lib/kafka/z/kafka-logs"
	if got["log.dirs"] != want || got["metadata.log.dir"] != "/var/lib/kafka/a/kafka-logs" {
		t.Errorf("got %s and %s", got["log.dirs"], got["metadata.log.dir"])
	}
}

func TestReplicationFollowsTheNumberOfBrokersUpToThree(t *testing.T) {
	for brokers, want := range map[int][2]string{1: {"1", "1"}, 2: {"2", "1"}, 3: {"3", "2"}, 4: {"3", "2"}, 30: {"3", "2"}} {
		kc := readCluster(t, "sample")
		kc.Spec.Brokers = kc.Spec.Brokers[:3]
		for i := range brokers {
			kc.Spec.Brokers = append(kc.Spec.Brokers, v1beta1.Broker{ID: int32(100 + i), Group: "default"})
		}
		got := valuesOf(kc, nodeOf(t, kc, 100))
		for _, key := range []string{"default", "offsets.topic", "transaction.state.log", "share.coordinator.state.topic"} {
			if got[key+".replication.factor"] != want[0] {
				t.Errorf("%d brokers: %s.replication.factor is %s", brokers, key, got[key+".replication.factor"])
			}
		}
		for _, key := range []string{"min.insync.replicas", "transaction.state.log.min.isr", "share.coordinator.state.topic.min.isr"} {
			if got[key] != want[1] {
				t.Errorf("%d brokers: %s is %s", brokers, key, got[key])
			}
		}
	}
}

// A fourth broker, or another controller, must not restart the nodes that are there.
func TestScalingOutRestartsNobody(t *testing.T) {
	kc := readCluster(t, "sample")
	grown := kc.DeepCopy()
	grown.Spec.Brokers = append(grown.Spec.Brokers, v1beta1.Broker{ID: 3, Group: "controllers"}, v1beta1.Broker{ID: 103, Group: "default"})
	for _, node := range Nodes(kc) {
		if reason := RestartReason(intentOf(t, kc, node.ID), intentOf(t, grown, node.ID)); reason != "" {
			t.Errorf("node %d: %s", node.ID, reason)
		}
	}
}

func TestSmallHeapsNeedASmallBuffer(t *testing.T) {
	for heap, want := range map[string]string{"128Mi": "2097152", "511Mi": "2097152", "512Mi": "", "4Gi": ""} {
		kc := readCluster(t, "combined")
		kc.Spec.BrokerGroups[0].JVM.Heap.Set(quantity(heap))
		if got := valuesOf(kc, nodeOf(t, kc, 0))["log.cleaner.dedupe.buffer.size"]; got != want {
			t.Errorf("heap %s: got %q", heap, got)
		}
	}
}

// What Koperator writes must pass its own checks, and be what Kafka knows.
func TestPropertiesAreKnownToKafka(t *testing.T) {
	for name := range goldenNodes {
		kc := readCluster(t, name)
		for _, node := range Nodes(kc) {
			for _, p := range ServerProperties(kc, &node, Disks{}) {
				_, owned := serverproperties.Owned(p.Key)
				if serverproperties.Classify(p.Key) == serverproperties.Unknown && p.Key != "broker.description" && !strings.HasPrefix(p.Key, "cruise.control.metrics.") {
					t.Errorf("Kafka does not have %s", p.Key)
				}
				if problems := serverproperties.CheckConfig(map[string]string{p.Key: p.Value}); !owned && len(problems) > 0 {
					t.Errorf("%v", problems)
				}
			}
		}
	}
}

func TestPropertiesAreTheSameEveryTime(t *testing.T) {
	kc := readCluster(t, "own")
	first := ServerProperties(kc, nodeOf(t, kc, 101), Disks{})
	for range 20 {
		if again := ServerProperties(kc, nodeOf(t, kc, 101), Disks{}); !slices.Equal(first, again) {
			t.Fatal(fmt.Sprint(first, again))
		}
	}
}
