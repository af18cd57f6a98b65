package cruisecontrol

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// topics are the patterns of POST topic_configuration by replication factor: of the parameters, or of a body.
func (p *parser) topics(body []byte) map[int]string {
	topic, hasTopic := p.get("topic")
	factor := p.integer("replication_factor")
	fromBody := p.topicsOf(body)
	switch {
	case fromBody != nil && (hasTopic || factor != nil):
		p.fail("Requesting topic replication factor change from both HTTP request parameter and body is forbidden.")
	case fromBody != nil:
		return fromBody
	case !hasTopic && factor != nil:
		p.fail("Topic is not specified in URL while target replication factor is specified.")
	case hasTopic && factor == nil:
		p.fail("Topic's replication factor is not specified in URL while subject topic is specified.")
	case !hasTopic:
		p.fail("Nothing executable found in request.")
	case *factor < 1:
		p.fail("Target replication factor cannot be set to smaller than 1.")
	default:
		p.pattern(topic)
		return map[int]string{int(*factor): topic}
	}
	return nil
}

func (p *parser) topicsOf(body []byte) map[int]string {
	var parsed struct {
		ReplicationFactor struct {
			Topics map[string]string `json:"topic_by_replication_factor"`
		} `json:"replication_factor"`
	}
	if json.Unmarshal(body, &parsed) != nil || parsed.ReplicationFactor.Topics == nil {
		return nil
	}
	topics := map[int]string{}
	for factor, topic := range parsed.ReplicationFactor.Topics {
		number, err := strconv.Atoi(strings.TrimSpace(factor))
		if err != nil {
			p.fail("For input string: %q", factor)
		}
		p.pattern(topic)
		topics[number] = topic
	}
	return topics
}

// replicationFactors are those of the topics that match and have another one. What is wrong with them is not wrapped.
func (o *operation) replicationFactors() (map[string]int, error) {
	wanted, err := o.matchingTopics()
	if err != nil {
		return nil, err
	}
	if err := o.p.checkOffline(true); err != nil {
		return nil, err
	}
	racks := map[string]bool{}
	for _, b := range o.p.metadata.Brokers {
		racks[b.Rack] = true
	}
	for _, partition := range o.p.metadata.Partitions {
		if len(partition.Replicas) == wanted[partition.Topic] {
			delete(wanted, partition.Topic)
		}
	}
	for _, factor := range wanted {
		switch {
		case factor > len(o.p.metadata.Brokers):
			return nil, errText("java.lang.RuntimeException: Requested RF cannot be more than number of alive brokers.")
		case factor > len(racks) && !o.skipRackCheck:
			return nil, errText("java.lang.RuntimeException: Target topic replication factor for topics %s is larger than number of racks in cluster. There are %d racks in the cluster, to skip the rack-awareness check, set skip_rack_awareness_check to true in the request.",
				slices.Sorted(maps.Keys(wanted)), len(racks))
		}
	}
	if len(wanted) == 0 {
		return nil, errText("java.lang.IllegalStateException: All topics matching given pattern already have target replication factor. Requested topic pattern by replication factor: %v.", o.topics)
	}
	return wanted, nil
}

func (o *operation) matchingTopics() (map[string]int, error) {
	wanted := map[string]int{}
	for factor, expression := range o.topics {
		found := false
		pattern := (&parser{}).pattern(expression) // topics has parsed it
		for _, partition := range o.p.metadata.Partitions {
			if pattern.MatchString(partition.Topic) {
				wanted[partition.Topic], found = factor, true
			}
		}
		if !found {
			return nil, errText("java.lang.IllegalStateException: There is no topic in cluster matching pattern '%s'.", expression)
		}
	}
	return wanted, nil
}

// list writes numbers as Java does.
func list[T any](elements []T) string {
	parts := make([]string, len(elements))
	for i, e := range elements {
		parts[i] = fmt.Sprint(e)
	}
	return "[" + strings.Join(parts, ", ") + "]"
}
