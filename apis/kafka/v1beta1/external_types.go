package v1beta1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// ExternalMode says how a client's connection finds its broker.
// +kubebuilder:validation:Enum=SNI;PortPerBroker
type ExternalMode string

const (
	// ExternalSNI has one port for all brokers: the proxy reads the host name
	// that the client asks for from the TLS handshake (SNI), and passes the
	// connection on as it is.
	ExternalSNI ExternalMode = "SNI"
	// ExternalPortPerBroker has one port for each broker, and one to start from.
	ExternalPortPerBroker ExternalMode = "PortPerBroker"
)

// ExternalAccess is how clients outside the Kubernetes cluster reach a
// listener.
//
// The connection is encrypted from the client to the broker: proxies do not
// decrypt it.
//
// +kubebuilder:validation:XValidation:rule="self.mode != 'SNI' || has(self.domain)",fieldPath=".domain",message="mode SNI needs a domain, such as orders.example.com: brokers are told apart by host names in it. Without DNS, use mode PortPerBroker"
// +kubebuilder:validation:XValidation:rule="self.mode == 'SNI' || !has(self.brokerHost)",fieldPath=".brokerHost",message="brokerHost is for mode SNI: with mode PortPerBroker all brokers share one host name, domain"
// +kubebuilder:validation:XValidation:rule="self.mode == 'SNI' || !has(self.bootstrapHost)",fieldPath=".bootstrapHost",message="bootstrapHost is for mode SNI: with mode PortPerBroker all brokers share one host name, domain"
// +kubebuilder:validation:XValidation:rule="(self.mode == 'PortPerBroker') == has(self.brokerPorts)",fieldPath=".brokerPorts",message="mode PortPerBroker needs brokerPorts, such as {first: 9200}, and with mode SNI there are none: all brokers share the listener's port"
// +kubebuilder:validation:XValidation:rule="self.mode != 'PortPerBroker' || self.service.type != 'NodePort' || has(self.domain)",fieldPath=".domain",message="a Service of type NodePort needs a domain: the host name at which clients reach the Kubernetes Nodes"
// +kubebuilder:validation:XValidation:rule="!has(self.port) || !has(self.brokerPorts) || self.port < self.brokerPorts.first || self.port >= self.brokerPorts.first + self.brokerPorts.count",fieldPath=".port",message="the range of brokerPorts holds the port that clients connect to first, and the Service has both: move the range, or change the port"
// +kubebuilder:validation:XValidation:rule="self.mode != 'SNI' || !has(self.brokers) || !has(self.domain) || self.brokers.all(b, !has(b.host) || b.host.endsWith('.' + self.domain))",fieldPath=".brokers",message="with mode SNI the host of a broker must be in the domain: proxies take connections for host names in it only"
// +kubebuilder:validation:XValidation:rule="self.mode != 'SNI' || !has(self.brokers) || !has(self.domain) || self.brokers.all(b, !has(b.host) || b.host != (has(self.bootstrapHost) ? self.bootstrapHost : 'bootstrap') + '.' + self.domain)",fieldPath=".brokers",message="the host of a broker is the one that clients start from, and behind that one is every broker: give the broker another one, or change bootstrapHost"
// +kubebuilder:validation:XValidation:rule="!has(self.bootstrapHost) || !self.bootstrapHost.matches('^' + (has(self.brokerHost) ? self.brokerHost : 'broker-{id}').replace('{id}', '[0-9]+') + '$')",fieldPath=".bootstrapHost",message="bootstrapHost is the host name of a broker, too: choose another one, such as bootstrap"
type ExternalAccess struct {
	// How a client's connection finds its broker. SNI: one port, and a host name
	// for each broker; it needs TLS and a wildcard DNS record, and fits any
	// number of brokers behind one load balancer. PortPerBroker: a port for each
	// broker and one to start from; it works with an IP address, and with
	// clients that do not send a host name (SNI).
	// +kubebuilder:default=SNI
	// +optional
	Mode ExternalMode `json:"mode,omitempty"`

	// With mode SNI: the DNS domain that the host names of brokers are in, such
	// as orders.example.com; *.orders.example.com must resolve to the load
	// balancer. With mode PortPerBroker: the one host name of all brokers;
	// without it the load balancer's own address is used.
	// +kubebuilder:validation:MaxLength=190
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?([.][a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)+$') && !self.matches('[.][0-9]+$')",message="domain must be a DNS name of at least two labels, in lower case and without '_', such as orders.example.com: Java clients send no other host names (SNI)"
	// +optional
	Domain string `json:"domain,omitempty"`

	// First part of the host name of each broker, with {id} in place of its id:
	// broker-{id} makes broker-101.orders.example.com. Mode SNI only. Defaults
	// to broker-{id}.
	// +kubebuilder:validation:MaxLength=50
	// +kubebuilder:validation:XValidation:rule="self.matches('^([a-z0-9][-a-z0-9]*)?[{]id[}]([-a-z0-9]*[a-z0-9])?$')",message="brokerHost must hold {id} once and else lower-case letters, digits and '-' only, such as broker-{id}: Java clients send no host name (SNI) with a '_' in it"
	// +optional
	BrokerHost string `json:"brokerHost,omitempty"`

	// First part of the host name that clients start from. Mode SNI only.
	// Defaults to bootstrap.
	// +kubebuilder:validation:MaxLength=50
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="bootstrapHost must be one label of a DNS name, of lower-case letters, digits and '-', such as bootstrap"
	// +optional
	BootstrapHost string `json:"bootstrapHost,omitempty"`

	// Port of the load balancer that clients connect to first, and with mode SNI
	// the only one. Defaults to the listener's port.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	// +optional
	Port int32 `json:"port,omitempty"`

	// Ports for the brokers, needed with mode PortPerBroker and only there. A
	// broker's port is allocated once and stays its own for its life.
	// +optional
	BrokerPorts *BrokerPorts `json:"brokerPorts,omitempty"`

	// What differs for single brokers.
	// +kubebuilder:validation:MaxItems=128
	// +listType=map
	// +listMapKey=id
	// +optional
	Brokers []ExternalBrokerOverride `json:"brokers,omitempty"`

	// The Service that makes the proxies reachable.
	// +kubebuilder:default={}
	// +optional
	Service *ExternalService `json:"service,omitempty"`

	// Addresses that may connect, as IP addresses of clients with a prefix
	// length, such as 10.0.0.0/8. Empty: all. Proxies see the address of the
	// client if the load balancer keeps it (externalTrafficPolicy: Local) or
	// sends it (proxyProtocol).
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=49
	// +kubebuilder:validation:XValidation:rule="self.all(c, isCIDR(c))",message="each entry of allowedSources must be an IP address with a prefix length, such as 10.0.0.0/8"
	// +listType=set
	// +optional
	AllowedSources []string `json:"allowedSources,omitempty"`

	// Limits of each proxy. A change closes the connections of the listener, one
	// after the other.
	// +optional
	Limits *ExternalLimits `json:"limits,omitempty"`

	// Whether the load balancer sends the address of the client in front of each
	// connection (PROXY protocol, version 1 or 2). Connections without it are
	// refused then.
	// +optional
	ProxyProtocol bool `json:"proxyProtocol,omitempty"`

	// When a peer that does not answer counts as dead.
	// +kubebuilder:default={}
	// +optional
	Keepalive *Keepalive `json:"keepalive,omitempty"`

	// Whether proxies write a line of JSON for each connection that ends.
	// +optional
	AccessLog bool `json:"accessLog,omitempty"`
}

// BrokerPorts is a range of ports.
//
// +kubebuilder:validation:XValidation:rule="self.first + self.count <= 65536",fieldPath=".count",message="the range of brokerPorts ends above port 65535: use a smaller first or count"
// +kubebuilder:validation:XValidation:rule="self.first + self.count <= 19001 || self.first > 19001",message="the range of brokerPorts holds port 19001, which the proxies use themselves: choose another first"
type BrokerPorts struct {
	// First port of the range.
	// +kubebuilder:validation:Minimum=1024
	// +kubebuilder:validation:Maximum=65535
	// +required
	First int32 `json:"first"`
	// Number of ports: as many brokers as the listener can have. Only ports that
	// are allocated to a broker are open.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=2048
	// +kubebuilder:default=64
	// +optional
	Count int32 `json:"count,omitempty"`
}

// ExternalBrokerOverride is what differs for one broker.
type ExternalBrokerOverride struct {
	// Id of the broker.
	// +kubebuilder:validation:Minimum=0
	// +required
	ID int32 `json:"id"`
	// Host name, or with mode PortPerBroker an IP address, that clients are told
	// for this broker.
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="isIP(self) || (self.matches('^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?([.][a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)+$') && !self.matches('[.][0-9]+$'))",message="host must be an IP address or a DNS name of at least two labels, in lower case and without '_', such as broker-101.orders.example.com"
	// +optional
	Host string `json:"host,omitempty"`
	// Port that clients are told for this broker, where something in front of
	// the load balancer maps it.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	// +optional
	Port int32 `json:"port,omitempty"`
}

// ExternalServiceType is the type of a Service.
// +kubebuilder:validation:Enum=LoadBalancer;NodePort;ClusterIP
type ExternalServiceType string

// Types of the Service of a listener.
const (
	ExternalLoadBalancer ExternalServiceType = "LoadBalancer"
	ExternalNodePort     ExternalServiceType = "NodePort"
	ExternalClusterIP    ExternalServiceType = "ClusterIP"
)

// ExternalService is the Service that makes the proxies reachable.
//
// +kubebuilder:validation:XValidation:rule="self.type == 'LoadBalancer' || (!has(self.loadBalancerClass) && !has(self.loadBalancerSourceRanges))",message="loadBalancerClass and loadBalancerSourceRanges are for type LoadBalancer: remove them, or use allowedSources"
// +kubebuilder:validation:XValidation:rule="self.type != 'ClusterIP' || !has(self.externalTrafficPolicy)",fieldPath=".externalTrafficPolicy",message="externalTrafficPolicy is for the types LoadBalancer and NodePort: remove it"
// +kubebuilder:validation:XValidation:rule="self.type != 'LoadBalancer' || oldSelf.type != 'LoadBalancer' || (has(self.loadBalancerClass) == has(oldSelf.loadBalancerClass) && (!has(self.loadBalancerClass) || self.loadBalancerClass == oldSelf.loadBalancerClass))",fieldPath=".loadBalancerClass",message="loadBalancerClass cannot be set, changed or removed later: add a listener with the new class, then remove this one"
type ExternalService struct {
	// LoadBalancer: a load balancer of the cloud. NodePort: a port of each
	// Kubernetes Node. ClusterIP: reached by something of the user's own.
	// +kubebuilder:default=LoadBalancer
	// +optional
	Type ExternalServiceType `json:"type,omitempty"`

	// Annotations of the Service, for the controller of the load balancer or
	// external-dns. With a domain, external-dns is told its host names unless an
	// annotation here says otherwise.
	// +kubebuilder:validation:MaxProperties=64
	// +kubebuilder:validation:XValidation:rule="self.all(k, k.size() <= 317 && self[k].size() <= 4096)",message="keys of annotations have at most 317 characters, and values 4096"
	// +optional
	Annotations map[string]string `json:"annotations,omitempty"`

	// Which load balancer implements the Service. It cannot change.
	// +kubebuilder:validation:MaxLength=317
	// +optional
	LoadBalancerClass string `json:"loadBalancerClass,omitempty"`

	// Addresses that the load balancer of the cloud lets in, such as 10.0.0.0/8.
	// Not every cloud does it: allowedSources is done by the proxies themselves.
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=49
	// +kubebuilder:validation:XValidation:rule="self.all(c, isCIDR(c))",message="each entry of loadBalancerSourceRanges must be an IP address with a prefix length, such as 10.0.0.0/8"
	// +listType=set
	// +optional
	LoadBalancerSourceRanges []string `json:"loadBalancerSourceRanges,omitempty"`

	// Cluster: any Node takes connections, and proxies see Nodes as clients.
	// Local: only Nodes with a proxy do, and proxies see the clients' own
	// addresses.
	// +kubebuilder:validation:Enum=Cluster;Local
	// +optional
	ExternalTrafficPolicy string `json:"externalTrafficPolicy,omitempty"`
}

// ExternalLimits are the limits of each proxy on a listener.
type ExternalLimits struct {
	// Connections at the same time; with mode PortPerBroker on each port.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10000000
	// +optional
	MaxConnections *int64 `json:"maxConnections,omitempty"`
	// New connections in a second, over all ports of the listener.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000000
	// +optional
	MaxConnectionRate *int32 `json:"maxConnectionRate,omitempty"`
}

// Keepalive says when a peer that does not answer counts as dead: on both
// sides of the proxy, a client or a broker on a lost machine.
//
// +kubebuilder:validation:XValidation:rule="!has(self.userTimeoutSeconds) || self.userTimeoutSeconds >= 30",fieldPath=".userTimeoutSeconds",message="userTimeoutSeconds must be at least 30: a broker that throttles a client stops reading from it for a while, and would lose the connection"
type Keepalive struct {
	// Seconds without traffic after which the peer is asked for a sign of life
	// (TCP_KEEPIDLE).
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=7200
	// +kubebuilder:default=20
	// +optional
	TimeSeconds int32 `json:"timeSeconds,omitempty"`
	// Seconds between two such questions (TCP_KEEPINTVL).
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=3600
	// +kubebuilder:default=10
	// +optional
	IntervalSeconds int32 `json:"intervalSeconds,omitempty"`
	// Questions without an answer after which the peer counts as dead
	// (TCP_KEEPCNT).
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	// +kubebuilder:default=4
	// +optional
	Probes int32 `json:"probes,omitempty"`
	// Seconds after which a peer that does not acknowledge what it was sent
	// counts as dead (TCP_USER_TIMEOUT). A live peer that reads nothing for so
	// long is cut off, too.
	// +kubebuilder:validation:Maximum=3600
	// +kubebuilder:default=30
	// +optional
	UserTimeoutSeconds int32 `json:"userTimeoutSeconds,omitempty"`
}

// ExternalListenerStatus is how clients reach one listener of type External.
type ExternalListenerStatus struct {
	// Name of the listener.
	// +kubebuilder:validation:MaxLength=15
	Name string `json:"name"`
	// Host name and port that clients start from; empty while the load balancer
	// has no address.
	// +kubebuilder:validation:MaxLength=270
	// +optional
	Bootstrap string `json:"bootstrap,omitempty"`
	// Revision of the templates that the proxies' configuration is made from. It
	// stays when Koperator is upgraded, because a listener that changes closes
	// its connections.
	// +optional
	TemplateRevision int32 `json:"templateRevision,omitempty"`
	// How clients reach each broker.
	// +kubebuilder:validation:MaxItems=1024
	// +listType=map
	// +listMapKey=id
	// +optional
	Brokers []ExternalBrokerStatus `json:"brokers,omitempty"`
	// Ready proxies that have accepted everything of this listener.
	// +optional
	AcceptedBy int32 `json:"acceptedBy"`
	// Ready proxies.
	// +optional
	Proxies int32 `json:"proxies"`
	// What proxies reject, in Envoy's own words. They go on with what they had.
	// +kubebuilder:validation:MaxItems=16
	// +listType=map
	// +listMapKey=resource
	// +optional
	Rejected []RejectedResource `json:"rejected,omitempty"`
}

// ExternalBrokerStatus is how clients reach one broker.
type ExternalBrokerStatus struct {
	// Id of the broker.
	ID int32 `json:"id"`
	// Host name or address that clients are told.
	// +kubebuilder:validation:MaxLength=253
	Host string `json:"host"`
	// Port that clients are told.
	Port int32 `json:"port"`
	// Port that the proxies listen on for this broker, in mode PortPerBroker. It
	// is its own for its life.
	// +optional
	ProxyPort int32 `json:"proxyPort,omitempty"`
	// Address of the broker's Pod that the proxies are told; empty while it has
	// none.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	Endpoint string `json:"endpoint,omitempty"`
	// Ready proxies that have accepted this broker with this endpoint.
	// +optional
	AcceptedBy int32 `json:"acceptedBy"`
	// Since when a ready proxy has not accepted it; absent when all have.
	// +optional
	PendingSince *metav1.Time `json:"pendingSince,omitempty"`
}

// RejectedResource is a part of the configuration that proxies reject.
type RejectedResource struct {
	// Type and name of the resource, such as Listener kafka/orders/public.
	// +kubebuilder:validation:MaxLength=512
	Resource string `json:"resource"`
	// What Envoy says.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	Message string `json:"message,omitempty"`
	// Proxies that reject it.
	// +optional
	Proxies int32 `json:"proxies"`
}
