package kafkacluster

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"koperator.dev/koperator/controllers/internal/desired"
	"koperator.dev/koperator/controllers/internal/serverproperties"
)

// blueprint is what a node's Pod is made from.
type blueprint struct {
	pod        *corev1ac.PodApplyConfiguration
	properties []serverproperties.Property
	intent     *desired.Intent
}

// checkSpec finds out what each node should be made from, how a running one differs from that, and what in the spec
// cannot be used. A node with a problem keeps what it has: a wrong property of one broker stops that broker's change
// alone.
func (s *scope) checkSpec(context.Context) error {
	for _, p := range serverproperties.CheckDynamicConfig(s.cluster.Spec.DynamicConfig, serverproperties.ClusterLevel) {
		s.problems = append(s.problems, "spec.dynamicConfig: "+p.String())
	}
	s.problems = append(s.problems, sharedAddresses(s.cluster)...)
	s.warnings = append(s.warnings, hiddenSources(s.cluster)...)
	for _, m := range s.members {
		if m.leaving() {
			continue
		}
		if s.findAddresses(m); m.awaits != "" {
			continue
		}
		if err := s.planMember(m); err != nil {
			m.problem = err.Error()
			s.problems = append(s.problems, m.title()+": "+m.problem)
		}
	}
	s.reportUnaddressed()
	return nil
}

func (s *scope) planMember(m *member) error {
	if m.foreign != "" {
		return fmt.Errorf("a disk of it belongs to another Kafka cluster, %s, and this one is %s: delete its claims if nobody needs their data, or give the node another id", m.foreign, s.clusterID)
	}
	if err := s.checkNode(m.node); err != nil {
		return err
	}
	for _, w := range serverproperties.Warnings(serverproperties.Values(m.node.Config)) {
		s.warnings = append(s.warnings, m.title()+": "+w.String())
	}
	return s.drawUp(m)
}

// drawUp makes the blueprint of a node, and finds out how the running one differs from it.
func (s *scope) drawUp(m *member) error {
	properties := desired.ServerProperties(s.cluster, m.node, m.disks())
	pod, err := desired.Pod(s.cluster, m.node, s.podInput(m))
	if err != nil {
		return err
	}
	intent, err := desired.NewIntent(pod, properties)
	if err != nil {
		return err
	}
	m.wanted = &blueprint{pod: intent.Mark(pod), properties: properties, intent: intent}
	m.restartReason = m.whyRestart()
	return nil
}

// checkNode finds what the schema cannot refuse.
func (s *scope) checkNode(node *desired.Node) error {
	config := serverproperties.Values(node.Config)
	problems := serverproperties.CheckConfig(config)
	if desired.HasReporter(s.cluster, node) {
		problems = append(problems, serverproperties.CheckReporter(config)...)
	}
	problems = append(problems, serverproperties.CheckDynamicConfig(node.DynamicConfig, serverproperties.BrokerLevel)...)
	if len(problems) == 0 {
		return nil
	}
	var texts []string
	for _, p := range problems {
		texts = append(texts, p.String())
	}
	return fmt.Errorf("its config cannot be used: %s", strings.Join(slices.Compact(texts), "; "))
}

func (s *scope) podInput(m *member) desired.PodInput {
	input := desired.PodInput{ClusterID: s.clusterID}
	if s.startsFirst(m) {
		input.InitialControllers = s.initialControllers
	}
	for _, path := range m.mountedPaths() {
		input.Volumes = append(input.Volumes, desired.Volume{Path: path, Claim: desired.ClaimName(s.cluster.Name, m.id, path)})
	}
	return input
}

// whyRestart compares what the Pod says it was made from with what it should be made from. The ConfigMap, written just
// before the Pod was made, only helps to name the difference.
func (m *member) whyRestart() string {
	if m.pod == nil || m.runningHash() == m.wanted.intent.Hash() {
		return ""
	}
	if m.config != nil {
		if have, err := desired.ReadIntent(m.config.Data); err == nil && have.Hash() == m.runningHash() {
			return desired.RestartReason(have, m.wanted.intent)
		}
	}
	return "it was not made from the present spec"
}
