package client

import "context"

// ProposalsParameters of GET proposals.
type ProposalsParameters struct {
	GoalParameters
	// DestinationBrokerIDs are the only ones that get replicas. Empty: all.
	DestinationBrokerIDs []int32
	// RebalanceDisk moves replicas between the disks of each broker instead. Not with Goals.
	RebalanceDisk bool
	// Task continues one.
	Task TaskID
}

// Proposals implements Client.
func (c *client) Proposals(ctx context.Context, p ProposalsParameters) (Answer[Plan], error) {
	params := reading()
	if p.SkipHardGoalCheck {
		params.refuse("skip_hard_goal_check", "proposals are always allowed without hard goals")
	}
	p.addTo(params)
	rebalanceTo(params, p.Goals, p.DestinationBrokerIDs, p.RebalanceDisk)
	r := get("proposals", params)
	r.task = p.Task
	return ask[Plan](ctx, c, r)
}
