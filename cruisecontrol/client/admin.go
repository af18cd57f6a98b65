package client

import (
	"context"
	"time"
)

// AnomalyType is what Cruise Control can heal by itself.
type AnomalyType string

const (
	BrokerFailure    AnomalyType = "BROKER_FAILURE"
	MaintenanceEvent AnomalyType = "MAINTENANCE_EVENT"
	DiskFailure      AnomalyType = "DISK_FAILURE"
	MetricAnomaly    AnomalyType = "METRIC_ANOMALY"
	GoalViolation    AnomalyType = "GOAL_VIOLATION"
	TopicAnomaly     AnomalyType = "TOPIC_ANOMALY"
)

// ConcurrencyType is a kind of movement whose concurrency Cruise Control can adjust by itself.
type ConcurrencyType string

const (
	InterBrokerReplica ConcurrencyType = "INTER_BROKER_REPLICA"
	LeadershipCluster  ConcurrencyType = "LEADERSHIP_CLUSTER"
	LeadershipBroker   ConcurrencyType = "LEADERSHIP_BROKER"
)

// AdminParameters of POST admin. What is zero is left as it is; something has to be set. All of it is lost when Cruise
// Control restarts.
type AdminParameters struct {
	EnableSelfHealingFor, DisableSelfHealingFor []AnomalyType
	// Concurrency of what is being executed now; nothing else is changed.
	ConcurrentPartitionMovementsPerBroker   int
	MaxPartitionMovementsInCluster          int
	ConcurrentIntraBrokerPartitionMovements int
	ConcurrentLeaderMovements               int
	BrokerConcurrentLeaderMovements         int
	ExecutionProgressCheckInterval          time.Duration
	// DropRecentlyRemovedBrokers and DropRecentlyDemotedBrokers forget brokers that plans would exclude.
	DropRecentlyRemovedBrokers, DropRecentlyDemotedBrokers      []int32
	EnableConcurrencyAdjusterFor, DisableConcurrencyAdjusterFor []ConcurrencyType
	// MinISRBasedConcurrencyAdjustment slows down while partitions are below min.insync.replicas.
	MinISRBasedConcurrencyAdjustment *bool
}

// AdminResult is what Cruise Control says it did. Parts that were not asked for are empty.
type AdminResult struct {
	SelfHealingEnabledBefore                map[AnomalyType]bool     `json:"selfHealingEnabledBefore"`
	SelfHealingEnabledAfter                 map[AnomalyType]bool     `json:"selfHealingEnabledAfter"`
	OngoingConcurrencyChangeRequest         string                   `json:"ongoingConcurrencyChangeRequest"`
	DropRecentBrokersRequest                string                   `json:"dropRecentBrokersRequest"`
	ConcurrencyAdjusterEnabledBefore        map[ConcurrencyType]bool `json:"concurrencyAdjusterEnabledBefore"`
	ConcurrencyAdjusterEnabledAfter         map[ConcurrencyType]bool `json:"concurrencyAdjusterEnabledAfter"`
	MinISRBasedConcurrencyAdjustmentRequest string                   `json:"minIsrBasedConcurrencyAdjustmentRequest"`
}

// Admin implements Client.
func (c *client) Admin(ctx context.Context, reason string, p AdminParameters) (AdminResult, error) {
	params := &parameters{}
	p.addTo(params, c.cfg)
	if len(params.list) == 0 {
		params.refuse("admin", "nothing to change")
	}
	params.bool("json", true)
	params.reason(reason)
	return tell[AdminResult](ctx, c, post("admin", params))
}

func (p AdminParameters) addTo(params *parameters, cfg Config) {
	words(params, "enable_self_healing_for", p.EnableSelfHealingFor)
	words(params, "disable_self_healing_for", p.DisableSelfHealingFor)
	params.positive("concurrent_partition_movements_per_broker", p.ConcurrentPartitionMovementsPerBroker)
	params.positive("max_partition_movements_in_cluster", p.MaxPartitionMovementsInCluster)
	params.positive("concurrent_intra_broker_partition_movements", p.ConcurrentIntraBrokerPartitionMovements)
	params.positive("concurrent_leader_movements", p.ConcurrentLeaderMovements)
	params.positive("broker_concurrent_leader_movements", p.BrokerConcurrentLeaderMovements)
	params.millis("execution_progress_check_interval_ms", p.ExecutionProgressCheckInterval, cfg.MinExecutionProgressCheckInterval)
	params.brokers("drop_recently_removed_brokers", p.DropRecentlyRemovedBrokers)
	params.brokers("drop_recently_demoted_brokers", p.DropRecentlyDemotedBrokers)
	words(params, "enable_concurrency_adjuster_for", p.EnableConcurrencyAdjusterFor)
	words(params, "disable_concurrency_adjuster_for", p.DisableConcurrencyAdjusterFor)
	if p.MinISRBasedConcurrencyAdjustment != nil {
		params.bool("min_isr_based_concurrency_adjustment", *p.MinISRBasedConcurrencyAdjustment)
	}
}
