package fleet

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
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

var errCrash = errors.New("envoy-manager died here")

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
		Apply: func(ctx context.Context, to client.WithWatch, obj runtime.ApplyConfiguration, opts ...client.ApplyOption) error {
			return c.write(func() error { return to.Apply(ctx, obj, opts...) })
		},
		SubResourceApply: func(ctx context.Context, to client.Client, name string, obj runtime.ApplyConfiguration, opts ...client.SubResourceApplyOption) error {
			return c.write(func() error { return to.SubResource(name).Apply(ctx, obj, opts...) })
		},
	})
}

// story is everything that writes: a start, a broker that goes while another comes, two groups of proxies and one again, and
// a listener that goes.
func (w *world) story() {
	w.Helper()
	kc := w.orders()
	kc.Spec.Envoy = &v1beta1.Envoy{Replicas: ptr.To[int32](1)}
	w.must(w.client.Create(w, kc))
	w.live(4)
	w.edit(func(spec *v1beta1.KafkaClusterSpec) {
		dropBroker(101)(spec)
		addBroker(200)(spec)
		spec.Envoy.Groups = []v1beta1.EnvoyGroup{{Name: "a"}, {Name: "b", BrokerGroups: []string{"other"}}}
	})
	w.live(6)
	w.edit(func(spec *v1beta1.KafkaClusterSpec) { spec.Envoy.Groups = nil })
	w.live(5)
	w.edit(func(spec *v1beta1.KafkaClusterSpec) { spec.Listeners = spec.Listeners[:2] })
	w.live(4)
}

// live lets passes and the world go on, one after the other. A process that dies is followed by a new one.
func (w *world) live(passes int) {
	w.Helper()
	for range passes {
		if _, err := w.tryPass(orders); errors.Is(err, errCrash) {
			w.restart()
		}
		w.playBrokers(orders)
		w.playProxies()
		w.playLoadBalancers()
		w.acceptAll()
		if w.crash.crashed {
			w.restart()
		}
	}
}

// outcome is what a person would look at in the end.
func (w *world) outcome() string {
	w.Helper()
	ready, degraded := w.condition(orders, v1beta1.ConditionExternalAccessReady), w.condition(orders, v1beta1.ConditionExternalAccessDegraded)
	text := fmt.Sprintf("ready %s (%s), degraded %s\n%s: %s\n%s: %s", ready.Status, ready.Reason, degraded.Status, sni, w.told(sni), byPort, w.told(byPort))
	for _, list := range []client.ObjectList{&appsv1.DeploymentList{}, &corev1.ServiceList{}, &corev1.SecretList{}, &corev1.ServiceAccountList{}} {
		var names []string
		w.must(w.client.List(w, list, client.InNamespace(w.namespace)))
		w.must(eachItem(list, func(obj client.Object) { names = append(names, obj.GetName()) }))
		slices.Sort(names)
		text += fmt.Sprintf("\n%T: %s", list, strings.Join(names, " "))
	}
	return text
}

// envoy-manager may die at any line. Wherever it dies, before or after the effect of a write, it comes to the same end.
func TestCrashAtEveryWrite(t *testing.T) {
	w := newWorld(t)
	count := &crasher{}
	w.crash = count
	w.restart()
	w.story()
	want := w.outcome()
	t.Logf("%d writes lead to: %s", count.seen, want)
	stride := 9
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
				w.live(4)
				if got := w.outcome(); got != want {
					t.Errorf("after a crash at write %d:\n%s\nwant:\n%s", at, got, want)
				}
			})
		}
	}
}
