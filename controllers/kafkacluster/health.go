package kafkacluster

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

// verdict says in a word and in a sentence how something is; the zero one that nothing is wrong.
type verdict struct {
	reason, message string
}

// assess judges each node once, after all steps of the pass.
func (s *scope) assess() {
	for _, m := range s.members {
		m.phase, m.health = s.phaseOf(m), s.healthOf(m)
	}
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
	reasonHealthy         = "Running"
	reasonStarting        = "Starting"
	reasonStopping        = "Stopping"
	reasonFenced          = "Fenced"
	reasonUnschedulable   = "Unschedulable"
	reasonSpec            = "SpecNotAccepted"
	reasonExternalAddress = "ExternalAddress"
	reasonCrashing        = "Crashing"
	reasonNodeLost        = "NodeNotReady"
	reasonEvicted         = "Evicted"
)

// healthOf says what is wrong with a node.
func (s *scope) healthOf(m *member) verdict {
	switch {
	case m.problem != "":
		return verdict{reasonSpec, m.problem}
	case m.pod == nil && m.awaits != "":
		return verdict{reasonExternalAddress, m.awaits}
	case m.pod == nil:
		return verdict{reasonStarting, "its Pod is being created"}
	case !m.pod.DeletionTimestamp.IsZero():
		return verdict{reasonStopping, s.stoppingMessage(m)}
	case isOver(m.pod):
		return verdict{reasonEvicted, fmt.Sprintf("its Pod ended (%s %s) and is replaced", m.pod.Status.Reason, m.pod.Status.Message)}
	}
	if message := unschedulable(m.pod); message != "" {
		return verdict{reasonUnschedulable, message + s.claimTrouble(m)}
	}
	if trouble := containerTrouble(m.pod); trouble.reason != "" {
		return trouble
	}
	if s.machineLost(m.pod) {
		return verdict{reasonNodeLost, fmt.Sprintf("node %s does not answer; if it is gone for good, delete it or taint it with node.kubernetes.io/out-of-service", m.pod.Spec.NodeName)}
	}
	if !isReady(m.pod) {
		return verdict{reasonStarting, "Kafka has not opened its port yet: it starts, recovers its logs or waits for the controllers"}
	}
	if s.isFenced(m) {
		return verdict{reasonFenced, "Kafka runs, and the controllers do not count it as a member"}
	}
	return verdict{reason: reasonHealthy}
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
func containerTrouble(pod *corev1.Pod) verdict {
	if trouble := reporterTrouble(pod); trouble.reason != "" {
		return trouble
	}
	status := kafkaStatus(pod)
	if status == nil {
		return verdict{}
	}
	if ended := status.LastTerminationState.Terminated; ended != nil && !status.Ready {
		return verdict{reasonCrashing, fmt.Sprintf("Kafka ended with exit code %d (%s), %d restarts: %s", ended.ExitCode, ended.Reason, status.RestartCount, lastWords(ended.Message))}
	}
	if waiting := status.State.Waiting; waiting != nil && isBroken(waiting.Reason) {
		return verdict{waiting.Reason, waiting.Message}
	}
	return verdict{}
}

// reporterTrouble says why the metrics reporter of Cruise Control cannot be brought, without which Kafka does not start.
func reporterTrouble(pod *corev1.Pod) verdict {
	status := reporterStatus(pod)
	if status == nil || status.State.Running != nil {
		return verdict{}
	}
	if waiting := status.State.Waiting; waiting != nil && isBroken(waiting.Reason) {
		message := waiting.Message
		if ended := status.LastTerminationState.Terminated; ended != nil {
			message = lastWords(ended.Message)
		}
		return verdict{waiting.Reason, "its metrics reporter cannot be brought: " + message}
	}
	return verdict{}
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
