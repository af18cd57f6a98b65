package controllers_test

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/apis/machinery/kafka"
	"koperator.dev/koperator/controllers"
	"koperator.dev/koperator/controllers/internal/desired"
	"koperator.dev/koperator/controllers/kafkacluster"
)

const (
	benchBrokers         = 100
	benchControllers     = 3
	benchFirstController = 1000
	benchTopics          = 200
	benchPartitions      = 10
)

// BenchmarkHundredBrokers runs broker-manager on a real kube-apiserver, with a cluster of a hundred brokers and three
// controllers. Kafka is franz-go's fake on an in-memory network; kubelet, scheduler and volume binder are played.
//
// Counts are of broker-manager alone: the others have clients of their own. Times are wall times, and memory is that of
// the whole process, the fake Kafka included.
func BenchmarkHundredBrokers(b *testing.B) {
	ctrl.SetLogger(logr.Discard())
	w := newBenchWorld(b)
	first := w.startManager(b, true)
	b.Run("CRToAllObjects", func(b *testing.B) { w.benchmarkCreation(b, first) })
	b.Run("AllPodsRunningToReady", func(b *testing.B) { w.benchmarkReady(b, first) })
	first.stop()

	second := w.startManager(b, false)
	b.Run("FirstPassAfterARestart", func(b *testing.B) { w.benchmarkFirstPass(b, second) })
	b.Run("IdlePass", func(b *testing.B) { w.benchmarkIdlePass(b, second) })
	second.stop()
}

// benchmarkCreation is from `kubectl apply` to the last object that the cluster needs.
func (w *benchWorld) benchmarkCreation(b *testing.B, m *benchManager) {
	begin := time.Now()
	kc := benchCluster()
	w.must(b, w.client.Create(b.Context(), kc))
	id := desired.ClusterID(string(kc.UID))
	w.kafka.id.Store(&id)
	nodes := benchBrokers + benchControllers
	w.await(b, "all objects", func() bool {
		return w.count(b, &corev1.PodList{}) == nodes && w.count(b, &corev1.PersistentVolumeClaimList{}) == nodes &&
			w.count(b, &corev1.ConfigMapList{}) >= nodes
	})
	b.ReportMetric(time.Since(begin).Seconds(), "s")
	b.ReportMetric(0, "ns/op")
	m.calls.report(b, 1)
}

// benchmarkReady is from the last Pod running to the KafkaCluster being Ready.
func (w *benchWorld) benchmarkReady(b *testing.B, m *benchManager) {
	m.calls.reset()
	w.play(b)
	begin := time.Now()
	w.await(b, "Ready", func() bool {
		kc := &v1beta1.KafkaCluster{}
		w.must(b, w.client.Get(b.Context(), benchKey, kc))
		return meta.IsStatusConditionTrue(kc.Status.Conditions, v1beta1.ConditionReady)
	})
	b.ReportMetric(time.Since(begin).Seconds(), "s")
	b.ReportMetric(0, "ns/op")
	m.calls.report(b, 1)
	b.ReportMetric(residentMegabytes(b), "MB-RSS")
}

// benchmarkFirstPass is what a new broker-manager costs the API server before it knows that all is as it should be.
func (w *benchWorld) benchmarkFirstPass(b *testing.B, m *benchManager) {
	m.calls.reset()
	begin := time.Now()
	m.pass(b)
	b.ReportMetric(time.Since(begin).Seconds(), "s")
	b.ReportMetric(0, "ns/op")
	m.calls.report(b, 1)
}

// benchmarkIdlePass is a pass in which nothing has to be done.
func (w *benchWorld) benchmarkIdlePass(b *testing.B, m *benchManager) {
	for range 3 {
		m.pass(b)
	}
	m.calls.reset()
	dials, requests := w.kafka.dials.Load(), w.kafka.requests.Load()
	cpu := processorTime(b)
	passes := 0
	for b.Loop() {
		m.pass(b)
		passes++
	}
	cpu = processorTime(b) - cpu
	b.ReportMetric(cpu.Seconds()*1000/float64(passes), "cpu-ms/pass")
	b.ReportMetric(float64(w.kafka.dials.Load()-dials)/float64(passes), "kafka-connections/pass")
	b.ReportMetric(float64(w.kafka.requests.Load()-requests)/float64(passes), "kafka-requests/pass")
	b.ReportMetric(residentMegabytes(b), "MB-RSS")
	m.calls.report(b, passes)
	if writes := m.calls.writes(); writes > 0 {
		b.Errorf("%d idle passes wrote %d times to the API server: %v", passes, writes, m.calls.snapshot())
	}
}

// benchWorld is a kube-apiserver, a Kafka, and somebody who plays the rest of Kubernetes.
type benchWorld struct {
	config *rest.Config
	scheme *runtime.Scheme
	client client.Client
	kafka  *benchKafka
}

func newBenchWorld(b *testing.B) *benchWorld {
	b.Helper()
	env := &envtest.Environment{CRDDirectoryPaths: []string{"../config/crd/bases"}, ErrorIfCRDPathMissing: true}
	restConfig, err := env.Start()
	if err != nil {
		b.Fatalf("starting a kube-apiserver (KUBEBUILDER_ASSETS must name a folder with etcd and kube-apiserver; `make bench` sets it): %v", err)
	}
	b.Cleanup(func() { _ = env.Stop() })
	restConfig.QPS, restConfig.Burst = -1, 0
	w := &benchWorld{config: restConfig, scheme: runtime.NewScheme(), kafka: newBenchKafka(b)}
	utilruntime.Must(clientgoscheme.AddToScheme(w.scheme))
	utilruntime.Must(v1beta1.AddToScheme(w.scheme))
	w.client, err = client.New(restConfig, client.Options{Scheme: w.scheme})
	w.must(b, err)
	for _, zone := range []string{"zone-a", "zone-b", "zone-c"} {
		w.must(b, w.client.Create(b.Context(), &corev1.Node{ObjectMeta: metav1.ObjectMeta{
			Name: "node-in-" + zone, Labels: map[string]string{corev1.LabelTopologyZone: zone},
		}}))
	}
	return w
}

func (w *benchWorld) must(b *testing.B, err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func (w *benchWorld) await(b *testing.B, what string, done func() bool) {
	b.Helper()
	for deadline := time.Now().Add(3 * time.Minute); !done(); {
		if time.Now().After(deadline) {
			kc := &v1beta1.KafkaCluster{}
			err := w.client.Get(b.Context(), benchKey, kc)
			b.Fatalf("waited too long for %s: %+v, %v", what, kc.Status.Conditions, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (w *benchWorld) count(b *testing.B, list client.ObjectList) int {
	b.Helper()
	metadata := &metav1.PartialObjectMetadataList{}
	gvk, err := w.client.GroupVersionKindFor(list)
	w.must(b, err)
	metadata.SetGroupVersionKind(gvk)
	w.must(b, w.client.List(b.Context(), metadata, client.InNamespace(benchKey.Namespace), client.HasLabels{v1beta1.LabelCluster}))
	return len(metadata.Items)
}

// play is the kubelet, the scheduler and the volume binder for every Pod and claim that there is.
func (w *benchWorld) play(b *testing.B) {
	b.Helper()
	claims := &corev1.PersistentVolumeClaimList{}
	w.must(b, w.client.List(b.Context(), claims))
	for i := range claims.Items {
		claim := &claims.Items[i]
		claim.Status.Phase = corev1.ClaimBound
		claim.Status.Capacity = corev1.ResourceList{corev1.ResourceStorage: claim.Spec.Resources.Requests[corev1.ResourceStorage]}
		w.must(b, w.client.Status().Update(b.Context(), claim))
	}
	pods := &corev1.PodList{}
	w.must(b, w.client.List(b.Context(), pods))
	for i := range pods.Items {
		w.playPod(b, &pods.Items[i], []string{"zone-a", "zone-b", "zone-c"}[i%3])
	}
}

func (w *benchWorld) playPod(b *testing.B, pod *corev1.Pod, zone string) {
	b.Helper()
	w.must(b, w.client.SubResource("binding").Create(b.Context(), pod, &corev1.Binding{Target: corev1.ObjectReference{Kind: "Node", Name: "node-in-" + zone}}))
	before := pod.DeepCopy()
	pod.Status.Phase = corev1.PodRunning
	pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.Now()}}
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "kafka", Ready: true, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}}
	w.must(b, w.client.Status().Patch(b.Context(), pod, client.MergeFrom(before)))
}

// benchManager is a broker-manager with a counted connection to the API server.
type benchManager struct {
	reconciler reconcile.Reconciler
	calls      *apiCalls
	stop       func()
}

// startManager starts a broker-manager. One without a controller only fills its caches: its passes are made by hand.
func (w *benchWorld) startManager(b *testing.B, controller bool) *benchManager {
	b.Helper()
	m := &benchManager{calls: &apiCalls{}}
	counted := rest.CopyConfig(w.config)
	counted.Wrap(m.calls.wrap)
	skipNameValidation := true
	mgr, err := ctrl.NewManager(counted, manager.Options{
		Scheme:     w.scheme,
		Metrics:    metricsserver.Options{BindAddress: "0"},
		Cache:      cacheOptions(),
		Client:     client.Options{Cache: &client.CacheOptions{DisableFor: []client.Object{&corev1.Secret{}}}},
		Controller: config.Controller{SkipNameValidation: &skipNameValidation},
	})
	w.must(b, err)
	reconciler := kafkacluster.New(mgr, w.kafka)
	m.reconciler = reconciler
	if controller {
		w.must(b, reconciler.SetupWithManager(mgr))
	} else {
		w.fillCaches(b, mgr)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- mgr.Start(ctx) }()
	m.stop = func() {
		cancel()
		w.must(b, <-done)
	}
	if !mgr.GetCache().WaitForCacheSync(b.Context()) {
		b.Fatal("the caches did not fill")
	}
	return m
}

// fillCaches begins the watches that the controller would begin.
func (w *benchWorld) fillCaches(b *testing.B, mgr manager.Manager) {
	b.Helper()
	for obj := range controllers.CachedObjects() {
		_, err := mgr.GetCache().GetInformer(b.Context(), obj)
		w.must(b, err)
	}
	_, err := mgr.GetCache().GetInformer(b.Context(), &v1beta1.KafkaCluster{})
	w.must(b, err)
}

func (m *benchManager) pass(b *testing.B) {
	b.Helper()
	if _, err := m.reconciler.Reconcile(b.Context(), reconcile.Request{NamespacedName: benchKey}); err != nil {
		b.Fatal(err)
	}
}

// apiCalls counts requests to the API server by verb and resource. Watches, and the lists that begin them, are not
// counted: they belong to the caches.
type apiCalls struct {
	mu    sync.Mutex
	count map[string]int
}

func (c *apiCalls) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		c.add(r)
		return next.RoundTrip(r)
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func (c *apiCalls) add(r *http.Request) {
	query := r.URL.Query()
	if query.Has("watch") || query.Has("resourceVersion") || query.Has("limit") || !strings.Contains(r.URL.Path, "/namespaces/") {
		return
	}
	verb := r.Method
	if strings.Contains(r.Header.Get("Content-Type"), "apply-patch") {
		verb = "APPLY"
	}
	// .../namespaces/NAMESPACE/RESOURCE/NAME[/SUBRESOURCE]
	_, path, _ := strings.Cut(r.URL.Path, "/namespaces/")
	parts := strings.Split(path, "/")
	what := "namespace"
	if len(parts) > 1 {
		what = parts[1]
	}
	if len(parts) > 3 {
		what += "/" + parts[3]
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.count == nil {
		c.count = map[string]int{}
	}
	c.count[verb+" "+what]++
}

func (c *apiCalls) reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count = nil
}

func (c *apiCalls) snapshot() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.count)
}

func (c *apiCalls) writes() int {
	writes := 0
	for call, n := range c.snapshot() {
		if !strings.HasPrefix(call, "GET ") {
			writes += n
		}
	}
	return writes
}

// report makes metrics of the sums, and a log of each verb and resource.
func (c *apiCalls) report(b *testing.B, passes int) {
	b.Helper()
	all := 0
	var lines []string
	counts := c.snapshot()
	for _, call := range slices.Sorted(maps.Keys(counts)) {
		all += counts[call]
		lines = append(lines, fmt.Sprintf("%6d %s", counts[call], call))
	}
	writes := c.writes()
	b.ReportMetric(float64(writes)/float64(passes), "API-writes")
	b.ReportMetric(float64(all-writes)/float64(passes), "API-reads")
	if len(lines) > 0 {
		b.Logf("calls of the API server in %d passes:\n%s", passes, strings.Join(lines, "\n"))
	}
}

// benchKafka is franz-go's fake Kafka with what it lacks. It counts connections and requests.
type benchKafka struct {
	cluster  *kfake.Cluster
	network  kfake.VirtualNetwork
	pool     kafka.Pool
	id       atomic.Pointer[string] // of the Kafka cluster, as it is on the disks
	dials    atomic.Int64
	requests atomic.Int64
}

func newBenchKafka(b *testing.B) *benchKafka {
	b.Helper()
	k := &benchKafka{}
	ports := make([]int, benchBrokers)
	for i := range ports {
		ports[i] = 9100 + i
	}
	options := []kfake.Opt{kfake.NumBrokers(benchBrokers), kfake.Ports(ports...), kfake.ListenFn(k.network.Listen), kfake.ClusterID("benchmark")}
	for i := range benchTopics {
		options = append(options, kfake.SeedTopics(benchPartitions, fmt.Sprintf("topic-%d", i)))
	}
	k.cluster = kfake.MustCluster(options...)
	b.Cleanup(func() {
		k.pool.Close()
		k.cluster.Close()
	})
	k.cluster.Control(k.control)
	return k
}

// For makes an Admin of the fake Kafka, whatever addresses and certificates it is asked for with.
func (k *benchKafka) For(key string, c kafka.Config) (kafka.Admin, error) {
	admin, err := k.pool.For(key, kafka.Config{ClientID: c.ClientID, Seeds: k.cluster.ListenAddrs(), Dialer: k.dial})
	return benchAdmin{Admin: admin, kafka: k}, err
}

// benchAdmin says that the fake Kafka is the cluster that the disks belong to.
type benchAdmin struct {
	kafka.Admin
	kafka *benchKafka
}

func (a benchAdmin) Describe(ctx context.Context) (kafka.Cluster, error) {
	cluster, err := a.Admin.Describe(ctx)
	if id := a.kafka.id.Load(); id != nil {
		cluster.ID = *id
	}
	return cluster, err
}

func (k *benchKafka) Forget(key string) { k.pool.Forget(key) }

func (k *benchKafka) dial(ctx context.Context, network, address string) (net.Conn, error) {
	k.dials.Add(1)
	return k.network.DialContext(ctx, network, address)
}

// control answers what kfake cannot.
func (k *benchKafka) control(request kmsg.Request) (kmsg.Response, error, bool) { //nolint:revive // kfake fixes the order
	k.cluster.KeepControl()
	k.requests.Add(1)
	switch request := request.(type) {
	case *kmsg.ApiVersionsRequest:
		return everyVersion(request), nil, true
	case *kmsg.DescribeQuorumRequest:
		return k.quorum(request), nil, true
	case *kmsg.ListPartitionReassignmentsRequest:
		return request.ResponseKind(), nil, true
	}
	return nil, nil, false
}

// everyVersion says that the broker knows every request.
func everyVersion(request *kmsg.ApiVersionsRequest) kmsg.Response {
	response := request.ResponseKind().(*kmsg.ApiVersionsResponse) //nolint:forcetypeassert // it is the kind of its request
	for key := range int16(kmsg.MaxKey + 1) {
		if known := kmsg.RequestForKey(key); known != nil {
			version := kmsg.NewApiVersionsResponseApiKey()
			version.ApiKey, version.MaxVersion = key, known.MaxVersion()
			response.ApiKeys = append(response.ApiKeys, version)
		}
	}
	return response
}

// quorum has everybody caught up.
func (k *benchKafka) quorum(request *kmsg.DescribeQuorumRequest) kmsg.Response {
	now := time.Now().UnixMilli()
	replica := func(id int) kmsg.DescribeQuorumResponseTopicPartitionReplicaState {
		state := kmsg.NewDescribeQuorumResponseTopicPartitionReplicaState()
		state.ReplicaID, state.LogEndOffset, state.LastCaughtUpTimestamp, state.LastFetchTimestamp = int32(id), 100, now, now
		state.ReplicaDirectoryID[15] = byte(id)
		return state
	}
	partition := kmsg.NewDescribeQuorumResponseTopicPartition()
	partition.LeaderID = benchFirstController
	for i := range benchControllers {
		partition.CurrentVoters = append(partition.CurrentVoters, replica(benchFirstController+i))
	}
	for i := range benchBrokers {
		partition.Observers = append(partition.Observers, replica(i))
	}
	topic := kmsg.NewDescribeQuorumResponseTopic()
	topic.Topic, topic.Partitions = "__cluster_metadata", append(topic.Partitions, partition)
	response := request.ResponseKind().(*kmsg.DescribeQuorumResponse) //nolint:forcetypeassert // it is the kind of its request
	response.Topics = append(response.Topics, topic)
	return response
}

var benchKey = client.ObjectKey{Namespace: "default", Name: "hundred"}

func benchCluster() *v1beta1.KafkaCluster {
	kc := &v1beta1.KafkaCluster{ObjectMeta: metav1.ObjectMeta{Name: benchKey.Name, Namespace: benchKey.Namespace}}
	kc.Spec.BrokerGroups = []v1beta1.BrokerGroup{
		{Name: "controllers", Roles: []v1beta1.Role{v1beta1.RoleController}, Storage: []v1beta1.Storage{{Path: "/var/lib/kafka/metadata", Size: resource.MustParse("10Gi")}}},
		{Name: "default", Roles: []v1beta1.Role{v1beta1.RoleBroker}, Storage: []v1beta1.Storage{{Path: "/var/lib/kafka/a", Size: resource.MustParse("100Gi")}}},
	}
	kc.Spec.Listeners = []v1beta1.Listener{{Name: "internal", Port: 9093}}
	kc.Spec.RackAwareness = &v1beta1.RackAwareness{}
	for i := range int32(benchControllers) {
		kc.Spec.Brokers = append(kc.Spec.Brokers, v1beta1.Broker{ID: benchFirstController + i, Group: "controllers"})
	}
	for i := range int32(benchBrokers) {
		kc.Spec.Brokers = append(kc.Spec.Brokers, v1beta1.Broker{ID: i, Group: "default"})
	}
	return kc
}

// cacheOptions are those of the program.
func cacheOptions() cache.Options {
	return cache.Options{ByObject: controllers.CachedObjects(), DefaultTransform: cache.TransformStripManagedFields()}
}

// residentMegabytes is the memory of this process, garbage left out.
func residentMegabytes(b *testing.B) float64 {
	b.Helper()
	debug.FreeOSMemory()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		var kilobytes float64
		if _, err := fmt.Sscanf(line, "VmRSS: %f kB", &kilobytes); err == nil {
			return kilobytes / 1024
		}
	}
	b.Fatal("/proc/self/status has no VmRSS")
	return 0
}

// processorTime is what this process has used so far.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
