package v1beta1

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// KafkaCluster is one Apache Kafka cluster in KRaft mode.
//
// Every broker and every controller is its own Pod with its own
// PersistentVolumeClaims and its own ConfigMap, listed by id in
// spec.brokers. There is no StatefulSet: one broker can be configured alone,
// any broker can be removed, and one broker can have more disks than the
// others.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=kafkaclusters,shortName=kc,categories=kafka
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Brokers",type=string,JSONPath=`.status.summary.brokers`,description="Ready and wanted brokers"
// +kubebuilder:printcolumn:name="Controllers",type=string,JSONPath=`.status.summary.controllers`,priority=1,description="Ready and wanted controllers"
// +kubebuilder:printcolumn:name="Version",type=string,JSONPath=`.spec.version`
// +kubebuilder:printcolumn:name="Cluster ID",type=string,JSONPath=`.status.clusterID`,priority=1
// +kubebuilder:printcolumn:name="Rollout",type=string,JSONPath=`.status.summary.rollout`,priority=1,description="Nodes that wait for a restart"
// +kubebuilder:printcolumn:name="Bootstrap",type=string,JSONPath=`.status.externalListeners[0].bootstrap`,priority=1,description="Where clients outside of Kubernetes start from, on the first listener for them"
// +kubebuilder:printcolumn:name="Message",type=string,JSONPath=`.status.summary.message`,description="The first thing that waits, and for what"
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 40",message="metadata.name must have at most 40 characters, because host names of brokers are made from it"
// +kubebuilder:validation:XValidation:rule="self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",message="metadata.name must start with a letter and hold lower-case letters, digits and '-' only, because host names of brokers are made from it"
type KafkaCluster struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// What the cluster should be. Only people and their tools write it.
	// +required
	Spec KafkaClusterSpec `json:"spec"`

	// What the cluster is. It can be deleted at any time: everything in it is
	// observed again.
	// +optional
	Status KafkaClusterStatus `json:"status,omitempty"`
}

// KafkaClusterList is a list of KafkaClusters.
// +kubebuilder:object:root=true
type KafkaClusterList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []KafkaCluster `json:"items"`
}

// KafkaClusterSpec is what a Kafka cluster should be.
//
// +kubebuilder:validation:XValidation:rule="self.brokers.all(b, self.brokerGroups.exists(g, g.name == b.group))",fieldPath=".brokers",message="every entry of spec.brokers must name a group of spec.brokerGroups: add the group, or correct the entry's group"
// +kubebuilder:validation:XValidation:rule="self.brokers.exists(b, self.brokerGroups.exists(g, g.name == b.group && 'controller' in g.roles))",message="spec.brokers needs at least one entry whose group has the role controller; three are recommended",fieldPath=".brokers"
// +kubebuilder:validation:XValidation:rule="self.brokers.exists(b, self.brokerGroups.exists(g, g.name == b.group && 'broker' in g.roles))",message="spec.brokers needs at least one entry whose group has the role broker",fieldPath=".brokers"
// +kubebuilder:validation:XValidation:rule="[oldSelf.brokerGroups.transformMapEntry(i, o, {o.name: self.brokerGroups.filter(g, g.roles == o.roles && (!('controller' in g.roles) || g.storage[0].path == o.storage[0].path)).transformMapEntry(j, g, {g.name: true})})].all(allowed, [oldSelf.brokers.transformMapEntry(i, b, {b.id: b.group})].all(was, self.brokers.all(b, !(b.id in was) || was[b.id] == b.group || !self.brokerGroups.exists(g, g.name == b.group) || b.group in allowed[was[b.id]])))",fieldPath=".brokers",message="the group of an entry can only be changed to one with the same roles and, with the role controller, the same path of the first storage entry: add an entry with a new id in the other group, then remove the old entry"
// +kubebuilder:validation:XValidation:rule="[self.brokerGroups.filter(g, !('broker' in g.roles)).transformMapEntry(i, g, {g.name: g.storage[0].path})].all(paths, self.brokers.all(b, !(b.group in paths) || !has(b.storage) || (b.storage.size() <= 1 && b.storage.all(s, s.path == paths[b.group]))))",fieldPath=".brokers",message="an entry whose group has the role controller alone stores the metadata log only: its storage can give another size for its group's path, and no other path"
// +kubebuilder:validation:XValidation:rule="!has(self.listeners) || self.listeners.all(l, self.listeners.exists_one(o, o.port == l.port))",fieldPath=".listeners",message="each entry of spec.listeners needs a port of its own: change the port of one of them"
// +kubebuilder:validation:XValidation:rule="!has(self.listeners) || self.listeners.filter(l, has(l.external) && has(l.external.brokerPorts)).all(l, self.listeners.all(o, !has(o.external) || o.port < l.external.brokerPorts.first || o.port >= l.external.brokerPorts.first + l.external.brokerPorts.count))",fieldPath=".listeners",message="a range of brokerPorts holds the port of a listener of type External, and the proxies listen on both: move the range, or change the port"
// +kubebuilder:validation:XValidation:rule="!has(self.listeners) || self.listeners.filter(l, has(l.external) && has(l.external.brokerPorts)).all(l, self.listeners.all(o, o.name == l.name || !has(o.external) || !has(o.external.brokerPorts) || o.external.brokerPorts.first >= l.external.brokerPorts.first + l.external.brokerPorts.count || l.external.brokerPorts.first >= o.external.brokerPorts.first + o.external.brokerPorts.count))",fieldPath=".listeners",message="the ranges of brokerPorts of two listeners overlap, and the proxies listen on both: move one of them"
// +kubebuilder:validation:XValidation:rule="!has(self.listeners) || self.listeners.all(l, !has(l.external) || l.external.mode != 'SNI' || !has(l.external.domain) || self.listeners.exists_one(o, has(o.external) && o.external.mode == 'SNI' && has(o.external.domain) && o.external.domain == l.external.domain))",fieldPath=".listeners",message="two listeners with mode SNI have the same domain, and its DNS record can lead to one load balancer only: give each a domain of its own"
// +kubebuilder:validation:XValidation:rule="[self.brokerGroups.filter(g, 'broker' in g.roles).transformMapEntry(i, g, {g.name: true})].all(names, [self.brokers.filter(b, b.group in names).size()].all(count, !has(self.listeners) || self.listeners.all(l, !has(l.external) || !has(l.external.brokerPorts) || l.external.brokerPorts.count >= count)))",fieldPath=".listeners",message="brokerPorts of a listener has fewer ports than spec.brokers has brokers: make count larger, or use mode SNI, where all brokers share one port"
// +kubebuilder:validation:XValidation:rule="!has(self.envoy) || !has(self.envoy.groups) || self.envoy.groups.all(e, !has(e.brokerGroups) || e.brokerGroups.all(n, self.brokerGroups.exists(g, g.name == n)))",fieldPath=".envoy.groups",message="brokerGroups of a group of proxies must name groups of spec.brokerGroups: add the group, or correct the name"
// +kubebuilder:validation:XValidation:rule="!has(self.envoy) || !has(self.envoy.groups) || self.envoy.groups.all(i, e, !has(e.brokerGroups) || self.envoy.groups.all(j, o, j <= i || !has(o.brokerGroups) || e.brokerGroups.all(n, !(n in o.brokerGroups))))",fieldPath=".envoy.groups",message="two groups of proxies name the same group of brokers: leave it in one, and name single brokers of it in brokers of the other"
// +kubebuilder:validation:XValidation:rule="!has(self.envoy) || !has(self.envoy.groups) || self.envoy.groups.all(i, e, !has(e.brokers) || [e.brokers.transformMapEntry(k, id, {id: true})].all(ids, self.envoy.groups.all(j, o, j <= i || !has(o.brokers) || o.brokers.all(id, !(id in ids)))))",fieldPath=".envoy.groups",message="two groups of proxies name the same broker: leave it in one"
// +kubebuilder:validation:XValidation:rule="!has(self.envoy) || !has(self.envoy.groups) || self.envoy.groups.size() < 2 || !has(self.listeners) || self.listeners.all(l, !has(l.external) || l.external.mode == 'SNI' || l.external.service.type != 'LoadBalancer' || !has(l.external.domain) || has(l.external.brokers))",fieldPath=".listeners",message="each group of proxies has a load balancer of its own, and with mode PortPerBroker all brokers would be looked for behind one, domain: remove domain, then clients are told the load balancers' own addresses, or give the brokers of the other groups a host of their own in brokers"
// +kubebuilder:validation:XValidation:rule="[oldSelf.brokerGroups.transformMapEntry(i, g, {g.name: g.storage.transformMapEntry(j, s, {s.path: s.size})})].all(sizes, [oldSelf.brokers.transformMapEntry(i, b, {b.id: b.group})].all(was, [oldSelf.brokers.transformMapEntry(i, b, has(b.storage), {b.id: b.storage.transformMapEntry(j, s, {s.path: true})})].all(own, self.brokers.all(b, !has(b.storage) || !(b.id in was) || b.storage.all(s, (b.id in own && s.path in own[b.id]) || !(s.path in sizes[was[b.id]]) || !isQuantity(s.size) || quantity(s.size).compareTo(quantity(sizes[was[b.id]][s.path])) >= 0)))))",fieldPath=".brokers",message="an entry's own storage cannot make a disk smaller than its group made it: use the group's size or a larger one, or remove the disk and add one with another path"
// +kubebuilder:validation:XValidation:rule="[self.brokerGroups.transformMapEntry(i, g, {g.name: g.storage.transformMapEntry(j, s, {s.path: s.size})})].all(sizes, [self.brokers.transformMapEntry(i, b, {b.id: b.group})].all(now, [self.brokers.transformMapEntry(i, b, has(b.storage), {b.id: b.storage.transformMapEntry(j, s, {s.path: true})})].all(own, oldSelf.brokers.all(b, !has(b.storage) || !(b.id in now) || !(now[b.id] in sizes) || b.storage.all(s, (b.id in own && s.path in own[b.id]) || !(s.path in sizes[now[b.id]]) || !isQuantity(sizes[now[b.id]][s.path]) || quantity(s.size).compareTo(quantity(sizes[now[b.id]][s.path])) <= 0)))))",fieldPath=".brokers",message="the storage of an entry cannot be removed while the size in its group is smaller, because a disk cannot shrink: keep it, or let the group's size grow first"
// +kubebuilder:validation:XValidation:rule="!has(self.cruiseControl) || !self.cruiseControl.metricsReporter.enabled || !isSemver(self.version) || semver(self.version).isLessThan(semver('4.4.0')) || !isSemver(self.cruiseControl.version) || semver(self.cruiseControl.version).isGreaterThan(semver('2.5.146'))",fieldPath=".version",message="brokers of Kafka 4.4 and later do not start with the metrics reporter of Cruise Control 2.5.146 and earlier: use a newer Cruise Control and say so in cruiseControl.version, or set cruiseControl.metricsReporter.enabled to false and let Cruise Control get its metrics from Prometheus"
type KafkaClusterSpec struct {
	// Version of Apache Kafka. Koperator runs Kafka 4.x in KRaft mode. A change
	// restarts every node, one after the other, without a partition losing its
	// min.insync.replicas.
	// +kubebuilder:validation:XValidation:rule="self.matches('^4([.](0|[1-9][0-9]{0,2})){2}$')",message="version must be a version of Apache Kafka 4, such as 4.3.1: Koperator runs no older one"
	// +kubebuilder:validation:MaxLength=16
	// +kubebuilder:default="4.3.1"
	// +optional
	Version string `json:"version,omitempty"`

	// Image with Kafka in the layout of the official image, apache/kafka.
	// Defaults to apache/kafka:VERSION.
	// +kubebuilder:validation:MaxLength=512
	// +optional
	Image string `json:"image,omitempty"`

	// When the kubelet pulls the image. Without it, as in any Pod: always for
	// the tag latest, else when it is missing.
	// +kubebuilder:validation:Enum=Always;IfNotPresent;Never
	// +optional
	ImagePullPolicy corev1.PullPolicy `json:"imagePullPolicy,omitempty"`

	// Secrets in the namespace of the cluster that hold credentials for the
	// image's registry.
	// +kubebuilder:validation:MaxItems=16
	// +listType=map
	// +listMapKey=name
	// +optional
	ImagePullSecrets []corev1.LocalObjectReference `json:"imagePullSecrets,omitempty"`

	// Read-only properties (server.properties) of every node, each value in
	// quotes: {num.io.threads: "8"}. A group's and a broker's own config are
	// laid over it, property by property. A change restarts nodes, one after the
	// other. Properties that Koperator sets itself are refused, with the field
	// that sets them.
	// +optional
	Config Config `json:"config,omitempty"`

	// Dynamic properties, set for the whole cluster through Kafka itself. A
	// change restarts nothing. Only the properties named here are managed: what
	// others set (throttles of a reassignment, say) stays.
	// +optional
	DynamicConfig DynamicConfig `json:"dynamicConfig,omitempty"`

	// Templates for the nodes. What an entry of spec.brokers does not say itself
	// comes from its group; what the group does not say comes from spec.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +listType=map
	// +listMapKey=name
	// +required
	BrokerGroups []BrokerGroup `json:"brokerGroups"`

	// The nodes of the cluster, each by its id: brokers, controllers, or both,
	// as their group's roles say.
	//
	// An entry that is added becomes a node. An entry that is removed is drained
	// first: its Pod and its disks are deleted only after Kafka itself reports
	// no replica on it, and putting the entry back undoes the removal. An entry
	// that changes concerns its own node alone.
	//
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=512
	// +listType=map
	// +listMapKey=id
	// +required
	Brokers []Broker `json:"brokers"`

	// Listeners for clients. The listeners between the nodes (9090 and 9091) are
	// always there and not listed here.
	// +kubebuilder:validation:MaxItems=16
	// +listType=map
	// +listMapKey=name
	// +optional
	Listeners []Listener `json:"listeners,omitempty"`

	// The Envoy proxies that make listeners of type External reachable. They are
	// made only if there is such a listener.
	// +kubebuilder:default={}
	// +optional
	Envoy *Envoy `json:"envoy,omitempty"`

	// Cruise Control, which moves data when brokers or disks come or go. Without
	// it, a broker or a disk that is removed is kept until somebody has moved its
	// replicas.
	// +optional
	CruiseControl *CruiseControl `json:"cruiseControl,omitempty"`

	// Tells Kafka in which rack each broker is, so that the replicas of a
	// partition are spread over racks. Without it, brokers have no rack.
	// +optional
	RackAwareness *RackAwareness `json:"rackAwareness,omitempty"`

	// What happens to the PersistentVolumeClaims when the KafkaCluster object
	// itself is deleted. Retain keeps them, with the cluster's CA: a
	// KafkaCluster of the same name made later takes them over, as the same
	// Kafka cluster with the same data. Delete deletes them.
	// +kubebuilder:validation:Enum=Retain;Delete
	// +kubebuilder:default=Retain
	// +optional
	VolumeDeletionPolicy VolumeDeletionPolicy `json:"volumeDeletionPolicy,omitempty"`
}

// VolumeDeletionPolicy says what happens to the data when a KafkaCluster is
// deleted.
type VolumeDeletionPolicy string

const (
	// RetainVolumes keeps the PersistentVolumeClaims.
	RetainVolumes VolumeDeletionPolicy = "Retain"
	// DeleteVolumes deletes the PersistentVolumeClaims.
	DeleteVolumes VolumeDeletionPolicy = "Delete"
)

// RackAwareness tells where a node's rack is written.
type RackAwareness struct {
	// Label of the Kubernetes Node whose value becomes the broker's rack
	// (broker.rack).
	// +kubebuilder:validation:MaxLength=317
	// +kubebuilder:validation:XValidation:rule="self.matches('^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$')",message="nodeLabel must be the key of a label of Kubernetes Nodes, such as topology.kubernetes.io/zone"
	// +kubebuilder:default="topology.kubernetes.io/zone"
	// +optional
	NodeLabel string `json:"nodeLabel,omitempty"`
}
