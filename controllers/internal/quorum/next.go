package quorum

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"koperator.dev/koperator/apis/machinery/kafka"
)

// Next plans the next change of the voters.
//
// Voters that are dead weight go first: directories that a controller has lost, and voters that are not wanted and have
// been gone for a while. Then wanted controllers become voters, and only then live voters that are not wanted go, the
// leader last. So a quorum that moves to other controllers is never smaller in between than it should be.
func Next(facts Facts) Plan {
	if facts.FetchTimeout == 0 {
		facts.FetchTimeout = DefaultFetchTimeout
	}
	if wait := wholeQuorumWaits(facts); wait != nil {
		return Plan{Waits: []Wait{*wait}}
	}
	p := &planner{facts: facts, wanted: map[int32]Controller{}}
	for _, c := range facts.Wanted {
		p.wanted[c.ID] = c
	}
	for _, change := range p.changes() {
		p.decide(change)
	}
	slices.SortFunc(p.plan.Waits, func(a, b Wait) int { return cmp.Compare(a.ID, b.ID) })
	return p.plan
}

// IsVoterCaughtUp tells whether a voter counts for a majority: it was caught up within the fetch timeout, or leads.
func IsVoterCaughtUp(q *kafka.Quorum, voter kafka.QuorumReplica, fetchTimeout time.Duration) bool {
	return voter.ID == q.Leader || isCaughtUp(voter, fetchTimeout)
}

// IsMajority tells whether so many voters are a majority of all.
func IsMajority(voters, all int) bool { return 2*voters > all }

func isCaughtUp(r kafka.QuorumReplica, fetchTimeout time.Duration) bool {
	return r.CaughtUpAgo >= 0 && r.CaughtUpAgo <= fetchTimeout
}

// wholeQuorumWaits is for facts that allow no change at all.
func wholeQuorumWaits(facts Facts) *Wait {
	switch {
	case !facts.Established:
		return &Wait{-1, WaitFirstStart, "the first start of the cluster is not over: its voters are those that the disks are formatted with"}
	case len(facts.Wanted) == 0:
		return &Wait{-1, WaitNoneWanted, "the spec has no controller: the voters stay as they are"}
	case facts.Quorum == nil:
		return &Wait{-1, WaitQuorumUnknown, "the metadata quorum could not be asked for its voters"}
	case facts.Quorum.Leader < 0:
		return &Wait{-1, WaitNoLeader, "the metadata quorum has no leader, and only a leader changes its voters"}
	}
	return nil
}

type planner struct {
	facts  Facts
	wanted map[int32]Controller
	plan   Plan
}

// change is one change that is due: to add a controller, or to remove a voter.
type change struct {
	rank   int // the lowest comes first
	add    *Controller
	remove *kafka.QuorumReplica
}

// deadAfter is how long a voter must have lagged to be called dead, and not just slow. One that has never caught up may
// have been asked about just after the election of a new leader, which knows nothing of its followers.
const deadAfter = 30 * time.Second

// Ranks of changes.
const (
	rankDead = iota
	rankAdd
	rankLive
	rankLeader
)

func (c change) id() int32 {
	if c.add != nil {
		return c.add.ID
	}
	return c.remove.ID
}

// changes are those that are due, in their order.
func (p *planner) changes() []change {
	var due []change
	for i := range p.facts.Quorum.Voters {
		voter := &p.facts.Quorum.Voters[i]
		if rank, isDue := p.removalRank(voter); isDue {
			due = append(due, change{rank: rank, remove: voter})
		}
	}
	for i := range p.facts.Wanted {
		controller := &p.facts.Wanted[i]
		if p.voter(controller.ID) == nil {
			due = append(due, change{rank: rankAdd, add: controller})
		}
	}
	slices.SortStableFunc(due, func(a, b change) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(a.id(), b.id()))
	})
	return due
}

// removalRank tells whether a voter should go, and how soon.
func (p *planner) removalRank(voter *kafka.QuorumReplica) (rank int, due bool) {
	_, wanted := p.wanted[voter.ID]
	switch {
	case wanted:
		return rankDead, p.isReplaced(voter)
	case voter.ID != p.facts.Quorum.Leader && voter.CaughtUpAgo > deadAfter:
		return rankDead, true
	case voter.ID == p.facts.Quorum.Leader:
		return rankLeader, true
	}
	return rankLive, true
}

// isReplaced tells whether a wanted controller has lost the directory that votes: that lags, while the same controller
// observes with another directory and has caught up with it. Until then the controller may still come back as it was.
func (p *planner) isReplaced(voter *kafka.QuorumReplica) bool {
	if p.caughtUp(*voter) || !p.wanted[voter.ID].Ready {
		return false
	}
	observer := p.observer(voter.ID)
	return observer != nil && observer.DirectoryID != voter.DirectoryID && isCaughtUp(*observer, p.facts.FetchTimeout)
}

// decide makes the change, if it is the first that can be made, or says why it waits.
func (p *planner) decide(c change) {
	code, message := "", ""
	if c.add != nil {
		code, message = p.addingWaits(*c.add)
	} else {
		code, message = p.removingWaits(c)
	}
	if code == "" && (p.plan.Add != nil || p.plan.Remove != nil) {
		code, message = WaitQueued, fmt.Sprintf("controller %d waits for another change of the voters", c.id())
	}
	if code != "" {
		p.plan.Waits = append(p.plan.Waits, Wait{ID: c.id(), Code: code, Message: message})
		return
	}
	if c.add != nil {
		p.add(*c.add)
	} else {
		p.remove(c)
	}
}

func (p *planner) add(c Controller) {
	p.plan.Add = &kafka.Voter{ID: c.ID, DirectoryID: p.observer(c.ID).DirectoryID, Host: c.Host, Port: c.Port}
	p.plan.Reason = fmt.Sprintf("controller %d is in the spec and has caught up", c.ID)
}

func (p *planner) remove(c change) {
	p.plan.Remove = &RemoveVoter{ID: c.remove.ID, DirectoryID: c.remove.DirectoryID}
	p.plan.Reason = fmt.Sprintf("controller %d is no longer in the spec", c.id())
	if _, wanted := p.wanted[c.id()]; wanted {
		p.plan.Reason = fmt.Sprintf("controller %d has lost the directory %s and has caught up with another one", c.id(), c.remove.DirectoryID)
	}
}

// addingWaits says why a controller cannot become a voter yet.
func (p *planner) addingWaits(c Controller) (code, message string) {
	observer := p.observer(c.ID)
	switch {
	case !c.Ready:
		return WaitNotReady, fmt.Sprintf("controller %d becomes a voter once its Pod is ready", c.ID)
	case observer == nil:
		return WaitNotObserving, fmt.Sprintf("controller %d becomes a voter once it has asked the leader for the metadata log", c.ID)
	case !isCaughtUp(*observer, p.facts.FetchTimeout):
		return WaitLagging, fmt.Sprintf("controller %d becomes a voter once it has caught up: it is %d records behind", c.ID, observer.Lag)
	}
	return p.majorityWaits(fmt.Sprintf("controller %d is not added", c.ID), p.countCaughtUp(nil)+1, len(p.facts.Quorum.Voters)+1)
}

// removingWaits says why a voter cannot be removed yet.
func (p *planner) removingWaits(c change) (code, message string) {
	left := len(p.facts.Quorum.Voters) - 1
	if left == 0 {
		return WaitLastVoter, fmt.Sprintf("controller %d is the last voter: another controller must vote first", c.id())
	}
	if c.rank != rankDead && left < len(p.wanted) {
		return WaitReplacement, fmt.Sprintf("controller %d votes on until all that the spec wants vote: %s does not yet", c.id(), p.missing())
	}
	return p.majorityWaits(fmt.Sprintf("voter %d is not removed", c.id()), p.countCaughtUp(c.remove), left)
}

func (p *planner) majorityWaits(what string, caughtUp, all int) (code, message string) {
	if IsMajority(caughtUp, all) {
		return "", ""
	}
	return WaitMajority, fmt.Sprintf("%s: of the %d voters after that, %d are caught up, which is no majority", what, all, caughtUp)
}

// missing names the wanted controllers that do not vote.
func (p *planner) missing() string {
	var ids []string
	for _, c := range p.facts.Wanted {
		if p.voter(c.ID) == nil {
			ids = append(ids, fmt.Sprint(c.ID))
		}
	}
	return strings.Join(ids, ", ")
}

// countCaughtUp counts the voters but one that are caught up.
func (p *planner) countCaughtUp(but *kafka.QuorumReplica) int {
	count := 0
	for i := range p.facts.Quorum.Voters {
		voter := &p.facts.Quorum.Voters[i]
		if voter != but && p.caughtUp(*voter) {
			count++
		}
	}
	return count
}

// caughtUp tells whether a voter counts. Kafka takes a while to notice that one is gone; its Pod may tell sooner.
func (p *planner) caughtUp(voter kafka.QuorumReplica) bool {
	if c, wanted := p.wanted[voter.ID]; wanted && !c.Ready {
		return false
	}
	return IsVoterCaughtUp(p.facts.Quorum, voter, p.facts.FetchTimeout)
}

func (p *planner) voter(id int32) *kafka.QuorumReplica {
	for i := range p.facts.Quorum.Voters {
		if p.facts.Quorum.Voters[i].ID == id {
			return &p.facts.Quorum.Voters[i]
		}
	}
	return nil
}

// observer is the controller as the leader knows it beside the voters. One that was formatted again may be known with
// its former directory too: what has last caught up is what runs.
func (p *planner) observer(id int32) *kafka.QuorumReplica {
	var best *kafka.QuorumReplica
	for i := range p.facts.Quorum.Observers {
		o := &p.facts.Quorum.Observers[i]
		if o.ID == id && (best == nil || isFresher(*o, *best)) {
			best = o
		}
	}
	return best
}

func isFresher(a, b kafka.QuorumReplica) bool {
	if (a.CaughtUpAgo < 0) != (b.CaughtUpAgo < 0) {
		return b.CaughtUpAgo < 0
	}
	return a.CaughtUpAgo < b.CaughtUpAgo
}
