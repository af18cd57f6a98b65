package cruisecontrol

import (
	"koperator.dev/koperator/test/cruisecontrol/internal/javajson"
	"koperator.dev/koperator/test/cruisecontrol/internal/planner"
)

// state is ExecutorState.
func (x *executor) state(verbose bool) javajson.Object {
	state := javajson.Object{"state": string(x.phase)}
	if removed := x.recentlyRemoved(nil); len(removed) > 0 {
		state["recentlyRemovedBrokers"] = removed
	}
	if demoted := x.recentlyDemoted(); len(demoted) > 0 {
		state["recentlyDemotedBrokers"] = demoted
	}
	if x.phase == idle {
		return state
	}
	x.identify(state)
	switch x.phase {
	case interBroker:
		x.interState(state, verbose)
	case intraBroker:
		x.intraState(state, verbose)
	case leadership:
		x.leaderState(state, verbose)
	case stopping:
		x.stoppingState(state)
	}
	return state
}

// identify says whose execution it is.
func (x *executor) identify(state javajson.Object) {
	o := x.o
	state["triggeredUserTaskId"], state["triggeredSelfHealingTaskId"] = "", o.selfHealing
	client := ""
	if o.task != nil {
		state["triggeredUserTaskId"], client = o.task.id, o.task.client
	}
	state["triggeredTaskReason"] = x.p.describe(o.reason, client)
}

// dataMB is what movements move; a change of order moves nothing.
func (m movements) dataMB() int64 {
	var sum int64
	for _, x := range m {
		sum += x.proposal.MBToMove() + x.disk.Bytes/planner.MB
	}
	return sum
}

func (x *executor) interState(state javajson.Object, verbose bool) {
	m := x.shown[interBroker]
	state["numTotalPartitionMovements"] = len(m)
	state["numPendingPartitionMovements"] = len(m.in(pending))
	state["numInProgressPartitionMovements"] = len(m.in(inProgress))
	state["abortingPartitions"] = len(m.in(aborting))
	state["numFinishedPartitionMovements"] = len(m.finished())
	state["finishedDataMovement"] = m.finished().dataMB()
	state["totalDataToMove"] = m.dataMB()
	state["maximumConcurrentPartitionMovementsPerBroker"] = x.perBroker
	state["minimumConcurrentPartitionMovementsPerBroker"] = x.perBroker
	state["averageConcurrentPartitionMovementsPerBroker"] = float64(x.perBroker)
	if verbose {
		x.addTasks(state, m, "INTER_BROKER_REPLICA_ACTION", "PartitionMovement")
	}
}

func (x *executor) intraState(state javajson.Object, verbose bool) {
	m := x.shown[intraBroker]
	most := x.o.intra
	if most == 0 {
		most = x.p.opts.Config.ConcurrentIntraBrokerPartitionMovements
	}
	state["numTotalIntraBrokerPartitionMovements"] = len(m)
	state["numPendingIntraBrokerPartitionMovements"] = len(m.in(pending))
	state["numInProgressIntraBrokerPartitionMovements"] = len(m.in(inProgress))
	state["numAbortingIntraBrokerPartitionMovements"] = len(m.in(aborting))
	state["numFinishedIntraBrokerPartitionMovements"] = len(m.finished())
	state["finishedIntraBrokerDataMovement"] = m.finished().dataMB()
	state["totalIntraBrokerDataToMove"] = m.dataMB()
	state["maximumConcurrentIntraBrokerPartitionMovementsPerBroker"] = most
	state["minimumConcurrentIntraBrokerPartitionMovementsPerBroker"] = most
	state["averageConcurrentIntraBrokerPartitionMovementsPerBroker"] = float64(most)
	if verbose {
		x.addTasks(state, m, "INTRA_BROKER_REPLICA_ACTION", "IntraBrokerPartitionMovement")
	}
}

func (x *executor) leaderState(state javajson.Object, verbose bool) {
	m := x.shown[leadership]
	cfg := &x.p.opts.Config
	state["numTotalLeadershipMovements"] = len(m)
	state["numPendingLeadershipMovements"] = len(m.in(pending))
	state["numFinishedLeadershipMovements"] = len(m.finished())
	state["maximumBrokerLeaderMovementConcurrency"] = cfg.ConcurrentLeaderMovementsPerBroker
	state["minimumBrokerLeaderMovementConcurrency"] = cfg.ConcurrentLeaderMovementsPerBroker
	state["averageBrokerLeaderMovementConcurrency"] = float64(cfg.ConcurrentLeaderMovementsPerBroker)
	state["clusterLeaderMovementConcurrency"] = cfg.ConcurrentLeaderMovements
	if verbose {
		state["pendingLeadershipMovement"] = x.executionTasks(m.in(pending), "LEADER_ACTION")
	}
}

// stoppingState has no totals and nothing that is finished.
func (x *executor) stoppingState(state javajson.Object) {
	inter, intra := x.shown[interBroker], x.shown[intraBroker]
	state["numCancelledLeadershipMovements"] = len(x.shown[leadership].in(pending))
	state["numCancelledPartitionMovements"] = len(inter.in(pending))
	state["numInProgressPartitionMovements"] = len(inter.in(inProgress))
	state["abortingPartitions"] = len(inter.in(aborting))
	state["numCancelledIntraBrokerPartitionMovements"] = len(intra.in(pending))
	state["numInProgressIntraBrokerPartitionMovements"] = len(intra.in(inProgress))
	state["numAbortingIntraBrokerPartitionMovements"] = len(intra.in(aborting))
	state["maximumConcurrentPartitionMovementsPerBroker"] = x.perBroker
}

// addTasks adds the plan that is being executed.
func (x *executor) addTasks(state javajson.Object, m movements, kind, suffix string) {
	for prefix, in := range map[string]movementState{
		"pending": pending, "inProgress": inProgress, "aborting": aborting, "aborted": aborted, "dead": dead, "completed": done,
	} {
		state[prefix+suffix] = x.executionTasks(m.in(in), kind)
	}
}

func (x *executor) executionTasks(m movements, kind string) []any {
	list := []any{}
	for _, one := range m {
		proposal := one.proposal
		object := javajson.Object{"executionId": one.id, "type": kind, "state": string(one.state)}
		if kind == "INTRA_BROKER_REPLICA_ACTION" {
			id := one.disk.Broker
			object["brokerId"] = id
			proposal = planner.Proposal{TopicPartition: one.disk.TopicPartition, OldLeader: id, OldReplicas: []int32{id}, NewReplicas: []int32{id}}
		}
		object["proposal"] = proposalObject(proposal)
		list = append(list, object)
	}
	return list
}
