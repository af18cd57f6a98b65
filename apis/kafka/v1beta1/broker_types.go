package v1beta1

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime"
)

// Role is a role of a Kafka node in KRaft mode, as in process.roles
// (KIP-500).
// +kubebuilder:validation:Enum=controller;broker
type Role string

const (
	// RoleController takes part in the metadata quorum.
	RoleController Role = "controller"
	// RoleBroker stores partitions and serves clients.
	RoleBroker Role = "broker"
)

// BrokerGroup is a template for brokers.
//
// +kubebuilder:validation:XValidation:rule="self.roles == oldSelf.roles",fieldPath=".roles",message="the roles of a group cannot change: add a group with the other roles and new entries of spec.brokers in it, then remove the old entries"
// +kubebuilder:validation:XValidation:rule="'broker' in self.roles || self.storage.size() == 1",fieldPath=".storage",message="a group with the role controller alone needs exactly one storage entry, because it stores the metadata log only: remove the others"
// +kubebuilder:validation:XValidation:rule="!('controller' in self.roles) || self.storage[0].path == oldSelf.storage[0].path",fieldPath=".storage",message="the first storage entry of a group with the role controller holds the metadata log: keep it first, with its path, and add others after it"
type BrokerGroup struct {
	// Name of the group, named by spec.brokers[].group.
	// +kubebuilder:validation:MaxLength=40
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",message="name must start with a letter, hold lower-case letters, digits and '-' only, and not end with '-'"
	// +required
	Name string `json:"name"`

	// Roles of the group's nodes: controller, broker, or both for small
	// clusters. They cannot change.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=2
	// +listType=set
	// +required
	Roles []Role `json:"roles"`

	// Disks of each node of the group. The first one holds the metadata log.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +listType=map
	// +listMapKey=path
	// +required
	Storage []Storage `json:"storage"`

	NodeTemplate `json:",inline"`
}

// Broker is one node of the cluster. Its id and its group are enough; all
// else is for this node alone, laid over what its group says.
type Broker struct {
	// Id of the node (node.id), unique among brokers and controllers, for the
	// node's whole life. Its Pod is called CLUSTER-ID, and clients see it under
	// this id.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=2147483647
	// +required
	ID int32 `json:"id"`

	// Group whose values this node takes where it has none of its own. It may be
	// changed to another group with the same roles.
	// +kubebuilder:validation:MaxLength=40
	// +required
	Group string `json:"group"`

	// Disks of this node alone: further ones, or another size for a path of its
	// group. The disks of its group that are not named here stay as they are.
	// +kubebuilder:validation:MaxItems=32
	// +listType=map
	// +listMapKey=path
	// +optional
	Storage []Storage `json:"storage,omitempty"`

	NodeTemplate `json:",inline"`
}

// NodeTemplate is what can be said of one node and of a group of nodes.
type NodeTemplate struct {
	// Read-only properties (server.properties), each value in quotes, laid over
	// those of the level above, property by property. A change restarts the
	// nodes concerned.
	// +optional
	Config Config `json:"config,omitempty"`

	// Dynamic properties, set for the broker through Kafka itself, laid over
	// those of the level above. A change restarts nothing.
	// +optional
	DynamicConfig DynamicConfig `json:"dynamicConfig,omitempty"`

	// CPU and memory of the Kafka container, laid over those of the level above,
	// value by value.
	// +optional
	Resources *corev1.ResourceRequirements `json:"resources,omitempty"`

	// The Java virtual machine that runs Kafka.
	// +optional
	JVM *JVM `json:"jvm,omitempty"`

	// Anything a Pod can have (metadata.labels, metadata.annotations, spec),
	// merged strategically into the Pod that Koperator makes, as `kubectl patch
	// --type=strategic` would. The container that runs Kafka is called kafka. It
	// is laid over the podTemplate of the level above in the same way.
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:validation:Type=object
	// +kubebuilder:pruning:PreserveUnknownFields
	// +optional
	PodTemplate *runtime.RawExtension `json:"podTemplate,omitempty"`
}

// JVM configures the Java virtual machine that runs Kafka.
type JVM struct {
	// Size of the heap (-Xms and -Xmx), such as 4Gi. Defaults to half of the
	// memory request, at most 6Gi, and to 1Gi without one: Kafka wants the rest
	// of the memory for the page cache.
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=20
	// +kubebuilder:validation:XValidation:rule="isQuantity(self) && quantity(self).compareTo(quantity('32Mi')) >= 0",message="heap must be a quantity of at least 32Mi, such as 4Gi"
	// +optional
	Heap *resource.Quantity `json:"heap,omitempty"`

	// Options instead of those that Kafka's own scripts choose
	// (KAFKA_JVM_PERFORMANCE_OPTS), one an entry.
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=512
	// +listType=atomic
	// +optional
	Options []string `json:"options,omitempty"`
}

// Storage is one disk of a node: a log directory of Kafka on a
// PersistentVolumeClaim of its own.
//
// +kubebuilder:validation:XValidation:rule="has(self.storageClassName) == has(oldSelf.storageClassName) && (!has(self.storageClassName) || self.storageClassName == oldSelf.storageClassName)",fieldPath=".storageClassName",message="storageClassName cannot change, be added or be removed: add a disk with another path and the new class, then remove this one"
type Storage struct {
	// Where the volume is mounted in the container. Kafka's log directory is the
	// folder kafka-logs in it. A path cannot change: a changed one is another
	// disk, and the old one is removed after Kafka reports no replica on it.
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self.matches('^(/[A-Za-z0-9][-._A-Za-z0-9]*)+$')",message="path must be an absolute path such as /var/lib/kafka/a, of letters, digits, '.', '_' and '-', without a '/' at the end"
	// +kubebuilder:validation:XValidation:rule="!self.matches('^/(bin|boot|dev|etc|lib|lib64|opt/kafka|proc|run|sbin|sys|tmp|usr)(/|$)')",message="path must not be in a folder that the image itself uses: choose one such as /var/lib/kafka/a"
	// +required
	Path string `json:"path"`

	// Size of the volume. It can grow if its StorageClass allows that; it cannot
	// shrink. To get a smaller disk, add one with another path and remove this
	// one.
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=20
	// +kubebuilder:validation:XValidation:rule="isQuantity(self) && quantity(self).isGreaterThan(quantity('0'))",message="size must be a quantity greater than zero, such as 100Gi"
	// +kubebuilder:validation:XValidation:rule="!isQuantity(self) || !isQuantity(oldSelf) || quantity(self).compareTo(quantity(oldSelf)) >= 0",message="size cannot shrink: add a smaller disk with another path, then remove this one"
	// +required
	Size resource.Quantity `json:"size"`

	// StorageClass of the claim. Empty: the default class of the Kubernetes
	// cluster. It cannot change.
	// +kubebuilder:validation:MaxLength=253
	// +optional
	StorageClassName *string `json:"storageClassName,omitempty"`
}
