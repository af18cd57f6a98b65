// Package ir says what the proxies of a KafkaCluster serve, in plain structs between Kubernetes' words and Envoy's.
//
// It is pure: Build gets the KafkaCluster and facts, and the same facts in any order give equal structs.
package ir

import (
	"net/netip"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

// Fleet is what the proxies of one group of one KafkaCluster serve.
type Fleet struct {
	Namespace, Cluster string
	// Group is empty when the spec has no groups.
	Group string
	// Revision of the templates that listeners are made from.
	Revision int32
	// Listeners are those of type External, sorted by name.
	Listeners []Listener
	// Problems say what is not served and why, in the words of the spec: what clashes with something else is left out, and
	// the rest is served.
	Problems []string
}

// OpsPort is where proxies answer probes and give their metrics: no listener can have it.
const OpsPort = 19001

// Listener is one listener of type External.
type Listener struct {
	Name string
	Mode v1beta1.ExternalMode
	// Port is the one that proxies listen on, with SNI for all, with PortPerBroker for bootstrap. It is the port that the
	// listener has on brokers, whatever the load balancer's: that one may be below 1024, and may change. It is 0 where
	// proxies listen on none: with PortPerBroker in the groups after the first.
	Port int32
	// Domain is the one that all host names of SNI are in; with PortPerBroker it is empty, because proxies do not look.
	Domain string
	// BootstrapHost is the name that clients start from: SNI only, and empty in the groups after the first.
	BootstrapHost string
	// Bootstrap holds the ready brokers of the whole cluster, sorted by id; nil in the groups after the first.
	Bootstrap []Endpoint
	// Brokers are those of this group, sorted by id.
	Brokers []Broker
	// AllowedSources are sorted. Empty: everybody may connect.
	AllowedSources []netip.Prefix
	// MaxConnections and MaxConnectionRate (a second) are limits of each proxy. 0: none.
	MaxConnections    int64
	MaxConnectionRate int32
	ProxyProtocol     bool
	AccessLog         bool
	Keepalive         Keepalive
}

// Keepalive is in seconds, but for the number of probes.
type Keepalive struct {
	Time, Interval, Probes, UserTimeout int32
}

// Broker is a broker that clients reach through one listener.
type Broker struct {
	ID int32
	// Host is what clients ask for with SNI, in lower case.
	Host string
	// Port is the one that proxies listen on for this broker with PortPerBroker.
	Port int32
	// Endpoint is nil while the broker's Pod has no address.
	Endpoint *Endpoint
}

// Endpoint is where a broker's Pod listens.
type Endpoint struct {
	// Address is an IP address.
	Address string
	Port    int32
	// Zone is empty where it is not known.
	Zone string
}

// Facts are what Build needs besides the spec.
type Facts struct {
	// Brokers are the nodes with the role broker, each id once: those of the spec, and those that leave it and are not
	// gone yet.
	Brokers []BrokerFact
	// Ports are the proxies' ports that are allocated, by listener and broker: for PortPerBroker. A broker without one is
	// not served yet.
	Ports map[string]map[int32]int32
	// Revision of the templates.
	Revision int32
}

// BrokerFact is what is known of one broker.
type BrokerFact struct {
	ID int32
	// Group is its entry of spec.brokerGroups, empty if not known.
	Group string
	// PodIP is empty while its Pod has none.
	PodIP string
	Ready bool
	Zone  string
}
