package kafkacluster

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/apis/machinery/kafka/kafkafake"
)

// stopping are the nodes whose Pods are on their way out.
func (w *world) stopping() []string {
	w.Helper()
	var names []string
	for _, id := range []int{0, 1, 2, 100, 101, 102} {
		name := fmt.Sprintf("orders-%d", id)
		pod := &corev1.Pod{}
		if w.exists(name, pod) && !pod.DeletionTimestamp.IsZero() {
			names = append(names, name)
		}
	}
	return names
}

// roll plays the world until nothing waits for a restart, and returns the nodes in the order in which they were stopped.
func (w *world) roll() []string {
	w.Helper()
	var order, down []string
	for range 60 {
		w.pass("orders")
		for _, name := range w.stopping() {
			order, down = append(order, name), append(down, name)
			w.stopInKafka(name)
		}
		if len(down) > 1 {
			w.Fatalf("two nodes are down at once: %v", down)
		}
		w.play() // what stops is gone, what was made runs
		if len(down) == 1 && w.exists(down[0], &corev1.Pod{}) {
			w.startInKafka(down[0])
			down = nil
		}
		if len(down) == 0 && w.cluster("orders").Status.Summary.Rollout == "" && len(order) > 0 {
			return order
		}
	}
	w.Fatalf("the rollout does not end: %+v", w.cluster("orders").Status.BlockedBy)
	return nil
}

func (w *world) stopInKafka(name string) {
	if id := idOf(name); id >= 100 {
		w.kafka.Stop(id)
	}
}

func (w *world) startInKafka(name string) {
	if id := idOf(name); id >= 100 {
		w.kafka.Start(id)
	}
}

func idOf(name string) int32 {
	var id int32
	_, _ = fmt.Sscanf(strings.TrimPrefix(name, "orders-"), "%d", &id)
	return id
}

func setConfig(key, value string) func(*v1beta1.KafkaClusterSpec) {
	return func(spec *v1beta1.KafkaClusterSpec) { spec.Config = v1beta1.Config{key: value} }
}

// A changed property restarts every node once, one at a time, controllers first and the active one as the last of them,
// and takes no partition below its min.insync.replicas.
func TestConfigChangeRollsOneByOne(t *testing.T) {
	w := newWorld(t)
	w.started()
	w.kafka.AddTopic("payments", 2, []int32{100, 101, 102}, []int32{101, 102, 100})
	w.edit("orders", setConfig("num.io.threads", "4"))
	order := w.roll()
	want := []string{"orders-1", "orders-2", "orders-0", "orders-100", "orders-101", "orders-102"}
	if !slices.Equal(order, want) {
		t.Errorf("restarted %v, want %v", order, want)
	}
	if v := w.kafka.Violations(); len(v) > 0 {
		t.Error(v)
	}
	if !strings.Contains(get(w, "orders-100", &corev1.ConfigMap{}).Data["server.properties"], "num.io.threads=4") {
		t.Error("the broker does not run with the new property")
	}
}

// What waits is in status before anything is restarted, with why.
func TestPendingRestartIsShown(t *testing.T) {
	w := newWorld(t)
	w.started()
	w.kafka.AddTopic("payments", 2, []int32{100, 101, 102})
	w.kafka.Crash(102)
	w.edit("orders", setConfig("num.io.threads", "4"))
	for range 3 {
		w.pass("orders")
		w.play()
	}
	broker := w.brokerStatus("orders", 100)
	if !strings.Contains(broker.RestartReason, "num.io.threads") {
		t.Errorf("the reason does not name the property: %q", broker.RestartReason)
	}
	if slices.Contains(w.stopping(), "orders-100") {
		t.Error("a broker is stopped while that takes a partition below its min.insync.replicas")
	}
	waits := w.cluster("orders").Status.BlockedBy
	if !slices.ContainsFunc(waits, func(b v1beta1.BlockedBy) bool { return b.What == "restart of broker 100" }) {
		t.Errorf("blockedBy does not explain the wait: %+v", waits)
	}
}

// A configuration that breaks the first node that gets it is not given to a second one, and is taken back when the spec
// is corrected.
func TestBadConfigurationStopsAtItsFirstVictim(t *testing.T) {
	w := newWorld(t)
	w.started()
	w.edit("orders", setConfig("some.plugin.class", "not.there"))
	victim := ""
	for range 6 {
		w.pass("orders")
		for _, name := range w.stopping() {
			if victim != "" && name != victim {
				t.Fatalf("%s was stopped after %s had not come back", name, victim)
			}
			victim = name
		}
		w.play()
		w.pass("orders")
		w.crashing = victim // as soon as it starts again
	}
	if victim == "" {
		t.Fatal("nothing was restarted")
	}
	w.edit("orders", func(spec *v1beta1.KafkaClusterSpec) { spec.Config = nil })
	w.pass("orders")
	w.crashing = ""
	for range 4 {
		w.pass("orders")
		w.play()
	}
	if ready := w.condition("orders", v1beta1.ConditionReady); ready.Status != metav1.ConditionTrue {
		t.Fatalf("the cluster does not heal: %+v", ready)
	}
}

// A broker that runs, was a member and is none any more is restarted after a while.
func TestFencedBrokerIsRestarted(t *testing.T) {
	w := newWorld(t)
	w.started()
	w.kafka.Edit(func(s *kafkafake.State) {
		broker := s.Brokers[101]
		broker.Fenced = true
		s.Brokers[101] = broker
	})
	w.pass("orders")
	if len(w.stopping()) > 0 {
		t.Fatal("a broker is restarted the moment it is fenced")
	}
	w.clock.SetTime(w.clock.Now().Add(4 * time.Minute))
	w.pass("orders")
	if !slices.Equal(w.stopping(), []string{"orders-101"}) {
		t.Fatalf("the fenced broker is not restarted: %v %+v", w.stopping(), w.cluster("orders").Status.BlockedBy)
	}
}

// Nobody is restarted while Kafka cannot be asked.
func TestNoRestartWithoutKafka(t *testing.T) {
	w := newWorld(t)
	w.started()
	w.kafka.SetDown(true)
	w.edit("orders", setConfig("num.io.threads", "4"))
	for range 3 {
		w.pass("orders")
	}
	if stopping := w.stopping(); len(stopping) > 0 {
		t.Fatal(stopping)
	}
	if c := w.condition("orders", v1beta1.ConditionKafkaReachable); c.Status != metav1.ConditionFalse {
		t.Errorf("the condition does not say that Kafka cannot be asked: %+v", c)
	}
}
