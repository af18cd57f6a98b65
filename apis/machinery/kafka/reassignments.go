package kafka

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Compare orders partitions by topic and number.
func (tp TopicPartition) Compare(other TopicPartition) int {
	return cmp.Or(cmp.Compare(tp.Topic, other.Topic), cmp.Compare(tp.Partition, other.Partition))
}

// String is the partition as Kafka writes it.
func (tp TopicPartition) String() string { return fmt.Sprintf("%s-%d", tp.Topic, tp.Partition) }

// listReassignments reads the partitions that are being reassigned (KIP-455).
func listReassignments(ctx context.Context, b broker) ([]Reassignment, error) {
	req := kmsg.NewPtrListPartitionReassignmentsRequest()
	req.TimeoutMillis = millisLeft(ctx)
	resp, err := b.request(ctx, req)
	if err != nil {
		return nil, err
	}
	answer := resp.(*kmsg.ListPartitionReassignmentsResponse)
	if err := kafkaError(answer.ErrorCode, answer.ErrorMessage); err != nil {
		return nil, fmt.Errorf("listing reassignments: %w", err)
	}
	var all []Reassignment
	for _, t := range answer.Topics {
		for _, p := range t.Partitions {
			all = append(all, Reassignment{
				TopicPartition: TopicPartition{Topic: t.Topic, Partition: p.Partition},
				Replicas:       p.Replicas, Adding: p.AddingReplicas, Removing: p.RemovingReplicas,
			})
		}
	}
	slices.SortFunc(all, func(a, b Reassignment) int { return a.Compare(b.TopicPartition) })
	return all, nil
}

// CancelReassignments implements Admin.
func (c *client) CancelReassignments(ctx context.Context, partitions []TopicPartition) error {
	if len(partitions) == 0 {
		return nil
	}
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	resp, err := c.ask(ctx, repeatAlways, func(ctx context.Context) kmsg.Request { return cancellation(ctx, partitions) })
	if err == nil {
		err = cancellationError(resp.(*kmsg.AlterPartitionAssignmentsResponse))
	}
	if err != nil {
		return fmt.Errorf("cancelling reassignments: %w", err)
	}
	return nil
}

// cancellation is the request without replicas, which reverts partitions.
func cancellation(ctx context.Context, partitions []TopicPartition) kmsg.Request {
	req := kmsg.NewPtrAlterPartitionAssignmentsRequest()
	req.TimeoutMillis = millisLeft(ctx)
	for _, tp := range slices.SortedFunc(slices.Values(partitions), TopicPartition.Compare) {
		if n := len(req.Topics); n == 0 || req.Topics[n-1].Topic != tp.Topic {
			topic := kmsg.NewAlterPartitionAssignmentsRequestTopic()
			topic.Topic = tp.Topic
			req.Topics = append(req.Topics, topic)
		}
		partition := kmsg.NewAlterPartitionAssignmentsRequestTopicPartition()
		partition.Partition = tp.Partition
		last := &req.Topics[len(req.Topics)-1]
		last.Partitions = append(last.Partitions, partition)
	}
	return req
}

// cancellationError returns what went wrong with each partition. One that is not being reassigned any more, or does not
// exist any more, is as it was wanted.
func cancellationError(answer *kmsg.AlterPartitionAssignmentsResponse) error {
	if err := kafkaError(answer.ErrorCode, answer.ErrorMessage); err != nil {
		return err
	}
	var errs []error
	for _, t := range answer.Topics {
		for _, p := range t.Partitions {
			err := kafkaError(p.ErrorCode, p.ErrorMessage)
			if err == nil || errors.Is(err, kerr.NoReassignmentInProgress) || errors.Is(err, kerr.UnknownTopicOrPartition) {
				continue
			}
			errs = append(errs, fmt.Errorf("%s-%d: %w", t.Topic, p.Partition, err))
		}
	}
	return joined(errs)
}
