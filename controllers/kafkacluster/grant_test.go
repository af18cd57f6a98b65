package kafkacluster

import (
	"slices"
	"strings"
	"testing"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/apis/machinery/grant"
	"koperator.dev/koperator/apis/machinery/kafka"
	"koperator.dev/koperator/apis/machinery/kafka/kafkafake"
)

func (w *world) holdGrant(holder string) {
	w.Helper()
	kc := w.cluster("orders")
	got, err := grant.Take(w, w.client, grant.Request{
		Cluster: (&scope{cluster: kc}).name(), Owner: (&scope{cluster: kc}).owner(), Labels: map[string]string{v1beta1.LabelCluster: kc.Name},
		Holder: holder, What: "moving data",
	}, w.clock.Now())
	w.must(err)
	if got.Holder != holder {
		w.Fatalf("somebody else holds it: %+v", got)
	}
}

func (w *world) giveGrantBack(holder string) {
	w.Helper()
	w.must(grant.Release(w, w.client, (&scope{cluster: w.cluster("orders")}).name(), holder))
}

func (w *world) grantHolder() string {
	w.Helper()
	got, err := grant.Read(w, w.client, (&scope{cluster: w.cluster("orders")}).name())
	w.must(err)
	return got.Holder
}

// While an operation of Cruise Control disturbs the cluster, nothing is restarted and nobody is stopped for good; what is
// broken is repaired all the same.
func TestOperationHoldsOffEverythingButRepair(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.started()
	w.playDisks()
	w.holdGrant("remove-102")
	before := w.pods()
	w.edit("orders", setConfig("num.io.threads", "4"))
	w.edit("orders", dropBroker(102))
	w.turns(3)
	for name, uid := range w.pods() {
		if uid != before[name] {
			t.Errorf("%s was stopped", name)
		}
	}
	status := w.cluster("orders").Status
	for _, what := range []string{"restart of controller 1", "removal of broker 102"} {
		at := slices.IndexFunc(status.BlockedBy, func(b v1beta1.BlockedBy) bool { return b.What == what })
		if at < 0 || status.BlockedBy[at].Reason != reasonDisruption || !strings.Contains(status.BlockedBy[at].Message, "remove-102 disturbs the cluster since ") {
			t.Errorf("it is not told what %s waits for: %+v", what, status.BlockedBy)
		}
	}
	if d := status.Disruption; d == nil || d.Holder != "remove-102" || d.What != "moving data" || d.Since.IsZero() {
		t.Errorf("it is not told who disturbs the cluster: %+v", d)
	}
	w.remove(w.pod("orders-100"))
	w.pass("orders")
	w.pod("orders-100") // repaired
	if w.grantHolder() != "remove-102" {
		t.Errorf("the grant was taken away from the operation: %s", w.grantHolder())
	}

	w.giveGrantBack("remove-102")
	w.turns(40)
	if w.exists("orders-102", &corev1.Pod{}) || w.cluster("orders").Status.Summary.Rollout != "" {
		t.Errorf("something still waits: %+v", w.cluster("orders").Status.BlockedBy)
	}
	if w.grantHolder() != "" || w.cluster("orders").Status.Disruption != nil {
		t.Errorf("the grant was not given back: %s, %+v", w.grantHolder(), w.cluster("orders").Status.Disruption)
	}
}

// The grant is held while the node that was stopped is away, by whichever process, and not longer.
func TestGrantIsHeldWhileANodeIsAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.started()
	w.edit("orders", func(spec *v1beta1.KafkaClusterSpec) {
		spec.BrokerGroups[1].Config = v1beta1.Config{"num.io.threads": "4"}
		spec.Brokers = slices.DeleteFunc(spec.Brokers, func(b v1beta1.Broker) bool { return false })
	})
	w.pass("orders")
	if !slices.Equal(w.stopping(), []string{"orders-100"}) || w.grantHolder() != grant.BrokerManager {
		t.Fatalf("%v are stopped, and %q holds the grant", w.stopping(), w.grantHolder())
	}
	w.kafka.Stop(100)
	w.restart() // nobody remembers
	for range 2 {
		w.pass("orders")
		if d := w.cluster("orders").Status.Disruption; d == nil || d.Holder != grant.BrokerManager || d.What != "restart of broker 100" {
			t.Fatalf("it is not told who disturbs the cluster: %+v", d)
		}
	}
	lease := get(w, grant.Name("orders"), &coordinationv1.Lease{})
	if lease.Labels[v1beta1.LabelCluster] != "orders" || len(lease.OwnerReferences) != 1 {
		t.Errorf("the Lease is not the cluster's: %+v", lease.ObjectMeta)
	}
	w.turns(20)
	if w.grantHolder() != "" || w.cluster("orders").Status.Summary.Rollout != "" {
		t.Errorf("%q holds the grant after all: %+v", w.grantHolder(), w.cluster("orders").Status)
	}
}

// A voter goes when nobody else disturbs the cluster; one that is replaced by its own node's new disk waits for nobody.
func TestQuorumChangeTakesTheGrant(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.started()
	w.edit("orders", func(spec *v1beta1.KafkaClusterSpec) {
		spec.Brokers = append(spec.Brokers, v1beta1.Broker{ID: 3, Group: "controllers"})
	})
	w.pass("orders")
	w.pass("orders")
	w.play()
	w.kafka.Edit(func(s *kafkafake.State) {
		s.Quorum.Observers = []kafka.QuorumReplica{{ID: 3, DirectoryID: kafkafake.DirectoryID(3)}}
	})
	w.holdGrant("add-103")
	w.turns(3)
	if got := w.cluster("orders").Status.Quorum.Voters; !slices.Equal(got, []int32{0, 1, 2, 3}) {
		t.Fatalf("a voter that is added waits: %v", got)
	}
	w.edit("orders", dropBroker(3))
	w.turns(3)
	if got := w.cluster("orders").Status.Quorum.Voters; !slices.Equal(got, []int32{0, 1, 2, 3}) || w.blocked("quorum") != reasonDisruption {
		t.Fatalf("a voter that leaves does not wait: %v, %+v", got, w.cluster("orders").Status.BlockedBy)
	}
	w.kafka.Edit(func(s *kafkafake.State) { // the disk of controller 2 is lost and another one in its place
		s.Quorum.Voters[2].DirectoryID = "anotherdirectoryAAAAAA"
		s.Quorum.Voters[2].CaughtUpAgo = 1 << 40
		s.Quorum.Observers = []kafka.QuorumReplica{{ID: 2, DirectoryID: kafkafake.DirectoryID(2)}}
	})
	w.turns(4)
	if got := w.kafka.Changes(); !slices.Contains(got, "RemoveVoter(2 anotherdirectoryAAAAAA)") {
		t.Errorf("the lost disk still votes: %v", got)
	}
	w.giveGrantBack("add-103")
	w.turns(6)
	if got := w.cluster("orders").Status.Quorum.Voters; !slices.Equal(got, []int32{0, 1, 2}) || w.grantHolder() != "" {
		t.Errorf("voters are %v, and %q holds the grant: %v", got, w.grantHolder(), w.kafka.Changes())
	}
}

// A pass in which nothing is to be done writes nothing, also with a Cruise Control, and leaves what others write in status.
func TestOthersStatusStays(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.started()
	w.edit("orders", func(spec *v1beta1.KafkaClusterSpec) {
		spec.CruiseControl = &v1beta1.CruiseControl{Image: "cruise-control"}
	})
	w.turns(30)
	kc := w.cluster("orders")
	kc.Status.CruiseControl = &v1beta1.CruiseControlStatus{Phase: v1beta1.CruiseControlReady, Queued: 2}
	kc.Status.Conditions = append(kc.Status.Conditions, metav1.Condition{
		Type: v1beta1.ConditionDataPlaced, Status: metav1.ConditionFalse, Reason: "Moving", LastTransitionTime: metav1.NewTime(w.clock.Now()),
	})
	w.must(w.client.Status().Update(w, kc))
	w.turn()
	w.writes = nil
	for range 3 {
		w.pass("orders")
	}
	if len(w.writes) > 0 {
		t.Errorf("idle passes write: %v", w.writes)
	}
	if status := w.cluster("orders").Status; status.CruiseControl == nil || status.CruiseControl.Queued != 2 || w.condition("orders", v1beta1.ConditionDataPlaced).Reason != "Moving" {
		t.Errorf("what others wrote is gone: %+v", status)
	}
}

// Leaders are not moved for a restart that waits: an operation may just be moving them.
func TestNoElectionBesideAnOperation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.started()
	w.playDisks()
	w.kafka.AddTopic("payments", 1, []int32{101, 100})
	w.kafka.Edit(func(s *kafkafake.State) { s.Partitions[0].Leader = 100 })
	w.holdGrant("demote-101")
	w.edit("orders", setConfig("num.io.threads", "4"))
	w.turns(3)
	if got := w.kafka.Changes(); slices.Contains(got, "ElectPreferredLeaders()") {
		t.Errorf("Kafka was told %v", got)
	}
	w.giveGrantBack("demote-101")
	w.turns(2)
	if got := w.kafka.Changes(); !slices.Contains(got, "ElectPreferredLeaders()") {
		t.Errorf("Kafka was told %v", got)
	}
}
