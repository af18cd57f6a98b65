package operation

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

// toldPhases are those that a person wants to know of, and the kind of the Event.
var toldPhases = map[v1beta1.OperationPhase]string{
	v1beta1.OperationAwaitingApproval: corev1.EventTypeNormal,
	v1beta1.OperationExecuting:        corev1.EventTypeNormal,
	v1beta1.OperationStopping:         corev1.EventTypeNormal,
	v1beta1.OperationRecovering:       corev1.EventTypeWarning,
	v1beta1.OperationBackingOff:       corev1.EventTypeWarning,
	v1beta1.OperationSucceeded:        corev1.EventTypeNormal,
	v1beta1.OperationProposalOnly:     corev1.EventTypeNormal,
	v1beta1.OperationCancelled:        corev1.EventTypeNormal,
	v1beta1.OperationFailed:           corev1.EventTypeWarning,
}

// troubles are conditions and the status in which they are one.
var troubles = map[string]metav1.ConditionStatus{
	v1beta1.ConditionAccepted:     metav1.ConditionFalse,
	v1beta1.ConditionMonitorReady: metav1.ConditionFalse,
	v1beta1.ConditionStalled:      metav1.ConditionTrue,
	v1beta1.ConditionClean:        metav1.ConditionFalse,
}

// passing are reasons of what passes by itself in a moment.
var passing = []string{"Loading", "Cancelling", "Moving"}

// announce makes Events of what changed, so that each is told once.
func (s *scope) announce(before, after *v1beta1.CruiseControlOperationStatus) {
	if kind, told := toldPhases[after.Phase]; told && after.Phase != before.Phase {
		message := string(after.Phase)
		if after.Summary != nil && after.Summary.Message != "" {
			message = after.Summary.Message
		}
		s.recorder.Eventf(s.op(), nil, kind, string(after.Phase), string(s.op().Spec.Type), "%s", message)
	}
	for _, c := range after.Conditions {
		old := meta.FindStatusCondition(before.Conditions, c.Type)
		same := old != nil && old.Status == c.Status && old.Reason == c.Reason
		if status, is := troubles[c.Type]; is && c.Status == status && !same && !slices.Contains(passing, c.Reason) {
			s.recorder.Eventf(s.op(), nil, corev1.EventTypeWarning, c.Reason, c.Type, "%s is %s: %s", c.Type, c.Status, c.Message)
		}
	}
}
