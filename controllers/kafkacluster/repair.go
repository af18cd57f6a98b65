package kafkacluster

import (
	"context"
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/controllers/internal/desired"
)

// repairPods gives every node of the spec a Pod. Nothing is waited for: no other node, no gate, and not Kafka.
func (s *scope) repairPods(ctx context.Context) error {
	var failures []error
	for _, m := range s.members {
		if m.leaving() {
			continue // it gets a new Pod only if it still has to run: removeBrokers knows
		}
		if err := s.repairPod(ctx, m); err != nil {
			failures = append(failures, fmt.Errorf("%s: %w", m.title(), err))
		}
	}
	return errors.Join(failures...)
}

func (s *scope) repairPod(ctx context.Context, m *member) error {
	switch {
	case m.pod == nil && !m.hasClaims():
		return nil
	case m.pod == nil && m.wanted != nil:
		return s.makePod(ctx, m)
	case m.pod == nil:
		return s.makePodAgain(ctx, m)
	case !m.pod.DeletionTimestamp.IsZero():
		if s.isProvenDead(m.pod) {
			return s.forceDelete(ctx, m)
		}
	case s.hasMoreRoom(m):
		s.event(corev1.EventTypeNormal, "DiskGrown", "Repair", "%s: a disk has grown, so its Pod is made again without waiting for the kubelet's next try", m.title())
		return s.deletePod(ctx, m.pod)
	case isOver(m.pod):
		restartsMetric.WithLabelValues(s.cluster.Namespace, s.cluster.Name, "Repair").Inc()
		s.event(corev1.EventTypeWarning, "PodEnded", "Repair", "%s: its Pod ended (%s %s) and is made again", m.title(), m.pod.Status.Reason, m.pod.Status.Message)
		return s.deletePod(ctx, m.pod)
	}
	return nil
}

// hasMoreRoom tells whether a disk of a node that cannot run has grown since it was last looked at. A full disk is a
// likely cause, and the kubelet may not try again for five minutes.
func (s *scope) hasMoreRoom(m *member) bool {
	if !isStopped(m.pod) || kafkaStatus(m.pod) == nil {
		delete(s.memory.capacities, m.id)
		return false
	}
	var capacities []string
	for _, path := range m.paths() {
		if claim := m.claims[path]; claim != nil {
			capacities = append(capacities, claim.Status.Capacity.Storage().String())
		}
	}
	before, now := s.memory.capacities[m.id], strings.Join(capacities, " ")
	s.memory.capacities[m.id] = now
	return before != "" && before != now
}

// makePod makes the Pod of a node from the spec. Its ConfigMap is written just before: a ConfigMap says what its node
// runs with, never what it is going to run with.
func (s *scope) makePod(ctx context.Context, m *member) error {
	if lags, err := s.claimsLag(ctx, m); err != nil || lags {
		return err
	}
	config := desired.ConfigMap(s.cluster, m.node, m.wanted.properties, m.wanted.intent)
	var existing client.Object
	if m.config != nil {
		existing = m.config
	}
	if _, err := s.memory.apply.Apply(ctx, config, existing); err != nil {
		return err
	}
	return s.createPod(ctx, m, m.wanted.pod)
}

// makePodAgain makes the Pod of a node from its ConfigMap, as it was made before: the node is no longer in the spec, or
// what the spec says of it cannot be used.
func (s *scope) makePodAgain(ctx context.Context, m *member) error {
	if m.config == nil {
		return nil
	}
	intent, err := desired.ReadIntent(m.config.Data)
	if err != nil {
		return fmt.Errorf("reading ConfigMap %s: %w", m.config.Name, err)
	}
	pod, err := intent.Pod()
	if err != nil {
		return fmt.Errorf("reading ConfigMap %s: %w", m.config.Name, err)
	}
	return s.createPod(ctx, m, pod)
}

// createPod creates and never applies: the name of a node's Pod is always the same, so that the API server itself
// refuses a second one.
func (s *scope) createPod(ctx context.Context, m *member, wanted *corev1ac.PodApplyConfiguration) error {
	pod := &corev1.Pod{}
	if err := convert(wanted, pod); err != nil {
		return err
	}
	if err := s.client.Create(ctx, pod); err != nil {
		return fmt.Errorf("creating pod: %w", err)
	}
	m.pod = pod
	s.event(corev1.EventTypeNormal, "PodCreated", "Start", "Pod %s of %s was created", pod.Name, m.title())
	return nil
}

// keepRunning repairs a member that leaves and still has to run.
func (s *scope) keepRunning(ctx context.Context, m *member) error { return s.repairPod(ctx, m) }

// startsFirst tells whether a node takes part in the first start of the cluster, so that its blank disk is formatted as
// one of the initial voters. This is asked of the disks' claims and never of status.
func (s *scope) startsFirst(m *member) bool {
	if !m.controller || s.established {
		return false
	}
	for _, claim := range m.claims {
		voters := claim.Annotations[v1beta1.AnnotationInitialControllers]
		if strings.Contains(","+voters, fmt.Sprintf(",%d@", m.id)) {
			return true
		}
	}
	return false
}

// hasClaims tells whether every disk of a node's next Pod is claimed, as far as the cache shows. A Pod is not made before:
// what is written on the claims decides how blank disks are formatted.
func (m *member) hasClaims() bool {
	for _, path := range m.mountedPaths() {
		if m.claims[path] == nil {
			return false
		}
	}
	return true
}
