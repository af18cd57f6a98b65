package translate

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
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

// Empty are no resources: for a fleet that serves nothing any more.
func Empty() *Resources {
	r, _ := collect(nil) // only a name that is there twice is an error
	return r
}

// collect puts parts together.
func collect(parts []part) (*Resources, error) {
	r := &Resources{
		byType:    map[Type]map[string]*Resource{TypeCluster: {}, TypeEndpoint: {}, TypeListener: {}},
		brokers:   map[brokerOn][]ResourceName{},
		listeners: map[string][]ResourceName{},
	}
	for _, p := range parts {
		names, err := r.add(p.resources)
		if err != nil {
			return nil, err
		}
		r.names = append(r.names, names...)
		r.listeners[p.listener] = append(r.listeners[p.listener], names...)
		if p.broker != nil {
			r.brokers[brokerOn{p.listener, *p.broker}] = names
		}
	}
	slices.SortFunc(r.names, compareNames)
	for _, names := range r.listeners {
		slices.SortFunc(names, compareNames)
	}
	r.hash = r.sum()
	return r, nil
}

func (r *Resources) add(resources []*Resource) ([]ResourceName, error) {
	var names []ResourceName
	for _, resource := range resources {
		named := r.byType[resource.Type]
		if _, ok := named[resource.Name]; ok {
			return nil, fmt.Errorf("%s is there twice", resource.ResourceName)
		}
		named[resource.Name] = resource
		names = append(names, resource.ResourceName)
	}
	return names, nil
}

func (r *Resources) sum() string {
	sum := sha256.New()
	for _, name := range r.names {
		fmt.Fprintf(sum, "%s %s\n", name, r.Get(name).Hash)
	}
	return hex.EncodeToString(sum.Sum(nil))
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
