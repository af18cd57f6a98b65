package machine

import (
	"time"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/cruisecontrol/client"
)

// pending begins the operation, or goes on with what is known of it although its status is lost.
func (m *machine) pending() {
	switch {
	case m.Record != nil && m.Record.Hash != "":
		m.restoreAttempt()
	case m.cancelled():
		m.endCancelled()
	case m.Cluster.Problem != "":
		m.no(v1beta1.ConditionAccepted, "Unusable", "%s", m.Cluster.Problem)
		m.wait(time.Minute, "%s", m.Cluster.Problem)
	default:
		m.begin()
	}
}

func (m *machine) begin() {
	m.yes(v1beta1.ConditionAccepted, "Accepted", "the operation can be worked on")
	m.status.StartTime = timeOf(m.Now)
	m.status.ChangedAt = microTimeOf(m.Operation.CreationTimestamp.Time)
	attempt := int32(1)
	if m.Record != nil {
		attempt = m.Record.Attempt + 1
		m.status.Retries, m.status.Restarts = m.Record.Retries, m.Record.Restarts
	}
	m.status.Task = &v1beta1.OperationTask{Attempt: attempt}
	m.to(v1beta1.OperationQueued)
}

// restoreEnd says again how it ended.
func (m *machine) restoreEnd() {
	m.to(m.Record.Finished)
	if m.status.Task == nil {
		m.status.Task = &v1beta1.OperationTask{Attempt: m.Record.Attempt}
	}
	m.message = m.Record.Message
	m.conclude("Restored")
}

// restoreAttempt takes the attempt for one that was sent, and looks for it.
func (m *machine) restoreAttempt() {
	m.yes(v1beta1.ConditionAccepted, "Accepted", "the operation can be worked on")
	m.status.StartTime, m.status.ChangedAt = timeOf(m.Now), microTimeOf(m.Now)
	m.status.Retries, m.status.Restarts = m.Record.Retries, m.Record.Restarts
	m.status.Task = &v1beta1.OperationTask{
		Attempt: m.Record.Attempt, CorrelationID: executionToken(m.Operation.UID, m.Record.Attempt), Instance: m.Cluster.Instance, IntentAt: microTimeOf(m.Now),
		IncludeRecentlyRemoved: m.Record.IncludeRemoved,
	}
	m.to(v1beta1.OperationSubmitting)
}

// queued waits for its turn.
func (m *machine) queued() {
	if !m.isFree() || m.cleansLate() {
		return
	}
	switch {
	case m.cancelled():
		m.endCancelled()
	case m.Cluster.Problem != "":
		m.no(v1beta1.ConditionAccepted, "Unusable", "%s", m.Cluster.Problem)
		m.wait(time.Minute, "%s", m.Cluster.Problem)
	case m.spec().Suspend:
		m.say("suspended")
	case m.Cluster.Outdated != "":
		m.wait(whileBusy, "waits until Cruise Control is restarted: %s", m.Cluster.Outdated)
	case len(m.Cluster.LeavingDisks) > 0 && spreads(m.spec().Type) && !m.spec().DryRun:
		m.wait(whileWaiting, "waits until %s is empty and gone, because data could be moved back onto it", m.Cluster.LeavingDisks[0])
	case m.status.RetryAt != nil && m.Now.Before(m.status.RetryAt.Time):
		m.wait(m.status.RetryAt.Sub(m.Now), "looks again at %s: %s", m.status.RetryAt.UTC().Format(time.TimeOnly), m.task().ErrorMessage)
	case !m.Turn.Mine && m.Turn.Ahead != "":
		m.wait(whileWaiting, "waits for %s", m.Turn.Ahead)
	case !m.Turn.Mine:
		m.wait(whileWaiting, "waits for its turn")
	default:
		m.yes(v1beta1.ConditionAccepted, "Accepted", "the operation can be worked on")
		m.to(v1beta1.OperationWaitingForMonitor)
	}
}

// leaves tells whether a phase before the execution has to be left: the operation is cancelled or suspended, or somebody else
// is more urgent.
func (m *machine) leaves() bool {
	switch {
	case m.cancelled():
		m.endCancelled()
	case m.spec().Suspend, m.Cluster.Problem != "", m.Cluster.Outdated != "", !m.Turn.Mine,
		len(m.Cluster.LeavingDisks) > 0 && spreads(m.spec().Type) && !m.spec().DryRun:
		m.to(v1beta1.OperationQueued)
	default:
		return false
	}
	return true
}

// waitingForMonitor waits until Cruise Control answers and knows something.
func (m *machine) waitingForMonitor() {
	switch {
	case m.cancelled():
		m.endCancelled()
	case m.status.RetryAt != nil && m.Now.Before(m.status.RetryAt.Time):
		m.wait(m.status.RetryAt.Sub(m.Now), "looks again at %s: %s", m.status.RetryAt.UTC().Format(time.TimeOnly), m.task().ErrorMessage)
	case m.leaves(), m.adoptsForgotten():
	case m.Cluster.Instance == "":
		m.no(v1beta1.ConditionMonitorReady, "NotRunning", "Cruise Control does not run")
		m.wait(whileBusy, "waits for Cruise Control, which does not run")
	case m.Seen.Err != nil:
		m.no(v1beta1.ConditionMonitorReady, reasonOf(m.Seen.Err), "%v", m.Seen.Err)
		m.wait(whileBusy, "waits for Cruise Control: %v", m.Seen.Err)
	case m.Seen.Monitor == nil:
		m.step.Again = true
	case m.Seen.Executor.Phase != client.NoTaskInProgress && !m.spec().DryRun:
		m.wait(whileBusy, "waits until Cruise Control has finished what it executes (%s)", executes(m.Seen.Executor))
	case m.Seen.Monitor.Phase != client.MonitorRunning && m.Seen.Monitor.Phase != client.MonitorSampling:
		m.no(v1beta1.ConditionMonitorReady, "Loading", "Cruise Control's load monitor is %s", m.Seen.Monitor.Phase)
		m.wait(whileBusy, "waits for Cruise Control, whose load monitor is %s", m.Seen.Monitor.Phase)
	default:
		m.status.RetryAt = nil
		m.to(v1beta1.OperationSettling)
	}
}

// settling waits until Cruise Control must have seen the last change.
func (m *machine) settling() {
	over := m.task().Outcome != ""
	switch {
	case !over && m.leaves():
		return
	case !over && !m.spec().DryRun && m.Kafka == nil:
		m.wait(whileBusy, "waits for Kafka: %v", m.KafkaError)
		return
	case !over && !m.spec().DryRun && len(m.Kafka.Reassignments) > 0:
		m.noteChange()
		m.no(v1beta1.ConditionSettled, string(client.ForeignReassignment), "others reassign %s", partitionsOf(m.Kafka.Reassignments))
		m.wait(whileBusy, "waits until others have reassigned %s", partitionsOf(m.Kafka.Reassignments))
		return
	case !over, m.status.ChangedAt == nil:
		m.noteChange()
	}
	if rest := m.status.ChangedAt.Add(SettleTime).Sub(m.Now); rest > 0 {
		m.no(v1beta1.ConditionSettled, "Changed", "the cluster changed at %s", m.status.ChangedAt.UTC().Format(time.TimeOnly))
		m.wait(rest, "waits until Cruise Control has seen the last change")
		return
	}
	m.yes(v1beta1.ConditionSettled, "Settled", "Cruise Control has seen the last change")
	if over {
		m.to(v1beta1.OperationVerifying)
		return
	}
	m.to(v1beta1.OperationProposing)
}

// noteChange keeps when the cluster last changed.
func (m *machine) noteChange() {
	if m.status.ChangedAt == nil {
		m.status.ChangedAt = microTimeOf(m.Operation.CreationTimestamp.Time)
	}
	// What is only planned may be planned while others move something.
	if !m.spec().DryRun && m.ChangedAt.After(m.status.ChangedAt.Time) {
		m.status.ChangedAt = microTimeOf(m.ChangedAt)
	}
}

// settled tells whether Cruise Control has seen the last change when it is asked now.
func (m *machine) settled() bool {
	m.noteChange()
	return !m.Now.Before(m.status.ChangedAt.Add(SettleTime))
}
