package translate

import (
	"cmp"
	"slices"

	"google.golang.org/protobuf/proto"
)

// Type is a type of resource, by the word that Envoy's own messages have for it.
type Type string

// Types of resources, in the order in which Envoy wants them.
const (
	TypeCluster  Type = "Cluster"
	TypeEndpoint Type = "ClusterLoadAssignment"
	TypeListener Type = "Listener"
)

// Types are all types of resources.
var Types = []Type{TypeCluster, TypeEndpoint, TypeListener}

// URL is the type's name in xDS.
func (t Type) URL() string {
	switch t {
	case TypeCluster:
		return "type.googleapis.com/envoy.config.cluster.v3.Cluster"
	case TypeEndpoint:
		return "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"
	default:
		return "type.googleapis.com/envoy.config.listener.v3.Listener"
	}
}

// ResourceName names a resource among all of a fleet.
type ResourceName struct {
	Type Type
	Name string
}

func (n ResourceName) String() string {
	return string(n.Type) + " " + n.Name
}

func compareNames(a, b ResourceName) int {
	return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.Name, b.Name))
}

// Resource is one resource. It is shared, and must not be changed.
type Resource struct {
	ResourceName
	Message proto.Message
	// Bytes are Message's, the same in every process.
	Bytes []byte
	// Hash is the sha256 of Bytes, in hex.
	Hash string
}

// Resources are all resources of a fleet. They do not change; nor may what is got from them be changed.
type Resources struct {
	byType    map[Type]map[string]*Resource
	brokers   map[brokerOn][]ResourceName
	listeners map[string][]ResourceName
	names     []ResourceName
	hash      string
}

type brokerOn struct {
	listener string
	id       int32
}

// Of returns the resources of a type by their names.
func (r *Resources) Of(t Type) map[string]*Resource {
	return r.byType[t]
}

// Get returns one resource, nil if there is none of that name.
func (r *Resources) Get(name ResourceName) *Resource {
	return r.byType[name.Type][name.Name]
}

// Names returns the names of all resources, sorted.
func (r *Resources) Names() []ResourceName {
	return slices.Clone(r.names)
}

// Hash is one for all resources: equal hashes, equal resources, in whichever process they were made.
func (r *Resources) Hash() string {
	return r.hash
}

// OfBroker returns what a proxy must have accepted before clients reach the broker through the listener: its cluster, its
// endpoints, and with PortPerBroker its listener. It is nil for a broker that is not served.
func (r *Resources) OfBroker(listener string, id int32) []ResourceName {
	return r.brokers[brokerOn{listener, id}]
}

// OfListener returns all that a listener consists of, sorted: what clients start from, and every broker.
func (r *Resources) OfListener(listener string) []ResourceName {
	return r.listeners[listener]
}
