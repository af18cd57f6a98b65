package cruisecontrol_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"sync"
	"testing"
	"time"

	"koperator.dev/koperator/cruisecontrol/client"
	"koperator.dev/koperator/test/cruisecontrol"
)

// What a process knows dies with it; what Kafka was told goes on.
func TestKill(t *testing.T) {
	w := newWorld(t)
	w.kafka.Bandwidth = 1 << 20
	a := must[client.Answer[client.Plan]](t)(w.remove(client.Execute("a"), 0))
	w.pass(time.Second)
	moving := w.reassigning()
	w.Kill()
	_, err := w.remove(client.Execute("b"), 0)
	if e := errorOf(t, err, client.Unreachable); !e.NotRegistered() {
		t.Errorf("got %+v", e)
	}
	if err := w.Restart(); err != nil {
		t.Fatal(err)
	}
	_, err = w.remove(client.Execute("c"), 0)
	wantClass(t, err, client.ForeignReassignment)
	_, err = w.remove(client.DryRun("d"), 0)
	wantClass(t, err, client.NotReady)
	wantEqual(t, "monitor", w.monitor().Phase, client.MonitorLoading)
	w.pass(2 * time.Second)
	wantEqual(t, "status", w.status(a.TaskID), "")
	_, err = w.remove(client.Execute("a").Continue(a.TaskID), 0)
	wantClass(t, err, client.TaskLost)
	if x := w.executor(); x.Phase != client.NoTaskInProgress || len(x.RecentlyRemovedBrokers) != 0 {
		t.Errorf("got %+v", x)
	}
	wantEqual(t, "moving", w.reassigning(), moving)
	w.pass(10 * time.Minute)
	wantEqual(t, "moving", w.reassigning(), 0)
}

// A SIGTERM while replicas move: questions are answered as before, changes are not, and after thirty seconds it is over.
func TestTerminateWhileMoving(t *testing.T) {
	w := newWorld(t)
	w.kafka.Bandwidth = 1 << 20
	a := must[client.Answer[client.Plan]](t)(w.add(client.Execute("a"), 3))
	w.pass(time.Second)
	moving := w.reassigning()
	w.Terminate()
	wantEqual(t, "status", w.status(a.TaskID), client.TaskInExecution)
	wantEqual(t, "phase", w.executor().Phase, client.InterBrokerReplicaMovementInProgress)
	hung := make(chan error)
	go func() { hung <- w.client.StopProposalExecution(t.Context(), "b") }()
	select {
	case err := <-hung:
		t.Errorf("answered: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	w.pass(31 * time.Second)
	if err := <-hung; !errors.Is(err, client.Unreachable) {
		t.Errorf("got %v", err)
	}
	if w.Alive() || w.reassigning() != moving {
		t.Error("it did not end, or undid something")
	}
}

func TestTerminateIdle(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { w.Run(ctx) })
	defer func() { // it goes on after the end
		cancel()
		w.clock.Step(time.Second)
		wg.Wait()
	}()
	w.Terminate()
	if _, err := w.client.State(t.Context(), client.StateParameters{}); err != nil {
		t.Error(err)
	}
	w.pass(7 * time.Second)
	if w.Alive() {
		t.Error("still alive")
	}
}

// A thread that dies leaves its task active for ever, and the executor waiting for the plan.
func TestOutOfMemory(t *testing.T) {
	w := newWorld(t)
	w.Inject(cruisecontrol.Fault{Kind: cruisecontrol.FaultOutOfMemory, Endpoint: "add_broker"})
	a := must[client.Answer[client.Plan]](t)(w.add(client.Execute("a"), 3))
	w.pass(48 * time.Hour)
	wantEqual(t, "status", w.status(a.TaskID), client.TaskActive)
	wantEqual(t, "phase", w.executor().Phase, client.GeneratingProposalsForExecution)
	_, err := w.remove(client.Execute("b"), 0)
	wantClass(t, err, client.Busy)
	w.Kill()
	if err := w.Restart(); err != nil {
		t.Fatal(err)
	}
	w.pass(2 * time.Second)
	wantEqual(t, "phase", w.executor().Phase, client.NoTaskInProgress)
}

// findTask is how an operator finds what it may have sent.
func findTask(w *world, reason string) client.UserTask {
	list := must[client.UserTasks](w.t)(w.client.UserTasks(w.t.Context(), client.UserTasksParameters{}))
	for _, task := range list.Tasks {
		if task.Reason() == reason {
			return task
		}
	}
	return client.UserTask{}
}

// Answers that are lost: before the request was seen there is no task, after that there is one.
func TestLostAnswers(t *testing.T) {
	w := newWorld(t)
	w.Inject(cruisecontrol.Fault{Kind: cruisecontrol.FaultResetBefore, Endpoint: "add_broker"})
	_, err := w.add(client.Execute("before"), 3)
	wantClass(t, err, client.Unreachable)
	wantEqual(t, "task", findTask(w, "before").ID, "")

	w.Inject(cruisecontrol.Fault{Kind: cruisecontrol.FaultResetAfter, Endpoint: "add_broker"})
	_, err = w.add(client.Execute("after"), 3)
	wantClass(t, err, client.Unreachable)
	task := findTask(w, "after")
	w.pass(time.Second)
	wantEqual(t, "executed", w.executor().TriggeredUserTaskID, task.ID)
	plan := must[client.Answer[client.Plan]](t)(w.add(client.Execute("after").Continue(task.ID), 3))
	if plan.Result.IsEmpty() {
		t.Errorf("got %+v", plan)
	}
	w.idle()
	noLeftovers(w)
}

// A client that gives up has a task all the same.
func TestSlowAnswer(t *testing.T) {
	w := newWorld(t)
	w.Inject(cruisecontrol.Fault{Kind: cruisecontrol.FaultSlow, Duration: time.Minute})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := w.client.AddBroker(ctx, client.Execute("a"), client.AddBrokerParameters{BrokerIDs: []int32{3}, GoalParameters: goals()})
	if e := errorOf(t, err, client.Unreachable); e.NotRegistered() {
		t.Errorf("got %+v", e)
	}
	if findTask(w, "a").ID == "" {
		t.Error("no task")
	}
	w.Inject(cruisecontrol.Fault{Kind: cruisecontrol.FaultHang})
	ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = w.client.AddBroker(ctx, client.Execute("b"), client.AddBrokerParameters{BrokerIDs: []int32{3}, GoalParameters: goals()})
	wantClass(t, err, client.Unreachable)
	wantEqual(t, "task", findTask(w, "b").ID, "")
}

func TestOtherFaults(t *testing.T) {
	w := newWorld(t)
	w.Inject(cruisecontrol.Fault{Kind: cruisecontrol.FaultPage, Status: 503})
	_, err := w.add(client.DryRun("a"), 3)
	wantClass(t, err, client.Unreachable)
	w.Inject(cruisecontrol.Fault{Kind: cruisecontrol.FaultNaN})
	a := must[client.Answer[client.Plan]](t)(w.add(client.DryRun("b"), 3))
	if before := a.Result.Summary.OnDemandBalancednessBefore; !math.IsNaN(float64(before)) {
		t.Errorf("got %v", before)
	}
	w.Inject(cruisecontrol.Fault{Kind: cruisecontrol.FaultPlanningError, Times: -1, Message: "java.util.concurrent.TimeoutException: x"})
	for i := range 3 {
		_, err = w.add(client.DryRun(fmt.Sprint("c", i)), 3)
		wantClass(t, err, client.Transient)
	}
	w.Heal()
	must[client.Answer[client.Plan]](t)(w.add(client.DryRun("d"), 3))
	w.Inject(cruisecontrol.Fault{Kind: cruisecontrol.FaultSlowRollback, Duration: time.Minute})
	must[client.Answer[client.Plan]](t)(w.add(client.Execute("e"), 3))
	w.pass(time.Second)
	w.stop()
	w.pass(20 * time.Second)
	wantEqual(t, "phase", w.executor().Phase, client.StoppingExecution)
	w.idle()
}

func TestTwoStepVerification(t *testing.T) {
	w := newWorld(t, func(c *cruisecontrol.Config) { c.TwoStepVerification = true })
	_, err := w.add(client.Execute("a"), 3)
	if e := errorOf(t, err, client.ConfigError); !e.NotRegistered() {
		t.Errorf("got %+v", e)
	}
	code, body := post(t, w, "add_broker?review_id=0&json=true")
	if code != 400 {
		t.Errorf("%d %s", code, body)
	}
	post(t, w, "review?approve=0&json=true")
	code, body = post(t, w, "add_broker?review_id=0")
	wantEqual(t, body, code, 200)
	list := must[client.UserTasks](t)(w.client.UserTasks(t.Context(), client.UserTasksParameters{Endpoints: []string{"add_broker"}}))
	if len(list.Tasks) != 1 || list.Tasks[0].Request != "POST /kafkacruisecontrol/add_broker?review_id=0" {
		t.Errorf("got %+v", list.Tasks)
	}
}

func TestAuthentication(t *testing.T) {
	w := newWorld(t, func(c *cruisecontrol.Config) {
		c.Users = map[string]cruisecontrol.User{"operator": {Password: "p", Role: cruisecontrol.Admin}, "viewer": {Password: "p", Role: cruisecontrol.Viewer}}
	})
	as := func(user, password string) client.Client {
		c := must[client.Client](t)(client.New(client.Config{URL: w.url, Credentials: func(context.Context) (string, string, error) { return user, password, nil }}))
		t.Cleanup(c.Close)
		return c
	}
	for _, c := range []struct {
		user, password string
		reads, changes bool
	}{{"operator", "p", true, true}, {"operator", "x", false, false}, {"viewer", "p", false, false}, {"", "", false, false}} {
		_, err := as(c.user, c.password).State(t.Context(), client.StateParameters{})
		wantEqual(t, c.user+" reads", !errors.Is(err, client.Unauthorized), c.reads)
		err = as(c.user, c.password).PauseSampling(t.Context(), "a")
		wantEqual(t, c.user+" changes", !errors.Is(err, client.Unauthorized), c.changes)
	}
	must[client.UserTasks](t)(as("viewer", "p").UserTasks(t.Context(), client.UserTasksParameters{}))
	w.Configure(func(c *cruisecontrol.Config) { c.LoginURL = "https://login.example.com" })
	_, err := as("operator", "p").State(t.Context(), client.StateParameters{})
	if e := errorOf(t, err, client.Unauthorized); e.HTTPStatus != http.StatusFound {
		t.Errorf("got %+v", e)
	}
}

// Run lets things happen by themselves; many may ask at a time.
func TestRun(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { w.Run(ctx) })
	a := must[client.Answer[client.Plan]](t)(w.add(client.Execute("a"), 3))
	for range 8 {
		wg.Go(func() {
			for range 5 {
				resp, err := http.Get(w.url + "/user_tasks?json=true")
				if err == nil {
					_, _ = io.Copy(io.Discard, resp.Body)
					_ = resp.Body.Close()
				}
			}
		})
	}
	for range 2000 {
		w.clock.Step(time.Second)
		time.Sleep(time.Millisecond)
		if w.replicas()[3] >= a.Result.Summary.NumReplicaMovements {
			break
		}
	}
	cancel()
	w.clock.Step(time.Second)
	wg.Wait()
	wantEqual(t, "replicas", w.replicas()[3], a.Result.Summary.NumReplicaMovements)
}

func TestProperties(t *testing.T) {
	cfg := cruisecontrol.DefaultConfig()
	if err := cfg.Properties(map[string]string{
		"max.active.user.tasks": "25", "webserver.request.maxBlockTimeMs": "2000", "auto.stop.external.agent": "false",
		"hard.goals": "com.linkedin.kafka.cruisecontrol.analyzer.goals.RackAwareGoal,", "bootstrap.servers": "x:1", "sample.store.class": "a.NoopSampleStore",
	}); err != nil {
		t.Fatal(err)
	}
	if cfg.MaxActiveUserTasks != 25 || cfg.MaxBlockTime != 2*time.Second || cfg.AutoStopExternalAgent || len(cfg.HardGoals) != 1 || cfg.HardGoals[0] != "RackAwareGoal" || !cfg.NoSampleStore {
		t.Errorf("got %+v", cfg)
	}
	for name, value := range map[string]string{"hard.goals": "FooGoal", "goals": "RackAwareGoal", "min.execution.progress.check.interval.ms": "60000", "max.active.user.tasks": "x"} {
		cfg := cruisecontrol.DefaultConfig()
		if cfg.Properties(map[string]string{name: value}) == nil {
			t.Errorf("it starts with %s=%s, as Cruise Control does not", name, value)
		}
	}
}
