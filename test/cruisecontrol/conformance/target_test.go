package conformance

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	clocktesting "k8s.io/utils/clock/testing"

	"koperator.dev/koperator/test/cruisecontrol"
	"koperator.dev/koperator/test/cruisecontrol/backend"
	"koperator.dev/koperator/test/cruisecontrol/model"
	"koperator.dev/koperator/test/cruisecontrol/realkafka"
)

// target is what is tested.
type target struct {
	*testing.T
	url string
	// kafka is nil if nobody said where that is.
	kafka backend.Interface
	// sleep lets time pass.
	sleep func(time.Duration)
	// own says that it is the stand-in in this process.
	own bool
}

// newTarget is the one that CC_URL names, or a stand-in of the test's own.
func newTarget(t *testing.T) *target {
	t.Helper()
	address := os.Getenv("CC_URL")
	if address == "" {
		return newStandIn(t)
	}
	real := &target{T: t, url: strings.TrimRight(address, "/"), sleep: time.Sleep} //nolint:revive // not a complex number
	if bootstrap := os.Getenv("CC_KAFKA"); bootstrap != "" {
		kafka, err := realkafka.New(strings.Split(bootstrap, ","), nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(kafka.Close)
		real.kafka = kafka
	}
	return real
}

// newStandIn has four brokers in as many racks, with two disks each.
func newStandIn(t *testing.T) *target {
	t.Helper()
	clock := clocktesting.NewFakeClock(time.Date(2030, 1, 1, 0, 0, 30, 0, time.UTC))
	kafka := model.New(clock)
	for id, rack := range []string{"a", "b", "c", "d"} {
		kafka.AddBroker(t.Context(), int32(id), rack, "/a", "/b")
	}
	var replicas [][]int32
	for i := range int32(16) {
		replicas = append(replicas, []int32{i % 4, (i + 1) % 4})
	}
	kafka.CreateTopic(t.Context(), "t", 50<<20, replicas...)
	cfg := cruisecontrol.DefaultConfig()
	cfg.MaxBlockTime, cfg.AutoStopExternalAgent, cfg.ExecutionProgressCheckInterval = 0, false, time.Second
	s := cruisecontrol.New(context.WithoutCancel(t.Context()), cruisecontrol.Options{Config: cfg, Kafka: kafka, Clock: clock})
	address, err := s.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	pass := func(d time.Duration) {
		for ; d > 0; d -= time.Second {
			clock.Step(min(d, time.Second))
			s.Advance()
		}
	}
	pass(12 * time.Second)
	return &target{T: t, url: address, kafka: kafka, own: true, sleep: pass}
}

// mutating skips what changes a real one, unless that is allowed.
func (t *target) mutating() {
	t.Helper()
	if !t.own && os.Getenv("CC_MUTATE") == "" {
		t.Skip("CC_MUTATE is not set")
	}
}

// reply is an answer.
type reply struct {
	status int
	header http.Header
	body   string
}

func (r reply) taskID() string { return r.header.Get("User-Task-ID") }

// json is the body's, or nothing.
func (r reply) json() map[string]any {
	var parsed map[string]any
	_ = json.Unmarshal([]byte(r.body), &parsed)
	return parsed
}

// at finds a value by the names on the way to it.
func (r reply) at(path ...string) any {
	var value any = r.json()
	for _, name := range path {
		object, _ := value.(map[string]any)
		value = object[name]
	}
	return value
}

func (r reply) message() string {
	message, _ := r.at("errorMessage").(string)
	return message
}

// ask is a request, which may be changed before it is sent.
type ask struct {
	method, path string
	form         url.Values
	header       http.Header
}

func get(path string, args ...any) ask {
	return ask{method: http.MethodGet, path: fmt.Sprintf(path, args...), header: http.Header{}}
}

func post(path string, args ...any) ask {
	return ask{method: http.MethodPost, path: fmt.Sprintf(path, args...), header: http.Header{}}
}

func (a ask) continues(id string) ask {
	a.header = http.Header{"User-Task-Id": {id}}
	return a
}

// once sends a request over a connection of its own, without cookies.
func (t *target) once(a ask) reply {
	t.Helper()
	var body io.Reader
	if a.form != nil {
		body = strings.NewReader(a.form.Encode())
		a.header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	r, err := http.NewRequestWithContext(t.Context(), a.method, t.url+a.path, body)
	if err != nil {
		t.Fatal(err)
	}
	r.Close, r.Header = true, a.header
	if user := os.Getenv("CC_USER"); user != "" {
		r.SetBasicAuth(user, os.Getenv("CC_PASSWORD"))
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} //nolint:gosec // whoever names a URL trusts it
	resp, err := transport.RoundTrip(r)
	if err != nil {
		t.Fatalf("%s %s: %v", a.method, a.path, err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", a.method, a.path, err)
	}
	return reply{resp.StatusCode, resp.Header, string(answer)}
}

// send sends a request, again where no slot was free, and goes on asking while there is progress only.
func (t *target) send(a ask) reply {
	t.Helper()
	for range 60 {
		r := t.once(a)
		switch {
		case strings.Contains(r.message(), "reached the servlet capacity"):
			t.sleep(6 * time.Second)
		case r.status == http.StatusAccepted:
			t.sleep(time.Second)
			a = a.continues(r.taskID())
		default:
			return r
		}
	}
	t.Fatalf("%s %s: no answer", a.method, a.path)
	return reply{}
}

// ok sends a request that is to succeed.
func (t *target) ok(a ask) reply {
	t.Helper()
	r := t.send(a)
	if r.status != http.StatusOK {
		t.Fatalf("%s %s: %d %s", a.method, a.path, r.status, r.body)
	}
	return r
}

// refused sends a request that is to fail with a status and a text.
func (t *target) refused(a ask, status int, text string) reply {
	t.Helper()
	r := t.send(a)
	if r.status != status || !strings.Contains(r.message(), text) {
		t.Errorf("%s %s: want %d %q, got %d %s", a.method, a.path, status, text, r.status, r.body)
	}
	return r
}

func (t *target) equal(what string, got, want any) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// has complains about members that an object lacks.
func (t *target) has(what string, object any, names ...string) {
	t.Helper()
	members, ok := object.(map[string]any)
	if !ok {
		t.Errorf("%s is no object: %v", what, object)
		return
	}
	for _, name := range names {
		if _, ok := members[name]; !ok {
			t.Errorf("%s lacks %s", what, name)
		}
	}
}

// until waits for a condition.
func (t *target) until(what string, condition func() bool) {
	t.Helper()
	for range 300 {
		if condition() {
			return
		}
		t.sleep(2 * time.Second)
	}
	t.Fatalf("waiting for %s: it does not happen", what)
}

var tokens atomic.Int64

// token is a reason that no other request has.
func token() string {
	return fmt.Sprintf("conformance-%d-%d-x", time.Now().UnixNano(), tokens.Add(1))
}

// status of a task; empty if it is not listed.
func (t *target) status(id string) string {
	t.Helper()
	for _, task := range t.tasks("&user_task_ids=" + id) {
		status, _ := task["Status"].(string)
		return status
	}
	return ""
}

func (t *target) tasks(filter string) []map[string]any {
	t.Helper()
	r := t.ok(get("/user_tasks?json=true%s", filter))
	list, ok := r.at("userTasks").([]any)
	if !ok {
		t.Fatalf("no list of tasks: %s", r.body)
	}
	var tasks []map[string]any
	for _, one := range list {
		tasks = append(tasks, one.(map[string]any))
	}
	return tasks
}

// byToken finds a task by its reason.
func (t *target) byToken(reason string) map[string]any {
	t.Helper()
	for _, task := range t.tasks("") {
		if request, _ := task["RequestURL"].(string); strings.Contains(request, reason) {
			return task
		}
	}
	return nil
}

// executor is ExecutorState.
func (t *target) executor(more string) map[string]any {
	t.Helper()
	state, _ := t.ok(get("/state?json=true&substates=executor%s", more)).at("ExecutorState").(map[string]any)
	return state
}

// brokers are the ids that Cruise Control sees.
func (t *target) brokers() []int {
	t.Helper()
	byID, _ := t.ok(get("/kafka_cluster_state?json=true")).at("KafkaBrokerState", "OnlineLogDirsByBrokerId").(map[string]any)
	var ids []int
	for id := range byID {
		number, err := strconv.Atoi(id)
		if err != nil {
			t.Fatalf("broker %q", id)
		}
		ids = append(ids, number)
	}
	slices.Sort(ids)
	return ids
}

// number is one of an object's, as JSON has them.
func number(object any, name string) float64 {
	members, _ := object.(map[string]any)
	n, _ := members[name].(float64)
	return n
}

// ready waits until enough is known of the cluster's load for a plan.
func (t *target) ready() {
	t.Helper()
	t.until("a window", func() bool {
		r := t.send(get("/proposals?json=true&verbose=true"))
		return r.status == http.StatusOK || !strings.Contains(r.message(), "NotEnoughValidWindows") && !strings.Contains(r.message(), "LOADING")
	})
}
