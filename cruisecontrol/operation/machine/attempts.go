package machine

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/cruisecontrol/client"
)

// What came of an attempt.
const (
	outcomeCompleted   = "Completed"
	outcomeNothingToDo = "NothingToDo"
	outcomeStopped     = "Stopped"
	outcomeFailed      = "Failed"
	outcomeTaskLost    = "TaskLost"
	outcomeRestarted   = "Restarted"
)

// Why an attempt ends before its time.
const (
	stopCancelled = "Cancelled"
	stopStalled   = "Stalled"
	stopDeadline  = "Deadline"
	// stopChanged: it was not begun, because the cluster changed in the last moment.
	stopChanged = "Changed"
)

// maxRestarts is how often Cruise Control may die under an operation.
const maxRestarts = 10

// over notes what came of the attempt, and cleans up after it.
func (m *machine) over(outcome string, failure *client.Error) {
	t := m.task()
	t.Outcome = outcome
	if failure != nil {
		m.failedWith(failure)
	}
	m.no(v1beta1.ConditionExecuting, outcome, "the attempt is over")
	m.to(v1beta1.OperationCleaning)
	if outcome == outcomeRestarted {
		m.to(v1beta1.OperationRecovering)
	}
}

func (m *machine) failedWith(failure *client.Error) {
	t := m.task()
	t.ErrorClass, t.ErrorMessage = string(failure.Class), shortened(failure.Message, maxErrorMessage)
}

// closeAttempt adds the attempt to the history.
func (m *machine) closeAttempt() {
	t := m.task()
	if t.Outcome == "" && t.SubmittedAt == nil {
		return // nothing came of it
	}
	attempt := v1beta1.OperationAttempt{
		Attempt: t.Attempt, UserTaskID: t.UserTaskID, Start: t.SubmittedAt, End: timeOf(m.Now), Outcome: t.Outcome, ErrorClass: t.ErrorClass,
		Message: shortened(t.ErrorMessage, maxSummary),
	}
	if t.StopReason != "" && attempt.Message == "" {
		attempt.Message = t.StopReason
	}
	m.status.History = append(m.status.History, attempt)
	if n := len(m.status.History); n > maxHistory {
		m.status.History = m.status.History[n-maxHistory:]
	}
}

// again begins another attempt, which waits until then. Its number has never been used.
func (m *machine) again(phase v1beta1.OperationPhase, at time.Time) {
	m.closeAttempt()
	t := m.task()
	m.status.Task = &v1beta1.OperationTask{
		Attempt: t.Attempt + 1, ErrorClass: t.ErrorClass, ErrorMessage: t.ErrorMessage, IncludeRecentlyRemoved: t.IncludeRecentlyRemoved,
	}
	m.status.RetryAt = timeOf(at)
	m.status.Progress = nil
	m.to(phase)
}

// tryAgain begins another attempt later, or gives up: it is charged as a retry, or as a restart of Cruise Control.
func (m *machine) tryAgain(why string) {
	t := m.task()
	if t.ErrorMessage == "" {
		t.ErrorMessage = shortened(why, maxErrorMessage)
	}
	if t.Outcome == outcomeRestarted || t.Outcome == outcomeTaskLost {
		if m.status.Restarts >= maxRestarts {
			m.end(v1beta1.OperationFailed, "RestartLimit", "Cruise Control was lost %d times: %s", maxRestarts+1, why)
			return
		}
		m.status.Restarts++
		m.again(v1beta1.OperationBackingOff, m.Now.Add(m.backOff(m.status.Restarts)))
		return
	}
	if limit := m.retryLimit(); m.status.Retries >= limit {
		m.end(v1beta1.OperationFailed, "RetryLimit", "%s (after %d attempts)", why, limit+1)
		return
	}
	m.status.Retries++
	m.again(v1beta1.OperationBackingOff, m.Now.Add(m.backOff(m.status.Retries)))
}

func (m *machine) retryLimit() int32 {
	if m.spec().Retry == nil {
		return 6
	}
	return ptr.Deref(m.spec().Retry.Limit, 6)
}

// backOff is the time before a retry: twice as much for each one, up to a limit.
func (m *machine) backOff(retry int32) time.Duration {
	initial, most := int32(30), int32(600)
	if r := m.spec().Retry; r != nil {
		initial, most = orElse(r.InitialSeconds, initial), orElse(r.MaxSeconds, most)
	}
	pause := time.Duration(initial) * time.Second
	for range retry - 1 {
		if pause *= 2; pause >= time.Duration(most)*time.Second {
			break
		}
	}
	return min(pause, time.Duration(most)*time.Second)
}

func orElse(value, otherwise int32) int32 {
	if value == 0 {
		return otherwise
	}
	return value
}

// backingOff waits for the next attempt.
func (m *machine) backingOff() {
	if !m.isFree() || m.cleansLate() {
		return
	}
	switch {
	case m.cancelled():
		m.endCancelled()
	case m.status.RetryAt != nil && m.Now.Before(m.status.RetryAt.Time):
		m.wait(m.status.RetryAt.Sub(m.Now), "attempt %d begins at %s: %s", m.task().Attempt, m.status.RetryAt.UTC().Format(time.TimeOnly), m.task().ErrorMessage)
	default:
		m.status.RetryAt = nil
		m.to(v1beta1.OperationQueued)
	}
}

// isFree gives back what a phase holds in which nothing is under way: the grant of the cluster, and the protection from being
// deleted.
func (m *machine) isFree() bool {
	switch {
	case !m.protected():
		return true
	case !m.Released:
		m.do(ReleaseGrant{})
	default:
		m.do(Unprotect{})
	}
	return false
}

// end ends the operation. What is left to be let go of is let go of then.
func (m *machine) end(phase v1beta1.OperationPhase, reason, format string, args ...any) {
	m.closeAttempt()
	m.to(phase)
	m.say(format, args...)
	m.conclude(reason)
}

// conclude sets what is so at the end.
func (m *machine) conclude(reason string) {
	m.status.CompletionTime, m.status.RetryAt = timeOf(m.Now), nil
	complete, failed := metav1.ConditionTrue, metav1.ConditionFalse
	if m.status.Phase == v1beta1.OperationFailed {
		complete, failed = metav1.ConditionFalse, metav1.ConditionTrue
	}
	m.set(v1beta1.ConditionComplete, complete, reason, "%s", m.message)
	m.set(v1beta1.ConditionFailed, failed, reason, "%s", m.message)
}

func (m *machine) endCancelled() {
	m.end(v1beta1.OperationCancelled, "Cancelled", "cancelled; what has moved stays where it is")
}

// finished keeps how it ended, and lets go of the grant and of the object.
func (m *machine) finished() {
	m.message = m.conditionMessage(v1beta1.ConditionComplete)
	switch {
	case m.Record != nil && m.Record.Finished != m.status.Phase:
		record := *m.Record
		record.Finished, record.Message = m.status.Phase, shortened(m.message, maxSummary)
		m.do(KeepRecord{record})
	case m.protected() && !m.Released:
		m.do(ReleaseGrant{})
	case m.protected():
		m.do(Unprotect{})
	case m.cleansLate():
	case m.status.Throttle != nil:
		m.step.After = time.Minute
	}
}
