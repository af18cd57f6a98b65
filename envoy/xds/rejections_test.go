package xds

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"

	cluster "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpoint "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listener "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/envoy/translate"
)

// rejected waits until every proxy rejects exactly these resources, with a text that holds the words, and has accepted
// the rest. A new cluster that is rejected has no use for its endpoints, and they are not accepted either.
func (w *world) rejected(t *testing.T, resources Resources, words string, names ...translate.ResourceName) {
	t.Helper()
	for _, e := range w.envoys {
		var ack ProxyAcks
		until(t, fmt.Sprintf("%s rejects %v and nothing else: %s", e.node, names, words), func() bool {
			ack, _ = w.plane.ack(w.fleet.Key(), e.node)
			missing := slices.DeleteFunc(ack.Missing, func(n translate.ResourceName) bool {
				return n.Type == translate.TypeEndpoint && slices.Contains(names, translate.ResourceName{Type: translate.TypeCluster, Name: clusterOf(n)})
			})
			return ack.Hash == resources.Hash() && slices.Equal(missing, names) && len(ack.Rejected) == len(names) &&
				!slices.ContainsFunc(ack.Rejected, func(r Rejection) bool { return strings.Contains(r.Resource, "unnamed") })
		})
		for i, rejected := range ack.Rejected {
			if rejected.Resource != names[i].String() || !strings.Contains(rejected.Message, words) {
				t.Errorf("%s: got %+v, want %s with %q", e.node, rejected, names[i], words)
			}
		}
	}
}

func clusterOf(endpoints translate.ResourceName) string {
	name, _, _ := strings.Cut(endpoints.Name, "@")
	return name
}

func (w *world) ofBroker(t *testing.T, id int32, of translate.Type) translate.ResourceName {
	t.Helper()
	for _, name := range w.translate(t).OfBroker("public", id) {
		if name.Type == of {
			return name
		}
	}
	t.Fatalf("broker %d has no %s", id, of)
	return translate.ResourceName{}
}

func TestATakenPort(t *testing.T) {
	w := newWorld(t, v1beta1.ExternalPortPerBroker, 3)
	clients := w.startTraffic(t, 0, 1, 2)
	w.addBroker(t, 7)
	w.addBroker(t, 8)
	l, err := net.Listen("tcp", fmt.Sprintf("[::]:%d", w.broker(7).Port))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	resources := w.publish(t)
	words := fmt.Sprintf("cannot bind '[::]:%d': Address already in use", w.broker(7).Port)
	w.rejected(t, resources, words, w.ofBroker(t, 7, translate.TypeListener))
	w.reaches(t, 8, "broker-8")

	// It stays rejected when something else changes, and a port that is free repairs it.
	w.broker(1).Endpoint = w.startBroker(t, "broker-1")
	w.rejected(t, w.publish(t), words, w.ofBroker(t, 7, translate.TypeListener))
	w.broker(7).Port = freePorts(t, 1)[0]
	w.change(t)
	w.reaches(t, 7, "broker-7")
	clients.end(t)
}

// What Envoy does not accept of a broker leaves the others as they are, those included that change at the same time.
func TestBrokenResources(t *testing.T) {
	for name, test := range map[string]struct {
		of     translate.Type
		damage func(proto.Message)
		words  string
	}{
		"a cluster that Envoy cannot build": {translate.TypeCluster, func(m proto.Message) {
			m.(*cluster.Cluster).TransportSocket = &core.TransportSocket{
				Name: "none", ConfigType: &core.TransportSocket_TypedConfig{TypedConfig: &anypb.Any{TypeUrl: "type.googleapis.com/google.protobuf.Empty"}},
			}
		}, "Didn't find a registered implementation for 'none'"},
		"a cluster against the rules of its message": {translate.TypeCluster, func(m proto.Message) {
			m.(*cluster.Cluster).LbPolicy = 99
		}, "ClusterValidationError.LbPolicy"},
		"a duration": {translate.TypeCluster, func(m proto.Message) {
			m.(*cluster.Cluster).ConnectTimeout = &durationpb.Duration{Seconds: 1, Nanos: -1}
		}, "Invalid duration"},
		"endpoints by name": {translate.TypeEndpoint, func(m proto.Message) {
			first := m.(*endpoint.ClusterLoadAssignment).GetEndpoints()[0].GetLbEndpoints()[0].GetEndpoint()
			first.GetAddress().GetSocketAddress().Address = "kafka-0.svc"
		}, "malformed IP address: kafka-0.svc"},
		"endpoints against the rules of their message": {translate.TypeEndpoint, func(m proto.Message) {
			m.(*endpoint.ClusterLoadAssignment).Policy = &endpoint.ClusterLoadAssignment_Policy{
				DropOverloads: []*endpoint.ClusterLoadAssignment_Policy_DropOverload{{}},
			}
		}, "ValidationError"},
		"a listener that Envoy cannot build": {translate.TypeListener, func(m proto.Message) {
			m.(*listener.Listener).GetFilterChains()[0].Filters[0].ConfigType = &listener.Filter_TypedConfig{
				TypedConfig: &anypb.Any{TypeUrl: "type.googleapis.com/google.protobuf.Empty"},
			}
		}, "Didn't find a registered"},
		"a listener against the rules of its message": {translate.TypeListener, func(m proto.Message) {
			m.(*listener.Listener).MaxConnectionsToAcceptPerSocketEvent = wrapperspb.UInt32(0)
		}, "ValidationError"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, v1beta1.ExternalPortPerBroker, 3)
			clients := w.startTraffic(t, 0, 1, 2)
			for _, id := range []int32{6, 7, 8} {
				w.addBroker(t, id)
			}
			w.broker(1).Endpoint = w.startBroker(t, "broker-1")
			good := copyOf(w.translate(t))
			broken := good
			// A new broker's, and one that works already.
			names := []translate.ResourceName{w.ofBroker(t, 1, test.of), w.ofBroker(t, 7, test.of)}
			for _, name := range names {
				message := proto.Clone(good[name].Message)
				test.damage(message)
				broken = broken.with(name.Type, name.Name, message)
			}
			w.plane.publish(t, orders, broken)
			w.rejected(t, broken, test.words, names...)
			w.reaches(t, 6, "broker-6")
			w.reaches(t, 8, "broker-8")
			w.reaches(t, 1, "broker-1")

			w.plane.publish(t, orders, good)
			w.accepted(t, good)
			w.reaches(t, 7, "broker-7")
			clients.end(t)
		})
	}
}

// Envoy cuts a text off that is too long, and what it does not name then has not been accepted for sure.
func TestMoreRejectionsThanEnvoySays(t *testing.T) {
	w := newWorld(t, v1beta1.ExternalPortPerBroker, 1)
	w.addBroker(t, 1)
	resources := copyOf(w.translate(t))
	taken := resources[w.ofBroker(t, 0, translate.TypeListener)]
	var names []translate.ResourceName
	for i := range 60 {
		message := proto.Clone(taken.Message).(*listener.Listener)
		message.Name = fmt.Sprintf("kafka/orders/public/%s-%02d", strings.Repeat("x", 100), i)
		resources = resources.with(translate.TypeListener, message.Name, message)
		names = append(names, translate.ResourceName{Type: translate.TypeListener, Name: message.Name})
	}
	w.plane.publish(t, orders, resources)
	for _, e := range w.envoys {
		until(t, e.node+" rejects all but the good one, and names each", func() bool {
			ack, _ := w.plane.ack(orders, e.node)
			return slices.Equal(ack.Missing, names) && len(ack.Rejected) == maxRejections &&
				!slices.ContainsFunc(ack.Rejected, func(r Rejection) bool {
					return !strings.Contains(r.Message, "has duplicate address") || strings.Contains(r.Resource, "unnamed")
				})
		})
		if !strings.Contains(e.messages.String(), names[59].Name) {
			t.Error("Envoy itself does not name all of them")
		}
	}
	w.reaches(t, 1, "broker-1")
}
