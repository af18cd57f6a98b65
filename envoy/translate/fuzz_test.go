package translate

import (
	"net/netip"
	"strings"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	setfilterstatev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/set_filter_state/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protopath"
	"google.golang.org/protobuf/reflect/protorange"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/envoy/ir"
)

// FuzzTranslate gives odd names and numbers: either there is an error, or all of it is valid and nothing that a user
// wrote is a format of Envoy's.
func FuzzTranslate(f *testing.F) {
	for _, name := range []string{"orders", "", "%REQUESTED_SERVER_NAME%", "a/b", "xds_cluster", "admin", "a..b", "Ä", "a\x00b", "*", strings.Repeat("a", 5000), "a-", "::1"} {
		f.Add(name, "orders", "public", "orders.example.com", "broker-1.orders.example.com", "10.0.0.1", int32(9094), int32(1))
		f.Add("kafka", name, "public", "orders.example.com", "broker-1.orders.example.com", "10.0.0.1", int32(9094), int32(1))
		f.Add("kafka", "orders", name, "orders.example.com", "broker-1.orders.example.com", "10.0.0.1", int32(9094), int32(1))
		f.Add("kafka", "orders", "public", name, "broker-1.orders.example.com", "10.0.0.1", int32(9094), int32(1))
		f.Add("kafka", "orders", "public", "orders.example.com", name, "10.0.0.1", int32(9094), int32(1))
		f.Add("kafka", "orders", "public", "orders.example.com", "broker-1.orders.example.com", name, int32(9094), int32(1))
	}
	for _, number := range []int32{-1, 0, 65535, 65536, 2147483647} {
		f.Add("kafka", "orders", "public", "orders.example.com", "broker-1.orders.example.com", "10.0.0.1", number, int32(1))
		f.Add("kafka", "orders", "public", "orders.example.com", "broker-1.orders.example.com", "10.0.0.1", int32(9094), number)
	}
	f.Fuzz(func(t *testing.T, namespace, cluster, listener, domain, host, address string, port, number int32) {
		endpoint := ir.Endpoint{Address: address, Port: port, Zone: host}
		source, _ := netip.ParsePrefix(address + "/8")
		base := ir.Listener{
			Name: listener, Port: port, Domain: domain, BootstrapHost: "bootstrap." + domain, Bootstrap: []ir.Endpoint{endpoint},
			AllowedSources: []netip.Prefix{source.Masked()}, MaxConnections: int64(number), MaxConnectionRate: number,
			ProxyProtocol: true, AccessLog: true, Keepalive: ir.Keepalive{Time: number, Interval: number, Probes: number, UserTimeout: number},
			Brokers: []ir.Broker{{ID: number, Host: host, Port: port, Endpoint: &endpoint}},
		}
		for _, base.Mode = range []v1beta1.ExternalMode{v1beta1.ExternalSNI, v1beta1.ExternalPortPerBroker} {
			resources, err := Translate(ir.Fleet{Namespace: namespace, Cluster: cluster, Revision: 1, Listeners: []ir.Listener{base}})
			if err != nil {
				continue
			}
			for _, name := range resources.Names() {
				expectSound(t, resources.Get(name))
			}
		}
	})
}

// expectSound reads the bytes as Envoy does, and everything that is packed in them.
func expectSound(t *testing.T, resource *Resource) {
	t.Helper()
	read := resource.Message.ProtoReflect().New().Interface()
	if err := proto.Unmarshal(resource.Bytes, read); err != nil || !proto.Equal(read, resource.Message) {
		t.Fatalf("%s: the bytes are not the message's: %v", resource.ResourceName, err)
	}
	if err := read.(message).ValidateAll(); err != nil {
		t.Errorf("%s: %v", resource.ResourceName, err)
	}
	err := protorange.Range(read.ProtoReflect(), func(path protopath.Values) error {
		nested, ok := path.Index(-1).Value.Interface().(protoreflect.Message)
		if !ok {
			return nil
		}
		packed, ok := nested.Interface().(*anypb.Any)
		if !ok {
			return nil
		}
		inner, err := packed.UnmarshalNew()
		if err != nil {
			return err
		}
		if state, ok := inner.(*setfilterstatev3.Config); ok {
			expectOneFormat(t, state.GetOnNewConnection()[0].GetFormatString())
		}
		return inner.(message).ValidateAll()
	})
	if err != nil {
		t.Errorf("%s: %v", resource.ResourceName, err)
	}
}

func expectOneFormat(t *testing.T, format *corev3.SubstitutionFormatString) {
	t.Helper()
	text := format.GetTextFormatSource().GetInlineString()
	if strings.Count(text, "%") != 2 || !strings.HasSuffix(text, "/%REQUESTED_SERVER_NAME%") {
		t.Errorf("the format %s", text)
	}
}
