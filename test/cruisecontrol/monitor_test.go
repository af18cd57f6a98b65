package cruisecontrol_test

import (
	"encoding/json"
	"testing"
	"time"

	"koperator.dev/koperator/cruisecontrol/client"
	"koperator.dev/koperator/test/cruisecontrol"
)

func (w *world) monitor() client.MonitorState {
	w.t.Helper()
	a, err := w.client.State(w.t.Context(), client.StateParameters{Substates: []client.Substate{client.SubstateMonitor}, Verbose: true})
	if err != nil {
		w.t.Fatal(err)
	}
	return *a.Result.Monitor
}

func window(d time.Duration) func(*cruisecontrol.Config) {
	return func(c *cruisecontrol.Config) { c.PartitionMetricsWindow = d }
}

// Without a window there is no plan, and an execution that takes as long as all of them leaves none.
func TestWindows(t *testing.T) {
	w := newWorld(t, window(time.Minute), func(c *cruisecontrol.Config) { c.NoSamples = true })
	m := w.monitor()
	if m.NumMonitoredWindows != 0 || m.NumTotalPartitions != 0 || m.Phase != client.MonitorRunning {
		t.Errorf("got %+v", m)
	}
	_, err := w.add(client.DryRun("a"), 3)
	wantClass(t, err, client.NotReady)
	w.pass(time.Minute)
	must[client.Answer[client.Plan]](t)(w.add(client.DryRun("b"), 3))
	if m = w.monitor(); m.NumMonitoredWindows != 1 || m.NumValidPartitions != 12 || m.MonitoringCoveragePct != 100 || len(m.MonitoredWindows) != 1 {
		t.Errorf("got %+v", m)
	}

	w.kafka.Bandwidth = 1 << 10
	must[client.Answer[client.Plan]](t)(w.add(client.Execute("c"), 3))
	w.pass(10 * time.Minute)
	w.stop()
	w.idle()
	_, err = w.add(client.DryRun("d"), 3)
	wantClass(t, err, client.NotReady)
	w.pass(2 * time.Minute)
	must[client.Answer[client.Plan]](t)(w.add(client.DryRun("e"), 3))
}

func TestPause(t *testing.T) {
	w := newWorld(t, window(time.Minute))
	if err := w.client.PauseSampling(t.Context(), "maintenance"); err != nil {
		t.Fatal(err)
	}
	if m := w.monitor(); m.Phase != client.MonitorPaused || m.ReasonOfLatestPauseOrResume[:11] != "maintenance" {
		t.Errorf("got %+v", m)
	}
	w.pass(10 * time.Minute)
	_, err := w.add(client.DryRun("a"), 3)
	wantClass(t, err, client.NotReady)
	if err := w.client.ResumeSampling(t.Context(), "done"); err != nil {
		t.Fatal(err)
	}
	w.pass(2 * time.Minute)
	must[client.Answer[client.Plan]](t)(w.add(client.DryRun("b"), 3))
}

func capacity(t *testing.T, file string) *cruisecontrol.Capacity {
	t.Helper()
	c, err := cruisecontrol.ParseCapacity([]byte(file))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// One broker without capacity, and no entry for all others: nothing is measured any more, of anybody, and only one request says why.
func TestMissingCapacity(t *testing.T) {
	const known = `{"brokerId":"0","capacity":{"DISK":"100000"}},{"brokerId":"1","capacity":{"DISK":{"/a":"50000","/b":"50000"}}},{"brokerId":"2","capacity":{"DISK":"100000"}}`
	w := newWorld(t, window(time.Minute), func(c *cruisecontrol.Config) {
		c.NoSamples, c.Capacity = true, capacity(t, `{"brokerCapacities":[`+known+`]}`)
	})
	w.pass(time.Hour)
	_, err := w.remove(client.DryRun("a"), 0)
	wantClass(t, err, client.NotReady)
	_, err = w.client.Load(t.Context(), client.LoadParameters{AllowCapacityEstimation: true})
	wantClass(t, err, client.NotReady)
	_, err = w.client.Load(t.Context(), client.LoadParameters{CapacityOnly: true})
	wantClass(t, err, client.ConfigError)

	w.Configure(func(c *cruisecontrol.Config) {
		c.Capacity = capacity(t, `{"brokerCapacities":[{"brokerId":"-1","capacity":{"DISK":"1000"}},`+known+`]}`)
	})
	w.pass(2 * time.Minute)
	load := must[client.Answer[client.Load]](t)(w.client.Load(t.Context(), client.LoadParameters{AllowCapacityEstimation: true, PopulateDiskInfo: true}))
	if b := load.Result.Brokers; b[1].DiskCapacityMB != 100000 || b[3].DiskCapacityMB != 1000 || b[1].DiskState["/a"].DiskPct != 100*1200.0/50000 {
		t.Errorf("got %+v", b)
	}
	_, err = w.client.Load(t.Context(), client.LoadParameters{})
	wantClass(t, err, client.ConfigError)
	// And a plan must fit.
	w.Configure(func(c *cruisecontrol.Config) {
		c.Capacity = capacity(t, `{"brokerCapacities":[{"brokerId":"-1","capacity":{"DISK":"2500"}}]}`)
	})
	_, err = w.remove(client.DryRun("b"), 0)
	wantClass(t, err, client.Unsatisfiable)
}

func TestCapacityIsStrings(t *testing.T) {
	for _, bad := range []string{`{`, `{"brokerCapacities":[{"brokerId":"0","capacity":{"DISK":100}}]}`, `{"brokerCapacities":[{"brokerId":"0","capacity":{"DISK":{"/a":1}}}]}`, `{"brokerCapacities":[{"brokerId":"0","capacity":{"DISK":"x"}}]}`} {
		if _, err := cruisecontrol.ParseCapacity([]byte(bad)); err == nil {
			t.Errorf("%s is accepted", bad)
		}
	}
}

func TestBrokersThatStopped(t *testing.T) {
	w := newWorld(t)
	w.kafka.CreateTopic(t.Context(), "single", 1<<20, []int32{1})
	w.settle()
	w.kafka.StopBroker(t.Context(), 1)
	w.pass(20 * time.Second)
	state := must[client.KafkaClusterState](t)(w.client.KafkaClusterState(t.Context(), client.KafkaClusterStateParameters{Verbose: true}))
	p := state.Partitions
	if len(p.Offline) != 1 || p.Offline[0].Topic != "single" || p.Offline[0].Leader != -1 || len(p.URP) != 12 || len(p.WithOfflineReplicas) != 13 {
		t.Errorf("got %+v", p)
	}
	// The partition without a leader counts nowhere.
	if b := state.Brokers; b.ReplicaCount[1] != 12 || b.OfflineReplicaCount[1] != 12 || b.Summary.Brokers != 3 || len(b.OnlineLogDirs[0]) != 2 {
		t.Errorf("got %+v", b)
	}
	_, err := w.client.Load(t.Context(), client.LoadParameters{PopulateDiskInfo: true})
	wantClass(t, err, client.BrokerMissing)
	load := must[client.Answer[client.Load]](t)(w.client.Load(t.Context(), client.LoadParameters{}))
	if b := load.Result.Brokers[1]; b.Host != "UNKNOWN_HOST-0" || b.BrokerState != client.BrokerDead || b.DiskPct != -1 {
		t.Errorf("got %+v", b)
	}
	_, err = w.remove(client.DryRun("a"), 2)
	wantClass(t, err, client.EmptyRack)
}

func TestGoals(t *testing.T) {
	w := newWorld(t)
	rebalance := func(reason string, skip bool, names ...client.Goal) error {
		g := goals()
		g.Goals, g.SkipHardGoalCheck = names, skip
		_, err := w.client.Rebalance(t.Context(), client.DryRun(reason), client.RebalanceParameters{GoalParameters: g})
		return err
	}
	wantClass(t, rebalance("a", true, "FooGoal"), client.InvalidSpec)
	wantClass(t, rebalance("b", false, "ReplicaDistributionGoal"), client.InvalidSpec)
	if err := rebalance("c", true, "ReplicaDistributionGoal"); err != nil {
		t.Error(err)
	}
	_, err := w.client.Proposals(t.Context(), client.ProposalsParameters{GoalParameters: client.GoalParameters{Goals: []client.Goal{"ReplicaDistributionGoal"}}})
	if err != nil {
		t.Error(err)
	}
}

func TestStateBodies(t *testing.T) {
	w := newWorld(t)
	a := must[client.Answer[client.State]](t)(w.client.State(t.Context(), client.StateParameters{Verbose: true}))
	s := a.Result
	if !s.Analyzer.IsProposalReady || len(s.Analyzer.GoalReadiness) != 6 || s.Analyzer.GoalReadiness[0].Status != "ready" {
		t.Errorf("got %+v", s.Analyzer)
	}
	if len(s.AnomalyDetector.SelfHealingDisabled) != 6 || s.AnomalyDetector.BalancednessScore > 100 {
		t.Errorf("got %+v", s.AnomalyDetector)
	}
	result := must[client.AdminResult](t)(w.client.Admin(t.Context(), "a", client.AdminParameters{EnableSelfHealingFor: []client.AnomalyType{client.DiskFailure}}))
	if result.SelfHealingEnabledBefore[client.DiskFailure] || !result.SelfHealingEnabledAfter[client.DiskFailure] {
		t.Errorf("got %+v", result)
	}
	_, body := get(t, w, "state?json=true&substates=EXECUTOR")
	var only map[string]json.RawMessage
	if err := json.Unmarshal([]byte(body), &only); err != nil || len(only) != 2 || string(only["ExecutorState"]) != `{"state":"NO_TASK_IN_PROGRESS"}` {
		t.Errorf("%v: %s", err, body)
	}
}
