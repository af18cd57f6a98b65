package desired

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

// Addresses of the case external.
var (
	hostAddress = Address{Host: "broker-101.orders.example.com", Port: 9094}
	portAddress = Address{Host: "2001:db8::7", Port: 9203}
)

func TestAddressesAreThoseInStatus(t *testing.T) {
	for name, test := range map[string]struct {
		change      func(*v1beta1.KafkaCluster)
		want        map[string]Address
		unaddressed []string
	}{
		"both are allocated": {func(*v1beta1.KafkaCluster) {}, map[string]Address{"public": hostAddress, "ports": portAddress}, nil},
		"status is lost":     {func(kc *v1beta1.KafkaCluster) { kc.Status = v1beta1.KafkaClusterStatus{} }, map[string]Address{}, []string{"public", "ports"}},
		"the load balancer has no address": {func(kc *v1beta1.KafkaCluster) {
			kc.Status.ExternalListeners[1].Brokers[0].Host = ""
		}, map[string]Address{"public": hostAddress}, []string{"ports"}},
		"clients have nothing to start from": {func(kc *v1beta1.KafkaCluster) {
			kc.Status.ExternalListeners[1].Bootstrap = ""
		}, map[string]Address{"public": hostAddress}, []string{"ports"}},
		"another broker has one": {func(kc *v1beta1.KafkaCluster) {
			kc.Status.ExternalListeners[0].Brokers[0].ID = 102
		}, map[string]Address{"ports": portAddress}, []string{"public"}},
		"a listener is not reached from outside any more": {func(kc *v1beta1.KafkaCluster) {
			kc.Spec.Listeners[1].Type = v1beta1.ListenerInternal
		}, map[string]Address{"ports": portAddress}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			kc := readCluster(t, "external")
			test.change(kc)
			node := nodeOf(t, kc, 101)
			if !reflect.DeepEqual(node.Addresses, test.want) {
				t.Errorf("got %v, want %v", node.Addresses, test.want)
			}
			if got := node.Unaddressed(kc); !slices.Equal(got, test.unaddressed) {
				t.Errorf("without an address on %v, want %v", got, test.unaddressed)
			}
		})
	}
}

func TestControllersHaveNoAddresses(t *testing.T) {
	kc := readCluster(t, "external")
	kc.Spec.BrokerGroups[0].Roles = []v1beta1.Role{v1beta1.RoleController}
	node := nodeOf(t, kc, 101)
	if len(node.Addresses) > 0 || len(node.Unaddressed(kc)) > 0 {
		t.Errorf("got %v, without %v", node.Addresses, node.Unaddressed(kc))
	}
}

// A listener that clients cannot be told an address of is nowhere: neither in the properties nor in the Pod.
func TestListenersWithoutAddressAreNotOpened(t *testing.T) {
	kc := readCluster(t, "external")
	kc.Status.ExternalListeners = kc.Status.ExternalListeners[1:]
	for key, value := range valuesOf(kc, nodeOf(t, kc, 101)) {
		if strings.Contains(strings.ToLower(key+" "+value), "public") {
			t.Errorf("%s=%s", key, value)
		}
	}
	for _, port := range podOf(t, kc, 101).Spec.Containers[0].Ports {
		if port.Name == "public" {
			t.Error("the Pod has the port")
		}
	}
}

// What a broker was started with tells what its clients know; what envoy-manager says now is newer.
func TestKeepAddresses(t *testing.T) {
	kc := readCluster(t, "external")
	started := intentOf(t, kc, 101)
	kc.Status.ExternalListeners = kc.Status.ExternalListeners[:1]
	kc.Status.ExternalListeners[0].Brokers[0].Port = 443
	kc.Spec.Listeners = append(kc.Spec.Listeners, v1beta1.Listener{Name: "new", Port: 9096, Type: v1beta1.ListenerExternal})
	node := nodeOf(t, kc, 101)
	node.KeepAddresses(kc, started)
	want := map[string]Address{"public": {Host: hostAddress.Host, Port: 443}, "ports": portAddress}
	if !reflect.DeepEqual(node.Addresses, want) {
		t.Errorf("got %v, want %v", node.Addresses, want)
	}
	if got := node.Unaddressed(kc); !slices.Equal(got, []string{"new"}) {
		t.Errorf("without an address on %v", got)
	}
}

func TestWhatABrokerWasStartedWithRestartsNobody(t *testing.T) {
	kc := readCluster(t, "external")
	started := intentOf(t, kc, 101)
	kc.Status = v1beta1.KafkaClusterStatus{}
	node := nodeOf(t, kc, 101)
	node.KeepAddresses(kc, started)
	pod, err := Pod(kc, node, inputOf(kc, node))
	if err != nil {
		t.Fatal(err)
	}
	again, err := NewIntent(pod, ServerProperties(kc, node, Disks{}))
	if err != nil {
		t.Fatal(err)
	}
	if reason := RestartReason(started, again); reason != "" {
		t.Errorf("restarted: %s", reason)
	}
}
