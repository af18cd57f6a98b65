package v1beta1

import (
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// CruiseControlOperation is one task for Cruise Control: its intent in spec,
// its progress in status. Koperator makes them when brokers or disks come or
// go; people and their tools make others.
//
// Deleting it cancels it. No broker and no disk is ever deleted because of what
// becomes of an operation: that takes Kafka's own word.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=cruisecontroloperations,shortName=cco,categories=kafka
// +kubebuilder:printcolumn:name="Cluster",type=string,JSONPath=`.spec.clusterRef.name`
// +kubebuilder:printcolumn:name="Type",type=string,JSONPath=`.spec.type`
// +kubebuilder:printcolumn:name="Phase",type=string,JSONPath=`.status.phase`
// +kubebuilder:printcolumn:name="Progress",type=string,JSONPath=`.status.summary.progress`,description="How much of the work is done"
// +kubebuilder:printcolumn:name="Moved",type=string,JSONPath=`.status.summary.moved`,description="Data that has moved, of all that is to move"
// +kubebuilder:printcolumn:name="ETA",type=string,JSONPath=`.status.summary.eta`,description="How long it takes yet, at the speed of late"
// +kubebuilder:printcolumn:name="Attempt",type=integer,JSONPath=`.status.task.attempt`
// +kubebuilder:printcolumn:name="Message",type=string,JSONPath=`.status.summary.message`,priority=1,description="What it waits for, or what came of it"
// +kubebuilder:printcolumn:name="Task",type=string,JSONPath=`.status.task.userTaskID`,priority=1,description="Id of the task in Cruise Control"
// +kubebuilder:printcolumn:name="Throttle",type=string,JSONPath=`.spec.replicationThrottle`,priority=1,description="Bytes per second and broker"
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="!has(self.spec.schedule) || self.metadata.name.size() <= 52",message="metadata.name must have at most 52 characters with a schedule, because names and labels of its runs are made from it"
type CruiseControlOperation struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// What is to be done, and how. What is done, how it is planned and how it is
	// executed cannot change; approval, cancel, suspend, retry, deadlines,
	// onStall, priority, and how long the object is kept, can. With a schedule,
	// all but clusterRef and type can change: the next run is made from it.
	// +required
	Spec CruiseControlOperationSpec `json:"spec"`

	// How far it is.
	// +optional
	Status CruiseControlOperationStatus `json:"status,omitempty"`
}

// CruiseControlOperationList is a list of CruiseControlOperations.
// +kubebuilder:object:root=true
type CruiseControlOperationList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []CruiseControlOperation `json:"items"`
}

// OperationType is what is to be done.
// +kubebuilder:validation:Enum=AddBrokers;RemoveBrokers;DemoteBrokers;Rebalance;RebalanceDisks;RemoveDisks;FixOfflineReplicas;ChangeReplicationFactor
type OperationType string

const (
	// AddBrokers moves replicas from all other brokers onto some.
	AddBrokers OperationType = "AddBrokers"
	// RemoveBrokers moves all replicas off brokers.
	RemoveBrokers OperationType = "RemoveBrokers"
	// DemoteBrokers moves leadership off brokers.
	DemoteBrokers OperationType = "DemoteBrokers"
	// Rebalance spreads replicas and leaders over all brokers.
	Rebalance OperationType = "Rebalance"
	// RebalanceDisks spreads replicas over the disks of each broker.
	RebalanceDisks OperationType = "RebalanceDisks"
	// RemoveDisks moves all replicas off disks, onto others of the same broker.
	RemoveDisks OperationType = "RemoveDisks"
	// FixOfflineReplicas makes replicas on dead brokers and disks again elsewhere.
	FixOfflineReplicas OperationType = "FixOfflineReplicas"
	// ChangeReplicationFactor gives topics more or fewer replicas.
	ChangeReplicationFactor OperationType = "ChangeReplicationFactor"
)

// CruiseControlOperationSpec is what is to be done, and how.
//
// +kubebuilder:validation:XValidation:rule="(self.type in ['AddBrokers', 'RemoveBrokers', 'DemoteBrokers']) == (self.?brokers.orValue([]).size() > 0)",fieldPath=".brokers",message="brokers names the brokers of AddBrokers, RemoveBrokers and DemoteBrokers, which need at least one; remove it with any other type"
// +kubebuilder:validation:XValidation:rule="(self.type == 'RemoveDisks') == (self.?disks.orValue([]).size() > 0)",fieldPath=".disks",message="disks names the disks of RemoveDisks, which needs at least one; remove it with any other type"
// +kubebuilder:validation:XValidation:rule="(self.type == 'ChangeReplicationFactor') == (self.?topics.orValue([]).size() > 0)",fieldPath=".topics",message="topics names the topics of ChangeReplicationFactor, which needs at least one; remove it with any other type"
// +kubebuilder:validation:XValidation:rule="!has(self.goals) || !(self.type in ['DemoteBrokers', 'RebalanceDisks', 'RemoveDisks'])",fieldPath=".goals",message="DemoteBrokers, RebalanceDisks and RemoveDisks have goals of their own: remove goals"
// +kubebuilder:validation:XValidation:rule="!(self.skipHardGoalCheck || self.useReadyDefaultGoals) || !(self.type in ['DemoteBrokers', 'RebalanceDisks', 'RemoveDisks'])",message="DemoteBrokers, RebalanceDisks and RemoveDisks have goals of their own: remove skipHardGoalCheck and useReadyDefaultGoals"
// +kubebuilder:validation:XValidation:rule="!has(self.goals) || !self.useReadyDefaultGoals",fieldPath=".useReadyDefaultGoals",message="useReadyDefaultGoals is about the default goals: remove it, or remove goals"
// +kubebuilder:validation:XValidation:rule="!has(self.excludedTopics) || !(self.type in ['DemoteBrokers', 'RemoveDisks'])",fieldPath=".excludedTopics",message="DemoteBrokers and RemoveDisks concern all topics: remove excludedTopics"
// +kubebuilder:validation:XValidation:rule="!has(self.destinationBrokers) || self.type in ['RemoveBrokers', 'Rebalance']",fieldPath=".destinationBrokers",message="only RemoveBrokers and Rebalance can be told which brokers get the replicas: remove destinationBrokers"
// +kubebuilder:validation:XValidation:rule="!has(self.destinationBrokers) || !has(self.brokers) || self.destinationBrokers.all(b, !(b in self.brokers))",fieldPath=".destinationBrokers",message="a broker that is removed cannot get its own replicas: leave it out of destinationBrokers"
// +kubebuilder:validation:XValidation:rule="!self.skipRackAwarenessCheck || self.type == 'ChangeReplicationFactor'",fieldPath=".skipRackAwarenessCheck",message="skipRackAwarenessCheck is about ChangeReplicationFactor: remove it"
// +kubebuilder:validation:XValidation:rule="self.type != 'RemoveDisks' || !(has(self.concurrency) || has(self.replicaMovementStrategies))",message="Cruise Control takes no concurrency and no replicaMovementStrategies for RemoveDisks: remove them"
// +kubebuilder:validation:XValidation:rule="!has(self.replicationThrottle) || !(self.type in ['DemoteBrokers', 'RebalanceDisks', 'RemoveDisks'])",fieldPath=".replicationThrottle",message="DemoteBrokers, RebalanceDisks and RemoveDisks copy nothing from one broker to another, and Kafka throttles nothing else: remove replicationThrottle"
// +kubebuilder:validation:XValidation:rule="!has(self.schedule) || !has(self.approval) || !has(self.approval.approvedProposal)",fieldPath=".approval.approvedProposal",message="each run of a schedule has a proposal of its own: approve it on the CruiseControlOperation of that run"
// +kubebuilder:validation:XValidation:rule="self.clusterRef == oldSelf.clusterRef && self.type == oldSelf.type && has(self.schedule) == has(oldSelf.schedule)",message="clusterRef and type cannot change, and a schedule can neither come nor go: make another CruiseControlOperation"
// +kubebuilder:validation:XValidation:rule="has(self.schedule) || ((has(self.brokers) ? has(oldSelf.brokers) && self.brokers == oldSelf.brokers : !has(oldSelf.brokers)) && (has(self.disks) ? has(oldSelf.disks) && self.disks == oldSelf.disks : !has(oldSelf.disks)) && (has(self.topics) ? has(oldSelf.topics) && self.topics == oldSelf.topics : !has(oldSelf.topics)))",message="what an operation does cannot change once it exists: cancel it and make another one"
// +kubebuilder:validation:XValidation:rule="has(self.schedule) || ((has(self.goals) ? has(oldSelf.goals) && self.goals == oldSelf.goals : !has(oldSelf.goals)) && self.skipHardGoalCheck == oldSelf.skipHardGoalCheck && self.useReadyDefaultGoals == oldSelf.useReadyDefaultGoals && self.dataFrom == oldSelf.dataFrom && (has(self.excludedTopics) ? has(oldSelf.excludedTopics) && self.excludedTopics == oldSelf.excludedTopics : !has(oldSelf.excludedTopics)) && (has(self.destinationBrokers) ? has(oldSelf.destinationBrokers) && self.destinationBrokers == oldSelf.destinationBrokers : !has(oldSelf.destinationBrokers)) && self.excludeRecentlyRemovedBrokers == oldSelf.excludeRecentlyRemovedBrokers && self.excludeRecentlyDemotedBrokers == oldSelf.excludeRecentlyDemotedBrokers && self.allowCapacityEstimation == oldSelf.allowCapacityEstimation && self.skipRackAwarenessCheck == oldSelf.skipRackAwarenessCheck)",message="how an operation plans cannot change once it exists: cancel it and make another one"
// +kubebuilder:validation:XValidation:rule="has(self.schedule) || ((has(self.replicaMovementStrategies) ? has(oldSelf.replicaMovementStrategies) && self.replicaMovementStrategies == oldSelf.replicaMovementStrategies : !has(oldSelf.replicaMovementStrategies)) && (has(self.concurrency) ? has(oldSelf.concurrency) && self.concurrency == oldSelf.concurrency : !has(oldSelf.concurrency)) && (has(self.replicationThrottle) ? has(oldSelf.replicationThrottle) && self.replicationThrottle == oldSelf.replicationThrottle : !has(oldSelf.replicationThrottle)) && (has(self.limits) ? has(oldSelf.limits) && self.limits == oldSelf.limits : !has(oldSelf.limits)) && self.dryRun == oldSelf.dryRun)",message="how an operation is executed cannot change once it exists: cancel it and make another one"
type CruiseControlOperationSpec struct {
	// The KafkaCluster, in the same namespace.
	// +required
	ClusterRef ClusterReference `json:"clusterRef"`

	// What is to be done.
	//
	// AddBrokers moves replicas from all other brokers onto brokers.
	// RemoveBrokers moves all replicas off brokers. DemoteBrokers moves
	// leadership off brokers. Rebalance spreads replicas and leaders over all
	// brokers, RebalanceDisks over the disks of each broker. RemoveDisks moves
	// all replicas off disks, onto others of the same broker.
	// FixOfflineReplicas makes replicas on dead brokers and disks again
	// elsewhere. ChangeReplicationFactor gives topics more or fewer replicas.
	// +required
	Type OperationType `json:"type"`

	// Ids of the brokers of AddBrokers, RemoveBrokers and DemoteBrokers.
	// +kubebuilder:validation:MaxItems=512
	// +kubebuilder:validation:items:Minimum=0
	// +kubebuilder:validation:items:Maximum=2147483647
	// +listType=set
	// +optional
	Brokers []int32 `json:"brokers,omitempty"`

	// Disks of RemoveDisks, by the broker that has them.
	// +kubebuilder:validation:MaxItems=512
	// +listType=map
	// +listMapKey=broker
	// +optional
	Disks []BrokerDisks `json:"disks,omitempty"`

	// Topics of ChangeReplicationFactor: one entry, whose pattern can match many.
	// +kubebuilder:validation:MaxItems=1
	// +listType=atomic
	// +optional
	Topics []TopicReplication `json:"topics,omitempty"`

	// Goals of the plan, in the order of their priority. Without any: those of
	// Cruise Control's configuration.
	// +kubebuilder:validation:MaxItems=32
	// +listType=set
	// +optional
	Goals []Goal `json:"goals,omitempty"`

	// Allows goals without the hard ones of Cruise Control's configuration.
	// +kubebuilder:default=false
	// +optional
	SkipHardGoalCheck bool `json:"skipHardGoalCheck,omitempty"`

	// Leaves out those default goals for which too little of the load is known
	// yet.
	// +kubebuilder:default=false
	// +optional
	UseReadyDefaultGoals bool `json:"useReadyDefaultGoals,omitempty"`

	// Which part of what was measured a plan is made from. ValidPartitions works
	// earlier, when only some partitions have been measured.
	// +kubebuilder:validation:Enum=ValidWindows;ValidPartitions
	// +kubebuilder:default=ValidWindows
	// +optional
	DataFrom DataFrom `json:"dataFrom,omitempty"`

	// Topics whose replicas stay where they are, unless they are offline: a
	// regular expression (of Java) of whole names.
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:XValidation:rule="self.matches('^[!-~]+$')",message="excludedTopics must be a regular expression in ASCII without blanks, as names of topics are"
	// +optional
	ExcludedTopics string `json:"excludedTopics,omitempty"`

	// Ids of the brokers that may get replicas, with RemoveBrokers and Rebalance.
	// Without any: all that live and are not to be removed.
	// +kubebuilder:validation:MaxItems=512
	// +kubebuilder:validation:items:Minimum=0
	// +kubebuilder:validation:items:Maximum=2147483647
	// +listType=set
	// +optional
	DestinationBrokers []int32 `json:"destinationBrokers,omitempty"`

	// Gives no replicas to brokers of an earlier RemoveBrokers, also of one that
	// failed, that Cruise Control remembers.
	// +kubebuilder:default=true
	// +optional
	ExcludeRecentlyRemovedBrokers *bool `json:"excludeRecentlyRemovedBrokers,omitempty"`

	// Gives no leadership to brokers of an earlier DemoteBrokers that Cruise
	// Control remembers.
	// +kubebuilder:default=false
	// +optional
	ExcludeRecentlyDemotedBrokers *bool `json:"excludeRecentlyDemotedBrokers,omitempty"`

	// Plans also with brokers whose capacity is only estimated.
	// +kubebuilder:default=false
	// +optional
	AllowCapacityEstimation bool `json:"allowCapacityEstimation,omitempty"`

	// Allows ChangeReplicationFactor to put two replicas into one rack.
	// +kubebuilder:default=false
	// +optional
	SkipRackAwarenessCheck bool `json:"skipRackAwarenessCheck,omitempty"`

	// In which order replicas are moved, each one where those before it say
	// nothing.
	// +kubebuilder:validation:MaxItems=8
	// +listType=set
	// +optional
	ReplicaMovementStrategies []ReplicaMovementStrategy `json:"replicaMovementStrategies,omitempty"`

	// How much is moved at a time. Without it: as in Cruise Control's
	// configuration.
	// +optional
	Concurrency *OperationConcurrency `json:"concurrency,omitempty"`

	// Bytes per second that each broker may send and receive for the replicas
	// that are moved. Koperator sets it in Kafka before, and removes it after.
	// Without it, data moves as fast as it goes.
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=20
	// +kubebuilder:validation:XValidation:rule="isQuantity(self) && quantity(self).compareTo(quantity('1Ki')) >= 0",message="replicationThrottle must be a quantity of bytes per second, such as 50Mi"
	// +optional
	ReplicationThrottle *resource.Quantity `json:"replicationThrottle,omitempty"`

	// Who says that the plan may be executed.
	// +kubebuilder:default={}
	// +optional
	Approval *OperationApproval `json:"approval,omitempty"`

	// A plan that moves more waits for approval, whatever approval.mode says.
	// +optional
	Limits *OperationLimits `json:"limits,omitempty"`

	// Ends with the proposal, and moves nothing.
	// +kubebuilder:default=false
	// +optional
	DryRun bool `json:"dryRun,omitempty"`

	// Set it to end the operation. What has moved stays where it is.
	// +kubebuilder:default=false
	// +optional
	Cancel bool `json:"cancel,omitempty"`

	// Set it to begin nothing new. What is being executed is executed to its end.
	// +kubebuilder:default=false
	// +optional
	Suspend bool `json:"suspend,omitempty"`

	// What happens after a failure that may pass.
	// +kubebuilder:default={}
	// +optional
	Retry *OperationRetry `json:"retry,omitempty"`

	// How long each part may take.
	// +kubebuilder:default={}
	// +optional
	Deadlines *OperationDeadlines `json:"deadlines,omitempty"`

	// What happens when nothing has moved for deadlines.stallSeconds: a condition
	// says so (Warn), or it is stopped too (Stop).
	// +kubebuilder:validation:Enum=Warn;Stop
	// +kubebuilder:default=Warn
	// +optional
	OnStall StallPolicy `json:"onStall,omitempty"`

	// Operations with a higher one come first, among those that are equally
	// urgent by their type: FixOfflineReplicas, RemoveBrokers, AddBrokers,
	// RemoveDisks, then all others.
	// +kubebuilder:validation:Minimum=-1000
	// +kubebuilder:validation:Maximum=1000
	// +kubebuilder:default=0
	// +optional
	Priority int32 `json:"priority,omitempty"`

	// Makes this operation a template: each time, an operation like it is made,
	// unless the last one is still under way.
	// +optional
	Schedule *OperationSchedule `json:"schedule,omitempty"`

	// Seconds after which an operation that succeeded, or was cancelled, is
	// deleted. Without it, it is kept.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=31536000
	// +optional
	TTLSecondsAfterFinished *int32 `json:"ttlSecondsAfterFinished,omitempty"`

	// Seconds after which an operation that failed is deleted. Without it, it is
	// kept.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=31536000
	// +optional
	TTLSecondsAfterFailed *int32 `json:"ttlSecondsAfterFailed,omitempty"`
}

// ClusterReference names a KafkaCluster in the same namespace.
type ClusterReference struct {
	// Name of the KafkaCluster.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +required
	Name string `json:"name"`
}

// BrokerDisks are disks of one broker.
type BrokerDisks struct {
	// Id of the broker.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=2147483647
	// +required
	Broker int32 `json:"broker"`
	// Paths as in storage, such as /var/lib/kafka/b.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MaxLength=64
	// +kubebuilder:validation:items:XValidation:rule="self.matches('^(/[A-Za-z0-9][-._A-Za-z0-9]*)+$')",message="a path is one of storage, such as /var/lib/kafka/b"
	// +listType=set
	// +required
	Paths []string `json:"paths"`
}

// TopicReplication is how many replicas some topics should have.
type TopicReplication struct {
	// Names of the topics: a regular expression (of Java) of whole names.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:XValidation:rule="self.matches('^[!-~]+$')",message="pattern must be a regular expression in ASCII without blanks, as names of topics are"
	// +required
	Pattern string `json:"pattern"`
	// Replicas of each partition.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=16
	// +required
	ReplicationFactor int32 `json:"replicationFactor"`
}

// DataFrom is which part of what was measured a plan is made from.
type DataFrom string

const (
	// ValidWindows needs enough windows of time in which enough was measured.
	ValidWindows DataFrom = "ValidWindows"
	// ValidPartitions needs enough partitions that were measured.
	ValidPartitions DataFrom = "ValidPartitions"
)

// ReplicaMovementStrategy orders the movements of a plan.
// +kubebuilder:validation:Enum=BaseReplicaMovementStrategy;PostponeUrpReplicaMovementStrategy;PrioritizeLargeReplicaMovementStrategy;PrioritizeSmallReplicaMovementStrategy;PrioritizeMinIsrWithOfflineReplicasStrategy;PrioritizeOneAboveMinIsrWithOfflineReplicasStrategy
type ReplicaMovementStrategy string

// StallPolicy says what happens when nothing moves any more.
type StallPolicy string

const (
	// StallWarn sets the condition Stalled.
	StallWarn StallPolicy = "Warn"
	// StallStop ends the attempt too.
	StallStop StallPolicy = "Stop"
)

// OperationConcurrency is how much is moved at a time. What is not set is as in
// Cruise Control's configuration.
type OperationConcurrency struct {
	// Replicas that move to or from one broker.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10000
	// +optional
	PerBroker int32 `json:"perBroker,omitempty"`
	// Replicas that move in the cluster.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10000
	// +optional
	Cluster int32 `json:"cluster,omitempty"`
	// Replicas that move between the disks of one broker.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10000
	// +optional
	IntraBroker int32 `json:"intraBroker,omitempty"`
	// Leaders that move in the cluster.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100000
	// +optional
	Leaders int32 `json:"leaders,omitempty"`
	// Leaders that move to or from one broker.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100000
	// +optional
	LeadersPerBroker int32 `json:"leadersPerBroker,omitempty"`
}

// ApprovalMode is who says that a plan may be executed.
// +kubebuilder:validation:Enum=Automatic;Manual
type ApprovalMode string

const (
	// ApprovalAutomatic executes every plan that is within its limits.
	ApprovalAutomatic ApprovalMode = "Automatic"
	// ApprovalManual waits for a person.
	ApprovalManual ApprovalMode = "Manual"
)

// OperationApproval is who says that a plan may be executed. It binds to one
// plan: Cruise Control plans again when it executes, so it is asked once more
// just before, and a plan that differs by more than maxDrift has to be approved
// again.
type OperationApproval struct {
	// Automatic, or Manual: the plan is in status.proposal, and nothing moves
	// until its hash is in approvedProposal.
	// +kubebuilder:default=Automatic
	// +optional
	Mode ApprovalMode `json:"mode,omitempty"`
	// Hash of the proposal that may be executed, from status.proposal.hash.
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self.matches('^[0-9a-f]{64}$')",message="approvedProposal is the hash in status.proposal.hash"
	// +optional
	ApprovedProposal string `json:"approvedProposal,omitempty"`
	// How much, in percent of its movements, the plan may have changed since.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	// +kubebuilder:default=10
	// +optional
	MaxDrift *int32 `json:"maxDrift,omitempty"`
}

// OperationLimits are how much a plan may move without a person's approval.
type OperationLimits struct {
	// Data, such as 500Gi.
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=20
	// +kubebuilder:validation:XValidation:rule="isQuantity(self) && quantity(self).compareTo(quantity('0')) >= 0",message="maxDataToMove must be a quantity, such as 500Gi"
	// +optional
	MaxDataToMove *resource.Quantity `json:"maxDataToMove,omitempty"`
	// Replicas, those between the disks of a broker too.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=2147483647
	// +optional
	MaxReplicaMovements *int32 `json:"maxReplicaMovements,omitempty"`
}

// OperationRetry is what happens after a failure that may pass: another attempt,
// later and later.
type OperationRetry struct {
	// Attempts after the first one. Restarts of Cruise Control are not counted.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	// +kubebuilder:default=6
	// +optional
	Limit *int32 `json:"limit,omitempty"`
	// Seconds before the second attempt; before each further one, twice as many.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=86400
	// +kubebuilder:default=30
	// +optional
	InitialSeconds int32 `json:"initialSeconds,omitempty"`
	// The most seconds before an attempt.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=86400
	// +kubebuilder:default=600
	// +optional
	MaxSeconds int32 `json:"maxSeconds,omitempty"`
}

// OperationDeadlines are how long each part may take.
type OperationDeadlines struct {
	// Seconds in which Cruise Control has to come to a plan.
	// +kubebuilder:validation:Minimum=10
	// +kubebuilder:validation:Maximum=604800
	// +kubebuilder:default=1800
	// +optional
	ProposalSeconds int32 `json:"proposalSeconds,omitempty"`
	// Seconds without any progress after which it counts as stalled. A partition
	// is progress when all of it has moved: large ones take long.
	// +kubebuilder:validation:Minimum=10
	// +kubebuilder:validation:Maximum=604800
	// +kubebuilder:default=1800
	// +optional
	StallSeconds int32 `json:"stallSeconds,omitempty"`
	// Seconds that the execution may take. Without it, as long as it takes.
	// +kubebuilder:validation:Minimum=10
	// +kubebuilder:validation:Maximum=31536000
	// +optional
	ExecutionSeconds *int32 `json:"executionSeconds,omitempty"`
}

// OperationSchedule is when an operation is repeated.
type OperationSchedule struct {
	// Minute, hour, day of the month, month and day of the week, as of cron:
	// `0 3 * * 6` is each Saturday at three.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:XValidation:rule="self.matches('^(@(yearly|annually|monthly|weekly|daily|midnight|hourly)|[-0-9*/,]+( +[-0-9*/,?]+){2} +[-0-9A-Za-z*/,]+ +[-0-9A-Za-z*/,?]+)$')",message="cron must have five fields, such as '0 3 * * 6', or be one of @hourly, @daily, @weekly, @monthly and @yearly"
	// +required
	Cron string `json:"cron"`
	// Time zone of it, such as Europe/Budapest.
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z0-9+_/-]+$')",message="timeZone must be a name of the time zone database, such as Europe/Budapest"
	// +kubebuilder:default=UTC
	// +optional
	TimeZone string `json:"timeZone,omitempty"`
	// Operations of earlier runs that are kept.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	// +kubebuilder:default=5
	// +optional
	HistoryLimit *int32 `json:"historyLimit,omitempty"`
}

// OperationPhase is where an operation is.
// +kubebuilder:validation:MaxLength=32
type OperationPhase string

const (
	// OperationPending has not been looked at yet, or cannot be worked on; its
	// condition Accepted says why.
	OperationPending OperationPhase = "Pending"
	// OperationScheduled is a template, and operations are made from it.
	OperationScheduled OperationPhase = "Scheduled"
	// OperationQueued waits for its turn.
	OperationQueued OperationPhase = "Queued"
	// OperationWaitingForMonitor waits until Cruise Control knows enough of the
	// load.
	OperationWaitingForMonitor OperationPhase = "WaitingForMonitor"
	// OperationSettling waits until Cruise Control has seen the last change.
	OperationSettling OperationPhase = "Settling"
	// OperationProposing has its plan made.
	OperationProposing OperationPhase = "Proposing"
	// OperationAwaitingApproval waits for a person.
	OperationAwaitingApproval OperationPhase = "AwaitingApproval"
	// OperationSubmitting sends it.
	OperationSubmitting OperationPhase = "Submitting"
	// OperationExecuting moves data.
	OperationExecuting OperationPhase = "Executing"
	// OperationStopping waits until what was stopped has ended.
	OperationStopping OperationPhase = "Stopping"
	// OperationRecovering finds out what a restart of Cruise Control left.
	OperationRecovering OperationPhase = "Recovering"
	// OperationCleaning removes what was left in Kafka.
	OperationCleaning OperationPhase = "Cleaning"
	// OperationVerifying asks Kafka whether it is done.
	OperationVerifying OperationPhase = "Verifying"
	// OperationBackingOff waits before the next attempt.
	OperationBackingOff OperationPhase = "BackingOff"
	// OperationSucceeded is done, by Kafka's own word.
	OperationSucceeded OperationPhase = "Succeeded"
	// OperationProposalOnly was a dry run, and has its proposal.
	OperationProposalOnly OperationPhase = "ProposalOnly"
	// OperationCancelled was cancelled.
	OperationCancelled OperationPhase = "Cancelled"
	// OperationFailed failed for good.
	OperationFailed OperationPhase = "Failed"
)

// IsFinished tells whether an operation is at its end.
func (p OperationPhase) IsFinished() bool {
	switch p {
	case OperationSucceeded, OperationProposalOnly, OperationCancelled, OperationFailed:
		return true
	}
	return false
}

// Conditions of a CruiseControlOperation.
const (
	// ConditionAccepted is False while the operation cannot be worked on: its cluster does not exist, or has no Cruise
	// Control.
	ConditionAccepted = "Accepted"
	// ConditionMonitorReady is False while Cruise Control does not answer or knows too little of the load.
	ConditionMonitorReady = "MonitorReady"
	// ConditionSettled is False until Cruise Control has seen the last change.
	ConditionSettled = "Settled"
	// ConditionProposalReady is True when there is a plan.
	ConditionProposalReady = "ProposalReady"
	// ConditionApproved is True when the plan may be executed.
	ConditionApproved = "Approved"
	// ConditionExecuting is True while data moves.
	ConditionExecuting = "Executing"
	// ConditionStalled is True when nothing has moved for long.
	ConditionStalled = "Stalled"
	// ConditionClean is False while something of the operation is left in Kafka.
	ConditionClean = "Clean"
	// ConditionVerified is True when Kafka says that what was wanted is so.
	ConditionVerified = "Verified"
	// ConditionComplete and ConditionFailed are True at the end.
	ConditionComplete = "Complete"
	ConditionFailed   = "Failed"
)

// CruiseControlOperationStatus is how far an operation is.
type CruiseControlOperationStatus struct {
	// Generation of the spec that this status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// Where the operation is.
	// +optional
	Phase OperationPhase `json:"phase,omitempty"`

	// The operation in a line, for `kubectl get`.
	// +optional
	Summary *OperationSummary `json:"summary,omitempty"`

	// What is so of the operation, each with its reason.
	// +kubebuilder:validation:MaxItems=16
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// The plan that would be executed.
	// +optional
	Proposal *OperationProposal `json:"proposal,omitempty"`

	// The attempt that is under way, or was the last one.
	// +optional
	Task *OperationTask `json:"task,omitempty"`

	// When the cluster last changed in a way that Cruise Control has to see
	// before it plans.
	// +optional
	ChangedAt *metav1.MicroTime `json:"changedAt,omitempty"`

	// How far the execution is.
	// +optional
	Progress *OperationProgress `json:"progress,omitempty"`

	// The throttle in Kafka.
	// +optional
	Throttle *OperationThrottle `json:"throttle,omitempty"`

	// What the operation has left in Kafka and in Cruise Control.
	// +optional
	Leftovers *OperationLeftovers `json:"leftovers,omitempty"`

	// Attempts after the first one that a failure led to.
	// +optional
	Retries int32 `json:"retries,omitempty"`
	// Attempts after the first one that a restart of Cruise Control led to.
	// +optional
	Restarts int32 `json:"restarts,omitempty"`

	// When the next attempt begins.
	// +optional
	RetryAt *metav1.Time `json:"retryAt,omitempty"`

	// The last attempts.
	// +kubebuilder:validation:MaxItems=5
	// +listType=atomic
	// +optional
	History []OperationAttempt `json:"history,omitempty"`

	// When it was begun.
	// +optional
	StartTime *metav1.Time `json:"startTime,omitempty"`
	// When it ended.
	// +optional
	CompletionTime *metav1.Time `json:"completionTime,omitempty"`

	// When the last run of a schedule was due.
	// +optional
	LastScheduleTime *metav1.Time `json:"lastScheduleTime,omitempty"`
	// When the next run of a schedule is due.
	// +optional
	NextScheduleTime *metav1.Time `json:"nextScheduleTime,omitempty"`
}

// OperationSummary is an operation in a line.
type OperationSummary struct {
	// How much is done, such as 42%.
	// +kubebuilder:validation:MaxLength=16
	// +optional
	Progress string `json:"progress,omitempty"`
	// Data that has moved, such as 5.0/17.8 GiB.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	Moved string `json:"moved,omitempty"`
	// How long it takes yet, such as 12m.
	// +kubebuilder:validation:MaxLength=32
	// +optional
	ETA string `json:"eta,omitempty"`
	// What it waits for, or what came of it.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	Message string `json:"message,omitempty"`
}

// OperationProposal is a plan.
type OperationProposal struct {
	// Hash of where each partition goes, to approve it by.
	// +kubebuilder:validation:MaxLength=64
	Hash string `json:"hash"`
	// When it was made.
	ComputedAt metav1.Time `json:"computedAt"`
	// Partitions whose replicas move between brokers.
	// +optional
	ReplicaMovements int32 `json:"replicaMovements"`
	// Data that moves between brokers, in bytes.
	// +optional
	DataToMove int64 `json:"dataToMove"`
	// Replicas that move between the disks of a broker.
	// +optional
	IntraBrokerReplicaMovements int32 `json:"intraBrokerReplicaMovements"`
	// Data that moves between the disks of a broker, in bytes.
	// +optional
	IntraBrokerDataToMove int64 `json:"intraBrokerDataToMove"`
	// Partitions that get another leader and no other replicas.
	// +optional
	LeaderMovements int32 `json:"leaderMovements"`
	// How balanced the cluster is, out of 100.
	// +kubebuilder:validation:MaxLength=16
	// +optional
	BalancednessBefore string `json:"balancednessBefore,omitempty"`
	// How balanced it is after the plan, out of 100.
	// +kubebuilder:validation:MaxLength=16
	// +optional
	BalancednessAfter string `json:"balancednessAfter,omitempty"`
	// Goals that are not met by the plan.
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=128
	// +listType=set
	// +optional
	ViolatedGoals []string `json:"violatedGoals,omitempty"`
	// What Cruise Control thinks of the number of brokers.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	ProvisionStatus string `json:"provisionStatus,omitempty"`
	// How many brokers it recommends, and why.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	ProvisionRecommendation string `json:"provisionRecommendation,omitempty"`
	// ConfigMap with where each partition goes.
	// +kubebuilder:validation:MaxLength=253
	// +optional
	Report string `json:"report,omitempty"`
}

// OperationTask is one attempt.
type OperationTask struct {
	// Number of the attempt, from 1.
	Attempt int32 `json:"attempt"`
	// Number of the plan of this attempt, from 1.
	// +optional
	Plan int32 `json:"plan,omitempty"`
	// Task in Cruise Control that makes the plan, while it is being made.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	PlanTaskID string `json:"planTaskID,omitempty"`
	// Since when the plan is being made.
	// +optional
	PlanningSince *metav1.MicroTime `json:"planningSince,omitempty"`
	// Whether brokers that Cruise Control remembers as removed may get replicas
	// in this attempt, because no plan was found without them.
	// +optional
	IncludeRecentlyRemoved bool `json:"includeRecentlyRemoved,omitempty"`
	// Reason that the request has in Cruise Control, by which it is found again.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	CorrelationID string `json:"correlationID,omitempty"`
	// Its id in Cruise Control.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	UserTaskID string `json:"userTaskID,omitempty"`
	// Process of Cruise Control that it was sent to.
	// +kubebuilder:validation:MaxLength=253
	// +optional
	Instance string `json:"instance,omitempty"`
	// When it was decided to send it.
	// +optional
	IntentAt *metav1.MicroTime `json:"intentAt,omitempty"`
	// When it was sent.
	// +optional
	SubmittedAt *metav1.Time `json:"submittedAt,omitempty"`
	// Since when it is executed.
	// +optional
	ExecutingSince *metav1.Time `json:"executingSince,omitempty"`
	// Hash of the plan that is executed, once it is known.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	ExecutedProposal string `json:"executedProposal,omitempty"`
	// When Cruise Control was last asked to stop it.
	// +optional
	StopAskedAt *metav1.MicroTime `json:"stopAskedAt,omitempty"`
	// When Cruise Control first said that it is over; believed when it says so
	// again.
	// +optional
	CompletedSeenAt *metav1.MicroTime `json:"completedSeenAt,omitempty"`
	// Why it ends before its time: Cancelled, Stalled, Deadline, Failed.
	// +kubebuilder:validation:MaxLength=32
	// +optional
	StopReason string `json:"stopReason,omitempty"`
	// What came of it, once it is over: Completed, NothingToDo, Stopped, Failed,
	// TaskLost, Restarted.
	// +kubebuilder:validation:MaxLength=32
	// +optional
	Outcome string `json:"outcome,omitempty"`
	// What kind of failure it met.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	ErrorClass string `json:"errorClass,omitempty"`
	// What Cruise Control said of it.
	// +kubebuilder:validation:MaxLength=4096
	// +optional
	ErrorMessage string `json:"errorMessage,omitempty"`
}

// OperationProgress is how far an execution is.
type OperationProgress struct {
	// Planning, InterBroker, IntraBroker or Leadership.
	// +kubebuilder:validation:MaxLength=32
	// +optional
	Phase string `json:"phase,omitempty"`
	// How much of all phases is done. 100 when Kafka has confirmed it.
	Percent int32 `json:"percent"`
	// Bytes that have moved. A partition counts when all of it has moved.
	// +optional
	DataMoved int64 `json:"dataMoved"`
	// Bytes that are to move, with those that have.
	// +optional
	DataTotal int64 `json:"dataTotal"`
	// Partitions that have moved.
	// +optional
	PartitionsFinished int32 `json:"partitionsFinished"`
	// Partitions that are moving.
	// +optional
	PartitionsInProgress int32 `json:"partitionsInProgress"`
	// Partitions that are to move, with those that have.
	// +optional
	PartitionsTotal int32 `json:"partitionsTotal"`
	// Leaders that have moved.
	// +optional
	LeadersFinished int32 `json:"leadersFinished"`
	// Leaders that are to move, with those that have.
	// +optional
	LeadersTotal int32 `json:"leadersTotal"`
	// Bytes per second, of late.
	// +optional
	Rate int64 `json:"rate"`
	// Seconds that it takes yet, at that rate; absent while nobody can say.
	// +optional
	ETASeconds *int64 `json:"etaSeconds,omitempty"`
	// When something was last done.
	// +optional
	LastAdvance *metav1.Time `json:"lastAdvance,omitempty"`
}

// OperationThrottle is the throttle in Kafka.
type OperationThrottle struct {
	// Bytes per second and broker.
	Rate int64 `json:"rate"`
	// Brokers that have it.
	// +kubebuilder:validation:MaxItems=1024
	// +listType=set
	// +optional
	Brokers []int32 `json:"brokers,omitempty"`
	// Number of topics whose replicas are throttled.
	// +optional
	Topics int32 `json:"topics"`
}

// OperationLeftovers are what is left of an operation.
type OperationLeftovers struct {
	// Partitions of its plan that Kafka is still reassigning.
	// +optional
	Reassignments int32 `json:"reassignments"`
	// Properties of its throttle that are still set.
	// +optional
	Throttles int32 `json:"throttles"`
	// Whether Cruise Control still remembers its brokers as removed.
	// +optional
	RecentlyRemoved bool `json:"recentlyRemoved,omitempty"`
	// What cannot be cleaned, and why.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	Message string `json:"message,omitempty"`
}

// OperationAttempt is an attempt that is over.
type OperationAttempt struct {
	// Number of the attempt.
	Attempt int32 `json:"attempt"`
	// Its id in Cruise Control.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	UserTaskID string `json:"userTaskID,omitempty"`
	// When it began.
	// +optional
	Start *metav1.Time `json:"start,omitempty"`
	// When it ended.
	// +optional
	End *metav1.Time `json:"end,omitempty"`
	// What came of it: Completed, NothingToDo, Stopped, Failed, TaskLost,
	// Restarted.
	// +kubebuilder:validation:MaxLength=32
	// +optional
	Outcome string `json:"outcome,omitempty"`
	// What kind of failure it met.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	ErrorClass string `json:"errorClass,omitempty"`
	// What Cruise Control said.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	Message string `json:"message,omitempty"`
}
