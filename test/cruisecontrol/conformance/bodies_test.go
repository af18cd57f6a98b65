package conformance

import (
	"strings"
	"testing"
)

func TestUserTasks(t *testing.T) {
	c := newTarget(t)
	reason := token()
	id := c.ok(get("/state?substates=executor&json=true&reason=%s-a%%2Bb", reason)).taskID()
	task := c.byToken(reason)
	c.has("a task", task, "UserTaskId", "RequestURL", "ClientIdentity", "StartMs", "Status")
	c.equal("id", task["UserTaskId"], id)
	if _, text := task["StartMs"].(string); !text {
		c.Errorf("StartMs is %v", task["StartMs"])
	}
	c.equal("the request, decoded and in its order", task["RequestURL"], "GET /kafkacruisecontrol/state?substates=executor&json=true&reason="+reason+"-a+b")
}

func TestUserTasksThatAreUnknownAreAnEmptyList(t *testing.T) {
	c := newTarget(t)
	r := c.ok(get("/user_tasks?json=true&user_task_ids=3e2d2a9e-9d56-4d4c-8d41-6b7f1e6a0001"))
	c.equal("version", r.at("version"), 1)
	c.equal("list", r.at("userTasks"), "[]")
}

func TestUserTasksFilters(t *testing.T) {
	c := newTarget(t)
	id := c.ok(get("/state?json=true&substates=executor")).taskID()
	c.until("completion", func() bool { return c.status(id) == "Completed" })
	c.equal("of another endpoint", len(c.tasks("&user_task_ids="+id+"&endpoints=rebalance")), 0)
	c.equal("of its endpoint", len(c.tasks("&user_task_ids="+id+"&endpoints=state")), 1)
	c.equal("of another status", len(c.tasks("&user_task_ids="+id+"&types=Active")), 0)
	c.equal("a status in lower case does not filter", len(c.tasks("&user_task_ids="+id+"&types=active")), 1)
	c.equal("entries", len(c.tasks("&entries=1")), 1)
}

func TestTasksAreActiveUntilTheScannerRuns(t *testing.T) {
	c := newTarget(t)
	id := c.ok(get("/state?json=true&substates=executor")).taskID()
	if status := c.status(id); status != "Active" && c.own {
		c.Errorf("got %s", status)
	}
	c.until("completion", func() bool { return c.status(id) == "Completed" })
}

func TestExecutorStateAtRest(t *testing.T) {
	c := newTarget(t)
	state := c.executor("&verbose=true")
	if state["state"] != "NO_TASK_IN_PROGRESS" {
		c.Skip("something is being executed")
	}
	for name := range state {
		if name != "state" && name != "recentlyRemovedBrokers" && name != "recentlyDemotedBrokers" {
			c.Errorf("%s at rest", name)
		}
	}
}

func TestMonitorState(t *testing.T) {
	c := newTarget(t)
	state := c.ok(get("/state?json=true&substates=monitor&verbose=true")).at("MonitorState")
	c.has("MonitorState", state, "state", "trained", "trainingPct", "numMonitoredWindows", "numValidPartitions", "numTotalPartitions",
		"monitoringCoveragePct", "numFlawedPartitions", "monitoredWindows")
	if phase := state.(map[string]any)["state"]; phase == "RUNNING" {
		c.has("MonitorState", state, "reasonOfLatestPauseOrResume")
	}
}

func TestAnalyzerState(t *testing.T) {
	c := newTarget(t)
	state := c.ok(get("/state?json=true&substates=analyzer&verbose=true")).at("AnalyzerState")
	c.has("AnalyzerState", state, "isProposalReady", "readyGoals", "goalReadiness")
	if goals, _ := state.(map[string]any)["goalReadiness"].([]any); len(goals) > 0 {
		c.has("a goal", goals[0], "name", "status", "modelCompleteRequirement")
	}
}

func TestAnomalyDetectorState(t *testing.T) {
	c := newTarget(t)
	state := c.ok(get("/state?json=true&substates=anomaly_detector")).at("AnomalyDetectorState")
	c.has("AnomalyDetectorState", state, "selfHealingEnabled", "selfHealingDisabled", "selfHealingEnabledRatio", "recentGoalViolations",
		"recentBrokerFailures", "metrics", "ongoingSelfHealingAnomaly", "balancednessScore")
}

func TestUnknownSubstatesAreRefused(t *testing.T) {
	newTarget(t).refused(get("/state?json=true&substates=foo"), 400, "Unsupported substates in")
}

func TestKafkaClusterState(t *testing.T) {
	c := newTarget(t)
	r := c.ok(get("/kafka_cluster_state?json=true&verbose=true"))
	c.has("KafkaBrokerState", r.at("KafkaBrokerState"), "LeaderCountByBrokerId", "OutOfSyncCountByBrokerId", "ReplicaCountByBrokerId",
		"OfflineReplicaCountByBrokerId", "IsController", "OnlineLogDirsByBrokerId", "OfflineLogDirsByBrokerId", "Summary")
	c.has("Summary", r.at("KafkaBrokerState", "Summary"), "Brokers", "Topics", "Replicas", "Leaders", "AvgReplicationFactor")
	c.has("KafkaPartitionState", r.at("KafkaPartitionState"), "offline", "with-offline-replicas", "urp", "under-min-isr", "other")
	other, _ := r.at("KafkaPartitionState", "other").([]any)
	if len(other) == 0 {
		c.Fatalf("no partitions: %s", r.body)
	}
	c.has("a partition", other[0], "topic", "partition", "leader", "replicas", "in-sync", "out-of-sync", "offline", "min-isr")
	c.equal("others without verbose", c.ok(get("/kafka_cluster_state?json=true")).at("KafkaPartitionState", "other"), "[]")
}

func TestLoad(t *testing.T) {
	c := newTarget(t)
	c.ready()
	for _, more := range []string{"", "&populate_disk_info=true", "&capacity_only=true"} {
		r := c.ok(get("/load?json=true%s", more))
		hosts, _ := r.at("hosts").([]any)
		brokers, _ := r.at("brokers").([]any)
		if len(hosts) == 0 || len(brokers) == 0 {
			c.Fatalf("got %s", r.body)
		}
		c.has("a host", hosts[0], "Host", "Rack", "DiskMB", "DiskPct", "Replicas", "Leaders", "DiskCapacityMB")
		c.has("a broker", brokers[0], "Broker", "BrokerState", "Host", "DiskMB", "DiskPct", "CpuPct", "Replicas", "Leaders", "DiskCapacityMB", "NumCore")
		_, disks := brokers[0].(map[string]any)["DiskState"]
		c.equal("DiskState"+more, disks, strings.Contains(more, "disk"))
	}
}

// plan is what all planning requests answer.
func (t *target) plan(r reply, verbose bool) {
	t.Helper()
	t.has("summary", r.at("summary"), "numReplicaMovements", "dataToMoveMB", "numIntraBrokerReplicaMovements", "intraBrokerDataToMoveMB", "numLeaderMovements",
		"recentWindows", "monitoredPartitionsPercentage", "excludedTopics", "excludedBrokersForReplicaMove", "excludedBrokersForLeadership",
		"onDemandBalancednessScoreBefore", "onDemandBalancednessScoreAfter", "provisionStatus", "provisionRecommendation")
	t.has("load", r.at("loadAfterOptimization"), "hosts", "brokers")
	for _, name := range []string{"proposals", "loadBeforeOptimization"} {
		_, there := r.json()[name]
		t.equal(name, there, verbose)
	}
	goals, _ := r.at("goalSummary").([]any)
	for _, goal := range goals {
		t.has("a goal", goal, "goal", "status", "optimizationTimeMs", "clusterModelStats")
		if s := goal.(map[string]any)["status"]; s != "VIOLATED" && s != "FIXED" && s != "NO-ACTION" {
			t.Errorf("a goal is %v", s)
		}
	}
	proposals, _ := r.at("proposals").([]any)
	for _, one := range proposals {
		proposal := one.(map[string]any)
		t.has("a proposal", proposal, "topicPartition", "oldLeader", "oldReplicas", "newReplicas")
		t.has("its partition", proposal["topicPartition"], "topic", "partition")
	}
}

func TestProposalsOnlyWhereAskedFor(t *testing.T) {
	c := newTarget(t)
	c.ready()
	c.plan(c.ok(get("/proposals?json=true&verbose=true&ignore_proposal_cache=true")), true)
	c.plan(c.ok(get("/proposals?json=true&verbose=false&ignore_proposal_cache=true")), false)
}

func TestDryRuns(t *testing.T) {
	c := newTarget(t)
	c.ready()
	last := c.brokers()[len(c.brokers())-1]
	r := c.ok(post("/remove_broker?json=true&verbose=true&dryrun=true&brokerid=%d&reason=%s", last, token()))
	c.plan(r, true)
	brokers, _ := r.at("loadAfterOptimization", "brokers").([]any)
	for _, one := range brokers {
		if b := one.(map[string]any); b["Broker"] == float64(last) {
			c.equal("a broker that is being removed", b["BrokerState"], "DEAD")
		}
	}
	r = c.ok(post("/demote_broker?json=true&verbose=true&dryrun=true&brokerid=%d&reason=%s", last, token()))
	c.plan(r, true)
	c.equal("provisionStatus of demote", r.at("summary", "provisionStatus"), "UNDECIDED")
	c.equal("replicas that move", r.at("summary", "numReplicaMovements"), 0)
	c.equal("executor", c.executor("")["state"], "NO_TASK_IN_PROGRESS")
}

func TestADryRunDoesNotLookAtStrategies(t *testing.T) {
	c := newTarget(t)
	c.ready()
	c.ok(post("/rebalance?json=true&dryrun=true&replica_movement_strategies=Foo&execution_progress_check_interval_ms=1&reason=%s", token()))
}

func TestWhatCannotBePlanned(t *testing.T) {
	c := newTarget(t)
	c.ready()
	last := c.brokers()[len(c.brokers())-1]
	for path, text := range map[string]string{
		"/add_broker?brokerid=99999":                                    "Broker [99999] does not exist.",
		"/demote_broker?brokerid=99999":                                 "Broker [99999] does not exist.",
		"/remove_broker?brokerid=99999":                                 "Broker 99999 does not exist.",
		"/rebalance?goals=FooGoal":                                      "Goals [FooGoal] are not supported. Supported:",
		"/rebalance?goals=ReplicaDistributionGoal":                      "Missing hard goals [",
		"/topic_configuration?topic=no-such-topic&replication_factor=1": "There is no topic in cluster matching pattern",
		"/fix_offline_replicas?allow_capacity_estimation=true":          "Cluster has no offline replica on brokers",
	} {
		a := post("%s&json=true&dryrun=true&reason=%s", path, token())
		r := c.refused(a, 500, text)
		if !strings.HasPrefix(r.message(), "Error processing POST request '/") || r.taskID() == "" {
			c.Errorf("%s: %s", path, r.body)
		}
		c.until("the end of the task", func() bool { return c.status(r.taskID()) == "CompletedWithError" })
		again := c.send(a.continues(r.taskID()))
		c.equal("the error of the same task, again", again.message(), r.message())
	}
	c.refused(post("/remove_disks?json=true&dryrun=true&brokerid_and_logdirs=%d-/no/such/dir&reason=%s", last, token()), 500, "Invalid log dirs provided for broker")
}

func TestFetchCompletedTask(t *testing.T) {
	c := newTarget(t)
	c.ready()
	id := c.ok(post("/rebalance?json=true&dryrun=true&reason=%s", token())).taskID()
	c.until("completion", func() bool { return c.status(id) == "Completed" })
	tasks := c.tasks("&fetch_completed_task=true&user_task_ids=" + id)
	if len(tasks) != 1 || !strings.Contains(tasks[0]["originalResponse"].(string), `"summary"`) {
		c.Errorf("got %v", tasks)
	}
	failed := c.send(post("/rebalance?json=true&dryrun=true&goals=FooGoal&reason=%s", token())).taskID()
	c.until("its end", func() bool { return c.status(failed) == "CompletedWithError" })
	r := c.send(get("/user_tasks?json=true&fetch_completed_task=true&user_task_ids=%s", failed))
	switch r.status {
	case 500: // without --add-opens
		if !strings.Contains(r.message(), "java.lang.Throwable.detailMessage accessible") {
			c.Errorf("got %s", r.body)
		}
	case 200:
		if !strings.Contains(r.body, `"CompletedWithError"`) {
			c.Errorf("got %s", r.body)
		}
	}
}
