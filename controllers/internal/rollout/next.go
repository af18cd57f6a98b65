package rollout

import (
	"cmp"
	"fmt"
	"slices"

	"koperator.dev/koperator/controllers/internal/quorum"
)

// Next plans the next restart.
//
// Nodes without a process come first and wait for nothing. Of the others, controllers come before brokers and the active
// controller after the other controllers; within that, a broker that is out of sync anyway comes before one that is in
// sync, and the lowest id first. The first of them that no check holds back is restarted, alone.
func Next(facts Facts) Plan {
	if facts.FetchTimeout == 0 {
		facts.FetchTimeout = quorum.DefaultFetchTimeout
	}
	p := newPlanner(facts)
	p.sweep()
	p.findBehind()
	for _, c := range p.candidates() {
		p.decide(c)
	}
	p.plan.Unprotected, p.plan.UnprotectedExamples = p.unprotected.count, p.unprotected.examples
	return p.plan
}

// planner is one pass.
type planner struct {
	Facts
	index index
	// states are those of Nodes, in the same order.
	states []state
	// onTheWay is the first node that the others wait for, because it is on its way back.
	onTheWay *Node
	// behind is the first broker that is back and not in sync with all its partitions yet.
	behind *state
	// holder is the candidate that is restarted, or that later phases wait for.
	holder *state

	unprotected unprotected
	plan        Plan
}

// state is what a pass finds out about a node.
type state struct {
	*Node
	// live: as far as Kubernetes and Kafka know, it is a broker that serves what it is in sync with.
	live bool
	// candidate: it runs and needs a restart.
	candidate bool
	phase     phase

	// lagging are the partitions that it is a replica of and not in sync with.
	lagging tally
	// blocked are the partitions that its stop would harm, and code is why the first of them is.
	blocked tally
	code    string
	// unprotected is the number of partitions that nobody can keep writable while it is stopped.
	unprotected int
}

// phase orders nodes: those of a phase come before those of the next.
type phase int

const (
	otherControllers phase = iota
	activeController
	brokers
)

func newPlanner(facts Facts) *planner {
	p := &planner{Facts: facts, index: newIndex(facts.Nodes), states: make([]state, len(facts.Nodes))}
	for i := range facts.Nodes {
		node := &facts.Nodes[i]
		s := &p.states[i]
		s.Node = node
		s.live = node.Ready && !node.Stopped && !node.Stopping && node.Known && !node.Fenced
		s.candidate = node.Reason != "" && (!node.Stopped || node.Stopping)
		s.phase = p.phaseOf(node)
		if node.Reason != "" && node.Stopped && !node.Stopping {
			p.plan.Repairs = append(p.plan.Repairs, Step{ID: node.ID, Reason: node.Reason})
		}
		if p.onTheWay == nil && node.isOnTheWay() {
			p.onTheWay = node
		}
	}
	slices.SortFunc(p.plan.Repairs, func(a, b Step) int { return cmp.Compare(a.ID, b.ID) })
	return p
}

// isOnTheWay tells whether the others wait for the node's return.
func (n *Node) isOnTheWay() bool {
	return !n.Broken && (n.Stopped || n.Stopping || n.Restarting)
}

// isCatchingUp tells a broker that is back and catches up from one that nobody waits for. One that needs a restart
// itself is not waited for: it may lag for the very reason that its restart takes away.
func (s *state) isCatchingUp() bool {
	return s.lagging.count > 0 && s.live && !s.Broken && s.Reason == ""
}

// inSyncRank puts brokers first that are out of sync anyway.
func (s *state) inSyncRank() int {
	if s.lagging.count > 0 {
		return 0
	}
	return 1
}

func (p *planner) findBehind() {
	for i := range p.states {
		s := &p.states[i]
		if s.isCatchingUp() && (p.behind == nil || s.ID < p.behind.ID) {
			p.behind = s
		}
	}
}

func (p *planner) phaseOf(node *Node) phase {
	switch {
	case !node.Controller:
		return brokers
	case p.Quorum != nil && p.Quorum.Leader == node.ID:
		return activeController
	}
	return otherControllers
}

// candidates are the running nodes that need a restart, in the order in which they get it.
func (p *planner) candidates() []*state {
	var candidates []*state
	for i := range p.states {
		s := &p.states[i]
		if s.candidate {
			candidates = append(candidates, s)
		}
	}
	slices.SortFunc(candidates, func(a, b *state) int {
		return cmp.Or(
			cmp.Compare(a.phase, b.phase),
			cmp.Compare(a.inSyncRank(), b.inSyncRank()),
			cmp.Compare(a.ID, b.ID),
		)
	})
	return candidates
}

// decide restarts the candidate, if nothing holds it back and no other is restarted, or says why it waits.
func (p *planner) decide(c *state) {
	for _, check := range checks {
		if code, message := check(p, c); code != "" {
			p.plan.Waits = append(p.plan.Waits, Wait{ID: c.ID, Code: code, Message: message})
			if p.holder == nil && p.holdsLaterPhases(c, code) {
				p.holder = c
			}
			return
		}
	}
	p.plan.Restart = &Step{ID: c.ID, Reason: c.Reason, Unprotected: c.unprotected}
	p.plan.QuorumUnprotected = c.Controller && !p.keepsMajority(c)
	p.holder = c
}

// holdsLaterPhases tells whether a controller that waits is worth waiting for: it will be restarted soon. What waits for
// a broken node may wait for ever, and stops nobody else.
func (p *planner) holdsLaterPhases(c *state, code string) bool {
	switch {
	case !c.Controller || c.Broken:
		return false
	case code == WaitQuorumMajority:
		return p.missingVotersReturn(c)
	}
	return code == WaitJoining
}

// check is one thing that can hold a candidate back: its code and a sentence, both empty if it does not.
type check func(*planner, *state) (code, message string)

var checks = []check{
	isStopping,
	isJoining,
	isKafkaUnreachable,
	hasNoQuorumLeader,
	isUnsettled,
	isRepairPending,
	isOtherOnTheWay,
	isOtherCatchingUp,
	isOtherUnreached,
	losesQuorumMajority,
	comesAfterControllers,
	harmsPartition,
	isQueued,
}

func isStopping(_ *planner, c *state) (code, message string) {
	if !c.Stopping {
		return "", ""
	}
	return WaitStopping, fmt.Sprintf("%s is stopping and comes back with the wanted configuration", c.title())
}

// isJoining protects a node that may be recovering its logs: stopping it would only make it start over.
func isJoining(_ *planner, c *state) (code, message string) {
	if c.Ready {
		return "", ""
	}
	return WaitJoining, fmt.Sprintf("%s is not ready and may be recovering its logs", c.title())
}

func isKafkaUnreachable(p *planner, _ *state) (code, message string) {
	if p.KafkaKnown {
		return "", ""
	}
	return WaitKafkaUnreachable, "Kafka cannot be asked what a restart would do"
}

func hasNoQuorumLeader(p *planner, _ *state) (code, message string) {
	switch {
	case p.Quorum == nil:
		return WaitNoQuorumLeader, "the metadata quorum cannot be asked what a restart would do"
	case p.Quorum.Leader < 0:
		return WaitNoQuorumLeader, "the metadata quorum has no leader"
	}
	return "", ""
}

// isUnsettled holds brokers alone back: nobody outside is told where controllers are.
func isUnsettled(p *planner, c *state) (code, message string) {
	if !c.Broker || p.Unsettled == "" {
		return "", ""
	}
	return WaitExternalAccess, p.Unsettled
}

func isRepairPending(p *planner, _ *state) (code, message string) {
	if len(p.plan.Repairs) == 0 {
		return "", ""
	}
	return WaitRestartInProgress, fmt.Sprintf("%s is repaired first", p.title(p.plan.Repairs[0].ID))
}

func isOtherOnTheWay(p *planner, _ *state) (code, message string) {
	if p.onTheWay == nil {
		return "", ""
	}
	return WaitRestartInProgress, fmt.Sprintf("%s is not back yet", p.onTheWay.title())
}

// isOtherCatchingUp holds brokers alone back: a controller's stop takes no replica away.
func isOtherCatchingUp(p *planner, c *state) (code, message string) {
	if p.behind == nil || !c.Broker {
		return "", ""
	}
	return WaitCatchingUp, fmt.Sprintf("broker %d is not in sync with %s%s yet", p.behind.ID, p.describe(p.behind.lagging.first), p.behind.lagging.more())
}

// isOtherUnreached holds brokers alone back: no client connects to a controller.
func isOtherUnreached(p *planner, c *state) (code, message string) {
	if !c.Broker {
		return "", ""
	}
	for i := range p.states {
		if other := &p.states[i]; other.Unreached != "" && other.live && !other.Broken && other.Reason == "" {
			return WaitExternalAccess, fmt.Sprintf("%s is back, and %s", other.title(), other.Unreached)
		}
	}
	return "", ""
}

func losesQuorumMajority(p *planner, c *state) (code, message string) {
	if !c.Controller || p.keepsMajority(c) || p.isMajorityLostAnyway(c) {
		return "", ""
	}
	left, missing := p.votersWithout(c)
	return WaitQuorumMajority, fmt.Sprintf("of the %d voters, %d would be left that are caught up, which is no majority%s",
		len(p.Quorum.Voters), left, p.describeVoters(missing))
}

func comesAfterControllers(p *planner, c *state) (code, message string) {
	switch {
	case p.holder == nil || c.phase == p.holder.phase:
		return "", ""
	case c.phase == activeController:
		return WaitActiveControllerLast, fmt.Sprintf("%s is the active controller and comes after %s", c.title(), p.holder.title())
	}
	return WaitControllersFirst, fmt.Sprintf("%s comes before the brokers", p.holder.title())
}

func harmsPartition(p *planner, c *state) (code, message string) {
	if c.blocked.count == 0 {
		return "", ""
	}
	partition := &p.Partitions[c.blocked.first]
	if c.code == WaitNoLeader {
		return c.code, fmt.Sprintf("%s%s has no leader", p.describe(c.blocked.first), c.blocked.more())
	}
	return c.code, fmt.Sprintf("%s%s would be left with %d in sync without broker %d, and min.insync.replicas is %d%s",
		p.describe(c.blocked.first), c.blocked.more(), p.liveISR(partition, c.ID), c.ID, minISR(partition), p.describeDead(partition))
}

func isQueued(p *planner, _ *state) (code, message string) {
	if p.plan.Restart == nil {
		return "", ""
	}
	return WaitQueued, fmt.Sprintf("%s is restarted first", p.title(p.plan.Restart.ID))
}

func (p *planner) title(id int32) string {
	if s := p.state(id); s != nil {
		return s.title()
	}
	return fmt.Sprintf("node %d", id)
}

func (n *Node) title() string {
	if n.Broker {
		return fmt.Sprintf("broker %d", n.ID)
	}
	return fmt.Sprintf("controller %d", n.ID)
}
