package kafkacluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

var errCrash = errors.New("cruisecontrol-manager died here")

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
		Update: func(ctx context.Context, to client.WithWatch, obj client.Object, opts ...client.UpdateOption) error {
			return c.write(func() error { return to.Update(ctx, obj, opts...) })
		},
		Patch: func(ctx context.Context, to client.WithWatch, obj client.Object, patch client.Patch, opts ...client.PatchOption) error {
			return c.write(func() error { return to.Patch(ctx, obj, patch, opts...) })
		},
		Delete: func(ctx context.Context, to client.WithWatch, obj client.Object, opts ...client.DeleteOption) error {
			return c.write(func() error { return to.Delete(ctx, obj, opts...) })
		},
		Apply: func(ctx context.Context, to client.WithWatch, obj runtime.ApplyConfiguration, opts ...client.ApplyOption) error {
			return c.write(func() error { return to.Apply(ctx, obj, opts...) })
		},
		SubResourceApply: func(ctx context.Context, to client.Client, name string, obj runtime.ApplyConfiguration, opts ...client.SubResourceApplyOption) error {
			return c.write(func() error { return to.SubResource(name).Apply(ctx, obj, opts...) })
		},
	})
}

// story is everything that writes: a start, a broker that goes and comes back in the middle of it, another one that goes, and a
// Cruise Control that is not wanted any more.
func (w *world) story() {
	w.Helper()
	w.must(w.client.Create(w, w.orders()))
	w.playBrokers()
	w.kafka.AddTopic("orders", 1, []int32{100, 101}, []int32{101, 102}, []int32{102, 100}, []int32{100, 102})
	w.lives(4)
	w.edit(dropBroker(102))
	w.lives(3)
	w.run()
	w.edit(addBroker(102))
	w.lives(3)
	w.edit(dropBroker(101))
	w.lives(3)
	w.end()
	w.edit(func(spec *v1beta1.KafkaClusterSpec) { spec.CruiseControl = nil })
	w.lives(4)
}

func (w *world) lives(passes int) {
	w.Helper()
	for range passes {
		w.live()
	}
}

// run is what the controller of operations does when it begins, end when it ends.
func (w *world) run() {
	w.Helper()
	for _, op := range w.operations() {
		w.setPhase(op, v1beta1.OperationExecuting)
	}
}

func (w *world) end() {
	w.Helper()
	for _, op := range w.operations() {
		phase := v1beta1.OperationSucceeded
		if op.Spec.Cancel {
			phase = v1beta1.OperationCancelled
		}
		w.setPhase(op, phase)
	}
}

// outcome is what a person would look at in the end.
func (w *world) outcome() string {
	w.Helper()
	var lines []string
	for _, op := range w.operations() {
		lines = append(lines, fmt.Sprintf("%s %v cancel=%t", op.Spec.Type, op.Spec.Brokers, op.Spec.Cancel))
	}
	slices.Sort(lines) // names differ
	lines = append(lines, fmt.Sprint(w.cluster().Status.Conditions), strings.Join(w.kafka.Changes(), ", "))
	for _, kind := range managed {
		lines = append(lines, fmt.Sprintf("%T %t", kind, w.exists(name, kind)))
	}
	lines = append(lines, fmt.Sprint(w.exists(v1beta1.CruiseControlAPISecretName(orders), &corev1.Secret{})))
	return strings.Join(lines, "\n")
}

// cruisecontrol-manager may die at any line. Wherever it dies, before or after the effect of a write, it comes to the same end,
// and makes each operation once.
func TestCrashAtEveryWrite(t *testing.T) {
	w := newWorld(t)
	count := &crasher{}
	w.crash = count
	w.restart()
	w.story()
	want := w.outcome()
	t.Logf("%d writes lead to: %s", count.seen, want)
	if w.exists(name, &appsv1.Deployment{}) || strings.Count(want, "RemoveBrokers") != 2 {
		t.Fatal("the story is not told to its end")
	}
	stride := 7
	if os.Getenv("KOPERATOR_TEST_FULL") != "" { // make test-full
		stride = 1
	}
	for at := 1; at <= count.seen; at += stride {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprintf("write %d, effect %v", at, after), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				w.crash = &crasher{at: at, after: after}
				w.restart()
				w.story()
				w.lives(4)
				if got := w.outcome(); got != want {
					t.Errorf("after a crash at write %d:\n%s\nwant:\n%s", at, got, want)
				}
			})
		}
	}
}
