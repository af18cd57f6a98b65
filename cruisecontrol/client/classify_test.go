package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// wordings are what Cruise Control 2.5.146 says, and what it means.
var wordings = []struct {
	text string
	want Class
}{
	{"com.linkedin.kafka.cruisecontrol.exception.KafkaCruiseControlException: com.linkedin.cruisecontrol.exception.NotEnoughValidWindowsException: There is no window available in range [-1, 1755480000000] (index [1, -1]). Window index (current: 0, oldest: 0).", NotReady},
	{"com.linkedin.cruisecontrol.exception.NotEnoughValidWindowsException: There are only 0 valid windows when aggregating in range [-1, 1755480000000] for aggregation options", NotReady},
	{"The entity coverage 0.120 in range [1, 2] for option x does not meet requirement.", NotReady},
	{"The entity group coverage 0.120 in range [1, 2] for option x does not meet requirement.", NotReady},
	{"java.lang.IllegalStateException: Unable to generate proposal since load monitor is in LOADING state.", NotReady},
	{"Cannot get proposal because load monitor is in LOADING state.", NotReady},
	{"Cannot get proposal because model completeness is not met.", NotReady},
	{"java.lang.IllegalStateException: Cannot start a new execution while there is an ongoing execution. Please use stop_ongoing_execution=true to stop it.", Busy},
	{"com.linkedin.kafka.cruisecontrol.exception.OngoingExecutionException: Cannot generate proposals while the executor is in STARTING_EXECUTION state.", Busy},
	{"Cannot execute new proposals while there is an ongoing execution.", Busy},
	{"java.lang.IllegalStateException: Cannot execute new proposals while there are ongoing partition reassignments initiated by external agent: [TimeoutException-0, b-1].", ForeignReassignment},
	{"There are ongoing inter-broker partition movements: {OptimizationFailureException-0=[1, 2]}", ForeignReassignment},
	{"There are ongoing intra-broker partition movements.", ForeignReassignment},
	{"Another request has asked for modifying the ongoing execution.", Busy},
	{"There are already 5 active user tasks, which has reached the servlet capacity.", Overload},
	{"Unexpected header 0a7f3a3c-5c1c-4c0e-9d5e-0b1f6d5c7f10 (value: User-Task-ID) in the request.", TaskLost},
	{"com.linkedin.kafka.cruisecontrol.exception.OptimizationFailureException: [DiskCapacityGoal] Insufficient capacity for disk (Utilization 585.10, Allowed Capacity 384.00, Threshold: 0.80). Add at least 3 brokers with the same disk capacity.", Unsatisfiable},
	{"com.linkedin.kafka.cruisecontrol.exception.OptimizationFailureException: [RackAwareGoal] Insufficient number of racks to distribute each replica (Current: 2, Needed: 3).", Unsatisfiable},
	{"java.lang.IllegalArgumentException: Missing hard goals [RackAwareGoal] in the provided goals: [ReplicaDistributionGoal]. Add skip_hard_goal_check=true parameter to ignore this sanity check.", InvalidSpec},
	{"java.lang.IllegalArgumentException: Goals [FooGoal] are not supported. Supported: [RackAwareGoal]", InvalidSpec},
	{"com.linkedin.kafka.cruisecontrol.exception.BrokerCapacityResolutionException: Unable to resolve capacity of broker 7. Either (1) adding the default broker capacity", ConfigError},
	{"java.lang.IllegalArgumentException: Broker [99] does not exist.", BrokerMissing},
	{"java.lang.IllegalArgumentException: Broker [98, 99] does not exist.", BrokerMissing},
	{"java.lang.IllegalArgumentException: Broker 99 does not exist.", BrokerMissing},
	{"All brokers are dead in the cluster.", KafkaDown},
	{"java.lang.IllegalStateException: Cluster has no offline replica on brokers [...] to fix.", NothingToDo},
	{"All topics matching given pattern already have target replication factor. Requested: {}", NothingToDo},
	{"java.lang.IllegalStateException: There is no topic in cluster matching pattern 'x'.", InvalidSpec},
	{"Requested RF cannot be more than number of alive brokers.", InvalidSpec},
	{"There are only 2 racks in the cluster, to skip the rack-awareness check, set skip_rack_awareness_check to true in the request.", InvalidSpec},
	{"java.lang.IllegalArgumentException: Invalid log dirs provided for broker 1.", InvalidSpec},
	{"No log dir remaining to move replicas to for broker 1.", Unsatisfiable},
	{"Not enough remaining capacity to move replicas to for broker 1.", Unsatisfiable},
	{"Attempt to set execution progress check interval [1ms] to smaller than the minimum execution progress check interval in cluster [5000ms].", InvalidSpec},
	{"Failed to retrieve if there are already ongoing partition reassignments.", Transient},
	{"failure to retrieve whether the Kafka cluster has an already ongoing partition reassignment", Transient},
	{"java.util.concurrent.TimeoutException", Transient},
	{"Getting logdir information for broker 3 encountered TimeoutException.", Transient},
	{"Unable to retrieve capacity for broker 3. This may be caused by churn in the cluster, please retry.", Transient},
	{"java.lang.IllegalStateException: NetworkClient is no longer active, state is CLOSED", Unreachable},
	{"java.lang.IllegalArgumentException: Excluded rack ids cannot contain an empty rack id.", EmptyRack},
	{"java.lang.IllegalStateException: Topic partition T-0 has offline replicas on brokers [4].", OfflineReplicas},
	{"Unable to make field private java.lang.String java.lang.Throwable.detailMessage accessible: module java.base", ConfigError},
	{"Invalid UUID string: abc", InvalidRequest},
	{"something new", Unknown},
}

func TestWordings(t *testing.T) {
	for _, w := range wordings {
		text := "Error processing POST request '/rebalance' due to: '" + w.text + "'."
		body, err := json.Marshal(map[string]any{"version": 1, "errorMessage": text, "stackTrace": "com.x.TimeoutException"})
		if err != nil {
			t.Fatal(err)
		}
		c := newClient(t, newServer(t, says(http.StatusInternalServerError, string(body))).URL)
		_, err = c.Rebalance(t.Context(), DryRun("token"), RebalanceParameters{})
		var e *Error
		if !errors.As(err, &e) || !errors.Is(err, w.want) || e.Message != text || e.HTTPStatus != 500 || e.UserTaskID == "" || e.NotRegistered() {
			t.Errorf("%s\nis %+v", w.text, err)
		}
	}
}

// Nothing but what is asked for: a class is no other class, and errors that wrap one are found.
func TestErrorsIs(t *testing.T) {
	err := fmt.Errorf("submitting: %w", &Error{Class: Busy})
	if !errors.Is(err, Busy) || errors.Is(err, NotReady) || errors.Is(err, http.ErrServerClosed) {
		t.Error("errors.Is is wrong")
	}
}

// A list of ten thousand partitions is not shown, and what it is about is still understood.
func TestLongMessage(t *testing.T) {
	list := strings.Repeat("some-topic-12345, ", 10_000) + "TimeoutException-0"
	body := `{"errorMessage":"Cannot execute new proposals while there are ongoing partition reassignments initiated by external agent: [` + list + `]."}`
	_, err := newClient(t, newServer(t, says(500, body)).URL).Rebalance(t.Context(), Execute("token"), RebalanceParameters{})
	if !errors.Is(err, ForeignReassignment) || len(err.Error()) > 2*maxMessage || !strings.HasSuffix(err.(*Error).Message, "...") {
		t.Errorf("got %v", err)
	}
}

func TestStatuses(t *testing.T) {
	const page = "<html><body><h2>HTTP ERROR</h2></body></html>"
	for _, c := range []struct {
		status        int
		body          string
		want          Class
		message       string
		notRegistered bool
	}{
		{302, "", Unauthorized, "Found", true},
		{401, page, Unauthorized, "Unauthorized", true},
		{403, page, Unauthorized, "Forbidden", true},
		{403, `{"errorMessage":"Cannot process GET request '/review_board' due to: 'x'."}`, InvalidRequest, "Cannot process GET request '/review_board' due to: 'x'.", true},
		{400, `{"errorMessage":"Unrecognized endpoint parameters in REBALANCE POST request: [foo]."}`, InvalidRequest, "Unrecognized endpoint parameters in REBALANCE POST request: [foo].", true},
		{400, "remove", InvalidRequest, "remove", true},
		{400, "review_id parameter must be mutually exclusive with other parameters", ConfigError, "review_id parameter must be mutually exclusive with other parameters", true},
		{404, "Unrecognized endpoint in request '/foo'", InvalidRequest, "Unrecognized endpoint in request '/foo'", true},
		{405, "", InvalidRequest, "Method Not Allowed", true},
		{414, page, InvalidRequest, "Request URI Too Long", true},
		{502, page, Unreachable, "Bad Gateway", false},
		{503, page, Unreachable, "Service Unavailable", false},
		{504, page, Unreachable, "Gateway Timeout", false},
		{500, page, BrokenAnswer, "Internal Server Error", false},
		{500, `{"stackTrace":"","errorMessage":"There are already 5 active user tasks, which has reached the servlet capacity.","vers`, Overload, "There are already 5 active user tasks, which has reached the servlet capacity.", true},
		{200, `{"version":1,"RequestInfo":[{"Id":0,"Status":"PENDING_REVIEW"}]}`, ConfigError, "Cruise Control parks every request for review: two.step.verification.enabled has to be false", true},
		{200, page, BrokenAnswer, "reading the answer: invalid character '<' looking for beginning of value", false},
	} {
		s := newServer(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "/login")
			w.WriteHeader(c.status)
			_, _ = w.Write([]byte(c.body))
		})
		_, err := newClient(t, s.URL).Rebalance(t.Context(), Execute("token"), RebalanceParameters{})
		var e *Error
		if !errors.As(err, &e) || e.Class != c.want || e.Message != c.message || e.HTTPStatus != c.status || e.NotRegistered() != c.notRegistered {
			t.Errorf("%d %s is %+v", c.status, c.body, err)
		}
		if n := len(s.requests()); n != 1 {
			t.Errorf("%d %s: sent %d times", c.status, c.body, n)
		}
	}
}
