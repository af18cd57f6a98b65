package client

import (
	"context"
	"slices"
)

// RemoveBrokerParameters of POST remove_broker.
type RemoveBrokerParameters struct {
	// BrokerIDs lose all replicas. From the start of the execution Cruise Control counts them as recently removed, whatever
	// becomes of it: see AdminParameters.
	BrokerIDs []int32
	// DestinationBrokerIDs are the only ones that get replicas. Empty: all others.
	DestinationBrokerIDs []int32
	GoalParameters
	ExecutionParameters
}

// RemoveBroker implements Client.
func (c *client) RemoveBroker(ctx context.Context, s Submission, p RemoveBrokerParameters) (Answer[Plan], error) {
	params := s.parameters()
	params.brokers("brokerid", p.BrokerIDs)
	params.need("brokerid")
	for _, id := range p.BrokerIDs {
		if slices.Contains(p.DestinationBrokerIDs, id) {
			params.refuse("destination_broker_ids", "broker %d is to be removed", id)
		}
	}
	params.brokers("destination_broker_ids", p.DestinationBrokerIDs)
	p.GoalParameters.addTo(params)
	p.ExecutionParameters.addTo(params, c.cfg)
	params.bool("skip_hard_goal_check", p.SkipHardGoalCheck)
	params.bool("kafka_assigner", false)
	params.bool("throttle_removed_broker", true)
	return c.submit(ctx, "remove_broker", s, params)
}
