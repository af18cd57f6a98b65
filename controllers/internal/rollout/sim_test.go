package rollout

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"koperator.dev/koperator/apis/machinery/kafka"
)

// simulation is a Kafka cluster on Kubernetes, as far as a rollout can tell: Pods that take a while to stop and to
// start, in-sync replicas that leave and come back, voters that lag. A step is the time between two passes.
type simulation struct {
	nodes      []*simNode
	partitions []kafka.Partition
	leader     int32 // of the quorum; -1 for none
	reachable  bool
	isCautious bool
	rand       *rand.Rand // nil: every delay is its default

	// proxiesNeed is how many steps proxies need to know a broker that is back, and unsettled for how many more the addresses
	// of brokers are not settled.
	proxiesNeed, unsettled int

	version int // of the configuration that the spec wants
	// bad are versions that a node crash-loops with.
	bad map[int]func(*simNode) bool
}

type simNode struct {
	id                 int32
	controller, broker bool
	state              simState
	timer              int // steps until the state changes
	version            int // it runs with
	reason             string
	fenced             bool
	unnoticed          int           // steps until Kafka notices that it is gone
	unreached          int           // steps until proxies know it
	catchUp            map[int]int   // partition to steps until it is in sync
	caughtUpAgo        time.Duration // as a voter
	recovers           int           // steps that it needs in its next log recovery
	broken             bool          // for good: no start succeeds
	stuck              bool          // never catches up
}

type simState int

const (
	running simState = iota
	stopping
	starting
	recovering // after a crash: started in place
	crashing
)

func (n *simNode) title() string {
	return (&Node{ID: n.id, Broker: n.broker}).title()
}

func (s *simulation) addNodes(controller, broker bool, ids ...int32) {
	for _, id := range ids {
		s.nodes = append(s.nodes, &simNode{id: id, controller: controller, broker: broker, catchUp: map[int]int{}})
	}
}

// addTopic places the replicas of a topic round robin on the given brokers.
func (s *simulation) addTopic(name string, partitions, replicationFactor, minISR int, on ...int32) {
	for i := range partitions {
		var replicas []int32
		for r := range replicationFactor {
			replicas = append(replicas, on[(i+r)%len(on)])
		}
		s.partitions = append(s.partitions, kafka.Partition{
			Topic: name, Partition: int32(i), Leader: replicas[0], Replicas: replicas, ISR: slices.Clone(replicas), MinISR: minISR,
		})
	}
}

func (s *simulation) node(id int32) *simNode {
	for _, n := range s.nodes {
		if n.id == id {
			return n
		}
	}
	return nil
}

// wantNewConfiguration makes every node need a restart.
func (s *simulation) wantNewConfiguration() {
	s.version++
	for _, n := range s.nodes {
		n.reason = fmt.Sprintf("configuration %d instead of %d", s.version, n.version)
	}
}

func (s *simulation) facts() Facts {
	f := Facts{KafkaKnown: s.reachable, FetchTimeout: 2 * time.Second}
	for _, n := range s.nodes {
		f.Nodes = append(f.Nodes, Node{
			ID: n.id, Controller: n.controller, Broker: n.broker, Reason: n.reason,
			Ready: n.state == running, Stopping: n.state == stopping, Stopped: n.state == crashing,
			Restarting: n.state == starting || n.state == crashing, Broken: s.isBroken(n),
			Known: n.broker, Fenced: n.broker && (n.fenced || n.state != running) && n.unnoticed == 0,
			Unreached: because(n.broker && n.unreached > 0, "the proxies do not know it yet"),
		})
	}
	f.Unsettled = because(s.unsettled > 0, "envoy-manager has not looked at the present spec yet")
	if !s.reachable {
		return f
	}
	for _, p := range s.partitions {
		p.ISR, p.Replicas = slices.Clone(p.ISR), slices.Clone(p.Replicas)
		f.Partitions = append(f.Partitions, p)
	}
	f.Quorum = s.quorum()
	return f
}

func because(is bool, why string) string {
	if !is {
		return ""
	}
	return why
}

// isBroken tells whether the others do not wait for a node. A caller may wait for one that crash-loops just after its
// restart, and so stop the rollout.
func (s *simulation) isBroken(n *simNode) bool {
	if s.isCautious && n.version == s.version {
		return false
	}
	return n.state == crashing || n.stuck
}

func (s *simulation) quorum() *kafka.Quorum {
	q := &kafka.Quorum{Leader: s.leader}
	for _, n := range s.nodes {
		if n.controller {
			q.Voters = append(q.Voters, kafka.QuorumReplica{ID: n.id, DirectoryID: "d", Lag: n.caughtUpAgo.Milliseconds(), CaughtUpAgo: n.caughtUpAgo})
		}
	}
	return q
}

func (s *simulation) delay(usual, longest int) int {
	if s.rand == nil {
		return usual
	}
	return 1 + s.rand.IntN(longest)
}

// restart deletes a node's Pod: what a planned step does.
func (s *simulation) restart(id int32) {
	n := s.node(id)
	n.state, n.timer = stopping, s.delay(1, 3)
	s.leaves(n)
}

// crash ends a node's process without a word. Kafka notices it a step later; the kubelet starts it again in place.
func (s *simulation) crash(id int32) {
	n := s.node(id)
	n.state, n.timer, n.unnoticed = recovering, s.delay(2, 4)+n.recovers, 1
	if n.controller {
		n.caughtUpAgo = time.Hour
	}
	s.electController()
}

// leaves takes a stopped broker out of the ISRs and off leadership, a stopped controller off the quorum's.
func (s *simulation) leaves(n *simNode) {
	n.unnoticed = 0
	if n.controller {
		n.caughtUpAgo = time.Hour
		s.electController()
	}
	for i := range s.partitions {
		p := &s.partitions[i]
		if !slices.Contains(p.ISR, n.id) {
			continue
		}
		if len(p.ISR) > 1 {
			p.ISR = slices.DeleteFunc(p.ISR, func(id int32) bool { return id == n.id })
			n.catchUp[i] = s.delay(1, 3)
		}
		s.electLeader(p)
	}
}

func (s *simulation) electLeader(p *kafka.Partition) {
	if p.Leader >= 0 && slices.Contains(p.ISR, p.Leader) && s.node(p.Leader).serves() {
		return
	}
	p.Leader = -1
	for _, id := range p.ISR {
		if s.node(id).serves() {
			p.Leader = id
			return
		}
	}
}

func (n *simNode) serves() bool { return n.state == running && !n.fenced }

func (s *simulation) electController() {
	votes, voters := 0, 0
	best := int32(-1)
	for _, n := range s.nodes {
		if !n.controller {
			continue
		}
		voters++
		if n.state == running {
			votes++
			if best < 0 || n.id == s.leader {
				best = n.id
			}
		}
	}
	s.leader = -1
	if 2*votes > voters {
		s.leader = best
		s.node(best).caughtUpAgo = 0
	}
}

// step lets time pass, and tells what happened.
func (s *simulation) step() []string {
	var news []string
	s.unsettled = max(s.unsettled-1, 0)
	for _, n := range s.nodes {
		n.unreached = max(n.unreached-1, 0)
		if n.unnoticed > 0 {
			if n.unnoticed--; n.unnoticed == 0 {
				s.leaves(n)
			}
		}
		if what := s.advance(n); what != "" {
			news = append(news, what)
		}
	}
	s.electController()
	for _, n := range s.nodes {
		if n.state == running {
			s.catchesUp(n)
		}
	}
	for i := range s.partitions {
		s.electLeader(&s.partitions[i])
	}
	return news
}

func (s *simulation) advance(n *simNode) string {
	if n.state == running || n.state == crashing {
		return ""
	}
	if n.timer--; n.timer > 0 {
		return ""
	}
	switch n.state {
	case stopping:
		n.state, n.timer = starting, s.delay(1, 4)+n.recovers
		n.version, n.reason = s.version, ""
	case starting, recovering:
		if isBad := s.bad[n.version]; n.broken || isBad != nil && isBad(n) {
			n.state = crashing
			return fmt.Sprintf("%s crash-loops", n.title())
		}
		n.state, n.fenced, n.recovers, n.unreached = running, false, 0, s.proxiesNeed
		return fmt.Sprintf("%s is ready", n.title())
	}
	return ""
}

// catchesUp brings a running node a step nearer to being in sync.
func (s *simulation) catchesUp(n *simNode) {
	if n.stuck {
		return
	}
	if n.controller && s.leader >= 0 {
		n.caughtUpAgo = 0
	}
	for i, left := range n.catchUp {
		if s.partitions[i].Leader < 0 {
			continue
		}
		if n.catchUp[i] = left - 1; left <= 1 {
			delete(n.catchUp, i)
			s.partitions[i].ISR = append(s.partitions[i].ISR, n.id)
		}
	}
}
