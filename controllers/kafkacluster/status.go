package kafkacluster

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"slices"
	"sort"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	kafkaac "koperator.dev/koperator/apis/kafka/v1beta1/applyconfiguration/kafka/v1beta1"
	"koperator.dev/koperator/apis/machinery/kafka"
)

// Bounds of the schema.
const (
	maxMessage   = 1024
	maxBlockedBy = 64
)

// writeStatus says what this pass saw. It writes once, at the end of the pass, and only what differs.
func (s *scope) writeStatus(ctx context.Context) error {
	before := ownStatus(&s.cluster.Status)
	after := s.status()
	setMetrics(s.name(), after, s.plan.Unprotected)
	if equality.Semantic.DeepEqual(before, after) {
		return nil
	}
	wanted := &kafkaac.KafkaClusterStatusApplyConfiguration{}
	if err := convert(after, wanted); err != nil {
		return err
	}
	if err := s.memory.apply.Status(ctx, kafkaac.KafkaCluster(s.cluster.Name, s.cluster.Namespace).WithStatus(wanted)); err != nil {
		return err
	}
	s.announce(before, after)
	return nil
}

// convert turns an API type into its apply configuration, which has the same JSON.
func convert(from, to any) error {
	body, err := json.Marshal(from)
	if err != nil {
		return fmt.Errorf("marshalling: %w", err)
	}
	if err := json.Unmarshal(body, to); err != nil {
		return fmt.Errorf("unmarshalling: %w", err)
	}
	return nil
}

// status computes the whole status from what this pass saw, and assess made of it.
func (s *scope) status() *v1beta1.KafkaClusterStatus {
	old := &s.cluster.Status
	status := &v1beta1.KafkaClusterStatus{
		ObservedGeneration: s.cluster.Generation,
		ClusterID:          s.clusterID,
		Quorum:             quorumStatus(s.quorum),
	}
	for _, m := range s.members {
		status.Brokers = append(status.Brokers, s.brokerStatus(m, oldBroker(old, m.id)))
	}
	status.Conditions = s.conditions(ownConditions(old.Conditions))
	status.BlockedBy = s.blockedBy(old.BlockedBy)
	status.Disruption = s.disruption()
	status.Summary = s.summary(status)
	return status
}

func quorumStatus(q *kafka.Quorum) *v1beta1.QuorumStatus {
	if q == nil {
		return nil
	}
	status := &v1beta1.QuorumStatus{}
	if q.Leader >= 0 {
		status.Leader = &q.Leader
	}
	for _, voter := range q.Voters {
		status.Voters = append(status.Voters, voter.ID)
	}
	sort.Slice(status.Voters, func(i, j int) bool { return status.Voters[i] < status.Voters[j] })
	return status
}

func oldBroker(status *v1beta1.KafkaClusterStatus, id int32) v1beta1.BrokerStatus {
	for i := range status.Brokers {
		if status.Brokers[i].ID == id {
			return status.Brokers[i]
		}
	}
	return v1beta1.BrokerStatus{}
}

func (s *scope) brokerStatus(m *member, old v1beta1.BrokerStatus) v1beta1.BrokerStatus {
	status := v1beta1.BrokerStatus{
		ID:            m.id,
		Phase:         m.phase,
		ConfigHash:    m.runningHash(),
		RestartReason: shorten(m.restartReason),
	}
	if m.pod != nil {
		status.Pod = m.pod.Name
		status.Node = m.pod.Spec.NodeName
		status.Rack = m.pod.Annotations[v1beta1.AnnotationRack]
		status.Version = m.pod.Labels[v1beta1.LabelVersion]
	}
	if claim := m.claims[m.metadataPath()]; claim != nil {
		status.Incarnation = incarnation(claim)
	}
	for _, path := range m.paths() {
		status.Volumes = append(status.Volumes, volumeStatus(m, path))
	}
	status.Conditions = append(status.Conditions, old.Conditions...)
	healthy := metav1.ConditionFalse
	if m.health.reason == reasonHealthy {
		healthy = metav1.ConditionTrue
	}
	s.setCondition(&status.Conditions, v1beta1.ConditionBrokerHealthy, healthy, m.health.reason, m.health.message)
	return status
}

func volumeStatus(m *member, path string) v1beta1.VolumeStatus {
	status := v1beta1.VolumeStatus{Path: path, Phase: v1beta1.VolumePending}
	claim := m.claims[path]
	if claim == nil {
		return status
	}
	status.Claim, status.Incarnation = claim.Name, incarnation(claim)
	if capacity, ok := claim.Status.Capacity[corev1.ResourceStorage]; ok {
		status.Capacity = capacity.String()
	}
	switch {
	case slices.Contains(m.removedPaths(), path) && m.isLeftOut(path):
		status.Phase = v1beta1.VolumeRemoving
	case !m.inSpec(path) && path != m.metadataPath(): // which stays, so that moving data off it would be in vain
		status.Phase = v1beta1.VolumeDraining
	case claim.Status.Phase != corev1.ClaimBound:
		status.Phase = v1beta1.VolumePending
	case isGrowing(claim):
		status.Phase = v1beta1.VolumeResizing
	default:
		status.Phase = v1beta1.VolumeActive
	}
	return status
}

// incarnation tells one life of a disk from another. A node lives as long as the disk with its metadata log, which is never
// taken from it: a disk more or less does not change it.
func incarnation(claim *corev1.PersistentVolumeClaim) string {
	h := fnv.New32a()
	_, _ = h.Write([]byte(claim.UID))
	return fmt.Sprintf("%08x", h.Sum32())
}

func isGrowing(claim *corev1.PersistentVolumeClaim) bool {
	want, have := claim.Spec.Resources.Requests[corev1.ResourceStorage], claim.Status.Capacity[corev1.ResourceStorage]
	return want.Cmp(have) > 0
}

func (s *scope) summary(status *v1beta1.KafkaClusterStatus) *v1beta1.ClusterSummary {
	summary := &v1beta1.ClusterSummary{
		Brokers:     s.countReady(func(m *member) bool { return m.broker }),
		Controllers: s.countReady(func(m *member) bool { return m.controller }),
		Rollout:     shorten(strings.Join(s.pendingRestarts(), ", ")),
	}
	if len(status.BlockedBy) > 0 {
		first := status.BlockedBy[0]
		summary.Message = shorten(first.What + ": " + first.Message)
	}
	return summary
}

func (s *scope) countReady(counts func(*member) bool) string {
	ready, wanted := 0, 0
	for _, m := range s.members {
		if !counts(m) || m.leaving() {
			continue
		}
		wanted++
		if m.phase == v1beta1.BrokerRunning {
			ready++
		}
	}
	return fmt.Sprintf("%d/%d", ready, wanted)
}

// blockedBy explains every wait, and carries over since when each one has lasted.
func (s *scope) blockedBy(old []v1beta1.BlockedBy) []v1beta1.BlockedBy {
	var entries []v1beta1.BlockedBy
	seen := map[string]bool{}
	for _, w := range s.allWaits() {
		if seen[w.What] || len(entries) == maxBlockedBy {
			continue
		}
		seen[w.What] = true
		w.Message = shorten(w.Message)
		w.Since = metav1.NewTime(s.now.Truncate(time.Second))
		for _, o := range old {
			if o.What == w.What && o.Reason == w.Reason {
				w.Since = o.Since
			}
		}
		entries = append(entries, w)
	}
	return entries
}

// allWaits puts first what a person would look at first: what failed, then what is broken, then what merely waits.
func (s *scope) allWaits() []v1beta1.BlockedBy {
	var waits []v1beta1.BlockedBy
	for _, failure := range s.failures {
		name, message, _ := strings.Cut(failure.Error(), ": ")
		waits = append(waits, v1beta1.BlockedBy{What: name, Reason: "Error", Message: message})
	}
	for _, m := range s.members {
		if m.health.reason == reasonHealthy || m.leaving() {
			continue
		}
		what := m.title()
		if m.health.reason == reasonExternalAddress {
			what = "start of " + what
		}
		waits = append(waits, v1beta1.BlockedBy{What: what, Reason: m.health.reason, Message: m.health.message})
	}
	return append(waits, s.waits...)
}

func shorten(text string) string {
	if len(text) <= maxMessage {
		return text
	}
	return strings.ToValidUTF8(text[:maxMessage-3], "") + "..."
}
