// Package realkafka gives the stand-in for Cruise Control a real Kafka cluster, whose partitions it really reassigns and whose
// log dirs it really moves.
package realkafka

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"koperator.dev/koperator/test/cruisecontrol/backend"
)

// Kafka is a cluster. It reads no min.insync.replicas: one is taken for that.
type Kafka struct {
	client *kgo.Client
	admin  *kadm.Client
}

var _ backend.Interface = (*Kafka)(nil)

// New connects with the first request. Without a TLS configuration it speaks plaintext.
func New(bootstrap []string, conf *tls.Config, more ...kgo.Opt) (*Kafka, error) {
	opts := append([]kgo.Opt{kgo.SeedBrokers(bootstrap...), kgo.ClientID("cruise-control-stand-in"), kgo.DisableClientMetrics()}, more...)
	if conf != nil {
		opts = append(opts, kgo.DialTLSConfig(conf))
	}
	client, err := kgo.NewClient(opts...)
	if err != nil {
		return nil, fmt.Errorf("creating client of kafka: %w", err)
	}
	return &Kafka{client: client, admin: kadm.NewClient(client)}, nil
}

// Close ends all connections.
func (k *Kafka) Close() { k.client.Close() }

// Cluster implements backend.Interface. A broker that does not answer for its log dirs has none.
func (k *Kafka) Cluster(ctx context.Context) (backend.Cluster, error) {
	metadata, err := k.metadata(ctx)
	if err != nil {
		return backend.Cluster{}, fmt.Errorf("reading metadata: %w", err)
	}
	c := backend.Cluster{Brokers: map[int32]backend.Broker{}}
	dirs, _ := k.admin.DescribeAllLogDirs(ctx, nil) // of those that answer
	for _, b := range metadata.Brokers {
		broker := backend.Broker{ID: b.NodeID, Host: b.Host, LogDirs: logDirs(dirs[b.NodeID])}
		if b.Rack != nil {
			broker.Rack = *b.Rack
		}
		c.Brokers[b.NodeID] = broker
	}
	sizes := sizes(c)
	for _, topic := range metadata.Topics {
		if topic.Topic == nil || topic.ErrorCode != 0 {
			continue
		}
		for _, p := range topic.Partitions {
			tp := backend.TopicPartition{Topic: *topic.Topic, Partition: p.Partition}
			c.Partitions = append(c.Partitions, backend.Partition{
				TopicPartition: tp, Leader: p.Leader, Replicas: p.Replicas, ISR: p.ISR, Offline: p.OfflineReplicas, MinISR: 1, Bytes: sizes[tp],
			})
		}
	}
	slices.SortFunc(c.Partitions, func(a, b backend.Partition) int { return a.Compare(b.TopicPartition) })
	return c, nil
}

// metadata asks for all topics, each time: kadm may answer from what it has heard before.
func (k *Kafka) metadata(ctx context.Context) (*kmsg.MetadataResponse, error) {
	req := kmsg.NewPtrMetadataRequest()
	req.Topics = nil
	resp, err := req.RequestWith(ctx, k.client)
	if err != nil {
		return nil, err
	}
	return resp, kerr.ErrorForCode(resp.ErrorCode)
}

func logDirs(described kadm.DescribedLogDirs) []backend.LogDir {
	var dirs []backend.LogDir
	for _, path := range slices.Sorted(maps.Keys(described)) {
		d := backend.LogDir{Path: path, Dead: described[path].Err != nil}
		if !d.Dead {
			d.Replicas, d.Future = map[backend.TopicPartition]int64{}, map[backend.TopicPartition]int64{}
			described[path].Topics.Each(func(p kadm.DescribedLogDirPartition) {
				into := d.Replicas
				if p.IsFuture {
					into = d.Future
				}
				into[backend.TopicPartition{Topic: p.Topic, Partition: p.Partition}] = p.Size
			})
		}
		dirs = append(dirs, d)
	}
	return dirs
}

// sizes are those of the largest replica of each partition: others may not have all of it yet.
func sizes(c backend.Cluster) map[backend.TopicPartition]int64 {
	largest := map[backend.TopicPartition]int64{}
	for _, b := range c.Brokers {
		for _, d := range b.LogDirs {
			for tp, bytes := range d.Replicas {
				largest[tp] = max(largest[tp], bytes)
			}
		}
	}
	return largest
}

// Reassignments implements backend.Interface. kadm lists those of named partitions only.
func (k *Kafka) Reassignments(ctx context.Context) (map[backend.TopicPartition]backend.Reassignment, error) {
	req := kmsg.NewPtrListPartitionReassignmentsRequest()
	resp, err := req.RequestWith(ctx, k.client)
	if err == nil {
		err = kerr.ErrorForCode(resp.ErrorCode)
	}
	if err != nil {
		return nil, fmt.Errorf("listing reassignments: %w", err)
	}
	all := map[backend.TopicPartition]backend.Reassignment{}
	for _, topic := range resp.Topics {
		for _, p := range topic.Partitions {
			tp := backend.TopicPartition{Topic: topic.Topic, Partition: p.Partition}
			all[tp] = backend.Reassignment{Replicas: p.Replicas, Adding: p.AddingReplicas, Removing: p.RemovingReplicas}
		}
	}
	return all, nil
}

// Reassign implements backend.Interface. That there is nothing to cancel is no error: it may just have ended.
func (k *Kafka) Reassign(ctx context.Context, replicas map[backend.TopicPartition][]int32) error {
	var req kadm.AlterPartitionAssignmentsReq
	for tp, ids := range replicas {
		req.Assign(tp.Topic, tp.Partition, ids)
	}
	resp, err := k.admin.AlterPartitionAssignments(ctx, req)
	if err != nil {
		return fmt.Errorf("altering assignments: %w", err)
	}
	var refused []error
	for _, r := range resp.Sorted() {
		if r.Err != nil && !errors.Is(r.Err, kerr.NoReassignmentInProgress) {
			refused = append(refused, fmt.Errorf("%w: %s-%d: %w %s", backend.ErrRefused, r.Topic, r.Partition, r.Err, r.ErrMessage))
		}
	}
	return errors.Join(refused...)
}

// MoveReplicas implements backend.Interface.
func (k *Kafka) MoveReplicas(ctx context.Context, broker int32, dirs map[backend.TopicPartition]string) error {
	req := kadm.AlterReplicaLogDirsReq{}
	for tp, dir := range dirs {
		var set kadm.TopicsSet
		set.Add(tp.Topic, tp.Partition)
		req.Add(dir, set)
	}
	resp, err := k.admin.AlterBrokerReplicaLogDirs(ctx, broker, req)
	if err != nil {
		return fmt.Errorf("altering log dirs of broker %d: %w", broker, err)
	}
	var refused []error
	for _, r := range resp.Sorted() {
		if r.Err != nil {
			refused = append(refused, fmt.Errorf("%w: %s-%d: %w", backend.ErrRefused, r.Topic, r.Partition, r.Err))
		}
	}
	return errors.Join(refused...)
}

// ElectPreferredLeaders implements backend.Interface. What leads already, or cannot lead, is no error.
func (k *Kafka) ElectPreferredLeaders(ctx context.Context, partitions []backend.TopicPartition) error {
	set := kadm.TopicsSet{}
	for _, tp := range partitions {
		set.Add(tp.Topic, tp.Partition)
	}
	if len(set) == 0 {
		return nil // an empty set would be everything
	}
	if _, err := k.admin.ElectLeaders(ctx, kadm.ElectPreferredReplica, set); err != nil {
		return fmt.Errorf("electing leaders: %w", err)
	}
	return nil
}

// Config implements backend.Interface.
func (k *Kafka) Config(ctx context.Context, r backend.Resource) (map[string]string, error) {
	ids, err := brokers(r)
	if err != nil {
		return nil, err
	}
	source := kmsg.ConfigSourceDynamicBrokerConfig
	var described kadm.ResourceConfigs
	switch {
	case r.Topic:
		source = kmsg.ConfigSourceDynamicTopicConfig
		described, err = k.admin.DescribeTopicConfigs(ctx, r.Name)
	default:
		if len(ids) == 0 {
			source = kmsg.ConfigSourceDynamicDefaultBrokerConfig
		}
		described, err = k.admin.DescribeBrokerConfigs(ctx, ids...)
	}
	if err != nil {
		return nil, fmt.Errorf("describing config of %+v: %w", r, err)
	}
	return own(described, source)
}

// own keeps what is set for the resource itself.
func own(described kadm.ResourceConfigs, source kmsg.ConfigSource) (map[string]string, error) {
	config := map[string]string{}
	for _, resource := range described {
		if resource.Err != nil {
			return nil, fmt.Errorf("describing config of %s: %w", resource.Name, resource.Err)
		}
		for _, c := range resource.Configs {
			if c.Source == source && c.Value != nil {
				config[c.Key] = *c.Value
			}
		}
	}
	return config, nil
}

// AlterConfig implements backend.Interface.
func (k *Kafka) AlterConfig(ctx context.Context, r backend.Resource, set map[string]string, remove []string) error {
	ids, err := brokers(r)
	if err != nil {
		return err
	}
	var changes []kadm.AlterConfig
	for name, value := range set {
		changes = append(changes, kadm.AlterConfig{Op: kadm.SetConfig, Name: name, Value: &value})
	}
	for _, name := range remove {
		changes = append(changes, kadm.AlterConfig{Op: kadm.DeleteConfig, Name: name})
	}
	if len(changes) == 0 {
		return nil
	}
	var resp kadm.AlterConfigsResponses
	if r.Topic {
		resp, err = k.admin.AlterTopicConfigs(ctx, changes, r.Name)
	} else {
		resp, err = k.admin.AlterBrokerConfigs(ctx, changes, ids...)
	}
	for _, one := range resp {
		err = errors.Join(err, one.Err)
	}
	if err != nil {
		return fmt.Errorf("altering config of %+v: %w", r, err)
	}
	return nil
}

// brokers is the broker of a resource, or none for all of them.
func brokers(r backend.Resource) ([]int32, error) {
	if r.Topic || r.Name == "" {
		return nil, nil
	}
	id, err := strconv.ParseInt(r.Name, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("parsing broker %q: %w", r.Name, err)
	}
	return []int32{int32(id)}, nil
}
