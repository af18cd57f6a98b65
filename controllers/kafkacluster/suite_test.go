package kafkacluster

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/events"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/apis/machinery/kafka"
	"koperator.dev/koperator/apis/machinery/kafka/kafkafake"
)

// apiServer is one real kube-apiserver for all tests of the package; each test has a namespace of its own. There is no
// kubelet and no scheduler: the tests play them.
var apiServer *rest.Config

func TestMain(m *testing.M) {
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

// world is a namespace, a Reconciler without caches, a fake Kafka, and a clock that stands still.
type world struct {
	testing.TB
	context.Context
	client    client.WithWatch
	namespace string
	kafka     *kafkafake.Kafka
	clock     *clocktesting.FakePassiveClock
	events    *events.FakeRecorder
	r         *Reconciler
	// configs are what clients of Kafka were asked for with, and writes what was written to the API server.
	configs []kafka.Config
	// crashing is the Pod that ends again and again when it is played.
	crashing string
	// crash makes writes fail; nil for none.
	crash  *crasher
	writes []string
	// envoy plays envoy-manager; nil if it does not run.
	envoy *envoyManager
	// ask stands between the Reconciler and Kafka; nil for nothing.
	ask func(kafka.Admin) kafka.Admin
	// addresses counts those that Pods have got.
	addresses int
}

func scheme() *runtime.Scheme {
	scheme := runtime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(v1beta1.AddToScheme(scheme))
	return scheme
}

func newWorld(t *testing.T) *world {
	t.Helper()
	c, err := client.NewWithWatch(apiServer, client.Options{Scheme: scheme()})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{TB: t, Context: t.Context(), client: c, kafka: kafkafake.New(), clock: clocktesting.NewFakePassiveClock(time.Now()), events: events.NewFakeRecorder(10_000)}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-", Labels: map[string]string{"pod-security.kubernetes.io/enforce": "restricted"}}}
	w.must(c.Create(w, namespace))
	w.namespace = namespace.Name
	w.restart()
	return w
}

// restart is what a crash of broker-manager is: everything in its memory is gone.
func (w *world) restart() {
	c := w.recorded()
	if w.crash != nil {
		w.crash.crashed = false
		c = w.crash.client(w.client)
	}
	w.r = &Reconciler{client: c, reader: w.client, recorder: w.events, kafka: w, clock: w.clock}
}

// For and Forget make the world the Clients of its Reconciler.
func (w *world) For(_ string, config kafka.Config) (kafka.Admin, error) {
	w.configs = append(w.configs, config)
	if w.ask != nil {
		return w.ask(w.kafka), nil
	}
	return w.kafka, nil
}

func (w *world) Forget(string) {}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// pass reconciles once.
func (w *world) pass(name string) reconcile.Result {
	w.Helper()
	result, err := w.tryPass(name)
	w.must(err)
	return result
}

func (w *world) tryPass(name string) (reconcile.Result, error) {
	return w.r.Reconcile(w, reconcile.Request{NamespacedName: client.ObjectKey{Namespace: w.namespace, Name: name}})
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

func (w *world) pod(name string) *corev1.Pod {
	w.Helper()
	return get(w, name, &corev1.Pod{})
}

// recorded is the client of the Reconciler: it notes what is written.
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
		Update: func(ctx context.Context, c client.WithWatch, obj client.Object, opts ...client.UpdateOption) error {
			note("update %T %s", obj, obj.GetName())
			return c.Update(ctx, obj, opts...)
		},
		Patch: func(ctx context.Context, c client.WithWatch, obj client.Object, patch client.Patch, opts ...client.PatchOption) error {
			note("patch %T %s", obj, obj.GetName())
			return c.Patch(ctx, obj, patch, opts...)
		},
		SubResourcePatch: func(ctx context.Context, c client.Client, name string, obj client.Object, patch client.Patch, opts ...client.SubResourcePatchOption) error {
			note("patch %s of %s", name, obj.GetName())
			return c.SubResource(name).Patch(ctx, obj, patch, opts...)
		},
	})
}
