package client

import "context"

// RebalanceParameters of POST rebalance.
type RebalanceParameters struct {
	GoalParameters
	ExecutionParameters
	// DestinationBrokerIDs are the only ones that get replicas. Empty: all.
	DestinationBrokerIDs []int32
	// RebalanceDisk moves replicas between the disks of each broker instead. Not with Goals.
	RebalanceDisk bool
	// ConcurrentIntraBrokerPartitionMovements is how many replicas move between the disks of one broker at a time.
	ConcurrentIntraBrokerPartitionMovements int
}

// Rebalance implements Client.
func (c *client) Rebalance(ctx context.Context, s Submission, p RebalanceParameters) (Answer[Plan], error) {
	params := s.parameters()
	p.GoalParameters.addTo(params)
	p.ExecutionParameters.addTo(params, c.cfg)
	rebalanceTo(params, p.Goals, p.DestinationBrokerIDs, p.RebalanceDisk)
	params.bool("skip_hard_goal_check", p.SkipHardGoalCheck)
	params.positive("concurrent_intra_broker_partition_movements", p.ConcurrentIntraBrokerPartitionMovements)
	return c.submit(ctx, "rebalance", s, params)
}

// rebalanceTo adds what only rebalance and proposals have.
func rebalanceTo(p *parameters, goals []Goal, destinations []int32, disk bool) {
	if disk && len(goals) > 0 {
		p.refuse("rebalance_disk", "cannot be combined with goals")
	}
	p.brokers("destination_broker_ids", destinations)
	p.bool("rebalance_disk", disk)
	p.bool("kafka_assigner", false)
	// With goals a plan is always made anew, and asking for that is refused.
	p.bool("ignore_proposal_cache", len(goals) == 0)
}
