package desired

import (
	corev1 "k8s.io/api/core/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

// affinity keeps Pods of the same role on different machines, where there are enough of them.
func affinity(node *Node) *corev1ac.AffinityApplyConfiguration {
	apart := corev1ac.PodAntiAffinity()
	for _, role := range node.Roles {
		apart.WithPreferredDuringSchedulingIgnoredDuringExecution(corev1ac.WeightedPodAffinityTerm().
			WithWeight(100).
			WithPodAffinityTerm(corev1ac.PodAffinityTerm().
				WithTopologyKey(corev1.LabelHostname).
				WithLabelSelector(sameRole(node, role))))
	}
	return corev1ac.Affinity().WithPodAntiAffinity(apart)
}

// topologySpread spreads Pods of the same role over zones, or over whatever the racks are.
func topologySpread(kc *v1beta1.KafkaCluster, node *Node) []*corev1ac.TopologySpreadConstraintApplyConfiguration {
	topologyKey := corev1.LabelTopologyZone
	if kc.Spec.RackAwareness != nil && kc.Spec.RackAwareness.NodeLabel != "" {
		topologyKey = kc.Spec.RackAwareness.NodeLabel
	}
	var constraints []*corev1ac.TopologySpreadConstraintApplyConfiguration
	// The API server wants each pair of topology key and action once: a node with both roles is spread as a controller.
	if len(node.Roles) > 0 {
		role := v1beta1.RoleBroker
		if node.IsController() {
			role = v1beta1.RoleController
		}
		constraints = append(constraints, corev1ac.TopologySpreadConstraint().
			WithMaxSkew(1).
			WithTopologyKey(topologyKey).
			WithWhenUnsatisfiable(corev1.ScheduleAnyway).
			WithLabelSelector(sameRole(node, role)))
	}
	return constraints
}

func sameRole(node *Node, role v1beta1.Role) *metav1ac.LabelSelectorApplyConfiguration {
	return metav1ac.LabelSelector().WithMatchLabels(roleSelector(node.Cluster, role))
}
