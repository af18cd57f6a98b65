package xds

import (
	"fmt"
	"slices"

	cluster "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	"github.com/envoyproxy/go-control-plane/pkg/cache/v3"

	"koperator.dev/koperator/envoy/translate"
)

// Resources are what a fleet's proxies should have. *translate.Resources is the one there is outside of tests.
type Resources interface {
	Of(translate.Type) map[string]*translate.Resource
	Hash() string
}

var _ Resources = (*translate.Resources)(nil)

// snapshot is Resources as go-control-plane's cache wants them. Its own Snapshot would marshal and hash every resource
// again for each change of one.
type snapshot struct {
	resources Resources
	byURL     map[string]resourcesOfType
}

type resourcesOfType struct {
	messages map[string]types.Resource
	hashes   map[string]string
}

var _ cache.ResourceSnapshot = (*snapshot)(nil)

// newSnapshot refuses what would leave proxies waiting.
func newSnapshot(resources Resources) (*snapshot, error) {
	s := &snapshot{resources: resources, byURL: map[string]resourcesOfType{}}
	for _, t := range translate.Types {
		all := resources.Of(t)
		of := resourcesOfType{messages: make(map[string]types.Resource, len(all)), hashes: make(map[string]string, len(all))}
		for name, resource := range all {
			if cache.GetResourceName(resource.Message) != name {
				return nil, fmt.Errorf("%s %s calls itself %q", t, name, cache.GetResourceName(resource.Message))
			}
			of.messages[name] = resource.Message
			of.hashes[name] = resource.Hash
		}
		s.byURL[t.URL()] = of
	}
	return s, s.check()
}

// check finds a cluster without its endpoints: Envoy accepts no further change of any cluster while it waits for them.
// And endpoints without a cluster: no proxy asks for them, so that none would ever accept them.
func (s *snapshot) check() error {
	endpoints := s.resources.Of(translate.TypeEndpoint)
	var wrong []string
	used := map[string]bool{}
	for name, resource := range s.resources.Of(translate.TypeCluster) {
		service := serviceName(resource)
		if endpoints[service] == nil {
			wrong = append(wrong, fmt.Sprintf("cluster %s has no endpoints %q, not even empty ones", name, service))
		}
		used[service] = true
	}
	for name := range endpoints {
		if !used[name] {
			wrong = append(wrong, fmt.Sprintf("endpoints %s belong to no cluster", name))
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	return fmt.Errorf("%s (one of %d mistakes)", slices.Min(wrong), len(wrong))
}

// serviceName is the name of a cluster's endpoints.
func serviceName(resource *translate.Resource) string {
	message, ok := resource.Message.(*cluster.Cluster)
	if !ok {
		return ""
	}
	if name := message.GetEdsClusterConfig().GetServiceName(); name != "" {
		return name
	}
	return message.GetName()
}

func (s *snapshot) get(name translate.ResourceName) *translate.Resource {
	return s.resources.Of(name.Type)[name.Name]
}

// hash is empty for a resource that is not wanted.
func (s *snapshot) hash(name translate.ResourceName) string {
	if resource := s.get(name); resource != nil {
		return resource.Hash
	}
	return ""
}

func (s *snapshot) empty() bool {
	for _, of := range s.byURL {
		if len(of.messages) > 0 {
			return false
		}
	}
	return true
}

// changedSince lists what is new, other or gone.
func (s *snapshot) changedSince(old *snapshot) []translate.ResourceName {
	var changed []translate.ResourceName
	for _, t := range translate.Types {
		now, before := s.resources.Of(t), old.resources.Of(t)
		for name, resource := range now {
			if was := before[name]; was == nil || was.Hash != resource.Hash {
				changed = append(changed, translate.ResourceName{Type: t, Name: name})
			}
		}
		for name := range before {
			if now[name] == nil {
				changed = append(changed, translate.ResourceName{Type: t, Name: name})
			}
		}
	}
	return changed
}

// GetVersion is shown by proxies and decides nothing: each resource has a version of its own.
func (s *snapshot) GetVersion(string) string {
	return s.resources.Hash()
}

// GetResources returns the resources of a type.
func (s *snapshot) GetResources(typeURL string) map[string]types.Resource {
	return s.byURL[typeURL].messages
}

// GetVersionMap returns the versions of the resources of a type.
func (s *snapshot) GetVersionMap(typeURL string) map[string]string {
	return s.byURL[typeURL].hashes
}

// ConstructVersionMap has nothing to do: versions come with the resources.
func (s *snapshot) ConstructVersionMap() error {
	return nil
}

// GetResourcesAndTTL is for the protocol that is not served here (state of the world).
func (s *snapshot) GetResourcesAndTTL(string) map[string]types.ResourceWithTTL {
	return nil
}
