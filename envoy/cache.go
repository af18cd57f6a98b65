package envoy

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

// CachedObjects says what of each kind is kept in memory: Pods of KafkaClusters and what little matters of them, and of
// everything else just what belongs to proxies. What the replicas tell each other is in our own namespace, whichever are
// watched.
func CachedObjects(namespaces []string, own string) map[client.Object]cache.ByObject {
	proxies := cache.ByObject{Label: labels.SelectorFromSet(labels.Set{v1beta1.LabelComponent: v1beta1.ComponentEnvoy})}
	reports := proxies
	for _, namespace := range namespaces {
		if reports.Namespaces == nil {
			reports.Namespaces = map[string]cache.Config{own: {}}
		}
		reports.Namespaces[namespace] = cache.Config{}
	}
	return map[client.Object]cache.ByObject{
		&corev1.Pod{}:                   {Label: hasClusterLabel(), Transform: stripPod},
		&corev1.ConfigMap{}:             reports,
		&corev1.Service{}:               proxies,
		&corev1.ServiceAccount{}:        proxies,
		&appsv1.Deployment{}:            proxies,
		&policyv1.PodDisruptionBudget{}: proxies,
		&networkingv1.NetworkPolicy{}:   proxies,
	}
}

func hasClusterLabel() labels.Selector {
	requirement, err := labels.NewRequirement(v1beta1.LabelCluster, selection.Exists, nil)
	if err != nil {
		panic(err) // a constant label cannot be wrong
	}
	return labels.NewSelector().Add(*requirement)
}

// stripPod keeps whose Pod it is, and its address and readiness.
func stripPod(obj any) (any, error) {
	pod, ok := obj.(*corev1.Pod)
	if !ok {
		return obj, nil
	}
	pod.ManagedFields, pod.OwnerReferences, pod.Spec = nil, nil, corev1.PodSpec{}
	rack, ok := pod.Annotations[v1beta1.AnnotationRack]
	pod.Annotations = nil
	if ok {
		pod.Annotations = map[string]string{v1beta1.AnnotationRack: rack}
	}
	pod.Status = corev1.PodStatus{Phase: pod.Status.Phase, PodIP: pod.Status.PodIP, Conditions: pod.Status.Conditions}
	return pod, nil
}

// syncFirst makes the manager wait for what decides what proxies serve before it starts anything that serves.
func syncFirst(ctx context.Context, c cache.Cache) error {
	for _, obj := range []client.Object{&v1beta1.KafkaCluster{}, &corev1.Pod{}, &corev1.Service{}} {
		if _, err := c.GetInformer(ctx, obj, cache.BlockUntilSynced(false)); err != nil {
			return fmt.Errorf("watching %T: %w", obj, err)
		}
	}
	return nil
}
