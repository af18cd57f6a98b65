package v1beta1

// Labels and annotations on the objects of a KafkaCluster.
const (
	// LabelName, LabelInstance and LabelManagedBy are the recommended labels of Kubernetes.
	LabelName      = "app.kubernetes.io/name"
	LabelInstance  = "app.kubernetes.io/instance"
	LabelManagedBy = "app.kubernetes.io/managed-by"
	LabelComponent = "app.kubernetes.io/component"
	LabelVersion   = "app.kubernetes.io/version"

	// ComponentEnvoy is the value of LabelComponent on the proxies of a KafkaCluster.
	ComponentEnvoy = "envoy"

	// ComponentCruiseControl is the value of LabelComponent on Cruise Control of a KafkaCluster.
	ComponentCruiseControl = "cruise-control"

	// LabelCluster names the KafkaCluster that an object belongs to.
	LabelCluster = "kafka.koperator.dev/cluster"
	// LabelBrokerID is the id of the node that an object belongs to.
	LabelBrokerID = "kafka.koperator.dev/broker-id"
	// LabelController and LabelBroker are "true" on Pods with that role.
	LabelController = "kafka.koperator.dev/controller"
	LabelBroker     = "kafka.koperator.dev/broker"
	// LabelClient is "true" on Pods that may connect to the listener between brokers: Koperator's own programs.
	LabelClient = "kafka.koperator.dev/client"

	// LabelOrigin says who made a CruiseControlOperation: OriginPlanner, or OriginSchedule.
	LabelOrigin = "kafka.koperator.dev/origin"
	// LabelSchedule names the CruiseControlOperation with the schedule that another one was made from.
	LabelSchedule = "kafka.koperator.dev/schedule"
	// AnnotationTargets are the brokers or disks that an operation was made for, with their incarnations: what was done for
	// one life of a broker is not done again for it.
	AnnotationTargets = "kafka.koperator.dev/targets"
	// AnnotationWithdrawn says why Koperator cancelled an operation that it had made itself. An operation that a person
	// cancelled does not have it, and is not made again.
	AnnotationWithdrawn = "kafka.koperator.dev/withdrawn"

	// AnnotationPath is the mount path of a PersistentVolumeClaim.
	AnnotationPath = "kafka.koperator.dev/path"
	// AnnotationClusterID is Kafka's cluster id, on every PersistentVolumeClaim.
	AnnotationClusterID = "kafka.koperator.dev/cluster-id"
	// AnnotationInitialControllers is the set of voters that the first start of the cluster is formatted with (KIP-853),
	// on the controllers' PersistentVolumeClaims: it is fixed by the first claim that is made.
	AnnotationInitialControllers = "kafka.koperator.dev/initial-controllers"
	// AnnotationQuorumEstablished is set on controllers' PersistentVolumeClaims once the first start of the cluster is
	// over: from then on no disk is ever formatted as an initial voter again.
	AnnotationQuorumEstablished = "kafka.koperator.dev/quorum-established"
	// AnnotationReleased is set on the PersistentVolumeClaim of a disk that was removed from the spec when the Pod that had it
	// is stopped and Kafka has nothing on it: the UID of that Pod. A Pod that is made from then on has no such disk.
	AnnotationReleased = "kafka.koperator.dev/released"
	// AnnotationIntent is what a Pod was made from, to be compared with what it would be made from now.
	AnnotationIntent = "kafka.koperator.dev/intent"
	// AnnotationAttempt is set on a node's ConfigMap while it is not known whether the node comes back from a restart with
	// another configuration.
	AnnotationAttempt = "kafka.koperator.dev/attempt"
	// AnnotationRack and AnnotationNode tell a starting broker its rack, and that the rack is known.
	AnnotationRack = "kafka.koperator.dev/rack"
	AnnotationNode = "kafka.koperator.dev/node"

	// FinalizerShutdown lets broker-manager stop brokers before controllers when a KafkaCluster is deleted.
	FinalizerShutdown = "kafka.koperator.dev/shutdown"
	// FinalizerOperation lets cruisecontrol-manager cancel a CruiseControlOperation that is deleted, and clean up after it.
	FinalizerOperation = "kafka.koperator.dev/operation"
	// AnnotationAbandon on a CruiseControlOperation that is deleted lets it go at once, with whatever it leaves in Kafka.
	AnnotationAbandon = "kafka.koperator.dev/abandon"
)

// Values of LabelOrigin.
const (
	OriginPlanner  = "planner"
	OriginSchedule = "schedule"
)

// Field owners of server-side apply, one for each program.
const (
	OwnerBroker        = "koperator-broker"
	OwnerEnvoy         = "koperator-envoy"
	OwnerCruiseControl = "koperator-cruisecontrol"
	OwnerAlerts        = "koperator-alerts"
)
