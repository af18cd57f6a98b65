package kafkacluster

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"koperator.dev/koperator/cruisecontrol/plan"
)

// event tells a person of a decision.
func (s *scope) event(kind, reason, action, format string, args ...any) {
	s.Recorder.Eventf(s.cluster, nil, kind, reason, action, format, args...)
}

// announce tells of conditions that begin or change their kind, so that a state is told once and not in every pass.
func (s *scope) announce(before, after part) {
	for _, condition := range after.conditions {
		was := meta.FindStatusCondition(before.conditions, condition.Type)
		switch {
		case was != nil && was.Status == condition.Status && was.Reason == condition.Reason:
		case condition.Status == metav1.ConditionFalse && isTransient(condition.Reason):
		case condition.Status == metav1.ConditionFalse:
			s.event(corev1.EventTypeWarning, condition.Reason, condition.Type, "%s is False: %s", condition.Type, condition.Message)
		case was != nil && was.Status != condition.Status:
			s.event(corev1.EventTypeNormal, condition.Type, condition.Type, "%s is True", condition.Type)
		}
	}
}

// isTransient tells of what comes with every change and goes by itself.
func isTransient(reason string) bool {
	switch reason {
	case reasonKafka, reasonSecret, reasonNotRunning, reasonUnreachable, reasonLoading, reasonRemoving,
		plan.CodeMoving, plan.CodeArriving, plan.CodeWithdrawing, plan.CodeDisksDraining, plan.CodeKafkaUnreachable:
		return true
	}
	return false
}
