package kafkacluster

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

// event tells a person of a decision.
func (s *scope) event(kind, reason, action, format string, args ...any) {
	s.recorder.Eventf(s.cluster, nil, kind, reason, action, format, args...)
}

// announce makes an Event of each condition that changed, so that a state is told once and not in every pass.
func (s *scope) announce(before, after *v1beta1.KafkaClusterStatus) {
	for _, condition := range after.Conditions {
		s.announceChange("", meta.FindStatusCondition(before.Conditions, condition.Type), condition)
	}
	for i := range after.Brokers {
		broker := &after.Brokers[i]
		old := oldBroker(before, broker.ID)
		for _, condition := range broker.Conditions {
			s.announceChange(s.titleOf(broker.ID)+": ", meta.FindStatusCondition(old.Conditions, condition.Type), condition)
		}
	}
}

var quietReasons = []string{reasonStarting, reasonStopping, reasonExternalAddress}

// announceChange tells of trouble that begins or changes its kind, and of trouble that ends. What merely starts is none,
// nor is what waits for its address a moment before it starts.
func (s *scope) announceChange(subject string, before *metav1.Condition, after metav1.Condition) {
	if before != nil && before.Status == after.Status && before.Reason == after.Reason {
		return
	}
	switch {
	case after.Status == metav1.ConditionFalse && !slices.Contains(quietReasons, after.Reason):
		s.event(corev1.EventTypeWarning, after.Reason, after.Type, "%s%s is false: %s", subject, after.Type, after.Message)
	case after.Status == metav1.ConditionTrue && before != nil && before.Status == metav1.ConditionFalse:
		s.event(corev1.EventTypeNormal, after.Type, after.Type, "%s%s is true again", subject, after.Type)
	}
}

func (s *scope) titleOf(id int32) string {
	for _, m := range s.members {
		if m.id == id {
			return m.title()
		}
	}
	return ""
}
