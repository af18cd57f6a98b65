package machine

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/apis/machinery/kafka"
	"koperator.dev/koperator/cruisecontrol/client"
)

func TestTokens(t *testing.T) {
	first, tenth, plan := executionToken("u", 1), executionToken("u", 10), planToken("u", 1, 2)
	for token, want := range map[string]int32{first: 1, tenth: 10, plan: 0, "cco-other-1-x": 0, "cco-u-": 0, "": 0, "cco-u-1-x-x": 0} {
		if got := attemptOf("u", token); got != want {
			t.Errorf("%s: attempt %d, want %d", token, got, want)
		}
	}
	e := &client.ExecutorState{TriggeredTaskReason: first + " (Client: 10.0.0.7, Date: 2030-01-01T00:00:00Z)"}
	if got := tokenOf(e); got != first {
		t.Errorf("got %q", got)
	}
}

func move(partition int32, to ...int32) Move {
	return Move{TopicPartition: kafka.TopicPartition{Topic: "t", Partition: partition}, New: to}
}

func TestDrift(t *testing.T) {
	approved := []Move{move(0, 1, 2), move(1, 1, 2), move(2, 1, 2), move(3, 1, 2)}
	for name, test := range map[string]struct {
		now  []Move
		want float64
	}{
		"the same":        {approved, 0},
		"one more":        {append([]Move{move(9, 1)}, approved...), 25},
		"one less":        {approved[1:], 25},
		"one elsewhere":   {append([]Move{move(0, 3, 2)}, approved[1:]...), 25},
		"nothing is left": {nil, 100},
	} {
		if got := drift(approved, test.now); got != test.want {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}

// Only what goes where the plan wants it is its own.
func TestOwnReassignments(t *testing.T) {
	r := func(partition int32, replicas, adding, removing []int32) kafka.Reassignment {
		return kafka.Reassignment{TopicPartition: kafka.TopicPartition{Topic: "t", Partition: partition}, Replicas: replicas, Adding: adding, Removing: removing}
	}
	mine, others := ours([]Move{move(0, 3, 2), move(1, 3, 2)}, []kafka.Reassignment{
		r(0, []int32{3, 1, 2}, []int32{3}, []int32{1}), r(1, []int32{4, 1, 2}, []int32{4}, []int32{1}), r(2, []int32{3, 1, 2}, []int32{3}, []int32{1}),
	})
	if len(mine) != 1 || mine[0].Partition != 0 || len(others) != 2 {
		t.Errorf("mine %v, others %v", mine, others)
	}
}

// What somebody has changed since is not ours any more.
func TestThrottleLeft(t *testing.T) {
	throttle := &Throttle{Rate: 10, Brokers: []int32{1, 2, 3}, Topics: []string{"a", "b"}}
	left := throttle.left(&Throttles{
		Brokers: map[int32]map[string]string{1: {LeaderRate: "10", FollowerRate: "11"}, 2: {}},
		Topics:  map[string]map[string]string{"a": {LeaderReplicas: "*", FollowerReplicas: "0:1"}, "c": {LeaderReplicas: "*"}},
	})
	if left.Count() != 2 || len(left.Brokers[1]) != 1 || len(left.Topics["a"]) != 1 {
		t.Errorf("got %+v", left)
	}
}

func TestQueueOrder(t *testing.T) {
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	op := func(name string, kind v1beta1.OperationType, change ...func(*v1beta1.CruiseControlOperation)) v1beta1.CruiseControlOperation {
		op := v1beta1.CruiseControlOperation{ObjectMeta: metav1.ObjectMeta{Name: name, CreationTimestamp: metav1.NewTime(now)}, Spec: v1beta1.CruiseControlOperationSpec{Type: kind}}
		for _, c := range change {
			c(&op)
		}
		return op
	}
	phase := func(p v1beta1.OperationPhase) func(*v1beta1.CruiseControlOperation) {
		return func(op *v1beta1.CruiseControlOperation) { op.Status.Phase = p }
	}
	all := []v1beta1.CruiseControlOperation{
		op("younger", v1beta1.Rebalance, func(op *v1beta1.CruiseControlOperation) { op.CreationTimestamp = metav1.NewTime(now.Add(time.Minute)) }),
		op("disk", v1beta1.RemoveDisks),
		op("older", v1beta1.Rebalance),
		op("important", v1beta1.DemoteBrokers, func(op *v1beta1.CruiseControlOperation) { op.Spec.Priority = 5 }),
		op("up", v1beta1.AddBrokers),
		op("down", v1beta1.RemoveBrokers),
		op("fix", v1beta1.FixOfflineReplicas),
		op("cancelled", v1beta1.Rebalance, func(op *v1beta1.CruiseControlOperation) { op.Spec.Cancel = true }),
		op("moving", v1beta1.Rebalance, phase(v1beta1.OperationExecuting)),
		op("done", v1beta1.Rebalance, phase(v1beta1.OperationSucceeded)),
		op("waits for a person", v1beta1.FixOfflineReplicas, phase(v1beta1.OperationAwaitingApproval)),
		op("backs off", v1beta1.FixOfflineReplicas, phase(v1beta1.OperationBackingOff)),
		op("suspended", v1beta1.FixOfflineReplicas, func(op *v1beta1.CruiseControlOperation) { op.Spec.Suspend = true }),
		op("template", v1beta1.Rebalance, func(op *v1beta1.CruiseControlOperation) { op.Spec.Schedule = &v1beta1.OperationSchedule{} }),
	}
	want := []string{"moving", "cancelled", "fix", "down", "up", "disk", "important", "older", "younger"}
	queue := Queue(all, nil, now)
	for i, op := range queue {
		if i >= len(want) || op.Name != want[i] {
			t.Fatalf("position %d has %s, want %v", i, op.Name, want)
		}
	}
	if len(queue) != len(want) {
		t.Errorf("%d operations, want %d", len(queue), len(want))
	}
	// While a disk is being emptied, nothing could move data back onto it.
	for _, op := range Queue(all, []string{"disk /b of broker 1"}, now) {
		if spreads(op.Spec.Type) && !IsCommitted(op) {
			t.Errorf("%s does not wait for the disk", op.Name)
		}
	}
}

// Every kind of failure has a reaction, and every one that waits says until what.
func TestEveryFailureHasAReaction(t *testing.T) {
	for _, class := range []client.Class{
		client.NotReady, client.Busy, client.ForeignReassignment, client.Overload, client.TaskLost, client.Unsatisfiable, client.InvalidSpec, client.InvalidRequest,
		client.ConfigError, client.BrokerMissing, client.KafkaDown, client.NothingToDo, client.EmptyRack, client.OfflineReplicas, client.Transient,
		client.Unauthorized, client.Unreachable, client.BrokenAnswer, client.Unknown,
	} {
		known, ok := reactions[class]
		if !ok || known.reaction == waits && (known.next == "" || known.after == 0) {
			t.Errorf("%s: %+v", class, known)
		}
	}
}

func TestSummary(t *testing.T) {
	for d, want := range map[time.Duration]string{40 * time.Second: "40s", 12 * time.Minute: "12m", 90 * time.Minute: "1h30m", 50 * time.Hour: "2d2h"} {
		if got := roughly(d); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
	if got := moved(5<<30, 17<<30+800<<20); got != "5.0/17.8 GiB" {
		t.Errorf("got %s", got)
	}
}

// Progress never goes back, goes over all parts, and is not whole before Kafka has said so.
func TestProgress(t *testing.T) {
	op := &v1beta1.CruiseControlOperation{}
	op.Status.Phase = v1beta1.OperationExecuting
	op.Status.Task = &v1beta1.OperationTask{Attempt: 1, UserTaskID: "id", CorrelationID: "x", Instance: "i", IntentAt: &metav1.MicroTime{}, SubmittedAt: &metav1.Time{}, ExecutedProposal: "h"}
	op.Status.Proposal = &v1beta1.OperationProposal{ReplicaMovements: 10, DataToMove: 1000 << 20, LeaderMovements: 10}
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	see := func(e client.ExecutorState) v1beta1.OperationProgress {
		e.TriggeredUserTaskID = "id"
		now = now.Add(10 * time.Second)
		step := Next(Facts{
			Now: now, Operation: op, Cluster: Cluster{Instance: "i"},
			Seen: Seen{At: now, Instance: "i", Executor: &e, Asked: "id", Task: &client.UserTask{Status: client.TaskInExecution}, Complete: true},
		})
		op.Status = step.Status
		return *op.Status.Progress
	}
	inter := func(finished int, mb int64) client.ExecutorState {
		return client.ExecutorState{Phase: client.InterBrokerReplicaMovementInProgress, InterBrokerMovements: client.InterBrokerMovements{
			NumTotalPartitionMovements: 12, NumFinishedPartitionMovements: finished, FinishedDataMovement: mb, TotalDataToMove: 1000,
		}}
	}
	see(inter(0, 0))
	half := see(inter(6, 500))
	if half.Percent != 49 || half.Rate != 50<<20 || half.ETASeconds == nil || *half.ETASeconds != 10 {
		t.Errorf("half-way: %+v", half)
	}
	if back := see(client.ExecutorState{Phase: client.StoppingExecution}); back.Percent < half.Percent {
		t.Errorf("it went back: %+v", back)
	}
	leaders := see(client.ExecutorState{Phase: client.LeaderMovementInProgress, LeadershipMovements: client.LeadershipMovements{NumTotalLeadershipMovements: 10, NumFinishedLeadershipMovements: 10}})
	if leaders.Percent != 99 || leaders.DataMoved != leaders.DataTotal {
		t.Errorf("leaders: %+v", leaders)
	}
}
