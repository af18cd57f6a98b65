package desired

import (
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

// Address is what clients are told for a broker.
type Address struct {
	Host string
	Port int32
}

// String is host:port, with an address of IP version 6 in brackets.
func (a Address) String() string { return net.JoinHostPort(a.Host, strconv.Itoa(int(a.Port))) }

// HasExternalListeners tells whether clients outside the Kubernetes cluster reach the brokers.
func HasExternalListeners(kc *v1beta1.KafkaCluster) bool {
	return slices.ContainsFunc(kc.Spec.Listeners, isExternal)
}

func isExternal(l v1beta1.Listener) bool { return l.Type == v1beta1.ListenerExternal }

// allocated are the addresses that envoy-manager has allocated, in status, by listener and broker. Those of a listener
// count once clients have a host to start from, too: a broker reads the certificate that is for both when it starts.
type allocated map[string]map[int32]Address

func allocatedAddresses(kc *v1beta1.KafkaCluster) allocated {
	addresses := allocated{}
	for i := range kc.Status.ExternalListeners {
		listener := &kc.Status.ExternalListeners[i]
		if bootstrapHost(kc, listener.Name) == "" {
			continue
		}
		addresses[listener.Name] = map[int32]Address{}
		for j := range listener.Brokers {
			if b := &listener.Brokers[j]; b.Host != "" && b.Port > 0 {
				addresses[listener.Name][b.ID] = Address{Host: b.Host, Port: b.Port}
			}
		}
	}
	return addresses
}

// addAddresses gives a broker the addresses that are allocated to it.
func (n *Node) addAddresses(listeners []v1beta1.Listener, addresses allocated) {
	if !n.IsBroker() {
		return
	}
	n.Addresses = map[string]Address{}
	for _, l := range listeners {
		if address, ok := addresses[l.Name][n.ID]; ok && isExternal(l) {
			n.Addresses[l.Name] = address
		}
	}
}

// Unaddressed names the external listeners on which a broker has no address.
func (n *Node) Unaddressed(kc *v1beta1.KafkaCluster) []string {
	var missing []string
	for _, l := range kc.Spec.Listeners {
		if _, ok := n.Addresses[l.Name]; !ok && n.IsBroker() && isExternal(l) {
			missing = append(missing, l.Name)
		}
	}
	return missing
}

// KeepAddresses gives a broker, where it has no address, the one that it tells its clients now, by the properties that it
// was started with.
func (n *Node) KeepAddresses(kc *v1beta1.KafkaCluster, started *Intent) {
	told := parseListeners(started.properties["advertised.listeners"])
	for _, l := range kc.Spec.Listeners {
		address, ok := told[ListenerName(l)]
		if _, known := n.Addresses[l.Name]; ok && !known && n.IsBroker() && isExternal(l) {
			n.Addresses[l.Name] = address
		}
	}
}

// parseListeners reads NAME://HOST:PORT,... by name.
func parseListeners(text string) map[string]Address {
	addresses := map[string]Address{}
	for entry := range strings.SplitSeq(text, ",") {
		name, endpoint, _ := strings.Cut(entry, "://")
		host, port, err := net.SplitHostPort(endpoint)
		if number, numberErr := strconv.ParseInt(port, 10, 32); err == nil && numberErr == nil {
			addresses[name] = Address{Host: host, Port: int32(number)}
		}
	}
	return addresses
}

// bootstrapHost is what clients of an external listener start from; empty while envoy-manager has not said.
func bootstrapHost(kc *v1beta1.KafkaCluster, listener string) string {
	for i := range kc.Status.ExternalListeners {
		if kc.Status.ExternalListeners[i].Name == listener {
			host, _, _ := net.SplitHostPort(kc.Status.ExternalListeners[i].Bootstrap)
			return host
		}
	}
	return ""
}

// advertised is the address that clients of a listener are told for a node.
func advertised(node *Node, l listener) Address {
	if l.external != nil {
		return *l.external
	}
	return Address{Host: v1beta1.BrokerHost(node.Namespace, node.Cluster, node.ID), Port: l.port}
}

// externalHosts are all hosts at which clients outside reach a node, or start from, by kind.
func externalHosts(kc *v1beta1.KafkaCluster, node *Node) (names []string, addresses []netip.Addr) {
	for _, l := range kc.Spec.Listeners {
		if !isExternal(l) || !node.IsBroker() {
			continue
		}
		for _, host := range []string{node.Addresses[l.Name].Host, bootstrapHost(kc, l.Name)} {
			if ip, err := netip.ParseAddr(host); err == nil {
				addresses = append(addresses, ip)
			} else if host != "" {
				names = append(names, host)
			}
		}
	}
	slices.Sort(names)
	slices.SortFunc(addresses, netip.Addr.Compare)
	return slices.Compact(names), slices.Compact(addresses)
}
