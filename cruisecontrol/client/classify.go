package client

import (
	"bytes"
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
)

// refused returns the *Error that an answer is, or nil.
func (r request) refused(a answer) error {
	if a.status == http.StatusOK || a.status == http.StatusAccepted {
		if r.method == http.MethodPost && isParked(a) {
			return r.broken(ConfigError, a, "Cruise Control parks every request for review: two.step.verification.enabled has to be false", nil)
		}
		return nil
	}
	message := errorMessage(a)
	return r.broken(classOf(a, message), a, shortened(message), nil)
}

// maxMessage is enough for every sentence of Cruise Control's, and not for its lists of partitions.
const maxMessage = 4 << 10

func shortened(message string) string {
	if len(message) <= maxMessage {
		return message
	}
	return strings.ToValidUTF8(message[:maxMessage], "") + "..."
}

// isParked tells whether a request waits for a review, which nobody makes. Only such an answer names no task.
func isParked(a answer) bool {
	if a.task != "" {
		return false
	}
	var parked struct{ RequestInfo json.RawMessage }
	return json.Unmarshal(a.body, &parked) == nil && parked.RequestInfo != nil
}

// errorMessage is what Cruise Control says of a failure: JSON, JSON that was cut, or a text. Jetty's pages say no more than
// their status.
func errorMessage(a answer) string {
	var said struct {
		ErrorMessage string `json:"errorMessage"`
	}
	if json.Unmarshal(withoutNaN(a.body), &said) == nil && said.ErrorMessage != "" {
		return said.ErrorMessage
	}
	if message, ok := rawString(a.body, "errorMessage"); ok && message != "" {
		return message
	}
	text := strings.ToValidUTF8(string(bytes.TrimSpace(a.body)), "?")
	if text == "" || isPage(a.body) {
		return statusText(a.status)
	}
	return text
}

// isPage tells whether an answer is HTML, which Cruise Control itself never writes: Jetty does, and proxies.
func isPage(body []byte) bool {
	return bytes.HasPrefix(bytes.TrimSpace(body), []byte("<"))
}

// classOf tells failures apart: by their status where that says enough, else by what Cruise Control says.
func classOf(a answer, message string) Class {
	switch {
	case a.status >= 300 && a.status < 400, a.status == http.StatusUnauthorized:
		return Unauthorized
	case a.status == http.StatusForbidden && isPage(a.body):
		return Unauthorized
	case a.status == http.StatusBadGateway, a.status == http.StatusServiceUnavailable, a.status == http.StatusGatewayTimeout:
		return Unreachable
	case strings.Contains(message, "review_id parameter must be mutually exclusive"):
		return ConfigError
	case a.status >= 400 && a.status < 500:
		return InvalidRequest
	case a.status != http.StatusInternalServerError || isPage(a.body):
		return BrokenAnswer
	}
	return classOfMessage(message)
}

func classOfMessage(message string) Class {
	for _, f := range failures {
		if f.matches(message) {
			return f.class
		}
	}
	return Unknown
}

// failure is a kind of failure and how Cruise Control words it.
type failure struct {
	class   Class
	text    string
	pattern *regexp.Regexp
}

func (f failure) matches(message string) bool {
	if f.pattern != nil {
		return f.pattern.MatchString(message)
	}
	return strings.Contains(message, f.text)
}

// failures in the order in which they are looked for. Texts of one word come last: topics, which some messages list, can be
// called like that.
var failures = []failure{
	{class: Busy, text: "Cannot start a new execution while there is an ongoing execution."},
	{class: Busy, text: "Cannot execute new proposals while there is an ongoing execution."},
	{class: Busy, text: "Another request has asked for modifying the ongoing execution."},
	{class: Busy, text: "Cannot generate proposals while the executor is in "},

	{class: ForeignReassignment, text: "Cannot execute new proposals while there are ongoing partition reassignments"},
	{class: ForeignReassignment, text: "There are ongoing inter-broker partition movements"},
	{class: ForeignReassignment, text: "There are ongoing intra-broker partition movements"},

	{class: Overload, text: "which has reached the servlet capacity."},
	{class: TaskLost, text: "(value: User-Task-ID) in the request."},
	{class: InvalidRequest, text: "Invalid UUID string"},

	{class: NotReady, text: "There is no window available in range ["},
	{class: NotReady, pattern: regexp.MustCompile(`There are only \d+ valid windows when aggregating in range`)},
	{class: NotReady, pattern: regexp.MustCompile(`entity (group )?coverage .* in range .* does not meet requirement`)},
	{class: NotReady, text: "Unable to generate proposal since load monitor is in "},
	{class: NotReady, text: "Cannot get proposal because load monitor is in "},
	{class: NotReady, text: "Cannot get proposal because model completeness is not met."},

	{class: EmptyRack, text: "Excluded rack ids cannot contain an empty rack id."},
	{class: InvalidSpec, text: "Missing hard goals ["},
	{class: InvalidSpec, pattern: regexp.MustCompile(`Goals? \[.*\] (is|are) not supported`)},
	{class: InvalidSpec, text: "There is no topic in cluster matching pattern"},
	{class: InvalidSpec, text: "Requested RF cannot be more than number of alive brokers"},
	{class: InvalidSpec, text: "racks in the cluster, to skip the rack-awareness check"},
	{class: InvalidSpec, text: "Invalid log dirs provided for broker"},
	{class: InvalidSpec, text: "Attempt to set execution progress check interval"},
	{class: Unsatisfiable, text: "No log dir remaining to move replicas to"},
	{class: Unsatisfiable, text: "Not enough remaining capacity to move replicas to for broker"},

	{class: ConfigError, text: "Unable to resolve capacity of broker"},
	{class: ConfigError, text: "Throwable.detailMessage accessible"},
	{class: BrokerMissing, pattern: regexp.MustCompile(`Broker (\[[-0-9, ]+\]|-?\d+) does not exist\.`)},
	{class: KafkaDown, text: "All brokers are dead in the cluster."},
	{class: NothingToDo, text: "Cluster has no offline replica on brokers"},
	{class: NothingToDo, text: "All topics matching given pattern already have target replication factor."},
	{class: OfflineReplicas, pattern: regexp.MustCompile(`Topic partition .* has offline replicas on brokers`)},

	{class: Unreachable, text: "NetworkClient is no longer active"},
	{class: Transient, text: "Failed to retrieve if there are already ongoing"},
	{class: Transient, text: "failure to retrieve whether the Kafka cluster has"},
	{class: Transient, text: "Getting logdir information for broker"},
	{class: Transient, text: "Unable to retrieve capacity for broker"},

	{class: NotReady, text: "NotEnoughValidWindowsException"},
	{class: Busy, text: "OngoingExecutionException"},
	{class: Unsatisfiable, text: "OptimizationFailureException"},
	{class: ConfigError, text: "BrokerCapacityResolutionException"},
	{class: Transient, text: "TimeoutException"},
}
