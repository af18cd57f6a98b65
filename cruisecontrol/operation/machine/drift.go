package machine

import (
	"slices"

	"koperator.dev/koperator/apis/machinery/kafka"
	"koperator.dev/koperator/cruisecontrol/client"
)

// movesOf are the moves of a plan, by partition.
func movesOf(plan *client.Plan) []Move {
	var moves []Move
	for _, p := range plan.SortedProposals() {
		moves = append(moves, Move{
			TopicPartition: kafka.TopicPartition{Topic: p.TopicPartition.Topic, Partition: p.TopicPartition.Partition}, Old: p.OldReplicas, New: p.NewReplicas,
		})
	}
	return moves
}

// drift is how much of a plan is not as in another one, in percent of what was approved: moves that are missing, new, or lead
// elsewhere.
func drift(approved, now []Move) float64 {
	was := targets(approved)
	differences := 0
	for tp, target := range targets(now) {
		before, known := was[tp]
		if !known || !slices.Equal(before, target) {
			differences++
		}
		delete(was, tp)
	}
	differences += len(was)
	if differences == 0 {
		return 0
	}
	return 100 * float64(differences) / float64(max(len(approved), 1))
}

// targets are where the replicas of each partition go.
func targets(moves []Move) map[kafka.TopicPartition][]int32 {
	byPartition := make(map[kafka.TopicPartition][]int32, len(moves))
	for i := range moves {
		byPartition[moves[i].TopicPartition] = moves[i].New
	}
	return byPartition
}

// topicsOf are the topics of which something moves.
func topicsOf(moves []Move) []string {
	var topics []string
	for i := range moves {
		if len(topics) == 0 || topics[len(topics)-1] != moves[i].Topic {
			topics = append(topics, moves[i].Topic)
		}
	}
	slices.Sort(topics)
	return slices.Compact(topics)
}

// ours are the reassignments that a plan asked for: its partitions, on their way to where it wants them.
func ours(moves []Move, reassignments []kafka.Reassignment) (mine, others []kafka.Reassignment) {
	wanted := targets(moves)
	for _, r := range reassignments {
		target, known := wanted[r.TopicPartition]
		if known && sameSet(target, r.Target()) {
			mine = append(mine, r)
		} else {
			others = append(others, r)
		}
	}
	return mine, others
}

func sameSet(a, b []int32) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}
