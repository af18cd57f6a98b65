package translate

import (
	"fmt"
	"strings"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	tcpproxyv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
)

// checkReferences finds what Envoy would wait for, or would accept and never serve: a cluster without its endpoints,
// endpoints without their cluster, and a listener that leads to no cluster.
func checkReferences(r *Resources) error {
	services := map[string]bool{}
	for name, resource := range r.Of(TypeCluster) {
		service := resource.Message.(*clusterv3.Cluster).GetEdsClusterConfig().GetServiceName()
		services[service] = true
		if r.Of(TypeEndpoint)[service] == nil {
			return fmt.Errorf("%s %s has no endpoints %s", TypeCluster, name, service)
		}
	}
	for name := range r.Of(TypeEndpoint) {
		if !services[name] {
			return fmt.Errorf("%s %s has no cluster", TypeEndpoint, name)
		}
	}
	for name, resource := range r.Of(TypeListener) {
		if err := checkClusters(r, resource.Message.(*listenerv3.Listener)); err != nil {
			return fmt.Errorf("%s %s: %w", TypeListener, name, err)
		}
	}
	return nil
}

func checkClusters(r *Resources, listener *listenerv3.Listener) error {
	for _, chain := range listener.GetFilterChains() {
		cluster, err := clusterOf(chain)
		if err != nil {
			return err
		}
		exists := r.Of(TypeCluster)[cluster] != nil
		if exists == strings.HasSuffix(cluster, unknown) {
			return fmt.Errorf("leads to the cluster %s, which exists: %t", cluster, exists)
		}
	}
	return nil
}

// clusterOf is the cluster that the last filter of a chain leads to.
func clusterOf(chain *listenerv3.FilterChain) (string, error) {
	filters := chain.GetFilters()
	proxy := &tcpproxyv3.TcpProxy{}
	if err := filters[len(filters)-1].GetTypedConfig().UnmarshalTo(proxy); err != nil {
		return "", err
	}
	return proxy.GetCluster(), nil
}
