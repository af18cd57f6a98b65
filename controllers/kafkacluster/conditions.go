package kafkacluster

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

// clusterConditions are the conditions of the cluster but Ready, each with what can be wrong. They are True when nothing is.
var clusterConditions = []struct {
	kind    string
	trouble func(*scope) verdict
}{
	{v1beta1.ConditionSpecAccepted, (*scope).specTrouble},
	{v1beta1.ConditionQuorumRecommended, (*scope).quorumSizeTrouble},
	{v1beta1.ConditionKafkaReachable, (*scope).kafkaTrouble},
	{v1beta1.ConditionQuorumAvailable, (*scope).quorumTrouble},
	{v1beta1.ConditionBrokersReady, (*scope).brokerTrouble},
	{v1beta1.ConditionConfigurationApplied, (*scope).configurationTrouble},
	{v1beta1.ConditionStorageReady, (*scope).storageTrouble},
}

// neededForReady are the conditions without which a cluster is not Ready, the one that explains the others first. A restart
// that waits does not make a cluster less ready; what is broken does.
var neededForReady = []string{
	v1beta1.ConditionSpecAccepted, v1beta1.ConditionBrokersReady, v1beta1.ConditionQuorumAvailable, v1beta1.ConditionKafkaReachable,
}

// conditions derives the conditions of the cluster.
func (s *scope) conditions(old []metav1.Condition) []metav1.Condition {
	conditions := slices.Clone(old)
	for _, c := range clusterConditions {
		trouble := c.trouble(s)
		if trouble.reason == "" {
			s.setCondition(&conditions, c.kind, metav1.ConditionTrue, "AsWanted", "")
		} else {
			s.setCondition(&conditions, c.kind, metav1.ConditionFalse, trouble.reason, trouble.message)
		}
	}
	if len(s.problems) == 0 && len(s.warnings) > 0 {
		s.setCondition(&conditions, v1beta1.ConditionSpecAccepted, metav1.ConditionTrue, "AcceptedWithWarnings", strings.Join(s.warnings, "; "))
	}
	if trouble := s.whyNotReady(conditions); trouble.reason != "" {
		s.setCondition(&conditions, v1beta1.ConditionReady, metav1.ConditionFalse, trouble.reason, trouble.message)
	} else {
		s.setCondition(&conditions, v1beta1.ConditionReady, metav1.ConditionTrue, "AllNodesRunning", fmt.Sprintf("%d nodes run", s.count(isWanted)))
	}
	return conditions
}

func (s *scope) setCondition(conditions *[]metav1.Condition, kind string, value metav1.ConditionStatus, reason, message string) {
	meta.SetStatusCondition(conditions, metav1.Condition{
		Type: kind, Status: value, Reason: reason, Message: shorten(message),
		ObservedGeneration: s.cluster.Generation,
		// The API keeps whole seconds: anything finer would differ from what comes back.
		LastTransitionTime: metav1.NewTime(s.now.Truncate(time.Second)),
	})
}

// whyNotReady is nothing when every broker and controller of the spec runs, Kafka can be asked, and clients reach the
// brokers, also those outside the Kubernetes cluster.
func (s *scope) whyNotReady(conditions []metav1.Condition) verdict {
	for _, kind := range neededForReady {
		if c := meta.FindStatusCondition(conditions, kind); c != nil && c.Status != metav1.ConditionTrue {
			return verdict{c.Reason, c.Message}
		}
	}
	if external := s.externalAccess(); external != nil && external.Status != metav1.ConditionTrue {
		return verdict{external.Reason, external.Message}
	}
	return s.unopenedTrouble()
}

func (s *scope) specTrouble() verdict {
	if len(s.problems) == 0 {
		return verdict{}
	}
	return verdict{reasonSpec, strings.Join(s.problems, "; ")}
}

func (s *scope) quorumSizeTrouble() verdict {
	controllers := s.count(func(m *member) bool { return m.controller && isWanted(m) })
	if controllers%2 == 1 {
		return verdict{}
	}
	return verdict{"EvenNumberOfControllers", fmt.Sprintf("%d controllers tolerate no more failures than %d: use an odd number", controllers, controllers-1)}
}

func (s *scope) kafkaTrouble() verdict {
	if s.kafkaCluster != nil {
		return verdict{}
	}
	return verdict{"KafkaUnreachable", s.kafkaMessage()}
}

func (s *scope) quorumTrouble() verdict {
	if s.quorum != nil && s.quorum.Leader >= 0 {
		return verdict{}
	}
	return verdict{"NoQuorum", s.quorumMessage()}
}

// brokerTrouble names the nodes of the spec that do not run, each with what is wrong.
func (s *scope) brokerTrouble() verdict {
	var notReady []string
	for _, m := range s.members {
		if isWanted(m) && m.phase != v1beta1.BrokerRunning {
			notReady = append(notReady, fmt.Sprintf("%d (%s)", m.id, m.health.reason))
		}
	}
	if len(notReady) == 0 {
		return verdict{}
	}
	return verdict{"BrokersNotReady", "not ready: " + strings.Join(notReady, ", ")}
}

func (s *scope) configurationTrouble() verdict {
	pending := append(s.pendingRestarts(), s.problems...)
	if len(pending) > 0 {
		return verdict{"RestartsPending", strings.Join(pending, "; ")}
	}
	return s.unopenedTrouble()
}

// unopenedTrouble names the listeners that brokers that run have not opened yet, because they have no addresses on them.
func (s *scope) unopenedTrouble() verdict {
	for _, m := range s.members {
		if len(m.unaddressed) > 0 {
			return verdict{reasonExternalAddress, fmt.Sprintf("%s runs without %s, because it has no address there yet; %s", m.title(), strings.Join(m.unaddressed, ", "), whatToLookAt)}
		}
	}
	return verdict{}
}

func (s *scope) storageTrouble() verdict {
	var trouble []string
	for _, m := range s.members {
		for _, path := range m.paths() {
			if v := volumeStatus(m, path); v.Phase != v1beta1.VolumeActive {
				trouble = append(trouble, fmt.Sprintf("%s of %d is %s", path, m.id, v.Phase))
			}
		}
	}
	if len(trouble) == 0 {
		return verdict{}
	}
	return verdict{"VolumesNotReady", strings.Join(trouble, "; ")}
}

// pendingRestarts names the nodes that need a restart, each with its reason.
func (s *scope) pendingRestarts() []string {
	var pending []string
	for _, m := range s.members {
		if m.restartReason != "" {
			pending = append(pending, fmt.Sprintf("%d (%s)", m.id, m.restartReason))
		}
	}
	return pending
}
