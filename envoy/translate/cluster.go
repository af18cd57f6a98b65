package translate

import (
	"maps"
	"slices"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"koperator.dev/koperator/envoy/ir"
)

const (
	connectTimeout = 5 * time.Second
	// endpointsTimeout is how long a cluster may wait for its endpoints, and everything else of that proxy with it. They
	// come in the same response, so it is never used up.
	endpointsTimeout = 5 * time.Second
	// bufferLimit of a connection on each side: faster than Envoy's default of 1 MiB, and less memory.
	bufferLimit = 256 << 10
	// noLimit is instead of Envoy's 1024 connections and 1024 pending ones for each cluster.
	noLimit = 1_000_000_000
)

// newCluster is where connections go, by its endpoints, which come separately.
//
// There are no health checks: TCP notices a dead peer, and a check that fails would cut clients off a broker that is busy.
func newCluster(name, statName string, keepalive ir.Keepalive, policy clusterv3.Cluster_LbPolicy) (*clusterv3.Cluster, error) {
	cluster := &clusterv3.Cluster{
		Name:                          name,
		AltStatName:                   statName,
		ClusterDiscoveryType:          &clusterv3.Cluster_Type{Type: clusterv3.Cluster_EDS},
		ConnectTimeout:                durationpb.New(connectTimeout),
		PerConnectionBufferLimitBytes: wrapperspb.UInt32(bufferLimit),
		LbPolicy:                      policy,
		IgnoreHealthOnHostRemoval:     true,
		UpstreamConnectionOptions:     &clusterv3.UpstreamConnectionOptions{TcpKeepalive: tcpKeepalive(keepalive)},
		UpstreamBindConfig:            &corev3.BindConfig{SocketOptions: socketOptions(keepalive)},
		CircuitBreakers: &clusterv3.CircuitBreakers{Thresholds: []*clusterv3.CircuitBreakers_Thresholds{{
			MaxConnections:     wrapperspb.UInt32(noLimit),
			MaxPendingRequests: wrapperspb.UInt32(noLimit),
			MaxRequests:        wrapperspb.UInt32(noLimit),
		}}},
	}
	bytes, err := deterministic.Marshal(cluster)
	if err != nil {
		return nil, err
	}
	cluster.EdsClusterConfig = &clusterv3.Cluster_EdsClusterConfig{
		// Envoy does not ask again for endpoints that it has under the same name, and a cluster that changes would wait
		// for them: a changed cluster has endpoints of another name.
		ServiceName: name + "@" + hash(bytes)[:8],
		EdsConfig: &corev3.ConfigSource{
			ResourceApiVersion:    corev3.ApiVersion_V3,
			InitialFetchTimeout:   durationpb.New(endpointsTimeout),
			ConfigSourceSpecifier: &corev3.ConfigSource_Ads{Ads: &corev3.AggregatedConfigSource{}},
		},
	}
	return cluster, nil
}

// newEndpoints is there for each cluster, and empty for one without: a cluster that waits for its endpoints blocks all
// others.
func newEndpoints(serviceName string, endpoints []ir.Endpoint) *endpointv3.ClusterLoadAssignment {
	zones := map[string][]*endpointv3.LbEndpoint{}
	for _, endpoint := range endpoints {
		zones[endpoint.Zone] = append(zones[endpoint.Zone], lbEndpoint(endpoint))
	}
	assignment := &endpointv3.ClusterLoadAssignment{ClusterName: serviceName}
	for _, zone := range slices.Sorted(maps.Keys(zones)) {
		locality := &endpointv3.LocalityLbEndpoints{LbEndpoints: zones[zone]}
		if zone != "" {
			locality.Locality = &corev3.Locality{Zone: zone}
		}
		assignment.Endpoints = append(assignment.Endpoints, locality)
	}
	return assignment
}

func lbEndpoint(endpoint ir.Endpoint) *endpointv3.LbEndpoint {
	return &endpointv3.LbEndpoint{HostIdentifier: &endpointv3.LbEndpoint_Endpoint{
		Endpoint: &endpointv3.Endpoint{Address: address(endpoint.Address, endpoint.Port)},
	}}
}

func address(host string, port int32) *corev3.Address {
	return &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
		Address: host, PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: uint32(port)},
	}}}
}

func tcpKeepalive(k ir.Keepalive) *corev3.TcpKeepalive {
	return &corev3.TcpKeepalive{
		KeepaliveTime:     wrapperspb.UInt32(uint32(k.Time)),
		KeepaliveInterval: wrapperspb.UInt32(uint32(k.Interval)),
		KeepaliveProbes:   wrapperspb.UInt32(uint32(k.Probes)),
	}
}

// Numbers of Linux for TCP_USER_TIMEOUT.
const (
	ipprotoTCP     = 6
	tcpUserTimeout = 18
)

// socketOptions end a connection whose peer is gone while there is data for it: keepalive alone ends an idle one.
func socketOptions(k ir.Keepalive) []*corev3.SocketOption {
	return []*corev3.SocketOption{{
		Description: "TCP_USER_TIMEOUT",
		Level:       ipprotoTCP,
		Name:        tcpUserTimeout,
		Value:       &corev3.SocketOption_IntValue{IntValue: int64(k.UserTimeout) * 1000},
		State:       corev3.SocketOption_STATE_PREBIND,
	}}
}
