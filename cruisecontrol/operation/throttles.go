package operation

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"

	"koperator.dev/koperator/apis/machinery/kafka"
	"koperator.dev/koperator/cruisecontrol/operation/machine"
)

// readThrottles reads the dynamic properties of all brokers that serve, and of the topics of the plan.
func (s *scope) readThrottles(ctx context.Context) {
	admin := s.session.Kafka()
	found := &machine.Throttles{Brokers: map[int32]map[string]string{}}
	var err error
	if found.Cluster, err = admin.DynamicConfig(ctx, kafka.ClusterWide); err != nil {
		s.facts.KafkaError = err
		return
	}
	for _, id := range serving(s.facts.Kafka) {
		if found.Brokers[id], err = admin.DynamicConfig(ctx, id); err != nil {
			s.facts.KafkaError = err
			return
		}
	}
	if found.Topics, err = admin.TopicConfigs(ctx, s.throttledTopics()); err != nil {
		s.facts.KafkaError = err
		return
	}
	s.facts.Throttles = found
}

// throttledTopics are those that the plan moves, and those that are throttled.
func (s *scope) throttledTopics() []string {
	topics := map[string]bool{}
	record := s.facts.Record
	if record == nil {
		return nil
	}
	for i := range record.Moves {
		topics[record.Moves[i].Topic] = true
	}
	if record.Throttle != nil {
		for _, topic := range record.Throttle.Topics {
			topics[topic] = true
		}
	}
	return slices.Sorted(maps.Keys(topics))
}

// setThrottle sets a throttle, and looks what is set then.
func (s *scope) setThrottle(ctx context.Context, t machine.Throttle) machine.Answer {
	admin, rate := s.session.Kafka(), strconv.FormatInt(t.Rate, 10)
	var failures []error
	for _, id := range t.Brokers {
		failures = append(failures, admin.AlterDynamicConfig(ctx, id, map[string]string{machine.LeaderRate: rate, machine.FollowerRate: rate}, nil))
	}
	changes := map[string]kafka.ConfigChange{}
	for _, topic := range t.Topics {
		changes[topic] = kafka.ConfigChange{Set: map[string]string{machine.LeaderReplicas: machine.AllReplicas, machine.FollowerReplicas: machine.AllReplicas}}
	}
	failures = append(failures, admin.AlterTopicConfigs(ctx, changes))
	s.readThrottles(ctx)
	return machine.Answer{Err: errors.Join(failures...)}
}

// removeThrottle removes just these properties, and looks what is left. Topics come first: without them, rates do nothing.
func (s *scope) removeThrottle(ctx context.Context, r machine.RemoveThrottle) machine.Answer {
	admin := s.session.Kafka()
	changes := map[string]kafka.ConfigChange{}
	for topic, names := range r.Topics {
		changes[topic] = kafka.ConfigChange{Remove: names}
	}
	failures := []error{admin.AlterTopicConfigs(ctx, changes)}
	for _, id := range slices.Sorted(maps.Keys(r.Brokers)) {
		failures = append(failures, admin.AlterDynamicConfig(ctx, id, nil, r.Brokers[id]))
	}
	s.readThrottles(ctx)
	return machine.Answer{Err: errors.Join(failures...)}
}
