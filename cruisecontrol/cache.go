package cruisecontrol

import (
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

// CachedObjects says what of each kind is kept in memory: just what belongs to Cruise Control. Of brokers, what matters is in
// the status of their KafkaCluster.
func CachedObjects() map[client.Object]cache.ByObject {
	ours := labels.SelectorFromSet(labels.Set{v1beta1.LabelComponent: v1beta1.ComponentCruiseControl})
	return map[client.Object]cache.ByObject{
		&corev1.Pod{}:                   {Label: ours, Transform: stripPod},
		&corev1.ConfigMap{}:             {Label: ours},
		&corev1.Service{}:               {Label: ours},
		&corev1.ServiceAccount{}:        {Label: ours},
		&appsv1.Deployment{}:            {Label: ours},
		&policyv1.PodDisruptionBudget{}: {Label: ours},
		&networkingv1.NetworkPolicy{}:   {Label: ours},
	}
}

// stripPod keeps whose Pod it is, and its containers' state: which of them runs is what tasks live and die with.
func stripPod(obj any) (any, error) {
	pod, ok := obj.(*corev1.Pod)
	if !ok {
		return obj, nil
	}
	pod.ManagedFields, pod.Annotations, pod.Spec = nil, nil, corev1.PodSpec{}
	pod.Status = corev1.PodStatus{Phase: pod.Status.Phase, Conditions: pod.Status.Conditions, ContainerStatuses: pod.Status.ContainerStatuses}
	return pod, nil
}
