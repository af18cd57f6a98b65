package machine

import (
	"maps"
	"slices"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/apis/machinery/kafka"
	"koperator.dev/koperator/cruisecontrol/client"
)

type reassignment = kafka.Reassignment

// ownReassignments are those that this operation's plan asked for.
func (m *machine) ownReassignments() []reassignment {
	if m.Record == nil || m.Kafka == nil {
		return nil
	}
	mine, _ := ours(m.Record.Moves, m.Kafka.Reassignments)
	return mine
}

// cleaning removes what the attempt has left in Kafka and in Cruise Control: what is its own, and nothing else.
func (m *machine) cleaning() {
	switch {
	case m.Kafka == nil:
		m.unclean("Unreachable", "waits for Kafka: %v", m.KafkaError)
	case m.Seen.Err == nil && m.Seen.Executor != nil && m.isExecuted() && m.task().UserTaskID != "":
		m.to(v1beta1.OperationStopping)
	case m.movesBetweenBrokers(), m.movesBetweenItsDisks(), m.isStillThrottled(), m.isRemembered():
	default:
		m.cleaned()
	}
}

// unclean says what is left, and why.
func (m *machine) unclean(reason, format string, args ...any) {
	m.wait(whileBusy, format, args...)
	m.no(v1beta1.ConditionClean, reason, "%s", m.message)
	if m.status.Leftovers == nil {
		m.status.Leftovers = &v1beta1.OperationLeftovers{}
	}
	m.status.Leftovers.Message = shortened(m.message, maxSummary)
}

// movesBetweenBrokers cancels what Kafka still reassigns for the plan.
func (m *machine) movesBetweenBrokers() bool {
	moving := m.ownReassignments()
	if len(moving) == 0 {
		return false
	}
	m.status.Leftovers = &v1beta1.OperationLeftovers{Reassignments: int32(len(moving))}
	if a, ok := answered[CancelReassignments](m); ok {
		if a.Err != nil {
			m.unclean("NotCancelled", "cancelling reassignments: %v", a.Err)
		} else {
			m.unclean("Cancelling", "cancels the reassignments of %s", partitionsOf(moving))
		}
		return true
	}
	if m.task().Outcome == outcomeCompleted {
		m.unclean("Moving", "waits until Kafka has reassigned %s", partitionsOf(moving))
		return true
	}
	cancel := CancelReassignments{}
	for _, r := range moving {
		cancel.Partitions = append(cancel.Partitions, r.TopicPartition)
	}
	m.do(cancel)
	return true
}

// movesBetweenItsDisks waits for what moves between the disks of a broker: that cannot be cancelled.
func (m *machine) movesBetweenItsDisks() bool {
	if !movesBetweenDisks(m.Operation) || m.task().SubmittedAt == nil {
		return false
	}
	if m.LogDirs == nil {
		if m.step.Again = m.LogDirsError == nil; m.step.Again {
			return true
		}
		m.unclean("Unreachable", "reading log directories: %v", m.LogDirsError)
		return true
	}
	for _, id := range slices.Sorted(maps.Keys(m.LogDirs)) {
		for _, dir := range m.LogDirs[id] {
			if dir.Future > 0 {
				m.unclean("Moving", "waits until broker %d has moved %d replicas to %s", id, dir.Future, dir.Path)
				return true
			}
		}
	}
	return false
}

// isStillThrottled removes our own throttle. On brokers that do not serve it cannot be removed: that is done when they are back.
func (m *machine) isStillThrottled() bool {
	if m.Record == nil || m.Record.Throttle == nil {
		return false
	}
	if m.Throttles == nil {
		if m.step.Again = m.KafkaError == nil; m.step.Again {
			return true
		}
		m.unclean("Unreachable", "reading throttles: %v", m.KafkaError)
		return true
	}
	left := m.Record.Throttle.left(m.Throttles)
	if a, ok := answered[RemoveThrottle](m); ok && left.Count() > 0 {
		m.unclean("Throttled", "removing the throttle: %v", orElseText(a.Err, "it is still there"))
		m.status.Leftovers.Throttles = int32(left.Count())
		return true
	}
	if left.Count() > 0 {
		m.do(left)
		return true
	}
	kept := m.Record.Throttle.onBrokers(m.unreadBrokers())
	m.status.Throttle = kept.status()
	if !kept.equal(m.Record.Throttle) {
		record := *m.Record
		record.Throttle = kept
		m.do(KeepRecord{record})
		return true
	}
	return false
}

// unreadBrokers are those with a throttle of ours that could not be asked, and exist.
func (m *machine) unreadBrokers() []int32 {
	var ids []int32
	for _, id := range m.Record.Throttle.Brokers {
		_, member := m.Kafka.Brokers[id]
		if _, read := m.Throttles.Brokers[id]; member && !read {
			ids = append(ids, id)
		}
	}
	return ids
}

// onBrokers is the part of a throttle that is on these brokers; nil if there is none.
func (t *Throttle) onBrokers(ids []int32) *Throttle {
	if len(ids) == 0 {
		return nil
	}
	return &Throttle{Rate: t.Rate, Brokers: ids}
}

// status is what status shows of a throttle.
func (t *Throttle) status() *v1beta1.OperationThrottle {
	if t == nil {
		return nil
	}
	return &v1beta1.OperationThrottle{Rate: t.Rate, Brokers: t.Brokers, Topics: int32(len(t.Topics))}
}

func (t *Throttle) equal(other *Throttle) bool {
	if t == nil || other == nil {
		return t == other
	}
	return t.Rate == other.Rate && slices.Equal(t.Brokers, other.Brokers) && slices.Equal(t.Topics, other.Topics)
}

// cleansLate removes a throttle from brokers that did not serve when the attempt ended.
func (m *machine) cleansLate() bool {
	if m.status.Throttle == nil || m.Record == nil || m.Record.Throttle == nil || m.Kafka == nil || m.Throttles == nil {
		return false
	}
	left := m.Record.Throttle.left(m.Throttles)
	if _, done := answered[RemoveThrottle](m); left.Count() > 0 {
		if !done {
			m.do(left)
		}
		return !done
	}
	kept := m.Record.Throttle.onBrokers(m.unreadBrokers())
	m.status.Throttle = kept.status()
	if kept.equal(m.Record.Throttle) {
		return false
	}
	record := *m.Record
	record.Throttle = kept
	m.do(KeepRecord{record})
	return true
}

// isRemembered has Cruise Control forget brokers of an attempt that did not succeed: plans would leave them out. One that was
// restarted has forgotten them.
func (m *machine) isRemembered() bool {
	t, failed := m.task(), m.task().Outcome != outcomeCompleted && m.task().Outcome != outcomeNothingToDo
	if !failed || t.SubmittedAt == nil || m.spec().Type != v1beta1.RemoveBrokers && m.spec().Type != v1beta1.DemoteBrokers {
		return false
	}
	if m.Cluster.Instance != t.Instance {
		return false
	}
	if m.Seen.Err != nil || m.Seen.Executor == nil {
		m.unclean("Remembered", "waits for Cruise Control, to have it forget the brokers: %s", orElseText(m.Seen.Err, "it was not asked"))
		return true
	}
	forget := ForgetBrokers{Token: forgetToken(m.Operation.UID, t.Attempt)}
	if m.spec().Type == v1beta1.RemoveBrokers {
		forget.Removed = both(m.Seen.Executor.RecentlyRemovedBrokers, m.spec().Brokers)
	} else {
		forget.Demoted = both(m.Seen.Executor.RecentlyDemotedBrokers, m.spec().Brokers)
	}
	if len(forget.Removed)+len(forget.Demoted) == 0 {
		return false
	}
	if a, ok := answered[ForgetBrokers](m); ok {
		if a.Err == nil {
			return false
		}
		m.unclean("Remembered", "having Cruise Control forget the brokers: %v", a.Err)
		m.status.Leftovers.RecentlyRemoved = true
		return true
	}
	m.do(forget)
	return true
}

func both(a, b []int32) []int32 {
	return slices.DeleteFunc(slices.Clone(a), func(id int32) bool { return !slices.Contains(b, id) })
}

// cleaned goes on after the attempt.
func (m *machine) cleaned() {
	t := m.task()
	m.yes(v1beta1.ConditionClean, "Clean", "nothing of the operation is left in Kafka")
	m.status.Leftovers = nil
	if t.SubmittedAt != nil {
		m.status.ChangedAt = microTimeOf(m.Now)
	}
	switch {
	case m.cancelled():
		m.endCancelled()
	case t.StopReason == stopChanged:
		m.again(v1beta1.OperationQueued, m.Now)
		m.status.RetryAt = nil
	case t.Outcome == outcomeFailed:
		m.submissionFailed(&client.Error{Class: client.Class(t.ErrorClass), Message: t.ErrorMessage})
	default:
		m.to(v1beta1.OperationSettling)
	}
}

// submissionFailed reacts to a request whose plan could not be made, or not executed.
func (m *machine) submissionFailed(failure *client.Error) {
	m.no(v1beta1.ConditionExecuting, string(failure.Class), "%s", m.withNext(failure))
	m.noteReadiness(failure)
	switch m.reactionTo(failure) {
	case waits:
		m.again(v1beta1.OperationQueued, m.Now.Add(m.pauseAfter(failure)))
	case verifies:
		m.task().Outcome = outcomeNothingToDo
		m.to(v1beta1.OperationSettling)
	case fails:
		m.end(v1beta1.OperationFailed, string(failure.Class), "%s", failure.Message)
	case widens:
		m.widen(failure)
	default:
		m.tryAgain(failure.Message)
	}
}
