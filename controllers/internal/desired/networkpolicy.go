package desired

import (
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	networkingv1ac "k8s.io/client-go/applyconfigurations/networking/v1"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

// ControllersNetworkPolicy lets only nodes of the cluster and Koperator's own programs connect to controllers.
//
// Policies add up: another one of the user's can allow more, the port of a sidecar say.
func ControllersNetworkPolicy(kc *v1beta1.KafkaCluster) *networkingv1ac.NetworkPolicyApplyConfiguration {
	return networkPolicy(kc, ControllersNetworkPolicyName(kc.Name), v1beta1.RoleController, insiders(kc, ControllerPort))
}

// BrokersNetworkPolicy lets only nodes of the cluster and Koperator's own programs connect to the listener between
// brokers, everybody to the listeners for clients, who have to show a certificate there, and only the cluster's proxies to
// those that are reached from outside.
func BrokersNetworkPolicy(kc *v1beta1.KafkaCluster) *networkingv1ac.NetworkPolicyApplyConfiguration {
	rules := []*networkingv1ac.NetworkPolicyIngressRuleApplyConfiguration{insiders(kc, v1beta1.ReplicationPort)}
	for _, rule := range []*networkingv1ac.NetworkPolicyIngressRuleApplyConfiguration{
		clientPorts(kc, v1beta1.ListenerInternal), clientPorts(kc, v1beta1.ListenerExternal, proxies(kc)),
	} {
		if len(rule.Ports) > 0 {
			rules = append(rules, rule)
		}
	}
	return networkPolicy(kc, BrokersNetworkPolicyName(kc.Name), v1beta1.RoleBroker, rules...)
}

func networkPolicy(kc *v1beta1.KafkaCluster, name string, role v1beta1.Role, rules ...*networkingv1ac.NetworkPolicyIngressRuleApplyConfiguration) *networkingv1ac.NetworkPolicyApplyConfiguration {
	return networkingv1ac.NetworkPolicy(name, kc.Namespace).
		WithLabels(ClusterLabels(kc)).
		WithOwnerReferences(ownerReference(kc)).
		WithSpec(networkingv1ac.NetworkPolicySpec().
			WithPodSelector(metav1ac.LabelSelector().WithMatchLabels(roleSelector(kc.Name, role))).
			WithPolicyTypes(networkingv1.PolicyTypeIngress).
			WithIngress(rules...))
}

func insiders(kc *v1beta1.KafkaCluster, port int32) *networkingv1ac.NetworkPolicyIngressRuleApplyConfiguration {
	nodes := metav1ac.LabelSelector().WithMatchLabels(nodeSelector(kc))
	programs := metav1ac.LabelSelector().WithMatchLabels(map[string]string{v1beta1.LabelClient: yes})
	return networkingv1ac.NetworkPolicyIngressRule().
		WithPorts(policyPort(port)).
		WithFrom(
			networkingv1ac.NetworkPolicyPeer().WithPodSelector(nodes),
			networkingv1ac.NetworkPolicyPeer().WithPodSelector(programs).WithNamespaceSelector(metav1ac.LabelSelector()),
		)
}

// clientPorts are the ports of all listeners of a type, from somebody or, without any, from everybody.
func clientPorts(kc *v1beta1.KafkaCluster, kind v1beta1.ListenerType, from ...*networkingv1ac.NetworkPolicyPeerApplyConfiguration) *networkingv1ac.NetworkPolicyIngressRuleApplyConfiguration {
	rule := networkingv1ac.NetworkPolicyIngressRule().WithFrom(from...)
	for _, listener := range kc.Spec.Listeners {
		if isExternal(listener) == (kind == v1beta1.ListenerExternal) {
			rule.WithPorts(policyPort(listener.Port))
		}
	}
	return rule
}

// proxies are the Pods of Envoy that envoy-manager makes for the cluster.
func proxies(kc *v1beta1.KafkaCluster) *networkingv1ac.NetworkPolicyPeerApplyConfiguration {
	return networkingv1ac.NetworkPolicyPeer().WithPodSelector(metav1ac.LabelSelector().WithMatchLabels(map[string]string{
		v1beta1.LabelCluster: kc.Name, v1beta1.LabelComponent: v1beta1.ComponentEnvoy,
	}))
}

func policyPort(port int32) *networkingv1ac.NetworkPolicyPortApplyConfiguration {
	return networkingv1ac.NetworkPolicyPort().WithProtocol(corev1.ProtocolTCP).WithPort(intstr.FromInt32(port))
}
