package machine

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/apis/machinery/kafka"
	"koperator.dev/koperator/cruisecontrol/client"
)

// planAge is how old a plan may be that is executed without being made again.
const planAge = time.Minute

// submitting sends the operation to be executed. What it is found again by is written before.
func (m *machine) submitting() {
	if a, ok := answered[Submit](m); ok {
		m.submitted(a)
		return
	}
	if m.task().IntentAt != nil {
		m.adopting()
		return
	}
	switch {
	case m.cancelled():
		m.task().StopReason = stopCancelled
		m.over(outcomeStopped, nil)
	case m.adoptsForgotten():
	case m.isObstructed():
		m.standBack()
	case !m.isFresh():
		m.to(v1beta1.OperationSettling)
		m.standBack()
	case !m.protected():
		m.do(Protect{})
	case !m.Granted:
		m.takeGrant()
	case !m.isThrottled():
	default:
		m.submit()
	}
}

// standBack undoes what was prepared, so that nothing waits for an operation that cannot go on itself.
func (m *machine) standBack() {
	switch {
	case m.protected():
		m.task().StopReason = stopChanged
		m.over(outcomeStopped, nil)
	case m.status.Phase == v1beta1.OperationSubmitting:
		m.task().ErrorMessage = shortened(m.message, maxErrorMessage)
		m.status.RetryAt = timeOf(m.Now.Add(obstructedPause))
		m.to(v1beta1.OperationQueued)
		m.wait(obstructedPause, "%s", m.task().ErrorMessage)
	}
}

// obstructedPause is how long others go first when something is in the way of an operation.
const obstructedPause = time.Minute

// isFresh tells whether the plan is still that of the cluster as it is.
func (m *machine) isFresh() bool {
	p, r := m.status.Proposal, m.Record
	planned := p != nil && r != nil && r.Attempt == m.task().Attempt && r.Hash == p.Hash
	return planned && m.settled() && m.Now.Sub(p.ComputedAt.Time) <= planAge && m.status.ChangedAt.Before(microTimeOf(p.ComputedAt.Time))
}

// isObstructed tells whether somebody or something else is in the way.
func (m *machine) isObstructed() bool {
	what := "Obstructed"
	switch {
	case !m.Granted && (m.spec().Suspend || m.Cluster.Problem != "" || !m.Turn.Mine):
		m.to(v1beta1.OperationQueued)
		return true
	case m.Kafka == nil:
		m.wait(whileBusy, "waits for Kafka: %v", m.KafkaError)
	case m.Cluster.Instance == "" || m.Seen.Err != nil:
		m.wait(whileBusy, "waits for Cruise Control: %s", orElseText(m.Seen.Err, "it does not run"))
	case m.Seen.Executor.Phase != client.NoTaskInProgress:
		what = string(client.Busy)
		m.wait(whileWaiting, "waits until Cruise Control has finished what it executes (%s)", executes(m.Seen.Executor))
	case len(m.Kafka.Reassignments) > 0:
		what = string(client.ForeignReassignment)
		m.wait(whileWaiting, "waits until %s are reassigned by others", partitionsOf(m.Kafka.Reassignments))
	case m.hasForeignThrottle():
		what = "ForeignThrottle"
		m.wait(whileWaiting, "waits because %s: remove it, or leave out replicationThrottle", m.foreignThrottle())
	default:
		return false
	}
	m.no(v1beta1.ConditionExecuting, what, "%s", m.message)
	return true
}

func orElseText(err error, otherwise string) string {
	if err == nil {
		return otherwise
	}
	return err.Error()
}

// executes is what is being executed, by whatever names it.
func executes(e *client.ExecutorState) string {
	switch {
	case e.TriggeredSelfHealingTaskID != "":
		return "self-healing " + e.TriggeredSelfHealingTaskID
	case e.TriggeredTaskReason != "":
		return e.TriggeredTaskReason
	}
	return string(e.Phase)
}

func partitionsOf(reassignments []kafka.Reassignment) string {
	const most = 5
	var names []string
	for i := range reassignments[:min(len(reassignments), most)] {
		names = append(names, reassignments[i].String())
	}
	if more := len(reassignments) - most; more > 0 {
		return fmt.Sprintf("%s and %d more partitions", strings.Join(names, ", "), more)
	}
	return strings.Join(names, ", ")
}

func (m *machine) hasForeignThrottle() bool {
	return wantsThrottle(m.Operation, m.Record) && m.Throttles != nil && m.foreignThrottle() != ""
}

// takeGrant takes the grant of the cluster, or waits for whoever has it.
func (m *machine) takeGrant() {
	a, ok := answered[TakeGrant](m)
	if !ok {
		m.do(TakeGrant{What: strings.ToLower(string(m.spec().Type))})
		return
	}
	m.wait(whileBusy, "waits for %s, which disturbs the cluster since %s (%s)", a.Grant.Holder, a.Grant.Since.UTC().Format(time.TimeOnly), a.Grant.What)
	m.no(v1beta1.ConditionExecuting, "DisruptionInProgress", "%s", m.message)
}

// isThrottled tells whether the throttle is as it is wanted, and makes it so: recorded first.
func (m *machine) isThrottled() bool {
	if !wantsThrottle(m.Operation, m.Record) {
		return true
	}
	if _, ok := answered[SetThrottle](m); ok && m.Answer.Err != nil {
		m.wait(whileBusy, "setting the throttle: %v", m.Answer.Err)
		return false
	}
	wanted := m.wantedThrottle()
	switch {
	case m.Throttles == nil:
		m.wait(whileBusy, "reading throttles: %v", m.KafkaError)
		m.step.Again = m.KafkaError == nil
	case !m.Record.Throttle.covers(wanted):
		record := *m.Record
		record.Throttle = record.Throttle.with(wanted)
		m.do(KeepRecord{record})
	case !wanted.isSet(m.Throttles):
		m.do(SetThrottle{*wanted})
	default:
		m.status.Throttle = wanted.status()
		return true
	}
	return false
}

// submit sends it, once the intent is written.
func (m *machine) submit() {
	t := m.task()
	t.CorrelationID, t.Instance, t.IntentAt = m.token(), m.Cluster.Instance, microTimeOf(m.Now)
	m.status.RetryAt = nil
	m.say("sent to Cruise Control")
	m.durably(Submit{Request: m.recordedRequest(), Token: t.CorrelationID})
}

// recordedRequest is the request as it was planned, and is sent.
func (m *machine) recordedRequest() Request {
	r := Request{Spec: m.spec(), IncludeRemoved: m.task().IncludeRecentlyRemoved}
	if m.Record != nil {
		r.Destinations, r.IncludeRemoved = m.Record.Destinations, m.Record.IncludeRemoved
	}
	return r
}

func (m *machine) submitted(a Answer) {
	t := m.task()
	var failure *client.Error
	switch {
	case a.Err == nil:
		t.UserTaskID, t.SubmittedAt = string(a.Plan.TaskID), timeOf(m.Now)
		m.to(v1beta1.OperationExecuting)
		m.say("sent to Cruise Control: %s", describe(m.status.Proposal))
		if a.Plan.Result != nil {
			m.executes(a.Plan.Result)
		}
	case !errors.As(a.Err, &failure), failure.UserTaskID == "" && !failure.NotRegistered():
		m.wait(whilePlanning, "finding out whether Cruise Control has got the operation: %v", a.Err)
	default:
		// It is certain that nothing is executed: there is no task, or it failed.
		t.UserTaskID = string(failure.UserTaskID)
		m.over(outcomeFailed, failure)
	}
}

// answerTimeout is how long the client waits for an answer, and a little more: a request that is not there then never will be.
const answerTimeout = 40 * time.Second

// adopting finds the task of a request whose answer is not known.
func (m *machine) adopting() {
	t := m.task()
	if a, ok := answered[Find](m); ok {
		m.searched(a)
		return
	}
	switch {
	case m.Cluster.Instance == "":
		m.wait(whileBusy, "waits for Cruise Control, to ask it whether it has got the operation")
	case m.Cluster.Instance != t.Instance && t.Instance != "":
		m.over(outcomeRestarted, nil)
	case m.Seen.Err != nil:
		m.wait(whileBusy, "finding out whether Cruise Control has got the operation: %v", m.Seen.Err)
	case tokenOf(m.Seen.Executor) == t.CorrelationID && m.Seen.Executor.TriggeredUserTaskID != "":
		m.adopt(m.Seen.Executor.TriggeredUserTaskID)
	default:
		m.do(Find{Type: m.spec().Type})
	}
}

func (m *machine) searched(a Answer) {
	t := m.task()
	for _, task := range a.Tasks.Tasks {
		if task.Reason() == t.CorrelationID {
			m.adopt(task.ID)
			return
		}
	}
	switch since := m.Now.Sub(t.IntentAt.Time); {
	case a.Err != nil:
		m.wait(whileBusy, "finding out whether Cruise Control has got the operation: %v", a.Err)
	case !a.Tasks.Complete:
		m.wait(whileBusy, "finding out whether Cruise Control has got the operation: its list of tasks is cut off")
	case since <= answerTimeout:
		m.wait(min(answerTimeout-since+time.Second, whileBusy), "finding out whether Cruise Control has got the operation")
	default:
		m.over(outcomeTaskLost, nil)
	}
}

func (m *machine) adopt(id client.TaskID) {
	t := m.task()
	t.UserTaskID = string(id)
	if t.SubmittedAt == nil {
		t.SubmittedAt = timeOf(t.IntentAt.Time)
	}
	m.to(v1beta1.OperationExecuting)
}

// adoptsForgotten takes over an execution of this operation that nothing else is known of.
func (m *machine) adoptsForgotten() bool {
	attempt := attemptOf(m.Operation.UID, tokenOf(m.Seen.Executor))
	if attempt == 0 || m.Seen.Executor.Phase == client.NoTaskInProgress {
		return false
	}
	m.status.Task = &v1beta1.OperationTask{
		Attempt: attempt, CorrelationID: executionToken(m.Operation.UID, attempt), Instance: m.Seen.Instance, IntentAt: microTimeOf(m.Now),
	}
	m.adopt(m.Seen.Executor.TriggeredUserTaskID)
	return true
}
