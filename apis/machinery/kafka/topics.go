package kafka

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// TopicConfigs implements Admin.
func (c *client) TopicConfigs(ctx context.Context, topics []string) (map[string]map[string]string, error) {
	if len(topics) == 0 {
		return map[string]map[string]string{}, nil
	}
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	resp, err := c.ask(ctx, repeatAlways, func(context.Context) kmsg.Request {
		req := kmsg.NewPtrDescribeConfigsRequest()
		for _, topic := range topics {
			r := kmsg.NewDescribeConfigsRequestResource()
			r.ResourceType, r.ResourceName = kmsg.ConfigResourceTypeTopic, topic
			req.Resources = append(req.Resources, r)
		}
		return req
	})
	if err != nil {
		return nil, fmt.Errorf("reading config of topics: %w", err)
	}
	configs := map[string]map[string]string{}
	for _, r := range resp.(*kmsg.DescribeConfigsResponse).Resources {
		err := kafkaError(r.ErrorCode, r.ErrorMessage)
		if errors.Is(err, kerr.UnknownTopicOrPartition) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("reading config of topic %s: %w", r.ResourceName, err)
		}
		configs[r.ResourceName] = setAt(kmsg.ConfigSourceDynamicTopicConfig, r.Configs)
	}
	return configs, nil
}

// AlterTopicConfigs implements Admin.
func (c *client) AlterTopicConfigs(ctx context.Context, changes map[string]ConfigChange) error {
	if len(changes) == 0 {
		return nil
	}
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	// Also if it fails: it may have happened.
	defer c.minISR.forget()
	resp, err := c.ask(ctx, repeatAlways, func(context.Context) kmsg.Request {
		req := kmsg.NewPtrIncrementalAlterConfigsRequest()
		for _, topic := range slices.Sorted(maps.Keys(changes)) {
			req.Resources = append(req.Resources, resourceChange(kmsg.ConfigResourceTypeTopic, topic, changes[topic]))
		}
		return req
	})
	if err != nil {
		return fmt.Errorf("altering config of topics: %w", err)
	}
	var errs []error
	for _, r := range resp.(*kmsg.IncrementalAlterConfigsResponse).Resources {
		err := kafkaError(r.ErrorCode, r.ErrorMessage)
		if err != nil && !errors.Is(err, kerr.UnknownTopicOrPartition) {
			errs = append(errs, fmt.Errorf("altering config of topic %s: %w", r.ResourceName, err))
		}
	}
	return joined(errs)
}

// CreateTopic implements Admin.
func (c *client) CreateTopic(ctx context.Context, topic NewTopic) error {
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	resp, err := c.ask(ctx, repeatUnsent, func(ctx context.Context) kmsg.Request {
		t := kmsg.NewCreateTopicsRequestTopic()
		t.Topic, t.NumPartitions, t.ReplicationFactor = topic.Name, orDefault(topic.Partitions), orDefault(topic.ReplicationFactor)
		for _, name := range slices.Sorted(maps.Keys(topic.Config)) {
			config := kmsg.NewCreateTopicsRequestTopicConfig()
			config.Name, config.Value = name, kmsg.StringPtr(topic.Config[name])
			t.Configs = append(t.Configs, config)
		}
		req := kmsg.NewPtrCreateTopicsRequest()
		req.TimeoutMillis = millisLeft(ctx)
		req.Topics = append(req.Topics, t)
		return req
	})
	if err != nil {
		return fmt.Errorf("creating topic %s: %w", topic.Name, err)
	}
	for _, t := range resp.(*kmsg.CreateTopicsResponse).Topics {
		if err := kafkaError(t.ErrorCode, t.ErrorMessage); err != nil {
			return fmt.Errorf("creating topic %s: %w", topic.Name, err)
		}
	}
	return nil
}

// orDefault lets the brokers decide (KIP-464).
func orDefault[T int16 | int32](n T) T {
	if n == 0 {
		return -1
	}
	return n
}
