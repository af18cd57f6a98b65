package xds

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	rpc "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"k8s.io/utils/clock"
	clocktesting "k8s.io/utils/clock/testing"

	"koperator.dev/koperator/envoy/translate"
)

// The short names of what broker 1, 2, ... consists of.
func c(id int) string { return clusterName(id).Name }
func e(id int) string { return endpointName(id).Name }
func l(id int) string { return listenerName(id).Name }

func TestAProxyIsSentWhatHasChangedAndNoMore(t *testing.T) {
	plane := startControlPlane(t)
	first := brokers(1, 2)
	plane.publish(t, orders, first)
	proxy := plane.connect(t)
	proxy.start("proxy-a", first)
	plane.acceptedBy(t, orders, first, "proxy-a")

	moved := first.withEndpoint(2, "10.0.0.99")
	plane.publish(t, orders, moved)
	response := proxy.expect(translate.TypeEndpoint, []string{e(2)}, nil)
	ack, _ := plane.ack(orders, "proxy-a")
	if want := []translate.ResourceName{endpointName(2)}; !slices.Equal(ack.Missing, want) || ack.Hash != moved.Hash() {
		t.Errorf("before the answer: got %+v, want %v missing", ack, want)
	}
	proxy.accept(response)
	plane.acceptedBy(t, orders, moved, "proxy-a")

	more := moved.withBroker(3, "10.0.0.3")
	plane.publish(t, orders, more)
	proxy.accept(proxy.expect(translate.TypeCluster, []string{c(3)}, nil))
	proxy.accept(proxy.expect(translate.TypeListener, []string{l(3)}, nil))
	proxy.send(&discovery.DeltaDiscoveryRequest{TypeUrl: translate.TypeEndpoint.URL(), ResourceNamesSubscribe: []string{e(3)}})
	proxy.accept(proxy.expect(translate.TypeEndpoint, []string{e(3)}, nil))
	plane.acceptedBy(t, orders, more, "proxy-a")

	fewer := more.withoutBroker(1)
	plane.publish(t, orders, fewer)
	proxy.accept(proxy.expect(translate.TypeCluster, nil, []string{c(1)}))
	proxy.accept(proxy.expect(translate.TypeEndpoint, nil, []string{e(1)}))
	proxy.accept(proxy.expect(translate.TypeListener, nil, []string{l(1)}))
	plane.acceptedBy(t, orders, fewer, "proxy-a")

	plane.publish(t, orders, translate.Empty())
	proxy.accept(proxy.expect(translate.TypeCluster, nil, []string{c(2), c(3)}))
	proxy.accept(proxy.expect(translate.TypeEndpoint, nil, []string{e(2), e(3)}))
	proxy.accept(proxy.expect(translate.TypeListener, nil, []string{l(2), l(3)}))
	plane.acceptedBy(t, orders, translate.Empty(), "proxy-a")

	plane.publish(t, orders, first)
	proxy.accept(proxy.expect(translate.TypeCluster, []string{c(1), c(2)}, nil))
}

// A proxy that comes back says what it has.
func TestAProxyThatComesBackIsSentNothingAgain(t *testing.T) {
	certificates := newAuthority(t)
	one, two := startControlPlane(t, with(certificates)), startControlPlane(t, with(certificates))
	resources := brokers(1, 2, 3)
	one.publish(t, orders, resources)
	two.publish(t, orders, resources)
	proxy := one.connect(t)
	has := proxy.start("proxy-a", resources)
	one.acceptedBy(t, orders, resources, "proxy-a")
	proxy.close()

	for name, plane := range map[string]*controlPlane{"the same replica": one, "another replica": two} {
		t.Run(name, func(t *testing.T) {
			again := plane.connect(t)
			again.ask(translate.TypeCluster, node("proxy-a", orders), has[translate.TypeCluster])
			again.ask(translate.TypeEndpoint, nil, has[translate.TypeEndpoint], e(1), e(2), e(3))
			again.ask(translate.TypeListener, nil, has[translate.TypeListener])
			again.accept(again.expect(translate.TypeCluster, nil, nil))
			again.accept(again.expect(translate.TypeListener, nil, nil))
			plane.acceptedBy(t, orders, resources, "proxy-a")

			moved := resources.withEndpoint(2, "10.0.0."+fmt.Sprint(len(name)))
			plane.publish(t, orders, moved)
			again.expect(translate.TypeEndpoint, []string{e(2)}, nil)
			again.close()
		})
	}
}

func TestAReplicaThatLacksABrokerRemovesItAndBringsItBack(t *testing.T) {
	plane := startControlPlane(t)
	plane.publish(t, orders, brokers(1))
	versions := map[string]string{c(1): brokers(1)[clusterName(1)].Hash, c(9): "from another replica"}
	proxy := plane.connect(t)
	proxy.ask(translate.TypeCluster, node("proxy-a", orders), versions)
	removal := proxy.expect(translate.TypeCluster, nil, []string{c(9)})
	proxy.accept(removal)
	plane.publish(t, orders, brokers(1, 9))
	proxy.expect(translate.TypeCluster, []string{c(9)}, nil)
}

func TestRejectedListener(t *testing.T) {
	plane := startControlPlane(t)
	resources := brokers(1, 2, 3)
	plane.publish(t, orders, resources)
	proxy := plane.connect(t)
	from := node("proxy-a", orders)
	proxy.ask(translate.TypeCluster, from, nil)
	proxy.accept(proxy.receive())
	proxy.ask(translate.TypeEndpoint, nil, nil, e(1), e(2), e(3))
	proxy.accept(proxy.receive())
	proxy.ask(translate.TypeListener, nil, nil)
	words := "cannot bind '127.0.0.1:10002': Address already in use"
	proxy.reject(proxy.receive(), "Error adding/updating listener(s) "+l(2)+": "+words+"\n")

	rejected := func(missing ...translate.ResourceName) func() bool {
		return func() bool {
			ack, ok := plane.ack(orders, "proxy-a")
			return ok && slices.Equal(ack.Missing, missing) && slices.Equal(ack.Rejected, []Rejection{{Resource: "Listener " + l(2), Message: words}})
		}
	}
	until(t, "only the rejected one is missing", rejected(listenerName(2)))

	moved := resources.withEndpoint(1, "10.0.0.77")
	plane.publish(t, orders, moved)
	proxy.accept(proxy.expect(translate.TypeEndpoint, []string{e(1)}, nil))
	until(t, "it stays rejected when something else changes", rejected(listenerName(2)))

	other := moved.with(translate.TypeListener, l(2), resources.Of(translate.TypeListener)[l(1)].Message)
	if err := plane.Publish(orders, other); err == nil {
		t.Error("a resource under another one's name was published")
	}
	repaired := moved.withBroker(2, "10.0.0.1").with(translate.TypeListener, l(2), listenerOn(l(2), 10022))
	plane.publish(t, orders, repaired)
	if ack, _ := plane.ack(orders, "proxy-a"); len(ack.Rejected) != 0 || !slices.Equal(ack.Missing, []translate.ResourceName{listenerName(2)}) {
		t.Errorf("after its bytes have changed: got %+v, want it missing and not rejected", ack)
	}
	proxy.accept(proxy.expect(translate.TypeListener, []string{l(2)}, nil))
	plane.acceptedBy(t, orders, repaired, "proxy-a")
}

// A text without a name is about any of the resources of a response, and Envoy may have applied none of them.
func TestRejectionWithoutANameIsFound(t *testing.T) {
	plane := startControlPlane(t)
	plane.publish(t, orders, brokers(7))
	proxy := plane.connect(t)
	proxy.start("proxy-a", brokers(7))
	plane.acceptedBy(t, orders, brokers(7), "proxy-a")

	plane.publish(t, orders, brokers(1, 2, 3))
	text := "Proto constraint validation failed (ClusterValidationError.LbPolicy: value must be one of the defined enum values)"
	proxy.reject(proxy.expect(translate.TypeCluster, []string{c(1), c(2), c(3)}, []string{c(7)}), text)

	// While nobody knows which one is meant, all count as not accepted.
	until(t, "the type is reported", func() bool {
		ack, _ := plane.ack(orders, "proxy-a")
		return slices.Equal(ack.Rejected, []Rejection{{Resource: "Cluster (unnamed)", Message: text}})
	})
	for found := false; !found; {
		response := proxy.receive()
		switch names := namesIn(response); {
		case response.GetTypeUrl() != translate.TypeCluster.URL() || !slices.Contains(names, c(2)):
			proxy.accept(response)
		default:
			found = len(names) == 1
			proxy.reject(response, text)
		}
	}
	until(t, "the one is named, and the others are accepted", func() bool {
		ack, _ := plane.ack(orders, "proxy-a")
		missing := slices.DeleteFunc(ack.Missing, func(n translate.ResourceName) bool { return n.Type != translate.TypeCluster })
		return slices.Equal(ack.Rejected, []Rejection{{Resource: "Cluster " + c(2), Message: text}}) && slices.Equal(missing, []translate.ResourceName{clusterName(2)})
	})
}

// What is open and not asked for any more holds nothing else up.
func TestRejectionOfEndpointsThatAreNotAskedForAnyMore(t *testing.T) {
	plane := startControlPlane(t)
	plane.publish(t, orders, brokers(1, 2, 3))
	proxy := plane.connect(t)
	proxy.ask(translate.TypeEndpoint, node("proxy-a", orders), nil, e(1), e(2), e(3))
	response := proxy.expect(translate.TypeEndpoint, []string{e(1), e(2), e(3)}, nil)
	proxy.send(&discovery.DeltaDiscoveryRequest{
		TypeUrl: response.GetTypeUrl(), ResponseNonce: response.GetNonce(), ResourceNamesUnsubscribe: []string{e(1)},
		ErrorDetail: &rpc.Status{Code: int32(codes.Internal), Message: "malformed IP address"},
	})
	proxy.accept(proxy.expect(translate.TypeEndpoint, []string{e(2), e(3)}, nil))
}

func TestAnUnknownFleetWaits(t *testing.T) {
	plane := startControlPlane(t)
	proxy := plane.connect(t)
	proxy.ask(translate.TypeCluster, node("proxy-a", orders), nil)
	proxy.ask(translate.TypeListener, nil, nil)
	until(t, "the server has the proxy's requests", func() bool {
		return plane.fleet(orders).streams() == 1 && plane.cache.GetStatusInfo(orders).GetNumDeltaWatches() == 2
	})
	plane.publish(t, "kafka/other-envoy", brokers(9))
	plane.publish(t, orders, brokers(1))
	proxy.accept(proxy.expect(translate.TypeCluster, []string{c(1)}, nil))
	proxy.accept(proxy.expect(translate.TypeListener, []string{l(1)}, nil))
}

// Who asks for no endpoints gets none: only for clusters and listeners no names stand for all.
func TestNoEndpointsUnlessTheyAreAskedFor(t *testing.T) {
	plane := startControlPlane(t)
	plane.publish(t, orders, brokers(1))
	proxy := plane.connect(t)
	proxy.ask(translate.TypeEndpoint, node("proxy-a", orders), nil)
	proxy.ask(translate.TypeListener, nil, nil)
	proxy.expect(translate.TypeListener, []string{l(1)}, nil)
}

// An empty fleet is an answer, in contrast to one that is not known.
func TestAnEmptyFleetIsAnswered(t *testing.T) {
	plane := startControlPlane(t)
	plane.publish(t, orders, translate.Empty())
	proxy := plane.connect(t)
	proxy.ask(translate.TypeCluster, node("proxy-a", orders), nil)
	proxy.accept(proxy.expect(translate.TypeCluster, nil, nil))
	proxy.ask(translate.TypeListener, nil, nil)
	proxy.accept(proxy.expect(translate.TypeListener, nil, nil))
	plane.acceptedBy(t, orders, translate.Empty(), "proxy-a")
}

func TestInconsistentResourcesLeaveTheLastOnes(t *testing.T) {
	plane := startControlPlane(t)
	good := brokers(1, 2)
	plane.publish(t, orders, good)
	proxy := plane.connect(t)
	proxy.start("proxy-a", good)
	for name, wrong := range map[string]struct {
		resources set
		says      string
	}{
		"a cluster without endpoints": {good.withBroker(3, "10.0.0.3").without(endpointName(3)), "no endpoints"},
		"endpoints without a cluster": {good.withBroker(3, "10.0.0.3").without(clusterName(3)), "belong to no cluster"},
		"a wrong name":                {good.with(translate.TypeListener, "x", listenerOn("y", 1)), `calls itself "y"`},
	} {
		err := plane.Publish(orders, wrong.resources)
		if err == nil || !strings.Contains(err.Error(), wrong.says) || !strings.Contains(err.Error(), orders) {
			t.Errorf("%s: got error %v, want one with %q", name, err, wrong.says)
		}
	}
	plane.acceptedBy(t, orders, good, "proxy-a")
	next := good.withEndpoint(1, "10.0.0.50")
	plane.publish(t, orders, next)
	proxy.accept(proxy.expect(translate.TypeEndpoint, []string{e(1)}, nil))
	plane.acceptedBy(t, orders, next, "proxy-a")
}

func TestWhoIsLetIn(t *testing.T) {
	plane := startControlPlane(t)
	plane.publish(t, orders, brokers(1))
	plane.publish(t, "kafka/other-envoy", brokers(2))
	ask := func(t *testing.T, as *discovery.DeltaDiscoveryRequest, certificates ...tls.Certificate) *client {
		proxy := open(t, plane.dial(t, certificates...))
		proxy.send(as)
		return proxy
	}
	clusters := func(id, of string) *discovery.DeltaDiscoveryRequest {
		return &discovery.DeltaDiscoveryRequest{Node: node(id, of), TypeUrl: translate.TypeCluster.URL()}
	}
	own := plane.authority.proxy(t, orders)

	t.Run("its own fleet", func(t *testing.T) {
		ask(t, clusters("proxy-a", orders), own).expect(translate.TypeCluster, []string{c(1)}, nil)
	})
	t.Run("no certificate", func(t *testing.T) {
		ask(t, clusters("proxy-a", orders)).refused(codes.Unavailable)
	})
	t.Run("a foreign certificate", func(t *testing.T) {
		ask(t, clusters("proxy-a", orders), newAuthority(t).proxy(t, orders)).refused(codes.Unavailable)
	})
	t.Run("a server's certificate", func(t *testing.T) {
		ask(t, clusters("proxy-a", orders), plane.authority.server(t)).refused(codes.Unavailable)
	})
	for name, uris := range map[string][]string{
		"no URI":               nil,
		"two URIs":             {FleetURI(orders), FleetURI("kafka/other-envoy")},
		"another trust domain": {"spiffe://example.com/ns/kafka/fleet/orders-envoy"},
		"a longer path":        {FleetURI(orders) + "/x"},
		"a port":               {"spiffe://koperator.dev:1/ns/kafka/fleet/orders-envoy"},
	} {
		t.Run(name, func(t *testing.T) {
			certificate := pair(t, plane.authority.leaf(t, proxyRequest(uris...)))
			ask(t, clusters("proxy-a", orders), certificate).refused(codes.PermissionDenied)
		})
	}
	for name, wrong := range map[string]struct {
		request *discovery.DeltaDiscoveryRequest
		code    codes.Code
	}{
		"another fleet's name":  {clusters("proxy-a", "kafka/other-envoy"), codes.PermissionDenied},
		"no node":               {&discovery.DeltaDiscoveryRequest{TypeUrl: translate.TypeCluster.URL()}, codes.PermissionDenied},
		"no node.id":            {clusters("", orders), codes.InvalidArgument},
		"a node.id with a line": {clusters("proxy-a\nx", orders), codes.InvalidArgument},
		"a long node.id":        {clusters(strings.Repeat("a", 254), orders), codes.InvalidArgument},
		"another type":          {&discovery.DeltaDiscoveryRequest{Node: node("proxy-a", orders), TypeUrl: "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret"}, codes.InvalidArgument},
		"a long name": {&discovery.DeltaDiscoveryRequest{
			Node: node("proxy-a", orders), TypeUrl: translate.TypeEndpoint.URL(), ResourceNamesSubscribe: []string{strings.Repeat("x", maxName+1)},
		}, codes.InvalidArgument},
		"too many names": {&discovery.DeltaDiscoveryRequest{
			Node: node("proxy-a", orders), TypeUrl: translate.TypeEndpoint.URL(), ResourceNamesSubscribe: manyNames(maxSubscribed + 1),
		}, codes.ResourceExhausted},
		"too large": {&discovery.DeltaDiscoveryRequest{
			Node: node("proxy-a", orders), TypeUrl: translate.TypeEndpoint.URL(), ResourceNamesSubscribe: []string{strings.Repeat("x", maxReceive)},
		}, codes.ResourceExhausted},
	} {
		t.Run(name, func(t *testing.T) { ask(t, wrong.request, own).refused(wrong.code) })
	}
	for name, then := range map[string]struct {
		node string
		of   string
		code codes.Code
	}{
		"another fleet later":   {"proxy-a", "kafka/other-envoy", codes.PermissionDenied},
		"another node.id later": {"proxy-b", orders, codes.InvalidArgument},
	} {
		t.Run(name, func(t *testing.T) {
			proxy := ask(t, clusters("proxy-a", orders), own)
			proxy.expect(translate.TypeCluster, []string{c(1)}, nil)
			proxy.ask(translate.TypeListener, node(then.node, then.of), nil)
			proxy.refused(then.code)
		})
	}
	t.Run("TLS 1.2", func(t *testing.T) {
		proxy := open(t, plane.dialTLS(t, &tls.Config{
			Certificates: []tls.Certificate{own}, RootCAs: plane.authority.pool(), ServerName: serverName, MaxVersion: tls.VersionTLS12,
		}))
		proxy.refused(codes.Unavailable)
	})
	t.Run("the other protocol", func(t *testing.T) {
		stream, err := discovery.NewAggregatedDiscoveryServiceClient(plane.dial(t, own)).StreamAggregatedResources(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err = stream.Recv(); err == nil || !strings.Contains(err.Error(), "DELTA_GRPC") {
			t.Errorf("got %v, want it to be told to use DELTA_GRPC", err)
		}
	})
	until(t, "nobody but the first is connected", func() bool { return plane.fleet("kafka/other-envoy").streams() == 0 })
}

func TestAProxyThatAnswersNothingIsCutOff(t *testing.T) {
	plane := startControlPlane(t)
	plane.publish(t, orders, brokers(1))
	proxy := plane.connect(t)
	proxy.ask(translate.TypeEndpoint, node("proxy-a", orders), nil, e(1))
	for range maxUnanswered {
		proxy.expect(translate.TypeEndpoint, []string{e(1)}, nil)
		proxy.send(&discovery.DeltaDiscoveryRequest{TypeUrl: translate.TypeEndpoint.URL(), ResourceNamesUnsubscribe: []string{e(1)}})
		proxy.ask(translate.TypeEndpoint, nil, nil, e(1))
	}
	proxy.expect(translate.TypeEndpoint, []string{e(1)}, nil)
	proxy.ask(translate.TypeListener, nil, nil)
	proxy.refused(codes.ResourceExhausted)
}

func manyNames(count int) []string {
	names := make([]string, count)
	for i := range names {
		names[i] = fmt.Sprint("kafka/orders/public/", i)
	}
	return names
}

func TestAProxyThatIsNotKnownYetTriesAgain(t *testing.T) {
	var knows atomicNames
	plane := startControlPlane(t, func(o *Options, _ *controlPlane) {
		o.KnowsProxy = func(fleet, pod string) bool { return knows.has(fleet + "/" + pod) }
	})
	plane.publish(t, orders, brokers(1))
	proxy := plane.connect(t)
	proxy.ask(translate.TypeCluster, node("proxy-a", orders), nil)
	proxy.refused(codes.Unavailable)

	knows.add(orders + "/proxy-a")
	proxy = plane.connect(t)
	proxy.ask(translate.TypeCluster, node("proxy-a", orders), nil)
	proxy.expect(translate.TypeCluster, []string{c(1)}, nil)
}

// Certificates are read for each handshake: a new one of the server is used, and an authority that is trusted no more
// lets nobody in.
func TestCertificatesChangeWhileServing(t *testing.T) {
	plane := startControlPlane(t)
	plane.publish(t, orders, brokers(1))
	old := plane.connect(t)
	old.start("proxy-a", brokers(1))

	next := newAuthority(t)
	server, pool := next.server(t), next.pool()
	plane.rotate(func() (tls.Certificate, *x509.CertPool, error) { return server, pool, nil })
	config := &tls.Config{Certificates: []tls.Certificate{next.proxy(t, orders)}, RootCAs: pool, ServerName: serverName}
	proxy := open(t, plane.dialTLS(t, config))
	proxy.start("proxy-b", brokers(1))

	config = &tls.Config{Certificates: []tls.Certificate{plane.authority.proxy(t, orders)}, RootCAs: pool, ServerName: serverName}
	open(t, plane.dialTLS(t, config)).refused(codes.Unavailable)

	plane.rotate(func() (tls.Certificate, *x509.CertPool, error) {
		return tls.Certificate{}, nil, errors.New("the Secret is gone")
	})
	open(t, plane.dialTLS(t, config)).refused(codes.Unavailable)

	moved := brokers(1).withEndpoint(1, "10.0.0.2")
	plane.publish(t, orders, moved)
	for _, open := range []*client{old, proxy} {
		open.accept(open.expect(translate.TypeEndpoint, []string{e(1)}, nil))
	}
	plane.acceptedBy(t, orders, moved, "proxy-a", "proxy-b")
}

func TestAStreamThatEndsIsRememberedForAWhile(t *testing.T) {
	fake := clocktesting.NewFakeClock(time.Now())
	plane := startControlPlane(t, on(fake))
	resources := brokers(1)
	plane.publish(t, orders, resources)
	proxy := plane.connect(t)
	has := proxy.start("proxy-a", resources)
	plane.acceptedBy(t, orders, resources, "proxy-a")
	proxy.close()
	gone := func() bool {
		ack, ok := plane.ack(orders, "proxy-a")
		return ok && !ack.Connected && len(ack.Missing) == 0
	}
	until(t, "it is not connected", gone)

	// A change that it cannot know is missing, connected or not.
	next := brokers(1).withEndpoint(1, "10.0.0.2")
	plane.publish(t, orders, next)
	if ack, _ := plane.ack(orders, "proxy-a"); !slices.Equal(ack.Missing, []translate.ResourceName{endpointName(1)}) {
		t.Errorf("got %+v, want the new endpoint missing", ack)
	}
	plane.publish(t, orders, resources)

	// One that comes back says what it has with its first requests, and until then the old stream speaks for it.
	again := plane.connect(t)
	again.ask(translate.TypeCluster, node("proxy-a", orders), has[translate.TypeCluster])
	again.expect(translate.TypeCluster, nil, nil)
	if !gone() {
		t.Error("a stream that has just begun replaces the one before it")
	}
	again.ask(translate.TypeEndpoint, nil, has[translate.TypeEndpoint], e(1))
	again.ask(translate.TypeListener, nil, has[translate.TypeListener])
	plane.acceptedBy(t, orders, resources, "proxy-a")

	again.close()
	until(t, "the second stream has ended", func() bool { return plane.fleet(orders).streams() == 0 && fake.Waiters() == 2 })
	fake.Step(reconnectTime - time.Second)
	if !gone() {
		t.Error("it is forgotten too early")
	}
	fake.Step(time.Second)
	until(t, "it is forgotten", func() bool { return len(plane.Acks(orders)) == 0 })
}

func TestChangesOfAFleetThatNobodyHasTakenAreOne(t *testing.T) {
	plane := startControlPlane(t)
	for id := range 100 {
		plane.publish(t, orders, brokers(id))
		plane.publish(t, "kafka/other-envoy", brokers(id))
	}
	count := map[string]int{}
	for len(count) < 2 {
		count[<-plane.Changed()]++
	}
	if total := count[orders] + count["kafka/other-envoy"]; total > 4 {
		t.Errorf("got %d changes, want two of them, and at most one more each", total)
	}
	proxy := plane.connect(t)
	proxy.start("proxy-a", brokers(99))
	for ack, ok := plane.ack(orders, "proxy-a"); !ok || len(ack.Missing) > 0; ack, ok = plane.ack(orders, "proxy-a") {
		<-plane.Changed()
	}
}

func TestMetrics(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	fake := clocktesting.NewFakeClock(time.Now())
	plane := startControlPlane(t, on(fake), func(o *Options, _ *controlPlane) { o.Metrics = registry })
	plane.publish(t, orders, brokers(1))
	proxy := plane.connect(t)
	proxy.start("proxy-a", brokers(1))
	plane.acceptedBy(t, orders, brokers(1), "proxy-a")
	plane.publish(t, orders, brokers(1).withEndpoint(1, "10.0.0.2"))
	response := proxy.expect(translate.TypeEndpoint, []string{e(1)}, nil)
	fake.Step(70 * time.Millisecond)
	proxy.reject(response, "malformed IP address")
	plane.publish(t, orders, brokers(1).withEndpoint(1, "10.0.0.3"))
	response = proxy.expect(translate.TypeEndpoint, []string{e(1)}, nil)
	fake.Step(110 * time.Millisecond)
	proxy.accept(response)
	plane.acceptedBy(t, orders, brokers(1).withEndpoint(1, "10.0.0.3"), "proxy-a")
	plane.connect(t).ask(translate.TypeCluster, node("proxy-a", "kafka/other-envoy"), nil)
	until(t, "the stranger is counted", func() bool {
		return gather(t, registry)["koperator_xds_refused_streams_total PermissionDenied"].GetCounter().GetValue() == 1
	})

	got := gather(t, registry)
	for name, want := range map[string]float64{
		"koperator_xds_responses_total Cluster":                                   1,
		"koperator_xds_responses_total ClusterLoadAssignment":                     3,
		"koperator_xds_responses_total Listener":                                  1,
		"koperator_xds_rejections_total orders-envoy kafka ClusterLoadAssignment": 1,
	} {
		if value := got[name].GetCounter().GetValue(); value != want {
			t.Errorf("%s: got %g, want %g", name, value, want)
		}
	}
	if streams := got["koperator_xds_streams orders-envoy kafka"].GetGauge().GetValue(); streams != 1 {
		t.Errorf("got %g streams, want 1", streams)
	}
	if h := got["koperator_xds_accept_duration_seconds"].GetHistogram(); h.GetSampleCount() != 1 || h.GetSampleSum() < .179 || h.GetSampleSum() > .181 {
		t.Errorf("got %v, want one duration of 0.18 s: from the first change to what was accepted", h)
	}
	if size := got["koperator_xds_response_bytes_total ClusterLoadAssignment"].GetCounter().GetValue(); size < 3*float64(proto.Size(response))-10 {
		t.Errorf("got %g bytes of endpoints, want about %d", size, 3*proto.Size(response))
	}
	if _, err := New(Options{Clock: clock.RealClock{}, Metrics: registry}); err == nil {
		t.Error("a second Server registered the same metrics")
	}
	plane.publish(t, orders, translate.Empty())
	for name := range gather(t, registry) {
		if strings.HasPrefix(name, "koperator_xds_rejections_total") {
			t.Errorf("%s is of a fleet that is gone", name)
		}
	}
}

// gather returns metrics by their name and the values of their labels.
func gather(t *testing.T, registry *prometheus.Registry) map[string]*dto.Metric {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]*dto.Metric{}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			name := family.GetName()
			for _, label := range metric.GetLabel() {
				name += " " + label.GetValue()
			}
			all[name] = metric
		}
	}
	return all
}
