package desired

import (
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

// ServiceAccount is the identity of the cluster's Pods. It has no rights, and no token is mounted.
func ServiceAccount(kc *v1beta1.KafkaCluster) *corev1ac.ServiceAccountApplyConfiguration {
	return corev1ac.ServiceAccount(ServiceAccountName(kc.Name), kc.Namespace).
		WithLabels(ClusterLabels(kc)).
		WithOwnerReferences(ownerReference(kc)).
		WithAutomountServiceAccountToken(false)
}
