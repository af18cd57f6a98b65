package planner

import (
	"fmt"
	"maps"
	"slices"

	"koperator.dev/koperator/test/cruisecontrol/backend"
)

// DiskMove moves a replica to another log dir of its broker.
type DiskMove struct {
	backend.TopicPartition
	Broker   int32
	From, To string
	Bytes    int64
}

// RemoveDisks empties log dirs onto the others of the same broker. A dead one has nothing that could be moved.
func RemoveDisks(c backend.Cluster, remove map[int32][]string, capacityMB func(broker int32, path string) float64) ([]DiskMove, error) {
	var moves []DiskMove
	for _, id := range slices.Sorted(maps.Keys(remove)) {
		b, alive := c.Brokers[id]
		if !alive {
			return nil, &Failure{"java.lang.IllegalArgumentException", fmt.Sprintf("Broker [%d] does not exist.", id)}
		}
		ofBroker, err := emptyDirs(b, remove[id], capacityMB)
		if err != nil {
			return nil, err
		}
		moves = append(moves, ofBroker...)
	}
	return moves, nil
}

func emptyDirs(b backend.Broker, remove []string, capacityMB func(int32, string) float64) ([]DiskMove, error) {
	dirs := map[string]backend.LogDir{}
	for _, d := range b.LogDirs {
		dirs[d.Path] = d
	}
	var others []string
	for path, d := range dirs {
		if !slices.Contains(remove, path) && !d.Dead {
			others = append(others, path)
		}
	}
	slices.Sort(others)
	for _, path := range remove {
		if _, ok := dirs[path]; !ok {
			return nil, &Failure{"java.lang.IllegalArgumentException", fmt.Sprintf("Invalid log dirs provided for broker %d.", b.ID)}
		}
	}
	if len(others) == 0 {
		return nil, &Failure{"java.lang.IllegalArgumentException", fmt.Sprintf("No log dir remaining to move replicas to for broker %d.", b.ID)}
	}
	moves := spread(b, remove, others, dirs)
	if !fits(b.ID, moves, others, dirs, capacityMB) {
		return nil, &Failure{"java.lang.IllegalArgumentException", fmt.Sprintf("Not enough remaining capacity to move replicas to for broker %d.", b.ID)}
	}
	return moves, nil
}

// spread gives each replica to the dir that has the fewest.
func spread(b backend.Broker, remove, others []string, dirs map[string]backend.LogDir) []DiskMove {
	count := map[string]int{}
	for _, path := range others {
		count[path] = len(dirs[path].Replicas)
	}
	var moves []DiskMove
	for _, path := range remove {
		for _, tp := range sorted(dirs[path].Replicas) {
			to := slices.MinFunc(others, func(a, b string) int { return count[a] - count[b] })
			count[to]++
			moves = append(moves, DiskMove{tp, b.ID, path, to, dirs[path].Replicas[tp]})
		}
	}
	return moves
}

func fits(id int32, moves []DiskMove, others []string, dirs map[string]backend.LogDir, capacityMB func(int32, string) float64) bool {
	if capacityMB == nil || len(moves) == 0 {
		return true
	}
	var used, capacity float64
	for _, path := range others {
		capacity += capacityMB(id, path)
		for _, bytes := range dirs[path].Replicas {
			used += float64(bytes) / MB
		}
	}
	for _, move := range moves {
		used += float64(move.Bytes) / MB
	}
	return used <= capacity
}

func sorted(replicas map[backend.TopicPartition]int64) []backend.TopicPartition {
	return slices.SortedFunc(maps.Keys(replicas), backend.TopicPartition.Compare)
}

// EvenDisks spreads the replicas of each broker over its log dirs.
func EvenDisks(c backend.Cluster) []DiskMove {
	var moves []DiskMove
	for _, id := range slices.Sorted(maps.Keys(c.Brokers)) {
		moves = append(moves, evenDirs(c.Brokers[id])...)
	}
	return moves
}

func evenDirs(b backend.Broker) []DiskMove {
	alive := slices.DeleteFunc(slices.Clone(b.LogDirs), func(d backend.LogDir) bool { return d.Dead })
	left := make([][]backend.TopicPartition, len(alive)) // what may still be moved away
	count := make([]int, len(alive))
	for i, d := range alive {
		left[i], count[i] = sorted(d.Replicas), len(d.Replicas)
	}
	var moves []DiskMove
	for len(alive) > 1 {
		from, to := slices.Index(count, slices.Max(count)), slices.Index(count, slices.Min(count))
		if count[from]-count[to] < 2 || len(left[from]) == 0 {
			break
		}
		tp := left[from][0]
		left[from] = left[from][1:]
		count[from]--
		count[to]++
		moves = append(moves, DiskMove{tp, b.ID, alive[from].Path, alive[to].Path, alive[from].Replicas[tp]})
	}
	return moves
}
