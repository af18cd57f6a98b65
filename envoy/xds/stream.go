package xds

import (
	"context"
	"maps"
	"slices"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	"github.com/envoyproxy/go-control-plane/pkg/server/delta/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"koperator.dev/koperator/envoy/translate"
)

// Bounds of what a proxy can make us remember. A fleet of a thousand brokers with several listeners is far below.
const (
	maxSubscribed = 1 << 14
	maxUnanswered = 1 << 10
	maxName       = 1024
)

// stream is one stream of one proxy. All of it happens in one goroutine.
type stream struct {
	server *Server
	// identity is the fleet that the certificate was issued to.
	identity string

	// Set by the first request.
	node  *core.Node
	fleet *fleet
	proxy *proxy
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
	unanswered := s.observe(of, request)
	s.server.changes.add(s.fleet.key)
	if unanswered > maxUnanswered {
		return status.Errorf(codes.ResourceExhausted, "more than %d responses are unanswered", maxUnanswered)
	}
	return nil
}

func (s *stream) observe(of translate.Type, request *discovery.DeltaDiscoveryRequest) (unanswered int) {
	s.fleet.mu.Lock()
	defer s.fleet.mu.Unlock()
	if sent, ok := s.proxy.answered(request.GetResponseNonce()); ok {
		s.answer(of, sent, request)
	}
	s.proxy.ask(of, request)
	if duration, done := s.proxy.done(s.server.clock.Now()); done {
		s.server.metrics.accepted.Observe(duration.Seconds())
	}
	return len(s.proxy.unanswered)
}

func (s *stream) answer(of translate.Type, sent response, request *discovery.DeltaDiscoveryRequest) {
	detail := request.GetErrorDetail()
	if detail == nil {
		s.proxy.accept(sent)
		return
	}
	s.proxy.reject(of, sent, detail.GetMessage())
	s.server.metrics.reject(s.fleet.key, of)
	s.server.log.Info("A proxy rejects configuration", "fleet", s.fleet.key, "proxy", s.proxy.node, "type", of, "message", bounded(detail.GetMessage()))
}

// OnStreamDeltaResponse sees a response before it is sent.
func (s *stream) OnStreamDeltaResponse(_ int64, _ *discovery.DeltaDiscoveryRequest, response *discovery.DeltaDiscoveryResponse) {
	of, err := typeOf(response.GetTypeUrl())
	if err != nil {
		return
	}
	s.server.metrics.respond(of, proto.Size(response))
	s.fleet.mu.Lock()
	defer s.fleet.mu.Unlock()
	s.proxy.send(of, response)
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

// CreateDeltaWatch bounds what the cache remembers of the proxy, and lets it send again what is open: it believes that
// what was rejected has arrived.
func (s *stream) CreateDeltaWatch(request *cache.DeltaRequest, subscription cache.Subscription, out chan cache.DeltaResponse) (func(), error) {
	if len(subscription.SubscribedResources()) > maxSubscribed {
		return nil, status.Errorf(codes.ResourceExhausted, "more than %d resources are asked for", maxSubscribed)
	}
	of, err := typeOf(request.GetTypeUrl())
	if err != nil {
		return nil, err
	}
	if open := s.open(of, subscription); len(open) > 0 {
		subscription = doubt(subscription, open)
	}
	return s.server.cache.CreateDeltaWatch(request, subscription, out)
}

func (s *stream) open(of translate.Type, subscription cache.Subscription) []string {
	s.fleet.mu.Lock()
	defer s.fleet.mu.Unlock()
	return s.proxy.next(of, func(name string) bool {
		_, subscribed := subscription.SubscribedResources()[name]
		return subscribed || subscription.IsWildcard()
	})
}

// doubtful is a subscription to resources of which some were sent in vain.
type doubtful struct {
	cache.Subscription
	returned map[string]string
}

// doubt gives the names a version that no resource has: they are sent again, or their removal is.
func doubt(subscription cache.Subscription, names []string) cache.Subscription {
	returned := maps.Clone(subscription.ReturnedResources())
	for _, name := range names {
		returned[name] = ""
	}
	return doubtful{subscription, returned}
}

func (d doubtful) ReturnedResources() map[string]string {
	return d.returned
}

// CreateWatch is of the protocol that is not served here.
func (s *stream) CreateWatch(*cache.Request, cache.Subscription, chan cache.Response) (func(), error) {
	return nil, errStateOfTheWorld
}
