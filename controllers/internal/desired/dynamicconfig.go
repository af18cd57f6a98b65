package desired

import (
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

// DynamicConfigMapName is the name of the ConfigMap that says which dynamic properties are ours.
func DynamicConfigMapName(cluster string) string { return cluster + "-dynamic-config" }

// DynamicConfigMap says which dynamic properties are ours: names only, by the level they are set at. Values may be
// secret, and are Kafka's to keep.
func DynamicConfigMap(kc *v1beta1.KafkaCluster, keys map[string]string) *corev1ac.ConfigMapApplyConfiguration {
	return corev1ac.ConfigMap(DynamicConfigMapName(kc.Name), kc.Namespace).
		WithLabels(ClusterLabels(kc)).
		WithOwnerReferences(ownerReference(kc)).
		WithData(keys)
}
