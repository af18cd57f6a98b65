package schedule

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
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
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

// apiServer is one real kube-apiserver for all tests of the package; each test has a namespace of its own.
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

// world is a namespace, one process of cruisecontrol-manager without caches, and a clock that stands still.
type world struct {
	testing.TB
	context.Context
	client     client.Client
	namespace  string
	clock      *clocktesting.FakeClock
	events     *events.FakeRecorder
	reconciler *Reconciler
	// failing is the write that fails after its effect, counted from the next one; 0 for none.
	failing int
	writes  int
}

func newWorld(t testing.TB) *world {
	t.Helper()
	scheme := runtime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(v1beta1.AddToScheme(scheme))
	c, err := client.NewWithWatch(apiServer, client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{TB: t, Context: t.Context(), client: c, events: events.NewFakeRecorder(1000)}
	// Objects are created at the real time, and no run counts before: the clock starts at the hour that is over.
	w.clock = clocktesting.NewFakeClock(time.Now().Truncate(time.Hour))
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"}}
	w.must(c.Create(w, namespace))
	w.namespace = namespace.Name
	w.reconciler = newReconciler(interceptor.NewClient(c, interceptor.Funcs{
		Create: func(ctx context.Context, c client.WithWatch, obj client.Object, opts ...client.CreateOption) error {
			return w.lose(c.Create(ctx, obj, opts...))
		},
		Delete: func(ctx context.Context, c client.WithWatch, obj client.Object, opts ...client.DeleteOption) error {
			return w.lose(c.Delete(ctx, obj, opts...))
		},
		SubResourceApply: func(ctx context.Context, c client.Client, name string, obj runtime.ApplyConfiguration, opts ...client.SubResourceApplyOption) error {
			return w.lose(c.SubResource(name).Apply(ctx, obj, opts...))
		},
	}), w.events, w.clock)
	return w
}

// lose loses the answer of a write.
func (w *world) lose(err error) error {
	if w.writes++; w.failing > 0 {
		if w.failing--; w.failing == 0 {
			return apierrors.NewInternalError(fmt.Errorf("the answer is lost"))
		}
	}
	return err
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// create makes an operation as a person does.
func (w *world) create(name string, change ...func(*v1beta1.CruiseControlOperation)) {
	w.Helper()
	op := &v1beta1.CruiseControlOperation{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: w.namespace}}
	op.Spec = v1beta1.CruiseControlOperationSpec{ClusterRef: v1beta1.ClusterReference{Name: "orders"}, Type: v1beta1.Rebalance}
	for _, c := range change {
		c(op)
	}
	w.must(w.client.Create(w, op))
}

func withCron(expression string) func(*v1beta1.CruiseControlOperation) {
	return func(op *v1beta1.CruiseControlOperation) {
		op.Spec.Schedule = &v1beta1.OperationSchedule{Cron: expression}
	}
}

func (w *world) edit(name string, change func(*v1beta1.CruiseControlOperation)) {
	w.Helper()
	op := w.get(name)
	change(op)
	w.must(w.client.Update(w, op))
}

func (w *world) get(name string) *v1beta1.CruiseControlOperation {
	w.Helper()
	op := &v1beta1.CruiseControlOperation{}
	w.must(w.client.Get(w, client.ObjectKey{Namespace: w.namespace, Name: name}, op))
	return op
}

func (w *world) pass(name string) reconcile.Result {
	w.Helper()
	result, err := w.reconciler.Reconcile(w, reconcile.Request{NamespacedName: client.ObjectKey{Namespace: w.namespace, Name: name}})
	w.must(err)
	return result
}

// after lets time pass, and then a pass.
func (w *world) after(d time.Duration, name string) {
	w.Helper()
	w.clock.Step(d)
	w.pass(name)
}

// runs are the operations that were made from a template, by when they were due.
func (w *world) runs(template string) []*v1beta1.CruiseControlOperation {
	w.Helper()
	list := &v1beta1.CruiseControlOperationList{}
	w.must(w.client.List(w, list, client.InNamespace(w.namespace), client.MatchingLabels{v1beta1.LabelSchedule: template}))
	runs := make([]*v1beta1.CruiseControlOperation, len(list.Items))
	for i := range list.Items {
		runs[i] = &list.Items[i]
	}
	return runs
}

func (w *world) requireRuns(template string, count int) {
	w.Helper()
	if runs := w.runs(template); len(runs) != count {
		w.Fatalf("there are %d runs, want %d", len(runs), count)
	}
}

// finish ends all operations.
func (w *world) finish(phase v1beta1.OperationPhase) {
	w.Helper()
	list := &v1beta1.CruiseControlOperationList{}
	w.must(w.client.List(w, list, client.InNamespace(w.namespace)))
	for i := range list.Items {
		op := &list.Items[i]
		if op.Spec.Schedule != nil || op.Status.Phase.IsFinished() {
			continue
		}
		op.Status.Phase, op.Status.CompletionTime = phase, &metav1.Time{Time: w.clock.Now()}
		w.must(w.client.Status().Update(w, op))
	}
}

// told counts the events with this reason so far.
func (w *world) told(reason string) int {
	count := 0
	for {
		select {
		case event := <-w.events.Events:
			if strings.Contains(event, " "+reason+" ") {
				count++
			}
		default:
			return count
		}
	}
}
