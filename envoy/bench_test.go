package envoy

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	cluster "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/go-logr/logr"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/envoy/fleet/objects"
	"koperator.dev/koperator/envoy/translate"
)

const (
	benchProxies = 10
	// The API allows 512 brokers in a cluster: a thousand are in two.
	benchBrokers = 500
	benchSystem  = "koperator-system"
)

// BenchmarkPodToAcks is all of envoy-manager, as a process of its own, with a thousand brokers in a real kube-apiserver: from
// the moment in which the status of a broker's Pod is written with another address, to ten proxies that have acknowledged it.
// Watches are in it. The proxies are simulated, in the process of the benchmark.
func BenchmarkPodToAcks(b *testing.B) {
	for _, mode := range []v1beta1.ExternalMode{v1beta1.ExternalSNI, v1beta1.ExternalPortPerBroker} {
		b.Run(string(mode), func(b *testing.B) { benchmarkPodToAcks(b, mode) })
	}
}

func benchmarkPodToAcks(b *testing.B, mode v1beta1.ExternalMode) {
	world := newBenchWorld(b)
	for _, name := range []string{"one", "two"} {
		world.create(benchCluster(name, mode))
		world.createBrokers(name)
	}
	program := world.start()
	proxies := world.connect("one")
	pod := world.pod("one-250")

	var took []time.Duration
	before := program.cpu(b)
	for i := 0; b.Loop(); i++ {
		b.StopTimer()
		address := fmt.Sprintf("10.200.%d.%d", i/250, i%250+1)
		pod.Status.PodIP, pod.Status.PodIPs = address, []corev1.PodIP{{IP: address}}
		seen := proxies.expect(address)
		b.StartTimer()
		begin := time.Now()
		world.must(world.client.Status().Update(b.Context(), pod))
		world.await("all proxies have the address", seen)
		took = append(took, time.Since(begin))
	}
	slices.Sort(took)
	b.ReportMetric(milliseconds(took[len(took)/2]), "p50-ms")
	b.ReportMetric(milliseconds(took[min(len(took)-1, len(took)*99/100)]), "p99-ms")
	b.ReportMetric(1000*(program.cpu(b)-before)/float64(len(took)), "manager-CPU-ms/op")
	b.ReportMetric(program.memory(b), "manager-RSS-MiB")
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// benchWorld is a kube-apiserver.
type benchWorld struct {
	*testing.B
	client     client.Client
	kubeconfig string
	xdsAddress string
}

func newBenchWorld(b *testing.B) *benchWorld {
	b.Helper()
	log.SetLogger(logr.Discard())
	w := &benchWorld{B: b, xdsAddress: freeAddress(b)}
	env := &envtest.Environment{CRDDirectoryPaths: []string{"../config/crd/bases"}, ErrorIfCRDPathMissing: true}
	config, err := env.Start()
	w.must(err)
	b.Cleanup(func() { _ = env.Stop() })
	config.QPS, config.Burst = -1, 0
	scheme := runtime.NewScheme()
	w.must(clientgoscheme.AddToScheme(scheme))
	w.must(v1beta1.AddToScheme(scheme))
	w.client, err = client.New(config, client.Options{Scheme: scheme})
	w.must(err)
	user, err := env.AddUser(envtest.User{Name: "envoy-manager", Groups: []string{"system:masters"}}, nil)
	w.must(err)
	content, err := user.KubeConfig()
	w.must(err)
	w.kubeconfig = filepath.Join(b.TempDir(), "kubeconfig")
	w.must(os.WriteFile(w.kubeconfig, content, 0o600))
	w.create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: benchSystem}})
	return w
}

func freeAddress(b *testing.B) string {
	b.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}

func (w *benchWorld) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *benchWorld) create(obj client.Object) {
	w.Helper()
	w.must(w.client.Create(w.Context(), obj))
}

func (w *benchWorld) await(what string, done <-chan struct{}) {
	w.Helper()
	select {
	case <-done:
	case <-time.After(time.Minute):
		w.Fatalf("not in a minute: %s", what)
	}
}

// until asks again and again: for what nobody tells.
func (w *benchWorld) until(what string, is func() bool) {
	w.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !is(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.Fatalf("not in two minutes: %s", what)
		}
	}
}

func benchCluster(name string, mode v1beta1.ExternalMode) *v1beta1.KafkaCluster {
	access := &v1beta1.ExternalAccess{Mode: mode, Domain: name + ".example.com"}
	if mode == v1beta1.ExternalPortPerBroker {
		access.BrokerPorts = &v1beta1.BrokerPorts{First: 20_000, Count: benchBrokers}
	}
	disks := []v1beta1.Storage{{Path: "/var/lib/kafka/a", Size: resource.MustParse("10Gi")}}
	kc := &v1beta1.KafkaCluster{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: metav1.NamespaceDefault}, Spec: v1beta1.KafkaClusterSpec{
		BrokerGroups: []v1beta1.BrokerGroup{
			{Name: "controllers", Roles: []v1beta1.Role{v1beta1.RoleController}, Storage: disks},
			{Name: "default", Roles: []v1beta1.Role{v1beta1.RoleBroker}, Storage: disks},
		},
		Brokers:   []v1beta1.Broker{{ID: 10_000, Group: "controllers"}},
		Listeners: []v1beta1.Listener{{Name: "public", Port: 9094, Type: v1beta1.ListenerExternal, External: access}},
	}}
	for id := range int32(benchBrokers) {
		kc.Spec.Brokers = append(kc.Spec.Brokers, v1beta1.Broker{ID: id, Group: "default"})
	}
	return kc
}

func (w *benchWorld) createBrokers(name string) {
	w.Helper()
	var group errgroup.Group
	group.SetLimit(16)
	for id := range benchBrokers {
		labels := map[string]string{v1beta1.LabelCluster: name, v1beta1.LabelBroker: "true", v1beta1.LabelBrokerID: strconv.Itoa(id)}
		group.Go(func() error {
			return w.createPod(fmt.Sprintf("%s-%d", name, id), fmt.Sprintf("10.1.%d.%d", id/250, id%250+1), labels)
		})
	}
	w.must(group.Wait())
}

func (w *benchWorld) createPod(name, address string, labels map[string]string) error {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: metav1.NamespaceDefault, Labels: labels},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "image"}}},
	}
	if err := w.client.Create(w.Context(), pod); err != nil {
		return err
	}
	pod.Status = corev1.PodStatus{
		Phase: corev1.PodRunning, PodIP: address, PodIPs: []corev1.PodIP{{IP: address}},
		Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}},
	}
	return w.client.Status().Update(w.Context(), pod)
}

func (w *benchWorld) pod(name string) *corev1.Pod {
	w.Helper()
	pod := &corev1.Pod{}
	w.must(w.client.Get(w.Context(), client.ObjectKey{Namespace: metav1.NamespaceDefault, Name: name}, pod))
	return pod
}

// process is envoy-manager.
type process struct{ pid int }

func (w *benchWorld) start() process {
	w.Helper()
	program := filepath.Join(w.TempDir(), "envoy-manager")
	if out, err := exec.Command("go", "build", "-buildvcs=false", "-o", program, "../cmd/envoy-manager").CombinedOutput(); err != nil {
		w.Fatalf("building envoy-manager: %v\n%s", err, out)
	}
	cmd := exec.Command(program, "--kubeconfig="+w.kubeconfig, "--xds-bind-address="+w.xdsAddress, "--metrics-bind-address=0",
		"--health-probe-bind-address="+freeAddress(w.B), "--image=envoy-manager", "--pod-namespace="+benchSystem, "--pod-name=envoy-manager", "--pod-uid=1")
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	w.must(cmd.Start())
	w.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if w.Failed() {
			w.Logf("envoy-manager says: %s", output.String())
		}
	})
	return process{cmd.Process.Pid}
}

// memory is what it has resident, in MiB.
func (p process) memory(b *testing.B) float64 {
	b.Helper()
	for line := range strings.Lines(p.proc(b, "status")) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == "VmRSS:" {
			kilobytes, _ := strconv.Atoi(fields[1])
			return float64(kilobytes) / 1024
		}
	}
	b.Fatal("envoy-manager has no VmRSS")
	return 0
}

// cpu is in seconds. Its clock has a hundred ticks a second on all architectures of Linux that Go knows.
func (p process) cpu(b *testing.B) float64 {
	b.Helper()
	text := p.proc(b, "stat")
	fields := strings.Fields(text[strings.LastIndex(text, ")")+1:])
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return float64(user+system) / 100
}

func (p process) proc(b *testing.B, file string) string {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", p.pid, file))
	if err != nil {
		b.Fatal(err)
	}
	return string(text)
}

// benchFleet are the proxies of a cluster: Pods in Kubernetes, and a stream each.
type benchFleet struct {
	proxies []*benchProxy
}

// connect makes the proxies' Pods, and waits until each proxy has all brokers.
func (w *benchWorld) connect(name string) *benchFleet {
	w.Helper()
	secret := &corev1.Secret{}
	key := client.ObjectKey{Namespace: metav1.NamespaceDefault, Name: objects.SecretName(name + "-envoy")}
	w.until("the proxies have a certificate", func() bool { return w.client.Get(w.Context(), key, secret) == nil })
	certificate, err := tls.X509KeyPair(secret.Data[corev1.TLSCertKey], secret.Data[corev1.TLSPrivateKeyKey])
	w.must(err)
	authorities := x509.NewCertPool()
	authorities.AppendCertsFromPEM(secret.Data["ca.crt"])
	config := &tls.Config{Certificates: []tls.Certificate{certificate}, RootCAs: authorities, ServerName: "envoy-manager." + benchSystem + ".svc"}
	fleet := &benchFleet{}
	for i := range benchProxies {
		proxy := &benchProxy{name: fmt.Sprintf("%s-envoy-%d", name, i), fleet: metav1.NamespaceDefault + "/" + name + "-envoy", complete: make(chan struct{})}
		w.must(w.createPod(proxy.name, fmt.Sprintf("10.9.9.%d", i+1), map[string]string{v1beta1.LabelCluster: name, v1beta1.LabelComponent: v1beta1.ComponentEnvoy}))
		fleet.proxies = append(fleet.proxies, proxy)
	}
	for _, proxy := range fleet.proxies {
		complete := proxy.complete
		w.run(proxy, config)
		w.await(proxy.name+" has all brokers", complete)
	}
	return fleet
}

// run speaks until the benchmark is over.
func (w *benchWorld) run(proxy *benchProxy, config *tls.Config) {
	w.Helper()
	connection, err := grpc.NewClient("passthrough:///"+w.xdsAddress,
		grpc.WithTransportCredentials(credentials.NewTLS(config)), grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(64<<20)))
	w.must(err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- proxy.speak(ctx, connection) }()
	w.Cleanup(func() {
		cancel()
		if err := <-done; err != nil && ctx.Err() == nil {
			w.Errorf("%s: %v", proxy.name, err)
		}
		_ = connection.Close()
	})
}

// expect returns a channel that is closed once all proxies have acknowledged an address.
func (f *benchFleet) expect(address string) <-chan struct{} {
	var all sync.WaitGroup
	all.Add(len(f.proxies))
	for _, proxy := range f.proxies {
		proxy.mu.Lock()
		proxy.wanted, proxy.found = []byte(address), all.Done
		proxy.mu.Unlock()
	}
	done := make(chan struct{})
	go func() { all.Wait(); close(done) }()
	return done
}

// benchProxy asks for what Envoy asks for, and accepts everything.
type benchProxy struct {
	name, fleet string
	stream      discovery.AggregatedDiscoveryService_DeltaAggregatedResourcesClient
	clusters    map[string]bool
	endpoints   map[string]bool
	complete    chan struct{}

	mu     sync.Mutex
	wanted []byte
	found  func()
}

func (p *benchProxy) speak(ctx context.Context, connection *grpc.ClientConn) error {
	p.clusters, p.endpoints = map[string]bool{}, map[string]bool{}
	stream, err := discovery.NewAggregatedDiscoveryServiceClient(connection).DeltaAggregatedResources(ctx)
	if err != nil {
		return err
	}
	p.stream = stream
	node := &core.Node{Id: p.name, Cluster: p.fleet}
	if err := stream.Send(&discovery.DeltaDiscoveryRequest{Node: node, TypeUrl: translate.TypeCluster.URL()}); err != nil {
		return err
	}
	for {
		response, err := stream.Recv()
		if err != nil {
			return err
		}
		if err := p.answer(response); err != nil {
			return err
		}
	}
}

func (p *benchProxy) answer(response *discovery.DeltaDiscoveryResponse) error {
	if response.GetTypeUrl() == translate.TypeCluster.URL() {
		if err := p.subscribe(response); err != nil {
			return err
		}
	}
	if err := p.stream.Send(&discovery.DeltaDiscoveryRequest{TypeUrl: response.GetTypeUrl(), ResponseNonce: response.GetNonce()}); err != nil {
		return err
	}
	if response.GetTypeUrl() == translate.TypeEndpoint.URL() {
		p.note(response)
	}
	return nil
}

// subscribe asks for the endpoints of new clusters, and after the first of them for listeners.
func (p *benchProxy) subscribe(response *discovery.DeltaDiscoveryResponse) error {
	begins := len(p.clusters) == 0
	var names []string
	for _, resource := range response.GetResources() {
		message := &cluster.Cluster{}
		if err := resource.GetResource().UnmarshalTo(message); err != nil {
			return err
		}
		if name := message.GetEdsClusterConfig().GetServiceName(); !p.clusters[name] {
			p.clusters[name] = true
			names = append(names, name)
		}
	}
	if err := p.stream.Send(&discovery.DeltaDiscoveryRequest{TypeUrl: translate.TypeEndpoint.URL(), ResourceNamesSubscribe: names}); err != nil || !begins {
		return err
	}
	return p.stream.Send(&discovery.DeltaDiscoveryRequest{TypeUrl: translate.TypeListener.URL()})
}

// note looks for what is expected. An address is in the bytes of a message as it is written.
func (p *benchProxy) note(response *discovery.DeltaDiscoveryResponse) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, resource := range response.GetResources() {
		p.endpoints[resource.GetName()] = true
		if p.found != nil && bytes.Contains(resource.GetResource().GetValue(), p.wanted) {
			p.found()
			p.found = nil
		}
	}
	if len(p.endpoints) >= benchBrokers && p.complete != nil {
		close(p.complete)
		p.complete = nil
	}
}
