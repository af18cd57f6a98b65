package client

import (
	"context"
	"time"
)

// LogDirs are log directories by broker, spelt as in log.dirs.
type LogDirs map[int32][]string

// DemoteBrokerParameters of POST demote_broker. It has no goals.
type DemoteBrokerParameters struct {
	// BrokerIDs, BrokerIDsAndLogDirs, or both, lose leadership.
	BrokerIDs           []int32
	BrokerIDsAndLogDirs LogDirs
	// SkipURPDemotion leaves partitions alone whose replicas are not all in sync.
	SkipURPDemotion bool
	// ExcludeFollowerDemotion leaves followers where they are in the order of replicas.
	ExcludeFollowerDemotion bool
	// ExcludeRecentlyDemotedBrokers gives no leadership to brokers of an earlier DemoteBroker.
	ExcludeRecentlyDemotedBrokers bool
	// AllowCapacityEstimation lets brokers that the capacity file does not name have the capacity of its entry "-1".
	AllowCapacityEstimation bool
	// The rest as in ExecutionParameters.
	ConcurrentLeaderMovements       int
	BrokerConcurrentLeaderMovements int
	ReplicaMovementStrategies       []ReplicaMovementStrategy
	ExecutionProgressCheckInterval  time.Duration
}

// DemoteBroker implements Client.
func (c *client) DemoteBroker(ctx context.Context, s Submission, p DemoteBrokerParameters) (Answer[Plan], error) {
	params := s.parameters()
	params.brokers("brokerid", p.BrokerIDs)
	params.logDirs("brokerid_and_logdirs", p.BrokerIDsAndLogDirs)
	params.need("brokerid", "brokerid_and_logdirs")
	params.bool("skip_urp_demotion", p.SkipURPDemotion)
	params.bool("exclude_follower_demotion", p.ExcludeFollowerDemotion)
	params.bool("exclude_recently_demoted_brokers", p.ExcludeRecentlyDemotedBrokers)
	params.bool("allow_capacity_estimation", p.AllowCapacityEstimation)
	params.bool("verbose", true)
	ExecutionParameters{
		ConcurrentLeaderMovements: p.ConcurrentLeaderMovements, BrokerConcurrentLeaderMovements: p.BrokerConcurrentLeaderMovements,
		ReplicaMovementStrategies: p.ReplicaMovementStrategies, ExecutionProgressCheckInterval: p.ExecutionProgressCheckInterval,
	}.addLeadershipTo(params, c.cfg)
	return c.submit(ctx, "demote_broker", s, params)
}
