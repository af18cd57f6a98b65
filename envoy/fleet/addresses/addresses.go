// Package addresses decides what clients are told to connect to: facts in, addresses with reasons out. An address that was
// told stays as long as it leads anywhere, because a broker that tells another one is restarted for it.
package addresses

import (
	"cmp"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/envoy/fleet/objects"
	"koperator.dev/koperator/envoy/ir"
)

// Facts are what is known of one listener.
type Facts struct {
	Listener v1beta1.Listener
	// Fleets are those of the cluster, the one that clients start from first.
	Fleets []objects.Fleet
	// Services are the listener's as they are, by group.
	Services map[string]*corev1.Service
	// Groups are the groups of proxies that brokers are reached through.
	Groups map[int32]string
	// Ports are the proxies' ports that are allocated to brokers, with PortPerBroker.
	Ports map[int32]int32
	// Told is what status says.
	Told v1beta1.ExternalListenerStatus
}

// Address is what clients are told.
type Address struct {
	Host string
	Port int32
}

// Plan is what clients are told from now on.
type Plan struct {
	// Bootstrap is host:port, empty if there is none yet.
	Bootstrap string
	// Brokers holds those that have an address.
	Brokers map[int32]Address
	// Waits say what an address waits for, or what is in its way.
	Waits []string
}

// Of plans the addresses of a listener.
func Of(facts Facts) Plan {
	p := planner{Facts: facts, hosts: map[string]string{}, plan: Plan{Brokers: map[int32]Address{}}}
	for _, fleet := range facts.Fleets {
		p.hosts[fleet.Group] = p.hostOf(fleet)
	}
	if objects.IsPortPerBroker(facts.Listener) {
		p.planPorts()
	} else {
		p.planHosts()
	}
	return p.plan
}

type planner struct {
	Facts
	// hosts are what leads to a fleet, with PortPerBroker, by group.
	hosts map[string]string
	plan  Plan
}

func (p *planner) access() *v1beta1.ExternalAccess { return p.Listener.External }

func (p *planner) override(id int32) v1beta1.ExternalBrokerOverride {
	return overrideOf(p.access(), id)
}

func overrideOf(access *v1beta1.ExternalAccess, id int32) v1beta1.ExternalBrokerOverride {
	for _, override := range access.Brokers {
		if override.ID == id {
			return override
		}
	}
	return v1beta1.ExternalBrokerOverride{}
}

func (p *planner) wait(format string, args ...any) {
	p.plan.Waits = append(p.plan.Waits, fmt.Sprintf("listener %s: ", p.Listener.Name)+fmt.Sprintf(format, args...))
}

// planHosts tells brokers apart by host name. Names are told before the load balancer has an address: they do not depend on it.
func (p *planner) planHosts() {
	for id, host := range ir.Hosts(p.access(), slices.Collect(maps.Keys(p.Groups))) {
		port := cmp.Or(p.override(id).Port, p.portOf(p.Groups[id], objects.FirstPortName, objects.ClientPort(p.Listener)))
		p.tell(id, Address{host, port})
	}
	first := p.Fleets[0].Group
	p.tellBootstrap(ir.BootstrapHost(p.access()), p.portOf(first, objects.FirstPortName, objects.ClientPort(p.Listener)))
}

// planPorts tells brokers apart by port.
func (p *planner) planPorts() {
	for id, allocated := range p.Ports {
		override, group := p.override(id), p.Groups[id]
		host := cmp.Or(override.Host, p.access().Domain, p.hosts[group])
		p.tell(id, Address{host, cmp.Or(override.Port, p.portOf(group, objects.BrokerPortName(id), allocated))})
	}
	first := p.Fleets[0].Group
	p.tellBootstrap(cmp.Or(p.access().Domain, p.hosts[first]), p.portOf(first, objects.FirstPortName, objects.ClientPort(p.Listener)))
}

// tell leaves out what is not complete: a broker that tells clients half an address is lost to them.
func (p *planner) tell(id int32, address Address) {
	if address.Host != "" && address.Port != 0 {
		p.plan.Brokers[id] = address
	}
}

func (p *planner) tellBootstrap(host string, port int32) {
	if host != "" && port != 0 {
		p.plan.Bootstrap = net.JoinHostPort(host, strconv.Itoa(int(port)))
	}
}

// portOf is the port that clients see where the Service has the port of that name. While the Service is missing, it is the one
// that it had, and is asked to have again.
func (p *planner) portOf(group, name string, port int32) int32 {
	if objects.ServiceType(p.Listener) != v1beta1.ExternalNodePort {
		return port
	}
	service := p.Services[group]
	if service == nil {
		fleet := objects.Fleet{Group: group, First: group == p.Fleets[0].Group}
		return ToldNodePorts(fleet, p.Listener, p.Groups, p.Told)[name]
	}
	for _, of := range service.Spec.Ports {
		if of.Name == name {
			return of.NodePort
		}
	}
	return 0
}

// ToldNodePorts are the ports of Nodes that clients were told for a listener and a fleet, by the names that they have on its
// Service.
func ToldNodePorts(fleet objects.Fleet, listener v1beta1.Listener, groups map[int32]string, told v1beta1.ExternalListenerStatus) map[string]int32 {
	ports := map[string]int32{}
	for _, broker := range told.Brokers {
		if broker.Port == 0 || groups[broker.ID] != fleet.Group || overrideOf(listener.External, broker.ID).Port != 0 {
			continue
		}
		if objects.IsPortPerBroker(listener) {
			ports[objects.BrokerPortName(broker.ID)] = broker.Port
		} else {
			ports[objects.FirstPortName] = broker.Port
		}
	}
	if _, port, err := net.SplitHostPort(told.Bootstrap); err == nil && fleet.First {
		if number, err := strconv.ParseInt(port, 10, 32); err == nil {
			ports[objects.FirstPortName] = int32(number)
		}
	}
	return ports
}

// hostOf is what leads to a fleet by itself, and says what it waits for.
func (p *planner) hostOf(fleet objects.Fleet) string {
	name := fleet.ServiceName(p.Listener.Name)
	service := p.Services[fleet.Group]
	switch kind := objects.ServiceType(p.Listener); {
	case service == nil && !p.isReached(fleet):
		return ""
	case service == nil:
		p.wait("Service %s is not there yet", name)
	case kind == v1beta1.ExternalLoadBalancer && len(ingress(service)) == 0:
		p.wait("the load balancer of Service %s has no address yet", name)
	case kind == v1beta1.ExternalNodePort && !hasNodePorts(service):
		p.wait("Service %s has no node ports yet", name)
	}
	switch objects.ServiceType(p.Listener) {
	case v1beta1.ExternalLoadBalancer:
		return p.keep(fleet, service)
	case v1beta1.ExternalClusterIP:
		return fmt.Sprintf("%s.%s.svc", name, fleet.Cluster.Namespace)
	}
	return ""
}

// isReached tells whether anything is reached through a fleet: with PortPerBroker, one without brokers has no Service.
func (p *planner) isReached(fleet objects.Fleet) bool {
	if fleet.First || !objects.IsPortPerBroker(p.Listener) {
		return true
	}
	for id := range p.Ports {
		if p.Groups[id] == fleet.Group {
			return true
		}
	}
	return false
}

// keep chooses among the addresses of a load balancer. What was told stays if it is one of them, and also while there is
// none: a load balancer that is made anew, or whose status is lost for a moment, restarts nobody.
func (p *planner) keep(fleet objects.Fleet, service *corev1.Service) string {
	told := p.toldOf(fleet)
	var addresses []string
	if service != nil {
		addresses = ingress(service)
	}
	for _, address := range addresses {
		if slices.Contains(told, address) {
			return address
		}
	}
	return firstOf(addresses, told)
}

// toldOf are the hosts that clients were told for a fleet, as far as they are not an override's.
func (p *planner) toldOf(fleet objects.Fleet) []string {
	var told []string
	if host, _, err := net.SplitHostPort(p.Told.Bootstrap); err == nil && fleet.First {
		told = append(told, host)
	}
	for _, broker := range p.Told.Brokers {
		if broker.Host != "" && p.Groups[broker.ID] == fleet.Group && p.override(broker.ID).Host == "" {
			told = append(told, broker.Host)
		}
	}
	return told
}

func firstOf(lists ...[]string) string {
	for _, list := range lists {
		if len(list) > 0 {
			return list[0]
		}
	}
	return ""
}

func ingress(service *corev1.Service) []string {
	var addresses []string
	for _, entry := range service.Status.LoadBalancer.Ingress {
		if address := cmp.Or(entry.IP, entry.Hostname); address != "" {
			addresses = append(addresses, address)
		}
	}
	return addresses
}

func hasNodePorts(service *corev1.Service) bool {
	return !slices.ContainsFunc(service.Spec.Ports, func(port corev1.ServicePort) bool { return port.NodePort == 0 })
}

// Names are the host names that external-dns should lead to the Service of a fleet. They are those that clients are told,
// and no name is on two Services. A name for all brokers needs no change when brokers come and go.
func Names(fleet objects.Fleet, listener v1beta1.Listener, groups map[int32]string) []string {
	access := listener.External
	if objects.IsPortPerBroker(listener) {
		return portNames(fleet, access, groups)
	}
	if fleet.Group == "" {
		return []string{"*." + access.Domain}
	}
	var names []string
	for id, host := range ir.Hosts(access, slices.Collect(maps.Keys(groups))) {
		if groups[id] == fleet.Group {
			names = append(names, host)
		}
	}
	slices.Sort(names)
	if fleet.First {
		names = append([]string{ir.BootstrapHost(access)}, names...)
	}
	return names
}

func portNames(fleet objects.Fleet, access *v1beta1.ExternalAccess, groups map[int32]string) []string {
	var names []string
	for _, override := range access.Brokers {
		group, reached := groups[override.ID]
		if reached && group == fleet.Group && override.Host != "" && override.Host != access.Domain && net.ParseIP(override.Host) == nil {
			names = append(names, override.Host)
		}
	}
	slices.Sort(names)
	if fleet.First && access.Domain != "" {
		names = append([]string{access.Domain}, names...)
	}
	return slices.Compact(names)
}
