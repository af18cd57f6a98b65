package client

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// Whatever JSON there is stays what it is, and what is JSON but for numbers that JSON does not have becomes JSON.
func FuzzWithoutNaN(f *testing.F) {
	for _, seed := range []string{`{"a":NaN}`, `[-Infinity,"NaN\"",Infinity]`, `"\`, threeTasks, somePlan} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		got := withoutNaN(bytes.Clone(body))
		if json.Valid(body) && !bytes.Equal(got, body) {
			t.Errorf("%q became %q", body, got)
		}
		if again := withoutNaN(got); !bytes.Equal(again, got) && json.Valid(got) {
			t.Errorf("%q became %q", got, again)
		}
		withNaN := append(append([]byte(`{"x":NaN,"y":`), body...), '}')
		if json.Valid(body) && !json.Valid(withoutNaN(withNaN)) {
			t.Errorf("%q became %q", withNaN, withoutNaN(withNaN))
		}
	})
}

// A list of tasks, cut anywhere: no panic, nothing invented, and only a whole one is complete.
func FuzzUserTasks(f *testing.F) {
	f.Add([]byte(threeTasks), 100)
	f.Add([]byte(`{"userTasks":[{"UserTaskId":"ä","RequestURL":"POST /x?reason=ö`), 1000)
	f.Add([]byte(`{"userTasks":null}`), 1000)
	f.Fuzz(func(t *testing.T, body []byte, end int) {
		if end >= 0 && end < len(body) {
			body = body[:end]
		}
		r := get("user_tasks", reading())
		tasks, err := parseUserTasks(r, answer{status: http.StatusOK, body: body})
		if tasks.Complete && (err != nil || !json.Valid(withoutNaN(body))) {
			t.Errorf("%q is complete: %+v, %v", body, tasks, err)
		}
		for _, task := range tasks.Tasks {
			if !tasks.Complete && task.ID == "" {
				t.Errorf("%q gave a task without an id", body)
			}
			_ = task.Reason()
		}
	})
}

// Every answer that is no success is an error with a class and a message in one piece, whatever is in it.
func FuzzClassify(f *testing.F) {
	for _, w := range wordings {
		f.Add(500, `{"errorMessage":"`+w.text+`","stackTrace":""}`, "")
	}
	f.Add(400, "remove", "")
	f.Add(403, "<html>", "id")
	f.Add(500, `{"errorMessage":"\u0027`, "id")
	f.Fuzz(func(t *testing.T, status int, body, task string) {
		r := post("rebalance", &parameters{})
		a := answer{status: status, body: []byte(body), task: TaskID(task)}
		err := r.refused(a)
		if status == http.StatusOK || status == http.StatusAccepted {
			return
		}
		e, ok := err.(*Error)
		if !ok || e.Class == "" || e.Message == "" || e.HTTPStatus != status {
			t.Fatalf("%d %q is %+v", status, body, err)
		}
		if e.NotRegistered() && task != "" {
			t.Errorf("%d %q with a task is %+v", status, body, e)
		}
		var said struct {
			ErrorMessage string `json:"errorMessage"`
		}
		if json.Unmarshal([]byte(body), &said) == nil && said.ErrorMessage != "" && e.Message != shortened(said.ErrorMessage) {
			t.Errorf("%q says %q", body, e.Message)
		}
		if strings.Contains(body, "OngoingExecutionException") && status == 500 && e.Class == Unknown && e.Message == body {
			t.Errorf("%q is unknown", body)
		}
	})
}

// No answer makes any endpoint's reader panic.
func FuzzAnswers(f *testing.F) {
	f.Add([]byte(somePlan))
	f.Add([]byte(`{"ExecutorState":{"state":"NO_TASK_IN_PROGRESS","recentlyRemovedBrokers":[3]},"MonitorState":{"trainingPct":NaN}}`))
	f.Add([]byte(`{"KafkaBrokerState":{"LeaderCountByBrokerId":{"0":33},"OfflineLogDirsByBrokerId":{"0":[]}}}`))
	f.Add([]byte(`{"progress":[{"operation":"x","operationProgress":[{"step":"PENDING"}]}]}`))
	f.Fuzz(func(_ *testing.T, body []byte) {
		a := answer{status: http.StatusOK, body: body}
		if plan, err := decode[Plan](request{}, a); err == nil {
			_, _, _ = plan.Hash(), plan.IsEmpty(), plan.ViolatedGoals()
		}
		if state, err := decode[State](request{}, a); err == nil && state.Executor != nil {
			_ = state.Executor.ExecutionTasks()
		}
		_, _ = decode[Load](request{}, a)
		_, _ = decode[KafkaClusterState](request{}, a)
		_, _ = decode[AdminResult](request{}, a)
	})
}
