package addresses

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/envoy/fleet/objects"
)

const publicPort = 9094

// listener is one of a mode and with a Service of a type, in the domain example.com if it must have one.
func listener(mode v1beta1.ExternalMode, kind v1beta1.ExternalServiceType, changes ...func(*v1beta1.ExternalAccess)) v1beta1.Listener {
	access := &v1beta1.ExternalAccess{Mode: mode, Service: &v1beta1.ExternalService{Type: kind}}
	if mode == v1beta1.ExternalSNI || kind == v1beta1.ExternalNodePort {
		access.Domain = "orders.example.com"
	}
	for _, change := range changes {
		change(access)
	}
	return v1beta1.Listener{Name: "public", Port: publicPort, Type: v1beta1.ListenerExternal, External: access}
}

// facts are those of brokers 1 and 2, reached through one fleet, or through one each if there are two groups.
func facts(l v1beta1.Listener, groups ...string) Facts {
	kc := &v1beta1.KafkaCluster{ObjectMeta: metav1.ObjectMeta{Name: "orders", Namespace: "kafka"}}
	kc.Spec.Listeners = []v1beta1.Listener{l}
	kc.Spec.Envoy = &v1beta1.Envoy{}
	for _, name := range groups {
		kc.Spec.Envoy.Groups = append(kc.Spec.Envoy.Groups, v1beta1.EnvoyGroup{Name: name})
	}
	f := Facts{Listener: l, Fleets: objects.Fleets(kc), Services: map[string]*corev1.Service{}, Ports: map[int32]int32{1: 9201, 2: 9202}}
	f.Groups = map[int32]string{1: f.Fleets[0].Group, 2: f.Fleets[len(f.Fleets)-1].Group}
	for _, fleet := range f.Fleets {
		f.Services[fleet.Group] = &corev1.Service{}
	}
	return f
}

func (f Facts) with(change func(*Facts)) Facts {
	change(&f)
	return f
}

func loadBalancer(addresses ...string) *corev1.Service {
	service := &corev1.Service{}
	for _, address := range addresses {
		entry := corev1.LoadBalancerIngress{IP: address}
		if strings.Contains(address, "example") {
			entry = corev1.LoadBalancerIngress{Hostname: address}
		}
		service.Status.LoadBalancer.Ingress = append(service.Status.LoadBalancer.Ingress, entry)
	}
	return service
}

func nodePorts(ports map[string]int32) *corev1.Service {
	service := &corev1.Service{}
	for name, port := range ports {
		service.Spec.Ports = append(service.Spec.Ports, corev1.ServicePort{Name: name, NodePort: port})
	}
	return service
}

func told(bootstrap string, hosts ...string) v1beta1.ExternalListenerStatus {
	status := v1beta1.ExternalListenerStatus{Name: "public", Bootstrap: bootstrap}
	for i, host := range hosts {
		status.Brokers = append(status.Brokers, v1beta1.ExternalBrokerStatus{ID: int32(i + 1), Host: host, Port: 1})
	}
	return status
}

// line is a plan as one line to read.
func line(p Plan) string {
	text := p.Bootstrap
	for _, id := range slices.Sorted(maps.Keys(p.Brokers)) {
		text += fmt.Sprintf(" | %d %s:%d", id, p.Brokers[id].Host, p.Brokers[id].Port)
	}
	if len(p.Waits) > 0 {
		text += " waits: " + strings.Join(p.Waits, "; ")
	}
	return text
}

const (
	sni   = v1beta1.ExternalSNI
	ports = v1beta1.ExternalPortPerBroker
	lb    = v1beta1.ExternalLoadBalancer
	nodes = v1beta1.ExternalNodePort
	inner = v1beta1.ExternalClusterIP
)

func TestAddresses(t *testing.T) {
	for name, c := range map[string]struct {
		facts Facts
		want  string
	}{
		"SNI: names do not wait for the load balancer": {
			facts(listener(sni, lb)),
			"bootstrap.orders.example.com:9094 | 1 broker-1.orders.example.com:9094 | 2 broker-2.orders.example.com:9094 waits: listener public: the load balancer of Service orders-external-public has no address yet",
		},
		"SNI: names and port of the user's choice": {
			facts(listener(sni, lb, func(a *v1beta1.ExternalAccess) {
				a.BrokerHost, a.BootstrapHost, a.Port = "b{id}", "start", 443
				a.Brokers = []v1beta1.ExternalBrokerOverride{{ID: 2, Host: "two.orders.example.com", Port: 8443}}
			})).with(func(f *Facts) { f.Services[""] = loadBalancer("192.0.2.1") }),
			"start.orders.example.com:443 | 1 b1.orders.example.com:443 | 2 two.orders.example.com:8443",
		},
		"SNI: a name belongs to one broker": {
			facts(listener(sni, inner, func(a *v1beta1.ExternalAccess) {
				a.Brokers = []v1beta1.ExternalBrokerOverride{{ID: 2, Host: "broker-1.orders.example.com"}}
			})),
			"bootstrap.orders.example.com:9094 | 1 broker-1.orders.example.com:9094",
		},
		"SNI: the port of the Nodes": {
			facts(listener(sni, nodes)).with(func(f *Facts) { f.Services[""] = nodePorts(map[string]int32{"bootstrap": 30001}) }),
			"bootstrap.orders.example.com:30001 | 1 broker-1.orders.example.com:30001 | 2 broker-2.orders.example.com:30001",
		},
		"SNI: no port of the Nodes yet": {
			facts(listener(sni, nodes)).with(func(f *Facts) { f.Services[""] = nodePorts(map[string]int32{"bootstrap": 0}) }),
			" waits: listener public: Service orders-external-public has no node ports yet",
		},
		"SNI: no Service yet": {
			facts(listener(sni, inner)).with(func(f *Facts) { delete(f.Services, "") }),
			"bootstrap.orders.example.com:9094 | 1 broker-1.orders.example.com:9094 | 2 broker-2.orders.example.com:9094 waits: listener public: Service orders-external-public is not there yet",
		},
		"ports: nothing before the load balancer has an address": {
			facts(listener(ports, lb)),
			" waits: listener public: the load balancer of Service orders-external-public has no address yet",
		},
		"ports: the load balancer's address": {
			facts(listener(ports, lb)).with(func(f *Facts) { f.Services[""] = loadBalancer("192.0.2.1", "192.0.2.2") }),
			"192.0.2.1:9094 | 1 192.0.2.1:9201 | 2 192.0.2.1:9202",
		},
		"ports: an address of IPv6": {
			facts(listener(ports, lb)).with(func(f *Facts) { f.Services[""] = loadBalancer("2001:db8::1") }),
			"[2001:db8::1]:9094 | 1 2001:db8::1:9201 | 2 2001:db8::1:9202",
		},
		"ports: what was told stays while the load balancer has it": {
			facts(listener(ports, lb)).with(func(f *Facts) {
				f.Services[""] = loadBalancer("192.0.2.1", "lb.example.net")
				f.Told = told("lb.example.net:9094", "lb.example.net", "lb.example.net")
			}),
			"lb.example.net:9094 | 1 lb.example.net:9201 | 2 lb.example.net:9202",
		},
		"ports: a load balancer that loses its address for a moment restarts nobody": {
			facts(listener(ports, lb)).with(func(f *Facts) { f.Told = told("192.0.2.1:9094", "192.0.2.1") }),
			"192.0.2.1:9094 | 1 192.0.2.1:9201 | 2 192.0.2.1:9202 waits: listener public: the load balancer of Service orders-external-public has no address yet",
		},
		"ports: another load balancer": {
			facts(listener(ports, lb)).with(func(f *Facts) {
				f.Services[""] = loadBalancer("192.0.2.9")
				f.Told = told("192.0.2.1:9094", "192.0.2.1", "192.0.2.1")
			}),
			"192.0.2.9:9094 | 1 192.0.2.9:9201 | 2 192.0.2.9:9202",
		},
		"ports: an override is no address of the load balancer": {
			facts(listener(ports, lb, func(a *v1beta1.ExternalAccess) {
				a.Brokers = []v1beta1.ExternalBrokerOverride{{ID: 1, Host: "one.example.com"}, {ID: 2, Port: 443}}
			})).with(func(f *Facts) { f.Told = told("", "one.example.com") }),
			" | 1 one.example.com:9201 waits: listener public: the load balancer of Service orders-external-public has no address yet",
		},
		"ports: a domain": {
			facts(listener(ports, lb, func(a *v1beta1.ExternalAccess) { a.Domain = "orders.example.com" })).
				with(func(f *Facts) { f.Services[""] = loadBalancer("192.0.2.1") }),
			"orders.example.com:9094 | 1 orders.example.com:9201 | 2 orders.example.com:9202",
		},
		"ports: those of the Nodes": {
			facts(listener(ports, nodes)).with(func(f *Facts) {
				f.Services[""] = nodePorts(map[string]int32{"bootstrap": 30001, "broker-1": 30002, "broker-2": 30003})
			}),
			"orders.example.com:30001 | 1 orders.example.com:30002 | 2 orders.example.com:30003",
		},
		"ports: those of the Nodes are the same while the Service is missing": {
			facts(listener(ports, nodes)).with(func(f *Facts) {
				f.Services = map[string]*corev1.Service{}
				f.Told = told("orders.example.com:30001", "orders.example.com", "orders.example.com")
				f.Told.Brokers[0].Port, f.Told.Brokers[1].Port = 30002, 30003
			}),
			"orders.example.com:30001 | 1 orders.example.com:30002 | 2 orders.example.com:30003 waits: listener public: Service orders-external-public is not there yet",
		},
		"ports: a broker that the Service does not have yet": {
			facts(listener(ports, nodes)).with(func(f *Facts) {
				f.Services[""] = nodePorts(map[string]int32{"bootstrap": 30001, "broker-1": 30002})
			}),
			"orders.example.com:30001 | 1 orders.example.com:30002",
		},
		"ports: the name of the Service": {
			facts(listener(ports, inner)),
			"orders-external-public.kafka.svc:9094 | 1 orders-external-public.kafka.svc:9201 | 2 orders-external-public.kafka.svc:9202",
		},
		"ports: two groups, two load balancers": {
			facts(listener(ports, lb), "a", "b").with(func(f *Facts) {
				f.Services["a"], f.Services["b"] = loadBalancer("192.0.2.1"), loadBalancer("192.0.2.3", "192.0.2.2")
				f.Told = told("192.0.2.1:9094", "192.0.2.1", "192.0.2.2")
			}),
			"192.0.2.1:9094 | 1 192.0.2.1:9201 | 2 192.0.2.2:9202",
		},
		"ports: a group without brokers waits for nothing": {
			facts(listener(ports, inner), "a", "b").with(func(f *Facts) {
				f.Services["b"] = nil
				f.Groups = map[int32]string{1: "a", 2: "a"}
			}),
			"orders-external-public-a.kafka.svc:9094 | 1 orders-external-public-a.kafka.svc:9201 | 2 orders-external-public-a.kafka.svc:9202",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := line(Of(c.facts)); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestNamesForExternalDNS(t *testing.T) {
	overridden := func(a *v1beta1.ExternalAccess) {
		a.Brokers = []v1beta1.ExternalBrokerOverride{{ID: 1, Host: "192.0.2.7"}, {ID: 2, Host: "two.orders.example.com"}}
	}
	inDomain := func(a *v1beta1.ExternalAccess) { a.Domain = "orders.example.com" }
	for name, c := range map[string]struct {
		facts Facts
		want  string
	}{
		"SNI: one name for all":             {facts(listener(sni, lb, overridden)), "*.orders.example.com"},
		"SNI with groups: each its own":     {facts(listener(sni, lb), "a", "b"), "bootstrap.orders.example.com,broker-1.orders.example.com|broker-2.orders.example.com"},
		"ports: the domain":                 {facts(listener(ports, lb, inDomain)), "orders.example.com"},
		"ports: no domain":                  {facts(listener(ports, lb)), ""},
		"ports: a domain and overrides":     {facts(listener(ports, lb, inDomain, overridden)), "orders.example.com,two.orders.example.com"},
		"ports with groups: no name twice":  {facts(listener(ports, lb, inDomain, overridden), "a", "b"), "orders.example.com|two.orders.example.com"},
		"ports with groups: no name at all": {facts(listener(ports, lb), "a", "b"), "|"},
	} {
		t.Run(name, func(t *testing.T) {
			var names []string
			for _, fleet := range c.facts.Fleets {
				names = append(names, strings.Join(Names(fleet, c.facts.Listener, c.facts.Groups), ","))
			}
			if got := strings.Join(names, "|"); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}
