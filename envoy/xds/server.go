// Package xds serves Envoy's configuration to proxies, and knows what each of them has accepted.
//
// It speaks the incremental protocol on one stream (delta ADS) over mutual TLS. Proxies of a fleet get the same
// resources; which fleet a proxy belongs to is in its certificate. The package knows no Kubernetes.
package xds

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	"github.com/envoyproxy/go-control-plane/pkg/log"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"github.com/envoyproxy/go-control-plane/pkg/server/delta/v3"
	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"
	"k8s.io/utils/clock"

	"koperator.dev/koperator/envoy/translate"
)

const (
	// reconnectTime is how long a proxy may need to come back: its bootstrap retries after at most ten seconds.
	reconnectTime = 15 * time.Second
	// handshakeTime is how long a client may need to say who it is.
	handshakeTime = 10 * time.Second
	// maxReceive fits what a proxy with ten thousand resources of a type says when it comes back.
	maxReceive = 4 << 20
	// maxStreams is for each connection: a proxy needs one.
	maxStreams = 8
	// connectionAge spreads proxies over replicas again and renews certificates; gRPC adds some of it at random. In
	// connectionGrace a stream goes on, and then the proxy opens another, which costs nothing.
	connectionAge   = 30 * time.Minute
	connectionGrace = 2 * time.Minute
	// Proxies ask for a sign of life every 30 s, and so does the server.
	clientPings, serverPings, pongTime = 15 * time.Second, 30 * time.Second, 10 * time.Second
)

var errStateOfTheWorld = status.Error(codes.Unimplemented, "only the incremental protocol is served: use api_type DELTA_GRPC")

// Options are what a Server needs from outside.
type Options struct {
	Log   logr.Logger
	Clock clock.WithDelayedExecution
	// KnowsProxy says whether a Pod of that name is a proxy of the fleet. One that is not is told to try again: whoever
	// knows may learn of it later than the proxy is up. Without KnowsProxy the certificate is enough.
	KnowsProxy func(fleet, pod string) bool
	// Metrics is where the Server's metrics are registered; nil for nowhere.
	Metrics prometheus.Registerer
}

// Server serves fleets' configuration. It is safe for concurrent use.
type Server struct {
	discovery.UnimplementedAggregatedDiscoveryServiceServer

	log        logr.Logger
	clock      clock.WithDelayedExecution
	knowsProxy func(fleet, pod string) bool
	metrics    *metrics
	cache      cache.SnapshotCache
	changes    *changes
	keepalive  keepalive.ServerParameters

	mu     sync.Mutex
	fleets map[string]*fleet
}

// New makes a Server that serves nothing yet. It fails if its metrics are registered already.
func New(o Options) (*Server, error) {
	s := &Server{
		log: o.Log, clock: o.Clock, knowsProxy: o.KnowsProxy, changes: newChanges(), fleets: map[string]*fleet{},
		keepalive: keepalive.ServerParameters{
			MaxConnectionAge: connectionAge, MaxConnectionAgeGrace: connectionGrace, Time: serverPings, Timeout: pongTime,
		},
	}
	if s.knowsProxy == nil {
		s.knowsProxy = func(string, string) bool { return true }
	}
	s.cache = cache.NewSnapshotCache(true, byCluster{}, cacheLog(o.Log))
	s.metrics = newMetrics(s.streams)
	if o.Metrics == nil {
		return s, nil
	}
	if err := o.Metrics.Register(s.metrics); err != nil {
		return nil, fmt.Errorf("registering metrics: %w", err)
	}
	return s, nil
}

// byCluster gives all proxies of a fleet the same resources.
type byCluster struct{}

func (byCluster) ID(node *core.Node) string {
	return node.GetCluster()
}

// cacheLog leaves out what the cache says of each request.
func cacheLog(to logr.Logger) log.Logger {
	return log.LoggerFuncs{
		WarnFunc:  func(format string, args ...any) { to.Info(fmt.Sprintf(format, args...)) },
		ErrorFunc: func(format string, args ...any) { to.Error(nil, fmt.Sprintf(format, args...)) },
	}
}

// Publish says what the proxies of a fleet should have from now on, and sends them what has changed. On an error they
// keep what they have. A fleet that is gone gets translate.Empty(). Requests of a fleet of which nothing was published
// yet wait: a replica that does not know cannot say that there is nothing.
func (s *Server) Publish(key string, resources Resources) error {
	next, err := newSnapshot(resources)
	if err != nil {
		return fmt.Errorf("publishing configuration of %s: %w", key, err)
	}
	fleet := s.fleet(key)
	fleet.publishing.Lock()
	defer fleet.publishing.Unlock()
	if !fleet.want(next, s.clock.Now()) {
		return nil
	}
	if next.empty() {
		s.metrics.forget(key)
	}
	s.changes.add(key)
	//nolint:forbidigo // The cache puts responses into channels that have room for all of them: it never waits.
	if err := s.cache.SetSnapshot(context.Background(), key, next); err != nil {
		return fmt.Errorf("publishing configuration of %s: %w", key, err)
	}
	return nil
}

// Acks returns what the proxies of a fleet have accepted that are connected to this replica, or were a moment ago. A
// proxy is in it once it has said what it has from before.
func (s *Server) Acks(key string) []ProxyAcks {
	return s.fleet(key).acks()
}

// Changed gives the key of each fleet whose Acks may have changed. Changes of a fleet that nobody has taken yet are one.
// It works while Serve runs.
func (s *Server) Changed() <-chan string {
	return s.changes.out
}

func (s *Server) fleet(key string) *fleet {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fleets[key] == nil {
		s.fleets[key] = newFleet(key)
	}
	return s.fleets[key]
}

func (s *Server) streams() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	counts := map[string]int{}
	for key, fleet := range s.fleets {
		if count := fleet.streams(); count > 0 {
			counts[key] = count
		}
	}
	return counts
}

// Serve serves until ctx ends.
func (s *Server) Serve(ctx context.Context, listener net.Listener, certificates TLS) error {
	server := grpc.NewServer(
		grpc.Creds(credentials.NewTLS(certificates.config())),
		grpc.ConnectionTimeout(handshakeTime),
		grpc.MaxRecvMsgSize(maxReceive),
		grpc.MaxConcurrentStreams(maxStreams),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: clientPings, PermitWithoutStream: true}),
		grpc.KeepaliveParams(s.keepalive),
		grpc.WaitForHandlers(true),
	)
	s.Register(server)
	var changes sync.WaitGroup
	changes.Go(func() { s.changes.run(ctx) })
	defer changes.Wait()
	// Streams never end by themselves, so that a graceful stop would wait for ever.
	stop := context.AfterFunc(ctx, server.Stop)
	defer stop()
	if err := server.Serve(listener); err != nil && ctx.Err() == nil {
		return fmt.Errorf("serving xDS: %w", err)
	}
	return nil
}

// Register adds the service to a gRPC server that asks for client certificates and verifies them.
func (s *Server) Register(server *grpc.Server) {
	discovery.RegisterAggregatedDiscoveryServiceServer(server, s)
}

// StreamAggregatedResources refuses the other protocol, which sends everything again for each change.
func (s *Server) StreamAggregatedResources(discovery.AggregatedDiscoveryService_StreamAggregatedResourcesServer) error {
	return s.refuse(errStateOfTheWorld, "")
}

// DeltaAggregatedResources serves one proxy.
func (s *Server) DeltaAggregatedResources(from discovery.AggregatedDiscoveryService_DeltaAggregatedResourcesServer) error {
	identity, err := fleetOfPeer(from.Context())
	if err != nil {
		return s.refuse(err, "")
	}
	stream := &stream{server: s, identity: identity}
	// Each stream has a server of its own, which has no state besides: its callbacks are the stream's.
	server := delta.NewServer(from.Context(), stream, stream,
		delta.DeactivateLegacyWildcardForTypes([]string{translate.TypeEndpoint.URL()}))
	err = server.DeltaStreamHandler(from, resource.AnyType)
	if err == nil || from.Context().Err() != nil {
		return nil
	}
	return s.refuse(err, identity)
}

// refuse says why a stream ends: the proxy is told, but nobody reads what proxies log.
func (s *Server) refuse(err error, fleet string) error {
	s.metrics.refused.WithLabelValues(status.Code(err).String()).Inc()
	s.log.Info("Ending a stream", "fleet", fleet, "reason", status.Convert(err).Message())
	return err
}
