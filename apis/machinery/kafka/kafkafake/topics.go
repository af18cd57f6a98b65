package kafkafake

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"

	"koperator.dev/koperator/apis/machinery/kafka"
)

// CancelReassignments implements kafka.Admin: the partitions go back to the replicas that they had.
func (k *Kafka) CancelReassignments(ctx context.Context, partitions []kafka.TopicPartition) error {
	return k.call(ctx, "CancelReassignments", joinedNames(partitions), func() error {
		k.state.Reassignments = slices.DeleteFunc(slices.Clone(k.state.Reassignments), func(r kafka.Reassignment) bool {
			if !slices.Contains(partitions, r.TopicPartition) {
				return false
			}
			k.withoutReplicas(r.TopicPartition, r.Adding)
			return true
		})
		return nil
	})
}

func (k *Kafka) withoutReplicas(tp kafka.TopicPartition, ids []int32) {
	gone := func(id int32) bool { return slices.Contains(ids, id) }
	for i := range k.state.Partitions {
		p := &k.state.Partitions[i]
		if p.Topic == tp.Topic && p.Partition == tp.Partition {
			p.Replicas = slices.DeleteFunc(slices.Clone(p.Replicas), gone)
			p.ISR = slices.DeleteFunc(slices.Clone(p.ISR), gone)
		}
	}
}

// TopicConfigs implements kafka.Admin.
func (k *Kafka) TopicConfigs(ctx context.Context, topics []string) (map[string]map[string]string, error) {
	configs := map[string]map[string]string{}
	err := k.call(ctx, "TopicConfigs", strings.Join(topics, " "), func() error {
		for _, topic := range topics {
			if k.hasTopic(topic) {
				configs[topic] = maps.Clone(k.state.TopicConfigs[topic])
			}
		}
		return nil
	})
	return configs, err
}

// AlterTopicConfigs implements kafka.Admin.
func (k *Kafka) AlterTopicConfigs(ctx context.Context, changes map[string]kafka.ConfigChange) error {
	var args []string
	for _, topic := range slices.Sorted(maps.Keys(changes)) {
		args = append(args, topic+": "+propertyArgs(changes[topic].Set, changes[topic].Remove))
	}
	return k.call(ctx, "AlterTopicConfigs", strings.Join(args, "; "), func() error {
		for topic, change := range changes {
			if !k.hasTopic(topic) {
				continue
			}
			config := maps.Clone(k.state.TopicConfigs[topic])
			if config == nil {
				config = map[string]string{}
			}
			maps.Copy(config, change.Set)
			for _, name := range change.Remove {
				delete(config, name)
			}
			k.state.TopicConfigs[topic] = config
		}
		return nil
	})
}

// CreateTopic implements kafka.Admin. Replicas are placed on the brokers in the order of their ids.
func (k *Kafka) CreateTopic(ctx context.Context, topic kafka.NewTopic) error {
	return k.call(ctx, "CreateTopic", fmt.Sprintf("%s %d %d", topic.Name, topic.Partitions, topic.ReplicationFactor), func() error {
		if k.hasTopic(topic.Name) {
			return kerr.TopicAlreadyExists
		}
		var serving []int32
		for _, id := range slices.Sorted(maps.Keys(k.state.Brokers)) {
			if k.serving(id) {
				serving = append(serving, id)
			}
		}
		replicas := int(max(topic.ReplicationFactor, 1))
		if replicas > len(serving) {
			return fmt.Errorf("%w (Unable to replicate the partition %d time(s))", kerr.InvalidReplicationFactor, replicas)
		}
		for i := range max(topic.Partitions, 1) {
			var ids []int32
			for r := range replicas {
				ids = append(ids, serving[(int(i)+r)%len(serving)])
			}
			k.state.Partitions = append(k.state.Partitions, kafka.Partition{
				Topic: topic.Name, Partition: i, Leader: ids[0], Replicas: ids, ISR: slices.Clone(ids), MinISR: 1,
			})
		}
		k.state.TopicConfigs[topic.Name] = maps.Clone(topic.Config)
		return nil
	})
}

func (k *Kafka) hasTopic(name string) bool {
	return slices.ContainsFunc(k.state.Partitions, func(p kafka.Partition) bool { return p.Topic == name })
}

func joinedNames(partitions []kafka.TopicPartition) string {
	parts := make([]string, len(partitions))
	for i, tp := range partitions {
		parts[i] = tp.String()
	}
	return strings.Join(parts, " ")
}
