package fleet

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/events"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/envoy/fleet/objects"
	"koperator.dev/koperator/envoy/xds"
)

// apiServer is one real kube-apiserver for all tests of the package; each test has namespaces of its own. There is no
// kubelet, no scheduler and no controller of Deployments: the tests play them.
var apiServer *rest.Config

func TestMain(m *testing.M) {
	log.SetLogger(logr.Discard())
	os.Exit(runWithAPIServer(m))
}

func runWithAPIServer(m *testing.M) int {
	env := &envtest.Environment{CRDDirectoryPaths: []string{"../../config/crd/bases"}, ErrorIfCRDPathMissing: true}
	config, err := env.Start()
	if err != nil {
		fmt.Fprintf(os.Stderr, "starting a kube-apiserver (KUBEBUILDER_ASSETS must name a folder with etcd and kube-apiserver; `make test-unit` sets it): %v\n", err)
		return 1
	}
	defer func() { _ = env.Stop() }()
	config.QPS, config.Burst = -1, 0
	apiServer = config
	return m.Run()
}

// streams are the proxies' connections of one replica, as tests want them. What is published is remembered.
type streams struct {
	mu        sync.Mutex
	published map[string]xds.Resources
	acks      map[string][]xds.ProxyAcks
}

func (s *streams) Publish(key string, resources xds.Resources) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.published[key] = resources
	return nil
}

func (s *streams) Acks(key string) []xds.ProxyAcks {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.acks[key]
}

func (s *streams) Changed() <-chan string { return nil }

// replica is one process of envoy-manager.
type replica struct {
	name      string
	streams   *streams
	authority *Authority
	publisher *Publisher
	exchange  *Exchange
	leader    *Reconciler
}

// world is a namespace with KafkaClusters and one of envoy-manager's own, two replicas without caches, the first of which
// leads, and a clock that stands still.
type world struct {
	testing.TB
	context.Context
	client    client.WithWatch
	namespace string
	system    string
	clock     *clocktesting.FakeClock
	events    *events.FakeRecorder
	first     *replica
	second    *replica
	image     string
	// crash makes writes of the first replica fail; nil for none.
	crash  *crasher
	writes []string
}

func scheme() *runtime.Scheme {
	scheme := runtime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(v1beta1.AddToScheme(scheme))
	return scheme
}

func newWorld(t testing.TB) *world {
	t.Helper()
	c, err := client.NewWithWatch(apiServer, client.Options{Scheme: scheme()})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{TB: t, Context: t.Context(), client: c, clock: clocktesting.NewFakeClock(time.Now()), events: events.NewFakeRecorder(10_000), image: "envoy-manager:1"}
	w.namespace, w.system = w.newNamespace("test-"), w.newNamespace("system-")
	w.restart()
	w.second = w.newReplica("second", w.client)
	w.must(w.first.authority.Make(w))
	return w
}

func (w *world) newNamespace(prefix string) string {
	w.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: prefix, Labels: map[string]string{"pod-security.kubernetes.io/enforce": "restricted"}}}
	w.must(w.client.Create(w, namespace))
	return namespace.Name
}

// restart is what a crash of the replica that leads is: everything in its memory is gone. Proxies stay connected.
func (w *world) restart() {
	c := w.recorded()
	if w.crash != nil {
		w.crash.crashed = false
		c = w.crash.client(w.client)
	}
	before := w.first
	w.first = w.newReplica("first", c)
	if before != nil {
		w.first.streams.acks = before.streams.acks
	}
	if err := w.first.authority.Refresh(w); err != nil && before != nil {
		w.Fatal(err)
	}
}

func (w *world) newReplica(name string, c client.Client) *replica {
	r := &replica{name: name, streams: &streams{published: map[string]xds.Resources{}, acks: map[string][]xds.ProxyAcks{}}}
	bell := &Bell{}
	server := objects.Server{Host: "envoy-manager." + w.system + ".svc", Port: 18000}
	r.authority = NewAuthority(c, w.clock, w.system, server.Host)
	r.publisher = NewPublisher(c, r.streams, bell)
	r.exchange = NewExchange(c, r.streams, r.publisher, bell, w.clock, Self{Namespace: w.system, Name: name, UID: types.UID(name)})
	r.leader = &Reconciler{
		Client: c, Recorder: w.events, Clock: w.clock, Publisher: r.publisher, Exchange: r.exchange, Authority: r.authority,
		Bell: bell, Server: server, Image: w.image,
	}
	return r
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// pass is a pass of both replicas, a moment after the last one.
func (w *world) pass(name string) reconcile.Result {
	w.Helper()
	result, err := w.tryPass(name)
	w.must(err)
	return result
}

func (w *world) tryPass(name string) (reconcile.Result, error) {
	w.clock.Step(statusInterval)
	request := reconcile.Request{NamespacedName: client.ObjectKey{Namespace: w.namespace, Name: name}}
	_, _ = w.first.publisher.Reconcile(w, request)
	_, _ = w.second.publisher.Reconcile(w, request)
	return w.first.leader.Reconcile(w, request)
}

// settle makes as many passes as it takes until one changes nothing, and waits for nothing.
func (w *world) settle(name string) {
	w.Helper()
	for range 10 {
		before := w.cluster(name).ResourceVersion
		result := w.pass(name)
		if w.cluster(name).ResourceVersion == before && result.RequeueAfter > statusInterval {
			return
		}
	}
	w.Fatal("status changes in every pass")
}

// get reads an object by name; a missing one is an error of the test.
func get[T client.Object](w *world, name string, obj T) T {
	w.Helper()
	w.must(w.client.Get(w, client.ObjectKey{Namespace: w.namespace, Name: name}, obj))
	return obj
}

func (w *world) exists(name string, obj client.Object) bool {
	w.Helper()
	err := w.client.Get(w, client.ObjectKey{Namespace: w.namespace, Name: name}, obj)
	if err != nil && !apierrors.IsNotFound(err) {
		w.Fatal(err)
	}
	return err == nil
}

func (w *world) cluster(name string) *v1beta1.KafkaCluster {
	w.Helper()
	return get(w, name, &v1beta1.KafkaCluster{})
}

// recorded is the client of the replica that leads: it notes what is written.
func (w *world) recorded() client.Client {
	note := func(format string, args ...any) { w.writes = append(w.writes, fmt.Sprintf(format, args...)) }
	return interceptor.NewClient(w.client, interceptor.Funcs{
		Create: func(ctx context.Context, c client.WithWatch, obj client.Object, opts ...client.CreateOption) error {
			note("create %T %s", obj, obj.GetName())
			return c.Create(ctx, obj, opts...)
		},
		Delete: func(ctx context.Context, c client.WithWatch, obj client.Object, opts ...client.DeleteOption) error {
			note("delete %T %s", obj, obj.GetName())
			return c.Delete(ctx, obj, opts...)
		},
		Apply: func(ctx context.Context, c client.WithWatch, obj runtime.ApplyConfiguration, opts ...client.ApplyOption) error {
			note("apply %T", obj)
			return c.Apply(ctx, obj, opts...)
		},
		SubResourceApply: func(ctx context.Context, c client.Client, name string, obj runtime.ApplyConfiguration, opts ...client.SubResourceApplyOption) error {
			note("apply %s of %T", name, obj)
			return c.SubResource(name).Apply(ctx, obj, opts...)
		},
	})
}
