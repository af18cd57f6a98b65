package kafkacluster

import (
	"errors"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	ccclient "koperator.dev/koperator/cruisecontrol/client"
	"koperator.dev/koperator/cruisecontrol/deployment"
)

// Reasons of the condition CruiseControlReady. Those of DataPlaced are the codes of a plan.
const (
	reasonReady       = "Ready"
	reasonBusy        = "Busy"
	reasonFailed      = "Failed"
	reasonForbidden   = "SecretsForbidden"
	reasonSpec        = "SpecNotAccepted"
	reasonKafka       = "KafkaNotReady"
	reasonSecret      = "CertificatePending"
	reasonRemoving    = "Removing"
	reasonNotRunning  = "NotRunning"
	reasonUnreachable = "NotAnswering"
	reasonLoading     = "Loading"
	reasonPlaced      = "Placed"
)

// maxMessage is what a message is cut to: more is for the objects that it names.
const maxMessage = 1024

// check says in a word and in a sentence what keeps Cruise Control from planning; nothing if nothing does.
type check func(*scope) verdict

// readyChecks come in the order in which a person would look: each may be the reason for those after it.
var readyChecks = []check{
	(*scope).hasFailed,
	func(s *scope) verdict { return s.missing },
	(*scope).isNotRunning,
	(*scope).isNotAnswering,
	(*scope).isLoading,
}

func (s *scope) setReady(conditions *[]metav1.Condition) {
	for _, check := range readyChecks {
		if found := check(s); found.reason != "" {
			s.setCondition(conditions, v1beta1.ConditionCruiseControlReady, metav1.ConditionFalse, found)
			return
		}
	}
	found := verdict{reason: reasonReady}
	if s.isBusy() {
		found.reason = reasonBusy
	}
	if s.held.Reason != "" {
		found.message = fmt.Sprintf("it is restarted when it is idle (%s): %s", s.rollout.Reason, s.held.Message)
	}
	s.setCondition(conditions, v1beta1.ConditionCruiseControlReady, metav1.ConditionTrue, found)
}

// hasFailed prefers a failure whose reason has a name.
func (s *scope) hasFailed() verdict {
	if len(s.failures) == 0 {
		return verdict{}
	}
	named := reasoned{reason: reasonFailed, error: s.failures[0]}
	for _, failure := range s.failures {
		if errors.As(failure, &named) {
			break
		}
	}
	return verdict{named.reason, named.Error()}
}

func (s *scope) isNotRunning() verdict {
	if s.instance != "" {
		return verdict{}
	}
	if !deployment.IsManaged(s.cluster) {
		return verdict{reasonNotRunning, "nobody can say where it is"}
	}
	for _, pod := range s.pods {
		if trouble := podTrouble(pod); trouble != "" {
			return verdict{reasonNotRunning, fmt.Sprintf("Pod %s: %s", pod.Name, trouble)}
		}
	}
	return verdict{reasonNotRunning, "its Pod does not run yet"}
}

// podTrouble says why a Pod does not run.
func podTrouble(pod *corev1.Pod) string {
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodScheduled && condition.Status == corev1.ConditionFalse {
			return condition.Message
		}
	}
	for _, container := range pod.Status.ContainerStatuses {
		if ended := container.LastTerminationState.Terminated; ended != nil && !container.Ready {
			return fmt.Sprintf("it ended with exit code %d (%s)", ended.ExitCode, ended.Reason)
		}
		if waiting := container.State.Waiting; waiting != nil && waiting.Reason != "ContainerCreating" && waiting.Reason != "PodInitializing" {
			return strings.TrimSuffix(waiting.Reason+": "+waiting.Message, ": ")
		}
	}
	return ""
}

// isNotAnswering names the kind of the failure: its text has ports and times in it, which differ each time.
func (s *scope) isNotAnswering() verdict {
	if !s.answer.At.IsZero() {
		return verdict{}
	}
	if s.unanswered == nil {
		return verdict{reasonUnreachable, "it has not been asked yet"}
	}
	var failure *ccclient.Error
	if errors.As(s.unanswered, &failure) {
		return verdict{reasonUnreachable, fmt.Sprintf("it does not answer (%s)", failure.Class)}
	}
	return verdict{reasonUnreachable, s.unanswered.Error()}
}

func (s *scope) isLoading() verdict {
	if isExecuting(s.answer.Executor) || canPlan(s.answer.Monitor) {
		return verdict{}
	}
	message := "it has not seen enough of the cluster's load yet"
	if monitor := s.answer.Monitor; monitor != nil {
		message += fmt.Sprintf(" (%s)", monitor.Phase)
	}
	return verdict{reasonLoading, message}
}

// setPlaced says why data is not where the spec wants it.
func (s *scope) setPlaced(conditions *[]metav1.Condition) {
	if len(s.plan.Waits) == 0 {
		s.setCondition(conditions, v1beta1.ConditionDataPlaced, metav1.ConditionTrue, verdict{reason: reasonPlaced})
		return
	}
	messages := make([]string, len(s.plan.Waits))
	for i, wait := range s.plan.Waits {
		messages[i] = wait.Message
	}
	s.setCondition(conditions, v1beta1.ConditionDataPlaced, metav1.ConditionFalse, verdict{s.plan.Waits[0].Code, strings.Join(messages, "; ")})
}

// setCondition carries the time of a condition over that stays as it is.
func (s *scope) setCondition(conditions *[]metav1.Condition, kind string, status metav1.ConditionStatus, v verdict) {
	meta.SetStatusCondition(conditions, metav1.Condition{
		Type: kind, Status: status, Reason: v.reason, Message: shorten(v.message), ObservedGeneration: s.cluster.Generation,
		LastTransitionTime: metav1.NewTime(s.now.Truncate(time.Second)),
	})
}

func shorten(text string) string {
	if len(text) <= maxMessage {
		return text
	}
	return strings.ToValidUTF8(text[:maxMessage-3], "") + "..."
}
