package kafkacluster

import (
	"maps"
	"testing"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/apis/machinery/kafka"
	"koperator.dev/koperator/apis/machinery/kafka/kafkafake"
)

func (w *world) dynamic(node int32) map[string]string {
	w.Helper()
	properties, err := w.kafka.DynamicConfig(w, node)
	w.must(err)
	return properties
}

// Our own keys are set and removed; what others set stays, whatever happens to broker-manager in between.
func TestDynamicPropertiesOfOthersStay(t *testing.T) {
	w := newWorld(t)
	w.started()
	pods := w.pods()
	w.kafka.Edit(func(s *kafkafake.State) {
		s.Configs[101] = map[string]string{"leader.replication.throttled.rate": "1000"}
		s.Configs[kafka.ClusterWide] = map[string]string{"background.threads": "12"}
	})
	w.edit("orders", func(spec *v1beta1.KafkaClusterSpec) {
		spec.DynamicConfig = v1beta1.DynamicConfig{"log.retention.ms": "1000"}
		spec.BrokerGroups[1].DynamicConfig = v1beta1.DynamicConfig{"num.io.threads": "9"}
	})
	w.settle("orders")
	if got, want := w.dynamic(101), map[string]string{"leader.replication.throttled.rate": "1000", "num.io.threads": "9"}; !maps.Equal(got, want) {
		t.Errorf("broker 101 has %v, want %v", got, want)
	}
	if got, want := w.dynamic(kafka.ClusterWide), map[string]string{"background.threads": "12", "log.retention.ms": "1000"}; !maps.Equal(got, want) {
		t.Errorf("the cluster has %v, want %v", got, want)
	}

	w.restart()
	w.dropStatus("orders")
	w.edit("orders", func(spec *v1beta1.KafkaClusterSpec) {
		spec.DynamicConfig = nil
		spec.BrokerGroups[1].DynamicConfig = nil
	})
	w.settle("orders")
	if got, want := w.dynamic(101), map[string]string{"leader.replication.throttled.rate": "1000"}; !maps.Equal(got, want) {
		t.Errorf("broker 101 has %v, want %v", got, want)
	}
	if got, want := w.dynamic(kafka.ClusterWide), map[string]string{"background.threads": "12"}; !maps.Equal(got, want) {
		t.Errorf("the cluster has %v, want %v", got, want)
	}
	if now := w.pods(); !maps.Equal(now, pods) {
		t.Error("a dynamic property restarted something")
	}
}
