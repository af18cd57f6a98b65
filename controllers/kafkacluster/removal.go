package kafkacluster

import (
	"context"
	"errors"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"koperator.dev/koperator/apis/machinery/kafka"
	"koperator.dev/koperator/controllers/internal/desired"
	"koperator.dev/koperator/controllers/internal/removal"
)

// removeBrokers takes the next step for each member that the spec no longer has. A member runs on until Kafka itself
// reports nothing on it.
func (s *scope) removeBrokers(ctx context.Context) error {
	logDirs := s.logDirsOf(ctx, "removal", (*member).leaving)
	var failures []error
	for _, m := range s.members {
		if m.leaving() {
			if err := s.removeMember(ctx, m, logDirs[m.id]); err != nil {
				failures = append(failures, fmt.Errorf("%s: %w", m.title(), err))
			}
		}
	}
	return errors.Join(failures...)
}

// logDirsOf asks the brokers that are told for what is on their disks. One that has not answered is not in the map.
func (s *scope) logDirsOf(ctx context.Context, why string, which func(*member) bool) map[int32][]kafka.LogDir {
	var ids []int32
	for _, m := range s.members {
		if m.broker && isReady(m.pod) && which(m) {
			ids = append(ids, m.id)
		}
	}
	if s.kafkaCluster == nil || len(ids) == 0 {
		return nil
	}
	dirs, err := s.admin.LogDirs(ctx, ids)
	if err != nil {
		s.wait(why, "LogDirsUnknown", "the log directories could not be read: %v", err)
	}
	return dirs
}

func (s *scope) removeMember(ctx context.Context, m *member, dirs []kafka.LogDir) error {
	if m.foreign != "" {
		s.wait("removal of "+m.title(), "ForeignDisk", "a disk of it belongs to another Kafka cluster, %s: only a person can know whether its data is needed", m.foreign)
		return nil
	}
	step := removal.Next(s.removalFacts(m, dirs))
	m.removing = step.Removing()
	if step.Message != "" {
		s.wait("removal of "+m.title(), step.Code, "%s", step.Message)
	}
	switch step.Action {
	case removal.Keep:
		return s.keepRunning(ctx, m)
	case removal.DeletePod:
		if granted, err := s.takeGrant(ctx, "removal of "+m.title()); err != nil || !granted {
			return err
		}
		s.event(corev1.EventTypeNormal, "Removing", "Remove", "%s holds no replica any more and is stopped", m.title())
		return s.deletePod(ctx, m.pod)
	case removal.Unregister:
		if err := s.admin.UnregisterBroker(ctx, m.id); err != nil {
			return fmt.Errorf("unregistering: %w", err)
		}
	case removal.DeleteClaims:
		return s.deleteClaims(ctx, m)
	case removal.Done:
		return s.deleteRest(ctx, m)
	case removal.Wait:
	}
	return nil
}

func (s *scope) removalFacts(m *member, dirs []kafka.LogDir) removal.Facts {
	facts := removal.Facts{
		ID: m.id, Controller: m.controller, Broker: m.broker,
		PodExists:   m.pod != nil,
		ClaimsExist: len(m.claims) > 0,
		KafkaKnown:  s.kafkaCluster != nil,
		QuorumKnown: s.quorum != nil && s.quorum.Leader >= 0,
	}
	if m.pod != nil {
		facts.PodTerminating = !m.pod.DeletionTimestamp.IsZero()
		facts.PodStopped = isStopped(m.pod)
	}
	if facts.QuorumKnown {
		facts.Voter = slices.ContainsFunc(s.quorum.Voters, func(v kafka.QuorumReplica) bool { return v.ID == m.id })
	}
	if facts.KafkaKnown {
		s.addBrokerFacts(&facts)
	}
	if dirs != nil {
		facts.LogDirsKnown, facts.LogDirReplicas = true, countReplicas(dirs)
	}
	return facts
}

func (s *scope) addBrokerFacts(facts *removal.Facts) {
	broker, registered := s.kafkaCluster.Brokers[facts.ID]
	facts.Registered, facts.Fenced = registered, broker.Fenced
	facts.LastBroker = true
	for id, other := range s.kafkaCluster.Brokers {
		if id != facts.ID && !other.Fenced {
			facts.LastBroker = false
		}
	}
	for i := range s.kafkaCluster.Partitions {
		if slices.Contains(s.kafkaCluster.Partitions[i].Replicas, facts.ID) {
			facts.Replicas++
		}
	}
}

// countReplicas adds up what is in the log directories that can be read. A disk that has failed would keep its broker
// for ever: what is on it is known from the metadata alone, which is asked as well.
func countReplicas(dirs []kafka.LogDir) int {
	replicas := 0
	for _, dir := range dirs {
		if dir.Err == nil {
			replicas += dir.Replicas
		}
	}
	return replicas
}

// deleteClaims deletes the disks of a member, on the proof that removal.Next asks for.
func (s *scope) deleteClaims(ctx context.Context, m *member) error {
	for path := range m.claims {
		if err := s.deleteClaim(ctx, m, path); err != nil {
			return err
		}
	}
	return nil
}

// deleteClaim deletes a disk. Claims are deleted here and nowhere else in this program: those of a whole member, and those
// that storage.Next finds proof for.
func (s *scope) deleteClaim(ctx context.Context, m *member, path string) error {
	claim := m.claims[path]
	if err := s.client.Delete(ctx, claim, client.Preconditions{UID: &claim.UID}); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("deleting claim of %s: %w", path, err)
	}
	s.event(corev1.EventTypeNormal, "ClaimDeleted", "Remove", "claim %s of %s was deleted: Kafka reports no replica on it", claim.Name, m.title())
	return nil
}

// deleteRest deletes what holds no data.
func (s *scope) deleteRest(ctx context.Context, m *member) error {
	rest := []client.Object{
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: s.cluster.Namespace, Name: desired.NodeSecretName(s.cluster.Name, m.id)}},
	}
	if m.config != nil {
		rest = append(rest, m.config)
	}
	for _, obj := range rest {
		if err := s.client.Delete(ctx, obj); client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("deleting %s: %w", obj.GetName(), err)
		}
	}
	s.event(corev1.EventTypeNormal, "Removed", "Remove", "%s is removed", m.title())
	return nil
}
