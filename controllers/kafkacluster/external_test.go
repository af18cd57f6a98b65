package kafkacluster

import (
	"crypto/x509"
	"encoding/pem"
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

func externalListenerOf(name string, port int32) v1beta1.Listener {
	return v1beta1.Listener{
		Name: name, Port: port, Type: v1beta1.ListenerExternal,
		External: &v1beta1.ExternalAccess{Mode: v1beta1.ExternalSNI, Domain: name + ".example.com"},
	}
}

// envoyManager is what plays envoy-manager, as far as broker-manager sees it: what it writes into status under its own name.
type envoyManager struct {
	// listeners that it serves, and the port that clients are told for all of them.
	listeners []string
	port      int32
	// brokers that have an address, and those of them whose endpoints the proxies have accepted.
	brokers, accepted []int32
	proxies           int32
	// elsewhere are proxies of other groups, which lead to none of the brokers.
	elsewhere int32
	// seen is the generation of the spec that it has looked at; the present one if it is 0.
	seen int64
}

var allBrokers = []int32{100, 101, 102}

func newEnvoyManager() *envoyManager {
	return &envoyManager{listeners: []string{"public"}, port: 9094, brokers: allBrokers, accepted: allBrokers, proxies: 2}
}

// tell writes what envoy-manager would. It is ready when the proxies have accepted all brokers.
func (w *world) tell() {
	w.Helper()
	e := w.envoy
	kc := w.cluster("orders")
	condition := metav1.Condition{
		Type: v1beta1.ConditionExternalAccessReady, Status: metav1.ConditionTrue, Reason: "Testing", Message: "as the test says",
		LastTransitionTime: metav1.NewTime(w.clock.Now().Truncate(time.Second)), ObservedGeneration: e.seen,
	}
	if len(e.accepted) < len(allBrokers) {
		condition.Status = metav1.ConditionFalse
	}
	if e.seen == 0 {
		condition.ObservedGeneration = kc.Generation
	}
	status := &v1beta1.KafkaClusterStatus{Conditions: []metav1.Condition{condition}}
	for _, name := range e.listeners {
		at := slices.IndexFunc(kc.Spec.Listeners, func(l v1beta1.Listener) bool { return l.Name == name })
		status.ExternalListeners = append(status.ExternalListeners, w.tellListener(kc.Spec.Listeners[at]))
	}
	wanted := &kafkaac.KafkaClusterStatusApplyConfiguration{}
	w.must(convert(status, wanted))
	w.must(w.client.Status().Apply(w, kafkaac.KafkaCluster("orders", w.namespace).WithStatus(wanted), client.FieldOwner(v1beta1.OwnerEnvoy), client.ForceOwnership))
}

func (w *world) tellListener(l v1beta1.Listener) v1beta1.ExternalListenerStatus {
	w.Helper()
	domain := l.External.Domain
	told := v1beta1.ExternalListenerStatus{Name: l.Name, Bootstrap: fmt.Sprintf("bootstrap.%s:%d", domain, w.envoy.port), Proxies: w.envoy.proxies + w.envoy.elsewhere}
	for _, id := range w.envoy.brokers {
		b := v1beta1.ExternalBrokerStatus{ID: id, Host: fmt.Sprintf("broker-%d.%s", id, domain), Port: w.envoy.port}
		pod := &corev1.Pod{}
		if w.exists(fmt.Sprintf("orders-%d", id), pod) && pod.Status.PodIP != "" {
			b.Endpoint = fmt.Sprintf("%s:%d", pod.Status.PodIP, l.Port)
		}
		if slices.Contains(w.envoy.accepted, id) {
			b.AcceptedBy = w.envoy.proxies
		}
		if b.AcceptedBy < max(w.envoy.proxies, 1) {
			b.PendingSince = &metav1.Time{Time: w.clock.Now().Truncate(time.Second)}
		}
		told.Brokers = append(told.Brokers, b)
	}
	return told
}

// reached is orders with an external listener, all of it running and reached from outside.
func (w *world) reached() {
	w.Helper()
	kc := w.orders()
	kc.Spec.Listeners = append(kc.Spec.Listeners, externalListenerOf("public", 9094))
	w.create(kc)
	w.envoy = newEnvoyManager()
	w.tell()
	w.pass("orders") // claims
	w.pass("orders") // Pods
	w.play()
	w.kafka.AddBrokers(allBrokers...)
	w.kafka.AddVoters(0, 1, 2)
	w.settle("orders")
	if ready := w.condition("orders", v1beta1.ConditionReady); ready.Status != metav1.ConditionTrue {
		w.Fatalf("not ready: %+v", ready)
	}
}

// passUntilStopped makes passes until a node is stopped, if one is.
func (w *world) passUntilStopped() []string {
	w.Helper()
	for range 6 {
		w.pass("orders")
		if stopping := w.stopping(); len(stopping) > 0 {
			return stopping
		}
	}
	return nil
}

func (w *world) later(by time.Duration) { w.clock.SetTime(w.clock.Now().Add(by)) }

// blockedBy is the entry of status for something that waits; the zero one if nothing says that it does.
func (w *world) blockedBy(what string) v1beta1.BlockedBy {
	w.Helper()
	for _, b := range w.cluster("orders").Status.BlockedBy {
		if b.What == what {
			return b
		}
	}
	return v1beta1.BlockedBy{}
}

func (w *world) properties(name string) string {
	w.Helper()
	return get(w, name, &corev1.ConfigMap{}).Data["server.properties"]
}

// namesOf are the names that the certificate in a Secret is for.
func (w *world) namesOf(secret string) []string {
	w.Helper()
	block, _ := pem.Decode(get(w, secret, &corev1.Secret{}).Data[corev1.TLSCertKey])
	certificate, err := x509.ParseCertificate(block.Bytes)
	w.must(err)
	return certificate.DNSNames
}

func configOf(id int32, key, value string) func(*v1beta1.KafkaClusterSpec) {
	return func(spec *v1beta1.KafkaClusterSpec) {
		at := slices.IndexFunc(spec.Brokers, func(b v1beta1.Broker) bool { return b.ID == id })
		spec.Brokers[at].Config = v1beta1.Config{key: value}
	}
}

func TestBrokersWithOneAddressAreReported(t *testing.T) {
	const host = "big.public.example.com"
	for name, test := range map[string]struct {
		mode    v1beta1.ExternalMode
		brokers []v1beta1.ExternalBrokerOverride
		want    bool
	}{
		"a host twice":                   {v1beta1.ExternalSNI, []v1beta1.ExternalBrokerOverride{{ID: 101, Host: host}, {ID: 102, Host: host, Port: 443}}, true},
		"other hosts":                    {v1beta1.ExternalSNI, []v1beta1.ExternalBrokerOverride{{ID: 101, Host: host}, {ID: 102, Host: "x." + host}}, false},
		"ports alone":                    {v1beta1.ExternalSNI, []v1beta1.ExternalBrokerOverride{{ID: 101, Port: 443}, {ID: 102, Port: 443}}, false},
		"by port, a host and port twice": {v1beta1.ExternalPortPerBroker, []v1beta1.ExternalBrokerOverride{{ID: 101, Host: host, Port: 443}, {ID: 102, Host: host, Port: 443}}, true},
		"by port, other ports":           {v1beta1.ExternalPortPerBroker, []v1beta1.ExternalBrokerOverride{{ID: 101, Host: host, Port: 443}, {ID: 102, Host: host, Port: 444}}, false},
		"by port, allocated ports":       {v1beta1.ExternalPortPerBroker, []v1beta1.ExternalBrokerOverride{{ID: 101, Host: host}, {ID: 102, Host: host}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			l := externalListenerOf("public", 9094)
			l.External.Mode, l.External.Brokers = test.mode, test.brokers
			s := &scope{cluster: &v1beta1.KafkaCluster{Spec: v1beta1.KafkaClusterSpec{Listeners: []v1beta1.Listener{l}}}}
			_ = s.checkSpec(t.Context())
			said := strings.Join(s.problems, "; ")
			if got := strings.Contains(said, "101 and 102 have the same address, "+host); got != test.want {
				t.Errorf("problems: %q", said)
			}
		})
	}
}

func TestAllowedSourcesThatProxiesDoNotSee(t *testing.T) {
	lists := func(access *v1beta1.ExternalAccess) { access.AllowedSources = []string{"10.0.0.0/8"} }
	for name, test := range map[string]struct {
		change func(*v1beta1.ExternalAccess)
		want   bool
	}{
		"Nodes hide clients":                      {lists, true},
		"nobody is left out":                      {func(access *v1beta1.ExternalAccess) { access.AllowedSources = nil }, false},
		"the load balancer sends the addresses":   {func(access *v1beta1.ExternalAccess) { lists(access); access.ProxyProtocol = true }, false},
		"Nodes keep the addresses":                {func(access *v1beta1.ExternalAccess) { lists(access); access.Service.ExternalTrafficPolicy = "Local" }, false},
		"something of the user's own is in front": {func(access *v1beta1.ExternalAccess) { lists(access); access.Service.Type = v1beta1.ExternalClusterIP }, false},
	} {
		t.Run(name, func(t *testing.T) {
			l := externalListenerOf("public", 9094)
			l.External.Service = &v1beta1.ExternalService{Type: v1beta1.ExternalLoadBalancer}
			test.change(l.External)
			s := &scope{cluster: &v1beta1.KafkaCluster{Spec: v1beta1.KafkaClusterSpec{Listeners: []v1beta1.Listener{l}}}}
			_ = s.checkSpec(t.Context())
			if got := strings.Contains(strings.Join(s.warnings, "; "), "listener public"); got != test.want || len(s.problems) > 0 {
				t.Errorf("warnings: %v, problems: %v", s.warnings, s.problems)
			}
		})
	}
}

// A broker is told its address outside when it starts, and only then: its first start waits for it. Controllers do not.
func TestFirstStartWaitsForExternalAddress(t *testing.T) {
	w := newWorld(t)
	kc := w.orders()
	kc.Spec.Listeners = append(kc.Spec.Listeners, externalListenerOf("public", 9094))
	w.create(kc)
	w.pass("orders")
	w.pass("orders")
	for _, name := range []string{"orders-0", "orders-100"} {
		if exists := w.exists(name, &corev1.Pod{}); exists != (name == "orders-0") {
			t.Errorf("Pod %s exists: %v", name, exists)
		}
	}
	if b := w.blockedBy("start of broker 100"); b.Reason != "ExternalAddress" || !strings.Contains(b.Message, "envoy-manager") {
		t.Errorf("status does not say what broker 100 waits for: %+v", w.cluster("orders").Status.BlockedBy)
	}
	w.envoy = newEnvoyManager()
	w.envoy.brokers, w.envoy.accepted = []int32{100}, nil
	w.tell()
	w.pass("orders")
	if !w.exists("orders-100", &corev1.Pod{}) || w.exists("orders-101", &corev1.Pod{}) {
		t.Error("wanted a Pod for broker 100, which has an address, and none for 101")
	}
	if properties := w.properties("orders-100"); !strings.Contains(properties, "PUBLIC://broker-100.public.example.com:9094") {
		t.Errorf("broker 100 does not advertise its address: %s", properties)
	}
	for _, name := range []string{"broker-100.public.example.com", "bootstrap.public.example.com"} {
		if names := w.namesOf("orders-100-tls"); !slices.Contains(names, name) {
			t.Errorf("the certificate of broker 100 is not for %s: %v", name, names)
		}
	}
}

// The condition of envoy-manager decides, with its own words, whether the cluster is Ready.
func TestReadyNeedsExternalAccess(t *testing.T) {
	w := newWorld(t)
	w.reached()
	w.envoy.accepted = nil
	w.tell()
	w.settle("orders")
	if ready := w.condition("orders", v1beta1.ConditionReady); ready.Status != metav1.ConditionFalse || ready.Message != "as the test says" {
		t.Errorf("Ready is %s: %s", ready.Status, ready.Message)
	}
}

// Status is lost while brokers run: none is restarted, no certificate is replaced by one with fewer names, and a Pod that
// is lost at the same time comes back at once, telling its clients what it told them before.
func TestLostAddressesRestartNothing(t *testing.T) {
	w := newWorld(t)
	w.reached()
	before, secret := w.pods(), get(w, "orders-101-tls", &corev1.Secret{}).ResourceVersion
	w.envoy = nil
	w.dropStatus("orders")
	w.remove(w.pod("orders-100"))
	w.deleteSecret("orders-102-tls")
	w.restart() // and nothing is remembered
	w.pass("orders")
	for name, uid := range w.pods() {
		if before[name] != uid && name != "orders-100" {
			t.Errorf("Pod %s is another one", name)
		}
	}
	if !w.exists("orders-100", &corev1.Pod{}) || !strings.Contains(w.properties("orders-100"), "PUBLIC://broker-100.public.example.com:9094") {
		t.Error("the lost Pod waits for its address to be allocated again")
	}
	if now := get(w, "orders-101-tls", &corev1.Secret{}).ResourceVersion; now != secret {
		t.Error("the certificate of broker 101 was replaced")
	}
	if names := w.namesOf("orders-102-tls"); !slices.Contains(names, "broker-102.public.example.com") {
		t.Errorf("the lost certificate of broker 102 comes back for other names: %v", names)
	}
	w.play()
	if ready := w.condition("orders", v1beta1.ConditionReady); ready.Status != metav1.ConditionFalse {
		t.Error("the cluster is Ready though nobody knows whether clients outside reach it")
	}

	w.envoy = newEnvoyManager()
	w.tell()
	w.settle("orders")
	if summary := w.cluster("orders").Status.Summary; summary.Rollout != "" || len(w.stopping()) > 0 {
		t.Errorf("waits for a restart: %q, stopping: %v", summary.Rollout, w.stopping())
	}
	if names := w.namesOf("orders-102-tls"); !slices.Contains(names, "bootstrap.public.example.com") {
		t.Errorf("the certificate of broker 102 lacks what clients start from: %v", names)
	}
}

// A ConfigMap that does not say what a broker runs with says nothing of what it told its clients.
func TestLostAddressesAndConfigMapRestartNothing(t *testing.T) {
	for name, lose := range map[string]func(*world, *corev1.ConfigMap) error{
		"deleted": func(w *world, config *corev1.ConfigMap) error { return w.client.Delete(w, config) },
		"edited": func(w *world, config *corev1.ConfigMap) error {
			config.Data["server.properties"] = "advertised.listeners=PUBLIC://elsewhere.example.com:9094\n"
			return w.client.Update(w, config)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.reached()
			before := w.pods()
			w.envoy = nil
			w.dropStatus("orders")
			w.must(lose(w, get(w, "orders-100", &corev1.ConfigMap{})))
			w.later(2 * patience)
			for range 4 {
				w.pass("orders")
				w.play()
			}
			for name, uid := range w.pods() {
				if before[name] != uid {
					t.Errorf("Pod %s is another one", name)
				}
			}
		})
	}
}

// What envoy-manager does not do stops nothing else: without it, a changed property is rolled out, a minute late.
func TestRolloutWithoutEnvoyManager(t *testing.T) {
	w := newWorld(t)
	w.reached()
	w.envoy = nil
	w.dropStatus("orders")
	w.edit("orders", configOf(101, "num.io.threads", "4"))
	if stopping := w.passUntilStopped(); len(stopping) > 0 {
		t.Fatalf("%v is stopped before envoy-manager has looked at the spec", stopping)
	}
	if b := w.blockedBy("restart of broker 101"); b.Reason != "ExternalAccess" || !strings.Contains(b.Message, "envoy-manager has not looked at the present spec") {
		t.Errorf("status does not say what the rollout waits for: %+v", b)
	}
	w.later(patience + time.Second)
	if order := w.roll(); !slices.Equal(order, []string{"orders-101"}) {
		t.Errorf("restarted %v", order)
	}
	if properties := w.properties("orders-101"); !strings.Contains(properties, "num.io.threads=4") || !strings.Contains(properties, "PUBLIC://broker-101.public.example.com:9094") {
		t.Errorf("broker 101 runs with: %s", properties)
	}
}

// A listener that is new has no addresses yet. Running brokers go on without it, and restart once, when they have them.
func TestNewListenerOpensWithItsAddresses(t *testing.T) {
	w := newWorld(t)
	w.reached()
	w.edit("orders", func(spec *v1beta1.KafkaClusterSpec) {
		spec.Listeners = append(spec.Listeners, externalListenerOf("partners", 9095))
	})
	w.tell()
	if stopping := w.passUntilStopped(); len(stopping) > 0 {
		t.Fatalf("%v is stopped, and has no address on the listener", stopping)
	}
	if b := w.blockedBy("listener partners"); b.Reason != "ExternalAddress" || !strings.Contains(b.Message, "100, 101, 102") {
		t.Errorf("status does not say what the listener waits for: %+v", w.cluster("orders").Status.BlockedBy)
	}
	for _, kind := range []string{v1beta1.ConditionReady, v1beta1.ConditionConfigurationApplied} {
		if c := w.condition("orders", kind); c.Status != metav1.ConditionFalse || !strings.Contains(c.Message, "partners") {
			t.Errorf("%s is %s: %s", kind, c.Status, c.Message)
		}
	}

	w.envoy.listeners = append(w.envoy.listeners, "partners")
	w.tell()
	if order := w.roll(); !slices.Equal(order, []string{"orders-100", "orders-101", "orders-102"}) {
		t.Errorf("restarted %v", order)
	}
	if properties := w.properties("orders-100"); !strings.Contains(properties, "PARTNERS://broker-100.partners.example.com:9094") {
		t.Errorf("broker 100 does not advertise the listener: %s", properties)
	}
	w.settle("orders")
	if ready := w.condition("orders", v1beta1.ConditionReady); ready.Status != metav1.ConditionTrue {
		t.Errorf("Ready is %s: %s", ready.Status, ready.Message)
	}
}

// An address that changes is a reason for a restart like any other, of brokers alone, and one at a time.
func TestChangedAddressIsRolledOut(t *testing.T) {
	w := newWorld(t)
	w.reached()
	w.envoy.port = 443
	w.tell()
	w.pass("orders")
	if reason := w.brokerStatus("orders", 102).RestartReason; !strings.Contains(reason, "broker-102.public.example.com:9094 -> ") || !strings.Contains(reason, "broker-102.public.example.com:443") {
		t.Errorf("the reason does not name the address: %q", reason)
	}
	if order := w.roll(); !slices.Equal(order, []string{"orders-100", "orders-101", "orders-102"}) {
		t.Errorf("restarted %v", order)
	}
}

// A broker that comes back from a restart counts only when all proxies lead to it; but what never happens holds a rollout up
// for a minute and no longer.
func TestRolloutWaitsForProxies(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*envoyManager)
		says   string
	}{
		"that are not told its address":        {func(e *envoyManager) { *e = envoyManager{} }, "envoy-manager does not report it"},
		"that are told, and have not accepted": {func(e *envoyManager) { e.accepted = []int32{101, 102} }, "not all proxies that lead to it have accepted its new address: 0 have"},
		"that are not there":                   {func(e *envoyManager) { e.proxies = 0 }, "not all proxies that lead to it have accepted its new address: 0 have"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.reached()
			w.edit("orders", func(spec *v1beta1.KafkaClusterSpec) {
				configOf(100, "num.io.threads", "4")(spec)
				configOf(101, "num.io.threads", "4")(spec)
			})
			w.tell()
			if stopping := w.passUntilStopped(); !slices.Equal(stopping, []string{"orders-100"}) {
				t.Fatalf("%v is stopped first", stopping)
			}
			test.change(w.envoy)
			w.stopInKafka("orders-100")
			w.play()
			w.pass("orders")
			w.play()
			w.startInKafka("orders-100")
			if stopping := w.passUntilStopped(); len(stopping) > 0 {
				t.Fatalf("%v is stopped while clients do not reach broker 100", stopping)
			}
			if b := w.blockedBy("restart of broker 101"); b.Reason != "ExternalAccess" || !strings.Contains(b.Message, test.says) {
				t.Errorf("status does not say what the rollout waits for: %+v", b)
			}
			w.later(patience + time.Second)
			if stopping := w.passUntilStopped(); !slices.Equal(stopping, []string{"orders-101"}) {
				t.Errorf("a minute later, %v is stopped; wanted: orders-101", stopping)
			}
		})
	}
}

// With several groups of proxies, those of one lead to a broker, and the others are not waited for.
func TestRolloutWaitsForTheBrokersOwnProxies(t *testing.T) {
	w := newWorld(t)
	w.reached()
	w.envoy.elsewhere = 2
	w.edit("orders", func(spec *v1beta1.KafkaClusterSpec) {
		configOf(100, "num.io.threads", "4")(spec)
		configOf(101, "num.io.threads", "4")(spec)
	})
	w.tell()
	w.passUntilStopped()
	w.stopInKafka("orders-100")
	w.play()
	w.pass("orders")
	w.play()
	w.startInKafka("orders-100")
	w.tell()
	if stopping := w.passUntilStopped(); !slices.Equal(stopping, []string{"orders-101"}) {
		t.Errorf("%v is stopped, wanted orders-101: %+v", stopping, w.blockedBy("restart of broker 101"))
	}
}

// What proxies have accepted for a Pod that is gone does not count.
func TestRolloutWaitsForThePresentEndpoint(t *testing.T) {
	w := newWorld(t)
	w.reached()
	w.edit("orders", func(spec *v1beta1.KafkaClusterSpec) {
		configOf(100, "num.io.threads", "4")(spec)
		configOf(101, "num.io.threads", "4")(spec)
	})
	w.tell()
	w.passUntilStopped()
	w.envoy = nil // status stays as it is
	w.stopInKafka("orders-100")
	w.play()
	w.pass("orders")
	w.play()
	w.startInKafka("orders-100")
	if stopping := w.passUntilStopped(); len(stopping) > 0 {
		t.Fatalf("%v is stopped while the proxies lead to the Pod that broker 100 had before", stopping)
	}
	if b := w.blockedBy("restart of broker 101"); !strings.Contains(b.Message, "the proxies are not told its new address yet") {
		t.Errorf("status does not say what the rollout waits for: %+v", b)
	}
	w.envoy = newEnvoyManager()
	w.tell()
	if stopping := w.passUntilStopped(); !slices.Equal(stopping, []string{"orders-101"}) {
		t.Errorf("%v is stopped; wanted: orders-101", stopping)
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
	wakes := func(before, after *v1beta1.KafkaCluster) bool {
		return ofInterest().Update(event.UpdateEvent{ObjectOld: before, ObjectNew: after})
	}
	before.Generation = after.Generation // that the spec has changed is another matter
	if wakes(before, after) {
		t.Error("broker-manager wakes itself up")
	}
	w.envoy.accepted = []int32{100}
	w.tell()
	again := w.cluster("orders")
	if !wakes(after, again) {
		t.Error("broker-manager sleeps while proxies accept a broker")
	}
	if len(again.Status.Brokers) != 6 {
		t.Errorf("envoy-manager has taken broker-manager's part of status away: %+v", again.Status)
	}
	w.settle("orders")
	w.writes = nil
	w.pass("orders")
	if len(w.writes) > 0 {
		t.Errorf("a pass that changes nothing writes: %v", w.writes)
	}
}
