package kafkacluster

import (
	"context"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

// A failed pass is tried again soon, and never later than this: the default grows to a quarter of an hour.
const (
	firstRetry = 200 * time.Millisecond
	lastRetry  = 30 * time.Second
)

// concurrentClusters is how many KafkaClusters are worked on at once.
const concurrentClusters = 8

// SetupWithManager watches everything that a pass reads.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	// Every change of a Pod counts, also one of its status alone: a crashed broker shows nowhere else.
	byLabel := handler.EnqueueRequestsFromMapFunc(clusterOf)
	return ctrl.NewControllerManagedBy(mgr).
		Named("kafkacluster").
		For(&v1beta1.KafkaCluster{}, builder.WithPredicates(ofInterest())).
		Watches(&corev1.Pod{}, byLabel).
		Watches(&corev1.PersistentVolumeClaim{}, byLabel).
		Watches(&corev1.ConfigMap{}, byLabel).
		Watches(&corev1.Service{}, byLabel).
		Watches(&corev1.ServiceAccount{}, byLabel).
		Watches(&policyv1.PodDisruptionBudget{}, byLabel, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&networkingv1.NetworkPolicy{}, byLabel).
		Watches(&coordinationv1.Lease{}, byLabel).
		Watches(&corev1.Node{}, handler.EnqueueRequestsFromMapFunc(r.clustersOnNode), builder.WithPredicates(nodeMatters())).
		WithOptions(controller.Options{
			MaxConcurrentReconciles: concurrentClusters,
			RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](firstRetry, lastRetry),
		}).
		Complete(r)
}

// clusterOf finds the cluster by label and not by owner: retained claims have no owner.
func clusterOf(_ context.Context, obj client.Object) []reconcile.Request {
	name := obj.GetLabels()[v1beta1.LabelCluster]
	if name == "" {
		return nil
	}
	return []reconcile.Request{{NamespacedName: types.NamespacedName{Namespace: obj.GetNamespace(), Name: name}}}
}

// clustersOnNode finds the clusters that have a Pod on a Node.
func (r *Reconciler) clustersOnNode(ctx context.Context, node client.Object) []reconcile.Request {
	pods := &corev1.PodList{}
	if err := r.client.List(ctx, pods, client.UnsafeDisableDeepCopy); err != nil {
		return nil // only a cache that is not started fails, and then every cluster is reconciled anyway
	}
	found := map[types.NamespacedName]bool{}
	var requests []reconcile.Request
	for i := range pods.Items {
		if pods.Items[i].Spec.NodeName != node.GetName() {
			continue
		}
		for _, request := range clusterOf(ctx, &pods.Items[i]) {
			if !found[request.NamespacedName] {
				found[request.NamespacedName] = true
				requests = append(requests, request)
			}
		}
	}
	return requests
}

// ofInterest lets through the changes of a KafkaCluster that a pass has an answer to.
func ofInterest() predicate.Predicate {
	return predicate.Or(predicate.GenerationChangedPredicate{}, predicate.AnnotationChangedPredicate{}, statusLost(), externalAccessChanged())
}

// statusLost finds the deletion of status, which is written again at once. Our own writes are not worth a pass.
func statusLost() predicate.Predicate {
	return predicate.Funcs{
		CreateFunc: func(event.CreateEvent) bool { return true },
		UpdateFunc: func(e event.UpdateEvent) bool {
			before, _ := e.ObjectOld.(*v1beta1.KafkaCluster)
			after, _ := e.ObjectNew.(*v1beta1.KafkaCluster)
			return before != nil && after != nil && len(ownConditions(after.Status.Conditions)) < len(ownConditions(before.Status.Conditions))
		},
	}
}

// nodeMatters lets through what repair looks at: a Node that comes, goes, or is tainted. Its heartbeats do not matter.
func nodeMatters() predicate.Predicate {
	return predicate.Funcs{
		UpdateFunc: func(e event.UpdateEvent) bool {
			before, _ := e.ObjectOld.(*corev1.Node)
			after, _ := e.ObjectNew.(*corev1.Node)
			return before == nil || after == nil || isOutOfService(before) != isOutOfService(after)
		},
	}
}
