package machine

import (
	"errors"
	"hash/fnv"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/cruisecontrol/client"
)

// reaction is what happens after a failure of a kind.
type reaction int

const (
	// waits: it passes by itself, and is not charged.
	waits reaction = iota
	// retries: another attempt, charged, later and later.
	retries
	// confirms: once more, to be sure; then it is the end.
	confirms
	// fails: it is the end.
	fails
	// verifies: Kafka says whether it is done already.
	verifies
	// widens: once more, with brokers that were removed lately.
	widens
)

// reactions by the class of a failure, with how long to wait and what people are told will happen.
var reactions = map[client.Class]struct {
	reaction
	after time.Duration
	next  string
}{
	client.NotReady:            {waits, 30 * time.Second, "it is asked again until it knows enough"},
	client.Busy:                {waits, 15 * time.Second, "the operation waits until Cruise Control has finished what it does"},
	client.ForeignReassignment: {waits, 15 * time.Second, "the operation waits until nobody else moves partitions"},
	client.Overload:            {waits, 6 * time.Second, "it is asked again"},
	client.TaskLost:            {waits, 2 * time.Second, "the plan is made again"},
	client.Unsatisfiable:       {confirms, 0, "it is tried once more"},
	client.InvalidSpec:         {fails, 0, ""},
	client.InvalidRequest:      {fails, 0, ""},
	client.ConfigError:         {waits, time.Minute, "the configuration of Cruise Control has to be corrected"},
	client.BrokerMissing:       {waits, 15 * time.Second, "the operation waits until Cruise Control sees the broker"},
	client.KafkaDown:           {waits, 15 * time.Second, "the operation waits for Kafka"},
	client.NothingToDo:         {verifies, 0, ""},
	client.EmptyRack:           {widens, 0, "it is planned again with brokers that were removed lately"},
	client.OfflineReplicas:     {waits, 30 * time.Second, "replicas that are offline have to be fixed first, by an operation FixOfflineReplicas"},
	client.Transient:           {retries, 0, ""},
	client.Unauthorized:        {waits, 30 * time.Second, "the credentials are read again"},
	client.Unreachable:         {waits, 10 * time.Second, "it is asked again"},
	client.BrokenAnswer:        {retries, 0, ""},
	client.Unknown:             {retries, 0, ""},
}

// reactionTo says what happens after a failure.
func (m *machine) reactionTo(failure *client.Error) reaction {
	if failure.Class == client.BrokerMissing && m.spec().Type == v1beta1.RemoveBrokers {
		return verifies // it is gone
	}
	known, ok := reactions[failure.Class]
	if !ok {
		return retries
	}
	return known.reaction
}

// planFailed reacts to a plan that could not be made.
func (m *machine) planFailed(failure *client.Error) {
	before := m.task().ErrorClass
	m.failedWith(failure)
	m.no(v1beta1.ConditionProposalReady, string(failure.Class), "%s", m.withNext(failure))
	m.noteReadiness(failure)
	switch m.reactionTo(failure) {
	case waits:
		if failure.Class == client.NotReady && m.isLongUnready() {
			m.do(CheckCapacity{})
			return
		}
		m.waitAside(failure)
	case verifies:
		m.nothingToDo()
	case fails:
		m.task().Outcome = outcomeFailed
		m.end(v1beta1.OperationFailed, string(failure.Class), "%s", failure.Message)
	case confirms:
		m.confirm(failure, before == string(client.Unsatisfiable))
	case widens:
		m.widen(failure)
	default:
		m.task().Outcome = outcomeFailed
		m.tryAgain(failure.Message)
	}
}

// waitAside asks again later, and lets others go first meanwhile.
func (m *machine) waitAside(failure *client.Error) {
	m.status.RetryAt = timeOf(m.Now.Add(m.pauseAfter(failure)))
	m.to(v1beta1.OperationWaitingForMonitor)
	m.wait(m.status.RetryAt.Sub(m.Now), "%s", m.withNext(failure))
}

// pauseAfter is how long to wait: when there are too few slots, not all come back at once.
func (m *machine) pauseAfter(failure *client.Error) time.Duration {
	pause := reactions[failure.Class].after
	if failure.Class == client.Overload {
		h := fnv.New32a()
		_, _ = h.Write([]byte(m.Operation.UID))
		pause += time.Duration(h.Sum32()%4000) * time.Millisecond
	}
	return pause
}

// confirm has an unsatisfiable plan made once more, for the cluster may have changed in between.
func (m *machine) confirm(failure *client.Error, again bool) {
	m.task().Outcome = outcomeFailed
	if m.lacksBroker() {
		m.tryAgain(failure.Message)
		return
	}
	if again {
		m.end(v1beta1.OperationFailed, string(failure.Class), "%s", failure.Message)
		return
	}
	m.again(v1beta1.OperationBackingOff, m.Now.Add(m.backOff(1)))
}

// lacksBroker tells whether a broker does not serve just now: with it there may be a plan.
func (m *machine) lacksBroker() bool {
	if m.Kafka == nil {
		return false
	}
	for _, b := range m.Kafka.Brokers {
		if b.Fenced {
			return true
		}
	}
	return false
}

// widen plans once more with brokers that were removed lately.
func (m *machine) widen(failure *client.Error) {
	m.task().Outcome = outcomeFailed
	if m.task().IncludeRecentlyRemoved {
		m.tryAgain(failure.Message)
		return
	}
	m.task().IncludeRecentlyRemoved = true
	m.again(v1beta1.OperationQueued, m.Now)
}

// withNext is what Cruise Control said, and what happens next.
func (m *machine) withNext(failure *client.Error) string {
	next := reactions[failure.Class].next
	if next == "" {
		return failure.Message
	}
	return failure.Message + "; " + next
}

// noteReadiness says that Cruise Control is not ready, if that is what a failure means.
func (m *machine) noteReadiness(failure *client.Error) {
	switch failure.Class {
	case client.NotReady, client.Unauthorized, client.Unreachable, client.ConfigError, client.KafkaDown:
		m.no(v1beta1.ConditionMonitorReady, string(failure.Class), "%s", m.withNext(failure))
	}
}

// longUnready is longer than the windows take that Cruise Control needs, by default.
const longUnready = 15 * time.Minute

// isLongUnready tells whether Cruise Control has known too little for long: that is also what the lack of a broker's capacity
// looks like.
func (m *machine) isLongUnready() bool {
	c := meta.FindStatusCondition(m.status.Conditions, v1beta1.ConditionMonitorReady)
	return c != nil && c.Reason == string(client.NotReady) && m.Now.Sub(c.LastTransitionTime.Time) > longUnready
}

// capacityChecked tells why Cruise Control does not become ready.
func (m *machine) capacityChecked(a Answer) {
	failure := &client.Error{Class: client.NotReady, Message: m.task().ErrorMessage}
	var capacity *client.Error
	if errors.As(a.Err, &capacity) && capacity.Class == client.ConfigError {
		failure = capacity
		m.failedWith(failure)
		m.noteReadiness(failure)
	}
	m.waitAside(failure)
}

func reasonOf(err error) string {
	var failure *client.Error
	if errors.As(err, &failure) {
		return string(failure.Class)
	}
	return "NotKnown"
}
