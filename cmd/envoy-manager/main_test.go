package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/cmd/internal/setup"
)

const (
	system    = "koperator-system"
	namespace = "kafka"
	orders    = "orders"
	domain    = "orders.example.com"
	// asProgram makes the test's own program be envoy-manager.
	asProgram = "KOPERATOR_TEST_AS_ENVOY_MANAGER"
)

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// world is a real kube-apiserver, two processes of envoy-manager, and two real Envoys as proxies, each of which gets its
// configuration from another replica. Kubelet, Deployments and load balancers are played; brokers are servers that speak TLS.
type world struct {
	testing.TB
	context.Context
	client     client.Client
	kubeconfig string
	// Ports of the listener with SNI, of the one with a port for each broker, and the first of brokers.
	sni, bootstrap, first int32
	// Port of envoy-manager.
	xds      int32
	managers []*manager
	proxies  []*proxy
	brokers  map[int32]*broker
}

func newWorld(t *testing.T) *world {
	t.Helper()
	env := &envtest.Environment{CRDDirectoryPaths: []string{"../../config/crd/bases"}, ErrorIfCRDPathMissing: true}
	config, err := env.Start()
	if err != nil {
		t.Fatalf("starting a kube-apiserver (KUBEBUILDER_ASSETS must name a folder with etcd and kube-apiserver; `make test-unit` sets it): %v", err)
	}
	t.Cleanup(func() { _ = env.Stop() })
	c, err := client.New(config, client.Options{Scheme: setup.Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	user, err := env.AddUser(envtest.User{Name: "envoy-manager", Groups: []string{"system:masters"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := user.KubeConfig()
	if err != nil {
		t.Fatal(err)
	}
	w := &world{TB: t, Context: t.Context(), client: c, kubeconfig: filepath.Join(t.TempDir(), "kubeconfig"), brokers: map[int32]*broker{}}
	w.must(os.WriteFile(w.kubeconfig, text, 0o600))
	for _, name := range []string{system, namespace} {
		w.must(c.Create(w, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}))
	}
	ports := freePorts(t, 3)
	w.sni, w.bootstrap, w.xds, w.first = ports[0], ports[1], ports[2], freeRange(t, 8)
	return w
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// await looks until something is so; what it sees meanwhile is told if it takes too long.
func (w *world) await(what string, look func() (seen string, ok bool)) {
	w.Helper()
	var seen string
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		var ok bool
		if seen, ok = look(); ok {
			return
		}
	}
	w.Fatalf("waiting for %s took too long: %s", what, seen)
}

// manager is a process of envoy-manager.
type manager struct {
	name    string
	process *exec.Cmd
	xds     string
	health  string
	log     *os.File
}

// startManager starts one. All serve at the same port, as behind a Service, and each at an address of its own.
func (w *world) startManager(name string) *manager {
	w.Helper()
	m := &manager{name: name, xds: fmt.Sprintf("%s:%d", newAddress(), w.xds), health: fmt.Sprintf("127.0.0.1:%d", freePorts(w.TB, 1)[0])}
	w.Cleanup(func() { w.stopManager(m) })
	w.runManager(m)
	return m
}

func (w *world) runManager(m *manager) {
	w.Helper()
	log, err := os.Create(filepath.Join(w.TempDir(), m.name+".log"))
	w.must(err)
	m.log = log
	m.process = exec.Command(os.Args[0], "run", "--kubeconfig="+w.kubeconfig, "--leader-elect", "--leader-election-namespace="+system,
		"--xds-bind-address="+m.xds, "--health-probe-bind-address="+m.health, "--metrics-bind-address=0",
		"--pod-namespace="+system, "--pod-name="+m.name, "--pod-uid="+m.name, "--image=koperator/envoy-manager:test")
	m.process.Env = append(os.Environ(), asProgram+"=yes")
	m.process.Stdout, m.process.Stderr = log, log
	w.must(m.process.Start())
	w.await(m.name+" to be ready", func() (string, bool) { return "it is not", statusOf("http://"+m.health+"/readyz") == 200 })
}

func (w *world) stopManager(m *manager) {
	if m.process.ProcessState != nil {
		return
	}
	_ = m.process.Process.Signal(syscall.SIGTERM)
	_ = m.process.Wait()
	if w.Failed() {
		text, _ := os.ReadFile(m.log.Name())
		w.Logf("%s says:\n%s", m.name, text)
	}
}

func (w *world) createCluster(ids ...int32) {
	w.Helper()
	kc := &v1beta1.KafkaCluster{ObjectMeta: metav1.ObjectMeta{Name: orders, Namespace: namespace}, Spec: v1beta1.KafkaClusterSpec{
		BrokerGroups: []v1beta1.BrokerGroup{
			{Name: "controllers", Roles: []v1beta1.Role{v1beta1.RoleController}, Storage: []v1beta1.Storage{{Path: "/var/lib/kafka/metadata", Size: resource.MustParse("1Gi")}}},
			{Name: "default", Roles: []v1beta1.Role{v1beta1.RoleBroker}, Storage: []v1beta1.Storage{{Path: "/var/lib/kafka/a", Size: resource.MustParse("10Gi")}}},
		},
		Brokers: []v1beta1.Broker{{ID: 0, Group: "controllers"}},
		Listeners: []v1beta1.Listener{
			{Name: "public", Port: w.sni, Type: v1beta1.ListenerExternal, External: &v1beta1.ExternalAccess{Domain: domain}},
			{Name: "ports", Port: w.bootstrap, Type: v1beta1.ListenerExternal, External: &v1beta1.ExternalAccess{
				Mode: v1beta1.ExternalPortPerBroker, BrokerPorts: &v1beta1.BrokerPorts{First: w.first, Count: 8},
			}},
		},
	}}
	for _, id := range ids {
		kc.Spec.Brokers = append(kc.Spec.Brokers, v1beta1.Broker{ID: id, Group: "default"})
	}
	w.must(w.client.Create(w, kc))
}

func (w *world) cluster() *v1beta1.KafkaCluster {
	w.Helper()
	kc := &v1beta1.KafkaCluster{}
	w.must(w.client.Get(w, client.ObjectKey{Namespace: namespace, Name: orders}, kc))
	return kc
}

func (w *world) edit(change func(*v1beta1.KafkaClusterSpec)) {
	w.Helper()
	kc := w.cluster()
	before := client.MergeFrom(kc.DeepCopy())
	change(&kc.Spec)
	w.must(w.client.Patch(w, kc, before))
}

// awaitAccepted waits until as many proxies have accepted everything of both listeners, and these brokers.
func (w *world) awaitAccepted(proxies int32, ids ...int32) {
	w.Helper()
	w.await(fmt.Sprintf("%d proxies to accept %v", proxies, ids), func() (string, bool) {
		status := w.cluster().Status
		seen, ok := fmt.Sprintf("%+v", status.ExternalListeners), len(status.ExternalListeners) == 2
		for _, listener := range status.ExternalListeners {
			ok = ok && listener.AcceptedBy == proxies && len(listener.Brokers) == len(ids)
			for _, broker := range listener.Brokers {
				ok = ok && broker.AcceptedBy == proxies && w.brokers[broker.ID] != nil && strings.HasPrefix(broker.Endpoint, w.brokers[broker.ID].ip+":")
			}
		}
		return seen, ok
	})
}

func (w *world) condition(kind string) metav1.Condition {
	w.Helper()
	return ptr.Deref(meta.FindStatusCondition(w.cluster().Status.Conditions, kind), metav1.Condition{})
}

// playLoadBalancers gives each Service an address.
func (w *world) playLoadBalancers() {
	w.Helper()
	for _, name := range []string{"orders-external-public", "orders-external-ports"} {
		service := &corev1.Service{}
		w.await("Service "+name, func() (string, bool) {
			err := w.client.Get(w, client.ObjectKey{Namespace: namespace, Name: name}, service)
			return fmt.Sprint(err), err == nil
		})
		service.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: "127.0.0.1"}}
		w.must(w.client.Status().Update(w, service))
	}
}

func (w *world) deployment() *appsv1.Deployment {
	w.Helper()
	deployment := &appsv1.Deployment{}
	w.await("the Deployment of the proxies", func() (string, bool) {
		err := w.client.Get(w, client.ObjectKey{Namespace: namespace, Name: "orders-envoy"}, deployment)
		return fmt.Sprint(err), err == nil
	})
	return deployment
}

func freePorts(t testing.TB, count int) []int32 {
	t.Helper()
	var ports []int32
	for range count {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = listener.Close() }()
		ports = append(ports, int32(listener.Addr().(*net.TCPAddr).Port))
	}
	return ports
}

// freeRange is the first of some ports in a row, below those that the kernel gives to clients. Envoy listens on them much
// later and shares them with whoever does: another run at the same time looks elsewhere.
func freeRange(t testing.TB, count int32) int32 {
	t.Helper()
	for range 1000 {
		if first := 20_000 + count*rand.Int32N(10_000/count); isFree(first, count) {
			return first
		}
	}
	t.Fatal("there are no free ports")
	return 0
}

func isFree(first, count int32) bool {
	for port := first; port < first+count; port++ {
		listener, err := net.Listen("tcp", fmt.Sprintf(":%d", port))
		if err != nil {
			return false
		}
		defer func() { _ = listener.Close() }()
	}
	return true
}

// From a KafkaCluster to clients that reach each of its brokers through two real proxies, and what becomes of their
// connections when brokers come and go, and when envoy-manager is away.
func TestEnvoyManager(t *testing.T) {
	w := newWorld(t)
	w.managers = []*manager{w.startManager("first"), w.startManager("second")}
	w.startBroker(100)
	w.startBroker(101)
	w.createCluster(100, 101)
	w.playLoadBalancers()
	w.proxies = []*proxy{w.startProxy("orders-envoy-a", w.managers[0]), w.startProxy("orders-envoy-b", w.managers[1])}
	w.awaitAccepted(2, 100, 101)
	w.await("access to be ready", func() (string, bool) {
		ready := w.condition(v1beta1.ConditionExternalAccessReady)
		return fmt.Sprint(ready), ready.Status == metav1.ConditionTrue
	})
	before := w.deployment()
	w.requireReached(100, 101)

	open := w.connect(100)
	w.startBroker(102)
	w.edit(func(spec *v1beta1.KafkaClusterSpec) {
		spec.Brokers = append(spec.Brokers[:2:2], v1beta1.Broker{ID: 102, Group: "default"})
	})
	w.stopBroker(101)
	w.awaitAccepted(2, 100, 102)
	w.requireReached(100, 102)
	w.moveBroker(102)
	w.awaitAccepted(2, 100, 102)
	w.requireReached(100, 102)
	open.requireOpen("brokers came, went and moved")

	w.stopManager(w.managers[0])
	w.moveBroker(102)
	w.awaitAccepted(1, 100, 102) // by the proxy of the other replica, which leads now
	open.requireOpen("a replica of envoy-manager went away")
	w.runManager(w.managers[0])
	w.awaitAccepted(2, 100, 102)
	w.requireReached(100, 102)
	open.requireOpen("it came back")

	if after := w.deployment(); after.Generation != before.Generation {
		t.Errorf("the Deployment of the proxies has changed: %+v", after.Spec)
	}
}
