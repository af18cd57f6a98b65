package ir

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

// Build returns the fleets of a KafkaCluster, one for each group of proxies, or none if it has no listener of type
// External.
func Build(kc *v1beta1.KafkaCluster, facts Facts) []Fleet {
	listeners := externalListeners(kc)
	if len(listeners) == 0 {
		return nil
	}
	facts.Brokers = slices.SortedFunc(slices.Values(facts.Brokers), func(a, b BrokerFact) int { return cmp.Compare(a.ID, b.ID) })
	reached := map[string][]BrokerFact{}
	for _, broker := range facts.Brokers {
		group := GroupOf(kc, broker.ID, broker.Group)
		reached[group] = append(reached[group], broker)
	}
	var fleets []Fleet
	for i, group := range Groups(kc) {
		fleet := Fleet{Namespace: kc.Namespace, Cluster: kc.Name, Group: group, Revision: facts.Revision}
		for _, listener := range listeners {
			fleet.Listeners = append(fleet.Listeners, buildListener(listener, facts, reached[group], i == 0))
			fleet.Problems = append(fleet.Problems, hostProblems(listener, facts.ids(), reached[group])...)
		}
		fleet.leaveOutClashes()
		fleets = append(fleets, fleet)
	}
	return fleets
}

// Groups are the names of the groups of proxies, the one that clients start from first; "" alone when the spec has none.
func Groups(kc *v1beta1.KafkaCluster) []string {
	if kc.Spec.Envoy == nil || len(kc.Spec.Envoy.Groups) == 0 {
		return []string{""}
	}
	names := make([]string, 0, len(kc.Spec.Envoy.Groups))
	for _, group := range kc.Spec.Envoy.Groups {
		names = append(names, group.Name)
	}
	return names
}

// GroupOf is the group of proxies that a broker is reached through: the one that names it, else the one that names its
// brokerGroup, else the first.
func GroupOf(kc *v1beta1.KafkaCluster, id int32, brokerGroup string) string {
	groups := Groups(kc)
	if groups[0] == "" {
		return ""
	}
	for _, group := range kc.Spec.Envoy.Groups {
		if slices.Contains(group.Brokers, id) {
			return group.Name
		}
	}
	for _, group := range kc.Spec.Envoy.Groups {
		if slices.Contains(group.BrokerGroups, brokerGroup) {
			return group.Name
		}
	}
	return groups[0]
}

func externalListeners(kc *v1beta1.KafkaCluster) []v1beta1.Listener {
	var external []v1beta1.Listener
	for _, listener := range kc.Spec.Listeners {
		if listener.Type == v1beta1.ListenerExternal && listener.External != nil {
			external = append(external, listener)
		}
	}
	slices.SortFunc(external, func(a, b v1beta1.Listener) int { return cmp.Compare(a.Name, b.Name) })
	return external
}

// buildListener gets the brokers of one group, sorted by id. first is the group that clients start from.
func buildListener(from v1beta1.Listener, facts Facts, brokers []BrokerFact, first bool) Listener {
	access := from.External
	to := Listener{
		Name:           from.Name,
		Mode:           orDefault(access.Mode, v1beta1.ExternalSNI),
		AllowedSources: prefixes(access.AllowedSources),
		ProxyProtocol:  access.ProxyProtocol,
		AccessLog:      access.AccessLog,
		Keepalive:      keepalive(access.Keepalive),
	}
	to.MaxConnections, to.MaxConnectionRate = limits(access.Limits)
	if first {
		to.Bootstrap = readyEndpoints(facts.Brokers, from.Port)
	}
	if to.Mode == v1beta1.ExternalPortPerBroker {
		to.addPorts(from, brokers, facts.Ports[from.Name], first)
	} else {
		to.addHosts(from, brokers, Hosts(access, facts.ids()), first)
	}
	return to
}

// addPorts leaves out brokers whose port is not allocated yet.
func (l *Listener) addPorts(from v1beta1.Listener, brokers []BrokerFact, ports map[int32]int32, first bool) {
	if first {
		l.Port = from.Port
	}
	for _, broker := range brokers {
		if port := ports[broker.ID]; port != 0 {
			l.Brokers = append(l.Brokers, Broker{ID: broker.ID, Port: port, Endpoint: broker.endpoint(from.Port)})
		}
	}
}

// addHosts leaves out brokers whose host name is another's.
func (l *Listener) addHosts(from v1beta1.Listener, brokers []BrokerFact, hosts map[int32]string, first bool) {
	l.Port = from.Port
	l.Domain = strings.ToLower(from.External.Domain)
	if first {
		l.BootstrapHost = BootstrapHost(from.External)
	}
	for _, broker := range brokers {
		if host, ok := hosts[broker.ID]; ok {
			l.Brokers = append(l.Brokers, Broker{ID: broker.ID, Host: host, Endpoint: broker.endpoint(from.Port)})
		}
	}
}

func (f Facts) ids() []int32 {
	ids := make([]int32, 0, len(f.Brokers))
	for _, broker := range f.Brokers {
		ids = append(ids, broker.ID)
	}
	return ids
}

// endpoint is there whether the broker is ready or not: clients that know the broker ask for this one and no other.
func (b BrokerFact) endpoint(port int32) *Endpoint {
	if b.PodIP == "" {
		return nil
	}
	return &Endpoint{Address: b.PodIP, Port: port, Zone: b.Zone}
}

func readyEndpoints(brokers []BrokerFact, port int32) []Endpoint {
	var ready []Endpoint
	for _, broker := range brokers {
		if endpoint := broker.endpoint(port); broker.Ready && endpoint != nil {
			ready = append(ready, *endpoint)
		}
	}
	return ready
}

// prefixes keeps what is not a prefix as the zero Prefix, which has to be refused later: left out, it could leave an
// empty list, and that lets everybody in.
func prefixes(texts []string) []netip.Prefix {
	var all []netip.Prefix
	for _, text := range texts {
		prefix, _ := netip.ParsePrefix(text)
		all = append(all, prefix.Masked())
	}
	slices.SortFunc(all, netip.Prefix.Compare)
	return slices.Compact(all)
}

func limits(spec *v1beta1.ExternalLimits) (connections int64, rate int32) {
	if spec == nil {
		return 0, 0
	}
	return deref(spec.MaxConnections), deref(spec.MaxConnectionRate)
}

func deref[T any](pointer *T) T {
	var zero T
	if pointer == nil {
		return zero
	}
	return *pointer
}

// keepalive has the defaults of the API also for objects that were stored without them.
func keepalive(spec *v1beta1.Keepalive) Keepalive {
	if spec == nil {
		spec = &v1beta1.Keepalive{}
	}
	return Keepalive{
		Time:        orDefault(spec.TimeSeconds, 20),
		Interval:    orDefault(spec.IntervalSeconds, 10),
		Probes:      orDefault(spec.Probes, 4),
		UserTimeout: orDefault(spec.UserTimeoutSeconds, 30),
	}
}
