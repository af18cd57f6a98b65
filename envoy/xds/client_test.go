package xds

import (
	"context"
	"crypto/tls"
	"maps"
	"slices"
	"testing"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	rpc "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	"koperator.dev/koperator/envoy/translate"
)

// client is a stream on which a test says each word of a proxy itself.
type client struct {
	t      testing.TB
	stream discovery.AggregatedDiscoveryService_DeltaAggregatedResourcesClient
	close  func()
	// err is why there is no stream: it shows here or when something is received.
	err error
}

func (p *controlPlane) dial(t testing.TB, certificates ...tls.Certificate) *grpc.ClientConn {
	t.Helper()
	return p.dialTLS(t, &tls.Config{Certificates: certificates, RootCAs: p.authority.pool(), ServerName: serverName})
}

func (p *controlPlane) dialTLS(t testing.TB, config *tls.Config) *grpc.ClientConn {
	t.Helper()
	connection, err := grpc.NewClient("passthrough:///"+p.address,
		grpc.WithTransportCredentials(credentials.NewTLS(config)),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(64<<20)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = connection.Close() })
	return connection
}

// open begins a stream. The connection of a test that fails ends it.
func open(t testing.TB, connection *grpc.ClientConn) *client {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	t.Cleanup(cancel)
	stream, err := discovery.NewAggregatedDiscoveryServiceClient(connection).DeltaAggregatedResources(ctx)
	return &client{t: t, stream: stream, close: cancel, err: err}
}

// connect is a proxy of orders.
func (p *controlPlane) connect(t testing.TB) *client {
	t.Helper()
	return open(t, p.dial(t, p.authority.proxy(t, orders)))
}

func node(id, cluster string) *core.Node {
	return &core.Node{Id: id, Cluster: cluster}
}

// send leaves it to who receives to find that the stream has ended.
func (c *client) send(request *discovery.DeltaDiscoveryRequest) {
	c.t.Helper()
	if c.err == nil {
		_ = c.stream.Send(request)
	}
}

// ask begins the subscription of a type.
func (c *client) ask(of translate.Type, from *core.Node, versions map[string]string, names ...string) {
	c.t.Helper()
	c.send(&discovery.DeltaDiscoveryRequest{
		Node: from, TypeUrl: of.URL(), InitialResourceVersions: versions, ResourceNamesSubscribe: names,
	})
}

func (c *client) receive() *discovery.DeltaDiscoveryResponse {
	c.t.Helper()
	response, err := c.recv()
	if err != nil {
		c.t.Fatal(err)
	}
	return response
}

func (c *client) recv() (*discovery.DeltaDiscoveryResponse, error) {
	if c.err != nil {
		return nil, c.err
	}
	return c.stream.Recv()
}

// expect receives a response of a type with exactly these resources and removals.
func (c *client) expect(of translate.Type, resources, removed []string) *discovery.DeltaDiscoveryResponse {
	c.t.Helper()
	response := c.receive()
	if response.GetTypeUrl() != of.URL() {
		c.t.Fatalf("got %s, want %s", response.GetTypeUrl(), of)
	}
	if got := namesIn(response); !slices.Equal(got, slices.Sorted(slices.Values(resources))) {
		c.t.Errorf("%s: got resources %q, want %q", of, got, resources)
	}
	if got := slices.Sorted(slices.Values(response.GetRemovedResources())); !slices.Equal(got, slices.Sorted(slices.Values(removed))) {
		c.t.Errorf("%s: got removals %q, want %q", of, got, removed)
	}
	return response
}

func namesIn(response *discovery.DeltaDiscoveryResponse) []string {
	var names []string
	for _, resource := range response.GetResources() {
		names = append(names, resource.GetName())
	}
	slices.Sort(names)
	return names
}

func (c *client) accept(response *discovery.DeltaDiscoveryResponse) {
	c.t.Helper()
	c.send(&discovery.DeltaDiscoveryRequest{TypeUrl: response.GetTypeUrl(), ResponseNonce: response.GetNonce()})
}

func (c *client) reject(response *discovery.DeltaDiscoveryResponse, text string) {
	c.t.Helper()
	c.send(&discovery.DeltaDiscoveryRequest{
		TypeUrl: response.GetTypeUrl(), ResponseNonce: response.GetNonce(),
		ErrorDetail: &rpc.Status{Code: int32(codes.Internal), Message: text},
	})
}

// start asks for everything and accepts it, as an Envoy that has just started. It returns what it has then.
func (c *client) start(id string, resources set) map[translate.Type]map[string]string {
	c.t.Helper()
	has := map[translate.Type]map[string]string{}
	from := node(id, orders)
	for _, of := range []translate.Type{translate.TypeCluster, translate.TypeEndpoint, translate.TypeListener} {
		names := slices.Sorted(maps.Keys(resources.Of(of)))
		if of == translate.TypeEndpoint {
			c.ask(of, from, nil, names...)
		} else {
			c.ask(of, from, nil)
		}
		from = nil
		response := c.expect(of, names, nil)
		has[of] = map[string]string{}
		for _, resource := range response.GetResources() {
			has[of][resource.GetName()] = resource.GetVersion()
		}
		c.accept(response)
	}
	return has
}

// refused receives the end of the stream.
func (c *client) refused(code codes.Code) {
	c.t.Helper()
	response, err := c.recv()
	if err == nil {
		c.t.Fatalf("got %d resources, want %s", len(response.GetResources()), code)
	}
	if status.Code(err) != code {
		c.t.Errorf("got %v, want %s", err, code)
	}
}
