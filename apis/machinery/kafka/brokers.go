package kafka

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// UnregisterBroker implements Admin.
func (c *client) UnregisterBroker(ctx context.Context, id int32) error {
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	err := c.viaBrokersOrControllers(ctx, repeatUnsent, func(ctx context.Context, request requestFunc) error {
		req := kmsg.NewPtrUnregisterBrokerRequest()
		req.BrokerID = id
		resp, err := request(ctx, req)
		if err != nil {
			return err
		}
		answer := resp.(*kmsg.UnregisterBrokerResponse)
		return kafkaError(answer.ErrorCode, answer.ErrorMessage)
	})
	if err != nil {
		return fmt.Errorf("unregistering broker %d: %w", id, err)
	}
	return nil
}

// ElectPreferredLeaders implements Admin.
func (c *client) ElectPreferredLeaders(ctx context.Context) error {
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	resp, err := c.ask(ctx, repeatAlways, func(ctx context.Context) kmsg.Request {
		req := kmsg.NewPtrElectLeadersRequest() // of type preferred, for all partitions
		req.TimeoutMillis = millisLeft(ctx)
		return req
	})
	if err == nil {
		err = electionError(resp.(*kmsg.ElectLeadersResponse))
	}
	if err != nil {
		return fmt.Errorf("electing preferred leaders: %w", err)
	}
	return nil
}

// electionError returns the first error of a partition and how many more there are.
func electionError(answer *kmsg.ElectLeadersResponse) error {
	if err := kafkaError(answer.ErrorCode, nil); err != nil {
		return err
	}
	var first error
	failed := 0
	for _, t := range answer.Topics {
		for _, p := range t.Partitions {
			err := kafkaError(p.ErrorCode, p.ErrorMessage)
			if err == nil || errors.Is(err, kerr.ElectionNotNeeded) || errors.Is(err, kerr.PreferredLeaderNotAvailable) {
				continue
			}
			failed++
			if first == nil {
				first = fmt.Errorf("partition %s-%d: %w", t.Topic, p.Partition, err)
			}
		}
	}
	if failed > 1 {
		return fmt.Errorf("%w, and %d partitions more", first, failed-1)
	}
	return first
}
