package kafka

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// staleAfter is how long the broker that describes the cluster may have been behind the metadata quorum. A broker in
// order fetches every half second; one that is cut off goes on saying what it knew.
const staleAfter = 5 * time.Second

// Describe implements Admin.
func (c *client) Describe(ctx context.Context) (Cluster, error) {
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	var cluster Cluster
	err := c.onBroker(ctx, repeatAlways, func(ctx context.Context, s *session, b broker) error {
		var err error
		cluster, err = c.describe(ctx, s, b)
		return err
	})
	if err != nil {
		return Cluster{}, fmt.Errorf("describing cluster: %w", err)
	}
	return cluster, nil
}

// describe asks one broker everything, so that the answers come from one view of the cluster.
func (c *client) describe(ctx context.Context, s *session, b broker) (Cluster, error) {
	if err := checkFresh(ctx, b); err != nil {
		return Cluster{}, err
	}
	cluster, err := describeBrokers(ctx, b)
	if err != nil {
		return Cluster{}, err
	}
	if cluster.Reassignments, err = listReassignments(ctx, b); err != nil {
		return Cluster{}, err
	}
	meta, err := readMetadata(ctx, b)
	if err != nil {
		return Cluster{}, err
	}
	minISR, err := c.minISR.of(ctx, b, meta.Topics)
	if err != nil {
		return Cluster{}, err
	}
	if cluster.Partitions, err = partitions(meta.Topics, minISR); err != nil {
		return Cluster{}, err
	}
	if s.changed(meta.Brokers) {
		// What is described is right in any case: a failure here is met again by the request that needs the new broker.
		_ = s.discoverOnce(ctx)
	}
	return cluster, nil
}

// checkFresh fails with errStale if the broker does not keep up with the metadata quorum. The question is forwarded to
// the leader of the quorum, so the answer is not the broker's own opinion.
func checkFresh(ctx context.Context, b broker) error {
	quorum, err := describeQuorum(ctx, b.request)
	if err != nil {
		return err
	}
	for _, r := range slices.Concat(quorum.Observers, quorum.Voters) {
		if r.ID == b.id && r.CaughtUpAgo >= 0 && r.CaughtUpAgo <= staleAfter {
			return nil
		}
	}
	return fmt.Errorf("asking broker %d: %w", b.id, errStale)
}

// describeBrokers reads all brokers, the fenced ones included (KIP-1073), which Metadata leaves out.
func describeBrokers(ctx context.Context, b broker) (Cluster, error) {
	req := kmsg.NewPtrDescribeClusterRequest()
	req.IncludeFencedBrokers = true
	resp, err := b.request(ctx, req)
	if err != nil {
		return Cluster{}, err
	}
	answer := resp.(*kmsg.DescribeClusterResponse)
	if err := kafkaError(answer.ErrorCode, answer.ErrorMessage); err != nil {
		return Cluster{}, fmt.Errorf("describing brokers: %w", err)
	}
	cluster := Cluster{ID: answer.ClusterID, Brokers: make(map[int32]Broker, len(answer.Brokers))}
	for _, b := range answer.Brokers {
		cluster.Brokers[b.NodeID] = Broker{ID: b.NodeID, Fenced: b.IsFenced, Rack: deref(b.Rack)}
	}
	return cluster, nil
}

// readMetadata reads all topics. It is sent to one broker and not through the client, which would keep a copy of every
// partition.
func readMetadata(ctx context.Context, b broker) (*kmsg.MetadataResponse, error) {
	resp, err := b.request(ctx, kmsg.NewPtrMetadataRequest())
	if err != nil {
		return nil, err
	}
	meta := resp.(*kmsg.MetadataResponse)
	if err := kafkaError(meta.ErrorCode, nil); err != nil {
		return nil, fmt.Errorf("reading metadata: %w", err)
	}
	return meta, nil
}

// partitions turns metadata into sorted partitions. A topic without min.insync.replicas was deleted meanwhile.
func partitions(topics []kmsg.MetadataResponseTopic, minISR map[string]int) ([]Partition, error) {
	slices.SortFunc(topics, func(a, b kmsg.MetadataResponseTopic) int { return cmp.Compare(deref(a.Topic), deref(b.Topic)) })
	count := 0
	for _, t := range topics {
		if err := kafkaError(t.ErrorCode, nil); err != nil {
			return nil, fmt.Errorf("reading metadata of topic %s: %w", deref(t.Topic), err)
		}
		count += len(t.Partitions)
	}
	all := make([]Partition, 0, count)
	for _, t := range topics {
		value, ok := minISR[deref(t.Topic)]
		if !ok {
			continue
		}
		slices.SortFunc(t.Partitions, func(a, b kmsg.MetadataResponseTopicPartition) int {
			return cmp.Compare(a.Partition, b.Partition)
		})
		for _, p := range t.Partitions {
			// The error code of a partition (LEADER_NOT_AVAILABLE) says no more than its leader, -1.
			all = append(all, Partition{
				Topic: *t.Topic, Partition: p.Partition, Leader: p.Leader, Replicas: p.Replicas, ISR: p.ISR,
				Offline: p.OfflineReplicas, MinISR: value,
			})
		}
	}
	return all, nil
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// millisLeft is the time that Kafka may spend on a request of ctx: a little less than ctx has, so that its answer that it
// took too long still arrives.
func millisLeft(ctx context.Context) int32 {
	deadline, ok := ctx.Deadline()
	if !ok {
		return int32(defaultTimeout.Milliseconds())
	}
	return int32(max(time.Until(deadline)*9/10, time.Millisecond).Milliseconds())
}
