package kafkacluster

import (
	"fmt"
	"net"
	"slices"
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

// patience is how long a rollout waits for envoy-manager and its proxies: to look at a new spec, and to know the address
// of a broker that is back. What never happens must not stop a rollout for ever; envoy-manager reports it
// (ExternalAccessDegraded).
const patience = time.Minute

// whatToLookAt ends messages about addresses that are not there.
const whatToLookAt = "see the condition " + v1beta1.ConditionExternalAccessReady + ", and whether envoy-manager runs"

// findAddresses completes what a broker tells its clients outside. envoy-manager allocates addresses in status, which can
// be lost: a broker that was started before goes on with those it was started with, and without the listeners that it was
// started without. Only the first start waits, because Kafka cannot change what it tells its clients without another.
func (s *scope) findAddresses(m *member) {
	missing := m.node.Unaddressed(s.cluster)
	if len(missing) == 0 {
		return
	}
	m.namesIncomplete = true
	started := m.startedWith()
	if started == nil {
		m.awaits = fmt.Sprintf("its address on %s is not allocated yet: envoy-manager does that; %s", strings.Join(missing, ", "), whatToLookAt)
		return
	}
	m.node.KeepAddresses(s.cluster, started)
	m.unaddressed = m.node.Unaddressed(s.cluster)
}

// startedWith is what a node was started with, nil if it never was or nobody knows.
func (m *member) startedWith() *desired.Intent {
	if m.config == nil {
		return nil
	}
	intent, err := desired.ReadIntent(m.config.Data)
	if err != nil || m.pod != nil && intent.Hash() != m.runningHash() {
		return nil
	}
	return intent
}

// sharedAddresses finds brokers that the spec gives one address: clients of one would be led to the other. For the rules of
// the schema it would cost too much to compare all of them.
func sharedAddresses(kc *v1beta1.KafkaCluster) []string {
	var problems []string
	for _, l := range kc.Spec.Listeners {
		if l.External == nil {
			continue
		}
		has := map[string]int32{}
		for _, b := range l.External.Brokers {
			address := ownAddress(l.External.Mode, b)
			if other, taken := has[address]; taken && address != "" {
				problems = append(problems, fmt.Sprintf("spec.listeners[%s].external.brokers: %d and %d have the same address, %s: give each its own", l.Name, other, b.ID, address))
			}
			has[address] = b.ID
		}
	}
	return problems
}

// ownAddress is what tells a broker from the others, as far as the spec says: by host name its host, by port both.
func ownAddress(mode v1beta1.ExternalMode, b v1beta1.ExternalBrokerOverride) string {
	switch {
	case mode != v1beta1.ExternalPortPerBroker:
		return b.Host
	case b.Host == "" || b.Port == 0:
		return ""
	}
	return net.JoinHostPort(b.Host, strconv.Itoa(int(b.Port)))
}

// hiddenSources warns of lists of allowed addresses that are compared with those of Nodes: they refuse everybody, or let
// everybody in. A network that keeps the clients' own addresses is nothing that we could see.
func hiddenSources(kc *v1beta1.KafkaCluster) []string {
	var warnings []string
	for _, l := range kc.Spec.Listeners {
		if l.External == nil || len(l.External.AllowedSources) == 0 || l.External.ProxyProtocol || l.External.Service == nil {
			continue
		}
		service := l.External.Service
		if service.Type != v1beta1.ExternalClusterIP && service.ExternalTrafficPolicy != string(corev1.ServiceExternalTrafficPolicyLocal) {
			warnings = append(warnings, fmt.Sprintf("listener %s: proxies see the addresses of Kubernetes Nodes, and allowedSources is about clients: set externalTrafficPolicy: Local, or proxyProtocol where the load balancer sends the clients' addresses", l.Name))
		}
	}
	return warnings
}

// reportUnaddressed says which listeners brokers that run have not opened yet.
func (s *scope) reportUnaddressed() {
	for _, l := range s.cluster.Spec.Listeners {
		var ids []string
		for _, m := range s.members {
			if slices.Contains(m.unaddressed, l.Name) {
				ids = append(ids, strconv.Itoa(int(m.id)))
			}
		}
		if len(ids) > 0 {
			s.wait("listener "+l.Name, reasonExternalAddress, "brokers run without it until envoy-manager has allocated their addresses: %s; %s", strings.Join(ids, ", "), whatToLookAt)
		}
	}
}

// whyUnsettled says why what brokers have to tell their clients may change any moment: a restart might have to be repeated.
func (s *scope) whyUnsettled() string {
	condition := s.externalAccess()
	if condition == nil || condition.ObservedGeneration >= s.cluster.Generation {
		return ""
	}
	if s.memory.unseen.generation != s.cluster.Generation {
		s.memory.unseen = unseen{generation: s.cluster.Generation, since: s.now}
	}
	if s.now.Sub(s.memory.unseen.since) > patience {
		return ""
	}
	return "envoy-manager has not looked at the present spec yet, which may give brokers other addresses"
}

// whyUnreached says why clients outside do not reach a broker at its Pod's present address, as far as envoy-manager
// tells; empty when they do, when nobody is to wait for it, or when the wait has lasted long enough.
func (s *scope) whyUnreached(m *member) string {
	if m.leaving() || !isReady(m.pod) || s.now.Sub(readySince(m.pod)) > patience {
		return ""
	}
	for _, l := range s.cluster.Spec.Listeners {
		if _, told := m.node.Addresses[l.Name]; !told {
			continue
		}
		if why := s.whyUnaccepted(l, m); why != "" {
			return fmt.Sprintf("listener %s: %s", l.Name, why)
		}
	}
	return ""
}

// whyUnaccepted counts on what the proxies were told for the Pod that runs now: what they have accepted for the one before
// leads nowhere.
func (s *scope) whyUnaccepted(l v1beta1.Listener, m *member) string {
	listener := externalListener(s.cluster, l.Name)
	if listener == nil {
		return "envoy-manager does not report it"
	}
	at := slices.IndexFunc(listener.Brokers, func(b v1beta1.ExternalBrokerStatus) bool { return b.ID == m.id })
	switch {
	case at < 0:
		return "envoy-manager does not report the broker"
	case listener.Brokers[at].Endpoint != net.JoinHostPort(m.pod.Status.PodIP, strconv.Itoa(int(l.Port))):
		return "the proxies are not told its new address yet"
	case listener.Brokers[at].PendingSince != nil:
		// Not a matter of listener.Proxies: with several groups of proxies, only one of them leads to the broker.
		return fmt.Sprintf("not all proxies that lead to it have accepted its new address: %d have", listener.Brokers[at].AcceptedBy)
	}
	return ""
}

func externalListener(kc *v1beta1.KafkaCluster, name string) *v1beta1.ExternalListenerStatus {
	for i := range kc.Status.ExternalListeners {
		if kc.Status.ExternalListeners[i].Name == name {
			return &kc.Status.ExternalListeners[i]
		}
	}
	return nil
}

// readySince is when the Pod became ready, by its own condition: a program that has just started knows it as well.
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

// isExternal tells the conditions that envoy-manager owns.
func isExternal(c metav1.Condition) bool {
	return c.Type == v1beta1.ConditionExternalAccessReady || c.Type == v1beta1.ConditionExternalAccessDegraded
}

// isForeign tells the conditions that other programs own.
func isForeign(c metav1.Condition) bool {
	return isExternal(c) || c.Type == v1beta1.ConditionCruiseControlReady || c.Type == v1beta1.ConditionDataPlaced
}

// ownConditions leaves out those of other programs: each is written by its owner alone.
func ownConditions(all []metav1.Condition) []metav1.Condition {
	return slices.DeleteFunc(slices.Clone(all), isForeign)
}

// ownStatus is the part of status that broker-manager writes.
func ownStatus(all *v1beta1.KafkaClusterStatus) *v1beta1.KafkaClusterStatus {
	own := *all
	own.ExternalListeners, own.CruiseControl = nil, nil
	own.Conditions = ownConditions(all.Conditions)
	return &own
}

// externalStatus is the part of status that broker-manager reads and envoy-manager writes.
func externalStatus(all *v1beta1.KafkaClusterStatus) *v1beta1.KafkaClusterStatus {
	return &v1beta1.KafkaClusterStatus{
		ExternalListeners: all.ExternalListeners,
		Conditions:        slices.DeleteFunc(slices.Clone(all.Conditions), func(c metav1.Condition) bool { return !isExternal(c) }),
	}
}

// externalAccessChanged lets through what envoy-manager writes: broker-manager waits for it. Our own writes are not worth
// a pass.
func externalAccessChanged() predicate.Predicate {
	return predicate.Funcs{
		UpdateFunc: func(e event.UpdateEvent) bool {
			before, _ := e.ObjectOld.(*v1beta1.KafkaCluster)
			after, _ := e.ObjectNew.(*v1beta1.KafkaCluster)
			return before != nil && after != nil && !equality.Semantic.DeepEqual(externalStatus(&before.Status), externalStatus(&after.Status))
		},
	}
}
