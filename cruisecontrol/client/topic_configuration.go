package client

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
)

// TopicConfigurationParameters of POST topic_configuration.
type TopicConfigurationParameters struct {
	// TopicByReplicationFactor are regular expressions over topics, by the replication factor that these are to have.
	TopicByReplicationFactor map[int]string
	// SkipRackAwarenessCheck allows more replicas than there are racks.
	SkipRackAwarenessCheck bool
	GoalParameters
	ExecutionParameters
}

// TopicConfiguration implements Client.
func (c *client) TopicConfiguration(ctx context.Context, s Submission, p TopicConfigurationParameters) (Answer[Plan], error) {
	params := s.parameters()
	p.GoalParameters.addTo(params)
	p.ExecutionParameters.addTo(params, c.cfg)
	params.bool("skip_hard_goal_check", p.SkipHardGoalCheck)
	params.bool("skip_rack_awareness_check", p.SkipRackAwarenessCheck)
	r := post("topic_configuration", params)
	r.task, r.json = s.task, topics(params, p.TopicByReplicationFactor)
	return ask[Plan](ctx, c, r)
}

// topics adds what one replication factor is for. Several of them fit into a body only, which is returned.
func topics(p *parameters, byFactor map[int]string) []byte {
	named := map[string]string{}
	for _, factor := range slices.Sorted(maps.Keys(byFactor)) {
		if factor < 1 || byFactor[factor] == "" {
			p.refuse("topic", "no topics, or a replication factor below 1: %d for %q", factor, byFactor[factor])
		}
		p.checkASCII("topic", byFactor[factor])
		named[strconv.Itoa(factor)] = byFactor[factor]
	}
	if len(byFactor) > 1 {
		// A map of strings can be marshalled.
		body, _ := json.Marshal(map[string]any{"replication_factor": map[string]any{"topic_by_replication_factor": named}})
		return body
	}
	for factor, pattern := range byFactor {
		p.pattern("topic", pattern)
		p.positive("replication_factor", factor)
	}
	p.need("topic")
	return nil
}
