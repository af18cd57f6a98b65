package client

import (
	"bytes"
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// TaskStatus is how far a task is.
type TaskStatus string

const (
	// TaskActive: it waits or plans.
	TaskActive TaskStatus = "Active"
	// TaskInExecution: its plan is being executed.
	TaskInExecution TaskStatus = "InExecution"
	// TaskCompleted: it has ended. A task that executes can look like this for a moment before its execution.
	TaskCompleted TaskStatus = "Completed"
	// TaskCompletedWithError: planning failed, or the execution was stopped.
	TaskCompletedWithError TaskStatus = "CompletedWithError"
)

// UserTasksParameters of GET user_tasks. Empty lists do not filter.
type UserTasksParameters struct {
	UserTaskIDs []TaskID
	ClientIDs   []string // addresses
	Endpoints   []string
	Types       []TaskStatus
	// Entries is the most tasks that are listed. Zero: all.
	Entries int
}

// UserTasks is a list of tasks.
type UserTasks struct {
	Tasks []UserTask
	// Complete says that Tasks is all there is. It is not if the answer was cut, or has as many entries as were allowed.
	Complete bool
}

// UserTask is one task. Of one that the answer was cut in, some is missing.
type UserTask struct {
	ID TaskID
	// Request is the request as it was sent, decoded: "POST /kafkacruisecontrol/rebalance?dryrun=false&reason=x".
	Request        string
	ClientIdentity string
	Start          time.Time
	Status         TaskStatus
}

// Reason is the token by which a task of this client can be told from others; empty if it has none.
func (t UserTask) Reason() string {
	_, query, _ := strings.Cut(t.Request, "?")
	for param := range strings.SplitSeq(query, "&") {
		if reason, ok := strings.CutPrefix(param, "reason="); ok {
			return reason
		}
	}
	return ""
}

// UserTasks implements Client.
func (c *client) UserTasks(ctx context.Context, p UserTasksParameters) (UserTasks, error) {
	params := reading()
	words(params, "user_task_ids", p.UserTaskIDs)
	words(params, "client_ids", p.ClientIDs)
	words(params, "endpoints", p.Endpoints)
	words(params, "types", p.Types)
	params.positive("entries", p.Entries)
	// With the plans of tasks, one task that failed fails the whole request.
	params.bool("fetch_completed_task", false)
	r := get("user_tasks", params)
	a, err := c.send(ctx, r)
	if err != nil {
		return UserTasks{}, err
	}
	tasks, err := parseUserTasks(r, a)
	if p.Entries > 0 && len(tasks.Tasks) >= p.Entries {
		tasks.Complete = false
	}
	return tasks, err
}

// listedTask is a task as it is listed.
type listedTask struct {
	UserTaskID     string `json:"UserTaskId"`
	RequestURL     string
	ClientIdentity string
	StartMs        string
	Status         string
}

func (l listedTask) task() UserTask {
	t := UserTask{ID: TaskID(l.UserTaskID), Request: l.RequestURL, ClientIdentity: l.ClientIdentity, Status: TaskStatus(l.Status)}
	if ms, err := strconv.ParseInt(l.StartMs, 10, 64); err == nil {
		t.Start = time.UnixMilli(ms)
	}
	return t
}

// parseUserTasks reads a list, and what is whole of one that was cut.
func parseUserTasks(r request, a answer) (UserTasks, error) {
	var list struct {
		UserTasks *[]listedTask `json:"userTasks"`
	}
	body := withoutNaN(a.body)
	err := json.Unmarshal(body, &list)
	if err == nil && list.UserTasks != nil {
		return UserTasks{Tasks: tasksOf(*list.UserTasks), Complete: true}, nil
	}
	found := recoverTasks(body)
	if err == nil || (len(found) == 0 && !bytes.Contains(body, []byte(`"userTasks"`))) {
		return UserTasks{}, r.broken(BrokenAnswer, a, "the answer lists no tasks", err)
	}
	return UserTasks{Tasks: tasksOf(found)}, nil
}

func tasksOf(list []listedTask) []UserTask {
	tasks := make([]UserTask, len(list))
	for i, l := range list {
		tasks[i] = l.task()
	}
	return tasks
}

// recoverTasks finds the tasks in a list that was cut. Each is an object of strings, and the last one may lack its end.
func recoverTasks(body []byte) []listedTask {
	var found []listedTask
	for _, object := range innermostObjects(body) {
		var task listedTask
		if json.Unmarshal(object, &task) != nil {
			task = cutTask(object)
		}
		if task.UserTaskID != "" {
			found = append(found, task)
		}
	}
	return found
}

// cutTask reads the members of a task that are whole.
func cutTask(object []byte) listedTask {
	var t listedTask
	for name, field := range map[string]*string{
		"UserTaskId": &t.UserTaskID, "RequestURL": &t.RequestURL, "ClientIdentity": &t.ClientIdentity, "StartMs": &t.StartMs, "Status": &t.Status,
	} {
		*field, _ = rawString(object, name)
	}
	return t
}

// innermostObjects returns the {...} that hold no other, and the last one without its end.
func innermostObjects(body []byte) [][]byte {
	var objects [][]byte
	start := -1
	for i := 0; i < len(body); i++ {
		switch body[i] {
		case '"':
			i += stringLength(body[i:]) - 1
		case '{':
			start = i
		case '}':
			if start >= 0 {
				objects = append(objects, body[start:i+1])
			}
			start = -1
		}
	}
	if start >= 0 {
		objects = append(objects, body[start:])
	}
	return objects
}
