package xds

import (
	"context"
	"fmt"
	"slices"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	"github.com/envoyproxy/go-control-plane/pkg/server/delta/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"koperator.dev/koperator/envoy/translate"
)

// Bounds of what a proxy can make us remember. A fleet of a thousand brokers with several listeners is far below.
const (
	maxSubscribed = 1 << 14
	maxUnanswered = 1 << 14
	maxName       = 1024
)

// stream is one stream of one proxy. All of it happens in one goroutine.
type stream struct {
	server *Server
	// identity is the fleet that the certificate was issued to.
	identity string
	send     func(*discovery.DeltaDiscoveryResponse) error

	// Set by the first request.
	node  *core.Node
	fleet *fleet
	proxy *proxy
	// again counts what was sent again, alone.
	again int
}

var (
	_ delta.Callbacks     = (*stream)(nil)
	_ cache.ConfigWatcher = (*stream)(nil)
)

// OnStreamDeltaRequest looks at a request before the cache does.
func (s *stream) OnStreamDeltaRequest(_ int64, request *discovery.DeltaDiscoveryRequest) error {
	if err := s.identify(request.GetNode()); err != nil {
		return err
	}
	// The cache keeps the node with each watch, and Envoy's is large.
	request.Node = s.node
	of, err := typeOf(request.GetTypeUrl())
	if err != nil {
		return err
	}
	if err := checkNames(request); err != nil {
		return err
	}
	return s.track(of, request)
}

// identify admits the proxy with the first request; later ones may leave the node out, but not change it.
func (s *stream) identify(node *core.Node) error {
	if s.proxy != nil && node == nil {
		return nil
	}
	if err := checkNode(node, s.identity); err != nil {
		return err
	}
	if s.proxy != nil {
		if node.GetId() != s.node.GetId() {
			return status.Error(codes.InvalidArgument, "node.id has changed in the middle of the stream")
		}
		return nil
	}
	if !s.server.knowsProxy(s.identity, node.GetId()) {
		return status.Errorf(codes.Unavailable, "%s is not known to be a proxy of %s, or not yet", node.GetId(), s.identity)
	}
	s.node = &core.Node{Id: node.GetId(), Cluster: node.GetCluster()}
	s.fleet = s.server.fleet(s.identity)
	s.proxy = s.fleet.join(node.GetId())
	return nil
}

func typeOf(url string) (translate.Type, error) {
	for _, t := range translate.Types {
		if t.URL() == url {
			return t, nil
		}
	}
	return "", status.Error(codes.InvalidArgument, "only clusters, their endpoints and listeners are served")
}

func checkNames(request *discovery.DeltaDiscoveryRequest) error {
	tooLong := func(name string) bool { return len(name) > maxName }
	if slices.ContainsFunc(request.GetResourceNamesSubscribe(), tooLong) || slices.ContainsFunc(request.GetResourceNamesUnsubscribe(), tooLong) {
		return status.Errorf(codes.InvalidArgument, "the name of a resource is longer than %d bytes", maxName)
	}
	return nil
}

// track learns from a request what the proxy has.
func (s *stream) track(of translate.Type, request *discovery.DeltaDiscoveryRequest) error {
	again, unanswered := s.observe(of, request)
	s.server.changes.add(s.fleet.key)
	if unanswered > maxUnanswered {
		return status.Errorf(codes.ResourceExhausted, "more than %d responses are unanswered", maxUnanswered)
	}
	for _, response := range again {
		s.sent(response)
		if err := s.send(response); err != nil {
			return err
		}
	}
	return nil
}

// observe returns what to send again, alone, because the proxy has rejected it together with others.
func (s *stream) observe(of translate.Type, request *discovery.DeltaDiscoveryRequest) (again []*discovery.DeltaDiscoveryResponse, unanswered int) {
	s.fleet.mu.Lock()
	defer s.fleet.mu.Unlock()
	if sent, ok := s.proxy.answered(request.GetResponseNonce()); ok {
		again = s.answer(of, sent, request)
	}
	s.proxy.ask(of, request)
	if duration, done := s.proxy.done(s.server.clock.Now()); done {
		s.server.metrics.accepted.Observe(duration.Seconds())
	}
	return again, len(s.proxy.unanswered)
}

func (s *stream) answer(of translate.Type, sent response, request *discovery.DeltaDiscoveryRequest) []*discovery.DeltaDiscoveryResponse {
	detail := request.GetErrorDetail()
	if detail == nil {
		s.proxy.accept(sent)
		return nil
	}
	s.server.metrics.reject(s.fleet.key, of)
	s.server.log.Info("A proxy rejects configuration", "fleet", s.fleet.key, "proxy", s.proxy.node, "type", of, "message", bounded(detail.GetMessage()))
	var again []*discovery.DeltaDiscoveryResponse
	for _, name := range s.proxy.reject(sent, detail.GetMessage()) {
		if response := s.alone(name); response != nil {
			again = append(again, response)
		}
	}
	return again
}

// alone is a response with one resource or one removal. A resource that is other now than when it was rejected will be
// sent anyway.
func (s *stream) alone(name translate.ResourceName) *discovery.DeltaDiscoveryResponse {
	s.again++
	response := &discovery.DeltaDiscoveryResponse{TypeUrl: name.Type.URL(), Nonce: fmt.Sprintf("again-%d", s.again)}
	resource := s.fleet.wanted.get(name)
	_, rejected := s.proxy.rejected[name]
	switch {
	case resource == nil:
		response.RemovedResources = []string{name.Name}
	case rejected:
		response.Resources = []*discovery.Resource{{
			Name: name.Name, Version: resource.Hash, Resource: &anypb.Any{TypeUrl: name.Type.URL(), Value: resource.Bytes},
		}}
	default:
		return nil
	}
	return response
}

// OnStreamDeltaResponse sees a response before it is sent.
func (s *stream) OnStreamDeltaResponse(_ int64, _ *discovery.DeltaDiscoveryRequest, response *discovery.DeltaDiscoveryResponse) {
	s.sent(response)
}

func (s *stream) sent(response *discovery.DeltaDiscoveryResponse) {
	of, err := typeOf(response.GetTypeUrl())
	if err != nil {
		return
	}
	s.server.metrics.respond(of, proto.Size(response))
	s.fleet.mu.Lock()
	defer s.fleet.mu.Unlock()
	s.proxy.tracker.send(of, response)
}

// OnDeltaStreamOpen has nothing to do: who asks is known already.
func (s *stream) OnDeltaStreamOpen(context.Context, int64, string) error {
	return nil
}

// OnDeltaStreamClosed leaves what the proxy has accepted for a while: it is on its way back.
func (s *stream) OnDeltaStreamClosed(int64, *core.Node) {
	if s.proxy == nil {
		return
	}
	s.fleet.disconnect(s.proxy)
	s.server.changes.add(s.fleet.key)
	s.server.clock.AfterFunc(reconnectTime, func() {
		s.fleet.forget(s.proxy)
		s.server.changes.add(s.fleet.key)
	})
}

// CreateDeltaWatch bounds what the cache remembers of the proxy.
func (s *stream) CreateDeltaWatch(request *cache.DeltaRequest, subscription cache.Subscription, out chan cache.DeltaResponse) (func(), error) {
	if len(subscription.SubscribedResources()) > maxSubscribed {
		return nil, status.Errorf(codes.ResourceExhausted, "more than %d resources are asked for", maxSubscribed)
	}
	return s.server.cache.CreateDeltaWatch(request, subscription, out)
}

// CreateWatch is of the protocol that is not served here.
func (s *stream) CreateWatch(*cache.Request, cache.Subscription, chan cache.Response) (func(), error) {
	return nil, errStateOfTheWorld
}
