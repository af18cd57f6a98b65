package cruisecontrol

import (
	"net/http"
	"slices"
	"strings"
)

// class is what the retention of a task depends on.
type class string

const (
	kafkaMonitor         class = "KAFKA_MONITOR"
	kafkaAdmin           class = "KAFKA_ADMIN"
	cruiseControlMonitor class = "CRUISE_CONTROL_MONITOR"
	cruiseControlAdmin   class = "CRUISE_CONTROL_ADMIN"
)

// endpoint is one endpoint of the API.
type endpoint struct {
	name   string
	method string
	class  class
	async  bool
	// parameters that it knows besides the common ones.
	parameters []string
	// operation is what its progress calls it.
	operation string
	// plans says that it answers with a plan.
	plans bool
}

var (
	commonParameters = []string{"json", "get_response_schema", "doas"}
	goalParameters   = []string{
		"goals", "data_from", "use_ready_default_goals", "excluded_topics", "exclude_recently_removed_brokers", "exclude_recently_demoted_brokers",
		"allow_capacity_estimation", "verbose", "fast_mode",
	}
	executionParameters = []string{
		"dryrun", "stop_ongoing_execution", "skip_hard_goal_check", "concurrent_partition_movements_per_broker", "max_partition_movements_in_cluster",
		"concurrent_leader_movements", "broker_concurrent_leader_movements", "replication_throttle", "replica_movement_strategies",
		"execution_progress_check_interval_ms", "reason", "review_id",
	}
	proposalsParameters = []string{"kafka_assigner", "destination_broker_ids", "ignore_proposal_cache", "rebalance_disk", "reason"}
)

var endpoints = []endpoint{
	{name: "BOOTSTRAP", method: http.MethodGet, class: cruiseControlAdmin, parameters: []string{"start", "end", "clearmetrics", "developer_mode", "reason"}},
	{name: "TRAIN", method: http.MethodGet, class: cruiseControlAdmin, parameters: []string{"start", "end", "reason"}},
	{name: "LOAD", method: http.MethodGet, class: kafkaMonitor, async: true, operation: "Get broker stats",
		parameters: []string{"start", "end", "time", "allow_capacity_estimation", "populate_disk_info", "capacity_only", "reason"}},
	{name: "PARTITION_LOAD", method: http.MethodGet, class: kafkaMonitor, async: true, operation: "Get partition load",
		parameters: []string{
			"resource", "start", "end", "entries", "topic", "partition", "min_valid_partition_ratio", "allow_capacity_estimation", "max_load", "avg_load", "brokerid", "reason",
		}},
	{name: "PROPOSALS", method: http.MethodGet, class: kafkaMonitor, async: true, plans: true, operation: "Get customized proposals", parameters: slices.Concat(goalParameters, proposalsParameters)},
	{name: "STATE", method: http.MethodGet, class: cruiseControlMonitor, async: true, operation: "Get state", parameters: []string{"substates", "verbose", "super_verbose", "reason"}},
	{name: "KAFKA_CLUSTER_STATE", method: http.MethodGet, class: kafkaMonitor, parameters: []string{"topic", "verbose", "reason"}},
	{name: "USER_TASKS", method: http.MethodGet, class: cruiseControlMonitor, parameters: []string{"user_task_ids", "client_ids", "endpoints", "types", "entries", "fetch_completed_task", "reason"}},
	{name: "REVIEW_BOARD", method: http.MethodGet, class: cruiseControlMonitor, parameters: []string{"review_ids", "reason"}},
	{name: "PERMISSIONS", method: http.MethodGet, class: cruiseControlMonitor},

	{name: "ADD_BROKER", method: http.MethodPost, class: kafkaAdmin, async: true, plans: true, operation: "Add brokers",
		parameters: slices.Concat([]string{"brokerid", "kafka_assigner", "throttle_added_broker"}, goalParameters, executionParameters)},
	{name: "REMOVE_BROKER", method: http.MethodPost, class: kafkaAdmin, async: true, plans: true, operation: "Remove brokers",
		parameters: slices.Concat([]string{"brokerid", "kafka_assigner", "throttle_removed_broker", "destination_broker_ids"}, goalParameters, executionParameters)},
	{name: "FIX_OFFLINE_REPLICAS", method: http.MethodPost, class: kafkaAdmin, async: true, plans: true, operation: "Fix offline replicas",
		parameters: slices.Concat(goalParameters, executionParameters)},
	{name: "REBALANCE", method: http.MethodPost, class: kafkaAdmin, async: true, plans: true, operation: "Rebalance",
		parameters: slices.Concat([]string{"concurrent_intra_broker_partition_movements"}, goalParameters, executionParameters, proposalsParameters)},
	{name: "STOP_PROPOSAL_EXECUTION", method: http.MethodPost, class: kafkaAdmin, parameters: []string{"stop_external_agent", "force_stop", "reason", "review_id"}},
	{name: "PAUSE_SAMPLING", method: http.MethodPost, class: cruiseControlAdmin, parameters: []string{"reason", "review_id"}},
	{name: "RESUME_SAMPLING", method: http.MethodPost, class: cruiseControlAdmin, parameters: []string{"reason", "review_id"}},
	{name: "DEMOTE_BROKER", method: http.MethodPost, class: kafkaAdmin, async: true, plans: true, operation: "Demote",
		parameters: []string{
			"brokerid", "brokerid_and_logdirs", "dryrun", "allow_capacity_estimation", "verbose", "exclude_recently_demoted_brokers", "concurrent_leader_movements",
			"broker_concurrent_leader_movements", "skip_urp_demotion", "exclude_follower_demotion", "replica_movement_strategies", "replication_throttle",
			"execution_progress_check_interval_ms", "stop_ongoing_execution", "reason", "review_id",
		}},
	{name: "ADMIN", method: http.MethodPost, class: cruiseControlAdmin,
		parameters: []string{
			"enable_self_healing_for", "disable_self_healing_for", "concurrent_partition_movements_per_broker", "max_partition_movements_in_cluster",
			"concurrent_intra_broker_partition_movements", "concurrent_leader_movements", "broker_concurrent_leader_movements",
			"execution_progress_check_interval_ms", "drop_recently_removed_brokers", "drop_recently_demoted_brokers", "enable_concurrency_adjuster_for",
			"disable_concurrency_adjuster_for", "min_isr_based_concurrency_adjustment", "reason", "review_id",
		}},
	{name: "REVIEW", method: http.MethodPost, class: cruiseControlAdmin, parameters: []string{"approve", "discard", "reason"}},
	{name: "TOPIC_CONFIGURATION", method: http.MethodPost, class: kafkaAdmin, async: true, plans: true, operation: "Update Topic Configuration",
		parameters: slices.Concat([]string{"topic", "replication_factor", "skip_rack_awareness_check"}, goalParameters, executionParameters)},
	{name: "RIGHTSIZE", method: http.MethodPost, class: kafkaAdmin, parameters: []string{"num_brokers_to_add", "partition_count", "topic", "reason"}},
	{name: "REMOVE_DISKS", method: http.MethodPost, class: kafkaAdmin, async: true, plans: true, operation: "Remove disks",
		parameters: []string{"brokerid_and_logdirs", "dryrun", "stop_ongoing_execution", "reason"}},
}

// knows tells whether an endpoint has a parameter.
func (e *endpoint) knows(name string) bool {
	name = strings.ToLower(name)
	if slices.Contains(commonParameters, name) {
		return e.name != "REMOVE_DISKS" || name == "json"
	}
	return slices.Contains(e.parameters, name)
}

// findEndpoint looks at the last segment of a path only.
func findEndpoint(method, path string) *endpoint {
	last := path[strings.LastIndexByte(path, '/')+1:]
	for i := range endpoints {
		if endpoints[i].method == method && strings.EqualFold(endpoints[i].name, last) {
			return &endpoints[i]
		}
	}
	return nil
}

// supported lists the endpoints of a method as the error of an unknown one does.
func supported(method string) string {
	var names []string
	for _, e := range endpoints {
		if e.method == method {
			names = append(names, e.name)
		}
	}
	return "[" + strings.Join(names, ", ") + "]"
}
