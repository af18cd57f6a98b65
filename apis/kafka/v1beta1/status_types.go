package v1beta1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// KafkaClusterStatus is what a Kafka cluster is.
type KafkaClusterStatus struct {
	// Generation of the spec that this status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// Kafka's own id of the cluster. It is written on the disks and never
	// changes.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	ClusterID string `json:"clusterID,omitempty"`

	// The cluster in a line, for `kubectl get`.
	// +optional
	Summary *ClusterSummary `json:"summary,omitempty"`

	// The metadata quorum, as Kafka reports it.
	// +optional
	Quorum *QuorumStatus `json:"quorum,omitempty"`

	// Each node: those of the spec, and those that are being removed.
	// +kubebuilder:validation:MaxItems=1024
	// +listType=map
	// +listMapKey=id
	// +optional
	Brokers []BrokerStatus `json:"brokers,omitempty"`

	// How clients outside the Kubernetes cluster reach each broker, for each
	// listener of type External. Written by envoy-manager.
	// +kubebuilder:validation:MaxItems=16
	// +listType=map
	// +listMapKey=name
	// +optional
	ExternalListeners []ExternalListenerStatus `json:"externalListeners,omitempty"`

	// Cruise Control. Written by cruisecontrol-manager.
	// +optional
	CruiseControl *CruiseControlStatus `json:"cruiseControl,omitempty"`

	// What the cluster is disturbed by just now: a restart, a change of the
	// quorum, an operation of Cruise Control. There is one at a time.
	// +optional
	Disruption *Disruption `json:"disruption,omitempty"`

	// What waits, for what, and since when; the first entry is the one to look
	// at first.
	// +kubebuilder:validation:MaxItems=64
	// +listType=map
	// +listMapKey=what
	// +optional
	BlockedBy []BlockedBy `json:"blockedBy,omitempty"`

	// The state of the cluster: Ready, and what it is derived from.
	// +kubebuilder:validation:MaxItems=32
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// Disruption is who disturbs the cluster.
type Disruption struct {
	// Who: broker-manager, or the name of a CruiseControlOperation.
	// +kubebuilder:validation:MaxLength=253
	Holder string `json:"holder"`
	// What it does.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	What string `json:"what,omitempty"`
	// Since when.
	Since metav1.Time `json:"since"`
}

// ClusterSummary is the cluster in a line.
type ClusterSummary struct {
	// Ready and wanted brokers, such as 2/3.
	// +kubebuilder:validation:MaxLength=32
	// +optional
	Brokers string `json:"brokers,omitempty"`
	// Ready and wanted controllers, such as 3/3.
	// +kubebuilder:validation:MaxLength=32
	// +optional
	Controllers string `json:"controllers,omitempty"`
	// Nodes that wait for a restart, and why; empty when there is none.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	Rollout string `json:"rollout,omitempty"`
	// The first thing that waits.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	Message string `json:"message,omitempty"`
}

// QuorumStatus is the metadata quorum (KIP-595, KIP-853).
type QuorumStatus struct {
	// Id of the active controller; absent while there is none.
	// +optional
	Leader *int32 `json:"leader,omitempty"`
	// Ids of the voters.
	// +kubebuilder:validation:MaxItems=64
	// +listType=set
	// +optional
	Voters []int32 `json:"voters,omitempty"`
}

// BrokerPhase is where a node is in its life.
// +kubebuilder:validation:MaxLength=32
type BrokerPhase string

const (
	// BrokerPending has no running Pod yet.
	BrokerPending BrokerPhase = "Pending"
	// BrokerJoining runs and has not joined the cluster yet.
	BrokerJoining BrokerPhase = "Joining"
	// BrokerRunning is a member of the cluster.
	BrokerRunning BrokerPhase = "Running"
	// BrokerRestarting is being restarted by Koperator.
	BrokerRestarting BrokerPhase = "Restarting"
	// BrokerDraining is no longer in the spec and still holds data; it asks for
	// a drain.
	BrokerDraining BrokerPhase = "Draining"
	// BrokerRemoving holds no replica any more and is being deleted.
	BrokerRemoving BrokerPhase = "Removing"
	// BrokerFailed cannot run; its condition says why.
	BrokerFailed BrokerPhase = "Failed"
)

// BrokerStatus is one node.
type BrokerStatus struct {
	// Id of the node.
	ID int32 `json:"id"`
	// Where the node is in its life: Pending, Joining, Running, Restarting,
	// Draining, Removing or Failed.
	// +optional
	Phase BrokerPhase `json:"phase,omitempty"`
	// Name of its Pod.
	// +kubebuilder:validation:MaxLength=253
	// +optional
	Pod string `json:"pod,omitempty"`
	// Kubernetes Node that its Pod runs on.
	// +kubebuilder:validation:MaxLength=253
	// +optional
	Node string `json:"node,omitempty"`
	// Rack that Kafka was told.
	// +kubebuilder:validation:MaxLength=253
	// +optional
	Rack string `json:"rack,omitempty"`
	// Version of Kafka that its Pod runs.
	// +kubebuilder:validation:MaxLength=63
	// +optional
	Version string `json:"version,omitempty"`
	// Hash of the configuration that its Pod was started with.
	// +kubebuilder:validation:MaxLength=128
	// +optional
	ConfigHash string `json:"configHash,omitempty"`
	// Which life of the node this is: it changes when its disks are new and
	// blank.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	Incarnation string `json:"incarnation,omitempty"`
	// Why the node waits for a restart; empty when it does not.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	RestartReason string `json:"restartReason,omitempty"`
	// Its disks.
	// +kubebuilder:validation:MaxItems=64
	// +listType=map
	// +listMapKey=path
	// +optional
	Volumes []VolumeStatus `json:"volumes,omitempty"`
	// What is wrong with this node, if anything is.
	// +kubebuilder:validation:MaxItems=8
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// VolumePhase is where a disk is in its life.
// +kubebuilder:validation:MaxLength=32
type VolumePhase string

const (
	// VolumePending is not bound yet.
	VolumePending VolumePhase = "Pending"
	// VolumeActive is in use.
	VolumeActive VolumePhase = "Active"
	// VolumeResizing grows.
	VolumeResizing VolumePhase = "Resizing"
	// VolumeDraining is no longer in the spec and still holds replicas.
	VolumeDraining VolumePhase = "Draining"
	// VolumeRemoving holds no replica any more and is being deleted.
	VolumeRemoving VolumePhase = "Removing"
)

// VolumeStatus is one disk of a node.
type VolumeStatus struct {
	// Path it is mounted at.
	// +kubebuilder:validation:MaxLength=64
	Path string `json:"path"`
	// Its PersistentVolumeClaim.
	// +kubebuilder:validation:MaxLength=253
	// +optional
	Claim string `json:"claim,omitempty"`
	// Where the disk is in its life: Pending, Active, Resizing, Draining or
	// Removing.
	// +optional
	Phase VolumePhase `json:"phase,omitempty"`
	// Which disk this is: it changes when the path has a new, blank one.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	Incarnation string `json:"incarnation,omitempty"`
	// Capacity it has.
	// +kubebuilder:validation:MaxLength=32
	// +optional
	Capacity string `json:"capacity,omitempty"`
}

// BlockedBy is one thing that waits.
type BlockedBy struct {
	// What waits, such as "restart of broker 101".
	// +kubebuilder:validation:MaxLength=128
	What string `json:"what"`
	// For what, as one word for programs.
	// +kubebuilder:validation:MaxLength=64
	Reason string `json:"reason"`
	// For what, as a sentence for people.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	Message string `json:"message,omitempty"`
	// Since when.
	Since metav1.Time `json:"since"`
}
