package loadbalancer

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"koperator.dev/koperator/test/cluster/internal/layout"
)

// proxyHealthPort is where a kube-proxy says that it works.
const proxyHealthPort = 10256

// frontend is a port of a load balancer, and where it leads to on every node.
type frontend struct {
	address  netip.Addr
	protocol string
	port     int32
	nodePort int32
	// healthPort is where a node says whether it serves this.
	healthPort int32
}

// frontends lists the ports of Services that have an address, in a fixed order.
func frontends(services []*corev1.Service) []frontend {
	var all []frontend
	for _, s := range services {
		address, ok := addressOf(s)
		if !ok {
			continue
		}
		for _, p := range s.Spec.Ports {
			// Ports on the nodes can be turned off. A cloud that needs them does not serve such a Service either.
			if p.NodePort != 0 {
				all = append(all, frontend{
					address:    address,
					protocol:   strings.ToLower(string(p.Protocol)),
					port:       p.Port,
					nodePort:   p.NodePort,
					healthPort: healthPort(s),
				})
			}
		}
	}
	slices.SortFunc(all, func(x, y frontend) int {
		return cmp.Or(x.address.Compare(y.address), cmp.Compare(x.protocol, y.protocol), cmp.Compare(x.port, y.port))
	})
	return all
}

// healthPort of a Service whose traffic has to stay on the node that got it tells whether there is a Pod. All others are
// served by every node that works.
func healthPort(service *corev1.Service) int32 {
	if service.Spec.ExternalTrafficPolicy == corev1.ServiceExternalTrafficPolicyLocal {
		return service.Spec.HealthCheckNodePort
	}
	return proxyHealthPort
}

// rules is a file for nft that replaces all rules by those that spread new connections over the healthy nodes. Established
// ones stay where they are. What no node serves is refused.
func rules(all []frontend, healthy func(layout.Node, int32) bool) string {
	var b strings.Builder
	b.WriteString("table ip load-balancer\ndelete table ip load-balancer\ntable ip load-balancer {\n")
	b.WriteString("\tchain prerouting {\n\t\ttype nat hook prerouting priority dstnat;\n")
	for _, f := range all {
		if targets := f.targets(healthy); len(targets) > 0 {
			fmt.Fprintf(&b, "\t\tip daddr %s %s dport %d dnat to numgen random mod %d map { %s } : %d\n",
				f.address, f.protocol, f.port, len(targets), strings.Join(targets, ", "), f.nodePort)
		}
	}
	b.WriteString("\t}\n}\n")
	return b.String()
}

// targets are the entries of nft's map from a number to a node.
func (f frontend) targets(healthy func(layout.Node, int32) bool) []string {
	var targets []string
	for _, n := range layout.AllNodes() {
		if healthy(n, f.healthPort) {
			targets = append(targets, fmt.Sprintf("%d : %s", len(targets), n.IP()))
		}
	}
	return targets
}
