package kafkafake_test

import (
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"

	"koperator.dev/koperator/apis/machinery/kafka"
	"koperator.dev/koperator/apis/machinery/kafka/kafkafake"
)

func TestCancelReassignments(t *testing.T) {
	k := newCluster()
	moving := kafka.Reassignment{TopicPartition: kafka.TopicPartition{Topic: "a"}, Replicas: []int32{1, 3}, Adding: []int32{1}, Removing: []int32{3}}
	other := kafka.Reassignment{TopicPartition: kafka.TopicPartition{Topic: "b", Partition: 1}, Replicas: []int32{2, 3, 1}, Removing: []int32{1}}
	k.Edit(func(s *kafkafake.State) {
		s.Reassignments = []kafka.Reassignment{moving, other}
		for i := range s.Partitions {
			if p := &s.Partitions[i]; p.Topic == "a" {
				p.Replicas, p.ISR = []int32{1, 3}, []int32{1, 3}
			}
		}
	})
	gone := kafka.TopicPartition{Topic: "gone"}
	must(t, k.CancelReassignments(t.Context(), []kafka.TopicPartition{moving.TopicPartition, gone}))
	c := describe(t, k)
	if len(c.Reassignments) != 1 || c.Reassignments[0].TopicPartition != other.TopicPartition {
		t.Errorf("%+v are still being reassigned", c.Reassignments)
	}
	if p := c.Partitions[0]; !slices.Equal(p.Replicas, []int32{3}) || !slices.Equal(p.ISR, []int32{3}) {
		t.Errorf("the partition has not gone back to where it was: %+v", p)
	}
}

func TestTopics(t *testing.T) {
	k := newCluster()
	ctx := t.Context()
	must(t, k.CreateTopic(ctx, kafka.NewTopic{Name: "c", Partitions: 2, ReplicationFactor: 2, Config: map[string]string{"retention.ms": "1"}}))
	if err := k.CreateTopic(ctx, kafka.NewTopic{Name: "c"}); !errors.Is(err, kerr.TopicAlreadyExists) {
		t.Errorf("twice: %v", err)
	}
	if err := k.CreateTopic(ctx, kafka.NewTopic{Name: "d", ReplicationFactor: 4}); !errors.Is(err, kerr.InvalidReplicationFactor) {
		t.Errorf("more replicas than brokers: %v", err)
	}
	k.Stop(1) // only brokers that serve get replicas
	must(t, k.CreateTopic(ctx, kafka.NewTopic{Name: "e", ReplicationFactor: 2}))
	byTopic := map[string][]kafka.Partition{}
	for _, p := range describe(t, k).Partitions {
		byTopic[p.Topic] = append(byTopic[p.Topic], p)
	}
	if len(byTopic["c"]) != 2 || len(byTopic["d"]) != 0 || len(byTopic["e"]) != 1 || !slices.Equal(byTopic["e"][0].Replicas, []int32{2, 3}) {
		t.Errorf("got %+v", byTopic)
	}
	must(t, k.AlterTopicConfigs(ctx, map[string]kafka.ConfigChange{
		"c":    {Set: map[string]string{"segment.ms": "2"}, Remove: []string{"retention.ms", "never.set"}},
		"gone": {Set: map[string]string{"segment.ms": "2"}},
	}))
	got, err := k.TopicConfigs(ctx, []string{"a", "c", "gone"})
	if _, known := got["gone"]; err != nil || known || len(got["a"]) != 0 || !maps.Equal(got["c"], map[string]string{"segment.ms": "2"}) {
		t.Errorf("got %v, %v", got, err)
	}
}
