package kafkacluster

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
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
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/apis/machinery/kafka"
	"koperator.dev/koperator/apis/machinery/kafka/kafkafake"
	"koperator.dev/koperator/cruisecontrol/session"
	"koperator.dev/koperator/test/cruisecontrol"
	"koperator.dev/koperator/test/cruisecontrol/model"
)

// apiServer is one real kube-apiserver for all tests of the package; each test has a namespace of its own. There is no
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

// world is a namespace with a KafkaCluster, a Kafka in memory, the stand-in for Cruise Control on another one, and one process
// of cruisecontrol-manager without caches, whose clock stands still.
type world struct {
	testing.TB
	context.Context
	client    client.WithWatch
	namespace string
	clock     *clocktesting.FakeClock
	events    *events.FakeRecorder
	kafka     *kafkafake.Kafka
	// model is the Kafka that the stand-in works on.
	model      *model.Model
	standIn    *cruisecontrol.Server
	url        string
	sessions   *session.Sessions
	reconciler *Reconciler
	// crash makes writes fail; nil for none.
	crash  *crasher
	writes []string
	// as is the client of cruisecontrol-manager; nil for one that may do everything.
	as client.Client
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
	w := &world{
		TB: t, Context: t.Context(), client: c, clock: clocktesting.NewFakeClock(time.Now().Truncate(time.Second)), events: events.NewFakeRecorder(10_000),
		kafka: kafkafake.New(),
	}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-", Labels: map[string]string{"pod-security.kubernetes.io/enforce": "restricted"}}}
	w.must(c.Create(w, namespace))
	w.namespace = namespace.Name
	w.startStandIn()
	w.restart()
	return w
}

func (w *world) startStandIn() {
	w.Helper()
	w.model = model.New(w.clock)
	for id := range int32(3) {
		w.model.AddBroker(w, 100+id, "", diskA)
	}
	w.model.CreateTopic(w, "orders", 200<<20, []int32{100, 101}, []int32{101, 102}, []int32{102, 100})
	config := cruisecontrol.DefaultConfig()
	config.MaxBlockTime, config.MaxActiveUserTasks = 0, 1000
	w.standIn = cruisecontrol.New(context.WithoutCancel(w.Context), cruisecontrol.Options{Config: config, Kafka: w.model, Clock: w.clock})
	server := httptest.NewServer(w.standIn)
	w.Cleanup(server.Close)
	w.url = server.URL + "/kafkacruisecontrol"
}

// restart is what a crash is: everything in memory is gone.
func (w *world) restart() {
	c := w.recorded()
	if w.as != nil {
		c = w.as
	}
	if w.crash != nil {
		w.crash.crashed = false
		c = w.crash.client(w.client)
	}
	w.sessions = session.NewWith(c, c, session.Options{
		Clock: w.clock, Kafka: func(kafka.Config) (kafka.Admin, error) { return w.kafka, nil }, Address: func(*v1beta1.KafkaCluster) string { return w.url },
	})
	w.reconciler = &Reconciler{Client: c, Reader: c, Recorder: w.events, Clock: w.clock, Sessions: w.sessions, Namespace: "koperator-system"}
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// pass is a pass a second after the last one.
func (w *world) pass() reconcile.Result {
	w.Helper()
	result, err := w.tryPass()
	w.must(err)
	return result
}

func (w *world) tryPass() (reconcile.Result, error) {
	w.clock.Step(time.Second)
	return w.reconciler.Reconcile(w, reconcile.Request{NamespacedName: client.ObjectKey{Namespace: w.namespace, Name: orders}})
}

// settle makes as many passes as it takes until one changes nothing.
func (w *world) settle() {
	w.Helper()
	for range 10 {
		before := len(w.writes)
		w.pass()
		if len(w.writes) == before {
			return
		}
	}
	w.Fatalf("something is written in every pass: %s", strings.Join(w.writes[max(0, len(w.writes)-6):], ", "))
}

// live is a pass of everybody: the poller of Cruise Control, cruisecontrol-manager, broker-manager, and the controller of
// Deployments with its kubelet.
func (w *world) live() {
	w.Helper()
	w.poll()
	if _, err := w.tryPass(); err != nil && w.crash == nil {
		w.Fatal(err)
	}
	if w.crash != nil && w.crash.crashed {
		w.restart()
	}
	w.playDeployment()
}

// poll is what the shared poller does.
func (w *world) poll() {
	kc := w.cluster()
	if instance, err := w.sessions.Instance(w, kc); err != nil || instance == "" || kc.Spec.CruiseControl == nil {
		return
	}
	w.standIn.Advance()
	if opened, err := w.sessions.For(w, kc); err == nil {
		opened.Look(w, 0, session.Interest{Monitor: true})
	}
}

// playDeployment makes the Pod that the Deployment wants, and has it run.
func (w *world) playDeployment() {
	w.Helper()
	list := &appsv1.DeploymentList{}
	w.must(w.client.List(w, list, client.InNamespace(w.namespace)))
	pods := &corev1.PodList{}
	w.must(w.client.List(w, pods, client.InNamespace(w.namespace)))
	wanted := map[string]*appsv1.Deployment{}
	for i := range list.Items {
		wanted[fmt.Sprintf("%s-%d", list.Items[i].Name, list.Items[i].Generation)] = &list.Items[i]
	}
	for i := range pods.Items {
		if pod := &pods.Items[i]; wanted[pod.Name] == nil {
			w.must(w.client.Delete(w, pod, client.GracePeriodSeconds(0)))
		}
		delete(wanted, pods.Items[i].Name)
	}
	for name, deployment := range wanted {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: w.namespace, Labels: deployment.Spec.Template.Labels}, Spec: deployment.Spec.Template.Spec}
		w.must(w.client.Create(w, pod)) // the namespace lets only Pods in that are restricted
		pod.Status.Phase = corev1.PodRunning
		pod.Status.ContainerStatuses = []corev1.ContainerStatus{{
			Name: pod.Spec.Containers[0].Name, ContainerID: "containerd://" + name, Ready: true, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}},
		}}
		w.must(w.client.Status().Update(w, pod))
	}
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

func (w *world) cluster() *v1beta1.KafkaCluster {
	w.Helper()
	return get(w, orders, &v1beta1.KafkaCluster{})
}

func (w *world) operations() []*v1beta1.CruiseControlOperation {
	w.Helper()
	operations, err := operationsOf(w, w.client, w.cluster())
	w.must(err)
	return operations
}

func (w *world) requireCondition(kind string, status metav1.ConditionStatus, reason, message string) {
	w.Helper()
	condition := meta.FindStatusCondition(w.cluster().Status.Conditions, kind)
	if condition == nil {
		w.Fatalf("there is no condition %s", kind)
	}
	if condition.Status != status || condition.Reason != reason || !strings.Contains(condition.Message, message) {
		w.Errorf("%s is %s (%s): %s; want %s (%s): %s", kind, condition.Status, condition.Reason, condition.Message, status, reason, message)
	}
}

// told are the events so far, with this reason.
func (w *world) told(reason string) []string {
	var told []string
	for {
		select {
		case event := <-w.events.Events:
			if strings.Contains(event, " "+reason+" ") {
				told = append(told, event)
			}
		default:
			return told
		}
	}
}

// recorded is the client of cruisecontrol-manager: it notes what is written.
func (w *world) recorded() client.Client {
	note := func(format string, args ...any) { w.writes = append(w.writes, fmt.Sprintf(format, args...)) }
	return interceptor.NewClient(w.client, interceptor.Funcs{
		Create: func(ctx context.Context, c client.WithWatch, obj client.Object, opts ...client.CreateOption) error {
			note("create %T %s", obj, obj.GetName())
			return c.Create(ctx, obj, opts...)
		},
		Update: func(ctx context.Context, c client.WithWatch, obj client.Object, opts ...client.UpdateOption) error {
			note("update %T %s", obj, obj.GetName())
			return c.Update(ctx, obj, opts...)
		},
		Patch: func(ctx context.Context, c client.WithWatch, obj client.Object, patch client.Patch, opts ...client.PatchOption) error {
			note("patch %T %s", obj, obj.GetName())
			return c.Patch(ctx, obj, patch, opts...)
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

func (w *world) wrote(prefix string) bool {
	return slices.ContainsFunc(w.writes, func(line string) bool { return strings.HasPrefix(line, prefix) })
}
