package objects

import (
	"cmp"
	"slices"

	"k8s.io/utils/ptr"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/envoy/ir"
)

// Defaults of the API, also for objects that were stored without them.
const (
	defaultImage          = "envoyproxy/envoy:distroless-v1.40.0"
	defaultReplicas       = 2
	defaultMaxConnections = 50_000
	defaultDeregistration = 10
	defaultDrainTimeout   = 30
)

// Fleet is the proxies of one group of a KafkaCluster.
type Fleet struct {
	Cluster *v1beta1.KafkaCluster
	// Group is empty where the spec has no groups.
	Group string
	// First tells the fleet that clients start from.
	First bool
}

// Fleets are those that a KafkaCluster wants: none without a listener of type External.
func Fleets(kc *v1beta1.KafkaCluster) []Fleet {
	if len(Listeners(kc)) == 0 {
		return nil
	}
	var fleets []Fleet
	for i, group := range ir.Groups(kc) {
		fleets = append(fleets, Fleet{Cluster: kc, Group: group, First: i == 0})
	}
	return fleets
}

// Listeners are the listeners of type External, sorted by name.
func Listeners(kc *v1beta1.KafkaCluster) []v1beta1.Listener {
	var external []v1beta1.Listener
	for _, listener := range kc.Spec.Listeners {
		if listener.Type == v1beta1.ListenerExternal && listener.External != nil {
			external = append(external, listener)
		}
	}
	slices.SortFunc(external, func(a, b v1beta1.Listener) int { return cmp.Compare(a.Name, b.Name) })
	return external
}

// IsPortPerBroker tells a listener whose brokers have a port each.
func IsPortPerBroker(listener v1beta1.Listener) bool {
	return listener.External.Mode == v1beta1.ExternalPortPerBroker
}

// ClientPort is the port that clients connect to first.
func ClientPort(listener v1beta1.Listener) int32 {
	return cmp.Or(listener.External.Port, listener.Port)
}

// ServiceType is the type of a listener's Services.
func ServiceType(listener v1beta1.Listener) v1beta1.ExternalServiceType {
	return cmp.Or(service(listener).Type, v1beta1.ExternalLoadBalancer)
}

func service(listener v1beta1.Listener) v1beta1.ExternalService {
	return ptr.Deref(listener.External.Service, v1beta1.ExternalService{})
}

// envoy is what the spec says of the proxies.
func (f Fleet) envoy() v1beta1.Envoy { return ptr.Deref(f.Cluster.Spec.Envoy, v1beta1.Envoy{}) }

// group is what the spec says of the fleet's group.
func (f Fleet) group() v1beta1.EnvoyGroup {
	for _, group := range f.envoy().Groups {
		if group.Name == f.Group {
			return group
		}
	}
	return v1beta1.EnvoyGroup{}
}

// Replicas is the number of proxies that the fleet should have.
func (f Fleet) Replicas() int32 {
	return ptr.Deref(f.group().Replicas, ptr.Deref(f.envoy().Replicas, defaultReplicas))
}

func (f Fleet) maxConnections() int64 { return cmp.Or(f.envoy().MaxConnections, defaultMaxConnections) }

// drain has the defaults only where nothing is said at all: to wait no time is a choice.
func (f Fleet) drain() v1beta1.EnvoyDrain {
	return ptr.Deref(f.envoy().Drain, v1beta1.EnvoyDrain{DeregistrationSeconds: defaultDeregistration, TimeoutSeconds: defaultDrainTimeout})
}
