package fleet

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/envoy/fleet/objects"
	"koperator.dev/koperator/envoy/translate"
	"koperator.dev/koperator/envoy/xds"
)

const key = "/orders-envoy"

// A listener for clients outside gets proxies, a certificate for them, a Service, and an address for each broker.
func TestStart(t *testing.T) {
	w := newWorld(t)
	w.started()
	for name, obj := range map[string]client.Object{
		"orders-envoy": &appsv1.Deployment{}, "orders-envoy ": &corev1.ConfigMap{}, " orders-envoy": &corev1.ServiceAccount{},
		" orders-envoy ": &policyv1.PodDisruptionBudget{}, "orders-envoy  ": &networkingv1.NetworkPolicy{},
		"orders-external-public": &corev1.Service{}, "orders-external-ports": &corev1.Service{}, "orders-envoy-tls": &corev1.Secret{},
	} {
		if obj = get(w, strings.TrimSpace(name), obj); !metav1.IsControlledBy(obj, w.cluster(orders)) {
			t.Errorf("%T %s does not go with its KafkaCluster", obj, obj.GetName())
		}
	}
	if got, want := w.told(sni), "bootstrap.orders.example.com:9094 100=broker-100.orders.example.com:9094/0 101=broker-101.orders.example.com:9094/0 102=broker-102.orders.example.com:9094/0"; got != want {
		t.Errorf("with SNI clients are told %s, want %s", got, want)
	}
	if got, want := w.told(byPort), "192.0.2.1:9095 100=192.0.2.1:9200 101=192.0.2.1:9201 102=192.0.2.1:9202"; got != want {
		t.Errorf("with a port for each broker clients are told %s, want %s", got, want)
	}
	for _, name := range []string{sni, byPort} {
		status := w.listener(name)
		if status.Proxies != 2 || status.AcceptedBy != 2 || len(status.Rejected) > 0 || status.TemplateRevision != translate.LatestRevision {
			t.Errorf("%+v", status)
		}
		broker := w.broker100(name)
		if want := fmt.Sprintf("10.0.0.100:%d", map[string]int{sni: 9094, byPort: 9095}[name]); broker.AcceptedBy != 2 || broker.PendingSince != nil || broker.Endpoint != want {
			t.Errorf("listener %s: %+v", name, broker)
		}
	}
	w.requireCondition(v1beta1.ConditionExternalAccessDegraded, metav1.ConditionFalse, reasonAsWanted, "")
	if c := w.condition(orders, v1beta1.ConditionExternalAccessReady); c.ObservedGeneration != w.cluster(orders).Generation {
		t.Errorf("the condition is of generation %d", c.ObservedGeneration)
	}
}

// The certificate of a fleet names it, and is for nobody else.
func TestCertificateNamesTheFleet(t *testing.T) {
	w := newWorld(t)
	w.started()
	data := get(w, "orders-envoy-tls", &corev1.Secret{}).Data
	certificate := parseCertificate(w, data[corev1.TLSCertKey])
	if want := xds.FleetURI(w.namespace + key); len(certificate.URIs) != 1 || certificate.URIs[0].String() != want {
		t.Errorf("%v, want %s", certificate.URIs, want)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(data[objects.AuthorityKey])
	if _, err := certificate.Verify(x509.VerifyOptions{Roots: pool, CurrentTime: w.clock.Now(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
		t.Error(err)
	}
}

func parseCertificate(w *world, text []byte) *x509.Certificate {
	w.Helper()
	block, _ := pem.Decode(text)
	if block == nil {
		w.Fatalf("this is no certificate: %s", text)
	}
	certificate, err := x509.ParseCertificate(block.Bytes)
	w.must(err)
	return certificate
}

// Each thing that is missing is said, the first one to look at first.
func TestConditionsSayWhatIsMissing(t *testing.T) {
	w := newWorld(t)
	w.must(w.client.Create(w, w.orders()))
	w.settle(orders)
	w.requireCondition(v1beta1.ConditionExternalAccessReady, metav1.ConditionFalse, reasonNoProxy, "no proxy of orders-envoy is ready")
	if got := w.told(byPort); got != " 100=:0/9200 101=:0/9201 102=:0/9202" {
		t.Errorf("without an address of the load balancer clients are told %s", got)
	}

	w.playProxies()
	w.settle(orders)
	w.requireCondition(v1beta1.ConditionExternalAccessReady, metav1.ConditionFalse, reasonPending, "listener ports: 0 of 2 ready proxies have accepted everything")
	w.requireCondition(v1beta1.ConditionExternalAccessDegraded, metav1.ConditionFalse, reasonAsWanted, "")
	if since := w.broker100(sni).PendingSince; since == nil || w.clock.Since(since.Time) > time.Minute {
		t.Errorf("a broker that no proxy has accepted is pending since %v", since)
	}

	w.acceptAll()
	w.settle(orders)
	w.requireCondition(v1beta1.ConditionExternalAccessReady, metav1.ConditionFalse, reasonNoAddress, "the load balancer of Service orders-external-ports has no address yet")
	w.playLoadBalancers()
	w.settle(orders)
	w.requireCondition(v1beta1.ConditionExternalAccessReady, metav1.ConditionTrue, reasonAsWanted, "")
}

// After a minute nobody waits any more for a proxy that does not accept, and that is said.
func TestProxyThatDoesNotAccept(t *testing.T) {
	w := newWorld(t)
	w.started()
	w.acceptBy(w.first, w.proxies()[0])
	result := w.pass(orders)
	w.settle(orders)
	if broker := w.broker100(sni); broker.AcceptedBy != 1 || broker.PendingSince == nil {
		t.Fatalf("%+v", broker)
	}
	since := w.broker100(sni).PendingSince
	w.requireCondition(v1beta1.ConditionExternalAccessReady, metav1.ConditionFalse, reasonPending, "1 of 2")
	w.requireCondition(v1beta1.ConditionExternalAccessDegraded, metav1.ConditionFalse, reasonAsWanted, "")
	if result.RequeueAfter > patience {
		t.Errorf("the next pass comes after %s", result.RequeueAfter)
	}
	w.clock.Step(patience)
	w.settle(orders)
	w.requireCondition(v1beta1.ConditionExternalAccessDegraded, metav1.ConditionTrue, reasonPending, "brokers 100, 101, 102")
	if again := w.broker100(sni).PendingSince; !again.Equal(since) {
		t.Errorf("it is pending since %v, and was since %v", again, since)
	}

	w.acceptAll()
	w.settle(orders)
	w.requireCondition(v1beta1.ConditionExternalAccessDegraded, metav1.ConditionFalse, reasonAsWanted, "")
	if broker := w.broker100(sni); broker.PendingSince != nil {
		t.Errorf("%+v", broker)
	}
}

// What a proxy rejects is said in Envoy's own words, and what it concerns is not accepted.
func TestRejection(t *testing.T) {
	w := newWorld(t)
	w.started()
	published := w.first.publisher.Fleet(nameOf(w.cluster(orders)), w.namespace+key)
	broken := published.Resources.OfBroker(byPort, 100)
	listener := broken[slices.IndexFunc(broken, func(n translate.ResourceName) bool { return n.Type == translate.TypeListener })]
	const words = "cannot bind '0.0.0.0:9200': Address already in use"
	for i := range w.first.streams.acks[w.namespace+key] {
		acks := &w.first.streams.acks[w.namespace+key][i]
		acks.Missing = []translate.ResourceName{listener}
		acks.Rejected = []xds.Rejection{{Resource: listener.String(), Message: words}}
	}
	w.settle(orders)
	status := w.listener(byPort)
	if len(status.Rejected) != 1 || status.Rejected[0].Resource != listener.String() || status.Rejected[0].Message != words || status.Rejected[0].Proxies != 2 {
		t.Errorf("%+v", status.Rejected)
	}
	for _, broker := range status.Brokers {
		if want := map[bool]int32{true: 0, false: 2}[broker.ID == 100]; broker.AcceptedBy != want {
			t.Errorf("%d proxies have accepted broker %d", broker.AcceptedBy, broker.ID)
		}
	}
	if other := w.listener(sni); other.AcceptedBy != 2 || len(other.Rejected) > 0 {
		t.Errorf("the other listener: %+v", other)
	}
	w.requireCondition(v1beta1.ConditionExternalAccessReady, metav1.ConditionFalse, reasonRejected, words)
	w.requireCondition(v1beta1.ConditionExternalAccessDegraded, metav1.ConditionTrue, reasonRejected, words)
	if !w.hasEvent("Warning Rejected") {
		t.Error("no Event tells of it")
	}
}

func (w *world) hasEvent(text string) bool {
	found := false
	for {
		select {
		case event := <-w.events.Events:
			found = found || strings.Contains(event, text)
		default:
			return found
		}
	}
}

// Status can be lost, or the Services, and addresses stay what they were.
func TestAddressesOutliveStatusAndServices(t *testing.T) {
	w := newWorld(t)
	w.started()
	w.edit(func(spec *v1beta1.KafkaClusterSpec) {
		dropBroker(100)(spec)
		addBroker(7)(spec)
	})
	w.play(orders)
	bySNI, byPorts := w.told(sni), w.told(byPort)
	if want := "192.0.2.1:9095 7=192.0.2.1:9203 101=192.0.2.1:9201 102=192.0.2.1:9202"; byPorts != want {
		t.Fatalf("clients are told %s, want %s", byPorts, want)
	}
	for name, lose := range map[string]func(){
		"status": w.dropStatus,
		"Services": func() {
			for _, name := range []string{"orders-external-public", "orders-external-ports"} {
				w.must(w.client.Delete(w, get(w, name, &corev1.Service{})))
			}
		},
		"proxies": func() { w.must(w.client.Delete(w, get(w, "orders-envoy", &appsv1.Deployment{}))) },
	} {
		lose()
		w.restart()
		w.play(orders)
		if got := w.told(sni); got != bySNI {
			t.Errorf("after the loss of %s clients are told %s, and were told %s", name, got, bySNI)
		}
		if got := w.told(byPort); got != byPorts {
			t.Errorf("after the loss of %s clients are told %s, and were told %s", name, got, byPorts)
		}
	}
}

// A Service that comes back has the Nodes' ports that it had, unless somebody else has taken one of them.
func TestNodePortsOutliveServices(t *testing.T) {
	w := newWorld(t)
	w.started()
	w.edit(func(spec *v1beta1.KafkaClusterSpec) {
		for i := range spec.Listeners[1:] {
			spec.Listeners[i+1].External.Domain = "orders.example.com"
			spec.Listeners[i+1].External.Service = &v1beta1.ExternalService{Type: v1beta1.ExternalNodePort}
		}
	})
	w.play(orders)
	bySNI, byPorts := w.told(sni), w.told(byPort)
	names := []string{"orders-external-public", "orders-external-ports"}
	for _, name := range names {
		w.must(w.client.Delete(w, get(w, name, &corev1.Service{})))
	}
	w.restart()
	w.play(orders)
	if got := w.told(sni) + w.told(byPort); got != bySNI+byPorts {
		t.Errorf("clients are told %s, and were told %s", got, bySNI+byPorts)
	}

	lost := get(w, names[1], &corev1.Service{})
	w.must(w.client.Delete(w, lost))
	w.must(w.client.Create(w, &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "thief", Namespace: w.namespace},
		Spec:       corev1.ServiceSpec{Type: corev1.ServiceTypeNodePort, Ports: []corev1.ServicePort{{Port: 1, NodePort: lost.Spec.Ports[0].NodePort}}},
	}))
	w.play(orders)
	if got := w.told(byPort); got == byPorts || strings.Count(got, "orders.example.com:3") != 4 {
		t.Errorf("clients are told %s, and were told %s", got, byPorts)
	}
	w.requireCondition(v1beta1.ConditionExternalAccessReady, metav1.ConditionTrue, reasonAsWanted, "")
}

// While status is lost, proxies keep what they have: nothing is withdrawn because nobody remembers it.
func TestProxiesKeepWhatTheyHaveWithoutStatus(t *testing.T) {
	w := newWorld(t)
	w.started()
	before := w.second.streams.published[w.namespace+key].Hash()
	w.dropStatus()
	request := w.request()
	if _, err := w.second.publisher.Reconcile(w, request); err != nil {
		t.Fatal(err)
	}
	if after := w.second.streams.published[w.namespace+key].Hash(); after != before {
		t.Error("proxies are told something else")
	}
}

// Brokers come and go, and no proxy is replaced for it.
func TestBrokersComeAndGo(t *testing.T) {
	w := newWorld(t)
	w.started()
	before := get(w, "orders-envoy", &appsv1.Deployment{})
	config := get(w, "orders-envoy", &corev1.ConfigMap{})
	w.edit(func(spec *v1beta1.KafkaClusterSpec) {
		dropBroker(101)(spec)
		addBroker(103)(spec)
	})
	w.pass(orders)
	w.pass(orders)
	if got := w.told(byPort); !strings.Contains(got, " 101=192.0.2.1:9201 ") || !strings.HasSuffix(got, " 103=192.0.2.1:9203") {
		t.Errorf("while broker 101 is still there, clients are told %s", got)
	}
	w.play(orders)
	if got, want := w.told(byPort), "192.0.2.1:9095 100=192.0.2.1:9200 102=192.0.2.1:9202 103=192.0.2.1:9203"; got != want {
		t.Errorf("clients are told %s, want %s", got, want)
	}
	if after := get(w, "orders-envoy", &appsv1.Deployment{}); after.ResourceVersion != before.ResourceVersion {
		t.Errorf("the Deployment was changed: %+v", after.Spec)
	}
	if after := get(w, "orders-envoy", &corev1.ConfigMap{}); after.ResourceVersion != config.ResourceVersion {
		t.Errorf("the bootstrap was changed: %s", after.Data)
	}
}

// A broker that leaves is reached to its end, also when its Pod is away for a moment, and in the same group of proxies,
// although the spec says nothing of it any more.
func TestLeavingBrokerIsReachedToTheEnd(t *testing.T) {
	w := newWorld(t)
	kc := w.orders()
	kc.Spec.Envoy = &v1beta1.Envoy{Groups: []v1beta1.EnvoyGroup{{Name: "a"}, {Name: "b", BrokerGroups: []string{"other"}}}}
	w.must(w.client.Create(w, kc))
	w.play(orders)
	w.setBrokers(0, 100, 101, 102)
	before := w.told(byPort)
	w.edit(dropBroker(102))
	w.settle(orders)
	w.remove(w.broker(orders, 102))
	w.restart()
	w.settle(orders)
	if got := w.told(byPort); got != before {
		t.Errorf("clients are told %s, and were told %s", got, before)
	}
	fleet := w.first.publisher.Fleet(nameOf(kc), w.namespace+key+"-b")
	if fleet == nil || len(fleet.Fleet.Listeners[0].Brokers) != 1 {
		t.Fatalf("the broker is not reached through its group any more: %+v", fleet)
	}
	w.setBrokers(0, 100, 101)
	w.settle(orders)
	if got := w.told(byPort); strings.Contains(got, "102=") {
		t.Errorf("when the broker is gone, clients are told %s", got)
	}
}

// setBrokers is what broker-manager says of the nodes that there are.
func (w *world) setBrokers(ids ...int32) {
	w.Helper()
	kc := w.cluster(orders)
	kc.Status.Brokers = nil
	for _, id := range ids {
		kc.Status.Brokers = append(kc.Status.Brokers, v1beta1.BrokerStatus{ID: id})
	}
	w.must(w.client.Status().Update(w, kc))
}

// A broker's Pod that moves is told to the proxies before anything else is asked, and they have to accept it again.
func TestBrokerMoves(t *testing.T) {
	w := newWorld(t)
	w.started()
	pod := w.broker(orders, 100)
	pod.Status.PodIP, pod.Status.PodIPs = "10.9.9.9", []corev1.PodIP{{IP: "10.9.9.9"}}
	w.must(w.client.Status().Update(w, pod))
	w.pass(orders)
	w.pass(orders)
	for _, r := range []*replica{w.first, w.second} {
		if !strings.Contains(endpointsOf(r, w.namespace+key), "10.9.9.9") {
			t.Errorf("the proxies of the %s replica are not told", r.name)
		}
	}
	if broker := w.broker100(sni); broker.Endpoint != "10.9.9.9:9094" || broker.AcceptedBy != 0 || broker.PendingSince == nil {
		t.Errorf("%+v", broker)
	}
	w.acceptAll()
	w.settle(orders)
	if broker := w.broker100(sni); broker.AcceptedBy != 2 || broker.PendingSince != nil {
		t.Errorf("%+v", broker)
	}

	w.setReady(pod, false)
	w.settle(orders)
	if broker := w.broker100(sni); broker.Endpoint != "10.9.9.9:9094" {
		t.Errorf("a broker that is not ready is not reached: %+v", broker)
	}
	pod = w.broker(orders, 100)
	pod.Status.Phase = corev1.PodFailed
	w.must(w.client.Status().Update(w, pod))
	w.settle(orders)
	if broker := w.broker100(sni); broker.Endpoint != "" {
		t.Errorf("a Pod that is over is still led to: %+v", broker)
	}
}

// A pass in which nothing has happened writes nothing, and a change writes only what it concerns.
func TestIdlePassWritesNothing(t *testing.T) {
	w := newWorld(t)
	w.started()
	w.writes = nil
	for range 3 {
		w.pass(orders)
		w.must(w.first.exchange.Tell(w))
	}
	if len(w.writes) > 0 {
		t.Errorf("%d writes: %v", len(w.writes), w.writes)
	}
	w.edit(addBroker(103))
	w.pass(orders)
	w.pass(orders)
	if services, statuses := w.count("apply *v1.ServiceApplyConfiguration"), w.count("apply status"); services != 1 || statuses > 2 || len(w.writes) != services+statuses {
		t.Errorf("for another broker: %v", w.writes)
	}
}

func (w *world) count(text string) int {
	count := 0
	for _, write := range w.writes {
		if strings.HasPrefix(write, text) {
			count++
		}
	}
	return count
}

// Proxies that answer at once make one write and not two.
func TestQuickAnswersMakeOneWrite(t *testing.T) {
	w := newWorld(t)
	w.started()
	pod := w.broker(orders, 100)
	pod.Status.PodIP, pod.Status.PodIPs = "10.9.9.9", []corev1.PodIP{{IP: "10.9.9.9"}}
	w.must(w.client.Status().Update(w, pod))
	w.writes = nil
	if result := w.pass(orders); result.RequeueAfter > settleTime || len(w.writes) > 0 {
		t.Errorf("the next pass comes after %s, and was written: %v", result.RequeueAfter, w.writes)
	}
	w.acceptAll()
	w.clock.Step(settleTime / 5)
	_, err := w.first.leader.Reconcile(w, w.request())
	w.must(err)
	if broker := w.broker100(sni); broker.Endpoint != "10.9.9.9:9094" || broker.AcceptedBy != 2 || broker.PendingSince != nil {
		t.Errorf("%+v", broker)
	}
	if got := w.count("apply status"); got != 1 {
		t.Errorf("%d writes of status", got)
	}
}

// However much happens, status is written once a second at most.
func TestStatusIsWrittenOnceASecond(t *testing.T) {
	w := newWorld(t)
	w.started()
	w.clock.Step(statusInterval)
	w.writes = nil
	for i := range 5 {
		w.acceptBy(w.first, w.proxies()[:i%2]...)
		w.clock.Step(statusInterval / 5)
		result, err := w.first.leader.Reconcile(w, w.request())
		w.must(err)
		if isNews := i%2 == 1; isNews && result.RequeueAfter > statusInterval {
			t.Errorf("what was not written now is written after %s", result.RequeueAfter)
		}
	}
	if got := w.count("apply status"); got != 1 {
		t.Errorf("status was written %d times in a second", got)
	}
}

// Proxies that are connected to another replica count as well, as long as that one has told them the same.
func TestProxiesOfAnotherReplicaCount(t *testing.T) {
	w := newWorld(t)
	w.started()
	proxies := w.proxies()
	w.acceptBy(w.first, proxies[0])
	w.acceptBy(w.second, proxies[1])
	w.settle(orders)
	if status := w.listener(sni); status.AcceptedBy != 2 {
		t.Errorf("%d of 2 proxies have accepted", status.AcceptedBy)
	}
	report := &corev1.ConfigMap{}
	w.must(w.client.Get(w, client.ObjectKey{Namespace: w.system, Name: "envoy-manager-acks-second"}, report))
	if owners := report.OwnerReferences; len(owners) != 1 || owners[0].Kind != "Pod" || owners[0].Name != "second" {
		t.Errorf("it does not go with its replica: %+v", owners)
	}

	// The other replica lags behind.
	pod := w.broker(orders, 100)
	pod.Status.PodIP, pod.Status.PodIPs = "10.9.9.9", []corev1.PodIP{{IP: "10.9.9.9"}}
	w.must(w.client.Status().Update(w, pod))
	_, err := w.first.publisher.Reconcile(w, w.request())
	w.must(err)
	w.acceptBy(w.first, proxies[0])
	w.must(w.second.exchange.Tell(w))
	for range 2 {
		w.clock.Step(statusInterval)
		_, err = w.first.leader.Reconcile(w, w.request())
		w.must(err)
	}
	if broker := w.broker100(sni); broker.AcceptedBy != 1 {
		t.Errorf("a proxy that was told something else counts: %+v", broker)
	}

	// A proxy moves from one replica to the other, whose answer is newer.
	_, err = w.second.publisher.Reconcile(w, w.request())
	w.must(err)
	w.first.streams.acks[w.namespace+key][0].Connected = false
	w.acceptBy(w.second, proxies...)
	w.settle(orders)
	if broker := w.broker100(sni); broker.AcceptedBy != 2 {
		t.Errorf("%+v", broker)
	}
}

// A listener that goes takes its Service with it, and the last one everything; what others say in status stays.
func TestListenersGo(t *testing.T) {
	w := newWorld(t)
	w.started()
	kc := w.cluster(orders)
	kc.Status.ClusterID = "theirs"
	meta.SetStatusCondition(&kc.Status.Conditions, metav1.Condition{Type: "Ready", Status: metav1.ConditionTrue, Reason: "Theirs"})
	w.must(w.client.Status().Update(w, kc))

	w.edit(func(spec *v1beta1.KafkaClusterSpec) { spec.Listeners = spec.Listeners[:2] })
	w.play(orders)
	if w.exists("orders-external-ports", &corev1.Service{}) || !w.exists("orders-external-public", &corev1.Service{}) {
		t.Error("not exactly the Service of the listener that is gone is gone")
	}
	if w.listener(byPort).Name != "" || w.listener(sni).AcceptedBy != 2 {
		t.Errorf("%+v", w.cluster(orders).Status.ExternalListeners)
	}

	w.edit(func(spec *v1beta1.KafkaClusterSpec) { spec.Listeners = spec.Listeners[:1] })
	w.play(orders)
	for _, list := range []client.ObjectList{
		&appsv1.DeploymentList{}, &corev1.ServiceList{}, &corev1.ConfigMapList{}, &corev1.ServiceAccountList{}, &corev1.SecretList{},
		&policyv1.PodDisruptionBudgetList{}, &networkingv1.NetworkPolicyList{},
	} {
		w.must(w.client.List(w, list, client.InNamespace(w.namespace), client.MatchingLabels{v1beta1.LabelComponent: v1beta1.ComponentEnvoy}))
		w.must(eachItem(list, func(obj client.Object) { t.Errorf("%T %s is still there", obj, obj.GetName()) }))
	}
	status := w.cluster(orders).Status
	if len(status.ExternalListeners) != 0 || len(status.Conditions) != 1 || status.Conditions[0].Type != "Ready" || status.ClusterID != "theirs" {
		t.Errorf("%+v", status)
	}
	for _, r := range []*replica{w.first, w.second} {
		if resources := r.streams.published[w.namespace+key]; len(resources.Of(translate.TypeListener)) != 0 {
			t.Errorf("the proxies of the %s replica are told to serve", r.name)
		}
	}
	w.writes = nil
	w.pass(orders)
	if len(w.writes) > 0 {
		t.Errorf("%v", w.writes)
	}
}

// Groups of proxies come and go, each with all that belongs to it.
func TestGroups(t *testing.T) {
	w := newWorld(t)
	w.started()
	w.edit(func(spec *v1beta1.KafkaClusterSpec) {
		spec.Envoy = &v1beta1.Envoy{Groups: []v1beta1.EnvoyGroup{{Name: "a"}, {Name: "b", BrokerGroups: []string{"other"}, Replicas: ptr.To[int32](1)}}}
	})
	w.play(orders)
	if w.exists("orders-envoy", &appsv1.Deployment{}) || w.exists("orders-envoy-tls", &corev1.Secret{}) || w.exists("orders-external-public", &corev1.Service{}) {
		t.Error("the proxies of before are still there")
	}
	if got, want := w.told(byPort), "192.0.2.1:9095 100=192.0.2.1:9200 101=192.0.2.1:9201 102=192.0.2.1:9202"; got != want {
		t.Errorf("clients are told %s, want %s", got, want)
	}
	first, second := get(w, "orders-external-ports-a", &corev1.Service{}), get(w, "orders-external-ports-b", &corev1.Service{})
	if got := fmt.Sprint(objects.PortsOf(first), objects.PortsOf(second)); got != "map[100:9200 101:9201] map[102:9202]" {
		t.Errorf("the Services have %s", got)
	}
	status := w.listener(byPort)
	if status.Proxies != 3 || status.AcceptedBy != 3 {
		t.Errorf("%+v", status)
	}
	for _, broker := range status.Brokers {
		if want := map[bool]int32{true: 1, false: 2}[broker.ID == 102]; broker.AcceptedBy != want || broker.PendingSince != nil {
			t.Errorf("%+v", broker)
		}
	}
	w.requireCondition(v1beta1.ConditionExternalAccessReady, metav1.ConditionTrue, reasonAsWanted, "")
}

// A broker that leaves has its port to the end, so that there can be none for the one that comes for it.
func TestMoreBrokersThanPorts(t *testing.T) {
	w := newWorld(t)
	w.started()
	w.edit(addBroker(103))
	w.play(orders)
	w.edit(func(spec *v1beta1.KafkaClusterSpec) {
		dropBroker(100)(spec)
		addBroker(104)(spec)
	})
	w.settle(orders)
	w.acceptAll()
	w.settle(orders)
	w.requireCondition(v1beta1.ConditionExternalAccessReady, metav1.ConditionFalse, reasonNoPort, "listener ports: there is no port left for broker 104: raise external.brokerPorts.count")
	if !strings.Contains(w.told(sni), "104=") {
		t.Error("the other listener does without the broker as well")
	}
	w.play(orders)
	w.requireCondition(v1beta1.ConditionExternalAccessReady, metav1.ConditionTrue, reasonAsWanted, "")
	if got := w.told(byPort); !strings.HasSuffix(got, " 104=192.0.2.1:9200") {
		t.Errorf("clients are told %s", got)
	}
}

// An address of a load balancer that changes restarts brokers, which is said. One that is merely lost does not.
func TestLoadBalancerChanges(t *testing.T) {
	w := newWorld(t)
	w.started()
	service := get(w, "orders-external-ports", &corev1.Service{})
	w.setIngress(service)
	w.settle(orders)
	if got := w.told(byPort); !strings.Contains(got, "100=192.0.2.1:9200") {
		t.Errorf("clients are told %s", got)
	}
	w.requireCondition(v1beta1.ConditionExternalAccessReady, metav1.ConditionFalse, reasonNoAddress, "orders-external-ports")
	w.setIngress(service, "192.0.2.9", address)
	w.settle(orders)
	if got := w.told(byPort); !strings.Contains(got, "100=192.0.2.1:9200") {
		t.Errorf("clients are told %s", got)
	}
	if w.hasEvent("AddressChanged") {
		t.Error("an Event tells of a change that is none")
	}
	w.setIngress(service, "192.0.2.9")
	w.settle(orders)
	if got := w.told(byPort); !strings.Contains(got, "100=192.0.2.9:9200") || !w.hasEvent("AddressChanged") {
		t.Errorf("clients are told %s, or no Event tells of it", got)
	}
}

// A template that no Pod can be made from is said, and the rest goes on.
func TestBadTemplate(t *testing.T) {
	w := newWorld(t)
	w.started()
	w.edit(func(spec *v1beta1.KafkaClusterSpec) {
		spec.Envoy.PodTemplate = &runtime.RawExtension{Raw: []byte(`{"spec": {"containers": [{"name": "envoy", "$patch": "delete"}]}}`)}
		addBroker(103)(spec)
	})
	for range 3 {
		_, err := w.tryPass(orders)
		if err == nil || !strings.Contains(err.Error(), "the container envoy must not be removed") {
			t.Fatalf("the pass says %v", err)
		}
	}
	w.requireCondition(v1beta1.ConditionExternalAccessReady, metav1.ConditionFalse, reasonSpec, "spec.envoy.podTemplate: spec.containers")
	if !strings.Contains(w.told(byPort), "103=") {
		t.Error("the new broker waits for it")
	}
}

// The revision of the templates stays, also when status is lost: a replica that does not know it leaves the proxies alone.
func TestRevisionIsKept(t *testing.T) {
	w := newWorld(t)
	w.started()
	deployment := get(w, "orders-envoy", &appsv1.Deployment{})
	deployment.Annotations[objects.AnnotationRevision] = "77"
	w.must(w.client.Update(w, deployment))
	before := w.first.streams.published[w.namespace+key].Hash()
	w.dropStatus()
	w.restart()
	w.first.streams.published[w.namespace+key] = w.second.streams.published[w.namespace+key]
	w.settle(orders)
	if status := w.listener(sni); status.TemplateRevision != 77 {
		t.Errorf("the revision is %d", status.TemplateRevision)
	}
	if after := w.second.streams.published[w.namespace+key].Hash(); after != before {
		t.Error("proxies are told something else")
	}
	w.requireCondition(v1beta1.ConditionExternalAccessReady, metav1.ConditionFalse, reasonNotServed, "revision")
}

// A cluster that is being deleted keeps its proxies until the garbage collector takes them; then they are told nothing.
func TestDeletion(t *testing.T) {
	w := newWorld(t)
	kc := w.started()
	kc.Finalizers = []string{v1beta1.FinalizerShutdown}
	w.must(w.client.Update(w, kc))
	w.must(w.client.Delete(w, kc))
	before := w.first.streams.published[w.namespace+key].Hash()
	w.writes = nil
	w.pass(orders)
	if len(w.writes) > 0 || w.first.streams.published[w.namespace+key].Hash() != before {
		t.Errorf("while brokers stop: %v", w.writes)
	}
	kc = w.cluster(orders)
	kc.Finalizers = nil
	w.must(w.client.Update(w, kc))
	w.pass(orders)
	if got := endpointsOf(w.first, w.namespace+key); got != "" {
		t.Errorf("proxies of a cluster that is gone are told %s", got)
	}
}

// What is of another KafkaCluster is left alone, whatever its name.
func TestObjectsOfOthersAreLeftAlone(t *testing.T) {
	w := newWorld(t)
	kc := w.started()
	foreign := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "orders-external-theirs", Namespace: w.namespace, Labels: map[string]string{
		v1beta1.LabelCluster: kc.Name, v1beta1.LabelComponent: v1beta1.ComponentEnvoy, objects.LabelListener: byPort,
	}}, Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Name: "broker-100", Port: 9203}, {Name: "broker-999", Port: 9204}}}}
	w.must(w.client.Create(w, foreign))
	before := w.told(byPort)
	w.dropStatus()
	w.play(orders)
	if got := w.told(byPort); got != before {
		t.Errorf("clients are told %s, and were told %s", got, before)
	}
	if !w.exists(foreign.Name, &corev1.Service{}) {
		t.Error("it was deleted")
	}
}

func TestKnowsProxy(t *testing.T) {
	w := newWorld(t)
	w.started()
	knows := KnowsProxy(t.Context(), w.client)
	for name, c := range map[string]struct {
		fleet, pod string
		want       bool
	}{
		"a proxy":               {w.namespace + key, "orders-envoy-0", true},
		"of another fleet":      {w.namespace + key + "-a", "orders-envoy-0", false},
		"of another namespace":  {w.system + key, "orders-envoy-0", false},
		"a broker":              {w.namespace + key, "orders-100", false},
		"a Pod that is not yet": {w.namespace + key, "orders-envoy-9", false},
	} {
		if got := knows(c.fleet, c.pod); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
