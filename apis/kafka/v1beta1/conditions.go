package v1beta1

// Types of the conditions of a KafkaCluster, by the program that owns them.
const (
	// ConditionReady is derived from the others: the cluster serves its clients as the spec wants.
	ConditionReady = "Ready"
	// ConditionSpecAccepted is False while the spec holds something that the schema cannot refuse and Kafka would.
	ConditionSpecAccepted = "SpecAccepted"
	// ConditionBrokersReady is True when every node of the spec is a running member of the cluster.
	ConditionBrokersReady = "BrokersReady"
	// ConditionQuorumAvailable is True when the metadata quorum has a leader.
	ConditionQuorumAvailable = "QuorumAvailable"
	// ConditionQuorumRecommended is False for an even number of controllers, which tolerates no more failures than
	// one controller less.
	ConditionQuorumRecommended = "QuorumRecommended"
	// ConditionKafkaReachable is True when Kafka answers the questions of broker-manager.
	ConditionKafkaReachable = "KafkaReachable"
	// ConditionConfigurationApplied is True when every node runs with the configuration of the spec.
	ConditionConfigurationApplied = "ConfigurationApplied"
	// ConditionStorageReady is True when every disk of the spec is bound and has its size.
	ConditionStorageReady = "StorageReady"
)

// Conditions that envoy-manager owns.
const (
	// ConditionExternalAccessReady is True when every broker has its address on every listener of type External and
	// every ready proxy has accepted it.
	ConditionExternalAccessReady = "ExternalAccessReady"
	// ConditionExternalAccessDegraded is True when a proxy rejects a part of its configuration, or has not accepted it
	// for a minute: brokers are no longer held back for it.
	ConditionExternalAccessDegraded = "ExternalAccessDegraded"
)

// Conditions that cruisecontrol-manager owns.
const (
	// ConditionCruiseControlReady is True when Cruise Control answers and can plan.
	ConditionCruiseControlReady = "CruiseControlReady"
	// ConditionDataPlaced is True when all data is where the spec wants it: no broker or disk waits for a move, and no move
	// failed.
	ConditionDataPlaced = "DataPlaced"
)

// ConditionBrokerHealthy is the condition of one node; False says what is wrong with it.
const ConditionBrokerHealthy = "Healthy"
