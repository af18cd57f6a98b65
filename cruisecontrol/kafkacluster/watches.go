package kafkacluster

import (
	"context"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
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
	ours := builder.WithPredicates(predicate.NewPredicateFuncs(isCruiseControls))
	changed := builder.WithPredicates(predicate.NewPredicateFuncs(isCruiseControls),
		predicate.Or(predicate.GenerationChangedPredicate{}, predicate.LabelChangedPredicate{}, predicate.AnnotationChangedPredicate{}))
	byLabel := handler.EnqueueRequestsFromMapFunc(clusterOfObject)
	return ctrl.NewControllerManagedBy(mgr).
		Named("cruisecontrol").
		For(&v1beta1.KafkaCluster{}).
		Watches(&v1beta1.CruiseControlOperation{}, handler.EnqueueRequestsFromMapFunc(clusterOfOperation)).
		Watches(&corev1.Pod{}, byLabel, ours).
		Watches(&corev1.Service{}, byLabel, ours).
		Watches(&corev1.ServiceAccount{}, byLabel, ours).
		Watches(&corev1.ConfigMap{}, byLabel, ours).
		Watches(&appsv1.Deployment{}, byLabel, changed).
		Watches(&policyv1.PodDisruptionBudget{}, byLabel, changed).
		Watches(&networkingv1.NetworkPolicy{}, byLabel, changed).
		WatchesRawSource(r.Sessions.Source(func(_ context.Context, cluster types.NamespacedName) []reconcile.Request {
			return []reconcile.Request{{NamespacedName: cluster}}
		})).
		WithOptions(controller.Options{
			MaxConcurrentReconciles: concurrentClusters,
			RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](firstRetry, lastRetry),
		}).
		Complete(r)
}

func isCruiseControls(obj client.Object) bool {
	return obj.GetLabels()[v1beta1.LabelComponent] == v1beta1.ComponentCruiseControl
}

func clusterOfObject(_ context.Context, obj client.Object) []reconcile.Request {
	return requestFor(obj.GetNamespace(), obj.GetLabels()[v1beta1.LabelCluster])
}

// clusterOfOperation reads the spec: operations of people have no label.
func clusterOfOperation(_ context.Context, obj client.Object) []reconcile.Request {
	op, ok := obj.(*v1beta1.CruiseControlOperation)
	if !ok {
		return nil
	}
	return requestFor(op.Namespace, op.Spec.ClusterRef.Name)
}

func requestFor(namespace, name string) []reconcile.Request {
	if name == "" {
		return nil
	}
	return []reconcile.Request{{NamespacedName: types.NamespacedName{Namespace: namespace, Name: name}}}
}
