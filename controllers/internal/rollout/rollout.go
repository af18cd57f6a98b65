// Package rollout decides which node may be restarted now, and says why the others wait. It is pure: facts in, a plan
// with reasons out.
//
// Its rules are those of data that must not be lost and of clients that must not notice: a broker stops only while every
// partition keeps min.insync.replicas without it, a controller only while the other voters that are caught up are a
// majority. What counts are partitions and voters, never a number of brokers: one broken broker stops no other.
package rollout

import (
	"time"

	"koperator.dev/koperator/apis/machinery/kafka"
)

// Codes of a Wait.
const (
	// WaitStopping: the node's Pod is terminating already; the next one has the wanted configuration.
	WaitStopping = "Stopping"
	// WaitJoining: the node runs and is not ready, perhaps in log recovery. Such a node is never stopped.
	WaitJoining = "Joining"
	// WaitKafkaUnreachable: Kafka could not be asked.
	WaitKafkaUnreachable = "KafkaUnreachable"
	// WaitNoQuorumLeader: the metadata quorum could not be asked, or has no leader: nobody would move leaders away from a
	// broker that stops.
	WaitNoQuorumLeader = "NoQuorumLeader"
	// WaitRestartInProgress: another node is not back yet.
	WaitRestartInProgress = "RestartInProgress"
	// WaitCatchingUp: a broker is back and not in sync with all its partitions yet.
	WaitCatchingUp = "CatchingUp"
	// WaitExternalAccess: a broker is back, and clients outside the Kubernetes cluster do not reach it yet; or the addresses
	// that brokers tell them are not settled.
	WaitExternalAccess = "ExternalAccess"
	// WaitQuorumMajority: the voters left, as far as they are caught up, would be no majority.
	WaitQuorumMajority = "QuorumMajority"
	// WaitControllersFirst: controllers are restarted before brokers.
	WaitControllersFirst = "ControllersFirst"
	// WaitActiveControllerLast: the active controller is restarted after the others.
	WaitActiveControllerLast = "ActiveControllerLast"
	// WaitMinInSyncReplicas: a partition would be left with fewer in-sync replicas than min.insync.replicas.
	WaitMinInSyncReplicas = "MinInSyncReplicas"
	// WaitNoLeader: a partition of the broker has no leader, and the broker may hold what it takes to get one.
	WaitNoLeader = "NoLeader"
	// WaitQueued: nothing but its turn.
	WaitQueued = "Queued"
)

// Facts are what a plan is made from. They must be younger than the last step that was taken: a plan from facts that do
// not show a restart yet could restart a second node.
type Facts struct {
	// Nodes are all nodes that belong to the cluster, those that are being removed included.
	Nodes []Node
	// KafkaKnown: brokers and partitions were described in this pass.
	KafkaKnown bool
	// Partitions of all topics.
	Partitions []kafka.Partition
	// Quorum as its leader reports it; nil if it could not be asked.
	Quorum *kafka.Quorum
	// FetchTimeout is controller.quorum.fetch.timeout.ms: a voter that was caught up longer ago does not count.
	// Zero stands for quorum.DefaultFetchTimeout.
	FetchTimeout time.Duration
	// Unsettled says why what brokers should be restarted with may change at any moment, as part of a sentence; empty if it
	// may not. Brokers wait for that, so as not to be restarted twice; the caller ends it after a while.
	Unsettled string
}

// Node is one node of the cluster.
type Node struct {
	ID int32
	// Controller and Broker are its roles.
	Controller, Broker bool
	// Reason says why it needs a restart, as part of a sentence; empty if it needs none.
	Reason string
	// Ready: its Pod is ready.
	Ready bool
	// Stopped: it has no process, and waiting brings none: its Pod is missing, failed, crash-loops or cannot be started.
	// To restart such a node disrupts nobody.
	Stopped bool
	// Stopping: its Pod is terminating.
	Stopping bool
	// Restarting: its Pod is missing, has no Node, or is younger than its readiness.
	Restarting bool
	// Broken: nothing that is under way brings the node back as it should be: its Pod crash-loops or cannot be started, its
	// Node is lost, one of its log directories is offline. The others do not wait for its return; what its absence means
	// for each partition still counts.
	//
	// Without Broken, a node that is Stopped, Stopping or Restarting is on its way back, and nobody else is restarted
	// meanwhile. A Pod that was just made and has no Node yet is on its way, too: only one that cannot be scheduled is
	// broken. A caller that leaves Broken out for a Pod that was made by a step of the rollout stops the rollout at the
	// first node that the new configuration breaks.
	Broken bool
	// Unreached says why clients outside the Kubernetes cluster do not reach the broker yet, as part of a sentence; empty
	// when they do. Brokers wait for that, so that clients never find most brokers gone; the caller ends it after a while.
	Unreached string
	// Known: Kafka has the broker registered.
	Known bool
	// Fenced: Kafka has it fenced.
	Fenced bool
}

// Plan is what to restart now, and what waits.
type Plan struct {
	// Repairs are nodes without a process whose next one would have another configuration: restart all of them now.
	Repairs []Step
	// Restart is the one running node that may be restarted now; nil for none. It is never set beside Repairs.
	Restart *Step
	// Waits are the other nodes that need a restart, in the order in which it is intended.
	Waits []Wait
	// Unprotected is the number of partitions on running nodes that need a restart which nobody can keep writable
	// meanwhile, because they have no more replicas than min.insync.replicas. UnprotectedExamples names some, as
	// topic-partition.
	Unprotected         int
	UnprotectedExamples []string
	// QuorumUnprotected: Restart takes the majority from a quorum of one or two voters, which nobody can keep.
	QuorumUnprotected bool
}

// Step is the restart of one node.
type Step struct {
	ID     int32
	Reason string
	// Unprotected is the number of partitions that nobody can keep writable while this node is stopped.
	Unprotected int
}

// Wait is a node that needs a restart and does not get it now.
type Wait struct {
	ID      int32
	Code    string
	Message string
}
