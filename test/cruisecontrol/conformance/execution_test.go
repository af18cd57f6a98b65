package conformance

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"koperator.dev/koperator/test/cruisecontrol/backend"
)

// settle waits until Cruise Control has seen Kafka as it is.
func (t *target) settle() { t.sleep(12 * time.Second) }

// rest waits until nothing is executed.
func (t *target) rest() {
	t.Helper()
	t.until("the end of the execution", func() bool { return t.executor("")["state"] == "NO_TASK_IN_PROGRESS" })
}

// replicas counts those of a broker, as Kafka has them.
func (t *target) replicas(broker int) int {
	t.Helper()
	if t.kafka == nil {
		t.Skip("CC_KAFKA is not set")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	cluster, err := t.kafka.Cluster(ctx)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, p := range cluster.Partitions {
		if slices.Contains(p.Replicas, int32(broker)) {
			n++
		}
	}
	return n
}

// remove empties a broker.
func (t *target) remove(broker int) ask {
	return post("/remove_broker?json=true&verbose=true&dryrun=false&stop_ongoing_execution=false&brokerid=%d&reason=%s", broker, token())
}

func (t *target) add(broker int, dryRun bool) ask {
	return post("/add_broker?json=true&verbose=true&dryrun=%t&stop_ongoing_execution=false&brokerid=%d&reason=%s", dryRun, broker, token())
}

// prepared is a cluster in which the last broker has replicas and may be removed and added.
func prepared(t *testing.T) (c *target, broker int) {
	t.Helper()
	c = newTarget(t)
	c.mutating()
	c.ready()
	brokers := c.brokers()
	if len(brokers) < 4 {
		c.Skip("fewer than four brokers")
	}
	c.rest()
	c.ok(post("/admin?json=true&drop_recently_removed_brokers=%s&reason=%s", commas(brokers), token()))
	broker = brokers[len(brokers)-1]
	if r := c.ok(c.add(broker, false)); number(r.at("summary"), "numReplicaMovements") > 0 {
		c.sleep(2 * time.Second)
		c.rest()
	}
	c.settle()
	return c, broker
}

func commas(ids []int) string {
	var parts []string
	for _, id := range ids {
		parts = append(parts, fmt.Sprint(id))
	}
	return strings.Join(parts, ",")
}

func TestRemoveABroker(t *testing.T) {
	c, broker := prepared(t)
	a := c.remove(broker)
	r := c.ok(a)
	moves := number(r.at("summary"), "numReplicaMovements")
	if moves == 0 {
		c.Fatalf("nothing to move: %s", r.body)
	}
	c.sleep(time.Second)
	seen := c.executor("&verbose=true")
	if seen["state"] == "INTER_BROKER_REPLICA_MOVEMENT_TASK_IN_PROGRESS" {
		c.equal("whose it is", seen["triggeredUserTaskId"], r.taskID())
		c.equal("status", c.status(r.taskID()), "InExecution")
		c.has("its counters", seen, "numTotalPartitionMovements", "numPendingPartitionMovements", "numInProgressPartitionMovements", "abortingPartitions",
			"numFinishedPartitionMovements", "finishedDataMovement", "totalDataToMove", "maximumConcurrentPartitionMovementsPerBroker",
			"pendingPartitionMovement", "inProgressPartitionMovement", "completedPartitionMovement", "deadPartitionMovement")
		if total := number(seen, "numTotalPartitionMovements"); total < moves {
			c.Errorf("%v movements of a plan with %v", total, moves)
		}
		if reason, _ := seen["triggeredTaskReason"].(string); !strings.Contains(a.path, strings.Split(reason, " ")[0]) || !strings.Contains(reason, " (Client: ") {
			c.Errorf("got %s", reason)
		}
		c.refused(c.add(broker, false), 500, "Cannot start a new execution while there is an ongoing execution. Please use stop_ongoing_execution=true")
		c.equal("a dry run meanwhile", c.send(post("/rebalance?json=true&dryrun=true&reason=%s", token())).status, 200)
	}
	c.rest()
	c.until("completion", func() bool { return c.status(r.taskID()) == "Completed" })
	c.equal("recently removed", c.executor("")["recentlyRemovedBrokers"], fmt.Sprintf("[%d]", broker))
	c.equal("the plan, again", number(c.ok(a.continues(r.taskID())).at("summary"), "numReplicaMovements"), moves)
	c.equal("replicas that Kafka has there", c.replicas(broker), 0)
}

func TestRightAfterAChangePlansAreOld(t *testing.T) {
	c, broker := prepared(t)
	moves := number(c.ok(c.remove(broker)).at("summary"), "numReplicaMovements")
	c.sleep(time.Second)
	c.rest()
	again := c.ok(c.remove(broker))
	added := c.ok(c.add(broker, true))
	if n := number(again.at("summary"), "numReplicaMovements"); n != moves && n != 0 {
		c.Errorf("the same removal moves %v, not %v", n, moves)
	}
	c.rest()
	c.settle()
	now := c.ok(c.add(broker, true))
	if number(now.at("summary"), "numReplicaMovements") == 0 {
		c.Errorf("nothing to add after 12 s, and at once: %v", number(added.at("summary"), "numReplicaMovements"))
	}
	empty := c.ok(c.remove(broker))
	c.equal("moves of what is done", number(empty.at("summary"), "numReplicaMovements"), 0)
	c.until("completion", func() bool { return c.status(empty.taskID()) == "Completed" })
}

func TestStopAnExecution(t *testing.T) {
	c, broker := prepared(t)
	a := c.remove(broker)
	r := c.ok(a)
	stop := post("/stop_proposal_execution?json=true&stop_external_agent=false&reason=%s", token())
	c.until("the end", func() bool {
		c.equal("answer", c.ok(stop).at("message"), "Proposal execution stopped.")
		return c.executor("")["state"] == "NO_TASK_IN_PROGRESS"
	})
	if status := c.status(r.taskID()); status != "CompletedWithError" {
		c.Skipf("it was too quick: %s", status)
	}
	c.equal("recently removed, though it was stopped", c.executor("")["recentlyRemovedBrokers"], fmt.Sprintf("[%d]", broker))
	c.equal("the plan is still there", c.send(a.continues(r.taskID())).status, 200)
	said := c.ok(post("/admin?json=true&drop_recently_removed_brokers=%d&reason=%s", broker, token())).at("dropRecentBrokersRequest")
	c.equal("dropped", said, fmt.Sprintf("Dropped recently removed brokers (requested: [%d] after-dropping: []).\n", broker))
}

func TestAStopAtRestAnswersTheSame(t *testing.T) {
	c := newTarget(t)
	c.mutating()
	c.rest()
	r := c.ok(post("/stop_proposal_execution?json=true&stop_external_agent=false&reason=%s", token()))
	c.equal("answer", r.at("message"), "Proposal execution stopped.")
}

func TestAStopWithItsDefaultCancelsWhatOthersMove(t *testing.T) {
	c := newTarget(t)
	if !c.own {
		c.Skip("there is no telling whose reassignments these are")
	}
	moved := map[backend.TopicPartition][]int32{{Topic: "t"}: {2, 3}}
	if err := c.kafka.Reassign(t.Context(), moved); err != nil {
		c.Fatal(err)
	}
	c.refused(c.remove(3), 500, "Cannot execute new proposals while there are ongoing partition reassignments initiated by external agent: [")
	count := func() int {
		moving, err := c.kafka.Reassignments(t.Context())
		if err != nil {
			c.Fatal(err)
		}
		return len(moving)
	}
	c.ok(post("/stop_proposal_execution?json=true&stop_external_agent=false&reason=%s", token()))
	c.equal("reassignments", count(), 1)
	c.ok(post("/stop_proposal_execution?json=true&reason=%s", token()))
	c.equal("reassignments", count(), 0)
}

func TestDemoteABroker(t *testing.T) {
	c, broker := prepared(t)
	r := c.ok(post("/demote_broker?json=true&verbose=true&dryrun=false&brokerid=%d&reason=%s", broker, token()))
	c.equal("replicas that move", number(r.at("summary"), "numReplicaMovements"), 0)
	if number(r.at("summary"), "numLeaderMovements") == 0 {
		c.Skip("it leads nothing")
	}
	c.sleep(time.Second)
	if x := c.executor(""); x["state"] == "INTER_BROKER_REPLICA_MOVEMENT_TASK_IN_PROGRESS" {
		c.equal("data", number(x, "totalDataToMove"), 0)
	}
	c.rest()
	c.equal("recently demoted", c.executor("")["recentlyDemotedBrokers"], fmt.Sprintf("[%d]", broker))
	c.ok(post("/admin?json=true&drop_recently_demoted_brokers=%d&reason=%s", broker, token()))
}

func TestStrategiesAndIntervalsOfAnExecution(t *testing.T) {
	c, broker := prepared(t)
	c.refused(post("/remove_broker?json=true&dryrun=false&brokerid=%d&replica_movement_strategies=Foo&reason=%s", broker, token()), 400, "Strategy Foo is not supported.")
	c.refused(post("/remove_broker?json=true&dryrun=false&brokerid=%d&execution_progress_check_interval_ms=1&reason=%s", broker, token()), 500, "Attempt to set execution progress check interval [1ms] to smaller than the minimum")
	c.equal("executor", c.executor("")["state"], "NO_TASK_IN_PROGRESS")
}

func TestPauseAndResumeSampling(t *testing.T) {
	c := newTarget(t)
	c.mutating()
	reason := token()
	c.has("answer", c.ok(post("/pause_sampling?json=true&reason=%s", reason)).json(), "message", "version")
	state := c.ok(get("/state?json=true&substates=monitor")).at("MonitorState").(map[string]any)
	c.has("answer", c.ok(post("/resume_sampling?json=true&reason=%s", reason)).json(), "message", "version")
	c.equal("state", state["state"], "PAUSED")
	if said, _ := state["reasonOfLatestPauseOrResume"].(string); !strings.Contains(said, reason) {
		c.Errorf("got %s", said)
	}
}

func TestSelfHealingIsSwitched(t *testing.T) {
	c := newTarget(t)
	c.mutating()
	r := c.ok(post("/admin?json=true&enable_self_healing_for=topic_anomaly&reason=%s", token()))
	c.equal("after", r.at("selfHealingEnabledAfter", "TOPIC_ANOMALY"), true)
	r = c.ok(post("/admin?json=true&disable_self_healing_for=topic_anomaly&reason=%s", token()))
	c.equal("before", r.at("selfHealingEnabledBefore", "TOPIC_ANOMALY"), true)
	c.equal("after", r.at("selfHealingEnabledAfter", "TOPIC_ANOMALY"), false)
	c.refused(post("/admin?json=true&enable_self_healing_for=foo&reason=%s", token()), 400, "Unsupported anomaly types in")
}

func TestCharactersThatAreNotASCIICutTheList(t *testing.T) {
	c := newTarget(t)
	if !c.own {
		c.Skip("it would cut the lists of others, for as long as the task is kept")
	}
	c.ok(get("/state?json=true&substates=executor&reason=%s", "gr%C3%BCn-gr%C3%BCn-gr%C3%BCn"))
	r := c.send(get("/user_tasks?json=true"))
	c.equal("status", r.status, 200)
	if r.json() != nil || !strings.HasPrefix(r.body, "{") {
		c.Errorf("got %s", r.body)
	}
}
