//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

// The two listeners of TestExternalAccess, one in each mode.
const (
	sniListener, sniPort         = "public", 9094
	portListener, portPort       = "ports", 9095
	firstBrokerPort              = 9200
	externalDomain               = "shop.example.com"
	opsPort                      = 19001
	externalController     int32 = 0

	// movable brokers have disks in a network, and wanderer is one of them.
	movable        = "movable"
	wanderer int32 = 102
)

// shop is the cluster of TestExternalAccess.
type shop struct {
	*cluster
}

// TestExternalAccess tells what happens to clients outside the Kubernetes cluster, which reach all brokers through one
// load balancer for each listener.
func TestExternalAccess(t *testing.T) {
	namespace := newNamespace(t)
	begin := time.Now()
	s := &shop{cluster: create(t, shopSpec(namespace))}
	s.waitReady(t, 4*time.Minute)
	t.Logf("SPEED: from apply to a cluster that is reachable from outside: %s", seconds(time.Since(begin)))
	s.keepLedger(t, 3, 3)
	for _, story := range []struct {
		name string
		tell func(*shop, *testing.T)
	}{
		{"AddressesAreInStatus", (*shop).addressesAreInStatus},
		{"EveryClientSpeaksThroughTheLoadBalancer", (*shop).everyClientSpeaks},
		{"AdminIsReachedInItsPodOnly", (*shop).adminIsReachedInItsPodOnly},
		{"BrokersComeAndGo", (*shop).brokersComeAndGo},
		{"BrokerMovesToAnotherNode", (*shop).brokerMovesToAnotherNode},
		{"EnvoyManagerIsAway", (*shop).envoyManagerIsAway},
		{"ListenerIsBroken", (*shop).listenerIsBroken},
		{"ProxyIsKilled", (*shop).proxyIsKilled},
		{"ProxyPodIsDeleted", (*shop).proxyPodIsDeleted},
		{"NodeOfABrokerIsLost", (*shop).nodeOfABrokerIsLost},
	} {
		s.story(t, story.name, func(t *testing.T) { story.tell(s, t) })
	}
}

func shopSpec(namespace string) *v1beta1.KafkaCluster {
	kc := newCluster("shop", namespace, node(externalController, controllers), node(100, brokers), node(101, brokers), node(wanderer, movable))
	group := v1beta1.BrokerGroup{Name: movable, Roles: []v1beta1.Role{v1beta1.RoleBroker}, Storage: []v1beta1.Storage{disk(dataPath, "256Mi")}, NodeTemplate: smallNode()}
	group.Storage[0].StorageClassName = ptr.To("network")
	kc.Spec.BrokerGroups = append(kc.Spec.BrokerGroups, group)
	kc.Spec.Listeners = append(kc.Spec.Listeners,
		v1beta1.Listener{Name: sniListener, Port: sniPort, Type: v1beta1.ListenerExternal, External: &v1beta1.ExternalAccess{
			Mode: v1beta1.ExternalSNI, Domain: externalDomain,
		}},
		v1beta1.Listener{Name: portListener, Port: portPort, Type: v1beta1.ListenerExternal, External: &v1beta1.ExternalAccess{
			Mode: v1beta1.ExternalPortPerBroker, BrokerPorts: &v1beta1.BrokerPorts{First: firstBrokerPort, Count: 8},
		}})
	kc.Spec.Envoy = &v1beta1.Envoy{Image: settings.envoyImage, ImagePullPolicy: corev1.PullIfNotPresent}
	return kc
}

// external is the status of an external listener.
func (s *shop) external(t *testing.T, name string) v1beta1.ExternalListenerStatus {
	t.Helper()
	return externalOf(s.mustGet(t), name)
}

func externalOf(kc *v1beta1.KafkaCluster, name string) v1beta1.ExternalListenerStatus {
	for i := range kc.Status.ExternalListeners {
		if kc.Status.ExternalListeners[i].Name == name {
			return kc.Status.ExternalListeners[i]
		}
	}
	return v1beta1.ExternalListenerStatus{}
}

func externalBrokerOf(listener v1beta1.ExternalListenerStatus, id int32) v1beta1.ExternalBrokerStatus {
	for _, b := range listener.Brokers {
		if b.ID == id {
			return b
		}
	}
	return v1beta1.ExternalBrokerStatus{ID: -1}
}

// proxies are the Pods of the cluster's proxies, by name.
func (s *shop) proxies(t *testing.T) map[string]*corev1.Pod {
	t.Helper()
	pods, err := s.listProxies(t.Context())
	if err != nil {
		t.Fatalf("listing proxies: %v", err)
	}
	return pods
}

func (s *shop) listProxies(ctx context.Context) (map[string]*corev1.Pod, error) {
	list := &corev1.PodList{}
	err := kube.List(ctx, list, s.inNamespace(), client.MatchingLabels{v1beta1.LabelCluster: s.name, v1beta1.LabelComponent: v1beta1.ComponentEnvoy})
	pods := map[string]*corev1.Pod{}
	for i := range list.Items {
		pods[list.Items[i].Name] = &list.Items[i]
	}
	return pods, err
}

// proxyLives tells one life of an Envoy process from the next.
func (s *shop) proxyLives(t *testing.T) map[types.UID]string {
	t.Helper()
	lives := map[types.UID]string{}
	for _, pod := range s.proxies(t) {
		for _, status := range pod.Status.ContainerStatuses {
			lives[pod.UID] += fmt.Sprintf("%s %d; ", status.ContainerID, status.RestartCount)
		}
	}
	return lives
}

func (s *shop) requireSameProxies(t *testing.T, before map[types.UID]string) {
	t.Helper()
	if now := s.proxyLives(t); !maps.Equal(now, before) {
		t.Errorf("the proxies were %v and are %v now: no proxy may restart", before, now)
	}
}

// waitAccepted waits until every ready proxy has accepted a broker with the address that its Pod has now.
func (s *shop) waitAccepted(t *testing.T, patience time.Duration, ids ...int32) time.Duration {
	t.Helper()
	return waitFor(t, patience, fmt.Sprintf("the proxies to accept %v", ids), func(ctx context.Context) (string, bool) {
		kc, err := s.get(ctx)
		if err != nil {
			return err.Error(), false
		}
		for _, name := range []string{sniListener, portListener} {
			listener := externalOf(kc, name)
			for _, id := range ids {
				pod := &corev1.Pod{}
				if err := kube.Get(ctx, client.ObjectKey{Namespace: s.namespace, Name: fmt.Sprintf("%s-%d", s.name, id)}, pod); err != nil {
					return err.Error(), false
				}
				b := externalBrokerOf(listener, id)
				host, _, _ := net.SplitHostPort(b.Endpoint)
				if pod.Status.PodIP == "" || host != pod.Status.PodIP || b.AcceptedBy < 1 || b.AcceptedBy < listener.Proxies {
					return fmt.Sprintf("Pod %s has %s; listener %s: %+v, %d proxies", pod.Name, pod.Status.PodIP, name, b, listener.Proxies), false
				}
			}
		}
		return "", true
	})
}

// Status says at which address clients reach each broker, and how many proxies know it.
func (s *shop) addressesAreInStatus(t *testing.T) {
	text, err := kubectl(t.Context(), "get", "kc", s.name, "--namespace="+s.namespace, "-o=jsonpath={.status.externalListeners}")
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("status.externalListeners: %s", text)
	if sni := s.external(t, sniListener); sni.Bootstrap != fmt.Sprintf("bootstrap.%s:%d", externalDomain, sniPort) || sni.AcceptedBy != 2 || sni.Proxies != 2 {
		t.Errorf("listener %s: %+v", sniListener, sni)
	}
	ports := map[int32]int32{}
	for _, id := range []int32{100, 101, 102} {
		if b := externalBrokerOf(s.external(t, sniListener), id); b.Host != fmt.Sprintf("broker-%d.%s", id, externalDomain) || b.Port != sniPort || b.AcceptedBy != 2 {
			t.Errorf("broker %d on %s: %+v", id, sniListener, b)
		}
		b := externalBrokerOf(s.external(t, portListener), id)
		if net.ParseIP(b.Host) == nil || b.Port < firstBrokerPort || b.AcceptedBy != 2 {
			t.Errorf("broker %d on %s: %+v", id, portListener, b)
		}
		ports[b.Port] = id
	}
	if len(ports) != 3 {
		t.Errorf("the ports %v are not one for each broker", ports)
	}
	for _, kind := range []string{v1beta1.ConditionExternalAccessReady, v1beta1.ConditionExternalAccessDegraded} {
		want := metav1.ConditionTrue
		if kind == v1beta1.ConditionExternalAccessDegraded {
			want = metav1.ConditionFalse
		}
		if c := conditionOf(s.mustGet(t), kind); c.Status != want {
			t.Errorf("%s is %s: %s", kind, c.Status, c.Message)
		}
	}
}

// The admin interface of Envoy can change everything. It answers inside its Pod only; what the ops port answers changes
// nothing.
func (s *shop) adminIsReachedInItsPodOnly(t *testing.T) {
	web := &http.Client{Timeout: 5 * time.Second}
	for name, pod := range s.proxies(t) {
		base := fmt.Sprintf("http://%s", net.JoinHostPort(pod.Status.PodIP, fmt.Sprint(opsPort)))
		for _, check := range []struct {
			method, path string
			want         int
		}{
			{http.MethodGet, "/ready", http.StatusOK},
			{http.MethodGet, "/stats/prometheus?usedonly", http.StatusOK},
			{http.MethodGet, "/config_dump", http.StatusNotFound},
			{http.MethodGet, "/ready/../config_dump", http.StatusNotFound},
			{http.MethodPost, "/quitquitquit", http.StatusNotFound},
			{http.MethodPost, "/ready", http.StatusNotFound},
		} {
			request, err := http.NewRequestWithContext(t.Context(), check.method, base+check.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			answer, err := web.Do(request)
			if err != nil {
				t.Fatalf("asking proxy %s: %v", name, err)
			}
			answer.Body.Close()
			if answer.StatusCode != check.want {
				t.Errorf("%s %s of proxy %s: %d, wanted %d", check.method, check.path, name, answer.StatusCode, check.want)
			}
		}
		s.requireOnlyKnownPorts(t, pod)
	}
	services := &corev1.ServiceList{}
	if err := kube.List(t.Context(), services, s.inNamespace()); err != nil {
		t.Fatal(err)
	}
	for i := range services.Items {
		for _, port := range services.Items[i].Spec.Ports {
			if port.TargetPort.IntValue() == opsPort || port.Port == opsPort {
				t.Errorf("Service %s leads to the ops port", services.Items[i].Name)
			}
		}
	}
}

// requireOnlyKnownPorts tries every port of a proxy's Pod.
func (s *shop) requireOnlyKnownPorts(t *testing.T, pod *corev1.Pod) {
	t.Helper()
	known := map[int]bool{opsPort: true, sniPort: true, portPort: true}
	for _, b := range s.external(t, portListener).Brokers {
		known[int(b.ProxyPort)] = true
	}
	open := openPorts(t.Context(), pod.Status.PodIP)
	for _, port := range open {
		if !known[port] {
			t.Errorf("proxy %s listens on port %d, too", pod.Name, port)
		}
	}
	if len(open) != len(known) {
		t.Errorf("proxy %s listens on %v, wanted %v", pod.Name, open, sorted(known))
	}
}

// openPorts are all that take a connection. A port that nobody listens on refuses it at once.
func openPorts(ctx context.Context, ip string) []int {
	ports, open := make(chan int), make(chan int, 65536)
	done := make(chan struct{})
	const dialers = 64
	for range dialers {
		go func() {
			defer func() { done <- struct{}{} }()
			for port := range ports {
				dialer := net.Dialer{Timeout: 2 * time.Second}
				if conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(ip, fmt.Sprint(port))); err == nil {
					conn.Close()
					open <- port
				}
			}
		}()
	}
	for port := 1; port < 65536; port++ {
		ports <- port
	}
	close(ports)
	for range dialers {
		<-done
	}
	close(open)
	var found []int
	for port := range open {
		found = append(found, port)
	}
	slices.Sort(found)
	return found
}

// Brokers are added, restarted and removed while clients write to all of them and read from all of them. No proxy
// restarts, nothing that is acknowledged is lost, and connections to the other brokers stay.
func (s *shop) brokersComeAndGo(t *testing.T) {
	proxies := s.proxyLives(t)
	watched := s.watchConnections(t, "comes-and-goes", 100, 101, 102)

	begin := time.Now()
	s.addBrokers(t, node(103, brokers), node(104, brokers))
	s.waitReady(t, 3*time.Minute)
	t.Logf("from 3 to 5 brokers that are reachable: %s", seconds(time.Since(begin)))
	watched.requireStill(t, "3 brokers became 5", 100, 101, 102)
	added := s.watchConnections(t, "on-new-brokers", 103, 104)

	// A broker that holds nothing: moving data is Cruise Control's.
	added.end(t)
	deleteTopic(t, s.dial(t), "on-new-brokers")
	s.removeBrokers(t, 104)
	waitFor(t, 2*time.Minute, "broker 104 to be gone", func(ctx context.Context) (string, bool) {
		kc, err := s.get(ctx)
		if err != nil {
			return err.Error(), false
		}
		gone := brokerStatus(kc, 104).Phase == ""
		for _, name := range []string{sniListener, portListener} {
			gone = gone && externalBrokerOf(externalOf(kc, name), 104).ID < 0
		}
		return describe(kc), gone
	})
	watched.requireStill(t, "broker 104 was removed", 100, 101, 102)

	s.deletePod(t, 101)
	s.waitReady(t, 2*time.Minute)
	s.waitAccepted(t, time.Minute, 101)
	watched.requireStill(t, "broker 101 got another address", 100, 102)
	watched.end(t)
	s.requireSameProxies(t, proxies)
	s.removeBrokers(t, 103)
	s.waitReady(t, 2*time.Minute)
}

// A broker moves to another node with its disk, as it does when its node is drained. It tells clients the same address, and
// connections to the others stay.
func (s *shop) brokerMovesToAnotherNode(t *testing.T) {
	proxies := s.proxyLives(t)
	was := s.pod(t, wanderer).Spec.NodeName
	before := externalBrokerOf(s.external(t, sniListener), wanderer)
	watched := s.watchConnections(t, "a-broker-moves", 100, 101, wanderer)
	cordonNode(t, was, true)
	defer cordonNode(t, was, false)
	s.deletePod(t, wanderer)
	if now := s.pod(t, wanderer).Spec.NodeName; now == was {
		t.Fatalf("broker %d is on %s again", wanderer, now)
	}
	s.waitReady(t, 2*time.Minute)
	s.waitAccepted(t, time.Minute, wanderer)
	watched.requireStill(t, fmt.Sprintf("broker %d moved", wanderer), 100, 101)
	watched.requireAgain(t, 30*time.Second, fmt.Sprintf("broker %d moved", wanderer))
	watched.end(t)
	s.requireSameProxies(t, proxies)
	if after := externalBrokerOf(s.external(t, sniListener), wanderer); after.Host != before.Host || after.Port != before.Port || after.Endpoint == before.Endpoint {
		t.Errorf("broker %d was reached at %+v, and is at %+v now", wanderer, before, after)
	}
}

// cordonNode lets no Pod begin on a node, or ends that.
func cordonNode(t *testing.T, name string, cordoned bool) {
	t.Helper()
	patch := fmt.Sprintf(`{"spec":{"unschedulable":%t}}`, cordoned)
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if err := kube.Patch(context.WithoutCancel(t.Context()), node, client.RawPatch(types.MergePatchType, []byte(patch))); err != nil {
		t.Fatalf("cordoning node %s: %v", name, err)
	}
}

// deletePod deletes the Pod of a broker and waits for the next one: it has another address.
func (s *shop) deletePod(t *testing.T, id int32) {
	t.Helper()
	was := s.pod(t, id)
	if err := kube.Delete(t.Context(), was.DeepCopy()); err != nil {
		t.Fatalf("deleting Pod %s: %v", was.Name, err)
	}
	waitFor(t, 2*time.Minute, fmt.Sprintf("the next Pod of %d to be ready", id), func(context.Context) (string, bool) {
		pod := s.podList(t)[id]
		if pod == nil {
			return "no Pod", false
		}
		return describePod(pod), pod.UID != was.UID && podIsReady(pod)
	})
}

// While envoy-manager does not run, everything goes on. What has changed in the meantime arrives when it is back.
func (s *shop) envoyManagerIsAway(t *testing.T) {
	proxies := s.proxyLives(t)
	watched := s.watchConnections(t, "without-envoy-manager", 100, 101, 102)
	withoutProgram(t, envoyManager, func() {
		s.deletePod(t, 102)
		watched.requireStill(t, "envoy-manager stopped and broker 102 moved", 100, 101)
	})
	took := s.waitAccepted(t, 2*time.Minute, 102)
	t.Logf("from envoy-manager being back to its proxies knowing the new address: %s", seconds(took))
	s.waitReady(t, time.Minute)
	watched.requireStill(t, "envoy-manager came back", 100, 101)
	watched.end(t)
	s.requireSameProxies(t, proxies)
}

// A listener that a proxy cannot open is named in status, in Envoy's own words. All others go on.
func (s *shop) listenerIsBroken(t *testing.T) {
	const broken, port = "broken", 9096
	watched := s.watchConnections(t, "beside-a-broken-listener", 100, 101, 102)
	release := occupy(t, s.proxies(t), port)
	defer release()
	s.change(t, func(spec *v1beta1.KafkaClusterSpec) {
		spec.Listeners = append(spec.Listeners, v1beta1.Listener{Name: broken, Port: port, Type: v1beta1.ListenerExternal,
			External: &v1beta1.ExternalAccess{Domain: "broken.example.com"}})
	})
	waitFor(t, time.Minute, "the broken listener to be reported", func(ctx context.Context) (string, bool) {
		kc, err := s.get(ctx)
		if err != nil {
			return err.Error(), false
		}
		degraded := conditionOf(kc, v1beta1.ConditionExternalAccessDegraded)
		for _, r := range externalOf(kc, broken).Rejected {
			if strings.Contains(r.Message, "Address already in use") && r.Proxies >= 1 && degraded.Status == metav1.ConditionTrue {
				t.Logf("%s: %s", r.Resource, r.Message)
				return "", true
			}
		}
		return fmt.Sprintf("%+v, %s", externalOf(kc, broken), degraded.Message), false
	})
	for _, name := range []string{sniListener, portListener} {
		if l := s.external(t, name); l.AcceptedBy != l.Proxies || len(l.Rejected) > 0 {
			t.Errorf("listener %s, which is well: %+v", name, l)
		}
	}
	release()
	s.change(t, func(spec *v1beta1.KafkaClusterSpec) {
		spec.Listeners = slices.DeleteFunc(spec.Listeners, func(l v1beta1.Listener) bool { return l.Name == broken })
	})
	s.waitReady(t, 4*time.Minute) // brokers restart, because their listeners have changed
	watched.end(t)
}

// The process of a proxy is killed: its clients are connected again within seconds, through the other one.
func (s *shop) proxyIsKilled(t *testing.T) {
	watched := s.watchConnections(t, "a-proxy-is-killed", 100, 101, 102)
	pods := s.proxies(t)
	killProcess(t, pods[sorted(pods)[0]], "envoy", "envoy")
	watched.requireAgain(t, 30*time.Second, "a proxy was killed")
	watched.end(t)
	s.waitProxies(t)
}

// A Pod of a proxy is deleted, as a drain of its node does. It lets go of its clients one by one: none of them has to
// connect more than once again.
func (s *shop) proxyPodIsDeleted(t *testing.T) {
	watched := s.watchConnections(t, "a-proxy-is-deleted", 100, 101, 102)
	pods := s.proxies(t)
	victim := pods[sorted(pods)[0]]
	begin := time.Now()
	if err := kube.Delete(t.Context(), victim.DeepCopy()); err != nil {
		t.Fatalf("deleting Pod %s: %v", victim.Name, err)
	}
	waitFor(t, 2*time.Minute, "the Pod to be gone", func(ctx context.Context) (string, bool) {
		left, err := s.listProxies(ctx)
		if err != nil {
			return err.Error(), false
		}
		return fmt.Sprintf("%v", sorted(left)), left[victim.Name] == nil
	})
	t.Logf("the proxy took %s to let go of its clients", seconds(time.Since(begin)))
	if worst := watched.reconnects(); worst > 1 {
		t.Errorf("a client had to connect %d times again", worst)
	}
	watched.end(t)
	s.waitProxies(t)
}

// waitProxies waits until all proxies are ready and have accepted everything.
func (s *shop) waitProxies(t *testing.T) {
	t.Helper()
	waitFor(t, time.Minute, "two proxies", func(ctx context.Context) (string, bool) {
		kc, err := s.get(ctx)
		if err != nil {
			return err.Error(), false
		}
		l := externalOf(kc, sniListener)
		return fmt.Sprintf("%d of %d", l.AcceptedBy, l.Proxies), l.Proxies == 2 && l.AcceptedBy == 2
	})
}

// The node of a broker loses its power, perhaps with the only controller. Nobody closes the broker's connections: the
// proxies find out by themselves.
func (s *shop) nodeOfABrokerIsLost(t *testing.T) {
	lost, nodeName := s.brokerWithoutProxy(t)
	others := slices.DeleteFunc([]int32{100, 101, 102}, func(id int32) bool { return id == lost })
	watched := s.watchConnections(t, "a-node-is-lost", 100, 101, 102)
	direct := s.watchThroughProxies(t, lost)
	s.killNode(t, nodeName)
	took := direct.waitClosed(t, time.Minute, lost)
	t.Logf("clients of broker %d noticed %s after its node had died", lost, seconds(took))
	watched.requireStill(t, "the node of another broker died", others...)
	fault(t, "heal-node", nodeName)
	s.waitReady(t, 3*time.Minute)
	watched.end(t)
}

// watchThroughProxies connects clients to a broker through each proxy itself. The load balancer may lead others through any node:
// what enters through one that dies has only its own patience.
func (s *shop) watchThroughProxies(t *testing.T, id int32) *connections {
	t.Helper()
	config, err := s.adminTLS(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	t.Cleanup(stop)
	c := &connections{shop: s}
	for _, proxy := range s.proxies(t) {
		for _, listener := range []string{sniListener, portListener} {
			b := externalBrokerOf(s.external(t, listener), id)
			port := int32(sniPort)
			if listener == portListener {
				port = b.ProxyPort
			}
			p := &probe{listener: listener, broker: id, host: b.Host, address: net.JoinHostPort(proxy.Status.PodIP, fmt.Sprint(port)), config: config}
			c.probes = append(c.probes, p)
			go p.run(ctx)
		}
	}
	waitFor(t, 30*time.Second, "clients to be connected through each proxy", c.allSpeak)
	return c
}

// brokerWithoutProxy is a broker on a node that no proxy runs on: clients of a proxy that is dead, too, have only their own
// patience.
func (s *shop) brokerWithoutProxy(t *testing.T) (int32, string) {
	t.Helper()
	taken := map[string]bool{}
	for _, proxy := range s.proxies(t) {
		taken[proxy.Spec.NodeName] = true
	}
	pods := s.podList(t)
	for _, id := range []int32{100, 101, 102} {
		if node := pods[id].Spec.NodeName; !taken[node] {
			t.Logf("broker %d runs on %s, without a proxy", id, node)
			return id, node
		}
	}
	t.Fatalf("there is a proxy on the node of each broker: %v", sorted(taken))
	return 0, ""
}
