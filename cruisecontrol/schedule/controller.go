// Package schedule makes operations from those that have a schedule, and deletes operations whose time is over.
package schedule

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/apis/machinery/apply"
	"koperator.dev/koperator/cruisecontrol/plan"
)

// Reconciler reconciles CruiseControlOperations that have a schedule, and those that have ended.
type Reconciler struct {
	Client   client.Client
	Recorder events.EventRecorder
	Clock    clock.PassiveClock

	apply *apply.Applier
}

// New makes a Reconciler from what a manager has.
func New(mgr ctrl.Manager) *Reconciler {
	return newReconciler(mgr.GetClient(), mgr.GetEventRecorder("cruisecontrol-manager"), clock.RealClock{})
}

func newReconciler(c client.Client, recorder events.EventRecorder, clock clock.PassiveClock) *Reconciler {
	return &Reconciler{Client: c, Recorder: recorder, Clock: clock, apply: apply.New(c, v1beta1.OwnerCruiseControl)}
}

// A failed pass is tried again soon, and never later than this: the default grows to a quarter of an hour.
const (
	firstRetry = 200 * time.Millisecond
	lastRetry  = 30 * time.Second
)

// SetupWithManager watches operations, and wakes the template of each one that was made from it.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	owner := handler.EnqueueRequestForOwner(mgr.GetScheme(), mgr.GetRESTMapper(), &v1beta1.CruiseControlOperation{}, handler.OnlyControllerOwner())
	return ctrl.NewControllerManagedBy(mgr).
		Named("schedule").
		For(&v1beta1.CruiseControlOperation{}).
		Watches(&v1beta1.CruiseControlOperation{}, owner).
		WithOptions(controller.Options{RateLimiter: workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](firstRetry, lastRetry)}).
		Complete(r)
}

// +kubebuilder:rbac:groups=kafka.koperator.dev,resources=cruisecontroloperations,verbs=get;list;watch;create;delete
// +kubebuilder:rbac:groups=kafka.koperator.dev,resources=cruisecontroloperations/status,verbs=patch
// +kubebuilder:rbac:groups=kafka.koperator.dev,resources=kafkaclusters,verbs=get;list;watch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// Reconcile makes the operation of a schedule that is due, or deletes an operation whose time is over.
func (r *Reconciler) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	op := &v1beta1.CruiseControlOperation{}
	if err := r.Client.Get(ctx, req.NamespacedName, op); err != nil {
		if apierrors.IsNotFound(err) {
			return reconcile.Result{}, nil
		}
		return reconcile.Result{}, fmt.Errorf("reading CruiseControlOperation: %w", err)
	}
	switch {
	case !op.DeletionTimestamp.IsZero():
		return reconcile.Result{}, nil
	case op.Spec.Schedule != nil:
		return r.repeat(ctx, op)
	}
	return r.expire(ctx, op)
}

// expire deletes an operation whose time is over.
func (r *Reconciler) expire(ctx context.Context, op *v1beta1.CruiseControlOperation) (reconcile.Result, error) {
	end, ends := expiry(op)
	if !ends {
		return reconcile.Result{}, nil
	}
	if left := end.Sub(r.Clock.Now()); left > 0 {
		return reconcile.Result{RequeueAfter: left}, nil
	}
	isNeeded, err := r.isRecord(ctx, op)
	if err != nil || isNeeded {
		return reconcile.Result{RequeueAfter: recordsEvery}, err
	}
	return reconcile.Result{}, r.delete(ctx, op)
}

// recordsEvery is how often it is looked whether a record is still one.
const recordsEvery = 10 * time.Minute

// expiry is when an operation that has ended is to be deleted, if it ever is.
func expiry(op *v1beta1.CruiseControlOperation) (end time.Time, ends bool) {
	seconds := op.Spec.TTLSecondsAfterFinished
	if op.Status.Phase == v1beta1.OperationFailed {
		seconds = op.Spec.TTLSecondsAfterFailed
	}
	if !op.Status.Phase.IsFinished() || seconds == nil || op.Status.CompletionTime == nil {
		return time.Time{}, false
	}
	return op.Status.CompletionTime.Add(time.Duration(*seconds) * time.Second), true
}

// isRecord tells whether an operation is how it is known what was done for a broker or disk that lives.
func (r *Reconciler) isRecord(ctx context.Context, op *v1beta1.CruiseControlOperation) (bool, error) {
	if op.Labels[v1beta1.LabelOrigin] != v1beta1.OriginPlanner {
		return false, nil
	}
	cluster := &v1beta1.KafkaCluster{}
	if err := r.Client.Get(ctx, client.ObjectKey{Namespace: op.Namespace, Name: op.Spec.ClusterRef.Name}, cluster); err != nil {
		if apierrors.IsNotFound(err) {
			return false, nil
		}
		return false, fmt.Errorf("reading KafkaCluster: %w", err)
	}
	all, err := r.list(ctx, op.Namespace)
	return plan.IsRecord(cluster, all, op), err
}

func (r *Reconciler) list(ctx context.Context, namespace string) ([]*v1beta1.CruiseControlOperation, error) {
	list := &v1beta1.CruiseControlOperationList{}
	if err := r.Client.List(ctx, list, client.InNamespace(namespace)); err != nil {
		return nil, fmt.Errorf("listing operations: %w", err)
	}
	operations := make([]*v1beta1.CruiseControlOperation, len(list.Items))
	for i := range list.Items {
		operations[i] = &list.Items[i]
	}
	return operations, nil
}

func (r *Reconciler) delete(ctx context.Context, op *v1beta1.CruiseControlOperation) error {
	uid := op.UID
	if err := r.Client.Delete(ctx, op, client.Preconditions{UID: &uid}); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("deleting operation %s: %w", op.Name, err)
	}
	return nil
}
