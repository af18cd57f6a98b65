package client

import "context"

// AddBrokerParameters of POST add_broker.
type AddBrokerParameters struct {
	// BrokerIDs get replicas from all others. BrokerMissing: one has not joined, as of ten seconds ago.
	BrokerIDs []int32
	GoalParameters
	ExecutionParameters
}

// AddBroker implements Client.
func (c *client) AddBroker(ctx context.Context, s Submission, p AddBrokerParameters) (Answer[Plan], error) {
	params := s.parameters()
	params.brokers("brokerid", p.BrokerIDs)
	params.need("brokerid")
	p.GoalParameters.addTo(params)
	p.ExecutionParameters.addTo(params, c.cfg)
	params.bool("skip_hard_goal_check", p.SkipHardGoalCheck)
	params.bool("kafka_assigner", false)
	params.bool("throttle_added_broker", true)
	return c.submit(ctx, "add_broker", s, params)
}
