package loadbalancer

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"koperator.dev/koperator/test/cluster/internal/layout"
)

var update = flag.Bool("update", false, "write the golden files")

func service(name, address string, change func(*corev1.Service)) *corev1.Service {
	s := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: map[string]string{}}}
	s.Spec.Type = corev1.ServiceTypeLoadBalancer
	s.Spec.Ports = []corev1.ServicePort{{Protocol: corev1.ProtocolTCP, Port: 9094, NodePort: 30094}}
	if address != "" {
		s.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: address}}
	}
	if change != nil {
		change(s)
	}
	return s
}

var services = []*corev1.Service{
	service("two-ports", "198.51.100.11", func(s *corev1.Service) {
		s.Annotations[HostnameAnnotation] = "*.orders.example.com, orders.example.com."
		s.Spec.Ports = append(s.Spec.Ports,
			corev1.ServicePort{Protocol: corev1.ProtocolUDP, Port: 53, NodePort: 30053},
			corev1.ServicePort{Protocol: corev1.ProtocolTCP, Port: 80, NodePort: 30080})
	}),
	service("local", "198.51.100.10", func(s *corev1.Service) {
		s.Annotations[HostnameAnnotation] = "local.example.com"
		s.Spec.ExternalTrafficPolicy = corev1.ServiceExternalTrafficPolicyLocal
		s.Spec.HealthCheckNodePort = 31000
	}),
	service("served-nowhere", "198.51.100.12", func(s *corev1.Service) {
		s.Spec.ExternalTrafficPolicy = corev1.ServiceExternalTrafficPolicyLocal
		s.Spec.HealthCheckNodePort = 31001
	}),
	service("no-node-port", "198.51.100.13", func(s *corev1.Service) { s.Spec.Ports[0].NodePort = 0 }),
	service("no-address-yet", "", func(s *corev1.Service) { s.Annotations[HostnameAnnotation] = "early.example.com" }),
	service("of-another-maker", "198.51.100.14", func(s *corev1.Service) { s.Spec.LoadBalancerClass = new("example.com/other") }),
	service("not-balanced", "198.51.100.15", func(s *corev1.Service) { s.Spec.Type = corev1.ServiceTypeClusterIP }),
}

func TestRules(t *testing.T) {
	golden(t, "rules.nft", rules(frontends(services), func(n layout.Node, port int32) bool {
		switch port {
		case 31000:
			return n.Number == 3
		case proxyHealthPort:
			return n.Number != 2
		default:
			return false
		}
	}))
}

func TestRecords(t *testing.T) {
	golden(t, "records.zone", records(services))
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
	}
}

func TestZoneChangesItsSerialOnlyWithItsRecords(t *testing.T) {
	file := filepath.Join(t.TempDir(), "zone")
	if err := WriteEmptyZone(file); err != nil {
		t.Fatal(err)
	}
	z := zone{file: file, serial: 1}
	for _, step := range []struct {
		services []*corev1.Service
		serial   int
	}{{nil, 1}, {services, 2}, {services, 2}, {nil, 3}} {
		if err := z.update(step.services); err != nil || z.serial != step.serial {
			t.Errorf("got serial %d, %v; want %d", z.serial, err, step.serial)
		}
	}
}
