package xds

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	cluster "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpoint "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listener "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	"github.com/go-logr/logr"
	"github.com/go-logr/logr/testr"
	dto "github.com/prometheus/client_model/go"
	"google.golang.org/protobuf/proto"
	"k8s.io/utils/clock"

	"koperator.dev/koperator/apis/machinery/pki"
	"koperator.dev/koperator/envoy/translate"
)

const (
	orders     = "kafka/orders-envoy"
	serverName = "envoy-manager-xds.koperator-system.svc"
	// patience is how long a test waits for what should happen within milliseconds.
	patience = 30 * time.Second
)

// until waits for a condition that other goroutines or processes bring about.
func until(t testing.TB, what string, condition func() bool) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("still not after %s: %s", patience, what)
		}
	}
}

func must[T any](t testing.TB, value T, err error) T {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// authority issues certificates of the test.
type authority struct{ pki.Authority }

func newAuthority(t testing.TB) authority {
	t.Helper()
	a, err := pki.NewAuthority("test", time.Now(), rand.Reader)
	return authority{must(t, a, err)}
}

func (a authority) leaf(t testing.TB, request pki.Request) pki.Leaf {
	t.Helper()
	leaf, err := a.Issue(request, time.Now(), rand.Reader)
	return must(t, leaf, err)
}

func (a authority) server(t testing.TB) tls.Certificate {
	t.Helper()
	return pair(t, a.leaf(t, pki.Request{
		CommonName: "xds", Server: true, DNSNames: []string{serverName}, IPAddresses: []netip.Addr{netip.MustParseAddr("127.0.0.1")},
	}))
}

// proxy is the certificate of a fleet's proxies.
func (a authority) proxy(t testing.TB, fleet string) tls.Certificate {
	t.Helper()
	return pair(t, a.leaf(t, proxyRequest(FleetURI(fleet))))
}

func proxyRequest(uris ...string) pki.Request {
	return pki.Request{CommonName: "proxy", Client: true, URIs: uris}
}

func (a authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(a.CertificatePEM)
	return pool
}

func pair(t testing.TB, leaf pki.Leaf) tls.Certificate {
	t.Helper()
	certificate, err := tls.X509KeyPair(leaf.CertificatePEM, leaf.KeyPEM)
	return must(t, certificate, err)
}

// controlPlane is a Server that serves on a loopback address.
type controlPlane struct {
	*Server
	authority authority
	address   string
	stop      func()

	// tune changes what is not an option.
	tune func(*Server)

	mu           sync.Mutex
	certificates TLS
}

type planeOption func(*Options, *controlPlane)

func at(address string) planeOption { return func(_ *Options, p *controlPlane) { p.address = address } }
func with(a authority) planeOption  { return func(_ *Options, p *controlPlane) { p.authority = a } }
func on(c clock.WithDelayedExecution) planeOption {
	return func(o *Options, _ *controlPlane) { o.Clock = c }
}

func startControlPlane(t testing.TB, options ...planeOption) *controlPlane {
	t.Helper()
	o := Options{Log: quiet(t), Clock: clock.RealClock{}}
	plane := &controlPlane{address: "127.0.0.1:0"}
	for _, option := range options {
		option(&o, plane)
	}
	if plane.authority.CertificatePEM == nil {
		plane.authority = newAuthority(t)
	}
	certificate, pool := plane.authority.server(t), plane.authority.pool()
	plane.certificates = func() (tls.Certificate, *x509.CertPool, error) { return certificate, pool, nil }
	server, err := New(o)
	plane.Server = must(t, server, err)
	if plane.tune != nil {
		plane.tune(server)
	}
	plane.serve(t)
	return plane
}

func (p *controlPlane) serve(t testing.TB) {
	t.Helper()
	l, err := net.Listen("tcp", p.address)
	if err != nil {
		t.Fatal(err)
	}
	p.address = l.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.Serve(ctx, l, p.tls) }()
	p.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(p.stop)
}

func (p *controlPlane) tls() (tls.Certificate, *x509.CertPool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.certificates()
}

func (p *controlPlane) rotate(certificates TLS) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.certificates = certificates
}

func (p *controlPlane) publish(t testing.TB, key string, resources Resources) {
	t.Helper()
	if err := p.Publish(key, resources); err != nil {
		t.Fatal(err)
	}
}

// ack is what one node has accepted.
func (p *controlPlane) ack(key, node string) (ProxyAcks, bool) {
	acks := p.Acks(key)
	i := slices.IndexFunc(acks, func(a ProxyAcks) bool { return a.Node == node })
	if i < 0 {
		return ProxyAcks{}, false
	}
	return acks[i], true
}

// sentBytes is the size of all responses so far.
func (p *controlPlane) sentBytes() int {
	sum := 0
	for _, of := range translate.Types {
		metric := &dto.Metric{}
		if err := p.metrics.bytes.WithLabelValues(string(of)).Write(metric); err != nil {
			panic(err)
		}
		sum += int(metric.GetCounter().GetValue())
	}
	return sum
}

// acceptedBy waits until the nodes have accepted everything.
func (p *controlPlane) acceptedBy(t testing.TB, key string, resources Resources, nodes ...string) {
	t.Helper()
	for _, node := range nodes {
		until(t, fmt.Sprintf("%s accepts everything", node), func() bool {
			ack, ok := p.ack(key, node)
			return ok && ack.Connected && ack.Hash == resources.Hash() && len(ack.Missing) == 0 && len(ack.Rejected) == 0
		})
	}
}

func quiet(t testing.TB) logr.Logger {
	if testing.Verbose() {
		if t, ok := t.(*testing.T); ok {
			return testr.New(t)
		}
	}
	return logr.Discard()
}

// set are resources made by hand.
type set map[translate.ResourceName]*translate.Resource

func (s set) Of(t translate.Type) map[string]*translate.Resource {
	of := map[string]*translate.Resource{}
	for name, resource := range s {
		if name.Type == t {
			of[name.Name] = resource
		}
	}
	return of
}

func (s set) Hash() string {
	var lines []string
	for name, resource := range s {
		lines = append(lines, name.String()+" "+resource.Hash)
	}
	slices.Sort(lines)
	sum := sha256.Sum256([]byte(strings.Join(lines, "\n")))
	return hex.EncodeToString(sum[:])
}

func (s set) with(t translate.Type, name string, message proto.Message) set {
	bytes, err := proto.MarshalOptions{Deterministic: true}.Marshal(message)
	if err != nil {
		panic(err)
	}
	sum := sha256.Sum256(bytes)
	next := maps.Clone(s)
	resource := &translate.Resource{
		ResourceName: translate.ResourceName{Type: t, Name: name},
		Message:      message, Bytes: bytes, Hash: hex.EncodeToString(sum[:]),
	}
	next[resource.ResourceName] = resource
	return next
}

func (s set) without(names ...translate.ResourceName) set {
	next := maps.Clone(s)
	for _, name := range names {
		delete(next, name)
	}
	return next
}

// copyOf makes resources that can be edited.
func copyOf(resources Resources) set {
	s := set{}
	for _, t := range translate.Types {
		for _, resource := range resources.Of(t) {
			s[resource.ResourceName] = resource
		}
	}
	return s
}

func clusterName(id int) translate.ResourceName {
	return translate.ResourceName{Type: translate.TypeCluster, Name: fmt.Sprintf("kafka/orders/public/broker-%d", id)}
}

func endpointName(id int) translate.ResourceName {
	return translate.ResourceName{Type: translate.TypeEndpoint, Name: clusterName(id).Name + "@1"}
}

func listenerName(id int) translate.ResourceName {
	return translate.ResourceName{Type: translate.TypeListener, Name: clusterName(id).Name}
}

// brokers are a cluster, endpoints and a listener each.
func brokers(ids ...int) set {
	s := set{}
	for _, id := range ids {
		s = s.withBroker(id, "10.0.0.1")
	}
	return s
}

func (s set) withBroker(id int, address string) set {
	s = s.with(translate.TypeCluster, clusterName(id).Name, &cluster.Cluster{
		Name:                 clusterName(id).Name,
		ClusterDiscoveryType: &cluster.Cluster_Type{Type: cluster.Cluster_EDS},
		EdsClusterConfig: &cluster.Cluster_EdsClusterConfig{
			ServiceName: endpointName(id).Name,
			EdsConfig:   &core.ConfigSource{ConfigSourceSpecifier: &core.ConfigSource_Ads{Ads: &core.AggregatedConfigSource{}}},
		},
	})
	s = s.withEndpoint(id, address)
	return s.with(translate.TypeListener, listenerName(id).Name, listenerOn(listenerName(id).Name, uint32(10000+id)))
}

func (s set) withEndpoint(id int, address string) set {
	return s.with(translate.TypeEndpoint, endpointName(id).Name, &endpoint.ClusterLoadAssignment{
		ClusterName: endpointName(id).Name,
		Endpoints: []*endpoint.LocalityLbEndpoints{{LbEndpoints: []*endpoint.LbEndpoint{{
			HostIdentifier: &endpoint.LbEndpoint_Endpoint{Endpoint: &endpoint.Endpoint{Address: socket(address, 9094)}},
		}}}},
	})
}

func (s set) withoutBroker(id int) set {
	return s.without(clusterName(id), endpointName(id), listenerName(id))
}

func socket(address string, port uint32) *core.Address {
	return &core.Address{Address: &core.Address_SocketAddress{SocketAddress: &core.SocketAddress{
		Address: address, PortSpecifier: &core.SocketAddress_PortValue{PortValue: port},
	}}}
}

func listenerOn(name string, port uint32) *listener.Listener {
	return &listener.Listener{Name: name, Address: socket("127.0.0.1", port)}
}

// atomicNames is a set that several goroutines use.
type atomicNames struct{ names sync.Map }

func (n *atomicNames) add(name string)      { n.names.Store(name, true) }
func (n *atomicNames) has(name string) bool { _, ok := n.names.Load(name); return ok }
