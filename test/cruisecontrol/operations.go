package cruisecontrol

import (
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"koperator.dev/koperator/test/cruisecontrol/internal/javajson"
	"koperator.dev/koperator/test/cruisecontrol/internal/planner"
)

// operation is a request that plans, with its parameters.
type operation struct {
	p        *process
	task     *task
	endpoint string
	// selfHealing is the anomaly's id, if nobody asked.
	selfHealing string

	dryRun, stopOngoing, verbose             bool
	reason                                   string
	goals                                    []string
	skipHardGoals, estimation                bool
	excludeRemoved, excludeDemoted           bool
	excludedTopics                           *regexp.Regexp
	brokers, destinations                    []int32
	disks                                    map[int32][]string
	rebalanceDisk                            bool
	topics                                   map[int]string
	skipRackCheck, skipURP, excludeFollowers bool
	perBroker, inCluster, intra, leaders     int
	checkInterval                            *int64
	throttle                                 *int64
}

// parsePlan reads the parameters of a request that plans.
func (p *process) parsePlan(c *call) (*operation, error) {
	q := &parser{parameters: c.parameters}
	o := &operation{p: p, endpoint: c.endpoint.name, verbose: q.bool("verbose", false)}
	o.dryRun = c.method == http.MethodGet || q.bool("dryrun", true)
	o.stopOngoing = q.bool("stop_ongoing_execution", false)
	o.reason, _ = q.get("reason")
	if !q.has("reason") {
		o.reason = "No reason provided"
	}
	o.parseGoals(q)
	o.parseTarget(q, c)
	o.parseExecution(q)
	if o.stopOngoing && o.dryRun && c.method == http.MethodPost {
		q.fail("stop_ongoing_execution and dryrun cannot both be set to true.")
	}
	return o, q.err
}

func (o *operation) parseGoals(q *parser) {
	o.goals = q.list("goals")
	o.skipHardGoals = q.bool("skip_hard_goal_check", false)
	q.exclusive("use_ready_default_goals", "goals")
	q.exclusive("ignore_proposal_cache", "goals")
	if from, ok := q.get("data_from"); ok && !slices.Contains([]string{"VALID_WINDOWS", "VALID_PARTITIONS"}, strings.ToUpper(from)) {
		q.fail("No enum constant com.linkedin.kafka.cruisecontrol.servlet.parameters.ParameterUtils.DataFrom.%s", strings.ToUpper(from))
	}
	if pattern, ok := q.get("excluded_topics"); ok {
		o.excludedTopics = q.pattern(pattern)
	}
	o.excludeRemoved = q.bool("exclude_recently_removed_brokers", true)
	o.excludeDemoted = q.bool("exclude_recently_demoted_brokers", false)
	o.estimation = q.bool("allow_capacity_estimation", true)
	o.rebalanceDisk = q.bool("rebalance_disk", false)
	assigner := q.bool("kafka_assigner", false)
	switch {
	case o.rebalanceDisk && len(o.goals) > 0:
		q.fail("Rebalance disk mode does not support explicitly specifying goals in request.")
	case assigner && len(o.goals) > 0:
		q.fail("Kafka assigner mode does not support explicitly specifying goals in request.")
	case assigner && o.rebalanceDisk:
		q.fail("Kafka assigner mode and rebalance disk mode cannot be set the at the same time.")
	}
}

// pattern matches whole names, as Java's matches does.
func (p *parser) pattern(expression string) *regexp.Regexp {
	pattern, err := regexp.Compile("^(?:" + expression + ")$")
	if err != nil {
		p.fail("%s", err)
	}
	return pattern
}

// parseTarget reads what the operation is about.
func (o *operation) parseTarget(q *parser, c *call) {
	o.brokers = q.brokers("brokerid")
	o.destinations = q.brokers("destination_broker_ids")
	o.disks = q.disks("brokerid_and_logdirs")
	o.skipURP, o.excludeFollowers = q.bool("skip_urp_demotion", true), q.bool("exclude_follower_demotion", true)
	o.skipRackCheck = q.bool("skip_rack_awareness_check", false)
	disjoint(q, "No overlap is allowed between the specified destination broker ids and broker ids", o.brokers, o.destinations)
	switch o.endpoint {
	case "ADD_BROKER", "REMOVE_BROKER":
		if len(o.brokers) == 0 {
			q.fail("Target broker ID is not provided for %s request", o.endpoint)
		}
	case "DEMOTE_BROKER":
		if len(o.brokers) == 0 && len(o.disks) == 0 {
			q.fail("No target broker ID or target disk logdir is specified to demote.")
		}
	case "REMOVE_DISKS":
		if len(o.disks) == 0 {
			q.fail("No target disk logdir is specified to remove.")
		}
	case "TOPIC_CONFIGURATION":
		o.topics = q.topics(c.body)
	}
}

// parseExecution reads how a plan is executed. In a dry run strategies are not looked at.
func (o *operation) parseExecution(q *parser) {
	o.perBroker = q.concurrency("concurrent_partition_movements_per_broker")
	o.inCluster = q.concurrency("max_partition_movements_in_cluster")
	o.intra = q.concurrency("concurrent_intra_broker_partition_movements")
	o.leaders = q.concurrency("concurrent_leader_movements")
	q.concurrency("broker_concurrent_leader_movements")
	o.checkInterval = q.integer("execution_progress_check_interval_ms")
	o.throttle = q.integer("replication_throttle")
	if o.throttle != nil && *o.throttle < 0 {
		q.fail("Requested rebalance throttle must be non-negative (Requested: %d).", *o.throttle)
	}
	if o.throttle == nil && o.p.opts.Config.DefaultReplicationThrottle > 0 {
		o.throttle = &o.p.opts.Config.DefaultReplicationThrottle
	}
	if o.dryRun {
		return
	}
	for _, name := range q.list("replica_movement_strategies") {
		if !slices.ContainsFunc(strategies, func(s string) bool { return strings.EqualFold(s, name) }) {
			q.fail("Strategy %s is not supported. Supported: [%s]", name, strings.Join(strategies, ", "))
		}
	}
}

var strategies = []string{
	"BaseReplicaMovementStrategy", "PostponeUrpReplicaMovementStrategy", "PrioritizeLargeReplicaMovementStrategy", "PrioritizeMinIsrWithOfflineReplicasStrategy",
	"PrioritizeOneAboveMinIsrWithOfflineReplicasStrategy", "PrioritizeSmallReplicaMovementStrategy",
}

// begin starts an operation on a thread: first what is refused at once, then the time that planning takes.
func (o *operation) begin(t *task) {
	o.task = t
	t.goals = o.goals
	if len(t.goals) == 0 {
		t.goals = o.p.opts.Config.DefaultGoals
	}
	t.begun, t.duration = o.p.now, o.p.opts.Config.PlanningTime
	if err := o.failFast(); err != nil {
		o.end(nil, err)
		return
	}
	if !o.dryRun {
		o.p.executor.generate(o)
	}
	if o.p.consume(FaultOutOfMemory, o.endpoint) != nil {
		return // the thread is lost, and the task stays active for ever
	}
	if t.duration == 0 {
		o.plan()
		return
	}
	o.p.after(t.duration, o.plan)
}

// failFast is what an execution is refused for before anything is planned.
func (o *operation) failFast() error {
	if o.dryRun {
		return nil
	}
	x := &o.p.executor
	if x.phase != idle && o.stopOngoing {
		x.abandon()
	}
	if x.phase != idle {
		return errText("java.lang.IllegalStateException: Cannot start a new execution while there is an ongoing execution. Please use stop_ongoing_execution=true to stop ongoing execution and start a new one.")
	}
	if o.p.opts.Config.AutoStopExternalAgent {
		return nil
	}
	return o.p.externalAgent()
}

// plan makes the plan, and hands it to the executor.
func (o *operation) plan() {
	plan, err := o.makePlan()
	if err == nil && !o.dryRun && !plan.empty() {
		err = o.checkExecution()
	}
	o.end(plan, err)
}

// checkExecution is what is found wrong only after planning.
func (o *operation) checkExecution() error {
	minimum := o.p.opts.Config.MinExecutionProgressCheckInterval.Milliseconds()
	if o.checkInterval != nil && *o.checkInterval < minimum {
		return errText("%sjava.lang.IllegalArgumentException: Attempt to set execution progress check interval [%dms] to smaller than the minimum execution progress check interval in cluster [%dms].",
			wrapped, *o.checkInterval, minimum)
	}
	return nil
}

// end gives the task its answer. What is executed begins a little later, and a scan in between takes the task for completed.
func (o *operation) end(plan *plan, err error) {
	p, t := o.p, o.task
	if failure := p.consume(FaultPlanningError, o.endpoint); failure != nil && err == nil {
		err = errText("%s", failure.Message)
	}
	var result javajson.Object
	if err == nil {
		result = plan.object(o)
	}
	t.finish(p, result, err)
	if late := p.consume(FaultResponseMissing, o.endpoint); late != nil {
		t.resultFrom = p.now.Add(late.Duration)
	}
	p.tasks.freeThread()
	switch {
	case o.dryRun:
	case err != nil || plan.empty():
		p.executor.release(o)
	default:
		p.executor.initialize(o, plan)
	}
}

// plan is what is to be done.
type plan struct {
	proposals []planner.Proposal
	disks     []planner.DiskMove
	// excludedForReplicas and excludedForLeadership are shown.
	excludedForReplicas, excludedForLeadership []int32
}

func (pl *plan) empty() bool { return len(pl.proposals) == 0 && len(pl.disks) == 0 }

// makePlan plans on what was seen of Kafka last.
func (o *operation) makePlan() (*plan, error) {
	if err := o.p.monitor.ready(); err != nil {
		return nil, err
	}
	if err := o.checkGoals(); err != nil {
		return nil, err
	}
	if err := o.checkBrokers(); err != nil {
		return nil, err
	}
	if err := o.p.monitor.capacityError(o.estimation); err != nil {
		return nil, errText("%s%s", wrapped, err)
	}
	if o.endpoint == "REMOVE_DISKS" {
		moves, err := planner.RemoveDisks(o.p.metadata, o.disks, o.p.diskCapacity)
		return &plan{disks: moves}, wrap(err)
	}
	if o.rebalanceDisk {
		return &plan{disks: planner.EvenDisks(o.p.metadata)}, nil
	}
	r, err := o.plannerRequest()
	if err != nil {
		return nil, err
	}
	proposals, err := planner.Make(r)
	return &plan{proposals: proposals, excludedForReplicas: r.ExcludedForReplicas, excludedForLeadership: r.ExcludedForLeadership}, wrap(err)
}

// wrap wraps what Cruise Control does: all but a goal that cannot be met.
func wrap(err error) error {
	if err == nil || strings.Contains(err.Error(), "OptimizationFailureException") {
		return err
	}
	return errText("%s%s", wrapped, err)
}

// checkGoals looks at the goals' names.
func (o *operation) checkGoals() error {
	cfg := &o.p.opts.Config
	var unknown, missing []string
	for _, goal := range o.goals {
		if !slices.Contains(cfg.Goals, goal) {
			unknown = append(unknown, goal)
		}
	}
	for _, goal := range cfg.HardGoals {
		if !slices.Contains(o.goals, goal) {
			missing = append(missing, goal)
		}
	}
	switch {
	case len(unknown) > 0:
		return errText("%sjava.lang.IllegalArgumentException: Goals [%s] are not supported. Supported: [%s]", wrapped, strings.Join(unknown, ", "), strings.Join(cfg.Goals, ", "))
	case len(o.goals) > 0 && !o.skipHardGoals && len(missing) > 0 && o.endpoint != "PROPOSALS":
		return errText("%sjava.lang.IllegalArgumentException: Missing hard goals [%s] in the provided goals: [%s]. Add skip_hard_goal_check=true parameter to ignore this sanity check.",
			wrapped, strings.Join(missing, ", "), strings.Join(o.goals, ", "))
	}
	return nil
}

// checkBrokers looks for those that are named among those that were seen last. Of a broker that is removed, its replicas do.
func (o *operation) checkBrokers() error {
	for _, id := range o.brokers {
		_, alive := o.p.metadata.Brokers[id]
		switch {
		case alive:
		case o.endpoint == "REMOVE_BROKER" && o.p.hasReplicas(id):
		case o.endpoint == "REMOVE_BROKER":
			return errText("%sjava.lang.IllegalArgumentException: Broker %d does not exist.", wrapped, id)
		default:
			return errText("%sjava.lang.IllegalArgumentException: Broker [%d] does not exist.", wrapped, id)
		}
	}
	return nil
}

func (p *process) hasReplicas(id int32) bool {
	for _, partition := range p.metadata.Partitions {
		if slices.Contains(partition.Replicas, id) {
			return true
		}
	}
	return false
}

// plannerRequest is what the planner is asked for.
func (o *operation) plannerRequest() (planner.Request, error) {
	goals := o.goals
	if len(goals) == 0 {
		goals = o.p.opts.Config.DefaultGoals
	}
	r := planner.Request{
		Cluster: o.p.metadata, Destinations: o.destinations, ExcludedTopics: o.excludedTopics,
		RackAware: slices.Contains(goals, "RackAwareGoal"), CapacityMB: o.p.capacityMB,
	}
	if o.excludeRemoved {
		r.ExcludedForReplicas = o.p.executor.recentlyRemoved(o.brokers)
	}
	if o.excludeDemoted {
		r.ExcludedForLeadership = o.p.executor.recentlyDemoted()
	}
	switch o.endpoint {
	case "ADD_BROKER":
		r.Add = o.brokers
	case "REMOVE_BROKER":
		r.Remove = o.brokers
	case "DEMOTE_BROKER":
		r.Demote, r.DemoteDisks, r.SkipURP, r.FollowersToo = o.brokers, o.disks, o.skipURP, !o.excludeFollowers
	case "FIX_OFFLINE_REPLICAS":
		return r, o.p.checkOffline(false)
	case "TOPIC_CONFIGURATION":
		var err error
		r.ReplicationFactor, err = o.replicationFactors()
		r.RackAware = r.RackAware && !o.skipRackCheck
		return r, err
	default:
		r.Even = true
	}
	return r, nil
}

// capacityMB is what all disks of a broker hold.
func (p *process) capacityMB(id int32) float64 {
	disks, _, _ := p.opts.Config.Capacity.of(id)
	var sum float64
	for _, mb := range disks {
		sum += mb
	}
	return sum
}

// diskCapacity is what one disk holds.
func (p *process) diskCapacity(id int32, path string) float64 {
	disks, _, _ := p.opts.Config.Capacity.of(id)
	if mb, ok := disks[path]; ok {
		return mb
	}
	n := 1
	for _, b := range p.metadata.Brokers {
		if b.ID == id {
			n = max(n, len(b.LogDirs))
		}
	}
	return disks[""] / float64(n)
}

// checkOffline refuses to fix what is not broken, or to work on what is.
func (p *process) checkOffline(refuse bool) error {
	for _, partition := range p.metadata.Partitions {
		offline := slices.Clone(partition.Offline)
		for _, id := range partition.Replicas {
			if _, alive := p.metadata.Brokers[id]; !alive && !slices.Contains(offline, id) {
				offline = append(offline, id)
			}
		}
		if len(offline) > 0 && refuse {
			return errText("java.lang.IllegalStateException: Topic partition %s-%d has offline replicas on brokers %s.", partition.Topic, partition.Partition, list(offline))
		}
		if len(offline) > 0 {
			return nil
		}
	}
	if refuse {
		return nil
	}
	return errText("%sjava.lang.IllegalStateException: Cluster has no offline replica on brokers %s to fix.", wrapped, list(slices.Sorted(maps.Keys(p.metadata.Brokers))))
}
