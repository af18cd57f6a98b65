package machine

import (
	"errors"
	"slices"
	"time"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/cruisecontrol/client"
)

// executing follows an execution to its end.
func (m *machine) executing() {
	switch {
	case m.cancelled():
		m.stop(stopCancelled)
	case m.isLost():
	case m.fetchesPlan(), m.throttlesMore():
	default:
		m.follow()
	}
}

// isLost tells whether Cruise Control cannot be asked about the task, or has died under it.
func (m *machine) isLost() bool {
	t := m.task()
	switch {
	case m.Cluster.Instance != "" && t.Instance != "" && m.Cluster.Instance != t.Instance:
		m.over(outcomeRestarted, nil)
	case m.Cluster.Instance == "":
		m.wait(whileBusy, "Cruise Control does not run; Kafka goes on with what it was told last")
		m.no(v1beta1.ConditionExecuting, "NotRunning", "%s", m.message)
	case m.Seen.Err != nil:
		m.wait(whileBusy, "Cruise Control does not answer: %v", m.Seen.Err)
		m.set(v1beta1.ConditionExecuting, "Unknown", reasonOf(m.Seen.Err), "%s", m.message)
	case m.Seen.Asked != client.TaskID(t.UserTaskID) || m.Seen.At.Before(t.IntentAt.Time):
		m.step.Again = true
	default:
		return false
	}
	return true
}

// follow looks how far the task is.
func (m *machine) follow() {
	t := m.task()
	switch {
	case m.Seen.Task != nil && m.Seen.Task.Status == client.TaskActive:
		m.planning()
	case m.isExecuted(), m.Seen.Task != nil && m.Seen.Task.Status == client.TaskInExecution:
		t.CompletedSeenAt = nil
		m.advance()
	case m.Seen.Task == nil && !m.Seen.Complete:
		m.wait(whileBusy, "Cruise Control's list of tasks is cut off")
	case m.Seen.Task == nil:
		m.over(outcomeTaskLost, nil)
	case m.Seen.Task.Status == client.TaskCompletedWithError:
		m.do(m.fetch())
	case m.Seen.Task.Status == client.TaskCompleted:
		m.completed(outcomeCompleted)
	default:
		m.wait(whileBusy, "Cruise Control's task is %s", m.Seen.Task.Status)
	}
}

// throttlesMore throttles topics that only the plan moves that is executed.
func (m *machine) throttlesMore() bool {
	if _, ok := answered[SetThrottle](m); ok || !lacksThrottle(m.Operation, m.Record) {
		return false
	}
	if m.Throttles == nil {
		m.step.Again = m.KafkaError == nil
		return m.step.Again
	}
	more := &Throttle{Rate: m.Record.Throttle.Rate}
	for _, topic := range topicsOf(m.Record.Moves) {
		set := m.Throttles.Topics[topic]
		if !slices.Contains(m.Record.Throttle.Topics, topic) && set[LeaderReplicas] == "" && set[FollowerReplicas] == "" {
			more.Topics = append(more.Topics, topic)
		}
	}
	if _, ok := answered[KeepRecord](m); ok || len(more.Topics) == 0 {
		return false
	}
	record := *m.Record
	record.Throttle = record.Throttle.with(more)
	m.do(KeepRecord{record})
	return true
}

// isExecuted tells whether it is this operation that is being executed.
func (m *machine) isExecuted() bool {
	e, t := m.Seen.Executor, m.task()
	if e == nil || e.Phase == client.NoTaskInProgress {
		return false
	}
	return t.UserTaskID != "" && e.TriggeredUserTaskID == client.TaskID(t.UserTaskID) || t.CorrelationID != "" && tokenOf(e) == t.CorrelationID
}

// completed believes it when it is said twice: a task looks like that for a moment before its execution.
func (m *machine) completed(outcome string) {
	t := m.task()
	switch {
	case t.CompletedSeenAt == nil:
		t.CompletedSeenAt = microTimeOf(m.Seen.At)
		m.wait(whileEnding+time.Second, "Cruise Control is done; it is asked once more")
	case m.Seen.At.Sub(t.CompletedSeenAt.Time) < whileEnding:
		m.wait(whileEnding, "Cruise Control is done; it is asked once more")
	default:
		m.over(outcome, nil)
	}
}

// planning waits for the plan of the task.
func (m *machine) planning() {
	t := m.task()
	m.progress("Planning")
	m.set(v1beta1.ConditionExecuting, "False", "Planning", "Cruise Control makes the plan again, to execute it")
	if m.Now.Sub(t.SubmittedAt.Time) > m.proposalDeadline() {
		m.yes(v1beta1.ConditionStalled, "Planning", "there was no plan within %s", m.proposalDeadline())
		m.stop(stopDeadline)
		return
	}
	m.wait(whileWaiting, "Cruise Control makes the plan again, to execute it")
}

// fetchesPlan asks for the plan that is executed: it may be another one than that of the dry run, and what it moves has to be
// known to clean up after it.
func (m *machine) fetchesPlan() bool {
	t := m.task()
	a, ok := answered[Fetch](m)
	if ok {
		m.fetched(a)
		return true
	}
	if m.Answer != nil || t.ExecutedProposal != "" || m.Seen.Task == nil || m.Seen.Task.Status == client.TaskActive {
		return false
	}
	m.do(m.fetch())
	return true
}

func (m *machine) fetch() Fetch {
	t := m.task()
	return Fetch{Request: m.recordedRequest(), Token: t.CorrelationID, Task: client.TaskID(t.UserTaskID)}
}

func (m *machine) fetched(a Answer) {
	var failure *client.Error
	failed := m.Seen.Task != nil && m.Seen.Task.Status == client.TaskCompletedWithError
	switch {
	case a.Err == nil && a.Plan.Result != nil && failed:
		m.over(outcomeStopped, &client.Error{Class: "ExecutionStopped", Message: "Cruise Control stopped the execution before its end"})
	case a.Err == nil && a.Plan.Result != nil:
		m.executes(a.Plan.Result)
	case errors.As(a.Err, &failure) && failed && isOfTask(failure):
		m.over(outcomeFailed, failure)
	case errors.As(a.Err, &failure) && failed && failure.Class == client.TaskLost:
		m.over(outcomeStopped, &client.Error{Class: "ExecutionStopped", Message: "Cruise Control stopped the execution, or could not make the plan"})
	default:
		// It is asked again with the next look; what is known of the execution does not depend on it.
		m.followBlindly()
	}
}

// isOfTask tells whether a failure is that of the task, and not one of asking for it.
func isOfTask(failure *client.Error) bool {
	switch failure.Class {
	case client.Unreachable, client.Unauthorized, client.Overload, client.TaskLost, client.BrokenAnswer, client.InvalidRequest:
		return false
	}
	return true
}

// executes takes note of the plan that is executed.
func (m *machine) executes(plan *client.Plan) {
	t := m.task()
	t.ExecutedProposal = plan.Hash()
	if m.Record != nil && m.Record.Hash == t.ExecutedProposal && m.Record.Attempt == t.Attempt {
		return
	}
	computedAt := m.Now
	if m.status.Proposal != nil {
		computedAt = m.status.Proposal.ComputedAt.Time
	}
	m.status.Proposal = m.proposal(plan)
	m.status.Proposal.ComputedAt = *timeOf(computedAt)
	record := m.newRecord()
	record.Attempt, record.Hash, record.Moves = t.Attempt, t.ExecutedProposal, movesOf(plan)
	if m.Record != nil {
		record.Destinations, record.IncludeRemoved = m.Record.Destinations, m.Record.IncludeRemoved
	}
	m.do(KeepRecord{record})
}

// followBlindly goes on without the plan.
func (m *machine) followBlindly() {
	if m.isExecuted() {
		m.advance()
		return
	}
	m.wait(whileBusy, "asking Cruise Control for the plan that it executes: %v", m.Answer.Err)
}

// stop ends the attempt before its time.
func (m *machine) stop(why string) {
	m.task().StopReason = why
	m.to(v1beta1.OperationStopping)
}

// stopping has the execution stopped, again and again until it has ended: Cruise Control forgets the request while it plans.
func (m *machine) stopping() {
	t := m.task()
	switch {
	case m.isLost():
		return
	case m.isStuck():
		m.unstick()
	case m.isExecuted(), m.Seen.Task != nil && (m.Seen.Task.Status == client.TaskInExecution || m.Seen.Task.Status == client.TaskActive):
		t.CompletedSeenAt = nil
		m.askToStop()
	case m.Seen.Task == nil && !m.Seen.Complete:
		m.wait(whileBusy, "Cruise Control's list of tasks is cut off")
	case m.Seen.Task == nil, m.Seen.Task.Status == client.TaskCompletedWithError:
		m.over(outcomeStopped, nil)
	default:
		m.completed(outcomeStopped)
	}
}

// askToStop stops what is executed, if it is this operation.
func (m *machine) askToStop() {
	t := m.task()
	m.no(v1beta1.ConditionExecuting, "Stopping", "Cruise Control is asked to stop: %s", t.StopReason)
	if m.isExecuted() && (t.StopAskedAt == nil || m.Now.Sub(t.StopAskedAt.Time) >= whileBusy) {
		t.StopAskedAt = microTimeOf(m.Now)
		m.do(Stop{Token: stopToken(m.Operation.UID, t.Attempt)})
		return
	}
	m.wait(whileBusy, "waits until Cruise Control has stopped (%s)", t.StopReason)
}

// stuckAfter is how long a plan may go on being made after its deadline.
const stuckAfter = 5 * time.Minute

// isStuck tells whether the thread that makes the plan has died: the task stays as it is, and nobody else can execute anything.
func (m *machine) isStuck() bool {
	task := m.Seen.Task
	return task != nil && task.Status == client.TaskActive && m.Now.Sub(m.task().SubmittedAt.Time) > m.proposalDeadline()+stuckAfter
}

// unstick has Cruise Control restarted, once Kafka moves nothing.
func (m *machine) unstick() {
	_, done := answered[RestartCruiseControl](m)
	switch {
	case m.Kafka == nil:
		m.step.Again = m.KafkaError == nil
		m.wait(whileBusy, "waits for Kafka: %v", m.KafkaError)
	case done || len(m.Kafka.Reassignments) > 0:
		m.wait(whileBusy, "Cruise Control is stuck, and is restarted when nothing moves")
	default:
		m.do(RestartCruiseControl{Instance: m.Cluster.Instance})
	}
}

// recovering finds out what the death of Cruise Control left. What Kafka was told last is let finish.
func (m *machine) recovering() {
	switch {
	case m.cancelled():
		m.to(v1beta1.OperationCleaning)
		return
	case m.Cluster.Instance == "" || m.Seen.Err != nil:
		m.wait(whileBusy, "waits for Cruise Control, which was lost: %s", orElseText(m.Seen.Err, "it does not run"))
		return
	case m.Seen.Monitor == nil:
		m.step.Again = true
		return
	case m.Seen.Monitor.Phase == client.MonitorLoading || m.Seen.Monitor.Phase == client.MonitorNotStarted:
		m.wait(whileBusy, "waits for Cruise Control, which was restarted and is loading")
		return
	case m.Kafka == nil:
		m.wait(whileBusy, "waits for Kafka: %v", m.KafkaError)
		return
	}
	moving := m.ownReassignments()
	if len(moving) > 0 && m.mayFinish(moving) {
		m.wait(whileBusy, "Cruise Control was lost; Kafka goes on with %d partitions", len(moving))
		return
	}
	m.to(v1beta1.OperationCleaning)
}

// mayFinish tells whether a batch that Cruise Control left behind is worth waiting for: no broker that it goes to is dead, and
// it advances.
func (m *machine) mayFinish(moving []reassignment) bool {
	for _, r := range moving {
		for _, id := range r.Target() {
			if b, member := m.Kafka.Brokers[id]; !member || b.Fenced {
				return false
			}
		}
	}
	left := int32(len(moving))
	if m.status.Leftovers == nil || left < m.status.Leftovers.Reassignments {
		m.status.Leftovers = &v1beta1.OperationLeftovers{Reassignments: left}
		m.noteAdvance()
	}
	return m.Now.Sub(m.lastAdvance()) < m.stallDeadline()
}
