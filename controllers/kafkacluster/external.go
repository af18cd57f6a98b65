package kafkacluster

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/controllers/internal/desired"
)

// patienceForProxies is how long a rollout waits, once a broker is ready, for the proxies to know its address. A proxy
// that never accepts it must not stop a rollout for ever: envoy-manager reports it (ExternalAccessDegraded).
const patienceForProxies = time.Minute

// awaitAddress leaves a broker as it is until envoy-manager has told, in status, at which address clients outside reach
// it: Kafka cannot change what it tells its clients without a restart. A Pod that is missing is made again as it was.
func (s *scope) awaitAddress(m *member, listeners []string) {
	m.awaits = fmt.Sprintf("its address on %s is not allocated yet: envoy-manager does that; see status.externalListeners, the condition %s, and whether envoy-manager runs",
		strings.Join(listeners, ", "), v1beta1.ConditionExternalAccessReady)
	s.wait(m.title(), reasonAwaitsAddress, "%s", m.awaits)
}

// whyUnreached says why clients outside do not reach a broker at its Pod's present address, as far as envoy-manager
// tells; empty when they do, when nobody is to wait for it, or when the wait has lasted long enough.
func (s *scope) whyUnreached(m *member) string {
	if !m.broker || m.node == nil || !isReady(m.pod) || s.now.Sub(readySince(m.pod)) > patienceForProxies {
		return ""
	}
	for _, l := range s.cluster.Spec.Listeners {
		if l.Type != v1beta1.ListenerExternal {
			continue
		}
		if why := whyUnaccepted(desired.ExternalListener(s.cluster, l.Name), m, l.Port); why != "" {
			return fmt.Sprintf("listener %s: %s", l.Name, why)
		}
	}
	return ""
}

func whyUnaccepted(listener *v1beta1.ExternalListenerStatus, m *member, port int32) string {
	if listener == nil {
		return "envoy-manager does not report it"
	}
	endpoint := net.JoinHostPort(m.pod.Status.PodIP, strconv.Itoa(int(port)))
	for i := range listener.Brokers {
		b := &listener.Brokers[i]
		switch {
		case b.ID != m.id:
			continue
		case b.Endpoint != endpoint:
			return "the proxies are not told its new address yet"
		case b.AcceptedBy < listener.Proxies || listener.Proxies == 0:
			return fmt.Sprintf("%d of %d proxies have accepted its new address", b.AcceptedBy, listener.Proxies)
		}
		return ""
	}
	return "it has no address yet"
}

func readySince(pod *corev1.Pod) time.Time {
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodReady {
			return condition.LastTransitionTime.Time
		}
	}
	return time.Time{}
}

// externalAccess is envoy-manager's own condition; what it would be if envoy-manager has said nothing; nil if there is no
// external listener.
func (s *scope) externalAccess() *metav1.Condition {
	if !desired.HasExternalListeners(s.cluster) {
		return nil
	}
	if c := meta.FindStatusCondition(s.cluster.Status.Conditions, v1beta1.ConditionExternalAccessReady); c != nil {
		return c
	}
	return &metav1.Condition{
		Type: v1beta1.ConditionExternalAccessReady, Status: metav1.ConditionUnknown, Reason: "NotReported",
		Message: "envoy-manager has not reported on the external listeners: see whether it runs",
	}
}

// isForeign tells the conditions that other programs own.
func isForeign(kind string) bool {
	return kind == v1beta1.ConditionExternalAccessReady || kind == v1beta1.ConditionExternalAccessDegraded
}

// ownConditions leaves out those of other programs: each is written by its owner alone.
func ownConditions(all []metav1.Condition) []metav1.Condition {
	var own []metav1.Condition
	for _, c := range all {
		if !isForeign(c.Type) {
			own = append(own, c)
		}
	}
	return own
}

// ownStatus is the part of status that broker-manager writes.
func ownStatus(all *v1beta1.KafkaClusterStatus) *v1beta1.KafkaClusterStatus {
	own := *all
	own.ExternalListeners = nil
	own.Conditions = ownConditions(all.Conditions)
	return &own
}

// externalAccessChanged lets through what envoy-manager writes: broker-manager waits for it. Our own writes are not worth
// a pass.
func externalAccessChanged() predicate.Predicate {
	return predicate.Funcs{
		UpdateFunc: func(e event.UpdateEvent) bool {
			before, _ := e.ObjectOld.(*v1beta1.KafkaCluster)
			after, _ := e.ObjectNew.(*v1beta1.KafkaCluster)
			return before != nil && after != nil && !equality.Semantic.DeepEqual(foreignStatus(before), foreignStatus(after))
		},
	}
}

func foreignStatus(kc *v1beta1.KafkaCluster) v1beta1.KafkaClusterStatus {
	foreign := v1beta1.KafkaClusterStatus{ExternalListeners: kc.Status.ExternalListeners}
	for _, c := range kc.Status.Conditions {
		if isForeign(c.Type) {
			foreign.Conditions = append(foreign.Conditions, c)
		}
	}
	return foreign
}
