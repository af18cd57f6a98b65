package fleet

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

// event tells a person of a decision.
func (s *scope) event(kind, reason, action, format string, args ...any) {
	s.Recorder.Eventf(s.cluster, nil, kind, reason, action, format, args...)
}

// announce tells of what has changed, so that a state is told once and not in every pass.
func (s *scope) announce(before, after part) {
	for _, listener := range after.listeners {
		for i := range before.listeners {
			if before.listeners[i].Name == listener.Name {
				s.announceAddresses(before.listeners[i], listener)
			}
		}
	}
	for _, condition := range after.conditions {
		s.announceCondition(meta.FindStatusCondition(before.conditions, condition.Type), condition)
	}
}

// announceAddresses tells of brokers that have to be restarted, because Kafka tells clients the address with which it was
// started.
func (s *scope) announceAddresses(before, after v1beta1.ExternalListenerStatus) {
	told := map[int32]string{}
	for _, broker := range before.Brokers {
		if broker.Host != "" {
			told[broker.ID] = fmt.Sprintf("%s:%d", broker.Host, broker.Port)
		}
	}
	var changed []int32
	var example string
	for _, broker := range after.Brokers {
		now := fmt.Sprintf("%s:%d", broker.Host, broker.Port)
		if was := told[broker.ID]; was != "" && broker.Host != "" && was != now {
			changed = append(changed, broker.ID)
			example = was + " -> " + now
		}
	}
	if len(changed) > 0 {
		s.event(corev1.EventTypeWarning, "AddressChanged", "Address", "listener %s: the address of %s has changed (%s): each is restarted to tell its clients",
			after.Name, named("broker", changed), example)
	}
}

// announceCondition tells of trouble that begins or changes its kind, and of trouble that ends.
func (s *scope) announceCondition(before *metav1.Condition, after metav1.Condition) {
	if before != nil && before.Status == after.Status && before.Reason == after.Reason {
		return
	}
	trouble := metav1.ConditionFalse
	if after.Type == v1beta1.ConditionExternalAccessDegraded {
		trouble = metav1.ConditionTrue
	}
	switch {
	case after.Status == trouble && isTransient(after.Reason):
	case after.Status == trouble:
		s.event(corev1.EventTypeWarning, after.Reason, after.Type, "%s is %s: %s", after.Type, after.Status, after.Message)
	case before != nil:
		s.event(corev1.EventTypeNormal, after.Type, after.Type, "%s is %s again", after.Type, after.Status)
	}
}

// isTransient tells of what comes with every change and goes by itself.
func isTransient(reason string) bool { return reason == reasonNoProxy || reason == reasonNoAddress }
