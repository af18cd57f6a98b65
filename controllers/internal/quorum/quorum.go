// Package quorum decides how the voters of the metadata quorum become those that the spec wants: one change at a time,
// and never on a quorum that lags (KIP-853). It is pure: facts in, a plan with reasons out.
package quorum

import (
	"time"

	"koperator.dev/koperator/apis/machinery/kafka"
)

// DefaultFetchTimeout is Kafka's default of controller.quorum.fetch.timeout.ms: a leader that a majority of the voters
// has not fetched from for so long resigns.
const DefaultFetchTimeout = 2 * time.Second

// Codes of a Wait.
const (
	// WaitFirstStart: the first start of the cluster is not over. Its voters are those that the disks are formatted with.
	WaitFirstStart = "FirstStart"
	// WaitNoneWanted: the spec wants no controller at all, which cannot be meant.
	WaitNoneWanted = "NoneWanted"
	// WaitQuorumUnknown: the quorum could not be asked.
	WaitQuorumUnknown = "QuorumUnknown"
	// WaitNoLeader: the quorum has no leader, and only a leader changes its voters.
	WaitNoLeader = "NoLeader"
	// WaitNotReady: the controller that is to vote is not ready.
	WaitNotReady = "NotReady"
	// WaitNotObserving: the leader knows no observer that is this controller.
	WaitNotObserving = "NotObserving"
	// WaitLagging: the observer has not caught up with the leader.
	WaitLagging = "Lagging"
	// WaitMajority: after the change, too few voters would be caught up for a majority.
	WaitMajority = "Majority"
	// WaitReplacement: a voter that is no longer wanted votes until a wanted controller votes in its place.
	WaitReplacement = "Replacement"
	// WaitLastVoter: the last voter is never removed.
	WaitLastVoter = "LastVoter"
	// WaitQueued: another change comes first.
	WaitQueued = "Queued"
)

// Facts are what a plan is made from.
type Facts struct {
	// Established is set once the first start of the cluster is over: the quorum has had a leader.
	Established bool
	// Wanted are the controllers of the spec.
	Wanted []Controller
	// Quorum as its leader reports it; nil if it could not be asked.
	Quorum *kafka.Quorum
	// FetchTimeout is controller.quorum.fetch.timeout.ms: a replica that was caught up longer ago lags.
	// Zero stands for DefaultFetchTimeout.
	FetchTimeout time.Duration
}

// Controller is a controller of the spec.
type Controller struct {
	ID    int32
	Host  string // of its CONTROLLER listener
	Port  int32
	Ready bool // its Pod is ready
}

// Plan is the one change to make now, and what waits.
type Plan struct {
	// Add is the voter to add now; nil for none. At most one of Add and Remove is set.
	Add *kafka.Voter
	// Remove is the voter to remove now; nil for none.
	Remove *RemoveVoter
	// Reason says why, as part of a sentence.
	Reason string
	// Waits are the changes that are due and not made now, by id.
	Waits []Wait
}

// RemoveVoter names a voter. A controller that lost its disk comes back with another directory id: its id alone does
// not name the voter that is to go.
type RemoveVoter struct {
	ID          int32
	DirectoryID string
}

// Wait is a change that is due and not made now. ID is -1 if the whole quorum waits.
type Wait struct {
	ID      int32
	Code    string
	Message string
}
