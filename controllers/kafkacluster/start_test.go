package kafkacluster

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

const initialControllers = "INITIAL_CONTROLLERS"

func environment(pod *corev1.Pod, name string) string {
	for _, variable := range pod.Spec.Containers[0].Env {
		if variable.Name == name {
			return variable.Value
		}
	}
	return ""
}

// A controller's blank disk is formatted as that of an initial voter at the first start of its cluster and never again:
// with it, a voter whose disk is lost would come back with an empty log as if nothing had happened.
func TestOnlyTheFirstStartFormatsInitialVoters(t *testing.T) {
	w := newWorld(t)
	kc := w.orders()
	w.create(kc)
	w.pass("orders")
	if w.exists("orders-0", &corev1.Pod{}) {
		t.Fatal("a Pod was made before its claims were seen")
	}
	w.pass("orders")
	voters := environment(w.pod("orders-0"), initialControllers)
	if strings.Count(voters, "@") != 3 || environment(w.pod("orders-2"), initialControllers) != voters {
		t.Fatalf("controllers are not formatted with the same three voters: %q", voters)
	}
	if v := environment(w.pod("orders-100"), initialControllers); v != "" {
		t.Fatalf("a broker is formatted with voters: %q", v)
	}

	w.play()
	w.kafka.AddBrokers(100, 101, 102)
	w.kafka.AddVoters(0, 1, 2)
	w.settle("orders")
	for _, m := range []string{"orders-0-metadata-e8f434e2", "orders-100-a-9d49725a"} {
		claim := get(w, m, &corev1.PersistentVolumeClaim{})
		if claim.Annotations[v1beta1.AnnotationQuorumEstablished] != "true" {
			t.Errorf("claim %s does not know that the first start is over", m)
		}
	}

	uid := w.pod("orders-0").UID
	w.remove(w.pod("orders-0"))
	w.restart() // nothing of this rests on memory, nor on status
	w.dropStatus("orders")
	w.pass("orders")
	again := w.pod("orders-0")
	if again.UID == uid {
		t.Fatal("the Pod was not made again")
	}
	if v := environment(again, initialControllers); v != "" {
		t.Fatalf("a controller of an established quorum is formatted with voters: %q", v)
	}
}

// Nothing restarts after the first start is over: the voters are no part of what a Pod was made from.
func TestEndOfFirstStartRestartsNothing(t *testing.T) {
	w := newWorld(t)
	kc := w.started()
	for _, broker := range kc.Status.Brokers {
		if broker.RestartReason != "" {
			t.Errorf("node %d waits for a restart: %s", broker.ID, broker.RestartReason)
		}
	}
}

func TestClusterIDComesFromTheDisks(t *testing.T) {
	w := newWorld(t)
	before := w.started()
	w.dropStatus("orders")
	w.restart()
	w.settle("orders")
	after := w.cluster("orders")
	if after.Status.ClusterID == "" || after.Status.ClusterID != before.Status.ClusterID {
		t.Fatalf("cluster id was %q and is %q after the loss of status", before.Status.ClusterID, after.Status.ClusterID)
	}
}
