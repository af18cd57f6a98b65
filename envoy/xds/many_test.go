package xds

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	cluster "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	rpc "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"koperator.dev/koperator/envoy/translate"
)

// simulated speaks as Envoy does, by itself.
type simulated struct {
	node   string
	stream discovery.AggregatedDiscoveryService_DeltaAggregatedResourcesClient
	// judge says what is wrong with a response; empty accepts it.
	judge func(*discovery.DeltaDiscoveryResponse) string
	// answered is called after each answer.
	answered func()

	mu  sync.Mutex
	has map[translate.ResourceName]string
	// services are the names of endpoints by cluster.
	services map[string]string
	bytes    int
}

func newSimulated(node string) *simulated {
	return &simulated{node: node, has: map[translate.ResourceName]string{}, services: map[string]string{}}
}

// run speaks until the stream ends. Listeners are asked for once clusters are there, as at Envoy's start.
func (s *simulated) run(ctx context.Context, connection *grpc.ClientConn) error {
	stream, err := discovery.NewAggregatedDiscoveryServiceClient(connection).DeltaAggregatedResources(ctx)
	if err != nil {
		return err
	}
	s.stream = stream
	if err := s.first(); err != nil {
		return err
	}
	for {
		response, err := stream.Recv()
		if err != nil {
			return err
		}
		if err := s.answer(response); err != nil {
			return err
		}
	}
}

// first asks for clusters, and says what there is from an earlier stream.
func (s *simulated) first() error {
	versions := map[translate.Type]map[string]string{}
	for _, t := range translate.Types {
		versions[t] = map[string]string{}
	}
	s.mu.Lock()
	for name, hash := range s.has {
		versions[name.Type][name.Name] = hash
	}
	names := slices.Collect(maps.Values(s.services))
	s.mu.Unlock()
	from := node(s.node, orders)
	if err := s.stream.Send(&discovery.DeltaDiscoveryRequest{Node: from, TypeUrl: translate.TypeCluster.URL(), InitialResourceVersions: versions[translate.TypeCluster]}); err != nil {
		return err
	}
	if len(versions[translate.TypeCluster]) == 0 {
		return nil
	}
	if err := s.stream.Send(&discovery.DeltaDiscoveryRequest{TypeUrl: translate.TypeEndpoint.URL(), ResourceNamesSubscribe: names, InitialResourceVersions: versions[translate.TypeEndpoint]}); err != nil {
		return err
	}
	return s.stream.Send(&discovery.DeltaDiscoveryRequest{TypeUrl: translate.TypeListener.URL(), InitialResourceVersions: versions[translate.TypeListener]})
}

func (s *simulated) answer(response *discovery.DeltaDiscoveryResponse) error {
	answer := &discovery.DeltaDiscoveryRequest{TypeUrl: response.GetTypeUrl(), ResponseNonce: response.GetNonce()}
	if s.judge != nil {
		if text := s.judge(response); text != "" {
			answer.ErrorDetail = &rpc.Status{Code: int32(codes.Internal), Message: text}
			return s.stream.Send(answer)
		}
	}
	of, err := typeOf(response.GetTypeUrl())
	if err != nil {
		return err
	}
	subscribe, unsubscribe, begin, err := s.apply(of, response)
	if err != nil {
		return err
	}
	if len(subscribe)+len(unsubscribe) > 0 {
		if err := s.stream.Send(&discovery.DeltaDiscoveryRequest{
			TypeUrl: translate.TypeEndpoint.URL(), ResourceNamesSubscribe: subscribe, ResourceNamesUnsubscribe: unsubscribe,
		}); err != nil {
			return err
		}
	}
	if err := s.stream.Send(answer); err != nil {
		return err
	}
	if s.answered != nil {
		s.answered()
	}
	if !begin {
		return nil
	}
	return s.stream.Send(&discovery.DeltaDiscoveryRequest{TypeUrl: translate.TypeListener.URL()})
}

// apply returns the endpoints that are wanted from now on, and those that are not; begin is true for the first clusters.
func (s *simulated) apply(of translate.Type, response *discovery.DeltaDiscoveryResponse) (subscribe, unsubscribe []string, begin bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bytes += proto.Size(response)
	begin = of == translate.TypeCluster && len(s.has) == 0
	for _, resource := range response.GetResources() {
		name := translate.ResourceName{Type: of, Name: resource.GetName()}
		if of == translate.TypeEndpoint && !s.wants(name) {
			continue
		}
		if _, had := s.has[name]; !had && of == translate.TypeCluster {
			message := &cluster.Cluster{}
			if err := resource.GetResource().UnmarshalTo(message); err != nil {
				return nil, nil, false, err
			}
			s.services[name.Name] = message.GetEdsClusterConfig().GetServiceName()
			subscribe = append(subscribe, s.services[name.Name])
		}
		s.has[name] = resource.GetVersion()
	}
	for _, removed := range response.GetRemovedResources() {
		name := translate.ResourceName{Type: of, Name: removed}
		if _, had := s.has[name]; had && of == translate.TypeCluster {
			service := translate.ResourceName{Type: translate.TypeEndpoint, Name: s.services[removed]}
			unsubscribe = append(unsubscribe, service.Name)
			delete(s.has, service)
			delete(s.services, removed)
		}
		delete(s.has, name)
	}
	return subscribe, unsubscribe, begin, nil
}

// wants is true for the endpoints of a cluster that is there. A response can cross the end of a subscription.
func (s *simulated) wants(endpoints translate.ResourceName) bool {
	return s.services[clusterOf(endpoints)] == endpoints.Name
}

func (s *simulated) holds() map[translate.ResourceName]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.has)
}

// Whatever happens at the same time, in the end every proxy has what was published last, and Acks says so.
func TestManyProxiesAndPublishersAtOnce(t *testing.T) {
	plane := startControlPlane(t)
	plane.publish(t, orders, brokers(0))
	ctx, cancel := context.WithCancel(t.Context())
	var clients, publishers sync.WaitGroup
	defer func() { cancel(); clients.Wait() }()
	var all []*simulated
	for i := range 8 {
		random := rand.New(rand.NewPCG(uint64(i), 2))
		s := newSimulated(fmt.Sprintf("proxy-%d", i))
		if i%2 == 0 {
			// Half of them reject what is sent with others, sometimes, and accept it alone.
			s.judge = func(r *discovery.DeltaDiscoveryResponse) string {
				if len(r.GetResources())+len(r.GetRemovedResources()) > 1 && random.IntN(3) == 0 {
					return "Proto constraint validation failed"
				}
				return ""
			}
		}
		all = append(all, s)
		connection := plane.dial(t, plane.authority.proxy(t, orders))
		clients.Go(func() {
			// Some streams are cut, and begin again with what there is.
			for ctx.Err() == nil {
				streaming, cut := context.WithCancel(ctx)
				if i%4 == 1 {
					left := 20
					s.answered = func() {
						if left--; left == 0 {
							cut()
						}
					}
				}
				if err := s.run(streaming, connection); err != nil && streaming.Err() == nil {
					t.Errorf("%s: %v", s.node, err)
				}
				cut()
			}
		})
	}
	for p := range uint64(2) {
		random := rand.New(rand.NewPCG(p, 3))
		publishers.Go(func() {
			for step := range 100 {
				resources := set{}
				for id := range 1 + random.IntN(5) {
					resources = resources.withBroker(id, fmt.Sprintf("10.0.%d.%d", p, step))
				}
				if err := plane.Publish(orders, resources); err != nil {
					t.Error(err)
				}
				_ = plane.Acks(orders)
			}
		})
	}
	publishers.Wait()
	last := brokers(0, 1, 2, 8)
	plane.publish(t, orders, last)
	for _, s := range all {
		plane.acceptedBy(t, orders, last, s.node)
		until(t, s.node+" has what was published last", func() bool {
			has := s.holds()
			for name, resource := range last {
				if has[name] != resource.Hash {
					return false
				}
			}
			return len(has) == len(last)
		})
	}
}
