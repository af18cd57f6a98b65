package desired

import (
	"net"
	"net/netip"
	"slices"
	"strconv"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

// Address is what clients are told for a broker.
type Address struct {
	Host string
	Port int32
}

// HasExternalListeners tells whether clients outside the Kubernetes cluster reach the brokers.
func HasExternalListeners(kc *v1beta1.KafkaCluster) bool {
	return slices.ContainsFunc(kc.Spec.Listeners, isExternal)
}

func isExternal(l v1beta1.Listener) bool { return l.Type == v1beta1.ListenerExternal }

// ListenersWithoutAddress names the external listeners on which a node has no address yet, or which clients have no
// address to start from. envoy-manager allocates them, in status.
func ListenersWithoutAddress(kc *v1beta1.KafkaCluster, node *Node) []string {
	var missing []string
	for _, l := range kc.Spec.Listeners {
		if !isExternal(l) || !node.IsBroker() {
			continue
		}
		_, hasBootstrap := bootstrapHost(kc, l.Name)
		if _, ok := externalAddress(kc, l.Name, node.ID); !ok || !hasBootstrap {
			missing = append(missing, l.Name)
		}
	}
	return missing
}

// externalAddress is the address of a broker on an external listener; false while it is not allocated.
func externalAddress(kc *v1beta1.KafkaCluster, listener string, id int32) (Address, bool) {
	status := ExternalListener(kc, listener)
	if status == nil {
		return Address{}, false
	}
	for i := range status.Brokers {
		if b := &status.Brokers[i]; b.ID == id && b.Host != "" && b.Port > 0 {
			return Address{Host: b.Host, Port: b.Port}, true
		}
	}
	return Address{}, false
}

func bootstrapHost(kc *v1beta1.KafkaCluster, listener string) (string, bool) {
	status := ExternalListener(kc, listener)
	if status == nil {
		return "", false
	}
	host, _, err := net.SplitHostPort(status.Bootstrap)
	return host, err == nil && host != ""
}

// ExternalListener is what envoy-manager says of a listener; nil if it has said nothing.
func ExternalListener(kc *v1beta1.KafkaCluster, name string) *v1beta1.ExternalListenerStatus {
	for i := range kc.Status.ExternalListeners {
		if kc.Status.ExternalListeners[i].Name == name {
			return &kc.Status.ExternalListeners[i]
		}
	}
	return nil
}

// advertised is the address that clients of a listener are told for a node.
func advertised(kc *v1beta1.KafkaCluster, node *Node, l listener) Address {
	if l.external != "" {
		if address, ok := externalAddress(kc, l.external, node.ID); ok {
			return address
		}
	}
	return Address{Host: Host(node.Namespace, node.Cluster, node.ID), Port: l.port}
}

// String is host:port, with an address of IP version 6 in brackets.
func (a Address) String() string { return net.JoinHostPort(a.Host, strconv.Itoa(int(a.Port))) }

// externalHosts are all hosts at which clients outside reach a node, or start from, by kind.
func externalHosts(kc *v1beta1.KafkaCluster, node *Node) (names []string, addresses []netip.Addr) {
	for _, l := range kc.Spec.Listeners {
		if !isExternal(l) || !node.IsBroker() {
			continue
		}
		var hosts []string
		if address, ok := externalAddress(kc, l.Name, node.ID); ok {
			hosts = append(hosts, address.Host)
		}
		if host, ok := bootstrapHost(kc, l.Name); ok {
			hosts = append(hosts, host)
		}
		for _, host := range hosts {
			if ip, err := netip.ParseAddr(host); err == nil {
				addresses = append(addresses, ip)
			} else {
				names = append(names, host)
			}
		}
	}
	slices.Sort(names)
	slices.SortFunc(addresses, netip.Addr.Compare)
	return slices.Compact(names), slices.Compact(addresses)
}
