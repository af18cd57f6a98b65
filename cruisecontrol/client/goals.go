package client

import "time"

// Goal is a goal by its simple name, as Cruise Control has it in `goals`.
type Goal string

// DataFrom says how much has to be known of the cluster's load before a plan is made.
type DataFrom string

const (
	// ValidWindows asks for windows in which nearly all partitions were measured.
	ValidWindows DataFrom = "VALID_WINDOWS"
	// ValidPartitions plans with those partitions that were measured, and so earlier.
	ValidPartitions DataFrom = "VALID_PARTITIONS"
)

// GoalParameters are those of every planning request that has goals.
type GoalParameters struct {
	// Goals in the order of their priority. Empty: Cruise Control's default.goals.
	Goals []Goal
	// SkipHardGoalCheck allows Goals without Cruise Control's hard goals. Those that are in Goals stay hard.
	SkipHardGoalCheck bool
	// UseReadyDefaultGoals drops those default goals for which too little is known yet. Not with Goals.
	UseReadyDefaultGoals bool
	// DataFrom is ValidWindows if empty.
	DataFrom DataFrom
	// ExcludedTopics is a regular expression. Their replicas stay, unless they are offline.
	ExcludedTopics string
	// ExcludeRecentlyRemovedBrokers gives no replicas to brokers of an earlier RemoveBroker, also of one that failed.
	ExcludeRecentlyRemovedBrokers bool
	// ExcludeRecentlyDemotedBrokers gives no leadership to brokers of an earlier DemoteBroker.
	ExcludeRecentlyDemotedBrokers bool
	// AllowCapacityEstimation lets brokers that the capacity file does not name have the capacity of its entry "-1".
	AllowCapacityEstimation bool
	// FastMode plans with a time limit for each goal.
	FastMode bool
}

func (g GoalParameters) addTo(p *parameters) {
	words(p, "goals", g.Goals)
	if len(g.Goals) > 0 && g.UseReadyDefaultGoals {
		p.refuse("use_ready_default_goals", "cannot be combined with goals")
	}
	p.bool("use_ready_default_goals", g.UseReadyDefaultGoals)
	dataFrom := g.DataFrom
	setDefault(&dataFrom, ValidWindows)
	p.text("data_from", string(dataFrom))
	p.pattern("excluded_topics", g.ExcludedTopics)
	p.bool("exclude_recently_removed_brokers", g.ExcludeRecentlyRemovedBrokers)
	p.bool("exclude_recently_demoted_brokers", g.ExcludeRecentlyDemotedBrokers)
	p.bool("allow_capacity_estimation", g.AllowCapacityEstimation)
	p.bool("fast_mode", g.FastMode)
	p.bool("verbose", true) // or the answer has no proposals
}

// ReplicaMovementStrategy says which replicas move first.
type ReplicaMovementStrategy string

const (
	BaseReplicaMovementStrategy                         ReplicaMovementStrategy = "BaseReplicaMovementStrategy"
	PostponeUrpReplicaMovementStrategy                  ReplicaMovementStrategy = "PostponeUrpReplicaMovementStrategy"
	PrioritizeLargeReplicaMovementStrategy              ReplicaMovementStrategy = "PrioritizeLargeReplicaMovementStrategy"
	PrioritizeSmallReplicaMovementStrategy              ReplicaMovementStrategy = "PrioritizeSmallReplicaMovementStrategy"
	PrioritizeMinIsrWithOfflineReplicasStrategy         ReplicaMovementStrategy = "PrioritizeMinIsrWithOfflineReplicasStrategy"
	PrioritizeOneAboveMinIsrWithOfflineReplicasStrategy ReplicaMovementStrategy = "PrioritizeOneAboveMinIsrWithOfflineReplicasStrategy"
)

// strategies are checked here: in a dry run Cruise Control accepts every name.
var strategies = map[ReplicaMovementStrategy]bool{
	BaseReplicaMovementStrategy:                         true,
	PostponeUrpReplicaMovementStrategy:                  true,
	PrioritizeLargeReplicaMovementStrategy:              true,
	PrioritizeSmallReplicaMovementStrategy:              true,
	PrioritizeMinIsrWithOfflineReplicasStrategy:         true,
	PrioritizeOneAboveMinIsrWithOfflineReplicasStrategy: true,
}

// ExecutionParameters say how a plan is executed. Zero leaves a number to Cruise Control's configuration.
//
// There is no throttle among them: Cruise Control sets one in ten seconds for each broker and topic, deaf to everything else.
type ExecutionParameters struct {
	// ConcurrentPartitionMovementsPerBroker is how many replicas move to or from one broker at a time.
	ConcurrentPartitionMovementsPerBroker int
	// MaxPartitionMovementsInCluster is how many partitions move at a time.
	MaxPartitionMovementsInCluster int
	// ConcurrentLeaderMovements is how many leaders move at a time.
	ConcurrentLeaderMovements int
	// BrokerConcurrentLeaderMovements is how many leaders move to or from one broker at a time.
	BrokerConcurrentLeaderMovements int
	// ReplicaMovementStrategies are applied one after the other.
	ReplicaMovementStrategies []ReplicaMovementStrategy
	// ExecutionProgressCheckInterval is how often Cruise Control looks at what it moves.
	ExecutionProgressCheckInterval time.Duration
}

func (e ExecutionParameters) addTo(p *parameters, cfg Config) {
	p.positive("concurrent_partition_movements_per_broker", e.ConcurrentPartitionMovementsPerBroker)
	p.positive("max_partition_movements_in_cluster", e.MaxPartitionMovementsInCluster)
	e.addLeadershipTo(p, cfg)
}

// addLeadershipTo adds those that DemoteBroker has too.
func (e ExecutionParameters) addLeadershipTo(p *parameters, cfg Config) {
	p.positive("concurrent_leader_movements", e.ConcurrentLeaderMovements)
	p.positive("broker_concurrent_leader_movements", e.BrokerConcurrentLeaderMovements)
	for _, s := range e.ReplicaMovementStrategies {
		if !strategies[s] {
			p.refuse("replica_movement_strategies", "%q is none", s)
		}
	}
	words(p, "replica_movement_strategies", e.ReplicaMovementStrategies)
	p.millis("execution_progress_check_interval_ms", e.ExecutionProgressCheckInterval, cfg.MinExecutionProgressCheckInterval)
}
