package kafkacluster

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	kafkaac "koperator.dev/koperator/apis/kafka/v1beta1/applyconfiguration/kafka/v1beta1"
)

// reachable is orders with an external listener.
func (w *world) reachable() *v1beta1.KafkaCluster {
	kc := w.orders()
	kc.Spec.Listeners = append(kc.Spec.Listeners, v1beta1.Listener{
		Name: "public", Port: 9094, Type: v1beta1.ListenerExternal,
		External: &v1beta1.ExternalAccess{Mode: v1beta1.ExternalSNI, Domain: "orders.example.com"},
	})
	return kc
}

// envoyManager writes what envoy-manager would, under its own name: addresses of brokers, and which of them two proxies
// have accepted.
func (w *world) envoyManager(ready metav1.ConditionStatus, accepted []int32, ids ...int32) {
	w.Helper()
	listener := v1beta1.ExternalListenerStatus{Name: "public", Bootstrap: "bootstrap.orders.example.com:9094", Proxies: 2}
	for _, id := range ids {
		b := v1beta1.ExternalBrokerStatus{ID: id, Host: fmt.Sprintf("broker-%d.orders.example.com", id), Port: 9094}
		pod := &corev1.Pod{}
		if w.exists(fmt.Sprintf("orders-%d", id), pod) && pod.Status.PodIP != "" {
			b.Endpoint = pod.Status.PodIP + ":9094"
		}
		if slices.Contains(accepted, id) {
			b.AcceptedBy = 2
		}
		listener.Brokers = append(listener.Brokers, b)
	}
	status := &v1beta1.KafkaClusterStatus{
		ExternalListeners: []v1beta1.ExternalListenerStatus{listener},
		Conditions: []metav1.Condition{{
			Type: v1beta1.ConditionExternalAccessReady, Status: ready, Reason: "Testing", Message: "as the test says", LastTransitionTime: metav1.NewTime(w.clock.Now().Truncate(time.Second)),
		}},
	}
	wanted := &kafkaac.KafkaClusterStatusApplyConfiguration{}
	w.must(convert(status, wanted))
	w.must(w.client.Status().Apply(w, kafkaac.KafkaCluster("orders", w.namespace).WithStatus(wanted), client.FieldOwner(v1beta1.OwnerEnvoy), client.ForceOwnership))
}

var allBrokers = []int32{100, 101, 102}

// reached is a cluster that runs and is reached from outside.
func (w *world) reached() {
	w.Helper()
	w.create(w.reachable())
	w.envoyManager(metav1.ConditionFalse, nil, allBrokers...)
	w.pass("orders")
	w.pass("orders")
	w.play()
	w.kafka.AddBrokers(allBrokers...)
	w.kafka.AddVoters(0, 1, 2)
	w.envoyManager(metav1.ConditionTrue, allBrokers, allBrokers...)
	w.settle("orders")
	if ready := w.condition("orders", v1beta1.ConditionReady); ready.Status != metav1.ConditionTrue {
		w.Fatalf("not ready: %+v", ready)
	}
}

// A broker is told its address outside when it starts, and only then: its Pod waits for it. Controllers do not.
func TestPodWaitsForItsExternalAddress(t *testing.T) {
	w := newWorld(t)
	w.create(w.reachable())
	w.pass("orders")
	w.pass("orders")
	for _, name := range []string{"orders-0", "orders-100"} {
		if exists := w.exists(name, &corev1.Pod{}); exists != (name == "orders-0") {
			t.Errorf("Pod %s exists: %v", name, exists)
		}
	}
	blocked := w.cluster("orders").Status.BlockedBy
	if !slices.ContainsFunc(blocked, func(b v1beta1.BlockedBy) bool {
		return b.What == "broker 100" && b.Reason == reasonAwaitsAddress && strings.Contains(b.Message, "envoy-manager")
	}) {
		t.Errorf("status does not say what broker 100 waits for: %+v", blocked)
	}
	w.envoyManager(metav1.ConditionFalse, nil, 100)
	w.pass("orders")
	if !w.exists("orders-100", &corev1.Pod{}) || w.exists("orders-101", &corev1.Pod{}) {
		t.Error("wanted a Pod for broker 100, which has an address, and none for 101")
	}
	if properties := get(w, "orders-100", &corev1.ConfigMap{}).Data["server.properties"]; !strings.Contains(properties, "PUBLIC://broker-100.orders.example.com:9094") {
		t.Errorf("broker 100 does not advertise its address: %s", properties)
	}
}

// The condition of envoy-manager decides, with its own words, whether the cluster is Ready. Without external listeners
// nobody asks for it.
func TestReadyNeedsExternalAccess(t *testing.T) {
	w := newWorld(t)
	w.reached()
	w.envoyManager(metav1.ConditionFalse, nil, allBrokers...)
	w.settle("orders")
	if ready := w.condition("orders", v1beta1.ConditionReady); ready.Status != metav1.ConditionFalse || ready.Message != "as the test says" {
		t.Errorf("Ready is %s: %s", ready.Status, ready.Message)
	}
}

// Status is lost while brokers run: none is restarted, no certificate is replaced by one with fewer names, and a Pod that
// is lost at the same time comes back at once, as it was.
func TestLostAddressesRestartNothing(t *testing.T) {
	w := newWorld(t)
	w.reached()
	before, secret := w.pods(), get(w, "orders-101-tls", &corev1.Secret{}).ResourceVersion
	w.dropStatus("orders")
	w.remove(w.pod("orders-100"))
	w.restart() // and nothing is remembered
	w.pass("orders")
	for name, uid := range w.pods() {
		if before[name] != uid && name != "orders-100" {
			t.Errorf("Pod %s is another one", name)
		}
	}
	if !w.exists("orders-100", &corev1.Pod{}) {
		t.Error("the lost Pod waits for its address to be allocated again")
	}
	if now := get(w, "orders-101-tls", &corev1.Secret{}).ResourceVersion; now != secret {
		t.Error("the certificate of broker 101 was replaced")
	}
	w.play()
	w.envoyManager(metav1.ConditionTrue, allBrokers, allBrokers...)
	w.settle("orders")
	if summary := w.cluster("orders").Status.Summary; summary.Rollout != "" || len(w.stopping()) > 0 {
		t.Errorf("waits for a restart: %q, stopping: %v", summary.Rollout, w.stopping())
	}
}

// A broker that comes back from a restart counts only when all proxies lead to it; but a proxy that never accepts it holds
// a rollout up for a minute and no longer.
func TestRolloutWaitsForProxies(t *testing.T) {
	w := newWorld(t)
	w.reached()
	w.edit("orders", func(spec *v1beta1.KafkaClusterSpec) {
		spec.Brokers[slices.IndexFunc(spec.Brokers, func(b v1beta1.Broker) bool { return b.ID == 100 })].Config = v1beta1.Config{"num.io.threads": "4"}
		spec.Brokers[slices.IndexFunc(spec.Brokers, func(b v1beta1.Broker) bool { return b.ID == 101 })].Config = v1beta1.Config{"num.io.threads": "4"}
	})
	for range 6 {
		w.pass("orders")
		if slices.Equal(w.stopping(), []string{"orders-100"}) {
			break
		}
	}
	w.stopInKafka("orders-100")
	w.play()
	w.pass("orders")
	w.play()
	w.startInKafka("orders-100")
	w.pass("orders")
	if stopping := w.stopping(); len(stopping) > 0 {
		t.Fatalf("%v is stopped while clients do not reach broker 100", stopping)
	}
	if waits := fmt.Sprint(w.cluster("orders").Status.BlockedBy); !strings.Contains(waits, "the proxies are not told its new address yet") {
		t.Errorf("status does not say what the rollout waits for: %s", waits)
	}
	w.clock.SetTime(w.clock.Now().Add(patienceForProxies + time.Second))
	for range 3 {
		w.pass("orders")
	}
	if stopping := w.stopping(); !slices.Equal(stopping, []string{"orders-101"}) {
		t.Errorf("a minute later, %v is stopped; wanted: orders-101", stopping)
	}
}

// What each program writes into status stays when the other one writes, and only the other one's is worth a pass.
func TestStatusHasTwoWriters(t *testing.T) {
	w := newWorld(t)
	w.reached()
	before := w.cluster("orders")
	w.edit("orders", setConfig("num.io.threads", "4"))
	w.pass("orders")
	after := w.cluster("orders")
	if len(after.Status.ExternalListeners) != 1 || w.condition("orders", v1beta1.ConditionExternalAccessReady).Message == "" {
		t.Errorf("broker-manager has taken envoy-manager's part of status away: %+v", after.Status)
	}
	if externalAccessChanged().Update(event.UpdateEvent{ObjectOld: before, ObjectNew: after}) {
		t.Error("broker-manager wakes itself up")
	}
	w.envoyManager(metav1.ConditionTrue, []int32{100}, allBrokers...)
	again := w.cluster("orders")
	if !externalAccessChanged().Update(event.UpdateEvent{ObjectOld: after, ObjectNew: again}) {
		t.Error("broker-manager sleeps while proxies accept a broker")
	}
	if len(again.Status.Brokers) != 6 {
		t.Errorf("envoy-manager has taken broker-manager's part of status away: %+v", again.Status)
	}
}
