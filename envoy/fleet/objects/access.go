package objects

import (
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	networkingv1ac "k8s.io/client-go/applyconfigurations/networking/v1"
	policyv1ac "k8s.io/client-go/applyconfigurations/policy/v1"
)

// ServiceAccount is the identity of a fleet's Pods. It has no rights, and no token is mounted.
func (f Fleet) ServiceAccount() *corev1ac.ServiceAccountApplyConfiguration {
	return corev1ac.ServiceAccount(f.Name(), f.Cluster.Namespace).
		WithLabels(f.labels()).
		WithOwnerReferences(f.ownerReference()).
		WithAutomountServiceAccountToken(false)
}

// Budget lets one proxy of a fleet at a time be evicted.
func (f Fleet) Budget() *policyv1ac.PodDisruptionBudgetApplyConfiguration {
	return policyv1ac.PodDisruptionBudget(f.Name(), f.Cluster.Namespace).
		WithLabels(f.labels()).
		WithOwnerReferences(f.ownerReference()).
		WithSpec(policyv1ac.PodDisruptionBudgetSpec().
			WithMaxUnavailable(intstr.FromInt32(1)).
			WithSelector(metav1ac.LabelSelector().WithMatchLabels(f.Selector())))
}

// NetworkPolicy lets everybody connect to the ports for clients, who have to show brokers who they are. The port for
// readiness and metrics is for Pods of any namespace, such as Prometheus, and nobody outside: it changes nothing, but tells
// the names of brokers. The kubelet needs no rule, because a Pod's own node always gets through.
func (f Fleet) NetworkPolicy() *networkingv1ac.NetworkPolicyApplyConfiguration {
	everybody := networkingv1ac.NetworkPolicyIngressRule().WithPorts(f.clientPorts()...)
	inside := networkingv1ac.NetworkPolicyIngressRule().
		WithPorts(policyPort(OpsPort)).
		WithFrom(networkingv1ac.NetworkPolicyPeer().WithNamespaceSelector(metav1ac.LabelSelector()))
	return networkingv1ac.NetworkPolicy(f.Name(), f.Cluster.Namespace).
		WithLabels(f.labels()).
		WithOwnerReferences(f.ownerReference()).
		WithSpec(networkingv1ac.NetworkPolicySpec().
			WithPodSelector(metav1ac.LabelSelector().WithMatchLabels(f.Selector())).
			WithPolicyTypes(networkingv1.PolicyTypeIngress).
			WithIngress(everybody, inside))
}

// clientPorts are all that proxies may listen on for clients: whole ranges, so that a new broker changes no policy.
func (f Fleet) clientPorts() []*networkingv1ac.NetworkPolicyPortApplyConfiguration {
	var ports []*networkingv1ac.NetworkPolicyPortApplyConfiguration
	for _, listener := range Listeners(f.Cluster) {
		ports = append(ports, policyPort(listener.Port))
		if IsPortPerBroker(listener) {
			brokers := BrokerPorts(listener)
			ports = append(ports, policyPort(brokers.First).WithEndPort(brokers.First+brokers.Count-1))
		}
	}
	return ports
}

func policyPort(port int32) *networkingv1ac.NetworkPolicyPortApplyConfiguration {
	return networkingv1ac.NetworkPolicyPort().WithProtocol(corev1.ProtocolTCP).WithPort(intstr.FromInt32(port))
}
