package rollout

import (
	"fmt"
	"slices"
	"strings"

	"koperator.dev/koperator/apis/machinery/kafka"
)

// maxExamples is how many partitions are named where there are many.
const maxExamples = 3

// tally counts partitions and remembers the first, by its place in Facts.Partitions.
type tally struct {
	count, first int
}

func (t *tally) add(partition int) {
	if t.count == 0 {
		t.first = partition
	}
	t.count++
}

// more is the rest of a sentence that names the first.
func (t tally) more() string {
	if t.count < 2 {
		return ""
	}
	return fmt.Sprintf(" (and %d more)", t.count-1)
}

// unprotected are the partitions that nobody can keep writable.
type unprotected struct {
	count    int
	examples []string
}

func (u *unprotected) add(partition *kafka.Partition) {
	u.count++
	if len(u.examples) < maxExamples {
		u.examples = append(u.examples, name(partition))
	}
}

// sweep looks at each partition once, and finds out for each node that needs a restart whether its stop would harm one.
func (p *planner) sweep() {
	for i := range p.Partitions {
		partition := &p.Partitions[i]
		live := p.liveISR(partition, noBroker)
		full := live == len(partition.Replicas)
		if full && live > minISR(partition) && partition.Leader >= 0 {
			continue // any one of them may stop
		}
		p.findLagging(i)
		p.judge(i, full)
	}
}

// findLagging notes which replicas are not in sync.
func (p *planner) findLagging(i int) {
	partition := &p.Partitions[i]
	if len(partition.ISR) == len(partition.Replicas) {
		return
	}
	for _, id := range partition.Replicas {
		if s := p.state(id); s != nil && !slices.Contains(partition.ISR, id) {
			s.lagging.add(i)
		}
	}
}

// judge finds out which candidates may not stop because of a partition. full tells that all its replicas are in sync.
func (p *planner) judge(i int, full bool) {
	partition := &p.Partitions[i]
	isUnprotected := false
	for _, id := range partition.Replicas {
		s := p.state(id)
		if s == nil || !s.candidate {
			continue
		}
		switch code := p.harm(partition, s, full); {
		case code == unprotectedPartition:
			isUnprotected = true
			s.unprotected++
		case code != "":
			if s.blocked.count == 0 {
				s.code = code
			}
			s.blocked.add(i)
		}
	}
	if isUnprotected {
		p.unprotected.add(partition)
	}
}

// unprotectedPartition is the harm that is allowed, because nobody can avoid it.
const unprotectedPartition = "Unprotected"

// harm says what the stop of a broker would do to a partition; empty if nothing.
//
//   - Not in sync: its stop takes nothing from the partition, also if that is below min.insync.replicas already. If the
//     partition has no leader and its ISR is empty, the metadata does not say which replica Kafka waits for (with
//     eligible leader replicas, KIP-966, it is one that left the ISR): then it may be this one, and it stays.
//   - In sync with a partition that has no leader: Kafka is about to elect one, perhaps this broker, which therefore
//     stays. A broker that is fenced, or not registered, cannot be elected: its restart is what brings the partition back.
//   - In sync, and enough others are: fine.
//   - In sync, and the replication factor is not above min.insync.replicas: nobody can keep the partition writable. It is
//     allowed while all replicas are in sync; otherwise this one may be the last that has all the data.
//   - In sync, and too few others are: it stays, also if the partition is below min.insync.replicas already, because its
//     stop would make that worse.
func (p *planner) harm(partition *kafka.Partition, s *state, full bool) string {
	inSync := slices.Contains(partition.ISR, s.ID)
	switch {
	case partition.Leader < 0 && (inSync || len(partition.ISR) == 0):
		if s.Fenced || !s.Known {
			return ""
		}
		return WaitNoLeader
	case !inSync, p.liveISR(partition, s.ID) >= minISR(partition):
		return ""
	case full && len(partition.Replicas) <= minISR(partition):
		return unprotectedPartition
	}
	return WaitMinInSyncReplicas
}

// minISR is never below one: the last in-sync replica has data that no other replica has.
func minISR(partition *kafka.Partition) int { return max(partition.MinISR, 1) }

// noBroker is the id of no broker.
const noBroker int32 = -1

// liveISR counts the in-sync replicas but one. Kafka takes up to broker.session.timeout.ms to notice that one is gone;
// its Pod tells sooner. An id that is no node of ours counts as Kafka says.
func (p *planner) liveISR(partition *kafka.Partition, but int32) int {
	count := 0
	for _, id := range partition.ISR {
		if id == but {
			continue
		}
		if i := p.index.of(id); i < 0 || p.states[i].live {
			count++
		}
	}
	return count
}

// describe names a partition, its replicas and its in-sync replicas.
func (p *planner) describe(i int) string {
	partition := &p.Partitions[i]
	return fmt.Sprintf("%s (replicas %s, in sync %s)", name(partition), ids(partition.Replicas), ids(partition.ISR))
}

// describeDead names the in-sync replicas that Kafka has not missed yet.
func (p *planner) describeDead(partition *kafka.Partition) string {
	var dead []int32
	for _, id := range partition.ISR {
		if s := p.state(id); s != nil && !s.live {
			dead = append(dead, id)
		}
	}
	if len(dead) == 0 {
		return ""
	}
	return fmt.Sprintf(" (not up: %s)", ids(dead))
}

func name(partition *kafka.Partition) string {
	return fmt.Sprintf("%s-%d", partition.Topic, partition.Partition)
}

func ids(of []int32) string {
	if len(of) == 0 {
		return "none"
	}
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(of), " ", ","), "[]")
}

// state is that of a node; nil if it is none of ours.
func (p *planner) state(id int32) *state {
	if i := p.index.of(id); i >= 0 {
		return &p.states[i]
	}
	return nil
}

// index finds the place of a node by its id. A table is several times as fast as a map, and a pass looks up every
// replica of every partition; ids are small as a rule.
type index struct {
	table []int32 // place plus one
	rest  map[int32]int32
}

// tableSize is the id from which on the map is used.
const tableSize = 1 << 14

func newIndex(nodes []Node) index {
	x := index{rest: map[int32]int32{}}
	for i := range nodes {
		id := nodes[i].ID
		if id < 0 || id >= tableSize {
			x.rest[id] = int32(i)
			continue
		}
		for int(id) >= len(x.table) {
			x.table = append(x.table, 0)
		}
		x.table[id] = int32(i) + 1
	}
	return x
}

// of is the place of a node; -1 if it is none of ours.
func (x index) of(id int32) int {
	if id >= 0 && int(id) < len(x.table) {
		return int(x.table[id]) - 1
	}
	if i, ok := x.rest[id]; ok {
		return int(i)
	}
	return -1
}
