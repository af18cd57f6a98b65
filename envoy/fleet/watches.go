package fleet

import (
	"context"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/envoy/fleet/acks"
)

// A failed pass is tried again soon, and never later than this: the default grows to a quarter of an hour.
const (
	firstRetry = 200 * time.Millisecond
	lastRetry  = 30 * time.Second
)

// concurrentClusters is how many KafkaClusters are worked on at once.
const concurrentClusters = 8

// SetupWithManager watches everything that decides what proxies serve, on every replica.
func (p *Publisher) SetupWithManager(mgr ctrl.Manager) error {
	byLabel := handler.EnqueueRequestsFromMapFunc(clusterOf)
	return ctrl.NewControllerManagedBy(mgr).
		Named("publisher").
		For(&v1beta1.KafkaCluster{}).
		Watches(&corev1.Pod{}, byLabel, builder.WithPredicates(predicate.NewPredicateFuncs(isBrokerPod))).
		Watches(&corev1.Service{}, byLabel).
		WithOptions(options(false)).
		Complete(p)
}

// SetupWithManager watches everything that a pass reads, on the replica that leads.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	byLabel := handler.EnqueueRequestsFromMapFunc(clusterOf)
	changed := builder.WithPredicates(predicate.Or(predicate.GenerationChangedPredicate{}, predicate.LabelChangedPredicate{}, predicate.AnnotationChangedPredicate{}))
	return ctrl.NewControllerManagedBy(mgr).
		Named("fleet").
		For(&v1beta1.KafkaCluster{}).
		Watches(&corev1.Pod{}, byLabel).
		Watches(&corev1.Service{}, byLabel).
		Watches(&corev1.ServiceAccount{}, byLabel).
		// What the other replicas tell is in ConfigMaps, too.
		Watches(&corev1.ConfigMap{}, reportHandler()).
		Watches(&appsv1.Deployment{}, byLabel, changed).
		Watches(&policyv1.PodDisruptionBudget{}, byLabel, changed).
		Watches(&networkingv1.NetworkPolicy{}, byLabel, changed).
		WatchesRawSource(r.Bell).
		WithOptions(options(true)).
		Complete(r)
}

func options(leads bool) controller.Options {
	return controller.Options{
		MaxConcurrentReconciles: concurrentClusters,
		NeedLeaderElection:      ptr.To(leads),
		RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](firstRetry, lastRetry),
	}
}

// clusterOf finds the cluster by label: brokers' Pods have it, and all that belongs to proxies.
func clusterOf(_ context.Context, obj client.Object) []reconcile.Request {
	name := obj.GetLabels()[v1beta1.LabelCluster]
	if name == "" {
		return nil
	}
	return []reconcile.Request{{NamespacedName: types.NamespacedName{Namespace: obj.GetNamespace(), Name: name}}}
}

func isBrokerPod(obj client.Object) bool { return obj.GetLabels()[v1beta1.LabelBroker] == "true" }

// reportHandler finds the clusters whose proxies have answered to another replica. Every other ConfigMap is of one cluster.
func reportHandler() handler.EventHandler {
	enqueue := func(ctx context.Context, before, after client.Object, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) {
		for cluster := range acks.Changed(reportData(before), reportData(after)) {
			queue.Add(reconcile.Request{NamespacedName: types.NamespacedName{Namespace: cluster[0], Name: cluster[1]}})
		}
		for _, obj := range []client.Object{before, after} {
			if obj != nil {
				for _, request := range clusterOf(ctx, obj) {
					queue.Add(request)
				}
			}
		}
	}
	return handler.Funcs{
		CreateFunc: func(ctx context.Context, e event.CreateEvent, q workqueue.TypedRateLimitingInterface[reconcile.Request]) {
			enqueue(ctx, nil, e.Object, q)
		},
		UpdateFunc: func(ctx context.Context, e event.UpdateEvent, q workqueue.TypedRateLimitingInterface[reconcile.Request]) {
			enqueue(ctx, e.ObjectOld, e.ObjectNew, q)
		},
		DeleteFunc: func(ctx context.Context, e event.DeleteEvent, q workqueue.TypedRateLimitingInterface[reconcile.Request]) {
			enqueue(ctx, e.Object, nil, q)
		},
	}
}

func reportData(obj client.Object) map[string]string {
	if cm, ok := obj.(*corev1.ConfigMap); ok && cm.Labels[labelAcks] != "" {
		return cm.Data
	}
	return nil
}
