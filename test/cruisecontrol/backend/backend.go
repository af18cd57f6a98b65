// Package backend is what the stand-in for Cruise Control asks of a Kafka cluster. It fits a model without any process, and
// a real cluster.
package backend

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"
)

// ErrRefused is in the error of a request that Kafka would refuse.
var ErrRefused = errors.New("kafka refuses")

// Interface is a Kafka cluster.
type Interface interface {
	// Cluster reads brokers, log dirs and partitions. Brokers that do not serve are missing, as in Kafka's own metadata.
	Cluster(ctx context.Context) (Cluster, error)
	// Reassignments reads the partitions that are being reassigned.
	Reassignments(ctx context.Context) (map[TopicPartition]Reassignment, error)
	// Reassign gives partitions other replicas, or another order of them. Nil cancels what is under way.
	Reassign(ctx context.Context, replicas map[TopicPartition][]int32) error
	// MoveReplicas moves replicas of a broker to other log dirs of it.
	MoveReplicas(ctx context.Context, broker int32, dirs map[TopicPartition]string) error
	// ElectPreferredLeaders makes the first replica of each partition its leader, where it is in sync.
	ElectPreferredLeaders(ctx context.Context, partitions []TopicPartition) error
	// Config reads what is set for a resource itself.
	Config(ctx context.Context, r Resource) (map[string]string, error)
	// AlterConfig sets and removes properties of a resource and leaves all others.
	AlterConfig(ctx context.Context, r Resource, set map[string]string, remove []string) error
}

// TopicPartition names a partition.
type TopicPartition struct {
	Topic     string
	Partition int32
}

// Compare orders partitions by topic and number.
func (tp TopicPartition) Compare(other TopicPartition) int {
	return cmp.Or(cmp.Compare(tp.Topic, other.Topic), cmp.Compare(tp.Partition, other.Partition))
}

// Cluster is a Kafka cluster at one moment.
type Cluster struct {
	Brokers map[int32]Broker
	// Partitions in order.
	Partitions []Partition
}

// Broker is one broker that serves.
type Broker struct {
	ID   int32
	Host string
	Rack string
	// LogDirs in the order of their paths.
	LogDirs []LogDir
}

// LogDir is one log directory.
type LogDir struct {
	Path string
	// Dead directories have an error, and nothing is known of what is in them.
	Dead bool
	// Replicas are the bytes of each replica in it.
	Replicas map[TopicPartition]int64
	// Future replicas are moving in.
	Future map[TopicPartition]int64
}

// Partition is one partition.
type Partition struct {
	TopicPartition
	Leader   int32 // -1 without one
	Replicas []int32
	ISR      []int32
	Offline  []int32
	MinISR   int
	Bytes    int64 // of one replica
}

// Reassignment is a partition that is being reassigned.
type Reassignment struct {
	// Replicas are all of them, those that are added and removed too.
	Replicas, Adding, Removing []int32
}

// Target is what the replicas will be.
func (r Reassignment) Target() []int32 {
	return slices.DeleteFunc(slices.Clone(r.Replicas), func(id int32) bool { return slices.Contains(r.Removing, id) })
}

// Resource is what has a config: a topic, a broker by its id, or all brokers (a broker without a name).
type Resource struct {
	Topic bool
	Name  string
}

// The properties with which replication is throttled.
const (
	LeaderRate       = "leader.replication.throttled.rate"
	FollowerRate     = "follower.replication.throttled.rate"
	LeaderReplicas   = "leader.replication.throttled.replicas"
	FollowerReplicas = "follower.replication.throttled.replicas"
)

type nowKey struct{}

// WithNow tells a model the time that a request belongs to, which may lie before its clock's.
func WithNow(ctx context.Context, now time.Time) context.Context {
	return context.WithValue(ctx, nowKey{}, now)
}

// Now returns that time, if there is one.
func Now(ctx context.Context) (time.Time, bool) {
	now, ok := ctx.Value(nowKey{}).(time.Time)
	return now, ok
}
