package client

import "context"

// KafkaClusterStateParameters of GET kafka_cluster_state.
type KafkaClusterStateParameters struct {
	// Topic is a regular expression. Empty: all topics.
	Topic string
	// Verbose adds the partitions that nothing is wrong with.
	Verbose bool
}

// KafkaClusterState is how Cruise Control sees Kafka.
type KafkaClusterState struct {
	Brokers    KafkaBrokerState    `json:"KafkaBrokerState"`
	Partitions KafkaPartitionState `json:"KafkaPartitionState"`
}

// KafkaBrokerState counts by broker id. Partitions without a leader are missing.
type KafkaBrokerState struct {
	LeaderCount         map[int32]int      `json:"LeaderCountByBrokerId"`
	OutOfSyncCount      map[int32]int      `json:"OutOfSyncCountByBrokerId"`
	ReplicaCount        map[int32]int      `json:"ReplicaCountByBrokerId"`
	OfflineReplicaCount map[int32]int      `json:"OfflineReplicaCountByBrokerId"`
	OnlineLogDirs       map[int32][]string `json:"OnlineLogDirsByBrokerId"`
	OfflineLogDirs      map[int32][]string `json:"OfflineLogDirsByBrokerId"`
	Summary             ClusterStats       `json:"Summary"`
}

// ClusterStats sums up a cluster.
type ClusterStats struct {
	Brokers              int   `json:"Brokers"`
	Topics               int   `json:"Topics"`
	Replicas             int   `json:"Replicas"`
	Leaders              int   `json:"Leaders"`
	AvgReplicationFactor Float `json:"AvgReplicationFactor"`
	AvgReplicasPerBroker Float `json:"AvgReplicasPerBroker"`
	AvgLeadersPerBroker  Float `json:"AvgLeadersPerBroker"`
	MaxReplicasPerBroker int   `json:"MaxReplicasPerBroker"`
	MaxLeadersPerBroker  int   `json:"MaxLeadersPerBroker"`
}

// KafkaPartitionState lists partitions by what is wrong with them.
type KafkaPartitionState struct {
	Offline             []PartitionState `json:"offline"`
	WithOfflineReplicas []PartitionState `json:"with-offline-replicas"`
	URP                 []PartitionState `json:"urp"`
	UnderMinISR         []PartitionState `json:"under-min-isr"`
	Other               []PartitionState `json:"other"`
}

// PartitionState is one partition.
type PartitionState struct {
	Topic     string  `json:"topic"`
	Partition int32   `json:"partition"`
	Leader    int32   `json:"leader"` // -1 without one
	Replicas  []int32 `json:"replicas"`
	InSync    []int32 `json:"in-sync"`
	OutOfSync []int32 `json:"out-of-sync"`
	Offline   []int32 `json:"offline"`
	MinISR    int     `json:"min-isr"`
}

// KafkaClusterState implements Client.
func (c *client) KafkaClusterState(ctx context.Context, p KafkaClusterStateParameters) (KafkaClusterState, error) {
	params := reading()
	params.bool("verbose", p.Verbose)
	params.pattern("topic", p.Topic)
	r := get("kafka_cluster_state", params)
	r.timeout = c.cfg.ClusterStateTimeout
	return tell[KafkaClusterState](ctx, c, r)
}
