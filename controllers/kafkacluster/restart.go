package kafkacluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/controllers/internal/rollout"
)

// maxElections is how often preferred leaders are elected before a restart. An election that fails must not stop a
// rollout for ever.
const maxElections = 5

// restartOne restarts the one node that may be restarted now, and says of the others why they wait. The Pod is deleted
// here; the next pass finds it missing and makes it from the wanted configuration.
func (s *scope) restartOne(ctx context.Context) error {
	s.findFenced()
	s.plan = rollout.Next(s.rolloutFacts())
	for _, w := range s.plan.Waits {
		s.wait(fmt.Sprintf("restart of %s", s.titleOf(w.ID)), w.Code, "%s", w.Message)
	}
	failures := []error{s.endSuspicions(ctx)}
	for _, step := range s.plan.Repairs {
		failures = append(failures, s.restart(ctx, step, "Repair"))
	}
	if s.plan.Restart == nil {
		return errors.Join(failures...)
	}
	return errors.Join(append(failures, s.restartThroughGate(ctx, *s.plan.Restart))...)
}

// restartThroughGate stops a running node, which rollout.Next allows if what it was told is still true.
func (s *scope) restartThroughGate(ctx context.Context, step rollout.Step) error {
	fresh, err := s.podsAreAsSeen(ctx)
	if err != nil || !fresh {
		return err
	}
	m := s.member(step.ID)
	if granted, err := s.takeGrant(ctx, "restart of "+m.title()); err != nil || !granted {
		return err
	}
	if s.leadersMisplaced() && s.memory.elections < maxElections {
		// The leaders of the node restarted before come home first, or the last nodes would lead everything.
		s.memory.elections++
		return s.electPreferredLeaders(ctx)
	}
	s.memory.elections = 0
	if empty, err := s.stillEmpty(ctx, m); err != nil || !empty {
		return err
	}
	if m.wanted != nil {
		if err := s.markAttempt(ctx, m, m.wanted.intent.Hash()); err != nil {
			return err
		}
	}
	if err := s.restart(ctx, step, "Configuration"); err != nil {
		return err
	}
	return s.releaseDisks(ctx, m)
}

// podsAreAsSeen asks the API server itself for the Pods: a plan made from a cache that does not show the last restart yet
// could stop a second node.
func (s *scope) podsAreAsSeen(ctx context.Context) (bool, error) {
	pods := &corev1.PodList{}
	if err := s.reader.List(ctx, pods, client.InNamespace(s.cluster.Namespace), client.MatchingLabels{v1beta1.LabelCluster: s.cluster.Name}, client.HasLabels{v1beta1.LabelBrokerID}); err != nil {
		return false, fmt.Errorf("listing pods: %w", err)
	}
	seen := map[types.UID]*corev1.Pod{}
	for _, m := range s.members {
		if m.pod != nil {
			seen[m.pod.UID] = m.pod
		}
	}
	for i := range pods.Items {
		pod := seen[pods.Items[i].UID]
		if pod == nil || isReady(pod) != isReady(&pods.Items[i]) {
			return false, nil
		}
	}
	return len(pods.Items) == len(seen), nil
}

// markAttempt notes on a node's ConfigMap that the node ran and is restarted with another configuration. If it does not
// come back, that configuration is suspected, and no other node is restarted with it. An empty hash ends the suspicion.
func (s *scope) markAttempt(ctx context.Context, m *member, hash string) error {
	if m.config == nil || m.config.Annotations[v1beta1.AnnotationAttempt] == hash {
		return nil
	}
	value := any(hash)
	if hash == "" {
		value = nil
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": map[string]any{v1beta1.AnnotationAttempt: value}}})
	if err != nil {
		return fmt.Errorf("marshalling: %w", err)
	}
	config := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: m.config.Namespace, Name: m.config.Name}}
	if err := s.client.Patch(ctx, config, client.RawPatch(types.MergePatchType, patch)); err != nil {
		return fmt.Errorf("marking ConfigMap: %w", err)
	}
	return nil
}

func (s *scope) restart(ctx context.Context, step rollout.Step, why string) error {
	m := s.member(step.ID)
	if m.pod == nil {
		return nil // made from the wanted configuration as soon as it can be
	}
	if err := s.deletePod(ctx, m.pod); err != nil {
		return err
	}
	restartsMetric.WithLabelValues(s.cluster.Namespace, s.cluster.Name, why).Inc()
	s.event(corev1.EventTypeNormal, "Restarting", "Rollout", "%s is restarted: %s", m.title(), step.Reason)
	return nil
}

func (s *scope) rolloutFacts() rollout.Facts {
	facts := rollout.Facts{KafkaKnown: s.kafkaCluster != nil, Quorum: s.quorum, Unsettled: s.whyUnsettled()}
	if s.kafkaCluster != nil {
		facts.Partitions = s.kafkaCluster.Partitions
	}
	for _, m := range s.members {
		facts.Nodes = append(facts.Nodes, s.rolloutNode(m))
	}
	return facts
}

func (s *scope) rolloutNode(m *member) rollout.Node {
	node := rollout.Node{
		ID: m.id, Controller: m.controller, Broker: m.broker,
		Reason:    m.restartReason,
		Ready:     isReady(m.pod),
		Stopped:   isStopped(m.pod),
		Broken:    s.isBroken(m),
		Unreached: s.whyUnreached(m),
	}
	node.Stopping = m.pod != nil && !m.pod.DeletionTimestamp.IsZero()
	node.Restarting = !node.Ready && !node.Broken
	if s.kafkaCluster != nil && m.broker {
		broker, known := s.kafkaCluster.Brokers[m.id]
		node.Known, node.Fenced = known, broker.Fenced
	}
	return node
}

// isBroken tells whether nothing that is under way brings a node back, so that the others do not wait for it. A node that
// a restart of ours has broken is not among them: its new configuration would break the next one too.
func (s *scope) isBroken(m *member) bool {
	if m.pod == nil {
		return m.problem != "" || m.awaits != ""
	}
	if m.config != nil && m.config.Annotations[v1beta1.AnnotationAttempt] == m.runningHash() {
		return s.machineLost(m.pod)
	}
	return cannotStart(m.pod) || unschedulable(m.pod) != "" || s.machineLost(m.pod)
}

func (s *scope) member(id int32) *member {
	for _, m := range s.members {
		if m.id == id {
			return m
		}
	}
	return nil
}

// leadersMisplaced tells whether a partition could be led by its preferred replica and is not.
func (s *scope) leadersMisplaced() bool {
	if s.kafkaCluster == nil {
		return false
	}
	for i := range s.kafkaCluster.Partitions {
		p := &s.kafkaCluster.Partitions[i]
		if len(p.Replicas) == 0 || p.Leader == p.Replicas[0] {
			continue
		}
		for _, inSync := range p.ISR {
			if inSync == p.Replicas[0] {
				return true
			}
		}
	}
	return false
}

func (s *scope) electPreferredLeaders(ctx context.Context) error {
	if err := s.admin.ElectPreferredLeaders(ctx); err != nil {
		return fmt.Errorf("electing preferred leaders: %w", err)
	}
	s.wait("restart", "LeadersMoving", "the preferred leaders are elected before the next restart")
	return nil
}

// fencedTooLong is how long a broker may run without being a member before it is restarted. Log recovery is not meant: a
// broker that recovers has not opened its port yet.
const fencedTooLong = 3 * time.Minute

// findFenced makes a reason for a restart of brokers that run, were members, and are none any more, though the
// controllers can be asked: such a process does not come back by itself.
func (s *scope) findFenced() {
	for _, m := range s.members {
		if s.kafkaCluster == nil || !isReady(m.pod) || !s.isFenced(m) {
			delete(s.memory.fencedSince, m.id)
			continue
		}
		since, known := s.memory.fencedSince[m.id]
		if !known {
			s.memory.fencedSince[m.id] = s.now
			continue
		}
		if s.now.Sub(since) > fencedTooLong && m.restartReason == "" && !m.leaving() {
			m.restartReason = fmt.Sprintf("its process runs and has been fenced for more than %s", fencedTooLong)
		}
	}
}

// endSuspicions forgets attempts that succeeded.
func (s *scope) endSuspicions(ctx context.Context) error {
	var failures []error
	for _, m := range s.members {
		if isReady(m.pod) && m.config != nil && m.config.Annotations[v1beta1.AnnotationAttempt] == m.runningHash() {
			failures = append(failures, s.markAttempt(ctx, m, ""))
		}
	}
	return errors.Join(failures...)
}
