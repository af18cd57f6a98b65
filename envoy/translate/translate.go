// Package translate makes Envoy's configuration from what a fleet serves. No other package builds resources of xDS.
//
// It is pure, and its bytes are the same in every process: a listener whose bytes change closes the connections of its
// clients.
package translate

import (
	"fmt"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/envoy/ir"
)

// LatestRevision of the templates is for fleets that have none yet. A fleet keeps its revision when Koperator is
// upgraded, and Translate knows all that were ever released.
const LatestRevision int32 = 1

// Translate makes the resources of a fleet, and checks them as Envoy would. The error names what is wrong.
func Translate(f ir.Fleet) (*Resources, error) {
	r, err := translate(f, func(scope) former { return former{} })
	if err != nil {
		return nil, fmt.Errorf("fleet %s: %w", f.Key(), err)
	}
	return r, nil
}

func translate(f ir.Fleet, before func(scope) former) (*Resources, error) {
	if err := checkFleet(f); err != nil {
		return nil, err
	}
	var parts []part
	for i := range f.Listeners {
		s := newScope(f, &f.Listeners[i])
		added, err := listenerParts(s, before(s))
		if err != nil {
			return nil, err
		}
		parts = append(parts, added...)
	}
	r, err := collect(parts)
	if err != nil {
		return nil, err
	}
	return r, checkReferences(r)
}

// part is what one broker on one listener consists of, or what all clients of the listener need.
type part struct {
	listener  string
	broker    *int32
	resources []*Resource
}

func listenerParts(s scope, before former) ([]part, error) {
	shared, err := sharedResources(s)
	if err != nil {
		return nil, err
	}
	parts := []part{{listener: s.Name, resources: shared}}
	for _, broker := range s.Brokers {
		resources := before.resources(broker)
		if resources == nil {
			if resources, err = brokerResources(s, broker); err != nil {
				return nil, err
			}
		}
		parts = append(parts, part{s.Name, &broker.ID, resources})
	}
	return parts, nil
}

// sharedResources are what clients start from, and with SNI the listener of all brokers.
func sharedResources(s scope) ([]*Resource, error) {
	if s.Mode == v1beta1.ExternalPortPerBroker {
		if s.Port == 0 {
			return nil, nil
		}
		return portResources(s, s.bootstrapName(), s.Port, clusterv3.Cluster_LEAST_REQUEST, s.Bootstrap)
	}
	listener, err := sniListener(s)
	if err != nil {
		return nil, fmt.Errorf("listener %s: %w", s.Name, err)
	}
	resource, err := newResource(TypeListener, listener.Name, listener)
	if err != nil || s.BootstrapHost == "" {
		return []*Resource{resource}, err
	}
	cluster, err := clusterResources(s, s.hostName(s.BootstrapHost), s.bootstrapName(), clusterv3.Cluster_LEAST_REQUEST, s.Bootstrap)
	return append(cluster, resource), err
}

func brokerResources(s scope, broker ir.Broker) ([]*Resource, error) {
	var endpoints []ir.Endpoint
	if broker.Endpoint != nil {
		endpoints = []ir.Endpoint{*broker.Endpoint}
	}
	name := s.brokerName(broker.ID)
	if s.Mode == v1beta1.ExternalPortPerBroker {
		return portResources(s, name, broker.Port, clusterv3.Cluster_ROUND_ROBIN, endpoints)
	}
	return clusterResources(s, s.hostName(broker.Host), name, clusterv3.Cluster_ROUND_ROBIN, endpoints)
}

// portResources are a port of its own, and where it leads.
func portResources(s scope, name string, port int32, policy clusterv3.Cluster_LbPolicy, endpoints []ir.Endpoint) ([]*Resource, error) {
	resources, err := clusterResources(s, name, name, policy, endpoints)
	if err != nil {
		return nil, err
	}
	listener, err := portListener(s, name, port)
	if err != nil {
		return nil, fmt.Errorf("listener %s: %w", name, err)
	}
	resource, err := newResource(TypeListener, name, listener)
	return append(resources, resource), err
}

func clusterResources(s scope, name, statName string, policy clusterv3.Cluster_LbPolicy, endpoints []ir.Endpoint) ([]*Resource, error) {
	cluster, err := newCluster(name, statName, s.Keepalive, policy)
	if err != nil {
		return nil, fmt.Errorf("cluster %s: %w", name, err)
	}
	resource, err := newResource(TypeCluster, name, cluster)
	if err != nil {
		return nil, err
	}
	serviceName := cluster.GetEdsClusterConfig().GetServiceName()
	assignment, err := newResource(TypeEndpoint, serviceName, newEndpoints(serviceName, endpoints))
	return []*Resource{resource, assignment}, err
}
