package cruisecontrol_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	clocktesting "k8s.io/utils/clock/testing"

	"koperator.dev/koperator/cruisecontrol/client"
	"koperator.dev/koperator/test/cruisecontrol"
	"koperator.dev/koperator/test/cruisecontrol/backend"
	"koperator.dev/koperator/test/cruisecontrol/model"
)

// world is a stand-in on a model, whose time only passes when a test wants it to.
type world struct {
	*cruisecontrol.Server
	t      *testing.T
	clock  *clocktesting.FakeClock
	kafka  *model.Model
	url    string
	client client.Client
	// began is when the process did.
	began time.Time
}

// newWorld has brokers 0 to 3 in racks a, b, c, a with two disks each; three have the replicas of topic t, twelve partitions of 200 MB,
// and broker 3 has none.
func newWorld(t *testing.T, change ...func(*cruisecontrol.Config)) *world {
	t.Helper()
	cfg := cruisecontrol.DefaultConfig()
	cfg.MaxBlockTime = 0
	cfg.MaxActiveUserTasks = 1000
	cfg.AutoStopExternalAgent = false
	for _, c := range change {
		c(&cfg)
	}
	clock := clocktesting.NewFakeClock(time.Date(2030, 1, 1, 0, 0, 30, 0, time.UTC))
	w := &world{t: t, clock: clock, kafka: model.New(clock)}
	for id, rack := range []string{"a", "b", "c", "a"} {
		w.kafka.AddBroker(t.Context(), int32(id), rack, "/a", "/b")
	}
	var replicas [][]int32
	for i := range int32(12) {
		replicas = append(replicas, []int32{i % 3, (i + 1) % 3, (i + 2) % 3})
	}
	w.kafka.CreateTopic(t.Context(), "t", 200<<20, replicas...)
	w.Server = cruisecontrol.New(context.WithoutCancel(t.Context()), cruisecontrol.Options{Config: cfg, Kafka: w.kafka, Clock: clock})
	w.start()
	w.pass(2 * time.Second) // loading
	return w
}

func (w *world) start() {
	w.t.Helper()
	var err error
	if w.url, err = w.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(w.Close)
	w.began = w.clock.Now()
	if w.client, err = client.New(client.Config{URL: w.url, MinExecutionProgressCheckInterval: time.Millisecond}); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(w.client.Close)
}

// pass lets time pass.
func (w *world) pass(d time.Duration) {
	w.clock.Step(d)
	w.Advance()
}

// settle lets Cruise Control see Kafka as it is.
func (w *world) settle() { w.pass(12 * time.Second) }

// afterRefresh lets time pass until Cruise Control has just seen Kafka.
func (w *world) afterRefresh() {
	w.pass(10*time.Second - w.clock.Since(w.began)%(10*time.Second))
}

func (w *world) executor() client.ExecutorState {
	w.t.Helper()
	a, err := w.client.State(w.t.Context(), client.StateParameters{Substates: []client.Substate{client.SubstateExecutor}, Verbose: true})
	if err != nil {
		w.t.Fatal(err)
	}
	return *a.Result.Executor
}

// idle lets time pass until nothing is executed.
func (w *world) idle() {
	w.t.Helper()
	for range 1000 {
		if w.executor().Phase == client.NoTaskInProgress {
			return
		}
		w.pass(time.Second)
	}
	w.t.Fatalf("still executing: %+v", w.executor())
}

// status of a task; empty if it is not listed.
func (w *world) status(id client.TaskID) client.TaskStatus {
	w.t.Helper()
	list, err := w.client.UserTasks(w.t.Context(), client.UserTasksParameters{UserTaskIDs: []client.TaskID{id}})
	if err != nil {
		w.t.Fatal(err)
	}
	if len(list.Tasks) == 0 {
		return ""
	}
	return list.Tasks[0].Status
}

// replicas counts those of each broker, as Kafka has them.
func (w *world) replicas() map[int32]int {
	cluster, err := w.kafka.Cluster(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	count := map[int32]int{}
	for _, p := range cluster.Partitions {
		for _, id := range p.Replicas {
			count[id]++
		}
	}
	return count
}

func (w *world) reassigning() int {
	all, err := w.kafka.Reassignments(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return len(all)
}

func (w *world) add(reason client.Submission, brokers ...int32) (client.Answer[client.Plan], error) {
	return w.client.AddBroker(w.t.Context(), reason, client.AddBrokerParameters{BrokerIDs: brokers, GoalParameters: goals()})
}

func (w *world) remove(reason client.Submission, brokers ...int32) (client.Answer[client.Plan], error) {
	return w.client.RemoveBroker(w.t.Context(), reason, client.RemoveBrokerParameters{BrokerIDs: brokers, GoalParameters: goals()})
}

func goals() client.GoalParameters {
	return client.GoalParameters{AllowCapacityEstimation: true, FastMode: true}
}

func must[T any](t *testing.T) func(T, error) T {
	t.Helper()
	return func(value T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

func wantClass(t *testing.T, err error, class client.Class) {
	t.Helper()
	_ = errorOf(t, err, class)
}

func errorOf(t *testing.T, err error, class client.Class) *client.Error {
	t.Helper()
	var e *client.Error
	if !errors.As(err, &e) || e.Class != class {
		t.Fatalf("want %s, got %v", class, err)
	}
	return e
}

func tp(i int32) backend.TopicPartition { return backend.TopicPartition{Topic: "t", Partition: i} }

func wantEqual[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func noLeftovers(w *world) {
	w.t.Helper()
	if left, err := w.Leftovers(w.t.Context()); err != nil || len(left) > 0 {
		w.t.Errorf("left behind: %v, %v", left, err)
	}
	if bad := w.Violations(); len(bad) > 0 {
		w.t.Errorf("violations: %v", fmt.Sprint(bad))
	}
}
