package kafka

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	minISRKey = "min.insync.replicas"
	// minISRAge is how long a topic's min.insync.replicas is believed. Changes made through this client are seen at once.
	minISRAge = time.Minute
	// minISRBatch is the number of topics in one DescribeConfigs.
	minISRBatch = 1000
)

// minISRCache holds min.insync.replicas by topic: it changes rarely, and partitions are described in every pass.
type minISRCache struct {
	mu     sync.Mutex
	topics map[string]minISR
}

type minISR struct {
	topicID [16]byte // a topic created again under its name is another one
	value   int
	read    time.Time
}

// of returns min.insync.replicas in force for each topic: its own, else the default of the cluster, else the static one
// of the broker that answers. Topics that were deleted meanwhile are left out.
func (m *minISRCache) of(ctx context.Context, b broker, topics []kmsg.MetadataResponseTopic) (map[string]int, error) {
	values, due := m.lookup(topics, time.Now())
	read := make(map[string]int, len(due))
	// What was read before a failure need not be read again.
	defer func() { m.store(topics, read, time.Now()) }()
	for batch := range slices.Chunk(due, minISRBatch) {
		if err := readMinISR(ctx, b, batch, read); err != nil {
			return nil, err
		}
	}
	maps.Copy(values, read)
	return values, nil
}

// lookup returns the values that are fresh enough, and the topics to read.
func (m *minISRCache) lookup(topics []kmsg.MetadataResponseTopic, now time.Time) (values map[string]int, due []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	values = make(map[string]int, len(topics))
	for _, t := range topics {
		if t.Topic == nil {
			continue
		}
		if known, ok := m.topics[*t.Topic]; ok && known.topicID == t.TopicID && now.Sub(known.read) < minISRAge {
			values[*t.Topic] = known.value
		} else {
			due = append(due, *t.Topic)
		}
	}
	return values, due
}

// store remembers what was read, and forgets topics that are gone.
func (m *minISRCache) store(topics []kmsg.MetadataResponseTopic, read map[string]int, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(read) == 0 && len(topics) == len(m.topics) {
		return
	}
	kept := make(map[string]minISR, len(topics))
	for _, t := range topics {
		name := deref(t.Topic)
		if value, ok := read[name]; ok {
			kept[name] = minISR{topicID: t.TopicID, value: value, read: now}
		} else if old, ok := m.topics[name]; ok && old.topicID == t.TopicID {
			kept[name] = old
		}
	}
	m.topics = kept
}

// forget makes the next Describe read all topics.
func (m *minISRCache) forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.topics = nil
}

// readMinISR reads one batch of topics into values.
func readMinISR(ctx context.Context, b broker, topics []string, values map[string]int) error {
	req := kmsg.NewPtrDescribeConfigsRequest()
	for _, name := range topics {
		r := kmsg.NewDescribeConfigsRequestResource()
		r.ResourceType = kmsg.ConfigResourceTypeTopic
		r.ResourceName = name
		r.ConfigNames = []string{minISRKey}
		req.Resources = append(req.Resources, r)
	}
	resp, err := b.request(ctx, req)
	if err != nil {
		return err
	}
	for _, r := range resp.(*kmsg.DescribeConfigsResponse).Resources {
		if r.ErrorCode == kerr.UnknownTopicOrPartition.Code {
			continue
		}
		if err := kafkaError(r.ErrorCode, r.ErrorMessage); err != nil {
			return fmt.Errorf("reading %s of topic %s: %w", minISRKey, r.ResourceName, err)
		}
		if values[r.ResourceName], err = parseMinISR(r.Configs); err != nil {
			return fmt.Errorf("reading %s of topic %s: %w", minISRKey, r.ResourceName, err)
		}
	}
	return nil
}

func parseMinISR(configs []kmsg.DescribeConfigsResponseResourceConfig) (int, error) {
	for _, c := range configs {
		if c.Name == minISRKey && c.Value != nil {
			return strconv.Atoi(*c.Value)
		}
	}
	return 0, fmt.Errorf("kafka does not say it")
}
