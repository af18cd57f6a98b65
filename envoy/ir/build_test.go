package ir

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

func cluster(listeners ...v1beta1.Listener) *v1beta1.KafkaCluster {
	return &v1beta1.KafkaCluster{
		ObjectMeta: metav1.ObjectMeta{Namespace: "kafka", Name: "orders"},
		Spec:       v1beta1.KafkaClusterSpec{Listeners: listeners},
	}
}

func external(name string, port int32, access v1beta1.ExternalAccess) v1beta1.Listener {
	return v1beta1.Listener{Name: name, Port: port, Type: v1beta1.ListenerExternal, External: &access}
}

func sni() v1beta1.ExternalAccess {
	return v1beta1.ExternalAccess{Mode: v1beta1.ExternalSNI, Domain: "orders.example.com"}
}

func ports() v1beta1.ExternalAccess {
	return v1beta1.ExternalAccess{Mode: v1beta1.ExternalPortPerBroker, Domain: "kafka.example.com"}
}

// grouped has a group for each of two zones; the first one is where clients start.
func grouped(kc *v1beta1.KafkaCluster) *v1beta1.KafkaCluster {
	kc.Spec.Envoy = &v1beta1.Envoy{Groups: []v1beta1.EnvoyGroup{
		{Name: "zone-a", BrokerGroups: []string{"a"}},
		{Name: "zone-b", BrokerGroups: []string{"b"}, Brokers: []int32{7}},
	}}
	return kc
}

func ready(id int32, group string) BrokerFact {
	return BrokerFact{ID: id, Group: group, PodIP: address(id), Ready: true, Zone: "zone-" + group}
}

func address(id int32) string {
	return fmt.Sprintf("10.0.%d.%d", id/256, id%256)
}

func endpoint(id int32, port int32, zone string) *Endpoint {
	return &Endpoint{Address: address(id), Port: port, Zone: zone}
}

var defaultKeepalive = Keepalive{Time: 20, Interval: 10, Probes: 4, UserTimeout: 30}

func TestBuild(t *testing.T) {
	for name, test := range map[string]struct {
		kc    *v1beta1.KafkaCluster
		facts Facts
		want  []Fleet
	}{
		"no external listener": {
			kc:    cluster(v1beta1.Listener{Name: "internal", Port: 9093, Type: v1beta1.ListenerInternal}),
			facts: Facts{Brokers: []BrokerFact{ready(1, "a")}},
		},
		"SNI": {
			kc: cluster(v1beta1.Listener{Name: "internal", Port: 9093, Type: v1beta1.ListenerInternal}, external("public", 9094, sni())),
			facts: Facts{Revision: 3, Brokers: []BrokerFact{
				ready(20, "b"), ready(3, "a"),
				{ID: 4, Group: "a", PodIP: address(4), Zone: "zone-a"}, // not ready
				{ID: 5, Group: "a", Ready: true},                       // without an address
			}},
			want: []Fleet{{Namespace: "kafka", Cluster: "orders", Revision: 3, Listeners: []Listener{{
				Name: "public", Mode: v1beta1.ExternalSNI, Port: 9094, Domain: "orders.example.com",
				BootstrapHost: "bootstrap.orders.example.com", Keepalive: defaultKeepalive,
				Bootstrap: []Endpoint{*endpoint(3, 9094, "zone-a"), *endpoint(20, 9094, "zone-b")},
				Brokers: []Broker{
					{ID: 3, Host: "broker-3.orders.example.com", Endpoint: endpoint(3, 9094, "zone-a")},
					{ID: 4, Host: "broker-4.orders.example.com", Endpoint: endpoint(4, 9094, "zone-a")},
					{ID: 5, Host: "broker-5.orders.example.com"},
					{ID: 20, Host: "broker-20.orders.example.com", Endpoint: endpoint(20, 9094, "zone-b")},
				},
			}}}},
		},
		"a port for each broker that has one": {
			kc: cluster(external("public", 9095, ports())),
			facts: Facts{
				Brokers: []BrokerFact{ready(1, "a"), ready(2, "a"), ready(1000000, "a")},
				Ports:   map[string]map[int32]int32{"public": {1: 10000, 1000000: 10001}, "other": {2: 10002}},
			},
			want: []Fleet{{Namespace: "kafka", Cluster: "orders", Listeners: []Listener{{
				Name: "public", Mode: v1beta1.ExternalPortPerBroker, Port: 9095, Keepalive: defaultKeepalive,
				Bootstrap: []Endpoint{*endpoint(1, 9095, "zone-a"), *endpoint(2, 9095, "zone-a"), {address(1000000), 9095, "zone-a"}},
				Brokers: []Broker{
					{ID: 1, Port: 10000, Endpoint: endpoint(1, 9095, "zone-a")},
					{ID: 1000000, Port: 10001, Endpoint: &Endpoint{address(1000000), 9095, "zone-a"}},
				},
			}}}},
		},
		"clients start from the first group, with all brokers": {
			kc: grouped(cluster(external("ports", 9095, ports()), external("hosts", 9094, sni()))),
			facts: Facts{
				Brokers: []BrokerFact{ready(1, "a"), ready(2, "b")},
				Ports:   map[string]map[int32]int32{"ports": {1: 10000, 2: 10001}},
			},
			want: []Fleet{
				{Namespace: "kafka", Cluster: "orders", Group: "zone-a", Listeners: []Listener{
					{
						Name: "hosts", Mode: v1beta1.ExternalSNI, Port: 9094, Domain: "orders.example.com",
						BootstrapHost: "bootstrap.orders.example.com", Keepalive: defaultKeepalive,
						Bootstrap: []Endpoint{*endpoint(1, 9094, "zone-a"), *endpoint(2, 9094, "zone-b")},
						Brokers:   []Broker{{ID: 1, Host: "broker-1.orders.example.com", Endpoint: endpoint(1, 9094, "zone-a")}},
					},
					{
						Name: "ports", Mode: v1beta1.ExternalPortPerBroker, Port: 9095, Keepalive: defaultKeepalive,
						Bootstrap: []Endpoint{*endpoint(1, 9095, "zone-a"), *endpoint(2, 9095, "zone-b")},
						Brokers:   []Broker{{ID: 1, Port: 10000, Endpoint: endpoint(1, 9095, "zone-a")}},
					},
				}},
				{Namespace: "kafka", Cluster: "orders", Group: "zone-b", Listeners: []Listener{
					{
						Name: "hosts", Mode: v1beta1.ExternalSNI, Port: 9094, Domain: "orders.example.com", Keepalive: defaultKeepalive,
						Brokers: []Broker{{ID: 2, Host: "broker-2.orders.example.com", Endpoint: endpoint(2, 9094, "zone-b")}},
					},
					{
						Name: "ports", Mode: v1beta1.ExternalPortPerBroker, Keepalive: defaultKeepalive,
						Brokers: []Broker{{ID: 2, Port: 10001, Endpoint: endpoint(2, 9095, "zone-b")}},
					},
				}},
			},
		},
		"what proxies do": {
			kc: cluster(external("public", 9094, v1beta1.ExternalAccess{
				Mode: v1beta1.ExternalPortPerBroker, Port: 443, ProxyProtocol: true, AccessLog: true,
				AllowedSources: []string{"10.1.2.3/8", "2001:db8::/32", "192.0.2.0/24", "10.0.0.0/8"},
				Limits:         &v1beta1.ExternalLimits{MaxConnections: ptr.To[int64](1000), MaxConnectionRate: ptr.To[int32](50)},
				Keepalive:      &v1beta1.Keepalive{TimeSeconds: 10, UserTimeoutSeconds: 90},
			})),
			want: []Fleet{{Namespace: "kafka", Cluster: "orders", Listeners: []Listener{{
				Name: "public", Mode: v1beta1.ExternalPortPerBroker, Port: 9094, ProxyProtocol: true, AccessLog: true,
				AllowedSources: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::/32")},
				MaxConnections: 1000, MaxConnectionRate: 50,
				Keepalive: Keepalive{Time: 10, Interval: 10, Probes: 4, UserTimeout: 90},
			}}}},
		},
		"an allow list of nonsense stays an allow list": {
			kc: cluster(external("public", 9094, v1beta1.ExternalAccess{Mode: v1beta1.ExternalPortPerBroker, AllowedSources: []string{"everybody"}})),
			want: []Fleet{{Namespace: "kafka", Cluster: "orders", Listeners: []Listener{{
				Name: "public", Mode: v1beta1.ExternalPortPerBroker, Port: 9094, AllowedSources: []netip.Prefix{{}}, Keepalive: defaultKeepalive,
			}}}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Build(test.kc, test.facts); !reflect.DeepEqual(got, test.want) {
				t.Errorf("got\n%+v\nwant\n%+v", got, test.want)
			}
		})
	}
}

func TestGroupOf(t *testing.T) {
	for name, test := range map[string]struct {
		kc    *v1beta1.KafkaCluster
		id    int32
		group string
		want  string
	}{
		"no groups":                        {cluster(), 1, "a", ""},
		"by its brokerGroup":               {grouped(cluster()), 1, "b", "zone-b"},
		"by its id, whatever its own":      {grouped(cluster()), 7, "a", "zone-b"},
		"named nowhere":                    {grouped(cluster()), 1, "c", "zone-a"},
		"its brokerGroup is not known yet": {grouped(cluster()), 1, "", "zone-a"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := GroupOf(test.kc, test.id, test.group); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestHosts(t *testing.T) {
	for name, test := range map[string]struct {
		access v1beta1.ExternalAccess
		want   map[int32]string
	}{
		"defaults": {
			access: v1beta1.ExternalAccess{Domain: "example.com"},
			want:   map[int32]string{1: "broker-1.example.com", 2: "broker-2.example.com", 10: "broker-10.example.com"},
		},
		"a template, in lower case": {
			access: v1beta1.ExternalAccess{Domain: "Example.com", BrokerHost: "B{id}-x"},
			want:   map[int32]string{1: "b1-x.example.com", 2: "b2-x.example.com", 10: "b10-x.example.com"},
		},
		"overrides": {
			access: v1beta1.ExternalAccess{Domain: "example.com", Brokers: []v1beta1.ExternalBrokerOverride{{ID: 2, Host: "Two.example.com"}, {ID: 10, Port: 443}}},
			want:   map[int32]string{1: "broker-1.example.com", 2: "two.example.com", 10: "broker-10.example.com"},
		},
		"names that change places": {
			access: v1beta1.ExternalAccess{Domain: "example.com", Brokers: []v1beta1.ExternalBrokerOverride{{ID: 1, Host: "broker-2.example.com"}, {ID: 2, Host: "broker-1.example.com"}}},
			want:   map[int32]string{1: "broker-2.example.com", 2: "broker-1.example.com", 10: "broker-10.example.com"},
		},
		"one name for two": {
			access: v1beta1.ExternalAccess{Domain: "example.com", Brokers: []v1beta1.ExternalBrokerOverride{{ID: 10, Host: "broker-2.example.com"}}},
			want:   map[int32]string{1: "broker-1.example.com", 2: "broker-2.example.com"},
		},
		"the name that clients start from": {
			access: v1beta1.ExternalAccess{Domain: "example.com", BootstrapHost: "broker-1"},
			want:   map[int32]string{2: "broker-2.example.com", 10: "broker-10.example.com"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Hosts(&test.access, []int32{10, 2, 1}); !reflect.DeepEqual(got, test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

// TestNoHostTwice is about brokers of two groups: one domain leads to one load balancer for each name.
func TestNoHostTwice(t *testing.T) {
	access := sni()
	access.Brokers = []v1beta1.ExternalBrokerOverride{{ID: 2, Host: "broker-1.orders.example.com"}}
	fleets := Build(grouped(cluster(external("public", 9094, access))), Facts{Brokers: []BrokerFact{ready(2, "b"), ready(1, "a")}})
	if got := fleets[1]; len(got.Listeners[0].Brokers) > 0 || len(got.Problems) != 1 || len(fleets[0].Problems) > 0 {
		t.Errorf("got %+v", fleets)
	}
}

// TestClashes wants what clashes left out with a reason, and all else served.
func TestClashes(t *testing.T) {
	override := sni()
	override.Brokers = []v1beta1.ExternalBrokerOverride{{ID: 2, Host: "broker-1.orders.example.com"}}
	for name, test := range map[string]struct {
		kc       *v1beta1.KafkaCluster
		ports    map[string]map[int32]int32
		want     map[string][]int32
		problems []string
	}{
		"one host name for two": {
			kc:       cluster(external("a", 9094, override)),
			want:     map[string][]int32{"a": {1, 3}},
			problems: []string{"listener a: broker 2 is not served, because its host name broker-1.orders.example.com is taken: change brokerHost, bootstrapHost or the entry in brokers"},
		},
		"one port for two brokers": {
			kc:       cluster(external("b", 9095, ports()), external("a", 9094, ports())),
			ports:    map[string]map[int32]int32{"a": {1: 10001, 2: 10002}, "b": {1: 10002, 2: 10003, 3: 10003}},
			want:     map[string][]int32{"a": {1, 2}, "b": {2}},
			problems: []string{"listener b: broker 1 is not served, because port 10002 of the proxies is taken by listener a: broker 2: use another port", "listener b: broker 3 is not served, because port 10003 of the proxies is taken by listener b: broker 2: use another port"},
		},
		"one port for a broker and for what clients start from": {
			kc:       cluster(external("a", 9094, ports()), external("b", 9095, sni())),
			ports:    map[string]map[int32]int32{"a": {1: 9095, 2: 10002}},
			want:     map[string][]int32{"a": {2}, "b": {1, 2, 3}},
			problems: []string{"listener a: broker 1 is not served, because port 9095 of the proxies is taken by listener b: use another port"},
		},
		"the proxies' own port": {
			kc:       cluster(external("a", OpsPort, sni()), external("b", 9095, sni())),
			want:     map[string][]int32{"b": {1, 2, 3}},
			problems: []string{"listener a is not served, because port 19001 of the proxies is taken by the probes and metrics of the proxies: use another port"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			fleet := Build(test.kc, Facts{Brokers: []BrokerFact{ready(3, ""), ready(2, ""), ready(1, "")}, Ports: test.ports})[0]
			got := map[string][]int32{}
			for _, listener := range fleet.Listeners {
				for _, broker := range listener.Brokers {
					got[listener.Name] = append(got[listener.Name], broker.ID)
				}
			}
			if !reflect.DeepEqual(got, test.want) || !slices.Equal(fleet.Problems, test.problems) {
				t.Errorf("got %v with %q", got, fleet.Problems)
			}
		})
	}
}

func TestNames(t *testing.T) {
	whole := Fleet{Namespace: "kafka", Cluster: "orders"}
	zone := Fleet{Namespace: "kafka", Cluster: "orders", Group: "zone-a"}
	got := []string{whole.Name(), whole.Key(), zone.Name(), zone.Key()}
	if want := []string{"orders-envoy", "kafka/orders-envoy", "orders-envoy-zone-a", "kafka/orders-envoy-zone-a"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
