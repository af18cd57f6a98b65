package machine

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

// SettleTime is how old Cruise Control's view of Kafka can be, and a little more: what it plans earlier after a change may be
// what was right before it.
const SettleTime = 12 * time.Second

// Next decides what is done next with an operation.
func Next(f Facts) Step {
	m := &machine{Facts: f, status: f.Operation.Status.DeepCopy()}
	if m.status.Phase == "" {
		m.status.Phase = v1beta1.OperationPending
	}
	// Each phase is left once at most: what the next one needs may not have been read.
	for range len(handlers) {
		before := m.status.Phase
		m.handle()
		if m.step.Action != nil || m.step.Again || m.status.Phase == before {
			break
		}
		m.Answer = nil
		if !m.hasRead() {
			m.step.Again = true
			break
		}
	}
	m.status.ObservedGeneration = m.Operation.Generation
	m.status.Summary = m.summary()
	m.step.Status = *m.status
	return m.step
}

// machine is the making of one decision.
type machine struct {
	Facts
	status  *v1beta1.CruiseControlOperationStatus
	step    Step
	message string
}

// handlers are what is done in each phase.
var handlers map[v1beta1.OperationPhase]func(*machine)

func init() {
	handlers = map[v1beta1.OperationPhase]func(*machine){
		v1beta1.OperationPending:           (*machine).pending,
		v1beta1.OperationQueued:            (*machine).queued,
		v1beta1.OperationWaitingForMonitor: (*machine).waitingForMonitor,
		v1beta1.OperationSettling:          (*machine).settling,
		v1beta1.OperationProposing:         (*machine).proposing,
		v1beta1.OperationAwaitingApproval:  (*machine).awaitingApproval,
		v1beta1.OperationSubmitting:        (*machine).submitting,
		v1beta1.OperationExecuting:         (*machine).executing,
		v1beta1.OperationStopping:          (*machine).stopping,
		v1beta1.OperationRecovering:        (*machine).recovering,
		v1beta1.OperationCleaning:          (*machine).cleaning,
		v1beta1.OperationVerifying:         (*machine).verifying,
		v1beta1.OperationBackingOff:        (*machine).backingOff,
	}
}

func (m *machine) handle() {
	switch {
	case m.status.Phase.IsFinished():
		m.finished()
	case m.abandoned():
		m.letGo()
	case m.Record != nil && m.Record.Finished != "":
		m.restoreEnd()
	case m.Cluster.Gone && m.protected():
		m.end(v1beta1.OperationFailed, "ClusterGone", "the KafkaCluster was deleted")
	case handlers[m.status.Phase] == nil:
		m.to(v1beta1.OperationPending)
	default:
		handlers[m.status.Phase](m)
	}
}

// hasRead tells whether the facts suffice for the present phase.
func (m *machine) hasRead() bool {
	op := *m.Operation
	op.Status = *m.status
	needs := NeedsOf(&op, m.Record)
	switch {
	case needs.Kafka && m.Kafka == nil && m.KafkaError == nil,
		needs.Throttles && m.Throttles == nil && m.KafkaError == nil,
		(needs.AllLogDirs || len(needs.LogDirs) > 0) && m.LogDirs == nil && m.LogDirsError == nil,
		needs.CruiseControl && m.Seen.At.IsZero(),
		needs.CruiseControl && needs.Monitor && m.Seen.Monitor == nil && m.Seen.Err == nil,
		needs.CruiseControl && needs.Task != m.Seen.Asked && needs.Task != "":
		return false
	}
	return true
}

// to goes to another phase.
func (m *machine) to(phase v1beta1.OperationPhase) {
	m.status.Phase = phase
	m.message = ""
}

// do has something done; the operation is looked at again with the answer.
func (m *machine) do(a Action) { m.step.Action = a }

// durably has something done once the status is written.
func (m *machine) durably(a Action) {
	m.step.Action, m.step.Durable = a, true
}

// wait says what is waited for, and when to look again; zero if something else will tell.
func (m *machine) wait(after time.Duration, format string, args ...any) {
	m.step.After = after
	m.say(format, args...)
}

func (m *machine) say(format string, args ...any) { m.message = fmt.Sprintf(format, args...) }

// answered tells whether an action of this kind was just carried out, and gives its answer.
func answered[T Action](m *machine) (Answer, bool) {
	if m.Answer == nil {
		return Answer{}, false
	}
	_, ok := m.Answer.To.(T)
	return *m.Answer, ok
}

func (m *machine) spec() *v1beta1.CruiseControlOperationSpec { return &m.Operation.Spec }

// task is the present attempt.
func (m *machine) task() *v1beta1.OperationTask {
	if m.status.Task == nil {
		m.status.Task = &v1beta1.OperationTask{Attempt: 1}
	}
	return m.status.Task
}

func (m *machine) token() string { return executionToken(m.Operation.UID, m.task().Attempt) }

func (m *machine) cancelled() bool { return isCancelled(m.Operation) }

func (m *machine) abandoned() bool {
	_, abandon := m.Operation.Annotations[v1beta1.AnnotationAbandon]
	return !m.Operation.DeletionTimestamp.IsZero() && (abandon || m.Cluster.Gone)
}

// protected tells whether the operation cannot be deleted just now.
func (m *machine) protected() bool {
	for _, finalizer := range m.Operation.Finalizers {
		if finalizer == v1beta1.FinalizerOperation {
			return true
		}
	}
	return false
}

// letGo lets a deleted operation go with whatever it leaves.
func (m *machine) letGo() {
	switch {
	case !m.Cluster.Gone && !m.Released:
		m.do(ReleaseGrant{})
	case m.protected():
		m.do(Unprotect{})
	}
	m.say("let go, with what it may have left in Kafka")
}

// set sets a condition.
func (m *machine) set(condition string, status metav1.ConditionStatus, reason, format string, args ...any) {
	message := fmt.Sprintf(format, args...)
	old := meta.FindStatusCondition(m.status.Conditions, condition)
	c := metav1.Condition{
		Type: condition, Status: status, Reason: reason, Message: shortened(message, maxConditionMessage), ObservedGeneration: m.Operation.Generation,
		LastTransitionTime: metav1.Time{Time: m.Now.Truncate(time.Second)},
	}
	if old != nil && old.Status == status {
		c.LastTransitionTime = old.LastTransitionTime
	}
	meta.SetStatusCondition(&m.status.Conditions, c)
}

func (m *machine) yes(condition, reason, format string, args ...any) {
	m.set(condition, metav1.ConditionTrue, reason, format, args...)
}

func (m *machine) no(condition, reason, format string, args ...any) {
	m.set(condition, metav1.ConditionFalse, reason, format, args...)
}

func isTrue(status *v1beta1.CruiseControlOperationStatus, condition string) bool {
	return meta.IsStatusConditionTrue(status.Conditions, condition)
}

// Bounds of the schema.
const (
	maxConditionMessage = 8 << 10
	maxSummary          = 1024
	maxErrorMessage     = 4096
	maxHistory          = 5
)

func shortened(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	return text[:limit-3] + "..."
}

func timeOf(t time.Time) *metav1.Time { return &metav1.Time{Time: t.Truncate(time.Second)} }

func microTimeOf(t time.Time) *metav1.MicroTime {
	return &metav1.MicroTime{Time: t.Truncate(time.Microsecond)}
}
