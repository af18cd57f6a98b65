package desired

import (
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/types"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/controllers/internal/serverproperties"
)

// Node is one node of a Kafka cluster: all that the cluster, its group and its own entry say, laid together.
type Node struct {
	Cluster   string
	Namespace string
	UID       types.UID // of the KafkaCluster

	ID    int32
	Group string
	Roles []v1beta1.Role

	Version          string
	Image            string
	ImagePullPolicy  corev1.PullPolicy
	ImagePullSecrets []corev1.LocalObjectReference

	// Config is the user's read-only configuration, sorted, each property once, from the last level that has it.
	Config []serverproperties.Property
	// DynamicConfig is set for this broker alone: that of the group, and over it that of the broker. What spec.dynamicConfig
	// sets for the whole cluster is not in it.
	DynamicConfig map[string]string

	// Storage are the disks: those of the group in its order, then the broker's own.
	Storage []v1beta1.Storage
	// Resources of the Kafka container.
	Resources corev1.ResourceRequirements
	// Heap of the JVM.
	Heap resource.Quantity
	// JVMOptions replace those that Kafka's own scripts choose; empty to leave them.
	JVMOptions []string
	// PodTemplates are merged into the Pod one after the other.
	PodTemplates []PodTemplate

	// Addresses are what clients outside the Kubernetes cluster are told, by the name of the listener. A listener that is
	// reached from outside and has none is not opened: its clients would be told an address that leads nowhere.
	Addresses map[string]Address
}

// PodTemplate is one of the user's templates and the field that it is from.
type PodTemplate struct {
	Origin string
	Raw    []byte
}

// IsController tells whether the node takes part in the metadata quorum.
func (n *Node) IsController() bool { return slices.Contains(n.Roles, v1beta1.RoleController) }

// IsBroker tells whether the node stores partitions.
func (n *Node) IsBroker() bool { return slices.Contains(n.Roles, v1beta1.RoleBroker) }

// Nodes are the nodes of the spec, sorted by id. An entry whose group does not exist, which the API refuses, is a node
// without roles: to leave it out would look like its removal.
func Nodes(kc *v1beta1.KafkaCluster) []Node {
	groups := map[string]*v1beta1.BrokerGroup{}
	for i := range kc.Spec.BrokerGroups {
		groups[kc.Spec.BrokerGroups[i].Name] = &kc.Spec.BrokerGroups[i]
	}
	nodes, addresses := make([]Node, 0, len(kc.Spec.Brokers)), allocatedAddresses(kc)
	for i := range kc.Spec.Brokers {
		broker := &kc.Spec.Brokers[i]
		group := groups[broker.Group]
		if group == nil {
			group = &v1beta1.BrokerGroup{Name: broker.Group}
		}
		node := newNode(kc, group, broker)
		node.addAddresses(kc.Spec.Listeners, addresses)
		nodes = append(nodes, node)
	}
	slices.SortFunc(nodes, func(a, b Node) int { return int(int64(a.ID) - int64(b.ID)) })
	return nodes
}

// idsWithRole are the ids of the nodes with a role, sorted. It is for what every node must know of all others: to lay each
// of them together for that would be quadratic.
func idsWithRole(kc *v1beta1.KafkaCluster, role v1beta1.Role) []int32 {
	groups := map[string]bool{}
	for i := range kc.Spec.BrokerGroups {
		groups[kc.Spec.BrokerGroups[i].Name] = slices.Contains(kc.Spec.BrokerGroups[i].Roles, role)
	}
	var ids []int32
	for i := range kc.Spec.Brokers {
		if groups[kc.Spec.Brokers[i].Group] {
			ids = append(ids, kc.Spec.Brokers[i].ID)
		}
	}
	slices.Sort(ids)
	return ids
}

func newNode(kc *v1beta1.KafkaCluster, group *v1beta1.BrokerGroup, broker *v1beta1.Broker) Node {
	n := Node{
		Cluster: kc.Name, Namespace: kc.Namespace, UID: kc.UID,
		ID: broker.ID, Group: group.Name, Roles: slices.Sorted(slices.Values(group.Roles)),
		Version: kc.Spec.Version, Image: kc.Spec.Image,
		ImagePullPolicy: kc.Spec.ImagePullPolicy, ImagePullSecrets: kc.Spec.ImagePullSecrets,
		DynamicConfig: map[string]string{},
		Storage:       mergeStorage(group.Storage, broker.Storage),
		Resources:     mergeResources(group.Resources, broker.Resources),
	}
	if n.Image == "" {
		n.Image = "apache/kafka:" + n.Version
	}
	groupField, brokerField := fmt.Sprintf("spec.brokerGroups[%s]", group.Name), fmt.Sprintf("spec.brokers[%d]", broker.ID)
	n.Config = mergeConfig(
		level{"spec.config", kc.Spec.Config},
		level{groupField + ".config", group.Config},
		level{brokerField + ".config", broker.Config},
	)
	maps.Copy(n.DynamicConfig, group.DynamicConfig)
	maps.Copy(n.DynamicConfig, broker.DynamicConfig)
	n.setJVM(group.JVM, broker.JVM)
	n.addPodTemplate(groupField, &group.NodeTemplate)
	n.addPodTemplate(brokerField, &broker.NodeTemplate)
	return n
}

func (n *Node) addPodTemplate(field string, template *v1beta1.NodeTemplate) {
	if template.PodTemplate != nil && len(template.PodTemplate.Raw) > 0 {
		n.PodTemplates = append(n.PodTemplates, PodTemplate{Origin: field + ".podTemplate", Raw: template.PodTemplate.Raw})
	}
}

// level is a configuration and the field that it is from.
type level struct {
	origin     string
	properties map[string]string
}

// mergeConfig lays each level over the one before.
func mergeConfig(levels ...level) []serverproperties.Property {
	merged := map[string]serverproperties.Property{}
	for _, l := range levels {
		for key, value := range l.properties {
			merged[key] = serverproperties.Property{Key: key, Value: value, Origin: l.origin}
		}
	}
	return sortedProperties(merged)
}

func sortedProperties(properties map[string]serverproperties.Property) []serverproperties.Property {
	sorted := make([]serverproperties.Property, 0, len(properties))
	for _, key := range slices.Sorted(maps.Keys(properties)) {
		sorted = append(sorted, properties[key])
	}
	return sorted
}

// mergeStorage keeps the group's order. A broker's entry with a path of the group gives this disk another size or class.
func mergeStorage(group, broker []v1beta1.Storage) []v1beta1.Storage {
	merged := slices.Clone(group)
	for _, own := range broker {
		at := slices.IndexFunc(merged, func(s v1beta1.Storage) bool { return s.Path == own.Path })
		if at < 0 {
			merged = append(merged, own)
			continue
		}
		if own.StorageClassName == nil {
			own.StorageClassName = merged[at].StorageClassName
		}
		merged[at] = own
	}
	return merged
}
