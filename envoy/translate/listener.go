package translate

import (
	"net/netip"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	proxyprotocolv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/listener/proxy_protocol/v3"
	tlsinspectorv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/listener/tls_inspector/v3"
	tcpproxyv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// Everything in this file and in filters.go is revision 1 of the templates. It is released: a change of a listener's
// bytes closes all connections of its clients on the day that Koperator is upgraded. So it is not changed; a better
// listener is another revision beside this one.

const (
	// listenerFiltersTimeout is how long a client may be silent before it says with TLS which broker it wants.
	listenerFiltersTimeout = 10 * time.Second
	// idleTimeout is above those of Kafka (10 minutes for brokers, 9 for clients), which shall decide.
	idleTimeout = time.Hour
	// connectAttempts are to several brokers, or to one while its endpoint changes.
	connectAttempts = 3
	// earlyData is what a client may send before its broker is connected.
	earlyData = 64 << 10
)

// sniListener is constant while brokers come and go: the cluster is chosen for each connection by the name that the
// client asks for. The prefix keeps clients from choosing a cluster that is not a broker of this listener.
func sniListener(s scope) (*listenerv3.Listener, error) {
	p := &packer{}
	listener := newListener(p, s, s.sniListenerName(), s.Port)
	listener.ListenerFilters = append(listener.ListenerFilters, listenerFilter("envoy.filters.listener.tls_inspector",
		p.pack(&tlsinspectorv3.TlsInspector{CloseConnectionOnClientHelloParsingErrors: true})))
	listener.ConnectionBalanceConfig = &listenerv3.Listener_ConnectionBalanceConfig{
		BalanceType: &listenerv3.Listener_ConnectionBalanceConfig_ExactBalance_{
			ExactBalance: &listenerv3.Listener_ConnectionBalanceConfig_ExactBalance{},
		},
	}
	proxy := tcpProxy(p, s, s.prefix, s.prefix+unknown)
	proxy.MaxConnectAttempts = wrapperspb.UInt32(connectAttempts)
	match := filterChainMatch(s)
	match.TransportProtocol = "tls"
	match.ServerNames = []string{"*." + s.Domain}
	listener.FilterChains = []*listenerv3.FilterChain{{
		Name:             s.prefix,
		FilterChainMatch: match,
		Filters:          append(limits(p, s, s.prefix), clusterByServerName(p, s.prefix), networkFilter(filterTCPProxy, p.pack(proxy))),
	}}
	return listener, p.err()
}

// portListener leads to one cluster, which has the same name. It connects when the client speaks, as all clients of
// Kafka do first: a load balancer's probe costs the broker nothing.
func portListener(s scope, name string, port int32) (*listenerv3.Listener, error) {
	p := &packer{}
	listener := newListener(p, s, name, port)
	proxy := tcpProxy(p, s, name, name)
	proxy.UpstreamConnectMode = tcpproxyv3.UpstreamConnectMode_ON_DOWNSTREAM_DATA
	proxy.MaxEarlyDataBytes = wrapperspb.UInt32(earlyData)
	if name == s.bootstrapName() {
		proxy.MaxConnectAttempts = wrapperspb.UInt32(connectAttempts)
	}
	chain := &listenerv3.FilterChain{Name: name, Filters: append(limits(p, s, name), networkFilter(filterTCPProxy, p.pack(proxy)))}
	if len(s.AllowedSources) > 0 {
		chain.FilterChainMatch = filterChainMatch(s)
	}
	listener.FilterChains = []*listenerv3.FilterChain{chain}
	return listener, p.err()
}

// newListener is what both modes have in common. MODIFY_ONLY keeps its connections while the proxy only reports itself
// unhealthy, which it does before it drains.
func newListener(p *packer, s scope, name string, port int32) *listenerv3.Listener {
	bind := address("::", port)
	bind.GetSocketAddress().Ipv4Compat = true
	listener := &listenerv3.Listener{
		Name:                          name,
		StatPrefix:                    name,
		Address:                       bind,
		DrainType:                     listenerv3.Listener_MODIFY_ONLY,
		PerConnectionBufferLimitBytes: wrapperspb.UInt32(bufferLimit),
		TcpKeepalive:                  tcpKeepalive(s.Keepalive),
		SocketOptions:                 socketOptions(s.Keepalive),
		ListenerFiltersTimeout:        durationpb.New(listenerFiltersTimeout),
	}
	if s.ProxyProtocol {
		// First: what comes after it sees the client's own address and bytes.
		listener.ListenerFilters = []*listenerv3.ListenerFilter{
			listenerFilter("envoy.filters.listener.proxy_protocol", p.pack(&proxyprotocolv3.ProxyProtocol{})),
		}
	}
	return listener
}

// filterChainMatch refuses others before a filter or a broker sees them.
func filterChainMatch(s scope) *listenerv3.FilterChainMatch {
	match := &listenerv3.FilterChainMatch{}
	for _, prefix := range s.AllowedSources {
		match.SourcePrefixRanges = append(match.SourcePrefixRanges, cidrRange(prefix))
	}
	return match
}

func cidrRange(prefix netip.Prefix) *corev3.CidrRange {
	return &corev3.CidrRange{AddressPrefix: prefix.Addr().String(), PrefixLen: wrapperspb.UInt32(uint32(prefix.Bits()))}
}

// tcpProxy drains its connections when the listener or the proxy does, instead of being cut at the end of it.
func tcpProxy(p *packer, s scope, statName, cluster string) *tcpproxyv3.TcpProxy {
	return &tcpproxyv3.TcpProxy{
		StatPrefix:       statName,
		ClusterSpecifier: &tcpproxyv3.TcpProxy_Cluster{Cluster: cluster},
		IdleTimeout:      durationpb.New(idleTimeout),
		CheckDrainClose:  wrapperspb.Bool(true),
		AccessLog:        accessLog(p, s),
	}
}
