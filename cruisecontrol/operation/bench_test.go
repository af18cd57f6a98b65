package operation

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kruntime "k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/cruisecontrol/session"
	"koperator.dev/koperator/test/cruisecontrol"
	"koperator.dev/koperator/test/cruisecontrol/fakekafka"
	"koperator.dev/koperator/test/cruisecontrol/model"
)

// benchWorld is many clusters, each with an operation, in one program. Its clock is moved as fast as the passes are made.
type benchWorld struct {
	testing.TB
	context.Context
	api      client.Client
	clock    *clocktesting.FakeClock
	clusters []*benchCluster
	r        *Reconciler
	// due is when each operation is looked at again, writes counts those of status.
	due    map[string]time.Time
	writes int
}

type benchCluster struct {
	name    string
	kafka   *model.Model
	cc      *cruisecontrol.Server
	url     string
	brokers []string
	// ended is when Cruise Control had finished, succeeded when the operation had.
	ended, succeeded time.Time
}

func newBenchWorld(b *testing.B, n int) *benchWorld {
	b.Helper()
	w := &benchWorld{TB: b, Context: context.WithoutCancel(b.Context()), clock: clocktesting.NewFakeClock(time.Now().Truncate(time.Second)), due: map[string]time.Time{}}
	objects := []client.Object{}
	for i := range n {
		c := &benchCluster{name: fmt.Sprintf("c%d", i), kafka: model.New(w.clock)}
		w.play(c)
		w.clusters = append(w.clusters, c)
		objects = append(objects, w.objects(c)...)
	}
	api := fake.NewClientBuilder().WithScheme(scheme()).WithStatusSubresource(&v1beta1.CruiseControlOperation{}).WithObjects(objects...).Build()
	w.api = interceptor.NewClient(api, interceptor.Funcs{
		SubResourceApply: func(ctx context.Context, to client.Client, name string, obj kruntime.ApplyConfiguration, opts ...client.SubResourceApplyOption) error {
			w.writes++
			return to.SubResource(name).Apply(ctx, obj, opts...)
		},
	})
	sessions := session.NewWith(w.api, w.api, session.Options{Clock: w.clock, Dialer: w.dial, Address: func(kc *v1beta1.KafkaCluster) string { return w.of(kc.Name).url }})
	w.r = newReconciler(w.api, w.api, events.NewFakeRecorder(100*n), sessions, w.clock)
	return w
}

// play makes Kafka and Cruise Control of a cluster.
func (w *benchWorld) play(c *benchCluster) {
	c.kafka.Bandwidth = 5 << 20
	for id, rack := range []string{"a", "b", "c", "a"} {
		c.kafka.AddBroker(w, int32(id), rack, "/a/kafka-logs")
	}
	var replicas [][]int32
	for i := range int32(30) {
		replicas = append(replicas, []int32{i % 3, (i + 1) % 3, (i + 2) % 3})
	}
	c.kafka.CreateTopic(w, "t", 200<<20, replicas...)
	kafka, err := fakekafka.New(w, c.kafka, 4)
	w.must(err)
	w.Cleanup(kafka.Close)
	c.brokers = kafka.ListenAddrs()
	cfg := cruisecontrol.DefaultConfig()
	cfg.MaxBlockTime, cfg.MaxActiveUserTasks, cfg.AutoStopExternalAgent = 0, 25, false
	c.cc = cruisecontrol.New(w, cruisecontrol.Options{Config: cfg, Kafka: c.kafka, Clock: w.clock})
	c.url, err = c.cc.Start()
	w.must(err)
	w.Cleanup(c.cc.Close)
}

func (w *benchWorld) objects(c *benchCluster) []client.Object {
	meta := func(name string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Namespace: namespace, Name: name, UID: types.UID("uid-" + name), CreationTimestamp: metav1.NewTime(w.clock.Now())}
	}
	kc := &v1beta1.KafkaCluster{ObjectMeta: meta(c.name), Spec: v1beta1.KafkaClusterSpec{
		BrokerGroups:  []v1beta1.BrokerGroup{{Name: "default", Roles: []v1beta1.Role{v1beta1.RoleBroker}}},
		CruiseControl: &v1beta1.CruiseControl{Image: "cruise-control"},
	}}
	for id := range int32(4) {
		kc.Spec.Brokers = append(kc.Spec.Brokers, v1beta1.Broker{ID: id, Group: "default"})
	}
	pod := &corev1.Pod{ObjectMeta: meta(c.name + "-cruise-control"), Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{
		Name: "cruise-control", ContainerID: "c", State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}},
	}}}}
	pod.Labels = map[string]string{v1beta1.LabelCluster: c.name, v1beta1.LabelComponent: v1beta1.ComponentCruiseControl}
	op := &v1beta1.CruiseControlOperation{ObjectMeta: meta("op-" + c.name), Spec: v1beta1.CruiseControlOperationSpec{
		ClusterRef: v1beta1.ClusterReference{Name: c.name}, Type: v1beta1.AddBrokers, Brokers: []int32{3}, AllowCapacityEstimation: true,
	}}
	return []client.Object{
		kc, pod, op, &corev1.Secret{ObjectMeta: meta(v1beta1.CruiseControlManagerSecretName(c.name))},
		&corev1.Secret{ObjectMeta: meta(v1beta1.CruiseControlAPISecretName(c.name))},
	}
}

func (w *benchWorld) of(name string) *benchCluster {
	for _, c := range w.clusters {
		if c.name == name {
			return c
		}
	}
	return nil
}

func (w *benchWorld) dial(ctx context.Context, network, address string) (net.Conn, error) {
	var cluster, id int
	if _, err := fmt.Sscanf(address, "c%d-%d.", &cluster, &id); err == nil {
		address = w.clusters[cluster].brokers[id]
	}
	return (&net.Dialer{}).DialContext(ctx, network, address)
}

func (w *benchWorld) must(err error) {
	if err != nil {
		w.Fatal(err)
	}
}

// second makes the passes that are due, and lets a second pass.
func (w *benchWorld) second() (passes, unfinished int) {
	for _, c := range w.clusters {
		name := types.NamespacedName{Namespace: namespace, Name: "op-" + c.name}
		if !c.succeeded.IsZero() {
			continue
		}
		unfinished++
		if w.clock.Now().Before(w.due[c.name]) {
			continue
		}
		passes++
		result, err := w.r.Reconcile(w, reconcile.Request{NamespacedName: name})
		w.must(err)
		// A poll wakes the operation in the field; here it asks itself.
		w.due[c.name] = w.clock.Now().Add(min(result.RequeueAfter, 10*time.Second))
		op := &v1beta1.CruiseControlOperation{}
		w.must(w.api.Get(w, name, op))
		c.note(op, w.clock.Now())
	}
	w.clock.Step(time.Second)
	for _, c := range w.clusters {
		c.cc.Advance()
	}
	return passes, unfinished
}

func (c *benchCluster) note(op *v1beta1.CruiseControlOperation, now time.Time) {
	if op.Status.Task != nil && op.Status.Task.CompletedSeenAt != nil && c.ended.IsZero() {
		c.ended = op.Status.Task.CompletedSeenAt.Time
	}
	if op.Status.Phase.IsFinished() {
		c.succeeded = now
	}
}

// BenchmarkHundredClusters adds a broker to each of a hundred clusters, in one program. CPU and memory are those of the hundred
// stand-ins for Kafka and Cruise Control too.
func BenchmarkHundredClusters(b *testing.B) {
	const n = 100
	for b.Loop() {
		b.StopTimer()
		w := newBenchWorld(b, n)
		before := heap()
		b.StartTimer()
		began, passes := w.clock.Now(), 0
		for {
			made, unfinished := w.second()
			passes += made
			if unfinished == 0 {
				break
			}
		}
		b.StopTimer()
		minutes := w.clock.Since(began).Minutes()
		polls, lag := 0, time.Duration(0)
		for _, c := range w.clusters {
			lag += c.succeeded.Sub(c.ended)
			for _, r := range c.cc.Requests() {
				if r.Method == http.MethodGet {
					polls++
				}
			}
		}
		b.ReportMetric(float64(polls)/n/minutes, "polls/min")
		b.ReportMetric(float64(passes)/n, "passes/op")
		b.ReportMetric(float64(w.writes)/n, "status-writes/op")
		b.ReportMetric(lag.Seconds()/n, "s-lag/op")
		b.ReportMetric(minutes, "min-long/op")
		b.ReportMetric(float64(heap()-before)/n/1024, "KiB-heap/cluster")
		b.StartTimer()
	}
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
