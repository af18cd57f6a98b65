package schedule

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	kafkaac "koperator.dev/koperator/apis/kafka/v1beta1/applyconfiguration/kafka/v1beta1"
)

// Reasons of the condition Accepted of an operation with a schedule.
const (
	reasonScheduled = "Scheduled"
	reasonSkipped   = "RunSkipped"
	reasonSuspended = "Suspended"
	reasonCancelled = "Cancelled"
	reasonInvalid   = "InvalidSchedule"
)

// writeStatus says when the operation was repeated and will be.
func (t *turn) writeStatus(ctx context.Context) error {
	before, after := &t.template.Status, t.status()
	if equality.Semantic.DeepEqual(before, after) {
		return nil
	}
	wanted := &kafkaac.CruiseControlOperationStatusApplyConfiguration{}
	body, err := json.Marshal(after)
	if err != nil {
		return fmt.Errorf("marshaling status: %w", err)
	}
	if err := json.Unmarshal(body, wanted); err != nil {
		return fmt.Errorf("unmarshaling status: %w", err)
	}
	return t.apply.Status(ctx, kafkaac.CruiseControlOperation(t.template.Name, t.template.Namespace).WithStatus(wanted))
}

// status computes the status of an operation with a schedule.
func (t *turn) status() *v1beta1.CruiseControlOperationStatus {
	accepted := t.accepted(meta.FindStatusCondition(t.template.Status.Conditions, v1beta1.ConditionAccepted))
	after := &v1beta1.CruiseControlOperationStatus{
		ObservedGeneration: t.template.Generation, Phase: v1beta1.OperationScheduled, LastScheduleTime: t.lastRun(),
		Summary: &v1beta1.OperationSummary{Message: accepted.Message}, Conditions: []metav1.Condition{accepted},
	}
	if t.refused != nil {
		after.Phase = v1beta1.OperationPending
	}
	if !t.next.IsZero() {
		after.NextScheduleTime = &metav1.Time{Time: t.next}
	}
	return after
}

// accepted says whether the schedule can be followed, and what becomes of it. That a run was left out is said until there is
// another one.
func (t *turn) accepted(before *metav1.Condition) metav1.Condition {
	condition := metav1.Condition{Type: v1beta1.ConditionAccepted, Status: metav1.ConditionTrue}
	switch {
	case t.refused != nil:
		condition.Status, condition.Reason, condition.Message = metav1.ConditionFalse, reasonInvalid, t.refused.Error()
	case t.template.Spec.Cancel:
		condition.Reason, condition.Message = reasonCancelled, "no operation is made any more (spec.cancel)"
	case t.template.Spec.Suspend:
		condition.Reason, condition.Message = reasonSuspended, "no operation is made until spec.suspend is false"
	case !t.skipped.IsZero():
		condition.Reason = reasonSkipped
		condition.Message = fmt.Sprintf("the run of %s was left out, because the last one was not finished", t.skipped.UTC().Format(time.RFC3339))
	case t.made.IsZero() && before != nil && before.Reason == reasonSkipped && before.ObservedGeneration == t.template.Generation:
		condition.Reason, condition.Message = before.Reason, before.Message
	default:
		condition.Reason, condition.Message = reasonScheduled, "the next run is due at "+t.next.UTC().Format(time.RFC3339)
	}
	condition.ObservedGeneration = t.template.Generation
	condition.LastTransitionTime = metav1.NewTime(t.now.Truncate(time.Second))
	if before != nil && before.Status == condition.Status {
		condition.LastTransitionTime = before.LastTransitionTime
	}
	return condition
}

// lastRun is when the last run was due.
func (t *turn) lastRun() *metav1.Time {
	switch {
	case !t.made.IsZero():
		return &metav1.Time{Time: t.made}
	case t.template.Status.LastScheduleTime != nil:
		return t.template.Status.LastScheduleTime
	case len(t.runs) > 0:
		return &metav1.Time{Time: dueAt(t.runs[len(t.runs)-1])}
	}
	return nil
}
