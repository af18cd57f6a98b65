package kafkacluster

import (
	"context"
	"encoding/json"
	"fmt"
	"sort"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	kafkaac "koperator.dev/koperator/apis/kafka/v1beta1/applyconfiguration/kafka/v1beta1"
	"koperator.dev/koperator/controllers/internal/kafka"
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

// status computes the whole status from what this pass saw.
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
		Phase:         s.phaseOf(m),
		ConfigHash:    m.runningHash(),
		RestartReason: shorten(m.restartReason),
	}
	if m.pod != nil {
		status.Pod = m.pod.Name
		status.Node = m.pod.Spec.NodeName
		status.Rack = m.pod.Annotations[v1beta1.AnnotationRack]
		status.Version = m.pod.Labels[v1beta1.LabelVersion]
	}
	for _, path := range m.paths() {
		status.Volumes = append(status.Volumes, volumeStatus(m, path))
	}
	status.Conditions = append(status.Conditions, old.Conditions...)
	reason, message := s.healthOf(m)
	healthy := metav1.ConditionFalse
	if reason == reasonHealthy {
		healthy = metav1.ConditionTrue
	}
	s.setCondition(&status.Conditions, v1beta1.ConditionBrokerHealthy, healthy, reason, message)
	return status
}

func volumeStatus(m *member, path string) v1beta1.VolumeStatus {
	status := v1beta1.VolumeStatus{Path: path, Phase: v1beta1.VolumePending}
	claim := m.claims[path]
	if claim == nil {
		return status
	}
	status.Claim = claim.Name
	if capacity, ok := claim.Status.Capacity[corev1.ResourceStorage]; ok {
		status.Capacity = capacity.String()
	}
	switch {
	case !m.inSpec(path):
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

func isGrowing(claim *corev1.PersistentVolumeClaim) bool {
	want, have := claim.Spec.Resources.Requests[corev1.ResourceStorage], claim.Status.Capacity[corev1.ResourceStorage]
	return want.Cmp(have) > 0
}

// phaseOf is where a node is in its life.
func (s *scope) phaseOf(m *member) v1beta1.BrokerPhase {
	switch {
	case m.leaving() && m.removing:
		return v1beta1.BrokerRemoving
	case m.leaving():
		return v1beta1.BrokerDraining
	case m.pod == nil && m.problem == "":
		return v1beta1.BrokerPending
	case m.pod == nil:
		return v1beta1.BrokerFailed
	case !m.pod.DeletionTimestamp.IsZero():
		return v1beta1.BrokerRestarting
	case isCrashing(m.pod) || kafkaStatus(m.pod) != nil && isStopped(m.pod):
		return v1beta1.BrokerFailed
	case !isRunning(m.pod):
		return v1beta1.BrokerPending
	case !isReady(m.pod) || s.isFenced(m) || s.machineLost(m.pod):
		return v1beta1.BrokerJoining
	}
	return v1beta1.BrokerRunning
}

// isFenced tells whether Kafka itself says that a broker is not a member: its port stays open then.
func (s *scope) isFenced(m *member) bool {
	if s.kafkaCluster == nil || !m.broker {
		return false
	}
	broker, registered := s.kafkaCluster.Brokers[m.id]
	return !registered || broker.Fenced
}

// Reasons of the condition of a node.
const (
	reasonHealthy       = "Running"
	reasonStarting      = "Starting"
	reasonStopping      = "Stopping"
	reasonFenced        = "Fenced"
	reasonUnschedulable = "Unschedulable"
	reasonSpec          = "SpecNotAccepted"
	reasonAwaitsAddress = "AwaitsExternalAddress"
	reasonCrashing      = "Crashing"
	reasonNodeLost      = "NodeNotReady"
	reasonEvicted       = "Evicted"
)

// healthOf says in a word and in a sentence what is wrong with a node.
func (s *scope) healthOf(m *member) (reason, message string) {
	switch {
	case m.problem != "":
		return reasonSpec, m.problem
	case m.pod == nil && m.awaits != "":
		return reasonAwaitsAddress, m.awaits
	case m.pod == nil:
		return reasonStarting, "its Pod is being created"
	case !m.pod.DeletionTimestamp.IsZero():
		return reasonStopping, s.stoppingMessage(m)
	case isOver(m.pod):
		return reasonEvicted, fmt.Sprintf("its Pod ended (%s %s) and is replaced", m.pod.Status.Reason, m.pod.Status.Message)
	}
	if message := unschedulable(m.pod); message != "" {
		return reasonUnschedulable, message + s.claimTrouble(m)
	}
	if reason, message := containerTrouble(m.pod); reason != "" {
		return reason, message
	}
	if s.machineLost(m.pod) {
		return reasonNodeLost, fmt.Sprintf("node %s does not answer; if it is gone for good, delete it or taint it with node.kubernetes.io/out-of-service", m.pod.Spec.NodeName)
	}
	if !isReady(m.pod) {
		return reasonStarting, "Kafka has not opened its port yet: it starts, recovers its logs or waits for the controllers"
	}
	if s.isFenced(m) {
		return reasonFenced, "Kafka runs, and the controllers do not count it as a member"
	}
	return reasonHealthy, ""
}

func (s *scope) stoppingMessage(m *member) string {
	if s.machineLost(m.pod) {
		return fmt.Sprintf("its Pod is to stop, and node %s does not answer; if it is gone for good, delete it or taint it with node.kubernetes.io/out-of-service", m.pod.Spec.NodeName)
	}
	return "its Pod is stopping"
}

func unschedulable(pod *corev1.Pod) string {
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodScheduled && condition.Status == corev1.ConditionFalse && condition.Reason == corev1.PodReasonUnschedulable {
			return condition.Message
		}
	}
	return ""
}

// claimTrouble names the claims that a Pod waits for: the scheduler's own message does not.
func (s *scope) claimTrouble(m *member) string {
	var unbound []string
	for _, path := range m.paths() {
		claim := m.claims[path]
		if claim == nil || claim.Status.Phase == corev1.ClaimBound {
			continue
		}
		class := "the default StorageClass"
		if claim.Spec.StorageClassName != nil {
			class = "StorageClass " + *claim.Spec.StorageClassName
		}
		unbound = append(unbound, fmt.Sprintf("%s (claim %s, %s)", path, claim.Name, class))
	}
	if len(unbound) == 0 {
		return ""
	}
	return "; not bound: " + strings.Join(unbound, ", ")
}

// containerTrouble says why the container does not run, with Kafka's last words where there are any.
func containerTrouble(pod *corev1.Pod) (reason, message string) {
	status := kafkaStatus(pod)
	if status == nil {
		return "", ""
	}
	if ended := status.LastTerminationState.Terminated; ended != nil && !status.Ready {
		return reasonCrashing, fmt.Sprintf("Kafka ended with exit code %d (%s), %d restarts: %s", ended.ExitCode, ended.Reason, status.RestartCount, lastWords(ended.Message))
	}
	if waiting := status.State.Waiting; waiting != nil && isBroken(waiting.Reason) {
		return waiting.Reason, waiting.Message
	}
	return "", ""
}

// lastWords are the last lines of a log, as the kubelet keeps them, without the frames of stack traces, which would leave
// no room for the error itself.
func lastWords(log string) string {
	const enough = 600
	var lines []string
	for line := range strings.Lines(log) {
		if trimmed := strings.TrimSpace(line); trimmed != "" && !strings.HasPrefix(trimmed, "at ") {
			lines = append(lines, trimmed)
		}
	}
	words := strings.Join(lines, "\n")
	if len(words) > enough {
		words = "..." + strings.ToValidUTF8(words[len(words)-enough:], "")
	}
	return words
}

// conditions derives the conditions of the cluster.
func (s *scope) conditions(old []metav1.Condition) []metav1.Condition {
	conditions := append([]metav1.Condition(nil), old...)
	set := func(kind string, ok bool, reason, message string) {
		value := metav1.ConditionFalse
		if ok {
			value, reason, message = metav1.ConditionTrue, "AsWanted", ""
		}
		s.setCondition(&conditions, kind, value, reason, message)
	}
	set(v1beta1.ConditionSpecAccepted, len(s.problems) == 0, reasonSpec, strings.Join(s.problems, "; "))
	if len(s.problems) == 0 && len(s.warnings) > 0 {
		s.setCondition(&conditions, v1beta1.ConditionSpecAccepted, metav1.ConditionTrue, "AcceptedWithWarnings", strings.Join(s.warnings, "; "))
	}
	set(v1beta1.ConditionQuorumRecommended, s.wantedControllers()%2 == 1, "EvenNumberOfControllers",
		fmt.Sprintf("%d controllers tolerate no more failures than %d: use an odd number", s.wantedControllers(), s.wantedControllers()-1))
	set(v1beta1.ConditionKafkaReachable, s.kafkaCluster != nil, "KafkaUnreachable", s.kafkaMessage())
	set(v1beta1.ConditionQuorumAvailable, s.quorum != nil && s.quorum.Leader >= 0, "NoQuorum", s.quorumMessage())
	ready, notReady := s.readiness()
	set(v1beta1.ConditionBrokersReady, len(notReady) == 0, "BrokersNotReady", "not ready: "+strings.Join(notReady, ", "))
	pending := s.pendingRestarts()
	set(v1beta1.ConditionConfigurationApplied, len(pending) == 0 && len(s.problems) == 0, "RestartsPending", strings.Join(append(pending, s.problems...), "; "))
	trouble := s.storageTrouble()
	set(v1beta1.ConditionStorageReady, len(trouble) == 0, "VolumesNotReady", strings.Join(trouble, "; "))
	s.setReady(&conditions, ready)
	return conditions
}

// setReady derives Ready: every broker and controller of the spec runs, and Kafka can be asked. A restart that waits
// does not make a cluster less ready; what is broken does.
func (s *scope) setReady(conditions *[]metav1.Condition, ready int) {
	for _, kind := range []string{v1beta1.ConditionSpecAccepted, v1beta1.ConditionBrokersReady, v1beta1.ConditionQuorumAvailable, v1beta1.ConditionKafkaReachable} {
		if c := meta.FindStatusCondition(*conditions, kind); c == nil || c.Status != metav1.ConditionTrue {
			s.setCondition(conditions, v1beta1.ConditionReady, metav1.ConditionFalse, c.Reason, c.Message)
			return
		}
	}
	if external := s.externalAccess(); external != nil && external.Status != metav1.ConditionTrue {
		s.setCondition(conditions, v1beta1.ConditionReady, metav1.ConditionFalse, external.Reason, external.Message)
		return
	}
	s.setCondition(conditions, v1beta1.ConditionReady, metav1.ConditionTrue, "AllNodesRunning", fmt.Sprintf("%d nodes run", ready))
}

func (s *scope) setCondition(conditions *[]metav1.Condition, kind string, value metav1.ConditionStatus, reason, message string) {
	meta.SetStatusCondition(conditions, metav1.Condition{
		Type: kind, Status: value, Reason: reason, Message: shorten(message),
		ObservedGeneration: s.cluster.Generation,
		// The API keeps whole seconds: anything finer would differ from what comes back.
		LastTransitionTime: metav1.NewTime(s.now.Truncate(time.Second)),
	})
}

func (s *scope) wantedControllers() int {
	count := 0
	for _, m := range s.members {
		if m.controller && !m.leaving() {
			count++
		}
	}
	return count
}

// readiness counts the nodes of the spec that run, and names the others with what is wrong.
func (s *scope) readiness() (ready int, notReady []string) {
	for _, m := range s.members {
		if m.leaving() {
			continue
		}
		if s.phaseOf(m) == v1beta1.BrokerRunning {
			ready++
			continue
		}
		reason, _ := s.healthOf(m)
		notReady = append(notReady, fmt.Sprintf("%d (%s)", m.id, reason))
	}
	return ready, notReady
}

func (s *scope) pendingRestarts() []string {
	var pending []string
	for _, m := range s.members {
		if m.restartReason != "" {
			pending = append(pending, fmt.Sprintf("%d (%s)", m.id, m.restartReason))
		}
	}
	return pending
}

func (s *scope) storageTrouble() []string {
	var trouble []string
	for _, m := range s.members {
		for _, path := range m.paths() {
			if v := volumeStatus(m, path); v.Phase != v1beta1.VolumeActive {
				trouble = append(trouble, fmt.Sprintf("%s of %d is %s", path, m.id, v.Phase))
			}
		}
	}
	return trouble
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
		if s.phaseOf(m) == v1beta1.BrokerRunning {
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
		if reason, message := s.healthOf(m); reason != reasonHealthy && !m.leaving() {
			waits = append(waits, v1beta1.BlockedBy{What: m.title(), Reason: reason, Message: message})
		}
	}
	return append(waits, s.waits...)
}

func shorten(text string) string {
	if len(text) <= maxMessage {
		return text
	}
	return strings.ToValidUTF8(text[:maxMessage-3], "") + "..."
}
