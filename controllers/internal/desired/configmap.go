package desired

import (
	_ "embed"
	"fmt"

	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/controllers/internal/serverproperties"
)

// Keys of a node's ConfigMap.
const (
	PropertiesKey = "server.properties"
	LoggingKey    = "log4j2.yaml"
	PodKey        = "pod.json"
)

// logging makes Kafka log to its standard output. The configuration of its distribution writes files too, without limit.
//
//go:embed log4j2.yaml
var logging string

// ConfigMap holds what a node's Pod is made from: Kafka's configuration, and the Pod itself, so that a node that the spec
// no longer has can be started again. It is to be written just before its Pod is made, and not while a Pod runs that was
// made from another one: a container that restarts by itself reads it.
func ConfigMap(kc *v1beta1.KafkaCluster, node *Node, properties []serverproperties.Property, intent *Intent) *corev1ac.ConfigMapApplyConfiguration {
	return corev1ac.ConfigMap(ConfigMapName(kc.Name, node.ID), kc.Namespace).
		WithLabels(nodeLabels(kc, node.ID, node.Roles)).
		WithAnnotations(map[string]string{v1beta1.AnnotationIntent: intent.Hash()}).
		WithOwnerReferences(ownerReference(kc)).
		WithData(map[string]string{
			PropertiesKey: serverproperties.Render(propertiesHeader(kc, node), properties),
			LoggingKey:    logging,
			PodKey:        intent.stored,
		})
}

func propertiesHeader(kc *v1beta1.KafkaCluster, node *Node) string {
	header := fmt.Sprintf("Node %d (%s) of KafkaCluster %s/%s. Koperator writes this file from the spec.", node.ID, rolesOf(node), kc.Namespace, kc.Name)
	if wantsRack(kc, node) {
		header += fmt.Sprintf("\nbroker.rack is given at the start: it is the label %s of the Kubernetes Node that the Pod is on.", kc.Spec.RackAwareness.NodeLabel)
	}
	return header
}

func wantsRack(kc *v1beta1.KafkaCluster, node *Node) bool {
	return kc.Spec.RackAwareness != nil && node.IsBroker()
}
