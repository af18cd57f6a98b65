// Package kafka is what Koperator's programs ask and tell Apache Kafka: one documented port, its implementation on
// franz-go, and a fake beside it. It knows no Kubernetes.
package kafka

import (
	"context"
	"errors"
	"slices"
	"time"
)

// ErrUnreachable means that Kafka could not be asked at all: nothing was learnt. A change may have happened all the same, if
// only its answer was lost: look before doing it again. What Kafka itself answers is a *kerr.Error underneath and never
// ErrUnreachable.
var ErrUnreachable = errors.New("kafka cannot be reached")

// Admin asks and tells one Kafka cluster. It is safe for concurrent use and keeps its connections; every call is
// bounded in time, also if ctx is not.
type Admin interface {
	// Describe reads brokers, fenced ones included, and every partition with its in-sync replicas and its topic's
	// min.insync.replicas: one Metadata request, one DescribeCluster, and DescribeConfigs only for topics that are new or
	// whose config was read more than a minute ago. All of it comes from one broker, which must keep up with the metadata
	// quorum: one that is cut off from the controllers would go on describing what was. Without an active controller it
	// fails, for then nobody knows who is in sync.
	Describe(ctx context.Context) (Cluster, error)
	// Quorum reads the metadata quorum (DescribeQuorum, KIP-595 and KIP-836), through brokers, or from the controllers
	// themselves if no broker can pass the question on. If every controller says that none leads, the answer has no
	// leader, no voters and no error.
	Quorum(ctx context.Context) (Quorum, error)
	// LogDirs reads the log directories of the given brokers (DescribeLogDirs, KIP-113), replicas and future replicas
	// counted. A broker that did not answer is in the error and not in the map; the others are still returned.
	LogDirs(ctx context.Context, brokers []int32) (map[int32][]LogDir, error)
	// DynamicConfig reads the dynamic properties that are set for one node, or for all brokers (ClusterWide): those set
	// at this level alone, without defaults. Sensitive ones read as Hidden. Kafka lets a node answer for itself alone, so a
	// broker must be serving, and a controller's config needs the addresses of the controllers.
	DynamicConfig(ctx context.Context, node int32) (map[string]string, error)
	// AlterDynamicConfig sets and deletes properties of one node, or of all brokers (ClusterWide), and leaves all others
	// as they are (IncrementalAlterConfigs, KIP-339). It is done as a whole or not at all. That Kafka accepts it proves
	// little: it accepts unknown names, and certificates that it then fails to load.
	AlterDynamicConfig(ctx context.Context, node int32, set map[string]string, remove []string) error
	// AddVoter makes a caught-up observer a voter (AddRaftVoter, KIP-853). Kafka may refuse a correct request once
	// (REQUEST_TIMED_OUT): ask again in a later pass. DUPLICATE_VOTER: its id votes already, maybe with another directory.
	AddVoter(ctx context.Context, voter Voter) error
	// RemoveVoter removes a voter, the leader too (RemoveRaftVoter, KIP-853). VOTER_NOT_FOUND: it is none.
	RemoveVoter(ctx context.Context, id int32, directoryID string) error
	// UnregisterBroker forgets a broker. Kafka never refuses it, also for a live broker with data: only ever call it for
	// a broker that is fenced, stopped and empty. BROKER_ID_NOT_REGISTERED: it is forgotten already.
	UnregisterBroker(ctx context.Context, id int32) error
	// ElectPreferredLeaders makes the preferred replica of every partition its leader where it is in sync. Partitions that
	// have nothing to elect are no error.
	ElectPreferredLeaders(ctx context.Context) error
	// CancelReassignments ends the reassignments of just these partitions (AlterPartitionReassignments with no replicas,
	// KIP-455): they keep the replicas that they had. One that has ended by itself is no error. One that Kafka cannot revert,
	// because that would need an unclean election, is in the error; the others are cancelled all the same.
	CancelReassignments(ctx context.Context, partitions []TopicPartition) error
	// TopicConfigs reads the properties that are set on these topics themselves, without defaults. Topics that do not exist
	// are missing in the answer and no error.
	TopicConfigs(ctx context.Context, topics []string) (map[string]map[string]string, error)
	// AlterTopicConfigs sets and deletes properties of topics and leaves all others as they are (IncrementalAlterConfigs,
	// KIP-339), each topic as a whole or not at all. Topics that do not exist any more are no error.
	AlterTopicConfigs(ctx context.Context, changes map[string]ConfigChange) error
	// CreateTopic creates a topic. TOPIC_ALREADY_EXISTS: it is there, maybe with other partitions and properties.
	CreateTopic(ctx context.Context, topic NewTopic) error
	// Close ends all connections.
	Close()
}

// TopicPartition names a partition.
type TopicPartition struct {
	Topic     string
	Partition int32
}

// Reassignment is a partition that is being reassigned (KIP-455).
type Reassignment struct {
	TopicPartition
	// Replicas are all that it has now: those of before, and those that are being added.
	Replicas []int32
	// Adding are being added, and Removing go when the added ones are in sync.
	Adding, Removing []int32
}

// Target is what the replicas will be when the reassignment ends.
func (r Reassignment) Target() []int32 {
	return slices.DeleteFunc(slices.Clone(r.Replicas), func(id int32) bool { return slices.Contains(r.Removing, id) })
}

// ConfigChange is what to set and what to delete of the properties of one resource.
type ConfigChange struct {
	Set    map[string]string
	Remove []string
}

// NewTopic is a topic that is to be created. Zero partitions or replicas: as the brokers have them by default.
type NewTopic struct {
	Name              string
	Partitions        int32
	ReplicationFactor int16
	Config            map[string]string
}

// Hidden stands for the value of a sensitive property, which Kafka does not give away.
const Hidden = "[hidden]"

// ClusterWide stands for the default of all brokers where a broker's id is asked for.
const ClusterWide int32 = -1

// Cluster is what Kafka says of its brokers and partitions.
type Cluster struct {
	ID string
	// Brokers by id, fenced ones included.
	Brokers map[int32]Broker
	// Partitions of all topics, internal ones included, sorted by topic and partition.
	Partitions []Partition
	// Reassignments are the partitions that are being reassigned, whoever asked for it (ListPartitionReassignments,
	// KIP-455), sorted by topic and partition.
	Reassignments []Reassignment
}

// Broker is one registered broker.
type Broker struct {
	ID     int32
	Fenced bool
	Rack   string
}

// Partition is one partition.
type Partition struct {
	Topic     string
	Partition int32
	Leader    int32 // -1 without one
	Replicas  []int32
	ISR       []int32
	Offline   []int32 // replicas on brokers and disks that do not serve
	MinISR    int     // min.insync.replicas in force: the topic's own, else the cluster's
}

// Quorum is the metadata quorum.
type Quorum struct {
	Leader    int32 // -1 without one; then nobody can say who votes, and the rest is empty
	Voters    []QuorumReplica
	Observers []QuorumReplica // brokers too
}

// QuorumReplica is a voter or an observer.
type QuorumReplica struct {
	ID          int32
	DirectoryID string // as in meta.properties: URL-safe base64 without padding
	// Lag is the number of records behind the leader; all of them if it never fetched.
	Lag int64
	// CaughtUpAgo is the time since it was last caught up, on the leader's clock and as of the answer; zero for the leader,
	// negative when it never was.
	CaughtUpAgo time.Duration
}

// Voter is a controller that is to become a voter.
type Voter struct {
	ID          int32
	DirectoryID string
	Host        string // of the CONTROLLER listener
	Port        int32
}

// LogDir is a log directory of a broker.
type LogDir struct {
	Path     string
	Err      error // KAFKA_STORAGE_ERROR, say
	Replicas int   // current and future replicas in it, the metadata log not counted
	Future   int   // those of them that are moving in from another directory of the broker (KIP-113)
	// Partitions are those of the current replicas: the future ones are not what the broker serves from.
	Partitions []TopicPartition
	Bytes      int64
	Cordoned   bool
}
