package operation

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/cruisecontrol/operation/machine"
)

// concurrency is how many operations are worked on at a time. A pass waits for Cruise Control and Kafka.
const concurrency = 8

// How soon a pass that failed is tried again.
const (
	firstRetry = 500 * time.Millisecond
	lastRetry  = time.Minute
)

// SetupWithManager adds the Reconciler to a manager.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).
		Named("operation").
		For(&v1beta1.CruiseControlOperation{}).
		Watches(&v1beta1.CruiseControlOperation{}, handler.EnqueueRequestsFromMapFunc(r.othersOf)).
		Watches(&v1beta1.KafkaCluster{}, handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, obj client.Object) []reconcile.Request {
			return r.unfinishedOf(ctx, client.ObjectKeyFromObject(obj))
		})).
		Watches(&corev1.Pod{}, handler.EnqueueRequestsFromMapFunc(r.ofPod)).
		WatchesRawSource(r.sessions.Source(r.activeOf)).
		WithOptions(controller.Options{
			MaxConcurrentReconciles: concurrency,
			RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](firstRetry, lastRetry),
		}).
		Complete(r)
}

// othersOf are the operations that may wait for this one.
func (r *Reconciler) othersOf(ctx context.Context, obj client.Object) []reconcile.Request {
	op, ok := obj.(*v1beta1.CruiseControlOperation)
	if !ok || (!op.Status.Phase.IsFinished() && op.Status.Phase != v1beta1.OperationBackingOff && op.DeletionTimestamp.IsZero()) {
		return nil
	}
	return r.unfinishedOf(ctx, clusterOf(op))
}

// ofPod are the operations of the cluster whose Cruise Control a Pod is.
func (r *Reconciler) ofPod(ctx context.Context, obj client.Object) []reconcile.Request {
	cluster := obj.GetLabels()[v1beta1.LabelCluster]
	if cluster == "" || obj.GetLabels()[v1beta1.LabelComponent] != v1beta1.ComponentCruiseControl {
		return nil
	}
	return r.unfinishedOf(ctx, types.NamespacedName{Namespace: obj.GetNamespace(), Name: cluster})
}

// activeOf are the operations that have to do with what Cruise Control just said.
func (r *Reconciler) activeOf(ctx context.Context, cluster types.NamespacedName) []reconcile.Request {
	return r.requestsOf(ctx, cluster, func(op *v1beta1.CruiseControlOperation) bool {
		return machine.NeedsOf(op, nil).Every > 0
	})
}

func (r *Reconciler) unfinishedOf(ctx context.Context, cluster types.NamespacedName) []reconcile.Request {
	return r.requestsOf(ctx, cluster, func(op *v1beta1.CruiseControlOperation) bool { return !op.Status.Phase.IsFinished() })
}

func (r *Reconciler) requestsOf(ctx context.Context, cluster types.NamespacedName, want func(*v1beta1.CruiseControlOperation) bool) []reconcile.Request {
	all, err := r.operationsOf(ctx, cluster)
	if err != nil {
		log.FromContext(ctx).Error(err, "Operations of a cluster cannot be listed", "cluster", cluster)
		return nil
	}
	var requests []reconcile.Request
	for i := range all {
		if want(&all[i]) {
			requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&all[i])})
		}
	}
	return requests
}
