package fleet

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/envoy/fleet/objects"
)

// Reasons of the conditions.
const (
	reasonAsWanted  = "AsWanted"
	reasonFailed    = "Failed"
	reasonForbidden = "SecretsForbidden"
	reasonSpec      = "SpecNotAccepted"
	reasonNotServed = "NotServed"
	reasonNoPort    = "NoPortLeft"
	reasonNoAddress = "AddressPending"
	reasonNoProxy   = "ProxiesNotReady"
	reasonRejected  = "Rejected"
	reasonPending   = "NotAccepted"
)

const (
	// patience is how long proxies may take to accept something before that counts as a fault.
	patience = time.Minute
	// maxMessage is a bound of the API.
	maxMessage = 1024
	// maxNamed is how many of a kind a message names.
	maxNamed = 10
)

// check says in a word and in a sentence what keeps clients from reaching brokers; nothing if nothing does.
type check func(*scope, []v1beta1.ExternalListenerStatus) (reason, message string)

// readyChecks come in the order in which a person would look: each may be the reason for those after it.
var readyChecks = []check{
	(*scope).hasFailed,
	(*scope).isNotServed,
	(*scope).hasNoPort,
	(*scope).hasNoProxy,
	(*scope).isRejected,
	(*scope).isNotAccepted,
	(*scope).hasNoAddress,
}

var degradedChecks = []check{
	(*scope).isRejected,
	(*scope).isOverdue,
}

// conditions derives the conditions. The times of those that stay as they are are carried over.
func (s *scope) conditions(old []metav1.Condition, listeners []v1beta1.ExternalListenerStatus) []metav1.Condition {
	conditions := slices.Clone(old)
	s.remember(listeners)
	reason, message := first(readyChecks, s, listeners)
	s.setCondition(&conditions, v1beta1.ConditionExternalAccessReady, reason == "", reason, message)
	reason, message = first(degradedChecks, s, listeners)
	s.setCondition(&conditions, v1beta1.ConditionExternalAccessDegraded, reason != "", reason, message)
	return conditions
}

func first(checks []check, s *scope, listeners []v1beta1.ExternalListenerStatus) (reason, message string) {
	for _, check := range checks {
		if reason, message = check(s, listeners); reason != "" {
			return reason, message
		}
	}
	return "", ""
}

func (s *scope) setCondition(conditions *[]metav1.Condition, kind string, is bool, reason, message string) {
	status := metav1.ConditionFalse
	if is {
		status = metav1.ConditionTrue
	}
	if reason == "" {
		reason = reasonAsWanted
	}
	meta.SetStatusCondition(conditions, metav1.Condition{
		Type: kind, Status: status, Reason: reason, Message: shorten(message),
		ObservedGeneration: s.cluster.Generation,
		LastTransitionTime: metav1.NewTime(s.now.Truncate(time.Second)),
	})
}

// hasFailed prefers a failure whose reason has a name.
func (s *scope) hasFailed([]v1beta1.ExternalListenerStatus) (string, string) {
	if len(s.failures) == 0 {
		return "", ""
	}
	named := reasoned{reason: reasonFailed, error: s.failures[0]}
	for _, failure := range s.failures {
		if errors.As(failure, &named) {
			break
		}
	}
	return named.reason, named.Error()
}

func (s *scope) isNotServed([]v1beta1.ExternalListenerStatus) (string, string) {
	if err := s.Publisher.Err(nameOf(s.cluster)); err != nil {
		return reasonNotServed, "the proxies keep what they have: " + err.Error()
	}
	var problems []string
	for _, fleet := range s.fleets {
		if told := s.tallies[fleet.Group].told; told != nil {
			problems = append(problems, told.Fleet.Problems...)
		}
	}
	return reasonIf(reasonNotServed, problems)
}

func (s *scope) hasNoPort([]v1beta1.ExternalListenerStatus) (string, string) {
	var problems []string
	for _, listener := range objects.Listeners(s.cluster) {
		if without := s.ports.Without[listener.Name]; len(without) > 0 && !s.ports.Held {
			problems = append(problems, fmt.Sprintf("listener %s: there is no port left for %s: raise external.brokerPorts.count", listener.Name, named("broker", without)))
		}
	}
	return reasonIf(reasonNoPort, problems)
}

func (s *scope) hasNoAddress(listeners []v1beta1.ExternalListenerStatus) (string, string) {
	var problems []string
	for _, listener := range listeners {
		plan := s.addresses[listener.Name]
		problems = append(problems, plan.Waits...)
		var without []int32
		for _, broker := range listener.Brokers {
			if broker.Host == "" {
				without = append(without, broker.ID)
			}
		}
		if len(plan.Waits) == 0 && (len(without) > 0 || plan.Bootstrap == "") {
			problems = append(problems, fmt.Sprintf("listener %s: the Service does not have all ports yet", listener.Name))
		}
	}
	return reasonIf(reasonNoAddress, problems)
}

func (s *scope) hasNoProxy([]v1beta1.ExternalListenerStatus) (string, string) {
	var problems []string
	for _, fleet := range s.fleets {
		if s.tallies[fleet.Group].proxies == 0 {
			problems = append(problems, fmt.Sprintf("no proxy of %s is ready", fleet.Name()))
		}
	}
	return reasonIf(reasonNoProxy, problems)
}

func (s *scope) isRejected(listeners []v1beta1.ExternalListenerStatus) (string, string) {
	var problems []string
	for _, listener := range listeners {
		for _, rejected := range listener.Rejected {
			problems = append(problems, fmt.Sprintf("%d proxies reject %s: %s", rejected.Proxies, rejected.Resource, rejected.Message))
		}
	}
	slices.Sort(problems)
	return reasonIf(reasonRejected, slices.Compact(problems))
}

func (s *scope) isNotAccepted(listeners []v1beta1.ExternalListenerStatus) (string, string) {
	var problems []string
	for _, listener := range listeners {
		if isPending(listener) {
			problems = append(problems, fmt.Sprintf("listener %s: %d of %d ready proxies have accepted everything", listener.Name, listener.AcceptedBy, listener.Proxies))
		}
	}
	return reasonIf(reasonPending, problems)
}

func isPending(listener v1beta1.ExternalListenerStatus) bool {
	return listener.AcceptedBy < max(listener.Proxies, 1)
}

// isOverdue tells what proxies have not accepted for longer than they may take.
func (s *scope) isOverdue(listeners []v1beta1.ExternalListenerStatus) (string, string) {
	var problems []string
	for _, listener := range listeners {
		if since, pending := s.memory.pendingSince[listener.Name]; pending && s.isDue(since) {
			problems = append(problems, fmt.Sprintf("listener %s: not all ready proxies have accepted everything since %s", listener.Name, since.UTC().Format(time.RFC3339)))
		}
		var overdue []int32
		for _, broker := range listener.Brokers {
			if broker.PendingSince != nil && s.isDue(broker.PendingSince.Time) {
				overdue = append(overdue, broker.ID)
			}
		}
		if len(overdue) > 0 {
			problems = append(problems, fmt.Sprintf("listener %s: not all ready proxies have accepted %s: nobody waits for them any more", listener.Name, named("broker", overdue)))
		}
	}
	return reasonIf(reasonPending, problems)
}

// isDue tells whether patience is over, and asks for a pass when it will be.
func (s *scope) isDue(since time.Time) bool {
	left := since.Add(patience).Sub(s.now)
	if left > 0 {
		s.again(left)
	}
	return left <= 0
}

// remember keeps since when something of a listener is pending that is no broker's.
func (s *scope) remember(listeners []v1beta1.ExternalListenerStatus) {
	before := s.memory.pendingSince
	s.memory.pendingSince = map[string]time.Time{}
	for _, listener := range listeners {
		if !isPending(listener) {
			continue
		}
		s.memory.pendingSince[listener.Name] = s.now.Truncate(time.Second)
		if since, known := before[listener.Name]; known {
			s.memory.pendingSince[listener.Name] = since
		}
	}
}

func reasonIf(reason string, problems []string) (string, string) {
	if len(problems) == 0 {
		return "", ""
	}
	return reason, strings.Join(problems, "; ")
}

// named names some of many.
func named(kind string, ids []int32) string {
	var names []string
	for _, id := range ids[:min(len(ids), maxNamed)] {
		names = append(names, fmt.Sprint(id))
	}
	text := kind
	if len(ids) > 1 {
		text += "s"
	}
	text += " " + strings.Join(names, ", ")
	if more := len(ids) - maxNamed; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

func shorten(text string) string {
	if len(text) <= maxMessage {
		return text
	}
	return strings.ToValidUTF8(text[:maxMessage-3], "") + "..."
}
