package cruisecontrol

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"koperator.dev/koperator/test/cruisecontrol/backend"
	"koperator.dev/koperator/test/cruisecontrol/internal/javajson"
	"koperator.dev/koperator/test/cruisecontrol/internal/planner"
)

// object is the answer with a plan.
func (pl *plan) object(o *operation) javajson.Object {
	p := o.p
	result := javajson.Object{
		"summary":               pl.summary(o),
		"goalSummary":           pl.goals(o),
		"loadAfterOptimization": p.load(pl.after(p.metadata), o.showsDisks(), p.planState(o)),
	}
	if o.verbose {
		result["loadBeforeOptimization"] = p.load(p.metadata, o.showsDisks(), p.planState(o))
		result["proposals"] = proposalObjects(pl.proposals, pl.disks)
	}
	return result
}

func (o *operation) showsDisks() bool { return o.rebalanceDisk || o.endpoint == "REMOVE_DISKS" }

// summary counts partitions whose set of replicas changes; what only changes their order counts as a move of the leader.
func (pl *plan) summary(o *operation) javajson.Object {
	var moves, leaders int
	var data, diskData int64
	for _, proposal := range pl.proposals {
		switch {
		case proposal.Moves():
			moves++
			data += proposal.MBToMove()
		case proposal.MovesLeader():
			leaders++
		}
	}
	for _, move := range pl.disks {
		diskData += move.Bytes / planner.MB
	}
	before := o.p.balancedness(o.p.metadata)
	provision := "RIGHT_SIZED"
	if o.showsDisks() || o.endpoint == "DEMOTE_BROKER" {
		provision = "UNDECIDED"
	}
	return javajson.Object{
		"numReplicaMovements": moves, "dataToMoveMB": data, "numIntraBrokerReplicaMovements": len(pl.disks), "intraBrokerDataToMoveMB": diskData,
		"numLeaderMovements": leaders, "recentWindows": o.p.monitor.validWindows(), "monitoredPartitionsPercentage": 100.0,
		"excludedTopics": o.p.matching(o), "excludedBrokersForReplicaMove": pl.excludedForReplicas, "excludedBrokersForLeadership": pl.excludedForLeadership,
		"onDemandBalancednessScoreBefore": o.p.number(o.endpoint, before), "onDemandBalancednessScoreAfter": o.p.balancedness(pl.after(o.p.metadata)),
		"provisionStatus": provision, "provisionRecommendation": "",
	}
}

func (p *process) matching(o *operation) []string {
	topics := map[string]bool{}
	for _, partition := range p.metadata.Partitions {
		if o.excludedTopics != nil && o.excludedTopics.MatchString(partition.Topic) {
			topics[partition.Topic] = true
		}
	}
	return slices.Sorted(maps.Keys(topics))
}

// number is what Cruise Control may write instead of one.
func (p *process) number(endpoint string, n float64) float64 {
	if p.consume(FaultNaN, endpoint) != nil {
		return math.NaN()
	}
	return n
}

// balancedness is 100 where all brokers have as many replicas.
func (p *process) balancedness(c backend.Cluster) float64 {
	count := replicaCounts(c)
	if len(count) == 0 {
		return 100
	}
	counts := slices.Collect(maps.Values(count))
	return math.Round(1000*(100-100*float64(slices.Max(counts)-slices.Min(counts))/float64(max(slices.Max(counts), 1)))) / 1000
}

func replicaCounts(c backend.Cluster) map[int32]int {
	count := map[int32]int{}
	for id := range c.Brokers {
		count[id] = 0
	}
	for _, partition := range c.Partitions {
		for _, id := range partition.Replicas {
			count[id]++
		}
	}
	return count
}

func (pl *plan) goals(o *operation) []any {
	goals := o.goals
	switch {
	case o.showsDisks():
		goals = []string{"IntraBrokerDiskCapacityGoal", "IntraBrokerDiskUsageDistributionGoal"}
	case len(goals) == 0:
		goals = o.p.opts.Config.DefaultGoals
	}
	state := "NO-ACTION"
	if !pl.empty() {
		state = "FIXED"
	}
	var all []any
	for _, goal := range goals {
		all = append(all, javajson.Object{"goal": goal, "status": state, "optimizationTimeMs": 1, "clusterModelStats": o.p.statistics(pl.after(o.p.metadata))})
	}
	return all
}

func (p *process) statistics(c backend.Cluster) javajson.Object {
	count := replicaCounts(c)
	topics, sum, most, fewest := map[string]bool{}, 0, 0, math.MaxInt
	for _, n := range count {
		sum, most, fewest = sum+n, max(most, n), min(fewest, n)
	}
	for _, partition := range c.Partitions {
		topics[partition.Topic] = true
	}
	row := func(replicas float64) javajson.Object {
		return javajson.Object{
			"cpu": 1.0, "networkInbound": 1.0, "networkOutbound": 1.0, "disk": 1.0, "potentialNwOut": 1.0, "replicas": replicas,
			"leaderReplicas": replicas / 3, "topicReplicas": replicas / float64(max(len(topics), 1)),
		}
	}
	return javajson.Object{
		"metadata": javajson.Object{"brokers": len(count), "replicas": sum, "topics": len(topics)},
		"statistics": javajson.Object{
			"AVG": row(float64(sum) / float64(max(len(count), 1))), "MAX": row(float64(most)), "MIN": row(float64(fewest)), "STD": row(0),
		},
	}
}

// proposalObjects are the proposals: those about disks name brokers only, and look as if they did nothing.
func proposalObjects(proposals []planner.Proposal, disks []planner.DiskMove) []any {
	all := []any{}
	for _, proposal := range proposals {
		all = append(all, proposalObject(proposal))
	}
	for _, move := range disks {
		all = append(all, proposalObject(planner.Proposal{
			TopicPartition: move.TopicPartition, OldLeader: move.Broker, OldReplicas: []int32{move.Broker}, NewReplicas: []int32{move.Broker},
		}))
	}
	return all
}

func proposalObject(p planner.Proposal) javajson.Object {
	hash := 0
	for _, b := range []byte(p.Topic) {
		hash = (31*hash + int(b)) % 1_000_000_007
	}
	return javajson.Object{
		"topicPartition": javajson.Object{"hash": 31*hash + int(p.Partition), "topic": p.Topic, "partition": p.Partition},
		"oldLeader":      p.OldLeader, "oldReplicas": p.OldReplicas, "newReplicas": p.NewReplicas,
	}
}

// after is the cluster as it will be.
func (pl *plan) after(c backend.Cluster) backend.Cluster {
	c.Partitions = slices.Clone(c.Partitions)
	for _, proposal := range pl.proposals {
		for i := range c.Partitions {
			if c.Partitions[i].TopicPartition == proposal.TopicPartition {
				c.Partitions[i].Replicas, c.Partitions[i].Leader = proposal.NewReplicas, proposal.NewReplicas[0]
			}
		}
	}
	return c
}

// planState is how a plan sees each broker: one that is removed looks dead.
func (p *process) planState(o *operation) map[int32]string {
	states := map[int32]string{}
	for _, id := range o.brokers {
		switch o.endpoint {
		case "ADD_BROKER":
			states[id] = "NEW"
		case "REMOVE_BROKER":
			states[id] = "DEAD"
		case "DEMOTE_BROKER":
			states[id] = "DEMOTED"
		}
	}
	return states
}

// load is what GET load says, and plans do.
func (p *process) load(c backend.Cluster, disks bool, states map[int32]string) javajson.Object {
	ids := slices.Sorted(maps.Keys(c.Brokers))
	for id := range replicaCounts(c) {
		if _, alive := c.Brokers[id]; !alive {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	hosts, brokers := []any{}, []any{}
	for _, id := range ids {
		broker := p.brokerLoad(c, id, states[id], disks)
		host := maps.Clone(broker)
		for _, name := range []string{"Broker", "BrokerState", "DiskState"} {
			delete(host, name)
		}
		hosts, brokers = append(hosts, host), append(brokers, broker)
	}
	return javajson.Object{"hosts": hosts, "brokers": brokers}
}

func (p *process) brokerLoad(c backend.Cluster, id int32, state string, disks bool) javajson.Object {
	b, alive := c.Brokers[id]
	var replicas, leaders int
	var used float64
	for _, partition := range c.Partitions {
		if slices.Contains(partition.Replicas, id) {
			replicas++
			used += float64(partition.Bytes) / planner.MB
		}
		if partition.Leader == id {
			leaders++
		}
	}
	capacity := p.capacityMB(id)
	load := javajson.Object{
		"Broker": id, "Host": b.Host, "Rack": b.Rack, "BrokerState": brokerState(b, state), "Replicas": replicas, "Leaders": leaders, "DiskMB": used,
		"DiskPct": 100 * used / capacity, "CpuPct": 1.0, "LeaderNwInRate": float64(leaders), "FollowerNwInRate": float64(replicas - leaders),
		"NwOutRate": float64(leaders), "PnwOutRate": float64(replicas), "DiskCapacityMB": capacity, "NetworkInCapacity": 10000.0, "NetworkOutCapacity": 10000.0, "NumCore": 1.0,
	}
	if !alive {
		maps.Copy(load, javajson.Object{
			"Host": "UNKNOWN_HOST-0", "Rack": "", "BrokerState": "DEAD", "DiskPct": -1.0, "DiskCapacityMB": 0.0, "NetworkInCapacity": 0.0, "NetworkOutCapacity": 0.0,
		})
	}
	if disks && alive {
		load["DiskState"] = p.diskState(c, b)
	}
	return load
}

func brokerState(b backend.Broker, planned string) string {
	if planned != "" {
		return planned
	}
	if slices.ContainsFunc(b.LogDirs, func(d backend.LogDir) bool { return d.Dead }) {
		return "BAD_DISKS"
	}
	return "ALIVE"
}

func (p *process) diskState(c backend.Cluster, b backend.Broker) javajson.Object {
	led := map[backend.TopicPartition]bool{}
	for _, partition := range c.Partitions {
		led[partition.TopicPartition] = partition.Leader == b.ID
	}
	disks := javajson.Object{}
	for _, d := range b.LogDirs {
		leaders, used := 0, 0.0
		for tp, bytes := range d.Replicas {
			used += float64(bytes) / planner.MB
			if led[tp] {
				leaders++
			}
		}
		disk := javajson.Object{"DiskMB": used, "DiskPct": 100 * used / p.diskCapacity(b.ID, d.Path), "NumLeaderReplicas": leaders, "NumReplicas": len(d.Replicas)}
		if d.Dead {
			disk["DiskMB"], disk["DiskPct"] = "DEAD", "DEAD"
		}
		disks[d.Path] = disk
	}
	return disks
}

// clusterState is GET kafka_cluster_state.
func (p *process) clusterState(verbose bool, topic func(string) bool) javajson.Object {
	leaders, replicas, offline, outOfSync := map[int32]int{}, map[int32]int{}, map[int32]int{}, map[int32]int{}
	topics := map[string]bool{}
	for _, partition := range p.metadata.Partitions {
		topics[partition.Topic] = true
		if partition.Leader < 0 {
			continue // and so its replicas count nowhere
		}
		leaders[partition.Leader]++
		for _, id := range partition.Replicas {
			replicas[id]++
			if !slices.Contains(partition.ISR, id) {
				outOfSync[id]++
			}
			if slices.Contains(partition.Offline, id) {
				offline[id]++
			}
		}
	}
	online, dead, controller := map[int32][]string{}, map[int32][]string{}, map[int32]bool{}
	for id, b := range p.metadata.Brokers {
		online[id], dead[id], controller[id] = []string{}, []string{}, len(controller) == 0
		for _, d := range b.LogDirs {
			if d.Dead {
				dead[id] = append(dead[id], d.Path)
			} else {
				online[id] = append(online[id], d.Path)
			}
		}
	}
	return javajson.Object{
		"KafkaBrokerState": javajson.Object{
			"LeaderCountByBrokerId": leaders, "OutOfSyncCountByBrokerId": outOfSync, "ReplicaCountByBrokerId": replicas, "OfflineReplicaCountByBrokerId": offline,
			"IsController": controller, "OnlineLogDirsByBrokerId": online, "OfflineLogDirsByBrokerId": dead, "BrokerSetByBrokerId": javajson.Object{},
			"Summary": clusterSummary(len(p.metadata.Brokers), len(topics), leaders, replicas),
		},
		"KafkaPartitionState": p.partitionStates(verbose, topic),
	}
}

func clusterSummary(brokers, topics int, leaders, replicas map[int32]int) javajson.Object {
	sum := func(m map[int32]int) (total, most int) {
		for _, n := range m {
			total, most = total+n, max(most, n)
		}
		return total, most
	}
	allLeaders, mostLeaders := sum(leaders)
	allReplicas, mostReplicas := sum(replicas)
	n := float64(max(brokers, 1))
	return javajson.Object{
		"Brokers": brokers, "Topics": topics, "Replicas": allReplicas, "Leaders": allLeaders, "AvgReplicationFactor": float64(allReplicas) / float64(max(allLeaders, 1)),
		"AvgReplicasPerBroker": float64(allReplicas) / n, "AvgLeadersPerBroker": float64(allLeaders) / n, "MaxReplicasPerBroker": mostReplicas,
		"MaxLeadersPerBroker": mostLeaders, "StdReplicasPerBroker": 0.0, "StdLeadersPerBroker": 0.0,
	}
}

func (p *process) partitionStates(verbose bool, topic func(string) bool) javajson.Object {
	states := map[string][]any{"offline": {}, "with-offline-replicas": {}, "urp": {}, "under-min-isr": {}, "other": {}}
	for _, partition := range p.metadata.Partitions {
		if !topic(partition.Topic) {
			continue
		}
		for _, kind := range kindsOf(partition) {
			states[kind] = append(states[kind], partitionObject(partition))
		}
	}
	if !verbose {
		states["other"] = []any{}
	}
	object := javajson.Object{}
	for kind, partitions := range states {
		object[kind] = partitions
	}
	return object
}

func kindsOf(partition backend.Partition) []string {
	var kinds []string
	if partition.Leader < 0 {
		kinds = append(kinds, "offline")
	}
	if len(partition.Offline) > 0 {
		kinds = append(kinds, "with-offline-replicas")
	}
	if len(partition.ISR) < len(partition.Replicas) {
		kinds = append(kinds, "urp")
	}
	if len(partition.ISR) < partition.MinISR {
		kinds = append(kinds, "under-min-isr")
	}
	if len(kinds) == 0 {
		return []string{"other"}
	}
	return kinds
}

func partitionObject(partition backend.Partition) javajson.Object {
	outOfSync := slices.DeleteFunc(slices.Clone(partition.Replicas), func(id int32) bool { return slices.Contains(partition.ISR, id) })
	return javajson.Object{
		"topic": partition.Topic, "partition": partition.Partition, "leader": partition.Leader, "replicas": partition.Replicas, "in-sync": partition.ISR,
		"out-of-sync": outOfSync, "offline": partition.Offline, "min-isr": partition.MinISR,
	}
}

// analyzerState is AnalyzerState.
func (p *process) analyzerState(verbose bool) javajson.Object {
	cfg := &p.opts.Config
	state := javajson.Object{"isProposalReady": p.monitor.ready() == nil, "readyGoals": []string{}}
	readiness := "notReady"
	if p.monitor.ready() == nil {
		state["readyGoals"], readiness = cfg.DefaultGoals, "ready"
	}
	if verbose {
		var all []any
		for _, goal := range cfg.DefaultGoals {
			all = append(all, javajson.Object{"name": goal, "status": readiness, "modelCompleteRequirement": javajson.Object{
				"requiredNumSnapshots": 1, "minMonitoredPartitionsPercentage": 0.0, "includeAllTopics": true,
			}})
		}
		state["goalReadiness"] = all
	}
	return state
}

var anomalies = []string{"BROKER_FAILURE", "MAINTENANCE_EVENT", "DISK_FAILURE", "METRIC_ANOMALY", "GOAL_VIOLATION", "TOPIC_ANOMALY"}

// anomalyDetectorState is AnomalyDetectorState.
func (p *process) anomalyDetectorState() javajson.Object {
	enabled, disabled, ratio := []string{}, []string{}, javajson.Object{}
	for _, anomaly := range anomalies {
		if p.healing[anomaly] {
			enabled, ratio[anomaly] = append(enabled, anomaly), 1.0
		} else {
			disabled, ratio[anomaly] = append(disabled, anomaly), 0.0
		}
	}
	state := javajson.Object{
		"selfHealingEnabled": enabled, "selfHealingDisabled": disabled, "selfHealingEnabledRatio": ratio,
		"ongoingSelfHealingAnomaly": p.executor.anomaly(), "balancednessScore": p.number("STATE", p.balancedness(p.metadata)),
		"metrics": javajson.Object{"meanTimeBetweenAnomaliesMs": javajson.Object{}, "meanTimeToStartFixMs": 0.0, "numSelfHealingStarted": 0, "ongoingAnomalyDurationMs": 0},
	}
	for _, kind := range []string{"recentGoalViolations", "recentBrokerFailures", "recentMetricAnomalies", "recentDiskFailures", "recentTopicAnomalies", "recentMaintenanceEvents"} {
		state[kind] = []any{}
	}
	return state
}

// describe is a reason as it is shown.
func (p *process) describe(reason, client string) string {
	return fmt.Sprintf("%s (Client: %s, Date: %s)", reason, client, p.now.UTC().Format("2006-01-02T15:04:05Z"))
}
