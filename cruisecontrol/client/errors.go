package client

import (
	"fmt"
	"net/http"
)

// Class says what kind of failure an Error is, and with it what to do. It is an error, so that errors.Is(err, Busy) asks for it.
type Class string

// Error is the class's name.
func (c Class) Error() string { return string(c) }

const (
	// NotReady: Cruise Control has not seen enough of the cluster's load to plan. Wait.
	NotReady Class = "NotReady"
	// Busy: Cruise Control executes another plan. Wait for its end, or adopt it, if it is one's own.
	Busy Class = "Busy"
	// ForeignReassignment: Kafka moves partitions that Cruise Control's running execution did not ask for. Wait, or end
	// them if they are one's own.
	ForeignReassignment Class = "ForeignReassignment"
	// Overload: all slots for requests are taken. No task was made; ask less often.
	Overload Class = "Overload"
	// TaskLost: Cruise Control does not know the task, or the request that goes with it was another one.
	TaskLost Class = "TaskLost"
	// Unsatisfiable: no plan meets the goals. Cruise Control says which goal and what would help.
	Unsatisfiable Class = "Unsatisfiable"
	// InvalidSpec: what was asked for cannot be: an unknown goal, a topic that does not exist.
	InvalidSpec Class = "InvalidSpec"
	// InvalidRequest: Cruise Control does not understand the request. It is of another version, or this client is wrong.
	InvalidRequest Class = "InvalidRequest"
	// ConfigError: Cruise Control is configured in a way that does not work.
	ConfigError Class = "ConfigError"
	// BrokerMissing: Cruise Control does not see a broker that was named, or not yet.
	BrokerMissing Class = "BrokerMissing"
	// KafkaDown: Cruise Control sees no living broker.
	KafkaDown Class = "KafkaDown"
	// NothingToDo: what was asked for is so already, as of ten seconds ago.
	NothingToDo Class = "NothingToDo"
	// EmptyRack: the rack-aware goal has no place for a replica while a broker is dead, whose rack is unknown. Brokers that
	// were removed lately may be places: plan once more with them.
	EmptyRack Class = "EmptyRack"
	// OfflineReplicas: replicas are offline, and have to be fixed before this.
	OfflineReplicas Class = "OfflineReplicas"
	// Transient: something timed out inside Cruise Control. Try again, later and later.
	Transient Class = "Transient"
	// Unauthorized: the credentials were not accepted, or the role does not allow it.
	Unauthorized Class = "Unauthorized"
	// Unreachable: there is no answer. What was asked for may have been done all the same, unless NotRegistered.
	Unreachable Class = "Unreachable"
	// BrokenAnswer: there is an answer, and it cannot be read.
	BrokenAnswer Class = "BrokenAnswer"
	// Unknown: a failure with a text that this client does not know.
	Unknown Class = "Unknown"
)

// Error is a request that failed.
type Error struct {
	Class Class
	// Message is in Cruise Control's own words, if it said any.
	Message string
	// HTTPStatus of the answer; 0 without one.
	HTTPStatus int
	// UserTaskID is the task that Cruise Control made of the request; empty if the answer names none.
	UserTaskID TaskID

	endpoint string
	cause    error
	unsent   bool
}

// Error says what was being done, how it failed, and Cruise Control's words.
func (e *Error) Error() string {
	text := fmt.Sprintf("asking Cruise Control for %s: %s: %s", e.endpoint, e.Class, e.Message)
	if e.HTTPStatus != 0 {
		text += fmt.Sprintf(" (HTTP %d)", e.HTTPStatus)
	}
	return text
}

// Unwrap gives the reason below, a *net.OpError for example.
func (e *Error) Unwrap() error { return e.cause }

// Is tells whether target is the error's class.
func (e *Error) Is(target error) bool {
	class, ok := target.(Class)
	return ok && class == e.Class
}

// NotRegistered says that Cruise Control certainly made no task of the request, so that it may be sent again without looking
// for one: it was never sent, or Cruise Control answered without a User-Task-ID. An answer of something in between, or none,
// proves nothing.
func (e *Error) NotRegistered() bool {
	if e.HTTPStatus == 0 || e.Class == Unreachable || e.Class == BrokenAnswer {
		return e.unsent
	}
	return e.UserTaskID == ""
}

// statusText is for answers that have no text worth showing.
func statusText(status int) string {
	if text := http.StatusText(status); text != "" {
		return text
	}
	return "no text"
}
