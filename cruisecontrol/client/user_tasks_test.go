package client

import (
	"errors"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"
)

const threeTasks = `{"userTasks":[` +
	`{"Status":"Completed","ClientIdentity":"10.0.0.9","RequestURL":"POST /kafkacruisecontrol/rebalance?dryrun=true&json=true&reason=cco-1-1-1d","UserTaskId":"aaaa","StartMs":"1755480000000"},` +
	`{"UserTaskId":"bbbb","RequestURL":"POST /kafkacruisecontrol/rebalance?excluded_topics={\"x\"}&reason=cco-1-10-x&dryrun=false","StartMs":"1755480000123","Status":"InExecution","ClientIdentity":"10.0.0.7"},` +
	`{"RequestURL":"GET /kafkacruisecontrol/state?json=true","StartMs":"1755480000456","Status":"Active","UserTaskId":"cccc","ClientIdentity":"10.0.0.7"}` +
	`],"version":1}`

func tasksIn(t *testing.T, body string) (UserTasks, error) {
	t.Helper()
	return newClient(t, newServer(t, says(http.StatusOK, body)).URL).UserTasks(t.Context(), UserTasksParameters{})
}

func TestUserTasks(t *testing.T) {
	got, err := tasksIn(t, threeTasks)
	if err != nil || !got.Complete || len(got.Tasks) != 3 {
		t.Fatalf("got %+v, %v", got, err)
	}
	want := UserTask{
		ID: "bbbb", Request: `POST /kafkacruisecontrol/rebalance?excluded_topics={"x"}&reason=cco-1-10-x&dryrun=false`,
		ClientIdentity: "10.0.0.7", Start: time.UnixMilli(1755480000123), Status: TaskInExecution,
	}
	if !reflect.DeepEqual(got.Tasks[1], want) {
		t.Errorf("got %+v", got.Tasks[1])
	}
	for i, reason := range []string{"cco-1-1-1d", "cco-1-10-x", ""} {
		if got.Tasks[i].Reason() != reason {
			t.Errorf("task %d: %q", i, got.Tasks[i].Reason())
		}
	}
	if empty, err := tasksIn(t, `{"userTasks":[],"version":1}`); err != nil || !empty.Complete || len(empty.Tasks) != 0 {
		t.Errorf("got %+v, %v", empty, err)
	}
}

// Somebody's request with other characters than ASCII cuts the list: wherever it ends, what is whole is found, and the list
// never looks complete.
func TestCutList(t *testing.T) {
	for end := range len(threeTasks) {
		got, err := tasksIn(t, threeTasks[:end])
		if got.Complete {
			t.Fatalf("%s looks complete", threeTasks[:end])
		}
		if named := strings.Contains(threeTasks[:end], `"userTasks"`); named != (err == nil) || !named && !errors.Is(err, BrokenAnswer) {
			t.Fatalf("%s: %v", threeTasks[:end], err)
		}
		for i, id := range []TaskID{"aaaa", "bbbb", "cccc"} {
			if at := strings.Index(threeTasks, `"`+string(id)+`"`) + 6; (end >= at) != (len(got.Tasks) > i && got.Tasks[i].ID == id) {
				t.Fatalf("%s has %+v", threeTasks[:end], got.Tasks)
			}
		}
	}
}

// A list of as many tasks as were allowed may lack others.
func TestEntries(t *testing.T) {
	c := newClient(t, newServer(t, says(200, threeTasks)).URL)
	for entries, complete := range map[int]bool{3: false, 4: true} {
		if got, err := c.UserTasks(t.Context(), UserTasksParameters{Entries: entries}); err != nil || got.Complete != complete {
			t.Errorf("%d entries: %+v, %v", entries, got, err)
		}
	}
}

func TestNoList(t *testing.T) {
	for _, body := range []string{`{}`, `[]`, `"userTasks"`, `{"version":1}`, ``, `<html>`} {
		if got, err := tasksIn(t, body); got.Complete || (err == nil && !strings.Contains(body, "userTasks")) {
			t.Errorf("%s: %+v, %v", body, got, err)
		}
	}
}
