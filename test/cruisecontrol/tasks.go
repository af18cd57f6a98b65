package cruisecontrol

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"time"

	"koperator.dev/koperator/test/cruisecontrol/internal/javajson"
)

// status is what user_tasks says of a task.
type status string

const (
	active             status = "Active"
	inExecution        status = "InExecution"
	completed          status = "Completed"
	completedWithError status = "CompletedWithError"
)

const (
	// scannerPeriod is how often tasks that are done leave the active ones.
	scannerPeriod = 5 * time.Second
	// sessionThreads work on asynchronous requests.
	sessionThreads = 3
)

// task is a request that Cruise Control works on, or did.
type task struct {
	id         string
	endpoint   *endpoint
	path       string
	parameters parameters
	client     string
	start      time.Time
	status     status
	json       bool

	// begun is when a thread took it.
	begun    time.Time
	duration time.Duration
	goals    []string

	done    bool
	failure error
	result  string
	kind    string
	// resultFrom is when fetch_completed_task finds the result.
	resultFrom time.Time
}

// request is how it is listed.
func (t *task) request() string {
	return t.endpoint.method + " " + t.path + t.parameters.shown()
}

// tasks is Cruise Control's user task manager.
type tasks struct {
	p *process
	// active in their order, executing, and the completed ones of each class in the order of their completion.
	active    []*task
	executing *task
	completed map[class][]*task
	// sessions are cookies, and bySession the tasks that they lead to.
	sessions  map[string]bool
	bySession map[string]*task
	running   int
	queue     []func()
}

func (m *tasks) start(p *process) {
	*m = tasks{p: p, completed: map[class][]*task{}, sessions: map[string]bool{}, bySession: map[string]*task{}}
	p.every(scannerPeriod, m.scan)
}

// work is what a request is about, once its parameters are understood.
type work struct {
	// now answers a synchronous request, begin starts an asynchronous one.
	now   func(t *task) (javajson.Object, error)
	begin func(t *task)
	// configError refuses the request.
	configError string
}

var uuid = regexp.MustCompile(`^[0-9a-fA-F]{1,8}-[0-9a-fA-F]{1,4}-[0-9a-fA-F]{1,4}-[0-9a-fA-F]{1,4}-[0-9a-fA-F]{1,12}$`)

// getOrCreate finds the task that a request continues, by header or by session, or registers a new one.
func (m *tasks) getOrCreate(c *call, w work) (*task, error) {
	if c.taskID != "" {
		if !uuid.MatchString(c.taskID) {
			return nil, fmt.Errorf("Invalid UUID string: %s", c.taskID) //nolint:staticcheck // Java's words
		}
		if t := m.find(c.taskID); t != nil && t.continues(c) {
			return t, nil
		}
		return nil, fmt.Errorf("Unexpected header %s (value: %s) in the request.", c.taskID, taskIDHeader) //nolint:revive,staticcheck // Cruise Control's words
	}
	session := m.session(c)
	if t := m.bySession[session]; t != nil && m.find(t.id) == t {
		return t, nil
	}
	if n := len(m.active); n >= m.p.opts.Config.MaxActiveUserTasks {
		return nil, fmt.Errorf("There are already %d active user tasks, which has reached the servlet capacity.", n) //nolint:revive,staticcheck // Cruise Control's words
	}
	t := m.create(c)
	if w.now != nil {
		result, err := w.now(t)
		t.finish(m.p, result, err)
		return t, nil
	}
	m.bySession[session] = t
	m.onThread(func() { w.begin(t) })
	return t, nil
}

// session is the key of a request within its session, which it begins if there is none.
func (m *tasks) session(c *call) string {
	if !m.sessions[c.session] {
		c.session = "node0" + m.newID()
		c.newSession = c.session
		m.sessions[c.session] = true
	}
	return c.session + " " + c.method + " " + c.path + " " + c.parameters.key()
}

// continues tells whether a request is the one that made the task.
func (t *task) continues(c *call) bool {
	return t.endpoint == c.endpoint && t.path == c.path && t.parameters.same(c.parameters)
}

func (m *tasks) create(c *call) *task {
	t := &task{
		id: m.newID(), endpoint: c.endpoint, path: c.path, parameters: c.parameters, client: c.client, start: m.p.now, status: active, json: c.wantsJSON(),
	}
	m.active = append(m.active, t)
	return t
}

func (m *tasks) newID() string {
	a, b := m.p.random.Uint64(), m.p.random.Uint64()
	return fmt.Sprintf("%08x-%04x-4%03x-a%03x-%012x", a>>32, a>>16&0xffff, a&0xfff, b>>52, b&0xffffffffffff)
}

// onThread runs what a thread is free for, and keeps the rest.
func (m *tasks) onThread(begin func()) {
	if m.running >= sessionThreads {
		m.queue = append(m.queue, begin)
		return
	}
	m.running++
	begin()
}

// freeThread lets the next task begin.
func (m *tasks) freeThread() {
	m.running--
	if len(m.queue) > 0 {
		next := m.queue[0]
		m.queue = m.queue[1:]
		m.onThread(next)
	}
}

// finish gives a task its result, or its error.
func (t *task) finish(p *process, result javajson.Object, err error) {
	t.done, t.failure, t.resultFrom = true, err, p.now
	if err == nil {
		said := p.said(200, t.json, result)
		t.result, t.kind = said.body, said.kind
	}
	p.notify()
}

// all tasks, in the order in which they are listed.
func (m *tasks) all() []*task {
	list := slices.Clone(m.active)
	if m.executing != nil {
		list = append(list, m.executing)
	}
	for _, c := range []class{kafkaMonitor, cruiseControlMonitor, kafkaAdmin, cruiseControlAdmin} {
		list = append(list, m.completed[c]...)
	}
	return list
}

func (m *tasks) find(id string) *task {
	for _, t := range m.all() {
		if t.id == id {
			return t
		}
	}
	return nil
}

// scan moves tasks that are done to the completed ones, and forgets old ones.
func (m *tasks) scan() {
	var left []*task
	for _, t := range m.active {
		switch {
		case !t.done:
			left = append(left, t)
		case t.failure != nil:
			m.complete(t, completedWithError)
		default:
			m.complete(t, completed)
		}
	}
	m.active = left
	m.expire()
}

func (m *tasks) complete(t *task, as status) {
	t.status = as
	c := t.endpoint.class
	m.completed[c] = append(m.completed[c], t)
	_, most := m.retention(c)
	m.completed[c] = m.completed[c][max(0, len(m.completed[c])-most):]
}

// expire counts from the beginning of a task, so that one that took long is forgotten as it ends.
func (m *tasks) expire() {
	for c, list := range m.completed {
		retention, _ := m.retention(c)
		m.completed[c] = slices.DeleteFunc(list, func(t *task) bool { return t.start.Add(retention).Before(m.p.now) })
	}
}

func (m *tasks) retention(c class) (time.Duration, int) {
	cfg := &m.p.opts.Config
	retention, most := cfg.CompletedUserTaskRetention, cfg.MaxCachedCompletedUserTasks
	if c == kafkaAdmin && cfg.CompletedKafkaAdminRetention > 0 {
		retention = cfg.CompletedKafkaAdminRetention
	}
	if c == kafkaAdmin && cfg.MaxCachedCompletedKafkaAdminTasks > 0 {
		most = cfg.MaxCachedCompletedKafkaAdminTasks
	}
	return retention, most
}

// beginExecution takes a task from wherever it is, the completed ones too.
func (m *tasks) beginExecution(t *task) {
	isIt := func(other *task) bool { return other == t }
	m.active = slices.DeleteFunc(m.active, isIt)
	for c, list := range m.completed {
		m.completed[c] = slices.DeleteFunc(list, isIt)
	}
	t.status, m.executing = inExecution, t
}

func (m *tasks) endExecution(as status) {
	t := m.executing
	m.executing = nil
	if t != nil {
		m.complete(t, as)
	}
}

// progress is how far a task is: its steps divide its time.
func (t *task) progress(now time.Time) javajson.Object {
	names := []string{"PENDING"}
	if !t.begun.IsZero() {
		names = append(names, "WAITING_FOR_CLUSTER_MODEL", "GENERATING_CLUSTER_MODEL")
		for _, goal := range t.goals {
			names = append(names, "OPTIMIZING "+goal)
		}
	}
	share := t.duration / time.Duration(max(len(names)-1, 1))
	var steps []any
	for i, name := range names {
		begin := t.begun.Add(share * time.Duration(i-1))
		if i > 0 && begin.After(now) {
			break
		}
		steps = append(steps, step(name, t, i, begin, now, share))
	}
	return javajson.Object{"operation": t.endpoint.operation, "operationProgress": steps}
}

func step(name string, t *task, i int, begin, now time.Time, share time.Duration) javajson.Object {
	if i == 0 {
		begin, share = t.start, t.begun.Sub(t.start)
		if t.begun.IsZero() {
			share = now.Sub(t.start) + 1
		}
	}
	took, percent := now.Sub(begin), 100.0
	if took < share {
		percent = 100 * float64(took) / float64(share)
	} else {
		took = share
	}
	return javajson.Object{"step": name, "description": description(name), "time-in-ms": took.Milliseconds(), "completionPercentage": percent}
}

func description(step string) string {
	switch step {
	case "PENDING":
		return "Operation enqueued, waiting to be executed."
	case "WAITING_FOR_CLUSTER_MODEL":
		return "The operation is waiting for other operations to finish generating cluster model."
	case "GENERATING_CLUSTER_MODEL":
		return "Generating the cluster model for the cluster."
	}
	return "Optimizing goal " + step[len("OPTIMIZING "):]
}

// listed is a task as user_tasks lists it.
func (t *task) listed() javajson.Object {
	return javajson.Object{
		"UserTaskId": t.id, "RequestURL": t.request(), "ClientIdentity": t.client, "StartMs": strconv.FormatInt(t.start.UnixMilli(), 10), "Status": string(t.status),
	}
}

// original is what fetch_completed_task adds, if it is there.
func (t *task) original(now time.Time) (string, bool) {
	switch {
	case t.status == active, now.Before(t.resultFrom):
		return "", false
	case t.failure != nil:
		return string(completedWithError), true
	}
	return t.result, true
}
