package fleet

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	kafkaac "koperator.dev/koperator/apis/kafka/v1beta1/applyconfiguration/kafka/v1beta1"
	"koperator.dev/koperator/envoy/fleet/acks"
	"koperator.dev/koperator/envoy/fleet/objects"
)

const (
	// statusInterval is the least time between two writes of a cluster's status: proxies answer in bursts.
	statusInterval = time.Second
	// settleTime is how long proxies get for their answers before it is told that they have not answered.
	settleTime = 250 * time.Millisecond
)

// part is what envoy-manager owns of a status.
type part struct {
	listeners  []v1beta1.ExternalListenerStatus
	conditions []metav1.Condition
}

// partOf leaves out what other programs own.
func partOf(status *v1beta1.KafkaClusterStatus) part {
	own := part{listeners: status.ExternalListeners}
	for _, kind := range []string{v1beta1.ConditionExternalAccessReady, v1beta1.ConditionExternalAccessDegraded} {
		if condition := meta.FindStatusCondition(status.Conditions, kind); condition != nil {
			own.conditions = append(own.conditions, *condition)
		}
	}
	return own
}

func (p part) equals(other part) bool {
	return equality.Semantic.DeepEqual(p.listeners, other.listeners) && equality.Semantic.DeepEqual(p.conditions, other.conditions)
}

// writeStatus says what this pass saw: once, at its end, only what differs, and not more often than once a second.
func (s *scope) writeStatus(ctx context.Context) error {
	before, after := partOf(&s.cluster.Status), part{}
	if len(s.fleets) > 0 {
		after = s.status(before)
	}
	setMetrics(nameOf(s.cluster), after)
	if before.equals(after) {
		s.memory.unsettled = time.Time{}
		return nil
	}
	if len(s.fleets) == 0 && s.isAlone() {
		s.again(time.Minute)
		return nil
	}
	if wait := s.waitForMore(before, after); wait > 0 {
		s.again(wait)
		return nil
	}
	if err := s.applyStatus(ctx, after); err != nil {
		return err
	}
	s.memory.statusWritten, s.memory.unsettled = s.now, time.Time{}
	s.announce(before, after)
	return nil
}

// waitForMore is how long to wait before a write, because more is to come: most answers of proxies take some milliseconds.
func (s *scope) waitForMore(before, after part) time.Duration {
	wait := s.memory.statusWritten.Add(statusInterval).Sub(s.now)
	if len(before.listeners) == 0 || after.pending() <= before.pending() {
		return wait
	}
	if s.memory.unsettled.IsZero() {
		s.memory.unsettled = s.now
	}
	return max(wait, s.memory.unsettled.Add(settleTime).Sub(s.now))
}

// pending counts what not all proxies have accepted.
func (p part) pending() int {
	count := 0
	for _, listener := range p.listeners {
		count += pendingBrokers(listener)
		if isPending(listener) {
			count++
		}
	}
	return count
}

// isAlone tells whether nobody else has said anything in status. Then our part stays until somebody does: server-side apply
// would leave null behind, which the API refuses.
func (s *scope) isAlone() bool {
	others := s.cluster.Status.DeepCopy()
	others.ExternalListeners = nil
	for _, condition := range partOf(others).conditions {
		meta.RemoveStatusCondition(&others.Conditions, condition.Type)
	}
	return equality.Semantic.DeepEqual(others, &v1beta1.KafkaClusterStatus{})
}

// applyStatus writes our part. What we do not say any more goes away.
func (s *scope) applyStatus(ctx context.Context, own part) error {
	wanted := &kafkaac.KafkaClusterStatusApplyConfiguration{}
	body, err := json.Marshal(v1beta1.KafkaClusterStatus{ExternalListeners: own.listeners, Conditions: own.conditions})
	if err != nil {
		return fmt.Errorf("marshaling status: %w", err)
	}
	if err := json.Unmarshal(body, wanted); err != nil {
		return fmt.Errorf("unmarshaling status: %w", err)
	}
	return s.memory.apply.Status(ctx, kafkaac.KafkaCluster(s.cluster.Name, s.cluster.Namespace).WithStatus(wanted))
}

// status computes our part from what this pass saw.
func (s *scope) status(before part) part {
	after := part{}
	for _, listener := range objects.Listeners(s.cluster) {
		after.listeners = append(after.listeners, s.listenerStatus(listener))
	}
	after.conditions = s.conditions(before.conditions, after.listeners)
	return after
}

func (s *scope) listenerStatus(listener v1beta1.Listener) v1beta1.ExternalListenerStatus {
	plan := s.addresses[listener.Name]
	status := v1beta1.ExternalListenerStatus{Name: listener.Name, Bootstrap: plan.Bootstrap, TemplateRevision: s.revision}
	var rejected [][]v1beta1.RejectedResource
	for _, fleet := range s.fleets {
		counted := s.tallies[fleet.Group]
		if !s.isServed(fleet, listener) {
			continue
		}
		status.Proxies += counted.proxies
		if counted.Tally != nil {
			status.AcceptedBy += counted.Listener(listener.Name)
			rejected = append(rejected, counted.Rejected(listener.Name))
		}
	}
	status.Rejected = acks.Merge(rejected...)
	status.Brokers = s.brokerStatuses(listener)
	return status
}

// isServed tells whether anybody reaches a listener through a fleet: with PortPerBroker, none does through one that has no
// broker and is not the first.
func (s *scope) isServed(fleet objects.Fleet, listener v1beta1.Listener) bool {
	if fleet.First || !objects.IsPortPerBroker(listener) {
		return true
	}
	for id := range s.ports.Ports[listener.Name] {
		if s.groups[id] == fleet.Group {
			return true
		}
	}
	return false
}

// brokerStatuses are those of the brokers that have an address, or a port at least.
func (s *scope) brokerStatuses(listener v1beta1.Listener) []v1beta1.ExternalBrokerStatus {
	before := map[int32]v1beta1.ExternalBrokerStatus{}
	if old := listenerStatus(s.cluster, listener.Name); old != nil {
		for _, broker := range old.Brokers {
			before[broker.ID] = broker
		}
	}
	endpoints := s.endpoints(listener.Name)
	var statuses []v1beta1.ExternalBrokerStatus
	for _, id := range s.brokerIDs() {
		address, told := s.addresses[listener.Name].Brokers[id]
		port := s.ports.Ports[listener.Name][id]
		if !told && port == 0 {
			continue
		}
		status := v1beta1.ExternalBrokerStatus{ID: id, Host: address.Host, Port: address.Port, ProxyPort: port, Endpoint: endpoints[id]}
		s.setAccepted(&status, listener.Name, before[id])
		statuses = append(statuses, status)
	}
	return statuses
}

// setAccepted says how many proxies have accepted a broker. Since when some have not is carried over as long as they have to
// accept the same. Without a proxy nobody reaches the broker either.
func (s *scope) setAccepted(status *v1beta1.ExternalBrokerStatus, listener string, before v1beta1.ExternalBrokerStatus) {
	counted := s.tallies[s.groups[status.ID]]
	if counted.Tally != nil {
		status.AcceptedBy = counted.Broker(listener, status.ID)
	}
	if status.AcceptedBy >= max(counted.proxies, 1) {
		return
	}
	// The API keeps whole seconds: anything finer would differ from what comes back.
	now := metav1.NewTime(s.now.Truncate(time.Second))
	status.PendingSince = &now
	if before.PendingSince != nil && before.Endpoint == status.Endpoint {
		status.PendingSince = before.PendingSince
	}
}

// endpoints are the addresses that proxies are told for brokers.
func (s *scope) endpoints(listener string) map[int32]string {
	endpoints := map[int32]string{}
	for _, counted := range s.tallies {
		if counted.told == nil {
			continue
		}
		for _, l := range counted.told.Fleet.Listeners {
			for _, broker := range l.Brokers {
				if l.Name == listener && broker.Endpoint != nil {
					endpoints[broker.ID] = net.JoinHostPort(broker.Endpoint.Address, strconv.Itoa(int(broker.Endpoint.Port)))
				}
			}
		}
	}
	return endpoints
}
