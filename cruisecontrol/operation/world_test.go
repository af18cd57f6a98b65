package operation

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/apis/machinery/grant"
	"koperator.dev/koperator/cruisecontrol/session"
	"koperator.dev/koperator/test/cruisecontrol"
	"koperator.dev/koperator/test/cruisecontrol/backend"
	"koperator.dev/koperator/test/cruisecontrol/fakekafka"
	"koperator.dev/koperator/test/cruisecontrol/model"
)

const (
	namespace = "kafka"
	ccAddress = "127.0.0.1:9090"
)

// world is a cluster whose time only passes when everybody waits: an API server in memory, Kafka as a model that speaks its
// protocol, the stand-in for Cruise Control, and the program under test, which can die at any time.
type world struct {
	testing.TB
	context.Context
	network kfake.VirtualNetwork
	api     client.WithWatch
	kafka   *model.Model
	cc      *cruisecontrol.Server
	brokers []string // addresses by id
	events  *events.FakeRecorder
	faults  *faults

	mu      sync.Mutex
	manager *manager
	// instance counts the processes of Cruise Control.
	instance int
}

// manager is one life of the program.
type manager struct {
	*life
	cancel   context.CancelFunc
	done     chan struct{}
	r        *Reconciler
	sessions *session.Sessions
	rung     chan types.NamespacedName
}

// inBubble runs a story in a world: brokers 0 to 3 in racks a, b, c, a with two disks each. Topic t has twelve partitions of
// 200 MB on brokers 0 to 2, and broker 3 has nothing.
func inBubble(t *testing.T, story func(*world), change ...func(*cruisecontrol.Config)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		w := newWorld(t, ctx, change...)
		defer func() {
			w.killManager()
			cancel()
			synctest.Wait()
		}()
		story(w)
	})
}

func newWorld(t *testing.T, ctx context.Context, change ...func(*cruisecontrol.Config)) *world { //nolint:revive // ctx is the world's
	t.Helper()
	w := &world{TB: t, Context: ctx, events: events.NewFakeRecorder(10000), faults: &faults{}}
	w.kafka = model.New(clock.RealClock{})
	for id, rack := range []string{"a", "b", "c", "a"} {
		w.kafka.AddBroker(ctx, int32(id), rack, "/a/kafka-logs", "/b/kafka-logs")
	}
	var replicas [][]int32
	for i := range int32(12) {
		replicas = append(replicas, []int32{i % 3, (i + 1) % 3, (i + 2) % 3})
	}
	w.kafka.CreateTopic(ctx, "t", 200<<20, replicas...)
	ports := []int{9091, 9092, 9093, 9094, 9095}
	kafka, err := fakekafka.New(ctx, w.kafka, len(ports), kfake.ListenFn(w.network.Listen), kfake.Ports(ports...))
	w.must(err)
	t.Cleanup(kafka.Close)
	w.brokers = kafka.ListenAddrs()

	cfg := cruisecontrol.DefaultConfig()
	cfg.MaxBlockTime, cfg.MaxActiveUserTasks, cfg.AutoStopExternalAgent, cfg.AddOpens = 2*time.Second, 25, false, true
	for _, c := range change {
		c(&cfg)
	}
	w.cc = cruisecontrol.New(ctx, cruisecontrol.Options{Config: cfg, Kafka: w.kafka, Listen: w.network.Listen, Address: ccAddress})
	_, err = w.cc.Start()
	w.must(err)
	t.Cleanup(w.cc.Close)
	go w.cc.Run(ctx)

	w.api = fake.NewClientBuilder().WithScheme(scheme()).WithStatusSubresource(&v1beta1.CruiseControlOperation{}, &v1beta1.KafkaCluster{}, &corev1.Pod{}).
		WithReturnManagedFields().WithObjects(w.cluster(), w.deployment(), w.secret("orders-cruisecontrol-manager"), w.secret("orders-cruise-control-api")).Build()
	w.nextInstance()
	w.startManager()
	time.Sleep(20 * time.Second)
	return w
}

func scheme() *runtime.Scheme {
	scheme := runtime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(v1beta1.AddToScheme(scheme))
	return scheme
}

func (w *world) cluster() *v1beta1.KafkaCluster {
	kc := &v1beta1.KafkaCluster{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "orders", UID: "kc"},
		Spec: v1beta1.KafkaClusterSpec{
			BrokerGroups:  []v1beta1.BrokerGroup{{Name: "default", Roles: []v1beta1.Role{v1beta1.RoleBroker}}},
			CruiseControl: &v1beta1.CruiseControl{Image: "cruise-control"},
		},
	}
	for id := range int32(4) {
		kc.Spec.Brokers = append(kc.Spec.Brokers, v1beta1.Broker{ID: id, Group: "default"})
	}
	return kc
}

func (w *world) secret(name string) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
}

func (w *world) deployment() *appsv1.Deployment {
	return &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "orders-cruise-control"}}
}

// isRestarted tells whether the Deployment is to replace the process that runs.
func (w *world) isRestarted() bool {
	deployment := w.deployment()
	w.must(w.api.Get(w, client.ObjectKeyFromObject(deployment), deployment))
	return deployment.Spec.Template.Annotations[annotationRestarted] == fmt.Sprintf("pod/c%d", w.instance)
}

// nextInstance is the Pod of another process of Cruise Control.
func (w *world) nextInstance() {
	w.Helper()
	w.instance++
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Namespace: namespace, Name: "orders-cruise-control", UID: "pod",
		Labels: map[string]string{v1beta1.LabelCluster: "orders", v1beta1.LabelComponent: v1beta1.ComponentCruiseControl},
	}}
	if err := w.api.Create(w, pod.DeepCopy()); err != nil && !apierrors.IsAlreadyExists(err) {
		w.Fatal(err)
	}
	w.must(w.api.Get(w, client.ObjectKeyFromObject(pod), pod))
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{
		Name: "cruise-control", ContainerID: fmt.Sprint("c", w.instance), State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}},
	}}
	w.must(w.api.Status().Update(w, pod))
}

// killCruiseControl kills it, and the kubelet starts another one after a while.
func (w *world) killCruiseControl(after time.Duration) {
	w.Helper()
	w.cc.Kill()
	w.noInstance()
	time.Sleep(after)
	w.must(w.cc.Restart())
	w.nextInstance()
}

func (w *world) noInstance() {
	w.Helper()
	pod := &corev1.Pod{}
	if w.api.Get(w, types.NamespacedName{Namespace: namespace, Name: "orders-cruise-control"}, pod) != nil {
		return
	}
	pod.Status.ContainerStatuses[0].State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{}}
	w.must(w.api.Status().Update(w, pod))
}

// dial leads the names of Kubernetes to the network.
func (w *world) dial(ctx context.Context, network, address string) (net.Conn, error) {
	var id int
	if _, err := fmt.Sscanf(address, "orders-%d.orders-brokers.", &id); err == nil {
		address = w.brokers[id]
	}
	return w.network.DialContext(ctx, network, address)
}

// startManager begins another life of the program: it knows nothing of the last one.
func (w *world) startManager() {
	w.Helper()
	ctx, cancel := context.WithCancel(w.Context)
	l := &life{faults: w.faults}
	api := l.client(w.api)
	sessions := session.NewWith(api, api, session.Options{
		Dialer: w.dial, Kafka: l.newKafka, CruiseControl: l.newCruiseControl,
		Address: func(*v1beta1.KafkaCluster) string { return "http://" + ccAddress },
	})
	m := &manager{life: l, cancel: cancel, done: make(chan struct{}), sessions: sessions, rung: make(chan types.NamespacedName, 1000)}
	m.r = newReconciler(api, api, w.events, sessions, clock.RealClock{})
	w.mu.Lock()
	w.manager = m
	w.mu.Unlock()
	go w.live(ctx, m)
}

// killManager ends it in the middle of whatever it does.
func (w *world) killManager() {
	w.mu.Lock()
	m := w.manager
	w.manager = nil
	w.mu.Unlock()
	if m != nil {
		m.cancel()
		<-m.done
	}
}

// live plays controller-runtime: passes when they are due, when Cruise Control has been asked, and after each change.
func (w *world) live(ctx context.Context, m *manager) {
	var polling sync.WaitGroup
	polling.Go(func() { _ = m.sessions.Start(ctx) })
	defer func() {
		polling.Wait()
		close(m.done)
	}()
	due := map[types.NamespacedName]time.Time{}
	versions := map[types.NamespacedName]string{}
	failures := map[types.NamespacedName]int{}
	polled := time.Time{}
	for ctx.Err() == nil {
		list := &v1beta1.CruiseControlOperationList{}
		if err := w.api.List(w, list); err != nil {
			return
		}
		changed := false
		for i := range list.Items {
			name := client.ObjectKeyFromObject(&list.Items[i])
			if versions[name] != list.Items[i].ResourceVersion {
				versions[name], changed = list.Items[i].ResourceVersion, true
			}
		}
		kc := &v1beta1.KafkaCluster{}
		if w.api.Get(w, types.NamespacedName{Namespace: namespace, Name: "orders"}, kc) == nil && kc.Spec.CruiseControl != nil {
			if session, err := m.sessions.For(ctx, kc); err == nil && session.Last().At != polled {
				polled, changed = session.Last().At, true
			}
		}
		for i := range list.Items {
			name := client.ObjectKeyFromObject(&list.Items[i])
			at, waits := due[name]
			if !changed && (!waits || time.Now().Before(at)) {
				continue
			}
			delete(due, name)
			result, err := m.r.Reconcile(ctx, reconcile.Request{NamespacedName: name})
			switch {
			case m.dead.Load():
				w.mu.Lock()
				w.manager = nil
				w.mu.Unlock()
				m.cancel()
				go w.reincarnate(m)
				return
			case err != nil:
				failures[name]++
				due[name] = time.Now().Add(time.Duration(min(failures[name], 10)) * time.Second)
			case result.RequeueAfter > 0:
				failures[name] = 0
				due[name] = time.Now().Add(result.RequeueAfter)
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

// reincarnate is what Kubernetes does with a program that has died.
func (w *world) reincarnate(m *manager) {
	<-m.done
	select {
	case <-w.Done():
	case <-time.After(3 * time.Second):
		if w.Err() == nil {
			w.startManager()
		}
	}
}

// get is the KafkaCluster.
func (w *world) get() *v1beta1.KafkaCluster {
	kc := &v1beta1.KafkaCluster{}
	w.must(w.api.Get(w.Context, types.NamespacedName{Namespace: namespace, Name: "orders"}, kc))
	return kc
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// operation makes an operation.
func (w *world) operation(name string, spec v1beta1.CruiseControlOperationSpec) {
	w.Helper()
	spec.ClusterRef.Name = "orders"
	spec.AllowCapacityEstimation = true
	op := &v1beta1.CruiseControlOperation{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, UID: types.UID("uid-" + name), CreationTimestamp: metav1.Now()}, Spec: spec,
	}
	w.must(w.api.Create(w, op))
}

// op is an operation as it is now; nil if there is none.
func (w *world) op(name string) *v1beta1.CruiseControlOperation {
	w.Helper()
	op := &v1beta1.CruiseControlOperation{}
	err := w.api.Get(w, types.NamespacedName{Namespace: namespace, Name: name}, op)
	if apierrors.IsNotFound(err) {
		return nil
	}
	w.must(err)
	return op
}

// edit changes an operation, as a person does.
func (w *world) edit(name string, change func(*v1beta1.CruiseControlOperation)) {
	w.Helper()
	op := w.op(name)
	before := client.MergeFrom(op.DeepCopy())
	change(op)
	w.must(w.api.Patch(w, op, before))
}

// until lets time pass until something is so.
func (w *world) until(what string, limit time.Duration, is func() bool) {
	w.Helper()
	for start := time.Now(); time.Since(start) < limit; time.Sleep(time.Second) {
		if is() {
			return
		}
	}
	w.Fatalf("not within %v: %s\n%s", limit, what, w.describe())
}

// phase lets time pass until an operation is in a phase.
func (w *world) phase(name string, phase v1beta1.OperationPhase, limit time.Duration) {
	w.Helper()
	w.until(fmt.Sprintf("%s is %s", name, phase), limit, func() bool {
		op := w.op(name)
		if op == nil {
			return false
		}
		if op.Status.Phase.IsFinished() && op.Status.Phase != phase {
			w.Fatalf("%s is %s\n%s", name, op.Status.Phase, w.describe())
		}
		return op.Status.Phase == phase
	})
}

// describe is everything that may explain a failure.
func (w *world) describe() string {
	var b strings.Builder
	list := &v1beta1.CruiseControlOperationList{}
	w.must(w.api.List(w, list))
	for i := range list.Items {
		op := &list.Items[i]
		fmt.Fprintf(&b, "%s: %s: ", op.Name, op.Status.Phase)
		if op.Status.Summary != nil {
			fmt.Fprintf(&b, "%+v", *op.Status.Summary)
		}
		if op.Status.Task != nil {
			fmt.Fprintf(&b, "\n  task %+v", *op.Status.Task)
		}
		for _, c := range op.Status.Conditions {
			fmt.Fprintf(&b, "\n  %s=%s %s: %s", c.Type, c.Status, c.Reason, c.Message)
		}
		fmt.Fprintf(&b, "\n  history %+v\n", op.Status.History)
	}
	for len(w.events.Events) > 0 {
		fmt.Fprintln(&b, "event", <-w.events.Events)
	}
	for _, r := range w.cc.Requests() {
		if r.Method == http.MethodPost {
			fmt.Fprintf(&b, "%s POST %s %s dryrun=%s: %d %s continues %s\n", r.At.Format(time.TimeOnly), r.Endpoint, r.Get("reason"), r.Get("dryrun"), r.Status, r.TaskID, r.Continues)
		}
	}
	return b.String()
}

// executions are the POSTs that were to execute something, without those that only asked how far it is.
func (w *world) executions() []string {
	var tokens []string
	for _, r := range w.cc.Requests() {
		if r.Method == http.MethodPost && r.Get("dryrun") == "false" && r.Continues == "" {
			tokens = append(tokens, r.Get("reason"))
		}
	}
	return tokens
}

// clean checks that nothing is left behind and nothing was done that must not be.
func (w *world) clean(ignore ...backend.Resource) {
	w.Helper()
	left, err := w.cc.Leftovers(w, ignore...)
	w.must(err)
	if len(left) > 0 {
		w.Errorf("left behind: %v", left)
	}
	if bad := w.cc.Violations(); len(bad) > 0 {
		w.Errorf("violations: %v", bad)
	}
	sent := w.executions()
	slices.Sort(sent)
	if len(slices.Compact(slices.Clone(sent))) != len(sent) {
		w.Errorf("sent more than once: %v", sent)
	}
	g, err := grant.Read(w, w.api, types.NamespacedName{Namespace: namespace, Name: "orders"})
	w.must(err)
	if !g.IsFree() {
		w.Errorf("the grant is held by %s", g.Holder)
	}
	list := &v1beta1.CruiseControlOperationList{}
	w.must(w.api.List(w, list))
	for i := range list.Items {
		if op := &list.Items[i]; op.Status.Phase.IsFinished() && len(op.Finalizers) > 0 {
			w.Errorf("%s is %s and has %v", op.Name, op.Status.Phase, op.Finalizers)
		}
	}
}

// replicas counts those of each broker, as Kafka has them.
func (w *world) replicas() map[int32]int {
	cluster, err := w.kafka.Cluster(w)
	w.must(err)
	count := map[int32]int{}
	for _, p := range cluster.Partitions {
		for _, id := range p.Replicas {
			count[id]++
		}
	}
	return count
}

// post and read are requests of somebody else.
func (w *world) post(path string) { w.request("POST", path) }
func (w *world) read(path string) { w.request("GET", path) }

func (w *world) request(method, path string) {
	req, err := http.NewRequestWithContext(w, method, "http://"+ccAddress+"/kafkacruisecontrol/"+path, nil)
	w.must(err)
	c := &http.Client{Transport: &http.Transport{DialContext: w.network.DialContext, DisableKeepAlives: true}}
	if resp, err := c.Do(req); err == nil {
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
	}
}

// noLeftovers is clean without what somebody else did.
func (w *world) noLeftovers() {
	w.Helper()
	left, err := w.cc.Leftovers(w)
	w.must(err)
	if len(left) > 0 {
		w.Errorf("left behind: %v", left)
	}
}
