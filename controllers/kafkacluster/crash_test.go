package kafkacluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

var errCrash = errors.New("broker-manager died here")

// crasher makes one write the last one before a crash, or one whose answer is lost in it.
type crasher struct {
	at      int
	after   bool
	seen    int
	crashed bool
}

func (c *crasher) write(do func() error) error {
	c.seen++
	if c.crashed {
		return errCrash // nothing happens after a crash
	}
	if c.seen != c.at {
		return do()
	}
	c.crashed = true
	if c.after {
		_ = do()
	}
	return errCrash
}

func (c *crasher) client(to client.WithWatch) client.Client {
	return interceptor.NewClient(to, interceptor.Funcs{
		Create: func(ctx context.Context, to client.WithWatch, obj client.Object, opts ...client.CreateOption) error {
			return c.write(func() error { return to.Create(ctx, obj, opts...) })
		},
		Delete: func(ctx context.Context, to client.WithWatch, obj client.Object, opts ...client.DeleteOption) error {
			return c.write(func() error { return to.Delete(ctx, obj, opts...) })
		},
		Update: func(ctx context.Context, to client.WithWatch, obj client.Object, opts ...client.UpdateOption) error {
			return c.write(func() error { return to.Update(ctx, obj, opts...) })
		},
		Patch: func(ctx context.Context, to client.WithWatch, obj client.Object, patch client.Patch, opts ...client.PatchOption) error {
			return c.write(func() error { return to.Patch(ctx, obj, patch, opts...) })
		},
		Apply: func(ctx context.Context, to client.WithWatch, obj runtime.ApplyConfiguration, opts ...client.ApplyOption) error {
			return c.write(func() error { return to.Apply(ctx, obj, opts...) })
		},
		SubResourceApply: func(ctx context.Context, to client.Client, name string, obj runtime.ApplyConfiguration, opts ...client.SubResourceApplyOption) error {
			return c.write(func() error { return to.SubResource(name).Apply(ctx, obj, opts...) })
		},
	})
}

// small is a cluster of one controller and one broker.
func (w *world) small() *v1beta1.KafkaCluster {
	kc := w.orders()
	kc.Name, kc.Spec.Brokers = "small", []v1beta1.Broker{{ID: 0, Group: "controllers"}, {ID: 100, Group: "default"}}
	return kc
}

// story is a first start, a changed property, and the removal of a broker's replacement: everything that writes.
func (w *world) story() {
	w.Helper()
	w.create(w.small())
	w.live("small", 6)
	w.edit("small", func(spec *v1beta1.KafkaClusterSpec) {
		spec.Config = v1beta1.Config{"num.io.threads": "4"}
		spec.DynamicConfig = v1beta1.DynamicConfig{"log.retention.ms": "1000"}
		spec.Brokers = append(spec.Brokers, v1beta1.Broker{ID: 101, Group: "default"})
	})
	w.live("small", 8)
	w.edit("small", dropBroker(100))
	w.live("small", 10)
}

// live lets passes and the world go on, one after the other. A pass that fails, or dies, is tried again by a new process.
func (w *world) live(name string, passes int) {
	w.Helper()
	for range passes {
		if _, err := w.tryPass(name); errors.Is(err, errCrash) {
			w.restart()
		}
		w.play()
		w.finishClaims()
		w.playKafka()
	}
}

// playKafka makes Kafka see the brokers and controllers whose Pods run.
func (w *world) playKafka() {
	w.Helper()
	for name := range w.pods() {
		switch name {
		case "small-0":
			if q, err := w.kafka.Quorum(w); err == nil && len(q.Voters) == 0 {
				w.kafka.AddVoters(0)
			}
		default:
			var id int32
			_, err := fmt.Sscanf(name, "small-%d", &id)
			w.must(err)
			w.kafka.AddBrokers(id)
		}
	}
	if !w.exists("small-100", &corev1.Pod{}) {
		w.kafka.Crash(100)
	}
}

// outcome is what a person would look at in the end.
func (w *world) outcome() string {
	w.Helper()
	kc := w.cluster("small")
	pods := w.pods()
	text := fmt.Sprintf("ready %s, %s brokers, %s controllers, voters %v, %d Pods", w.condition("small", v1beta1.ConditionReady).Status,
		kc.Status.Summary.Brokers, kc.Status.Summary.Controllers, kc.Status.Quorum.Voters, len(pods))
	for _, name := range []string{"small-100-a-9d49725a", "small-101-a-9d49725a", "small-0-metadata-e8f434e2"} {
		text += fmt.Sprintf("\n%s exists: %v", name, w.exists(name, &corev1.PersistentVolumeClaim{}))
	}
	dynamic, err := w.kafka.DynamicConfig(w, -1)
	return text + fmt.Sprintf("\ndynamic %v %v\nviolations %v", dynamic, err, w.kafka.Violations())
}

// stride is how many writes are left out from one crash to the next.
func stride() int {
	if os.Getenv("KOPERATOR_TEST_FULL") != "" { // make test-full
		return 1
	}
	return 6
}

// broker-manager may die at any line. Wherever it dies, before or after the effect of a write, it comes to the same end.
func TestCrashAtEveryWrite(t *testing.T) {
	w := newWorld(t)
	count := &crasher{}
	w.crash = count
	w.restart()
	w.story()
	want := w.outcome()
	t.Logf("%d writes lead to: %s", count.seen, want)
	for at := 1; at <= count.seen; at += stride() {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprintf("write %d, effect %v", at, after), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				w.crash = &crasher{at: at, after: after}
				w.restart()
				w.story()
				w.live("small", 4)
				if got := w.outcome(); got != want {
					t.Errorf("after a crash at write %d:\n%s\nwant:\n%s", at, got, want)
				}
			})
		}
	}
}
