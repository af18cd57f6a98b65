package ir

import (
	"fmt"
	"slices"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

// hostProblems name the brokers of a group that Hosts leaves out.
func hostProblems(listener v1beta1.Listener, ids []int32, brokers []BrokerFact) []string {
	if listener.External.Mode == v1beta1.ExternalPortPerBroker {
		return nil
	}
	hosts := Hosts(listener.External, ids)
	var problems []string
	for _, broker := range brokers {
		if _, ok := hosts[broker.ID]; !ok {
			problems = append(problems, fmt.Sprintf("listener %s: broker %d is not served, because its host name %s is taken: change brokerHost, bootstrapHost or the entry in brokers",
				listener.Name, broker.ID, BrokerHost(listener.External, broker.ID)))
		}
	}
	return problems
}

// leaveOutClashes leaves each port to one: to what all clients need before what those of one broker need, to the
// listener whose name comes first, and to the lowest id. Envoy would keep the one that it happens to see first.
func (f *Fleet) leaveOutClashes() {
	ports := map[int32]string{OpsPort: "the probes and metrics of the proxies"}
	claim := func(port int32, owner string) bool {
		if port == 0 {
			return true
		}
		if taken, clash := ports[port]; clash {
			f.Problems = append(f.Problems, fmt.Sprintf("%s is not served, because port %d of the proxies is taken by %s: use another port", owner, port, taken))
			return false
		}
		ports[port] = owner
		return true
	}
	f.Listeners = slices.DeleteFunc(f.Listeners, func(l Listener) bool { return !claim(l.Port, "listener "+l.Name) })
	for i := range f.Listeners {
		listener := &f.Listeners[i]
		listener.Brokers = slices.DeleteFunc(listener.Brokers, func(b Broker) bool {
			return !claim(b.Port, fmt.Sprintf("listener %s: broker %d", listener.Name, b.ID))
		})
	}
}
