package operation

import (
	"context"
	"fmt"
	"net"
	"os"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	clocktesting "k8s.io/utils/clock/testing"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/apis/machinery/grant"
	"koperator.dev/koperator/cruisecontrol/operation/machine"
	"koperator.dev/koperator/cruisecontrol/session"
	"koperator.dev/koperator/test/cruisecontrol"
	"koperator.dev/koperator/test/cruisecontrol/fakekafka"
	"koperator.dev/koperator/test/cruisecontrol/model"
)

// realWorld has a real kube-apiserver, and a clock that a test moves: nobody waits for anything.
type realWorld struct {
	testing.TB
	context.Context
	api   client.Client
	clock *clocktesting.FakeClock
	kafka *model.Model
	cc    *cruisecontrol.Server
	r     *Reconciler
}

func newRealWorld(t *testing.T) *realWorld {
	t.Helper()
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		t.Fatal("KUBEBUILDER_ASSETS does not name a folder with etcd and kube-apiserver; `make test-unit` sets it")
	}
	env := &envtest.Environment{CRDDirectoryPaths: []string{"../../config/crd/bases"}, ErrorIfCRDPathMissing: true}
	config, err := env.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = env.Stop() })
	w := &realWorld{TB: t, Context: context.WithoutCancel(t.Context()), clock: clocktesting.NewFakeClock(time.Now().Truncate(time.Second))}
	w.api, err = client.New(config, client.Options{Scheme: scheme()})
	w.must(err)
	w.playOutside()
	w.must(w.api.Create(w, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}))
	for _, obj := range []client.Object{w.cluster(), secretNamed("orders-cruisecontrol-manager"), secretNamed("orders-cruise-control-api"), podOfCruiseControl()} {
		w.must(w.api.Create(w, obj))
	}
	pod := podOfCruiseControl()
	w.must(w.api.Get(w, client.ObjectKeyFromObject(pod), pod))
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{
		Name: "cruise-control", ContainerID: "c1", Image: "i", ImageID: "i", State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}},
	}}
	w.must(w.api.Status().Update(w, pod))
	return w
}

// playOutside makes Kafka and Cruise Control.
func (w *realWorld) playOutside() {
	w.kafka = model.New(w.clock)
	for id, rack := range []string{"a", "b", "c", "a"} {
		w.kafka.AddBroker(w, int32(id), rack, "/a/kafka-logs")
	}
	w.kafka.CreateTopic(w, "t", 200<<20, []int32{0, 1, 2}, []int32{1, 2, 0}, []int32{2, 0, 1}, []int32{0, 1, 2})
	kafka, err := fakekafka.New(w, w.kafka, 4)
	w.must(err)
	w.Cleanup(kafka.Close)
	cfg := cruisecontrol.DefaultConfig()
	cfg.MaxBlockTime, cfg.MaxActiveUserTasks, cfg.AutoStopExternalAgent = 0, 1000, false
	w.cc = cruisecontrol.New(w, cruisecontrol.Options{Config: cfg, Kafka: w.kafka, Clock: w.clock})
	url, err := w.cc.Start()
	w.must(err)
	w.Cleanup(w.cc.Close)
	w.pass(20 * time.Second)
	sessions := session.NewWith(w.api, w.api, session.Options{
		Clock: w.clock, Address: func(*v1beta1.KafkaCluster) string { return url },
		Dialer: func(ctx context.Context, network, address string) (net.Conn, error) {
			var id int
			if _, err := fmt.Sscanf(address, "orders-%d.orders-brokers.", &id); err == nil {
				address = kafka.ListenAddrs()[id]
			}
			return (&net.Dialer{}).DialContext(ctx, network, address)
		},
	})
	w.r = newReconciler(w.api, w.api, events.NewFakeRecorder(1000), sessions, w.clock)
}

func (w *realWorld) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *realWorld) pass(d time.Duration) {
	w.clock.Step(d)
	w.cc.Advance()
}

func (w *realWorld) cluster() *v1beta1.KafkaCluster {
	disks := []v1beta1.Storage{{Path: "/a", Size: resource.MustParse("10Gi")}}
	kc := &v1beta1.KafkaCluster{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "orders"},
		Spec: v1beta1.KafkaClusterSpec{
			BrokerGroups: []v1beta1.BrokerGroup{
				{Name: "controllers", Roles: []v1beta1.Role{v1beta1.RoleController}, Storage: disks},
				{Name: "default", Roles: []v1beta1.Role{v1beta1.RoleBroker}, Storage: disks},
			},
			Brokers:       []v1beta1.Broker{{ID: 100, Group: "controllers"}},
			CruiseControl: &v1beta1.CruiseControl{Image: "cruise-control"},
		},
	}
	for id := range int32(4) {
		kc.Spec.Brokers = append(kc.Spec.Brokers, v1beta1.Broker{ID: id, Group: "default"})
	}
	return kc
}

func secretNamed(name string) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
}

func podOfCruiseControl() *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: "orders-cruise-control",
			Labels: map[string]string{v1beta1.LabelCluster: "orders", v1beta1.LabelComponent: v1beta1.ComponentCruiseControl},
		},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "cruise-control", Image: "i"}}},
	}
}

func (w *realWorld) operation(name string) *v1beta1.CruiseControlOperation {
	w.Helper()
	w.must(w.api.Create(w, &v1beta1.CruiseControlOperation{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: v1beta1.CruiseControlOperationSpec{
			ClusterRef: v1beta1.ClusterReference{Name: "orders"}, Type: v1beta1.AddBrokers, Brokers: []int32{3}, ReplicationThrottle: ptr.To(resource.MustParse("2Mi")),
		},
	}))
	return w.op(name)
}

func (w *realWorld) op(name string) *v1beta1.CruiseControlOperation {
	w.Helper()
	op := &v1beta1.CruiseControlOperation{}
	err := w.api.Get(w, types.NamespacedName{Namespace: namespace, Name: name}, op)
	if apierrors.IsNotFound(err) {
		return nil
	}
	w.must(err)
	return op
}

// until makes passes, and lets time pass, until something is so.
func (w *realWorld) until(name, what string, is func(*v1beta1.CruiseControlOperation) bool) *v1beta1.CruiseControlOperation {
	w.Helper()
	for range 400 {
		_, err := w.r.Reconcile(w, reconcile.Request{NamespacedName: types.NamespacedName{Namespace: namespace, Name: name}})
		w.must(err)
		if op := w.op(name); is(op) {
			return op
		}
		w.pass(3 * time.Second)
	}
	w.Fatalf("%s: not %s: %+v", name, what, w.op(name))
	return nil
}

func phaseIs(phase v1beta1.OperationPhase) func(*v1beta1.CruiseControlOperation) bool {
	return func(op *v1beta1.CruiseControlOperation) bool { return op != nil && op.Status.Phase == phase }
}

func (w *realWorld) holder() string {
	g, err := grant.Read(w, w.api, types.NamespacedName{Namespace: namespace, Name: "orders"})
	w.must(err)
	return g.Holder
}

// On a real API server: what is written is valid, has its owner, protects the operation while something is under way, and is all
// gone in the end.
func TestOnARealAPIServer(t *testing.T) {
	w := newRealWorld(t)
	w.operation("up")
	executing := w.until("up", "executing", phaseIs(v1beta1.OperationExecuting))
	if !slices.Contains(executing.Finalizers, v1beta1.FinalizerOperation) || w.holder() != "up" {
		t.Errorf("finalizers %v, the grant is %q's", executing.Finalizers, w.holder())
	}
	record := &corev1.ConfigMap{}
	w.must(w.api.Get(w, types.NamespacedName{Namespace: namespace, Name: machine.RecordName(executing.UID)}, record))
	if !metav1.IsControlledBy(record, executing) || len(record.BinaryData[planKey]) == 0 {
		t.Errorf("the record is %+v", record)
	}
	w.must(w.api.Delete(w, executing))
	w.until("up", "gone", func(op *v1beta1.CruiseControlOperation) bool { return op == nil })

	w.operation("again")
	done := w.until("again", "succeeded", phaseIs(v1beta1.OperationSucceeded))
	if len(done.Finalizers) > 0 || w.holder() != "" {
		t.Errorf("finalizers %v, the grant is %q's", done.Finalizers, w.holder())
	}
	for _, entry := range done.ManagedFields {
		if entry.Subresource == "status" && entry.Manager != v1beta1.OwnerCruiseControl {
			t.Errorf("status is written by %s", entry.Manager)
		}
	}
	// The status is deleted, and comes back as it was.
	w.must(w.api.Status().Patch(w, done, client.RawPatch(types.MergePatchType, []byte(`{"status":null}`))))
	w.until("again", "succeeded again", phaseIs(v1beta1.OperationSucceeded))
	if left, err := w.cc.Leftovers(w); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if bad := w.cc.Violations(); len(bad) > 0 {
		t.Errorf("violations: %v", bad)
	}
}
