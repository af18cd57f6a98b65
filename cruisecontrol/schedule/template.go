package schedule

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/cruisecontrol/schedule/cron"
)

// turn is one pass over an operation with a schedule.
type turn struct {
	*Reconciler
	template *v1beta1.CruiseControlOperation
	now      time.Time
	// runs are the operations that were made from it, the oldest first.
	runs []*v1beta1.CruiseControlOperation

	// refused is why the schedule cannot be followed.
	refused error
	// next is when it is due next; zero for never.
	next time.Time
	// made is when the run that was made in this pass was due, skipped that of one that was not.
	made, skipped time.Time
}

// repeat makes the operation that is due, and deletes those of earlier runs that are too many.
func (r *Reconciler) repeat(ctx context.Context, template *v1beta1.CruiseControlOperation) (reconcile.Result, error) {
	t := &turn{Reconciler: r, template: template, now: r.Clock.Now()}
	all, err := r.list(ctx, template.Namespace)
	if err != nil {
		return reconcile.Result{}, err
	}
	for _, op := range all {
		if metav1.IsControlledBy(op, template) {
			t.runs = append(t.runs, op)
		}
	}
	slices.SortFunc(t.runs, func(a, b *v1beta1.CruiseControlOperation) int { return dueAt(a).Compare(dueAt(b)) })
	err = errors.Join(t.run(ctx), t.forget(ctx))
	if err == nil {
		// Last: what status says of a run is so.
		err = t.writeStatus(ctx)
	}
	result := reconcile.Result{}
	if !t.next.IsZero() {
		result.RequeueAfter = max(t.next.Sub(t.now), time.Millisecond)
	}
	return result, err
}

// run makes the operation that is due.
func (t *turn) run(ctx context.Context) error {
	schedule, err := cron.Parse(*t.template.Spec.Schedule)
	if err != nil {
		t.refused = err
		return nil
	}
	if t.template.Spec.Suspend || t.template.Spec.Cancel {
		return nil
	}
	due, next := cron.Due(schedule, t.last(), t.now)
	if next.IsZero() {
		t.refused = errors.New("schedule.cron names a day that never comes")
	}
	t.next = next
	if due.IsZero() {
		return nil
	}
	if busy := t.unfinished(due); busy != nil {
		t.skipped = due
		t.Recorder.Eventf(t.template, busy, corev1.EventTypeWarning, "RunSkipped", "Skip", "the run of %s is left out: operation %s is not finished", due.UTC().Format(time.RFC3339), busy.Name)
		return nil
	}
	t.made = due
	return t.create(ctx, due)
}

// last is the time after which a run counts. Status promises the next one; whoever edits the schedule, or ends its suspension,
// wants none of the past. Without a status, the last run is where to go on.
func (t *turn) last() time.Time {
	status := &t.template.Status
	switch {
	case status.ObservedGeneration == 0:
		last := t.template.CreationTimestamp.Time
		if len(t.runs) > 0 {
			last = dueAt(t.runs[len(t.runs)-1])
		}
		return last
	case status.ObservedGeneration != t.template.Generation || status.NextScheduleTime == nil:
		return t.now
	}
	return status.NextScheduleTime.Add(-time.Second)
}

// unfinished is the run that is still under way; the one of this very time is no other one.
func (t *turn) unfinished(due time.Time) *v1beta1.CruiseControlOperation {
	for _, op := range t.runs {
		if !op.Status.Phase.IsFinished() && op.Name != runName(t.template.Name, due) {
			return op
		}
	}
	return nil
}

// create makes a run. Its name follows from its time: whoever makes it again finds it there.
func (t *turn) create(ctx context.Context, due time.Time) error {
	spec := t.template.Spec.DeepCopy()
	spec.Schedule = nil
	op := &v1beta1.CruiseControlOperation{
		ObjectMeta: metav1.ObjectMeta{
			Name: runName(t.template.Name, due), Namespace: t.template.Namespace,
			Labels: map[string]string{
				v1beta1.LabelOrigin: v1beta1.OriginSchedule, v1beta1.LabelSchedule: t.template.Name,
				v1beta1.LabelCluster: spec.ClusterRef.Name, v1beta1.LabelManagedBy: "koperator",
			},
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: v1beta1.GroupVersion.String(), Kind: "CruiseControlOperation", Name: t.template.Name, UID: t.template.UID, Controller: ptr.To(true),
			}},
		},
		Spec: *spec,
	}
	err := t.Client.Create(ctx, op)
	if apierrors.IsAlreadyExists(err) {
		return nil // its answer was lost
	}
	if err != nil {
		return fmt.Errorf("creating operation %s: %w", op.Name, err)
	}
	t.Recorder.Eventf(t.template, op, corev1.EventTypeNormal, "RunCreated", "Create", "operation %s is the run of %s", op.Name, due.UTC().Format(time.RFC3339))
	return nil
}

// forget deletes the runs that are too many, the oldest first.
func (t *turn) forget(ctx context.Context) error {
	var finished []*v1beta1.CruiseControlOperation
	for _, op := range t.runs {
		if op.Status.Phase.IsFinished() && op.DeletionTimestamp.IsZero() {
			finished = append(finished, op)
		}
	}
	var failures []error
	for _, op := range finished[:max(0, len(finished)-int(ptr.Deref(t.template.Spec.Schedule.HistoryLimit, defaultHistory)))] {
		failures = append(failures, t.delete(ctx, op))
	}
	return errors.Join(failures...)
}

// defaultHistory is what the API has by default.
const defaultHistory = 5

// runName is the name of the run of a time. The API bounds that of the template.
func runName(template string, due time.Time) string {
	return fmt.Sprintf("%s-%d", template, due.Unix()/60)
}

// dueAt is the time that a run was made for. One that somebody has renamed counts as made when it was created.
func dueAt(op *v1beta1.CruiseControlOperation) time.Time {
	var minutes int64
	if _, err := fmt.Sscanf(op.Name[strings.LastIndex(op.Name, "-")+1:], "%d", &minutes); err != nil {
		return op.CreationTimestamp.Time
	}
	return time.Unix(minutes*60, 0)
}
