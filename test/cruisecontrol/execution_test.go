package cruisecontrol_test

import (
	"slices"
	"testing"
	"time"

	"koperator.dev/koperator/cruisecontrol/client"
	"koperator.dev/koperator/test/cruisecontrol"
	"koperator.dev/koperator/test/cruisecontrol/backend"
)

// From a dry run to an empty broker, with everything that can be seen on the way.
func TestAddAndRemove(t *testing.T) {
	w := newWorld(t)
	plan := must[client.Answer[client.Plan]](t)(w.add(client.DryRun("op-1-1d"), 3)).Result
	if plan.Summary.NumReplicaMovements == 0 || len(plan.Proposals) < plan.Summary.NumReplicaMovements || plan.Summary.DataToMoveMB != int64(200*plan.Summary.NumReplicaMovements) {
		t.Fatalf("got %+v", plan.Summary)
	}
	a := must[client.Answer[client.Plan]](t)(w.add(client.Execute("op-1-x"), 3))
	wantEqual(t, "hash", a.Result.Hash(), plan.Hash())
	wantEqual(t, "phase", w.executor().Phase, client.InitializingProposalExecution)
	wantEqual(t, "status", w.status(a.TaskID), client.TaskActive)
	w.pass(time.Second)
	x := w.executor()
	wantEqual(t, "phase", x.Phase, client.InterBrokerReplicaMovementInProgress)
	wantEqual(t, "status", w.status(a.TaskID), client.TaskInExecution)
	wantEqual(t, "task", x.TriggeredUserTaskID, a.TaskID)
	if x.TriggeredTaskReason[:7] != "op-1-x " || x.NumInProgressPartitionMovements != 6 || x.FinishedDataMovement != 0 || len(x.ExecutionTasks()) != x.NumTotalPartitionMovements {
		t.Errorf("got %+v", x)
	}
	// A change of order is none of the plan's movements, and one of the execution's.
	if s := plan.Summary; s.NumReplicaMovements != 6 || x.NumTotalPartitionMovements != 7 || x.TotalDataToMove != s.DataToMoveMB {
		t.Errorf("got %+v and %+v", s, x)
	}
	w.pass(10 * time.Second)
	if x = w.executor(); x.NumFinishedPartitionMovements != 6 || x.FinishedDataMovement != 1000 {
		t.Errorf("got %+v", x)
	}
	w.idle()
	wantEqual(t, "status", w.status(a.TaskID), client.TaskCompleted)
	wantEqual(t, "replicas of 3", w.replicas()[3], plan.Summary.NumReplicaMovements)

	w.settle()
	removal := must[client.Answer[client.Plan]](t)(w.remove(client.Execute("op-2-x"), 3))
	wantEqual(t, "moves", removal.Result.Summary.NumReplicaMovements, plan.Summary.NumReplicaMovements)
	w.idle()
	w.settle()
	wantEqual(t, "status", w.status(removal.TaskID), client.TaskCompleted)
	wantEqual(t, "replicas of 3", w.replicas()[3], 0)
	noLeftovers(w)
	if removed, _ := w.Remembered(); !slices.Equal(removed, []int32{3}) {
		t.Errorf("recently removed: %v", removed)
	}
}

// Plans are made on metadata that is up to ten seconds old: what was just done is planned again, and does nothing.
func TestStaleMetadata(t *testing.T) {
	w := newWorld(t, func(c *cruisecontrol.Config) { c.ExecutionProgressCheckInterval = time.Second })
	must[client.Answer[client.Plan]](t)(w.add(client.Execute("a"), 3))
	w.idle()
	w.afterRefresh()
	removed := must[client.Answer[client.Plan]](t)(w.remove(client.Execute("b"), 3))
	w.idle()
	wantEqual(t, "replicas of 3", w.replicas()[3], 0)
	added := must[client.Answer[client.Plan]](t)(w.add(client.Execute("c"), 3))
	if !added.Result.IsEmpty() || w.executor().Phase != client.NoTaskInProgress {
		t.Errorf("got %+v", added.Result.Summary)
	}
	again := must[client.Answer[client.Plan]](t)(w.remove(client.Execute("d"), 3))
	wantEqual(t, "hash", again.Result.Hash(), removed.Result.Hash())
	w.pass(4 * time.Second)
	wantEqual(t, "phase", w.executor().Phase, client.NoTaskInProgress)
	w.afterRefresh()
	if added = must[client.Answer[client.Plan]](t)(w.add(client.DryRun("e"), 3)); added.Result.IsEmpty() {
		t.Error("still nothing to add")
	}
}

// A broker that has just joined does not exist yet.
func TestNewBroker(t *testing.T) {
	w := newWorld(t)
	w.kafka.AddBroker(t.Context(), 4, "b", "/a")
	_, err := w.add(client.DryRun("a"), 4)
	wantClass(t, err, client.BrokerMissing)
	w.settle()
	must[client.Answer[client.Plan]](t)(w.add(client.DryRun("b"), 4))
}

// While something is executed, dry runs are answered and executions refused.
func TestBusy(t *testing.T) {
	w := newWorld(t)
	must[client.Answer[client.Plan]](t)(w.add(client.Execute("a"), 3))
	w.pass(time.Second)
	must[client.Answer[client.Plan]](t)(w.add(client.DryRun("b"), 3))
	_, err := w.remove(client.Execute("c"), 2)
	e := errorOf(t, err, client.Busy)
	if e.UserTaskID == "" || e.NotRegistered() {
		t.Errorf("got %+v", e)
	}
	w.idle()
}

func TestForeignReassignment(t *testing.T) {
	w := newWorld(t)
	w.kafka.Bandwidth = 1 << 20
	if err := w.kafka.Reassign(t.Context(), map[backend.TopicPartition][]int32{tp(0): {3, 1, 2}}); err != nil {
		t.Fatal(err)
	}
	_, err := w.add(client.Execute("a"), 3)
	wantClass(t, err, client.ForeignReassignment)
	// What the client sends leaves it alone; the default would not.
	if err := w.client.StopProposalExecution(t.Context(), "b"); err != nil || w.reassigning() != 1 {
		t.Errorf("%v, %d reassignments", err, w.reassigning())
	}
	post(t, w, "stop_proposal_execution?json=true&reason=c")
	wantEqual(t, "reassignments", w.reassigning(), 0)
	if bad := w.Violations(); len(bad) != 1 {
		t.Errorf("violations: %v", bad)
	}
}

func TestAutoStopExternalAgent(t *testing.T) {
	w := newWorld(t, func(c *cruisecontrol.Config) { c.AutoStopExternalAgent = true })
	w.kafka.Bandwidth = 1 << 20
	_ = w.kafka.Reassign(t.Context(), map[backend.TopicPartition][]int32{tp(0): {0, 3, 2}})
	must[client.Answer[client.Plan]](t)(w.client.DemoteBroker(t.Context(), client.Execute("a"), client.DemoteBrokerParameters{BrokerIDs: []int32{1}}))
	w.pass(time.Second)
	wantEqual(t, "reassignments", w.reassigning(), 0)
}

// Demoting moves no data, and still has a phase between brokers.
func TestDemote(t *testing.T) {
	w := newWorld(t)
	a := must[client.Answer[client.Plan]](t)(w.client.DemoteBroker(t.Context(), client.Execute("a"), client.DemoteBrokerParameters{BrokerIDs: []int32{0}, SkipURPDemotion: true, ExcludeFollowerDemotion: true}))
	if s := a.Result.Summary; s.NumReplicaMovements != 0 || s.NumLeaderMovements != 4 || s.ProvisionStatus != "UNDECIDED" {
		t.Errorf("got %+v", s)
	}
	w.pass(time.Second)
	if x := w.executor(); x.Phase != client.InterBrokerReplicaMovementInProgress || x.NumTotalPartitionMovements != 4 || x.TotalDataToMove != 0 {
		t.Errorf("got %+v", x)
	}
	w.pass(10 * time.Second)
	if x := w.executor(); x.Phase != client.LeaderMovementInProgress || x.NumTotalLeadershipMovements != 4 {
		t.Errorf("got %+v", x)
	}
	w.idle()
	cluster := must[backend.Cluster](t)(w.kafka.Cluster(t.Context()))
	for _, p := range cluster.Partitions {
		if p.Leader == 0 {
			t.Errorf("%v is led by the demoted broker", p)
		}
	}
	if _, demoted := w.Remembered(); !slices.Equal(demoted, []int32{0}) {
		t.Errorf("got %v", demoted)
	}
	result := must[client.AdminResult](t)(w.client.Admin(t.Context(), "b", client.AdminParameters{DropRecentlyDemotedBrokers: []int32{0}}))
	wantEqual(t, "said", result.DropRecentBrokersRequest, "Dropped recently demoted brokers (requested: [0] after-dropping: []).\n")
}

func TestDisks(t *testing.T) {
	w := newWorld(t)
	disks := client.LogDirs{0: {"/a"}}
	a := must[client.Answer[client.Plan]](t)(w.client.RemoveDisks(t.Context(), client.Execute("a"), client.RemoveDisksParameters{BrokerIDAndLogDirs: disks}))
	if s := a.Result.Summary; s.NumIntraBrokerReplicaMovements != 6 || s.IntraBrokerDataToMoveMB != 1200 || len(a.Result.Proposals) != 0 {
		t.Errorf("got %+v", a.Result)
	}
	if d := a.Result.LoadAfterOptimization.Brokers[0].DiskState; len(d) != 2 {
		t.Errorf("got %v", d)
	}
	w.pass(time.Second)
	if x := w.executor(); x.Phase != client.IntraBrokerReplicaMovementInProgress || x.NumInProgressIntraBrokerPartitionMovements != 2 || x.TotalIntraBrokerDataToMove != 1200 {
		t.Errorf("got %+v", x)
	}
	w.idle()
	if cluster := must[backend.Cluster](t)(w.kafka.Cluster(t.Context())); len(cluster.Brokers[0].LogDirs[0].Replicas) != 0 {
		t.Errorf("got %v", cluster.Brokers[0].LogDirs)
	}
	w.settle()
	// Nobody remembers: the next rebalance moves them back.
	a = must[client.Answer[client.Plan]](t)(w.client.Rebalance(t.Context(), client.DryRun("b"), client.RebalanceParameters{RebalanceDisk: true, GoalParameters: goals()}))
	if a.Result.Summary.NumIntraBrokerReplicaMovements == 0 {
		t.Errorf("got %+v", a.Result.Summary)
	}
	// A dead disk has nothing that could be moved.
	w.kafka.FailDisk(t.Context(), 1, "/a")
	w.settle()
	a = must[client.Answer[client.Plan]](t)(w.client.RemoveDisks(t.Context(), client.Execute("c"), client.RemoveDisksParameters{BrokerIDAndLogDirs: client.LogDirs{1: {"/a"}}}))
	if !a.Result.IsEmpty() || w.executor().Phase != client.NoTaskInProgress || !a.Result.LoadAfterOptimization.Brokers[1].DiskState["/a"].Dead {
		t.Errorf("got %+v", a.Result)
	}
	w.pass(5 * time.Second)
	wantEqual(t, "status", w.status(a.TaskID), client.TaskCompleted)
	_, err := w.client.RemoveDisks(t.Context(), client.DryRun("d"), client.RemoveDisksParameters{BrokerIDAndLogDirs: client.LogDirs{0: {"/a/"}}})
	wantClass(t, err, client.InvalidSpec)
	_, err = w.client.RemoveDisks(t.Context(), client.DryRun("e"), client.RemoveDisksParameters{BrokerIDAndLogDirs: client.LogDirs{0: {"/a", "/b"}}})
	wantClass(t, err, client.Unsatisfiable)
}

func TestFixOfflineReplicas(t *testing.T) {
	w := newWorld(t)
	fix := func(s client.Submission) (client.Answer[client.Plan], error) {
		return w.client.FixOfflineReplicas(t.Context(), s, client.FixOfflineReplicasParameters{GoalParameters: goals()})
	}
	_, err := fix(client.DryRun("a"))
	wantClass(t, err, client.NothingToDo)
	w.kafka.StopBroker(t.Context(), 0)
	w.pass(20 * time.Second)
	// Rack c cannot take what was in a: only broker 3 can.
	_, err = w.client.TopicConfiguration(t.Context(), client.DryRun("b"), client.TopicConfigurationParameters{TopicByReplicationFactor: map[int]string{2: "t"}, GoalParameters: goals()})
	wantClass(t, err, client.OfflineReplicas)
	must[client.Answer[client.Plan]](t)(fix(client.Execute("c")))
	w.idle()
	wantEqual(t, "replicas of the dead broker", w.replicas()[0], 0)
	load := must[client.Answer[client.Load]](t)(w.client.Load(t.Context(), client.LoadParameters{AllowCapacityEstimation: true}))
	if b := load.Result.Brokers[0]; b.BrokerState != client.BrokerAlive && b.Host != "UNKNOWN_HOST-0" {
		t.Errorf("got %+v", b)
	}
}

func TestReplicationFactor(t *testing.T) {
	w := newWorld(t)
	change := func(s client.Submission, factor int, topic string) (client.Answer[client.Plan], error) {
		return w.client.TopicConfiguration(t.Context(), s, client.TopicConfigurationParameters{TopicByReplicationFactor: map[int]string{factor: topic}, GoalParameters: goals()})
	}
	_, err := change(client.DryRun("a"), 3, "t")
	wantClass(t, err, client.NothingToDo)
	_, err = change(client.DryRun("b"), 3, "u")
	wantClass(t, err, client.InvalidSpec)
	_, err = change(client.DryRun("c"), 4, "t")
	wantClass(t, err, client.InvalidSpec)
	must[client.Answer[client.Plan]](t)(change(client.Execute("d"), 2, "t.*"))
	w.idle()
	for id, n := range w.replicas() {
		if n != 8 && id != 3 {
			t.Errorf("broker %d has %d replicas", id, n)
		}
	}
}

// What is only wrong with the execution is found after planning, and never in a dry run.
func TestExecutionParameters(t *testing.T) {
	w := newWorld(t, func(c *cruisecontrol.Config) { c.MinExecutionProgressCheckInterval = time.Minute })
	p := client.AddBrokerParameters{BrokerIDs: []int32{3}, GoalParameters: goals()}
	p.ExecutionProgressCheckInterval = time.Second
	must[client.Answer[client.Plan]](t)(w.client.AddBroker(t.Context(), client.DryRun("a"), p))
	_, err := w.client.AddBroker(t.Context(), client.Execute("b"), p)
	wantClass(t, err, client.InvalidSpec)
	wantEqual(t, "phase", w.executor().Phase, client.NoTaskInProgress)
	code, body := post(t, w, "add_broker?brokerid=3&json=true&reason=c&dryrun=true&replica_movement_strategies=Foo")
	wantEqual(t, body, code, 200)
	code, body = post(t, w, "add_broker?brokerid=3&json=true&reason=d&dryrun=false&replica_movement_strategies=Foo")
	wantEqual(t, body, code, 400)
}
