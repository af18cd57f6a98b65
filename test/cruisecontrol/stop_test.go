package cruisecontrol_test

import (
	"strings"
	"testing"
	"time"

	"koperator.dev/koperator/cruisecontrol/client"
	"koperator.dev/koperator/test/cruisecontrol"
	"koperator.dev/koperator/test/cruisecontrol/backend"
)

func (w *world) stop() {
	w.t.Helper()
	if err := w.client.StopProposalExecution(w.t.Context(), "stop-"+w.clock.Now().Format("150405")); err != nil {
		w.t.Fatal(err)
	}
}

// A stop is heard at the next look, and cancels what is under way.
func TestStop(t *testing.T) {
	w := newWorld(t)
	w.kafka.Bandwidth = 1 << 20
	a := must[client.Answer[client.Plan]](t)(w.add(client.Execute("a"), 3))
	w.pass(time.Second)
	if w.reassigning() == 0 {
		t.Fatal("nothing moves")
	}
	w.stop()
	wantEqual(t, "status", w.status(a.TaskID), client.TaskInExecution)
	w.pass(10 * time.Second)
	wantEqual(t, "status", w.status(a.TaskID), client.TaskCompletedWithError)
	wantEqual(t, "phase", w.executor().Phase, client.NoTaskInProgress)
	noLeftovers(w)
	// The plan is still there: it is the execution that failed.
	again := must[client.Answer[client.Plan]](t)(w.add(client.Execute("a").Continue(a.TaskID), 3))
	wantEqual(t, "hash", again.Result.Hash(), a.Result.Hash())
}

// Before the execution begins, a stop is forgotten.
func TestStopIsLost(t *testing.T) {
	w := newWorld(t, func(c *cruisecontrol.Config) { c.PlanningTime = 5 * time.Second })
	a := must[client.Answer[client.Plan]](t)(w.add(client.Execute("a"), 3))
	wantEqual(t, "phase", w.executor().Phase, client.GeneratingProposalsForExecution)
	w.stop()
	w.pass(10 * time.Second)
	wantEqual(t, "status", w.status(a.TaskID), client.TaskInExecution)
	w.stop()
	w.pass(10 * time.Second)
	wantEqual(t, "status", w.status(a.TaskID), client.TaskCompletedWithError)
}

// The disks of a broker cannot be told to stop: that is waited for, without totals.
func TestStopBetweenDisks(t *testing.T) {
	w := newWorld(t)
	w.kafka.Bandwidth = 10 << 20
	_, err := w.client.RemoveDisks(t.Context(), client.Execute("a"), client.RemoveDisksParameters{BrokerIDAndLogDirs: client.LogDirs{0: {"/a"}}})
	if err != nil {
		t.Fatal(err)
	}
	w.pass(time.Second)
	w.stop()
	w.pass(10 * time.Second)
	x := w.executor()
	if x.Phase != client.StoppingExecution || x.NumTotalIntraBrokerPartitionMovements != 0 || x.NumCancelledIntraBrokerPartitionMovements != 4 || x.NumInProgressIntraBrokerPartitionMovements != 2 {
		t.Errorf("got %+v", x)
	}
	w.idle()
}

// A broker dies that is to have a replica, even one that has it already: everything stops, and one partition goes on being reassigned.
func TestDestinationDies(t *testing.T) {
	w := newWorld(t)
	w.kafka.Bandwidth = 1 << 20
	a := must[client.Answer[client.Plan]](t)(w.add(client.Execute("a"), 3))
	w.pass(time.Second)
	w.kafka.StopBroker(t.Context(), 3)
	w.pass(20 * time.Second)
	wantEqual(t, "status", w.status(a.TaskID), client.TaskCompletedWithError)
	if n := w.reassigning(); n == 0 {
		t.Error("nothing was left behind")
	}
	_, err := w.client.Rebalance(t.Context(), client.Execute("b"), client.RebalanceParameters{GoalParameters: goals()})
	wantClass(t, err, client.ForeignReassignment)
}

// A source that died is waited for without end.
func TestSourceDies(t *testing.T) {
	w := newWorld(t)
	w.kafka.CreateTopic(t.Context(), "single", 100<<20, []int32{0})
	w.settle()
	w.kafka.Bandwidth = 1 << 20
	p := client.RebalanceParameters{GoalParameters: goals(), DestinationBrokerIDs: []int32{3}}
	p.ExcludedTopics = "t"
	a := must[client.Answer[client.Plan]](t)(w.client.Rebalance(t.Context(), client.Execute("a"), p))
	wantEqual(t, "moves", a.Result.Summary.NumReplicaMovements, 1)
	w.pass(time.Second)
	w.kafka.StopBroker(t.Context(), 0)
	w.pass(time.Hour)
	wantEqual(t, "status", w.status(a.TaskID), client.TaskInExecution)
}

// Cruise Control's own throttle takes ten seconds for each broker and topic, in which nothing is heard.
func TestThrottle(t *testing.T) {
	w := newWorld(t)
	code, body := post(t, w, "add_broker?brokerid=3&json=true&reason=a&dryrun=false&replication_throttle=1000000")
	if code != 200 {
		t.Fatal(body)
	}
	w.pass(time.Second)
	rate := w.kafka.Configs(t.Context())[backend.Resource{Name: "3"}]
	wantEqual(t, "rate", rate[backend.FollowerRate], "1000000")
	replicas := w.kafka.Configs(t.Context())[backend.Resource{Topic: true, Name: "t"}]
	if entries := replicas[backend.LeaderReplicas]; !strings.Contains(entries, ":3") {
		t.Errorf("got %s", entries)
	}
	// Four brokers and a topic.
	w.pass(48 * time.Second)
	wantEqual(t, "moving", w.reassigning(), 0)
	w.pass(2 * time.Second)
	wantEqual(t, "moving", w.reassigning(), 5)
	w.pass(5 * time.Minute)
	w.stop()
	for range 100 {
		w.pass(10 * time.Second)
	}
	wantEqual(t, "phase", w.executor().Phase, client.NoTaskInProgress)
	if left := must[[]string](t)(w.Leftovers(t.Context())); len(left) == 0 {
		t.Error("nothing was left behind")
	}
	if bad := w.Violations(); len(bad) == 0 {
		t.Error("nobody complains about the throttle")
	}
}

// With a rate for the whole cluster, removing a throttle hangs until that is gone, and no stop is heard.
func TestClusterThrottle(t *testing.T) {
	w := newWorld(t)
	all := backend.Resource{}
	if err := w.kafka.AlterConfig(t.Context(), all, map[string]string{backend.LeaderRate: "100000000"}, nil); err != nil {
		t.Fatal(err)
	}
	post(t, w, "add_broker?brokerid=3&json=true&reason=a&dryrun=false&replication_throttle=100000000")
	w.pass(time.Hour)
	w.stop()
	w.pass(time.Hour)
	wantEqual(t, "phase", w.executor().Phase, client.InterBrokerReplicaMovementInProgress)
	_ = w.kafka.AlterConfig(t.Context(), all, nil, []string{backend.LeaderRate})
	w.pass(2 * time.Minute)
	wantEqual(t, "phase", w.executor().Phase, client.NoTaskInProgress)
}

// A throttle that somebody else has set is obeyed and left alone.
func TestForeignThrottle(t *testing.T) {
	w := newWorld(t)
	topic := backend.Resource{Topic: true, Name: "t"}
	_ = w.kafka.AlterConfig(t.Context(), topic, map[string]string{backend.LeaderReplicas: "*", backend.FollowerReplicas: "*"}, nil)
	_ = w.kafka.AlterConfig(t.Context(), backend.Resource{Name: "3"}, map[string]string{backend.FollowerRate: "1000000"}, nil)
	must[client.Answer[client.Plan]](t)(w.add(client.Execute("a"), 3))
	w.pass(time.Minute)
	if x := w.executor(); x.FinishedDataMovement != 0 {
		t.Errorf("200 MB moved in a minute at 1 MB/s: %+v", x)
	}
	w.idle()
	wantEqual(t, "entries", w.kafka.Configs(t.Context())[topic][backend.LeaderReplicas], "*")
}

// The next one may replace what is executed.
func TestStopOngoingExecution(t *testing.T) {
	w := newWorld(t)
	w.kafka.Bandwidth = 1 << 20
	first := must[client.Answer[client.Plan]](t)(w.add(client.Execute("a"), 3))
	w.pass(time.Second)
	code, body := post(t, w, "rebalance?json=true&reason=b&dryrun=false&stop_ongoing_execution=true")
	wantEqual(t, body, code, 200)
	wantEqual(t, "first", w.status(first.TaskID), client.TaskCompletedWithError)
	w.pass(time.Second)
	if x := w.executor(); x.Phase != client.InterBrokerReplicaMovementInProgress || x.TriggeredTaskReason[:2] != "b " {
		t.Errorf("got %+v", x)
	}
}

// Brokers of a removal that failed are excluded for a fortnight, until somebody drops them.
func TestRecentlyRemoved(t *testing.T) {
	w := newWorld(t)
	must[client.Answer[client.Plan]](t)(w.remove(client.Execute("a"), 0))
	w.pass(time.Second)
	w.stop()
	w.idle()
	w.settle()
	if x := w.executor(); len(x.RecentlyRemovedBrokers) != 1 {
		t.Errorf("got %v", x.RecentlyRemovedBrokers)
	}
	rebalance := func(reason string, exclude bool) client.Summary {
		g := goals()
		g.ExcludeRecentlyRemovedBrokers = exclude
		return must[client.Answer[client.Plan]](t)(w.client.Rebalance(t.Context(), client.DryRun(reason), client.RebalanceParameters{GoalParameters: g})).Result.Summary
	}
	if s := rebalance("b", true); len(s.ExcludedBrokersForReplicaMove) != 1 || s.ExcludedBrokersForReplicaMove[0] != 0 {
		t.Errorf("got %+v", s)
	}
	if s := rebalance("c", false); len(s.ExcludedBrokersForReplicaMove) != 0 {
		t.Errorf("got %+v", s)
	}
	must[client.AdminResult](t)(w.client.Admin(t.Context(), "d", client.AdminParameters{DropRecentlyRemovedBrokers: []int32{0}}))
	if removed, _ := w.Remembered(); len(removed) != 0 {
		t.Errorf("got %v", removed)
	}
}

// Nobody asked, and Cruise Control executes all the same.
func TestSelfHealing(t *testing.T) {
	w := newWorld(t)
	w.kafka.StopBroker(t.Context(), 0)
	w.pass(20 * time.Second)
	w.SelfHeal("anomaly-1")
	w.pass(time.Second)
	x := w.executor()
	if x.Phase != client.InterBrokerReplicaMovementInProgress || x.TriggeredUserTaskID != "" || x.TriggeredSelfHealingTaskID != "anomaly-1" {
		t.Errorf("got %+v", x)
	}
	_, err := w.remove(client.Execute("a"), 3)
	wantClass(t, err, client.Busy)
	w.idle()
	wantEqual(t, "replicas", w.replicas()[0], 0)
}
