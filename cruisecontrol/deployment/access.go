package deployment

import (
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	networkingv1ac "k8s.io/client-go/applyconfigurations/networking/v1"
	policyv1ac "k8s.io/client-go/applyconfigurations/policy/v1"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

// ServiceAccount is the identity of Cruise Control's Pod. It has no rights, and no token is mounted.
func ServiceAccount(kc *v1beta1.KafkaCluster) *corev1ac.ServiceAccountApplyConfiguration {
	if !IsManaged(kc) {
		return nil
	}
	return corev1ac.ServiceAccount(v1beta1.CruiseControlName(kc.Name), kc.Namespace).
		WithLabels(labels(kc)).
		WithOwnerReferences(ownerReference(kc)).
		WithAutomountServiceAccountToken(false)
}

// Service leads to the REST API.
func Service(kc *v1beta1.KafkaCluster) *corev1ac.ServiceApplyConfiguration {
	if !IsManaged(kc) {
		return nil
	}
	return corev1ac.Service(v1beta1.CruiseControlName(kc.Name), kc.Namespace).
		WithLabels(labels(kc)).
		WithOwnerReferences(ownerReference(kc)).
		WithSpec(corev1ac.ServiceSpec().
			WithType(corev1.ServiceTypeClusterIP).
			WithSelector(Selector(kc)).
			WithPorts(corev1ac.ServicePort().
				WithName("api").
				WithProtocol(corev1.ProtocolTCP).
				WithPort(Port).
				WithTargetPort(intstr.FromInt32(Port))))
}

// NetworkPolicy lets only cruisecontrol-manager connect to Cruise Control: from its own namespace or, where that is not
// known, from any. The kubelet needs no rule, because a Pod's own node always gets through.
func NetworkPolicy(kc *v1beta1.KafkaCluster, managerNamespace string) *networkingv1ac.NetworkPolicyApplyConfiguration {
	if !IsManaged(kc) {
		return nil
	}
	namespaces := metav1ac.LabelSelector()
	if managerNamespace != "" {
		namespaces.WithMatchLabels(map[string]string{corev1.LabelMetadataName: managerNamespace})
	}
	manager := networkingv1ac.NetworkPolicyPeer().
		WithPodSelector(metav1ac.LabelSelector().WithMatchLabels(map[string]string{v1beta1.LabelName: ManagerName})).
		WithNamespaceSelector(namespaces)
	return networkingv1ac.NetworkPolicy(v1beta1.CruiseControlName(kc.Name), kc.Namespace).
		WithLabels(labels(kc)).
		WithOwnerReferences(ownerReference(kc)).
		WithSpec(networkingv1ac.NetworkPolicySpec().
			WithPodSelector(metav1ac.LabelSelector().WithMatchLabels(Selector(kc))).
			WithPolicyTypes(networkingv1.PolicyTypeIngress).
			WithIngress(networkingv1ac.NetworkPolicyIngressRule().
				WithPorts(networkingv1ac.NetworkPolicyPort().WithProtocol(corev1.ProtocolTCP).WithPort(intstr.FromInt32(Port))).
				WithFrom(manager)))
}

// Budget keeps Cruise Control from being evicted while it is busy: a node that is drained waits for it.
func Budget(kc *v1beta1.KafkaCluster, busy bool) *policyv1ac.PodDisruptionBudgetApplyConfiguration {
	if !IsManaged(kc) {
		return nil
	}
	allowed := int32(1)
	if busy {
		allowed = 0
	}
	return policyv1ac.PodDisruptionBudget(v1beta1.CruiseControlName(kc.Name), kc.Namespace).
		WithLabels(labels(kc)).
		WithOwnerReferences(ownerReference(kc)).
		WithSpec(policyv1ac.PodDisruptionBudgetSpec().
			WithMaxUnavailable(intstr.FromInt32(allowed)).
			WithSelector(metav1ac.LabelSelector().WithMatchLabels(Selector(kc))))
}
