package rollout

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"koperator.dev/koperator/apis/machinery/kafka"
	"koperator.dev/koperator/apis/machinery/stories"
)

// ruleBroken holds a plan against what must never happen. It is written without the planner's own helpers.
func ruleBroken(f Facts, plan Plan) error {
	if plan.Restart == nil {
		return nil
	}
	if len(plan.Repairs) > 0 {
		return errors.New("a restart beside a repair")
	}
	if !f.KafkaKnown || f.Quorum == nil || f.Quorum.Leader < 0 {
		return errors.New("a restart while Kafka cannot be asked")
	}
	nodes := map[int32]Node{}
	for _, n := range f.Nodes {
		nodes[n.ID] = n
		if n.ID != plan.Restart.ID && !n.Broken && (n.Stopping || n.Stopped || n.Restarting) {
			return fmt.Errorf("node %d is restarted while %d is not back", plan.Restart.ID, n.ID)
		}
	}
	node := nodes[plan.Restart.ID]
	switch {
	case node.Reason == "":
		return fmt.Errorf("node %d is restarted without a reason", node.ID)
	case !node.Ready || node.Stopping:
		return fmt.Errorf("node %d is restarted while it starts or stops", node.ID)
	}
	if node.Broker {
		if err := clientsLost(f, node.ID); err != nil {
			return err
		}
	}
	if node.Controller {
		if err := majorityLost(f, nodes, node.ID, plan.QuorumUnprotected); err != nil {
			return err
		}
	}
	for _, p := range f.Partitions {
		if err := partitionHarmed(p, nodes, node.ID); err != nil {
			return err
		}
	}
	return nil
}

func clientsLost(f Facts, stopped int32) error {
	if f.Unsettled != "" {
		return fmt.Errorf("broker %d is restarted while its address may change", stopped)
	}
	for _, n := range f.Nodes {
		if n.Unreached != "" && n.Ready && n.Known && !n.Fenced && !n.Broken && n.Reason == "" {
			return fmt.Errorf("broker %d is restarted while clients do not reach %d yet", stopped, n.ID)
		}
	}
	return nil
}

func majorityLost(f Facts, nodes map[int32]Node, stopped int32, said bool) error {
	alive, all, before := 0, 0, 0
	if !slices.ContainsFunc(f.Quorum.Voters, func(v kafka.QuorumReplica) bool { return v.ID == stopped }) {
		return nil
	}
	for _, v := range f.Quorum.Voters {
		all++
		ok := nodes[v.ID].Ready && (v.ID == f.Quorum.Leader || v.CaughtUpAgo >= 0 && v.CaughtUpAgo <= f.FetchTimeout)
		if ok {
			before++
			if v.ID != stopped {
				alive++
			}
		}
	}
	if alive > all/2 {
		return nil
	}
	if all <= 2 && before == all && said {
		return nil // nobody can keep it
	}
	return fmt.Errorf("the stop of controller %d leaves %d of %d voters", stopped, alive, all)
}

func partitionHarmed(p kafka.Partition, nodes map[int32]Node, stopped int32) error {
	if !slices.Contains(p.ISR, stopped) || p.Leader < 0 && (nodes[stopped].Fenced || !nodes[stopped].Known) {
		return nil
	}
	left := 0
	for _, id := range p.ISR {
		if n, ours := nodes[id]; id != stopped && (!ours || n.Ready && !n.Fenced && !n.Stopping && !n.Stopped) {
			left++
		}
	}
	if left >= max(p.MinISR, 1) {
		return nil
	}
	if len(p.Replicas) <= max(p.MinISR, 1) && left+1 == len(p.Replicas) && p.Leader >= 0 {
		return nil // nobody can keep it writable
	}
	return fmt.Errorf("the stop of broker %d leaves %d in-sync replicas of %s-%d, which wants %d", stopped, left, p.Topic, p.Partition, p.MinISR)
}

func randomSimulation(r *rand.Rand) *simulation {
	s := &simulation{reachable: true, rand: r, proxiesNeed: r.IntN(4), unsettled: r.IntN(4)}
	var brokerIDs []int32
	for id := range int32(1 + r.IntN(5)) {
		combined := r.IntN(4) == 0
		s.addNodes(true, combined, id)
		if combined {
			brokerIDs = append(brokerIDs, id)
		}
	}
	for id := range int32(1 + r.IntN(7)) {
		s.addNodes(false, true, 100+id)
		brokerIDs = append(brokerIDs, 100+id)
	}
	for i := range r.IntN(6) {
		r.Shuffle(len(brokerIDs), func(a, b int) { brokerIDs[a], brokerIDs[b] = brokerIDs[b], brokerIDs[a] })
		factor := 1 + r.IntN(min(4, len(brokerIDs)))
		s.addTopic(fmt.Sprintf("topic%d", i), 1+r.IntN(4), factor, r.IntN(4), slices.Clone(brokerIDs)...)
	}
	s.electController()
	return s
}

// Pass is one pass, held against the rules.
func (s *simulation) Pass() error {
	facts := s.facts()
	plan := Next(facts)
	if err := ruleBroken(facts, plan); err != nil {
		return err
	}
	if err := incomplete(facts, plan); err != nil {
		return err
	}
	for _, step := range plan.Repairs {
		if s.node(step.ID).state != crashing {
			return fmt.Errorf("node %d runs and is repaired", step.ID)
		}
		s.restart(step.ID)
	}
	if plan.Restart != nil {
		s.restart(plan.Restart.ID)
	}
	s.step()
	return nil
}

// incomplete tells a plan that says nothing of a node that needs a restart.
func incomplete(f Facts, plan Plan) error {
	said := map[int32]int{}
	for _, w := range plan.Waits {
		said[w.ID]++
		if w.Code == "" || w.Message == "" {
			return fmt.Errorf("node %d waits without a reason", w.ID)
		}
	}
	for _, step := range plan.Repairs {
		said[step.ID]++
	}
	if plan.Restart != nil {
		said[plan.Restart.ID]++
	}
	for _, n := range f.Nodes {
		if want := n.Reason != ""; want != (said[n.ID] == 1) {
			return fmt.Errorf("node %d (reason %q) is in the plan %d times: %+v", n.ID, n.Reason, said[n.ID], plan)
		}
	}
	return nil
}

// Disturb makes something go wrong.
func (s *simulation) Disturb() {
	n := s.nodes[s.rand.IntN(len(s.nodes))]
	switch s.rand.IntN(6) {
	case 0:
		if n.state == running {
			s.crash(n.id)
		}
	case 1:
		n.broken = true
	case 2:
		n.stuck = true
	case 3:
		s.reachable = !s.reachable
	case 4:
		s.wantNewConfiguration()
	case 5:
		if n.broker && n.state == running && !n.fenced {
			n.fenced = true
			s.leaves(n)
		}
	}
}

// Mend makes everything well again.
func (s *simulation) Mend() {
	s.reachable = true
	for _, n := range s.nodes {
		n.broken, n.stuck = false, false
		if n.state == crashing {
			n.state, n.timer = starting, 1
		}
		n.fenced = false
	}
}

func (s *simulation) IsOver() bool {
	return !slices.ContainsFunc(s.nodes, func(n *simNode) bool { return n.reason != "" || n.state != running })
}

func (s *simulation) String() string { return fmt.Sprintf("%+v", Next(s.facts()).Waits) }

func TestRandomClusters(t *testing.T) {
	stories.Random(t, 2000, func(r *rand.Rand) stories.Simulation {
		s := randomSimulation(r)
		s.wantNewConfiguration()
		return s
	})
}

// One broker that is broken for good stops only those whose partitions need it (rule 4 of the architecture).
func TestBrokenBrokerStopsNobodyElse(t *testing.T) {
	for seed := range 200 {
		s := randomSimulation(rand.New(rand.NewPCG(uint64(seed), 2)))
		s.addNodes(false, true, 200, 201)
		s.addTopic("elsewhere", 1, 1, 1, 200)
		s.node(201).broken = true
		s.node(201).state = crashing
		s.leaves(s.node(201))
		s.wantNewConfiguration()
		for i := 0; ; i++ {
			pending := slices.ContainsFunc(s.nodes, func(n *simNode) bool { return n.reason != "" })
			if !pending {
				break
			}
			if i > 60*len(s.nodes) {
				t.Fatalf("seed %d: the rollout does not end: %+v", seed, Next(s.facts()).Waits)
			}
			if err := s.Pass(); err != nil {
				t.Fatalf("seed %d, pass %d: %v", seed, i, err)
			}
		}
	}
}

func BenchmarkNext(b *testing.B) {
	for _, isHealthy := range []bool{true, false} {
		b.Run(fmt.Sprintf("healthy=%t", isHealthy), func(b *testing.B) {
			facts := largeCluster(isHealthy)
			b.ResetTimer()
			for b.Loop() {
				Next(facts)
			}
		})
	}
}

// largeCluster has 100 brokers and 100,000 partitions, and every node needs a restart.
func largeCluster(isHealthy bool) Facts {
	r := rand.New(rand.NewPCG(1, 1))
	s := &simulation{reachable: true}
	s.addNodes(true, false, 0, 1, 2)
	var on []int32
	for id := range int32(100) {
		s.addNodes(false, true, 100+id)
		on = append(on, 100+id)
	}
	for i := range 1000 {
		r.Shuffle(len(on), func(a, b int) { on[a], on[b] = on[b], on[a] })
		s.addTopic(fmt.Sprintf("topic%d", i), 100, 3, 2, on...)
	}
	if !isHealthy {
		s.leaves(s.node(142))
	}
	s.wantNewConfiguration()
	return s.facts()
}

func TestLargeClusterIsFast(t *testing.T) {
	facts := largeCluster(false)
	start := time.Now()
	Next(facts)
	if took := time.Since(start); took > 500*time.Millisecond {
		t.Errorf("a pass over 100,000 partitions took %s", took)
	}
}
