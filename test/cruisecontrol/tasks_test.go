package cruisecontrol_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"koperator.dev/koperator/cruisecontrol/client"
	"koperator.dev/koperator/test/cruisecontrol"
)

// Every request takes a slot until the scanner frees it.
func TestSlots(t *testing.T) {
	w := newWorld(t, func(c *cruisecontrol.Config) { c.MaxActiveUserTasks = 5 })
	w.pass(4 * time.Second) // a scan has just been
	for range 5 {
		if _, err := w.client.UserTasks(t.Context(), client.UserTasksParameters{}); err != nil {
			t.Fatal(err)
		}
	}
	_, err := w.client.State(t.Context(), client.StateParameters{})
	if e := errorOf(t, err, client.Overload); !e.NotRegistered() {
		t.Errorf("got %+v", e)
	}
	w.pass(5 * time.Second)
	if _, err := w.client.State(t.Context(), client.StateParameters{}); err != nil {
		t.Error(err)
	}
}

// Planning takes time, in steps; the third long plan makes everything asynchronous wait.
func TestProgress(t *testing.T) {
	w := newWorld(t, func(c *cruisecontrol.Config) { c.PlanningTime = 90 * time.Second })
	var first client.Answer[client.Plan]
	for i := range 3 {
		a := must[client.Answer[client.Plan]](t)(w.add(client.DryRun(fmt.Sprint("a", i)), 3))
		if a.Result != nil || a.TaskID == "" || len(a.Progress) != 1 || a.Progress[0].Operation != "Add brokers" {
			t.Fatalf("got %+v", a)
		}
		if i == 0 {
			first = a
		}
	}
	state := must[client.Answer[client.State]](t)(w.client.State(t.Context(), client.StateParameters{}))
	if state.Result != nil || state.Progress[0].Steps[0].Step != "PENDING" || state.Progress[0].Steps[0].CompletionPercentage >= 100 {
		t.Errorf("got %+v", state)
	}
	must[client.KafkaClusterState](t)(w.client.KafkaClusterState(t.Context(), client.KafkaClusterStateParameters{}))
	w.pass(45 * time.Second)
	a := must[client.Answer[client.Plan]](t)(w.add(client.DryRun("a0").Continue(first.TaskID), 3))
	steps := a.Progress[0].Steps
	if last := steps[len(steps)-1]; len(steps) < 4 || !strings.HasPrefix(last.Step, "OPTIMIZING ") || last.CompletionPercentage >= 100 {
		t.Errorf("got %+v", steps)
	}
	w.pass(46 * time.Second)
	if a = must[client.Answer[client.Plan]](t)(w.add(client.DryRun("a0").Continue(first.TaskID), 3)); a.Result == nil {
		t.Errorf("got %+v", a)
	}
	if state = must[client.Answer[client.State]](t)(w.client.State(t.Context(), client.StateParameters{Task: state.TaskID})); state.Result == nil {
		t.Errorf("got %+v", state)
	}
}

// What changes a task's status, and when.
func TestStatuses(t *testing.T) {
	w := newWorld(t)
	w.pass(3 * time.Second) // a scan was at 5 s
	a := must[client.Answer[client.Plan]](t)(w.add(client.DryRun("a"), 3))
	wantEqual(t, "status", w.status(a.TaskID), client.TaskActive)
	w.pass(5 * time.Second)
	wantEqual(t, "status", w.status(a.TaskID), client.TaskCompleted)
	_, err := w.add(client.DryRun("b"), 99)
	failed := errorOf(t, err, client.BrokerMissing)
	wantEqual(t, "status", w.status(failed.UserTaskID), client.TaskActive)
	w.pass(5 * time.Second)
	wantEqual(t, "status", w.status(failed.UserTaskID), client.TaskCompletedWithError)
	// Its error is had by asking again, as often as wanted.
	for range 2 {
		_, err = w.add(client.DryRun("b").Continue(failed.UserTaskID), 99)
		if again := errorOf(t, err, client.BrokerMissing); again.UserTaskID != failed.UserTaskID {
			t.Errorf("got %+v", again)
		}
	}
	// The plans of all tasks cannot be had with it.
	code, body := get(t, w, "user_tasks?json=true&fetch_completed_task=true")
	if code != 500 || !strings.Contains(body, "Throwable.detailMessage accessible") {
		t.Errorf("%d %s", code, body)
	}
	w.Configure(func(c *cruisecontrol.Config) { c.AddOpens = true })
	_, body = get(t, w, "user_tasks?json=true&fetch_completed_task=true")
	var list struct {
		UserTasks []struct {
			UserTaskID       string `json:"UserTaskId"`
			OriginalResponse *string
		}
	}
	if err := json.Unmarshal([]byte(body), &list); err != nil {
		t.Fatal(err)
	}
	for _, task := range list.UserTasks {
		switch client.TaskID(task.UserTaskID) {
		case failed.UserTaskID:
			wantEqual(t, "response", *task.OriginalResponse, "CompletedWithError")
		case a.TaskID:
			plan := client.Plan{}
			if err := json.Unmarshal([]byte(*task.OriginalResponse), &plan); err != nil || plan.Hash() != a.Result.Hash() {
				t.Errorf("%v: %s", err, *task.OriginalResponse)
			}
		}
	}
}

// A scan before the execution begins takes the task for completed.
func TestCompletedBeforeExecution(t *testing.T) {
	w := newWorld(t)
	w.Inject(cruisecontrol.Fault{Kind: cruisecontrol.FaultCompletedBeforeExecution, Duration: 6 * time.Second})
	a := must[client.Answer[client.Plan]](t)(w.add(client.Execute("a"), 3))
	w.pass(5 * time.Second)
	wantEqual(t, "status", w.status(a.TaskID), client.TaskCompleted)
	wantEqual(t, "executor", w.executor().TriggeredUserTaskID, a.TaskID)
	w.pass(5 * time.Second)
	wantEqual(t, "status", w.status(a.TaskID), client.TaskInExecution)
}

// Retention counts from the beginning, and by class.
func TestRetention(t *testing.T) {
	w := newWorld(t, func(c *cruisecontrol.Config) {
		c.MaxCachedCompletedUserTasks, c.MaxCachedCompletedKafkaAdminTasks = 3, 2
		c.PartitionMetricsWindow = 10 * time.Second
	})
	w.kafka.Bandwidth = 1 << 10
	long := must[client.Answer[client.Plan]](t)(w.add(client.Execute("long"), 3))
	w.pass(25 * time.Hour)
	wantEqual(t, "status", w.status(long.TaskID), client.TaskInExecution)
	w.stop()
	w.pass(30 * time.Second)
	wantEqual(t, "status", w.status(long.TaskID), "")
	var ids []client.TaskID
	for i := range 3 {
		w.settle()
		a := must[client.Answer[client.Plan]](t)(w.add(client.DryRun(fmt.Sprint("a", i)), 3))
		ids = append(ids, a.TaskID)
	}
	w.settle()
	wantEqual(t, "first", w.status(ids[0]), "")
	wantEqual(t, "second", w.status(ids[1]), client.TaskCompleted)
	_, err := w.add(client.DryRun("a0").Continue(ids[0]), 3)
	wantClass(t, err, client.TaskLost)
}

// A cookie jar gets the first answer for ever.
func TestSessions(t *testing.T) {
	w := newWorld(t)
	url := w.url + "/state?json=true&substates=executor"
	r := must[*http.Request](t)(http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil))
	resp := must[*http.Response](t)(http.DefaultTransport.RoundTrip(r))
	_ = resp.Body.Close()
	cookie, first := resp.Cookies()[0], resp.Header.Get("User-Task-ID")
	w.pass(10 * time.Minute)
	for withCookie, same := range map[bool]bool{true: true, false: false} {
		r := must[*http.Request](t)(http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil))
		if withCookie {
			r.AddCookie(cookie)
		}
		resp := must[*http.Response](t)(http.DefaultTransport.RoundTrip(r))
		_ = resp.Body.Close()
		wantEqual(t, "the same task", resp.Header.Get("User-Task-ID") == first, same)
	}
	if bad := w.Violations(); len(bad) != 1 {
		t.Errorf("got %v", bad)
	}
}

// Somebody's request with an umlaut cuts the list, and what is whole of it is still found.
func TestCutList(t *testing.T) {
	w := newWorld(t)
	a := must[client.Answer[client.Plan]](t)(w.add(client.DryRun("ours"), 3))
	get(t, w, "state?json=true&reason=gr%C3%BCn%C3%BCn%C3%BCn%C3%BCn")
	w.pass(5 * time.Second)
	list := must[client.UserTasks](t)(w.client.UserTasks(t.Context(), client.UserTasksParameters{}))
	if list.Complete {
		t.Error("the list is complete")
	}
	found := false
	for _, task := range list.Tasks {
		found = found || task.Reason() == "ours" && task.ID == a.TaskID
	}
	if !found {
		t.Errorf("got %+v", list.Tasks)
	}
	list = must[client.UserTasks](t)(w.client.UserTasks(t.Context(), client.UserTasksParameters{UserTaskIDs: []client.TaskID{a.TaskID}}))
	if !list.Complete || len(list.Tasks) != 1 {
		t.Errorf("got %+v", list)
	}
}

// An error that repeats an umlaut leaves bytes on its connection, and nobody takes them for an answer.
func TestStrayBytes(t *testing.T) {
	w := newWorld(t)
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	for range 5 {
		r := must[*http.Request](t)(http.NewRequestWithContext(t.Context(), http.MethodGet, w.url+"/state?json=true&gr%C3%BCn=1", nil))
		if resp, err := transport.RoundTrip(r); err == nil {
			_ = resp.Body.Close()
		}
	}
	if _, err := w.client.State(t.Context(), client.StateParameters{}); err != nil {
		t.Error(err)
	}
}
