package objects

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

// externalDNS is read by external-dns, which makes DNS records of it.
const externalDNS = "external-dns.alpha.kubernetes.io/hostname"

// Names of the ports of a Service.
const (
	// FirstPortName is that of the port that clients connect to first, with SNI the only one.
	FirstPortName    = "bootstrap"
	brokerPortPrefix = "broker-"
)

// BrokerPortName is the name of a broker's own port of a Service.
func BrokerPortName(id int32) string { return brokerPortPrefix + strconv.Itoa(int(id)) }

// Defaults of the API for the ports of brokers.
const defaultBrokerPorts = 64

// BrokerPorts is the range that the ports of a listener's brokers are from: after the port that clients connect to first,
// if the spec does not say.
func BrokerPorts(listener v1beta1.Listener) v1beta1.BrokerPorts {
	if ports := listener.External.BrokerPorts; ports != nil {
		return v1beta1.BrokerPorts{First: ports.First, Count: cmp.Or(ports.Count, defaultBrokerPorts)}
	}
	first := max(ClientPort(listener), listener.Port) + 1
	return v1beta1.BrokerPorts{First: first, Count: min(defaultBrokerPorts, 65536-first)}
}

// ServiceInput is what a Service is made from besides the spec.
type ServiceInput struct {
	Listener v1beta1.Listener
	// Ports are those of the brokers that are reached through the fleet, with PortPerBroker.
	Ports map[int32]int32
	// NodePorts are asked for by the names of the Service's ports. Without any, Kubernetes chooses.
	NodePorts map[string]int32
	// Hosts are the names for external-dns.
	Hosts []string
	// BrokerGroups are the groups of the brokers that are reached through the fleet.
	BrokerGroups map[int32]string
}

// Service is where clients reach a listener through the fleet, nil if there is nothing to reach. Only the ports for
// clients are on it.
func (f Fleet) Service(in ServiceInput) *corev1ac.ServiceApplyConfiguration {
	ports := f.servicePorts(in)
	if len(ports) == 0 {
		return nil
	}
	labels := f.labels()
	labels[LabelListener] = in.Listener.Name
	said := service(in.Listener)
	spec := corev1ac.ServiceSpec().
		WithType(corev1.ServiceType(ServiceType(in.Listener))).
		WithSelector(f.Selector()).
		WithPorts(ports...)
	if said.LoadBalancerClass != "" {
		spec.WithLoadBalancerClass(said.LoadBalancerClass)
	}
	if len(said.LoadBalancerSourceRanges) > 0 {
		spec.WithLoadBalancerSourceRanges(slices.Sorted(slices.Values(said.LoadBalancerSourceRanges))...)
	}
	if said.ExternalTrafficPolicy != "" {
		spec.WithExternalTrafficPolicy(corev1.ServiceExternalTrafficPolicy(said.ExternalTrafficPolicy))
	}
	return corev1ac.Service(f.ServiceName(in.Listener.Name), f.Cluster.Namespace).
		WithLabels(labels).
		WithAnnotations(f.serviceAnnotations(in)).
		WithOwnerReferences(f.ownerReference()).
		WithSpec(spec)
}

func (f Fleet) servicePorts(in ServiceInput) []*corev1ac.ServicePortApplyConfiguration {
	var ports []*corev1ac.ServicePortApplyConfiguration
	if f.First || !IsPortPerBroker(in.Listener) {
		ports = append(ports, servicePort(FirstPortName, ClientPort(in.Listener), in.Listener.Port))
	}
	for _, id := range slices.Sorted(maps.Keys(in.Ports)) {
		ports = append(ports, servicePort(BrokerPortName(id), in.Ports[id], in.Ports[id]))
	}
	for _, port := range ports {
		if wanted := in.NodePorts[*port.Name]; wanted != 0 {
			port.WithNodePort(wanted)
		}
	}
	return ports
}

func servicePort(name string, port, target int32) *corev1ac.ServicePortApplyConfiguration {
	return corev1ac.ServicePort().
		WithName(name).
		WithProtocol(corev1.ProtocolTCP).
		WithPort(port).
		WithTargetPort(intstr.FromInt32(target))
}

// serviceAnnotations are ours, over them the listener's, and over these the group's.
func (f Fleet) serviceAnnotations(in ServiceInput) map[string]string {
	annotations := map[string]string{}
	if len(in.Hosts) > 0 {
		annotations[externalDNS] = strings.Join(in.Hosts, ",")
	}
	maps.Copy(annotations, service(in.Listener).Annotations)
	maps.Copy(annotations, f.group().ServiceAnnotations)
	if len(in.BrokerGroups) > 0 {
		annotations[AnnotationBrokerGroups] = writeBrokerGroups(in.BrokerGroups)
	}
	return annotations
}

// PortsOf are the ports of brokers that a Service has.
func PortsOf(service *corev1.Service) map[int32]int32 {
	ports := map[int32]int32{}
	for _, port := range service.Spec.Ports {
		text, ok := strings.CutPrefix(port.Name, brokerPortPrefix)
		if id, err := strconv.ParseInt(text, 10, 32); ok && err == nil {
			ports[int32(id)] = port.Port
		}
	}
	return ports
}

func writeBrokerGroups(groups map[int32]string) string {
	var entries []string
	for _, id := range slices.Sorted(maps.Keys(groups)) {
		entries = append(entries, fmt.Sprintf("%d=%s", id, groups[id]))
	}
	return strings.Join(entries, " ")
}

// BrokerGroupsOf are the groups of brokers that a Service remembers.
func BrokerGroupsOf(service *corev1.Service) map[int32]string {
	groups := map[int32]string{}
	for entry := range strings.FieldsSeq(service.Annotations[AnnotationBrokerGroups]) {
		text, group, ok := strings.Cut(entry, "=")
		if id, err := strconv.ParseInt(text, 10, 32); ok && err == nil {
			groups[int32(id)] = group
		}
	}
	return groups
}
