package operation

import (
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/utils/ptr"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

func TestScaleUp(t *testing.T) {
	inBubble(t, func(w *world) {
		w.operation("up", v1beta1.CruiseControlOperationSpec{Type: v1beta1.AddBrokers, Brokers: []int32{3}})
		w.phase("up", v1beta1.OperationSucceeded, time.Hour)
		if w.replicas()[3] == 0 {
			t.Error("nothing has moved")
		}
		if s := w.op("up").Status.Summary; s.Progress != "100%" || !strings.HasSuffix(s.Moved, "GiB") {
			t.Errorf("got %+v", s)
		}
		w.clean()
	})
}

func TestScaleDown(t *testing.T) {
	inBubble(t, func(w *world) {
		w.operation("down", v1beta1.CruiseControlOperationSpec{Type: v1beta1.RemoveBrokers, Brokers: []int32{0}})
		w.phase("down", v1beta1.OperationSucceeded, time.Hour)
		if n := w.replicas()[0]; n != 0 {
			t.Errorf("broker 0 has %d replicas", n)
		}
		w.clean()
	})
}

// replicasOn counts what a disk has.
func (w *world) replicasOn(broker int32, path string) int {
	cluster, err := w.kafka.Cluster(w)
	w.must(err)
	for _, dir := range cluster.Brokers[broker].LogDirs {
		if dir.Path == path {
			return len(dir.Replicas)
		}
	}
	return -1
}

func TestRemoveADisk(t *testing.T) {
	inBubble(t, func(w *world) {
		w.operation("disk", v1beta1.CruiseControlOperationSpec{Type: v1beta1.RemoveDisks, Disks: []v1beta1.BrokerDisks{{Broker: 1, Paths: []string{"/b"}}}})
		w.phase("disk", v1beta1.OperationSucceeded, time.Hour)
		if n := w.replicasOn(1, "/b/kafka-logs"); n != 0 {
			t.Errorf("the disk has %d replicas", n)
		}
		w.clean()
	})
}

func TestRebalanceDisks(t *testing.T) {
	inBubble(t, func(w *world) {
		w.kafka.AddBroker(w, 1, "b", "/c/kafka-logs")
		w.operation("disks", v1beta1.CruiseControlOperationSpec{Type: v1beta1.RebalanceDisks})
		w.phase("disks", v1beta1.OperationSucceeded, time.Hour)
		if n := w.replicasOn(1, "/c/kafka-logs"); n == 0 {
			t.Error("nothing has moved")
		}
		w.clean()
	})
}

func TestRebalance(t *testing.T) {
	inBubble(t, func(w *world) {
		w.operation("even", v1beta1.CruiseControlOperationSpec{Type: v1beta1.Rebalance})
		w.phase("even", v1beta1.OperationSucceeded, time.Hour)
		if w.replicas()[3] == 0 {
			t.Error("nothing has moved")
		}
		w.clean()
	})
}

func TestDemote(t *testing.T) {
	inBubble(t, func(w *world) {
		w.operation("demote", v1beta1.CruiseControlOperationSpec{Type: v1beta1.DemoteBrokers, Brokers: []int32{1}})
		w.phase("demote", v1beta1.OperationSucceeded, time.Hour)
		cluster, err := w.kafka.Cluster(w)
		w.must(err)
		for _, p := range cluster.Partitions {
			if p.Leader == 1 {
				t.Errorf("broker 1 leads %v", p.TopicPartition)
			}
		}
		w.clean()
	})
}

func TestChangeReplicationFactor(t *testing.T) {
	inBubble(t, func(w *world) {
		w.operation("rf", v1beta1.CruiseControlOperationSpec{Type: v1beta1.ChangeReplicationFactor, Topics: []v1beta1.TopicReplication{{Pattern: "t", ReplicationFactor: 2}}})
		w.phase("rf", v1beta1.OperationSucceeded, time.Hour)
		cluster, err := w.kafka.Cluster(w)
		w.must(err)
		for _, p := range cluster.Partitions {
			if len(p.Replicas) != 2 {
				t.Errorf("%v has %v", p.TopicPartition, p.Replicas)
			}
		}
		w.clean()
	})
}

func TestFixOfflineReplicas(t *testing.T) {
	inBubble(t, func(w *world) {
		w.kafka.FailDisk(w, 0, "/b/kafka-logs")
		w.operation("fix", v1beta1.CruiseControlOperationSpec{Type: v1beta1.FixOfflineReplicas})
		w.phase("fix", v1beta1.OperationSucceeded, time.Hour)
		w.clean()
	})
}

func TestDryRun(t *testing.T) {
	inBubble(t, func(w *world) {
		w.operation("plan", v1beta1.CruiseControlOperationSpec{Type: v1beta1.AddBrokers, Brokers: []int32{3}, DryRun: true})
		w.phase("plan", v1beta1.OperationProposalOnly, time.Hour)
		if p := w.op("plan").Status.Proposal; p == nil || p.ReplicaMovements == 0 || p.Report == "" {
			t.Errorf("got %+v", p)
		}
		if len(w.executions()) > 0 || w.replicas()[3] > 0 {
			t.Error("something was executed")
		}
		w.clean()
	})
}

func TestThrottle(t *testing.T) {
	inBubble(t, func(w *world) {
		w.operation("slow", v1beta1.CruiseControlOperationSpec{
			Type: v1beta1.AddBrokers, Brokers: []int32{3}, ReplicationThrottle: ptr.To(resource.MustParse("1Mi")),
		})
		w.phase("slow", v1beta1.OperationExecuting, time.Hour)
		time.Sleep(30 * time.Second)
		if configs := w.kafka.Configs(w); len(configs) != 5 {
			t.Errorf("four brokers and a topic should be throttled: %v", configs)
		}
		w.phase("slow", v1beta1.OperationSucceeded, 3*time.Hour)
		w.clean()
	})
}
