package desired

import (
	"fmt"
	"strings"

	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

const (
	applicationName = "kafka"
	managerName     = "koperator"
	yes             = "true"
)

// ClusterLabels are on every object of a cluster.
func ClusterLabels(kc *v1beta1.KafkaCluster) map[string]string {
	return map[string]string{
		v1beta1.LabelName:      applicationName,
		v1beta1.LabelInstance:  kc.Name,
		v1beta1.LabelManagedBy: managerName,
		v1beta1.LabelCluster:   kc.Name,
	}
}

// nodeLabels are on every object of a node. The roles are among them, because a node that the spec no longer has is
// known by its objects only.
func nodeLabels(kc *v1beta1.KafkaCluster, id int32, roles []v1beta1.Role) map[string]string {
	labels := ClusterLabels(kc)
	labels[v1beta1.LabelBrokerID] = fmt.Sprint(id)
	var names []string
	for _, role := range roles {
		labels[roleLabel(role)] = yes
		names = append(names, string(role))
	}
	labels[v1beta1.LabelComponent] = strings.Join(names, "-")
	return labels
}

func roleLabel(role v1beta1.Role) string {
	if role == v1beta1.RoleController {
		return v1beta1.LabelController
	}
	return v1beta1.LabelBroker
}

// nodeSelector selects the Pods of all nodes of a cluster.
func nodeSelector(kc *v1beta1.KafkaCluster) map[string]string {
	return map[string]string{v1beta1.LabelCluster: kc.Name, v1beta1.LabelName: applicationName}
}

// roleSelector selects the Pods of a cluster with a role.
func roleSelector(cluster string, role v1beta1.Role) map[string]string {
	return map[string]string{v1beta1.LabelCluster: cluster, roleLabel(role): yes}
}

// ownerReference makes an object go when its KafkaCluster goes.
func ownerReference(kc *v1beta1.KafkaCluster) *metav1ac.OwnerReferenceApplyConfiguration {
	return metav1ac.OwnerReference().
		WithAPIVersion(v1beta1.GroupVersion.String()).
		WithKind("KafkaCluster").
		WithName(kc.Name).
		WithUID(kc.UID).
		WithController(true).
		WithBlockOwnerDeletion(true)
}
