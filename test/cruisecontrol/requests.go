package cruisecontrol

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"koperator.dev/koperator/test/cruisecontrol/internal/javajson"
)

// parse understands a request, or refuses it.
func (p *process) parse(c *call) (work, error) {
	if c.endpoint.plans {
		o, err := p.parsePlan(c)
		return work{begin: func(t *task) { o.begin(t) }}, err
	}
	q := &parser{parameters: c.parameters}
	w := p.simple(c, q)
	return w, q.err
}

// simple are the requests that plan nothing.
func (p *process) simple(c *call, q *parser) work {
	switch c.endpoint.name {
	case "STATE":
		return p.getState(q)
	case "LOAD":
		return p.getLoad(q)
	case "PARTITION_LOAD":
		return p.getPartitionLoad(q)
	case "KAFKA_CLUSTER_STATE":
		return p.getClusterState(q)
	case "USER_TASKS":
		return p.getUserTasks(q)
	case "STOP_PROPOSAL_EXECUTION":
		return p.stopExecution(q)
	case "PAUSE_SAMPLING":
		return p.sampling(c, q, p.monitor.pause, "Metric sampling paused.")
	case "RESUME_SAMPLING":
		return p.sampling(c, q, p.monitor.resume, "Metric sampling resumed.")
	case "ADMIN":
		return p.administer(q)
	case "RIGHTSIZE":
		return p.rightsize(q)
	case "REVIEW_BOARD", "REVIEW":
		return work{configError: "Attempt to access " + c.endpoint.name + " endpoint without enabling 'two.step.verification.enabled' config."}
	case "PERMISSIONS":
		q.fail("Unable to retrieve privilege information for an unsecure connection")
	}
	return work{now: func(*task) (javajson.Object, error) {
		return nil, errText("java.lang.UnsupportedOperationException: the stand-in does not do this")
	}}
}

// onThread is an asynchronous request that takes no time once a thread is free.
func (p *process) onThread(do func() (javajson.Object, error)) work {
	return work{begin: func(t *task) {
		t.begun = p.now
		result, err := do()
		t.finish(p, result, err)
		p.tasks.freeThread()
	}}
}

func (p *process) getState(q *parser) work {
	verbose := q.bool("verbose", false)
	substates := q.set("substates")
	known := []string{"EXECUTOR", "ANALYZER", "MONITOR", "ANOMALY_DETECTOR"}
	for i, s := range substates {
		substates[i] = strings.ToUpper(s)
		if !slices.Contains(known, substates[i]) {
			q.fail("Unsupported substates in %s. Supported: %s", list(substates), list(known))
		}
	}
	if len(substates) == 0 {
		substates = known
	}
	return p.onThread(func() (javajson.Object, error) {
		state := javajson.Object{}
		for _, s := range substates {
			switch s {
			case "EXECUTOR":
				state["ExecutorState"] = p.executor.state(verbose)
			case "ANALYZER":
				state["AnalyzerState"] = p.analyzerState(verbose)
			case "MONITOR":
				state["MonitorState"] = p.monitor.state(verbose)
			case "ANOMALY_DETECTOR":
				state["AnomalyDetectorState"] = p.anomalyDetectorState()
			}
		}
		return state, nil
	})
}

func (p *process) getLoad(q *parser) work {
	capacityOnly := q.exclusive("capacity_only", "time", "end", "start", "allow_capacity_estimation", "populate_disk_info")
	disks, estimation := q.bool("populate_disk_info", false), q.bool("allow_capacity_estimation", true)
	q.integer("start")
	q.integer("end")
	if time, ok := q.get("time"); ok && !strings.EqualFold(time, "NOW") {
		q.integer("time")
	}
	if q.has("time") && q.has("end") {
		q.fail("Parameter time and parameter end are mutually exclusive and should not be specified in the same request.")
	}
	return p.onThread(func() (javajson.Object, error) {
		if !capacityOnly {
			if err := p.monitor.ready(); err != nil {
				return nil, err
			}
		}
		if err := p.monitor.capacityError(estimation); err != nil {
			return nil, errText("%s%s", wrapped, err)
		}
		if disks {
			for id := range replicaCounts(p.metadata) {
				if _, alive := p.metadata.Brokers[id]; !alive {
					return nil, errText("%sjava.lang.IllegalArgumentException: Broker %d does not exist.", wrapped, id)
				}
			}
		}
		return p.load(p.metadata, disks, nil), nil
	})
}

func (p *process) getPartitionLoad(q *parser) work {
	q.integer("entries")
	return p.onThread(func() (javajson.Object, error) {
		if err := p.monitor.ready(); err != nil {
			return nil, err
		}
		records := []any{}
		for _, partition := range p.metadata.Partitions {
			followers := slices.DeleteFunc(slices.Clone(partition.Replicas), func(id int32) bool { return id == partition.Leader })
			records = append(records, javajson.Object{
				"topic": partition.Topic, "partition": partition.Partition, "leader": partition.Leader, "followers": followers, "cpu": 1.0,
				"networkInbound": 1.0, "networkOutbound": 1.0, "disk": float64(partition.Bytes) / (1 << 20), "msg_in": 1.0,
			})
		}
		return javajson.Object{"records": records}, nil
	})
}

func (p *process) getClusterState(q *parser) work {
	verbose := q.bool("verbose", false)
	match := func(string) bool { return true }
	if expression, ok := q.get("topic"); ok {
		if pattern := q.pattern(expression); pattern != nil {
			match = pattern.MatchString
		}
	}
	return work{now: func(*task) (javajson.Object, error) { return p.clusterState(verbose, match), nil }}
}

// filters are those of user_tasks.
type filters struct {
	ids, clients, endpoints, types []string
	entries                        *int64
	fetch                          bool
}

func (p *process) getUserTasks(q *parser) work {
	f := filters{ids: q.set("user_task_ids"), clients: q.set("client_ids"), entries: q.integer("entries"), fetch: q.bool("fetch_completed_task", false)}
	for _, id := range f.ids {
		if !uuid.MatchString(id) {
			q.fail("Invalid UUID string: %s", id)
		}
	}
	for _, e := range q.set("endpoints") {
		f.endpoints = append(f.endpoints, strings.ToUpper(e))
	}
	for _, s := range q.set("types") { // what is none of them does not filter
		if slices.Contains([]status{active, inExecution, completed, completedWithError}, status(s)) {
			f.types = append(f.types, s)
		}
	}
	if f.entries != nil && *f.entries <= 0 {
		q.fail("The requested entries must be positive (Requested: %d).", *f.entries)
	}
	return work{now: func(*task) (javajson.Object, error) { return p.listTasks(f) }}
}

func (f filters) match(t *task) bool {
	among := func(list []string, value string) bool { return len(list) == 0 || slices.Contains(list, value) }
	return among(f.ids, t.id) && among(f.clients, t.client) && among(f.endpoints, t.endpoint.name) && among(f.types, string(t.status))
}

// noReflection is what Java 17 says where it was not started with --add-opens.
const noReflection = "Unable to make field private java.lang.String java.lang.Throwable.detailMessage accessible: module java.base does not \"opens java.lang\" to unnamed module @5e9f23b4"

func (p *process) listTasks(f filters) (javajson.Object, error) {
	list := []any{}
	for _, t := range p.tasks.all() {
		if !f.match(t) || f.entries != nil && int64(len(list)) >= *f.entries {
			continue
		}
		listed := t.listed()
		if f.fetch && t.failure != nil && t.status != active && !p.opts.Config.AddOpens {
			return nil, errText("%s", noReflection)
		}
		if original, ok := t.original(p.now); ok && f.fetch {
			listed["originalResponse"] = original
		}
		list = append(list, listed)
	}
	return javajson.Object{"userTasks": list}, nil
}

// stopExecution answers the same whatever it did.
func (p *process) stopExecution(q *parser) work {
	external := q.bool("stop_external_agent", true)
	return work{now: func(*task) (javajson.Object, error) {
		if p.executor.phase == idle && external {
			p.cancelAll()
		}
		p.executor.requestStop()
		return javajson.Object{"message": "Proposal execution stopped."}, nil
	}}
}

func (p *process) sampling(c *call, q *parser, do func(string), message string) work {
	reason, ok := q.get("reason")
	if !ok {
		reason = "No reason provided"
	}
	return work{now: func(*task) (javajson.Object, error) {
		do(p.describe(reason, c.client))
		return javajson.Object{"message": message}, nil
	}}
}

// rightsize looks for a provisioner, and there is none.
func (p *process) rightsize(q *parser) work {
	brokers, partitions := q.integer("num_brokers_to_add"), q.integer("partition_count")
	if (brokers == nil) == (partitions == nil) {
		q.fail("Exactly one of the number of brokers to add and the partition count is required.")
	}
	return work{now: func(*task) (javajson.Object, error) {
		result := javajson.Object{"provisionerState": "Provisioner support is missing. Skip recommendation."}
		if brokers != nil {
			result["numBrokersToAdd"] = *brokers
		}
		return result, nil
	}}
}

var concurrencyParameters = regexp.MustCompile(`concurrent_|max_partition_movements|execution_progress_check_interval_ms`)

// administer is POST admin.
func (p *process) administer(q *parser) work {
	enable, disable := upper(q.set("enable_self_healing_for")), upper(q.set("disable_self_healing_for"))
	for _, anomaly := range slices.Concat(enable, disable) {
		if !slices.Contains(anomalies, anomaly) {
			q.fail("Unsupported anomaly types in %s. Supported: %s", list(slices.Concat(enable, disable)), list(anomalies))
		}
	}
	disjoint(q, "The same anomaly cannot be specified in both disable and enable parameters", enable, disable)
	removed, demoted := q.brokers("drop_recently_removed_brokers"), q.brokers("drop_recently_demoted_brokers")
	perBroker := q.concurrency("concurrent_partition_movements_per_broker")
	concurrency := slices.ContainsFunc(q.parameters, func(param Parameter) bool { return concurrencyParameters.MatchString(strings.ToLower(param.Name)) })
	adjusters := q.has("enable_concurrency_adjuster_for") || q.has("disable_concurrency_adjuster_for")
	minISR, hasMinISR := q.get("min_isr_based_concurrency_adjustment")
	if len(enable)+len(disable)+len(removed)+len(demoted) == 0 && !concurrency && !adjusters && !hasMinISR {
		q.fail("Nothing executable found in request.")
	}
	return work{now: func(*task) (javajson.Object, error) {
		result := javajson.Object{}
		if len(enable)+len(disable) > 0 {
			result["selfHealingEnabledBefore"] = p.healingState()
			p.heal(enable, true)
			p.heal(disable, false)
			result["selfHealingEnabledAfter"] = p.healingState()
		}
		if perBroker > 0 && p.executor.phase != idle {
			p.executor.perBroker = perBroker
		}
		if perBroker > 0 {
			result["ongoingConcurrencyChangeRequest"] = "Inter-broker partition movement concurrency is set to " + strconv.Itoa(perBroker) + "\n"
		}
		if len(removed)+len(demoted) > 0 {
			result["dropRecentBrokersRequest"] = p.executor.drop(removed, demoted)
		}
		if hasMinISR {
			result["minIsrBasedConcurrencyAdjustmentRequest"] = "Min ISR-based concurrency adjustment is set to " + minISR
		}
		return result, nil
	}}
}

func upper(list []string) []string {
	for i := range list {
		list[i] = strings.ToUpper(list[i])
	}
	return list
}

func (p *process) heal(list []string, enabled bool) {
	for _, anomaly := range list {
		p.healing[anomaly] = enabled
	}
}

func (p *process) healingState() javajson.Object {
	state := javajson.Object{}
	for _, anomaly := range anomalies {
		state[anomaly] = p.healing[anomaly]
	}
	return state
}

// drop forgets recently removed and demoted brokers.
func (x *executor) drop(removed, demoted []int32) string {
	said := ""
	for _, id := range removed {
		delete(x.removed, id)
	}
	for _, id := range demoted {
		delete(x.demoted, id)
	}
	if len(removed) > 0 {
		said += "Dropped recently removed brokers (requested: " + list(removed) + " after-dropping: " + list(x.recentlyRemoved(nil)) + ").\n"
	}
	if len(demoted) > 0 {
		said += "Dropped recently demoted brokers (requested: " + list(demoted) + " after-dropping: " + list(x.recentlyDemoted()) + ").\n"
	}
	return said
}
