// Package planner plans simply what Cruise Control plans well: no replica without need in the rack of another, and every
// broker about as many. It is a function of what is seen of the cluster.
package planner

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"

	"koperator.dev/koperator/test/cruisecontrol/backend"
)

// MB is what Cruise Control counts data in.
const MB = 1 << 20

// diskThreshold is disk.capacity.threshold.
const diskThreshold = 0.8

// Request says what is wanted.
type Request struct {
	Cluster backend.Cluster
	// Remove are brokers that lose all replicas, Add those that get some, Demote those that lose leadership.
	Remove, Add, Demote []int32
	// Destinations are the only ones that get replicas; empty: all.
	Destinations []int32
	// ExcludedForReplicas and ExcludedForLeadership get none.
	ExcludedForReplicas, ExcludedForLeadership []int32
	// ExcludedTopics stay where they are, unless they are offline.
	ExcludedTopics *regexp.Regexp
	// ReplicationFactor of topics, if it is to change.
	ReplicationFactor map[string]int
	// Even spreads replicas over all brokers.
	Even bool
	// RackAware refuses two replicas in one rack; without it that is only avoided.
	RackAware bool
	// CapacityMB of a broker's disks; nil: no limit.
	CapacityMB func(broker int32) float64
	// SkipURP and FollowersToo are for Demote.
	SkipURP, FollowersToo bool
	// DemoteDisks are log dirs whose replicas lose leadership.
	DemoteDisks map[int32][]string
}

// Proposal changes one partition.
type Proposal struct {
	backend.TopicPartition
	OldLeader   int32
	OldReplicas []int32
	NewReplicas []int32
	Bytes       int64
}

// Moves tells whether a proposal moves data, and not only changes an order.
func (p Proposal) Moves() bool {
	return len(p.Added()) > 0 || len(p.OldReplicas) != len(p.NewReplicas)
}

// Added are the brokers that get a replica.
func (p Proposal) Added() []int32 {
	return slices.DeleteFunc(slices.Clone(p.NewReplicas), func(id int32) bool { return slices.Contains(p.OldReplicas, id) })
}

// MovesLeader tells whether another replica is to lead.
func (p Proposal) MovesLeader() bool { return p.NewReplicas[0] != p.OldLeader }

// MBToMove is what has to be fetched.
func (p Proposal) MBToMove() int64 { return int64(len(p.Added())) * p.Bytes / MB }

// Failure is a plan that cannot be made, as an exception of Cruise Control's.
type Failure struct {
	Exception, Message string
}

func (f *Failure) Error() string { return f.Exception + ": " + f.Message }

// optimizationFailure is the goal that no plan meets.
func optimizationFailure(goal, format string, args ...any) *Failure {
	return &Failure{
		Exception: "com.linkedin.kafka.cruisecontrol.exception.OptimizationFailureException",
		Message:   "[" + goal + "] " + fmt.Sprintf(format, args...),
	}
}

// plan is a plan being made.
type plan struct {
	Request
	partitions []backend.Partition
	replicas   [][]int32 // of each partition, as planned so far
	bySize     []int     // partitions, the largest first
	count      map[int32]int
	racks      map[int32]string
}

// Make plans. Proposals are sorted.
func Make(r Request) ([]Proposal, error) {
	p := &plan{Request: r, partitions: r.Cluster.Partitions, count: map[int32]int{}, racks: map[int32]string{}}
	for id, b := range r.Cluster.Brokers {
		p.racks[id] = cmp.Or(b.Rack, b.Host)
		p.count[id] = 0
	}
	for i, partition := range p.partitions {
		p.bySize = append(p.bySize, i)
		p.replicas = append(p.replicas, slices.Clone(partition.Replicas))
		for _, id := range partition.Replicas {
			p.count[id]++
		}
	}
	slices.SortStableFunc(p.bySize, func(a, b int) int { return cmp.Compare(p.partitions[b].Bytes, p.partitions[a].Bytes) })
	if len(p.Cluster.Brokers) == 0 {
		return nil, &Failure{"java.lang.IllegalStateException", "All brokers are dead in the cluster."}
	}
	if err := p.make(); err != nil {
		return nil, err
	}
	return p.proposals(), nil
}

// make runs the steps that are asked for.
func (p *plan) make() error {
	if p.demotes() {
		p.demote()
		return nil
	}
	for _, step := range []func() error{p.changeFactors, p.evacuate, p.fitsDisks, p.fill, p.even} {
		if err := step(); err != nil {
			return err
		}
	}
	p.avoidLeaders()
	if p.Even || len(p.Add) > 0 {
		p.evenLeaders()
	}
	return nil
}

// leaves tells whether a replica has to go: its broker is removed or dead, or its disk.
func (p *plan) leaves(partition backend.Partition, id int32) bool {
	_, alive := p.Cluster.Brokers[id]
	return !alive || slices.Contains(p.Remove, id) || slices.Contains(partition.Offline, id)
}

// mayReceive tells whether a broker may be given replicas at all.
func (p *plan) mayReceive(id int32) bool {
	if slices.Contains(p.Remove, id) || slices.Contains(p.ExcludedForReplicas, id) {
		return false
	}
	return len(p.Destinations) == 0 || slices.Contains(p.Destinations, id)
}

func (p *plan) excluded(topic string) bool {
	return p.ExcludedTopics != nil && p.ExcludedTopics.MatchString(topic)
}

// evacuate replaces every replica that has to go.
func (p *plan) evacuate() error {
	for i, partition := range p.partitions {
		for position, id := range p.replicas[i] {
			if !p.leaves(partition, id) {
				continue
			}
			to, err := p.place(i, id)
			if err != nil {
				return err
			}
			p.move(i, position, to)
		}
	}
	return nil
}

func (p *plan) move(i, position int, to int32) {
	p.count[p.replicas[i][position]]--
	p.count[to]++
	p.replicas[i][position] = to
}

// place finds a broker for a replica of a partition that leaves another one (or -1), the emptiest in a rack of its own.
func (p *plan) place(i int, from int32) (int32, error) {
	others := slices.DeleteFunc(slices.Clone(p.replicas[i]), func(id int32) bool { return id == from })
	best, bestSameRack := int32(-1), int32(-1)
	for _, id := range slices.Sorted(maps.Keys(p.racks)) {
		if !p.mayReceive(id) || slices.Contains(p.replicas[i], id) {
			continue
		}
		best, bestSameRack = p.better(id, best, others), p.emptier(id, bestSameRack)
	}
	if best >= 0 {
		return best, nil
	}
	if bestSameRack >= 0 && !p.RackAware {
		return bestSameRack, nil
	}
	return 0, p.noPlace(i, from)
}

// better returns id if it is emptier than best and in a rack that no other replica is in.
func (p *plan) better(id, best int32, others []int32) int32 {
	if p.sharesRack(id, others) {
		return best
	}
	return p.emptier(id, best)
}

func (p *plan) emptier(id, best int32) int32 {
	if best < 0 || p.count[id] < p.count[best] {
		return id
	}
	return best
}

func (p *plan) sharesRack(id int32, others []int32) bool {
	return slices.ContainsFunc(others, func(other int32) bool { return p.racks[other] == p.racks[id] })
}

// noPlace says why a replica cannot go anywhere, as Cruise Control would.
func (p *plan) noPlace(i int, from int32) error {
	racks := map[string]bool{}
	for id, rack := range p.racks {
		racks[rack] = racks[rack] || p.mayReceive(id)
	}
	maps.DeleteFunc(racks, func(_ string, usable bool) bool { return !usable })
	needed := len(p.replicas[i])
	if p.RackAware && p.someBrokerIsDead() {
		return &Failure{"java.lang.IllegalArgumentException", "Excluded rack ids cannot contain an empty rack id."}
	}
	if p.RackAware && len(racks) < needed {
		return optimizationFailure("RackAwareGoal", "Insufficient number of racks to distribute each replica (Current: %d, Needed: %d).", len(racks), needed)
	}
	return optimizationFailure("RackAwareGoal", "Cannot remove Replica[isLeader=false,rack=%s,broker=%d,TopicPartition=%s-%d] from DEAD broker %d (has %d replicas).",
		p.racks[from], from, p.partitions[i].Topic, p.partitions[i].Partition, from, p.count[from])
}

func (p *plan) someBrokerIsDead() bool {
	for id := range p.count {
		if _, alive := p.racks[id]; !alive {
			return true
		}
	}
	return false
}

// fitsDisks compares what there is with what the disks of the brokers that stay can hold.
func (p *plan) fitsDisks() error {
	if p.CapacityMB == nil {
		return nil
	}
	var used, capacity, one float64
	for i, partition := range p.partitions {
		used += float64(partition.Bytes) * float64(len(p.replicas[i])) / MB
	}
	for id := range p.racks {
		if !slices.Contains(p.Remove, id) {
			one = p.CapacityMB(id)
			capacity += one
		}
	}
	allowed := capacity * diskThreshold
	if used <= allowed {
		return nil
	}
	missing := int(math.Ceil((used - allowed) / max(one*diskThreshold, 1)))
	advice := fmt.Sprintf(" Add at least %d brokers with the same disk capacity (%.2f) as broker-%d.", missing, one, slices.Min(slices.Collect(maps.Keys(p.racks))))
	return optimizationFailure("DiskCapacityGoal", "Insufficient capacity for disk (Utilization %.2f, Allowed Capacity %.2f, Threshold: %.2f).%s", used, allowed, diskThreshold, strings.Repeat(advice, 2))
}

// fill gives added brokers their share.
func (p *plan) fill() error {
	if len(p.Add) > 0 {
		p.level(func(id int32) bool { return slices.Contains(p.Add, id) && p.mayReceive(id) })
	}
	return nil
}

func (p *plan) even() error {
	if p.Even {
		p.level(p.mayReceive)
	}
	return nil
}

// level moves replicas from full brokers to emptier ones until that changes nothing.
func (p *plan) level(mayReceive func(int32) bool) {
	for range len(p.partitions) * 8 {
		if !p.levelOnce(mayReceive) {
			return
		}
	}
}

func (p *plan) levelOnce(mayReceive func(int32) bool) bool {
	byCount := slices.SortedFunc(maps.Keys(p.racks), func(a, b int32) int { return cmp.Or(p.count[b]-p.count[a], int(a-b)) })
	for _, from := range byCount {
		for _, to := range slices.Backward(byCount) {
			if p.count[from]-p.count[to] < 2 {
				break
			}
			if mayReceive(to) && p.moveOne(from, to) {
				return true
			}
		}
	}
	return false
}

// moveOne moves one replica from a broker to another, the largest one that may: who gets replicas should get data, too.
func (p *plan) moveOne(from, to int32) bool {
	for _, i := range p.bySize {
		partition := p.partitions[i]
		position := slices.Index(p.replicas[i], from)
		if position < 0 || slices.Contains(p.replicas[i], to) || p.excluded(partition.Topic) {
			continue
		}
		others := slices.DeleteFunc(slices.Clone(p.replicas[i]), func(id int32) bool { return id == from })
		if p.sharesRack(to, others) && !p.sharesRack(from, others) {
			continue
		}
		p.move(i, position, to)
		return true
	}
	return false
}

// changeFactors adds and removes replicas.
func (p *plan) changeFactors() error {
	for i, partition := range p.partitions {
		factor, wanted := p.ReplicationFactor[partition.Topic]
		for wanted && len(p.replicas[i]) > factor {
			p.count[p.replicas[i][len(p.replicas[i])-1]]--
			p.replicas[i] = p.replicas[i][:len(p.replicas[i])-1]
		}
		for wanted && len(p.replicas[i]) < factor {
			to, err := p.place(i, -1)
			if err != nil {
				return err
			}
			p.count[to]++
			p.replicas[i] = append(p.replicas[i], to)
		}
	}
	return nil
}

// avoidLeaders puts brokers that are excluded from leadership behind others, where they would newly lead.
func (p *plan) avoidLeaders() {
	for i, partition := range p.partitions {
		first := p.replicas[i][0]
		if first == partition.Leader || !slices.Contains(p.ExcludedForLeadership, first) {
			continue
		}
		p.replicas[i] = last(p.replicas[i], func(id int32) bool { return slices.Contains(p.ExcludedForLeadership, id) })
	}
}

// evenLeaders changes orders of replicas, so that each broker is the first one about as often.
func (p *plan) evenLeaders() {
	leads := map[int32]int{}
	for i := range p.partitions {
		leads[p.replicas[i][0]]++
	}
	for changed := true; changed; {
		changed = false
		for i := range p.partitions {
			if p.passOn(i, leads) {
				changed = true
			}
		}
	}
}

// passOn lets another replica of a partition lead, if its broker leads less.
func (p *plan) passOn(i int, leads map[int32]int) bool {
	replicas := p.replicas[i]
	if p.excluded(p.partitions[i].Topic) {
		return false
	}
	for j, id := range replicas[1:] {
		if leads[replicas[0]]-leads[id] < 2 || slices.Contains(p.ExcludedForLeadership, id) {
			continue
		}
		leads[replicas[0]]--
		leads[id]++
		replicas[0], replicas[j+1] = id, replicas[0]
		return true
	}
	return false
}

// last moves the replicas that it is told to the end.
func last(replicas []int32, which func(int32) bool) []int32 {
	var first, then []int32
	for _, id := range replicas {
		if which(id) {
			then = append(then, id)
		} else {
			first = append(first, id)
		}
	}
	return append(first, then...)
}

func (p *plan) demotes() bool { return len(p.Demote) > 0 || len(p.DemoteDisks) > 0 }

func (p *plan) demote() {
	for i, partition := range p.partitions {
		if p.SkipURP && len(partition.ISR) < len(partition.Replicas) {
			continue
		}
		demoted := func(id int32) bool {
			return p.isDemoted(partition.TopicPartition, id) && (p.FollowersToo || id == partition.Leader)
		}
		p.replicas[i] = last(p.replicas[i], demoted)
	}
}

func (p *plan) isDemoted(tp backend.TopicPartition, id int32) bool {
	if slices.Contains(p.Demote, id) {
		return true
	}
	for _, dir := range p.Cluster.Brokers[id].LogDirs {
		if _, here := dir.Replicas[tp]; here && slices.Contains(p.DemoteDisks[id], dir.Path) {
			return true
		}
	}
	return false
}

// proposals are the differences.
func (p *plan) proposals() []Proposal {
	var proposals []Proposal
	for i, partition := range p.partitions {
		if slices.Equal(p.replicas[i], partition.Replicas) {
			continue
		}
		proposals = append(proposals, Proposal{
			TopicPartition: partition.TopicPartition, OldLeader: partition.Leader, OldReplicas: slices.Clone(partition.Replicas),
			NewReplicas: p.replicas[i], Bytes: partition.Bytes,
		})
	}
	return proposals
}
