package translate

import (
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/envoy/ir"
)

// threeBrokers is a fleet with a listener called public, of mode SNI or with ports.
func threeBrokers(name string) ir.Fleet {
	kc, facts := sized(v1beta1.ExternalSNI, 3)
	if name == "ports" {
		kc, facts = sized(v1beta1.ExternalPortPerBroker, 3)
	}
	return ir.Build(kc, facts)[0]
}

// TestRefused wants an error that names what is wrong.
func TestRefused(t *testing.T) {
	for name, test := range map[string]struct {
		from   string
		change func(*ir.Fleet)
		want   string
	}{
		"a revision of the future":   {"sni", func(f *ir.Fleet) { f.Revision = LatestRevision + 1 }, "no revision 2"},
		"no revision":                {"sni", func(f *ir.Fleet) { f.Revision = 0 }, "no revision 0"},
		"a namespace with a format":  {"sni", func(f *ir.Fleet) { f.Namespace = "%PROTOCOL%" }, `"%PROTOCOL%"`},
		"a cluster with a slash":     {"sni", func(f *ir.Fleet) { f.Cluster = "a/b" }, `"a/b"`},
		"a group with a slash":       {"sni", func(f *ir.Fleet) { f.Group = "a/b" }, `"orders-envoy-a/b"`},
		"a listener without name":    {"sni", func(f *ir.Fleet) { f.Listeners[0].Name = "" }, "no name"},
		"another mode":               {"sni", func(f *ir.Fleet) { f.Listeners[0].Mode = "Magic" }, `"Magic"`},
		"no domain":                  {"sni", func(f *ir.Fleet) { f.Listeners[0].Domain = "" }, "no domain"},
		"a wildcard as domain":       {"sni", func(f *ir.Fleet) { f.Listeners[0].Domain = "*.example.com" }, "no domain"},
		"no port":                    {"sni", func(f *ir.Fleet) { f.Listeners[0].Port = 0 }, "0 is no port"},
		"a port that is too big":     {"ports", func(f *ir.Fleet) { f.Listeners[0].Port = 65536 }, "65536 is no port"},
		"a bootstrap host of blanks": {"sni", func(f *ir.Fleet) { f.Listeners[0].BootstrapHost = "a b" }, `"a b"`},
		"a host in upper case":       {"sni", func(f *ir.Fleet) { f.Listeners[0].Brokers[1].Host = "A.example.com" }, "broker 1"},
		"a host without dots":        {"sni", func(f *ir.Fleet) { f.Listeners[0].Brokers[1].Host = "unknown" }, "broker 1"},
		"a host twice": {"sni", func(f *ir.Fleet) { f.Listeners[0].Brokers[1].Host = f.Listeners[0].Brokers[0].Host },
			"Cluster kafka/orders/public/broker-0.orders.example.com is there twice"},
		"a broker without port":          {"ports", func(f *ir.Fleet) { f.Listeners[0].Brokers[1].Port = 0 }, "broker 1: 0 is no port"},
		"an endpoint with a name":        {"ports", func(f *ir.Fleet) { f.Listeners[0].Brokers[1].Endpoint.Address = "kafka.svc" }, "broker 1"},
		"an endpoint without port":       {"ports", func(f *ir.Fleet) { f.Listeners[0].Brokers[1].Endpoint.Port = 0 }, "broker 1"},
		"an address with an interface":   {"sni", func(f *ir.Fleet) { f.Listeners[0].Bootstrap[0].Address = "fe80::1%eth0" }, "bootstrap"},
		"a source that is not one":       {"sni", func(f *ir.Fleet) { f.Listeners[0].AllowedSources = []netip.Prefix{{}} }, "allowed source"},
		"keepalive of no time":           {"sni", func(f *ir.Fleet) { f.Listeners[0].Keepalive.Time = 0 }, "keepalive"},
		"a limit of less than nothing":   {"sni", func(f *ir.Fleet) { f.Listeners[0].MaxConnections = -1 }, "limit"},
		"a rate of less than nothing":    {"sni", func(f *ir.Fleet) { f.Listeners[0].MaxConnectionRate = -1 }, "limit"},
		"one listener's name for two":    {"ports", func(f *ir.Fleet) { f.Listeners = append(f.Listeners, f.Listeners[0]) }, "is there twice"},
		"the fleet is named in any case": {"sni", func(f *ir.Fleet) { f.Revision = 9 }, "fleet kafka/orders-envoy"},
	} {
		t.Run(name, func(t *testing.T) {
			fleet := threeBrokers(test.from)
			test.change(&fleet)
			if _, err := Translate(fleet); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q in it", err, test.want)
			}
		})
	}
}

// TestOf wants what a proxy must accept for a broker, and for a listener as a whole.
func TestOf(t *testing.T) {
	resources := mustTranslate(t, readFleets(t, filepath.Join("testdata", "in", "groups.yaml"))[0])
	for name, test := range map[string]struct {
		got, want []ResourceName
	}{
		"a broker with SNI": {resources.OfBroker("hosts", 1), []ResourceName{
			{TypeCluster, "kafka/orders/hosts/broker-1.orders.example.com"},
			{TypeEndpoint, serviceOf(t, resources, "kafka/orders/hosts/broker-1.orders.example.com")},
		}},
		"a broker with a port": {resources.OfBroker("ports", 1), []ResourceName{
			{TypeCluster, "kafka/orders/ports/broker-1"},
			{TypeEndpoint, serviceOf(t, resources, "kafka/orders/ports/broker-1")},
			{TypeListener, "kafka/orders/ports/broker-1"},
		}},
		"a listener with SNI": {resources.OfListener("hosts"), []ResourceName{
			{TypeCluster, "kafka/orders/hosts/bootstrap.orders.example.com"},
			{TypeCluster, "kafka/orders/hosts/broker-1.orders.example.com"},
			{TypeEndpoint, serviceOf(t, resources, "kafka/orders/hosts/bootstrap.orders.example.com")},
			{TypeEndpoint, serviceOf(t, resources, "kafka/orders/hosts/broker-1.orders.example.com")},
			{TypeListener, "kafka/orders-envoy-zone-a/sni-9094-hosts"},
		}},
		"a listener with ports": {resources.OfListener("ports"), []ResourceName{
			{TypeCluster, "kafka/orders/ports/bootstrap"},
			{TypeCluster, "kafka/orders/ports/broker-1"},
			{TypeEndpoint, serviceOf(t, resources, "kafka/orders/ports/bootstrap")},
			{TypeEndpoint, serviceOf(t, resources, "kafka/orders/ports/broker-1")},
			{TypeListener, "kafka/orders/ports/bootstrap"},
			{TypeListener, "kafka/orders/ports/broker-1"},
		}},
		"a broker of another group": {resources.OfBroker("hosts", 2), nil},
		"no such listener":          {resources.OfListener("internal"), nil},
	} {
		t.Run(name, func(t *testing.T) {
			if !slices.Equal(test.got, test.want) {
				t.Errorf("got %v, want %v", test.got, test.want)
			}
		})
	}
}

func serviceOf(t *testing.T, resources *Resources, cluster string) string {
	t.Helper()
	resource := resources.Of(TypeCluster)[cluster]
	if resource == nil {
		t.Fatalf("no cluster %s", cluster)
	}
	return resource.Message.(*clusterv3.Cluster).GetEdsClusterConfig().GetServiceName()
}

// TestChangedClusterGetsNewEndpoints is about Envoy, which would wait for endpoints that nobody sends again.
func TestChangedClusterGetsNewEndpoints(t *testing.T) {
	const name = "kafka/orders/public/broker-1"
	fleet := threeBrokers("ports")
	before := serviceOf(t, mustTranslate(t, fleet), name)
	fleet.Listeners[0].Brokers[1].Endpoint.Address = "10.9.9.9"
	if after := serviceOf(t, mustTranslate(t, fleet), name); after != before {
		t.Errorf("other endpoints of the same cluster: %s became %s", before, after)
	}
	fleet.Listeners[0].Keepalive.UserTimeout++
	if after := serviceOf(t, mustTranslate(t, fleet), name); after == before || !strings.HasPrefix(after, name+"@") {
		t.Errorf("another cluster with the endpoints %s", after)
	}
}

func TestEmpty(t *testing.T) {
	empty := Empty()
	if len(empty.Names()) > 0 || empty.Hash() == "" || empty.Get(ResourceName{TypeCluster, "a"}) != nil {
		t.Errorf("got %+v", empty)
	}
	if nothing := mustTranslate(t, ir.Fleet{Namespace: "a", Cluster: "b", Revision: 1}); nothing.Hash() != empty.Hash() {
		t.Error("a fleet without listeners has other resources than none")
	}
}

// TestReferences takes a resource away that another one needs.
func TestReferences(t *testing.T) {
	for name, missing := range map[string]Type{"a cluster": TypeCluster, "endpoints": TypeEndpoint} {
		t.Run(name, func(t *testing.T) {
			resources := mustTranslate(t, threeBrokers("ports"))
			delete(resources.Of(missing), resources.OfBroker("public", 1)[slices.Index(Types, missing)].Name)
			if err := checkReferences(resources); err == nil || !strings.Contains(err.Error(), "broker-1") {
				t.Errorf("got %v", err)
			}
		})
	}
	t.Run("a cluster that only a listener needs", func(t *testing.T) {
		resources := mustTranslate(t, threeBrokers("ports"))
		for _, name := range resources.OfBroker("public", 1)[:2] {
			delete(resources.Of(name.Type), name.Name)
		}
		if err := checkReferences(resources); err == nil || !strings.Contains(err.Error(), "broker-1") {
			t.Errorf("got %v", err)
		}
	})
}
