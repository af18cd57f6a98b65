package desired

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	policyv1ac "k8s.io/client-go/applyconfigurations/policy/v1"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

// ControllersBudget lets one of count controllers at a time be evicted. Nodes with both roles count here alone: the API
// server refuses to evict a Pod that two budgets match.
func ControllersBudget(kc *v1beta1.KafkaCluster, count int) *policyv1ac.PodDisruptionBudgetApplyConfiguration {
	selector := metav1ac.LabelSelector().WithMatchLabels(roleSelector(kc.Name, v1beta1.RoleController))
	return budget(kc, ControllersBudgetName(kc.Name), selector, count)
}

// BrokersBudget lets one of count brokers at a time be evicted; nodes that are controllers too are in the other budget.
func BrokersBudget(kc *v1beta1.KafkaCluster, count int) *policyv1ac.PodDisruptionBudgetApplyConfiguration {
	selector := metav1ac.LabelSelector().
		WithMatchLabels(roleSelector(kc.Name, v1beta1.RoleBroker)).
		WithMatchExpressions(metav1ac.LabelSelectorRequirement().
			WithKey(v1beta1.LabelController).
			WithOperator(metav1.LabelSelectorOpDoesNotExist))
	return budget(kc, BrokersBudgetName(kc.Name), selector, count)
}

// budget counts what must stay and not what may go: for Pods whose owner has no scale subresource, Kubernetes knows no
// other way.
func budget(kc *v1beta1.KafkaCluster, name string, selector *metav1ac.LabelSelectorApplyConfiguration, count int) *policyv1ac.PodDisruptionBudgetApplyConfiguration {
	return policyv1ac.PodDisruptionBudget(name, kc.Namespace).
		WithLabels(ClusterLabels(kc)).
		WithOwnerReferences(ownerReference(kc)).
		WithSpec(policyv1ac.PodDisruptionBudgetSpec().
			WithMinAvailable(intstr.FromInt(max(count-1, 0))).
			WithSelector(selector))
}
