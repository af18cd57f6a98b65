package loadbalancer

import (
	"net/netip"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/tools/cache"
)

func TestAddresses(t *testing.T) {
	client := fake.NewClientset()
	factory := informers.NewSharedInformerFactory(client, 0)
	a, err := newAddresses(client, factory, netip.MustParsePrefix("192.0.2.0/28"))
	if err != nil {
		t.Fatal(err)
	}
	store := factory.Core().V1().Services().Informer().GetStore()
	// sync does what the queue does after a Service has changed, and returns the address that it has then.
	sync := func(s *corev1.Service) string {
		t.Helper()
		name := cache.ObjectName{Namespace: s.Namespace, Name: s.Name}
		if err := store.Add(s); err != nil {
			t.Fatal(err)
		}
		if err := a.sync(t.Context(), name); err != nil {
			t.Fatal(err)
		}
		got, err := client.CoreV1().Services(s.Namespace).Get(t.Context(), s.Name, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		*s = *got
		if len(got.Status.LoadBalancer.Ingress) == 0 {
			return ""
		}
		return got.Status.LoadBalancer.Ingress[0].IP
	}
	create := func(name string) *corev1.Service {
		t.Helper()
		s := service(name, "", nil)
		s.Namespace = "default"
		if _, err := client.CoreV1().Services(s.Namespace).Create(t.Context(), s, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		return s
	}

	first, second := create("first"), create("second")
	if got := sync(first); got != "192.0.2.10" {
		t.Errorf("first: got %q", got)
	}
	if got := sync(second); got != "192.0.2.11" {
		t.Errorf("second: got %q", got)
	}
	if mode := second.Status.LoadBalancer.Ingress[0].IPMode; mode == nil || *mode != corev1.LoadBalancerIPModeVIP {
		t.Errorf("got mode %v", mode)
	}

	first.Spec.Type = corev1.ServiceTypeClusterIP
	if got := sync(first); got != "" {
		t.Errorf("a Service that is no load balancer any more has %q", got)
	}
	third := create("third")
	if got := sync(third); got != "192.0.2.10" {
		t.Errorf("third: got %q", got)
	}
	third.Spec.LoadBalancerIP = "192.0.2.14"
	if got := sync(third); got != "192.0.2.14" {
		t.Errorf("third wants another address: got %q", got)
	}
}
