package conformance

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestOnlyTheLastSegmentOfThePathMatters(t *testing.T) {
	c := newTarget(t)
	for _, path := range []string{"/state", "/STATE", "/x/y/State"} {
		c.equal(path, c.send(get("%s?json=true&substates=executor", path)).status, 200)
	}
}

func TestNamesOfParametersIgnoreCase(t *testing.T) {
	c := newTarget(t)
	r := c.ok(get("/state?JSON=true&SubStates=executor"))
	c.has("state", r.json(), "ExecutorState")
	if _, more := r.json()["MonitorState"]; more {
		c.Errorf("substates were ignored: %s", r.body)
	}
}

func TestUnknownParametersAreRefused(t *testing.T) {
	c := newTarget(t)
	r := c.refused(get("/state?json=true&foo=1"), 400, "Unrecognized endpoint parameters in STATE GET request: [foo].")
	c.equal("stackTrace", r.at("stackTrace"), "")
	c.equal("User-Task-ID", r.taskID(), "")
	c.refused(post("/remove_disks?json=true&verbose=true&brokerid_and_logdirs=1-/a"), 400, "Unrecognized endpoint parameters in REMOVE_DISKS POST request: [verbose].")
	c.refused(post("/admin?json=true&replication_throttle=1"), 400, "Unrecognized endpoint parameters in ADMIN POST request: [replication_throttle].")
}

func TestUnknownEndpointsAreNamed(t *testing.T) {
	c := newTarget(t)
	r := c.refused(get("/foo?json=true"), 404, "Unrecognized endpoint in request '/foo'\nSupported GET endpoints: [")
	c.equal("stackTrace", r.at("stackTrace"), "")
	c.refused(post("/foo?json=true"), 404, "Supported POST endpoints: [")
}

func TestKnownEndpointsWithTheOtherMethodAreUnknown(t *testing.T) {
	c := newTarget(t)
	c.refused(post("/state?json=true"), 404, "Unrecognized endpoint in request '/state'")
	c.refused(get("/rebalance?json=true"), 404, "Unrecognized endpoint in request '/rebalance'")
}

func TestOtherMethods(t *testing.T) {
	c := newTarget(t)
	for method, status := range map[string]int{http.MethodPut: 405, http.MethodDelete: 405, http.MethodHead: 400} {
		a := get("/state?json=true")
		a.method = method
		r := c.once(a)
		c.equal(method, r.status, status)
		c.equal("body of "+method, r.body, "")
	}
}

func TestLongAddressesAreRefusedByJetty(t *testing.T) {
	c := newTarget(t)
	r := c.once(get("/state?json=true&reason=%s", strings.Repeat("x", 9000)))
	c.equal("status", r.status, 414)
	if !strings.HasPrefix(r.header.Get("Content-Type"), "text/html") {
		c.Errorf("got %v", r.header)
	}
	c.equal("User-Task-ID", r.taskID(), "")
	c.equal("7,000 characters", c.send(get("/state?json=true&substates=executor&reason=%s", strings.Repeat("x", 7000))).status, 200)
}

func TestLongFormsAreFine(t *testing.T) {
	c := newTarget(t)
	c.ready()
	a := post("/rebalance?json=true&dryrun=true")
	a.form = url.Values{"reason": {token() + strings.Repeat("x", 20_000)}}
	c.ok(a)
}

func TestEmptyListsAreRefusedWithAWordOfJava(t *testing.T) {
	c := newTarget(t)
	c.refused(get("/proposals?json=true&goals="), 400, "remove")
}

func TestJSONOnlyWhereAskedFor(t *testing.T) {
	c := newTarget(t)
	c.equal("json=true", c.ok(get("/state?json=true&substates=executor")).header.Get("Content-Type"), "application/json;charset=utf-8")
	if kind := c.ok(get("/state?substates=executor")).header.Get("Content-Type"); !strings.HasPrefix(kind, "text/plain") {
		c.Errorf("got %s", kind)
	}
}

func TestEveryAnswerNamesTheVersion(t *testing.T) {
	c := newTarget(t)
	if c.ok(get("/state?json=true&substates=executor")).header.Get("Cruise-Control-Version") == "" {
		c.Error("no version")
	}
}

func TestTextsOfErrorsAreEscapedForHTML(t *testing.T) {
	c := newTarget(t)
	for _, r := range []reply{c.send(get("/foo?json=true")), c.send(get("/state?json=true").continues("3e2d2a9e-9d56-4d4c-8d41-6b7f1e6a0001"))} {
		if strings.Contains(r.body, "'") || !strings.Contains(r.body, `\u0027`) {
			c.Errorf("got %s", r.body)
		}
	}
}

func TestRequestsWithoutCookieAreNewTasks(t *testing.T) {
	c := newTarget(t)
	a := get("/state?json=true&substates=executor")
	first, second := c.ok(a), c.ok(a)
	if first.taskID() == "" || first.taskID() == second.taskID() {
		c.Errorf("got %s and %s", first.taskID(), second.taskID())
	}
}

func TestACookieLeadsToTheFirstAnswerForEver(t *testing.T) {
	c := newTarget(t)
	a := get("/state?json=true&substates=executor")
	first := c.ok(a)
	cookie, _, _ := strings.Cut(first.header.Get("Set-Cookie"), ";")
	if !strings.HasPrefix(cookie, "JSESSIONID=") {
		c.Fatalf("got %v", first.header)
	}
	c.sleep(6 * time.Second)
	a.header.Set("Cookie", cookie)
	c.equal("task", c.ok(a).taskID(), first.taskID())
	other := get("/state?json=true&substates=executor&reason=other")
	other.header.Set("Cookie", cookie)
	if c.ok(other).taskID() == first.taskID() {
		c.Error("another request has the same task")
	}
}

func TestUnknownTasksAreUnexpectedHeaders(t *testing.T) {
	c := newTarget(t)
	const id = "3e2d2a9e-9d56-4d4c-8d41-6b7f1e6a0001"
	for _, a := range []ask{get("/state?json=true"), get("/user_tasks?json=true"), post("/rebalance?json=true&dryrun=true")} {
		r := c.refused(a.continues(id), 500, "Unexpected header "+id+" (value: User-Task-ID) in the request.")
		c.equal("User-Task-ID", r.taskID(), "")
	}
	c.refused(get("/state?json=true").continues("abc"), 500, "Invalid UUID string: abc")
}

func TestATaskIsContinuedByTheSameParametersInAnyOrder(t *testing.T) {
	c := newTarget(t)
	first := c.ok(get("/state?json=true&substates=executor&verbose=false"))
	same := c.ok(get("/state?verbose=false&substates=executor&json=true").continues(first.taskID()))
	c.equal("task", same.taskID(), first.taskID())
	for _, other := range []string{"/state?json=true&substates=monitor&verbose=false", "/STATE?json=true&substates=executor&verbose=false", "/state?JSON=true&substates=executor&verbose=false"} {
		c.refused(get("%s", other).continues(first.taskID()), 500, "Unexpected header")
	}
}

func TestATaskOfAPOSTIsContinuedByQueryOrForm(t *testing.T) {
	c := newTarget(t)
	c.ready()
	reason := token()
	first := c.ok(post("/rebalance?json=true&dryrun=true&reason=%s", reason))
	a := post("/rebalance?dryrun=true").continues(first.taskID())
	a.form = url.Values{"json": {"true"}, "reason": {reason}}
	c.equal("task", c.ok(a).taskID(), first.taskID())
}

func TestParametersAreParsedByJava(t *testing.T) {
	c := newTarget(t)
	for path, text := range map[string]string{
		"/rebalance?dryrun=true&concurrent_leader_movements=abc":                  `For input string: "abc"`,
		"/add_broker?dryrun=true&brokerid=abc":                                    `For input string: "abc"`,
		"/demote_broker?dryrun=true&brokerid_and_logdirs=abcdefghijklmnopqr":      "begin 0, end -1, length 18",
		"/rebalance?dryrun=true&data_from=foo":                                    "No enum constant",
		"/rebalance?dryrun=true&stop_ongoing_execution=true":                      "cannot both be set to true",
		"/rebalance?dryrun=true&goals=RackAwareGoal&ignore_proposal_cache=true":   "ignore_proposal_cache",
		"/rebalance?dryrun=true&goals=RackAwareGoal&use_ready_default_goals=true": "use_ready_default_goals",
		"/remove_broker?dryrun=true&brokerid=1&destination_broker_ids=1":          "Intersection: [1].",
		"/add_broker?dryrun=true":                                                 "Target broker ID is not provided",
		"/admin?reason=x":                                                         "Nothing executable found in request.",
	} {
		r := c.refused(post("%s&json=true", path), 400, text)
		c.equal("task of "+path, r.taskID(), "")
	}
	c.refused(get("/load?json=true&capacity_only=true&populate_disk_info=false"), 400, "capacity_only")
	c.refused(get("/user_tasks?json=true&user_task_ids=abc"), 400, "Invalid UUID string: abc")
}

func TestReviewsAreRefusedWithoutTwoStepVerification(t *testing.T) {
	c := newTarget(t)
	c.refused(get("/review_board?json=true"), 403, "Cannot process GET request '/review_board' due to:")
}

func TestSynchronousRequestsTakeSlotsToo(t *testing.T) {
	c := newTarget(t)
	var full reply
	for range 60 {
		if r := c.once(get("/user_tasks?json=true&user_task_ids=3e2d2a9e-9d56-4d4c-8d41-6b7f1e6a0001")); r.status != 200 {
			full = r
			break
		}
	}
	if full.status == 0 {
		c.Skip("there are more slots than sixty")
	}
	c.equal("status", full.status, 500)
	if !strings.Contains(full.message(), "active user tasks, which has reached the servlet capacity.") {
		c.Errorf("got %s", full.body)
	}
	c.equal("User-Task-ID", full.taskID(), "")
	c.sleep(6 * time.Second)
	c.equal("after the scanner", c.once(get("/user_tasks?json=true")).status, 200)
}

func TestATaskIsThereAsSoonAsItsRequestIs(t *testing.T) {
	c := newTarget(t)
	if strings.HasPrefix(c.url, "https") {
		c.Skip("this needs a bare connection")
	}
	u, err := url.Parse(c.url)
	if err != nil {
		c.Fatal(err)
	}
	reason := token()
	conn, err := net.Dial("tcp", u.Host)
	if err != nil {
		c.Fatal(err)
	}
	_, err = fmt.Fprintf(conn, "GET %s/state?json=true&substates=executor&reason=%s HTTP/1.1\r\nHost: %s\r\n\r\n", u.Path, reason, u.Host)
	if err != nil {
		c.Fatal(err)
	}
	if c.own {
		_, _ = bufio.NewReader(conn).ReadByte() // two goroutines of one process
	}
	_ = conn.Close()
	time.Sleep(50 * time.Millisecond)
	if c.byToken(reason) == nil {
		c.Error("no task")
	}
}
