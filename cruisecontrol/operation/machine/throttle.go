package machine

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

// The properties with which Kafka throttles replication.
const (
	LeaderRate       = "leader.replication.throttled.rate"
	FollowerRate     = "follower.replication.throttled.rate"
	LeaderReplicas   = "leader.replication.throttled.replicas"
	FollowerReplicas = "follower.replication.throttled.replicas"
	// AllReplicas throttles all replicas of a topic.
	AllReplicas = "*"
)

var (
	rates    = []string{LeaderRate, FollowerRate}
	replicas = []string{LeaderReplicas, FollowerReplicas}
)

// wantsThrottle tells whether the plan of an operation is to be throttled.
func wantsThrottle(op *v1beta1.CruiseControlOperation, record *Record) bool {
	return op.Spec.ReplicationThrottle != nil && record != nil && len(record.Moves) > 0
}

// lacksThrottle tells whether the plan that is executed moves topics that the throttle was not set for.
func lacksThrottle(op *v1beta1.CruiseControlOperation, record *Record) bool {
	return wantsThrottle(op, record) && record.Throttle != nil && !record.Throttle.covers(&Throttle{Rate: record.Throttle.Rate, Topics: topicsOf(record.Moves)})
}

// foreignThrottle says which throttle stands in the way: one that somebody else has set, or that holds for all brokers.
func (m *machine) foreignThrottle() string {
	rate := strconv.FormatInt(m.Operation.Spec.ReplicationThrottle.Value(), 10)
	for _, name := range rates {
		if value := m.Throttles.Cluster[name]; value != "" {
			return fmt.Sprintf("%s=%s is set for all brokers", name, value)
		}
		for _, id := range slices.Sorted(maps.Keys(m.Throttles.Brokers)) {
			if value := m.Throttles.Brokers[id][name]; value != "" && (m.Record.Throttle == nil || value != rate) {
				return fmt.Sprintf("broker %d has %s=%s", id, name, value)
			}
		}
	}
	for _, topic := range topicsOf(m.Record.Moves) {
		for _, name := range replicas {
			if value := m.Throttles.Topics[topic][name]; value != "" && (m.Record.Throttle == nil || value != AllReplicas) {
				return fmt.Sprintf("topic %s has %s=%s", topic, name, value)
			}
		}
	}
	return ""
}

// wantedThrottle is the throttle of the plan, on every broker that serves.
func (m *machine) wantedThrottle() *Throttle {
	t := &Throttle{Rate: m.Operation.Spec.ReplicationThrottle.Value(), Topics: topicsOf(m.Record.Moves)}
	for _, id := range slices.Sorted(maps.Keys(m.Kafka.Brokers)) {
		if !m.Kafka.Brokers[id].Fenced {
			t.Brokers = append(t.Brokers, id)
		}
	}
	return t
}

// isSet tells whether a throttle is set as it should be.
func (t *Throttle) isSet(found *Throttles) bool {
	rate := strconv.FormatInt(t.Rate, 10)
	for _, id := range t.Brokers {
		if found.Brokers[id][LeaderRate] != rate || found.Brokers[id][FollowerRate] != rate {
			return false
		}
	}
	for _, topic := range t.Topics {
		if found.Topics[topic][LeaderReplicas] != AllReplicas || found.Topics[topic][FollowerReplicas] != AllReplicas {
			return false
		}
	}
	return true
}

// left is what is still set of a throttle: our own properties, as long as they have our value.
func (t *Throttle) left(found *Throttles) RemoveThrottle {
	left := RemoveThrottle{Brokers: map[int32][]string{}, Topics: map[string][]string{}}
	for _, id := range t.Brokers {
		for _, name := range rates {
			if found.Brokers[id][name] == strconv.FormatInt(t.Rate, 10) {
				left.Brokers[id] = append(left.Brokers[id], name)
			}
		}
	}
	for _, topic := range t.Topics {
		for _, name := range replicas {
			if found.Topics[topic][name] == AllReplicas {
				left.Topics[topic] = append(left.Topics[topic], name)
			}
		}
	}
	return left
}

// Count is how many properties are left.
func (r RemoveThrottle) Count() int {
	count := 0
	for _, names := range r.Brokers {
		count += len(names)
	}
	for _, names := range r.Topics {
		count += len(names)
	}
	return count
}

// covers tells whether a throttle has everything of another one.
func (t *Throttle) covers(other *Throttle) bool {
	return t != nil && len(t.with(other).Brokers) == len(t.Brokers) && len(t.with(other).Topics) == len(t.Topics)
}

// with is both together.
func (t *Throttle) with(other *Throttle) *Throttle {
	if t == nil {
		return other
	}
	return &Throttle{Rate: other.Rate, Brokers: union(t.Brokers, other.Brokers), Topics: union(t.Topics, other.Topics)}
}

func union[T cmp.Ordered](a, b []T) []T {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}
