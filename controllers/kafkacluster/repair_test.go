package kafkacluster

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/controllers/internal/desired"
)

// A Pod that is missing is made again in the very next pass, also while Kafka cannot be asked and another node is broken.
func TestRepairWaitsForNothing(t *testing.T) {
	w := newWorld(t)
	w.started()
	w.kafka.SetDown(true)
	w.crashLoop(w.pod("orders-102"))
	w.remove(w.pod("orders-100"))
	w.pass("orders")
	w.pod("orders-100")
}

func TestEvictedPodIsReplaced(t *testing.T) {
	w := newWorld(t)
	w.started()
	pod := w.pod("orders-101")
	uid := pod.UID
	pod.Status.Phase, pod.Status.Reason = corev1.PodFailed, "Evicted"
	w.must(w.client.Status().Update(w, pod))
	w.pass("orders") // deletes it
	w.play()
	w.pass("orders") // makes it again
	if w.pod("orders-101").UID == uid {
		t.Fatal("the evicted Pod is still there")
	}
}

// A Pod that cannot stop is deleted by force only where its Node is gone or declared out of service. That a Node does not
// answer proves nothing: Kafka may still run there, on the same disk.
func TestForceDeletionNeedsProof(t *testing.T) {
	for name, test := range map[string]struct {
		breakNode func(*world, *corev1.Node)
		forced    bool
	}{
		"node does not answer": {func(w *world, node *corev1.Node) {
			node.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionUnknown}}
			w.must(w.client.Status().Update(w, node))
		}, false},
		"node is out of service": {func(w *world, node *corev1.Node) {
			node.Spec.Taints = []corev1.Taint{{Key: corev1.TaintNodeOutOfService, Effect: corev1.TaintEffectNoExecute}}
			w.must(w.client.Update(w, node))
		}, true},
		"node is gone": {func(w *world, node *corev1.Node) { w.must(w.client.Delete(w, node)) }, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.started()
			pod := w.pod("orders-100")
			w.must(w.client.Delete(w, pod)) // the kubelet, which would end it, is not there
			test.breakNode(w, get(w, pod.Spec.NodeName, &corev1.Node{}))
			w.pass("orders")
			gone := !w.exists("orders-100", &corev1.Pod{})
			if gone != test.forced {
				t.Fatalf("the Pod is deleted by force: %v, want %v", gone, test.forced)
			}
			if !test.forced {
				broker := w.brokerStatus("orders", 100)
				if !strings.Contains(broker.Conditions[0].Message, "out-of-service") {
					t.Errorf("the status does not say what a person can do: %+v", broker.Conditions)
				}
			}
		})
	}
}

// One node that cannot run has a condition of its own that says why, and the others are worked on.
func TestBrokenBrokerStopsNobodyElse(t *testing.T) {
	w := newWorld(t)
	w.started()
	w.edit("orders", func(spec *v1beta1.KafkaClusterSpec) {
		spec.Brokers = append(spec.Brokers,
			v1beta1.Broker{ID: 103, Group: "default", NodeTemplate: v1beta1.NodeTemplate{Config: v1beta1.Config{"num.io.threads": "abc"}}},
			v1beta1.Broker{ID: 104, Group: "default"})
	})
	w.pass("orders")
	w.pass("orders")
	w.pod("orders-104")
	if w.exists("orders-103", &corev1.Pod{}) {
		t.Fatal("a broker was started with a property that ends it")
	}
	broker := w.brokerStatus("orders", 103)
	if broker.Phase != v1beta1.BrokerFailed || broker.Conditions[0].Status != metav1.ConditionFalse || !strings.Contains(broker.Conditions[0].Message, "num.io.threads") {
		t.Fatalf("the status of the broker does not name the property: %+v", broker)
	}
	if c := w.condition("orders", v1beta1.ConditionSpecAccepted); c.Status != metav1.ConditionFalse || !strings.Contains(c.Message, "broker 103") {
		t.Fatalf("the cluster does not name the broker: %+v", c)
	}

	w.edit("orders", func(spec *v1beta1.KafkaClusterSpec) { spec.Brokers[len(spec.Brokers)-2].Config = nil })
	w.pass("orders")
	w.pod("orders-103")
	if c := w.condition("orders", v1beta1.ConditionSpecAccepted); c.Status != metav1.ConditionTrue {
		t.Fatalf("the condition did not heal: %+v", c)
	}
}

// A running broker whose new configuration is wrong keeps the one it has, and is started again with it if it dies.
func TestWrongPropertyOfARunningBroker(t *testing.T) {
	w := newWorld(t)
	w.started()
	uid, hash := w.pod("orders-101").UID, w.pod("orders-101").Annotations[v1beta1.AnnotationIntent]
	w.edit("orders", func(spec *v1beta1.KafkaClusterSpec) {
		for i := range spec.Brokers {
			if spec.Brokers[i].ID == 101 {
				spec.Brokers[i].Config = v1beta1.Config{"num.network.threads": "many"}
			}
		}
	})
	w.settle("orders")
	if w.pod("orders-101").UID != uid {
		t.Fatal("the broker was stopped for a configuration that it cannot start with")
	}
	w.remove(w.pod("orders-101"))
	w.pass("orders")
	if again := w.pod("orders-101").Annotations[v1beta1.AnnotationIntent]; again != hash {
		t.Fatalf("the broker was not started with what it had: %s, want %s", again, hash)
	}
}

// crashLoop makes a Pod end again and again.
func (w *world) crashLoop(pod *corev1.Pod) {
	w.Helper()
	pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionFalse}}
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{
		Name:                 desired.KafkaContainer,
		RestartCount:         7,
		State:                corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}},
		LastTerminationState: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 1, Reason: "Error", Message: "org.apache.kafka.common.config.ConfigException: no"}},
	}}
	w.must(w.client.Status().Update(w, pod))
}

// What Kafka said last before it ended is in the status: nobody has to find the logs of a container that is gone.
func TestCrashIsExplained(t *testing.T) {
	w := newWorld(t)
	w.started()
	w.crashLoop(w.pod("orders-102"))
	w.pass("orders")
	broker := w.brokerStatus("orders", 102)
	if broker.Phase != v1beta1.BrokerFailed || !strings.Contains(broker.Conditions[0].Message, "ConfigException") {
		t.Fatalf("status does not explain the crash: %+v", broker)
	}
	kc := w.cluster("orders")
	if len(kc.Status.BlockedBy) == 0 || kc.Status.BlockedBy[0].What != "broker 102" || !strings.HasPrefix(kc.Status.Summary.Message, "broker 102: ") {
		t.Fatalf("the cluster's first message is not the crash: %+v %+v", kc.Status.BlockedBy, kc.Status.Summary)
	}
}

func TestLastWordsAreTheErrorAndNotItsStack(t *testing.T) {
	log := "[x] ERROR Encountered fatal fault\njava.lang.IllegalStateException: Expected to be Follower\n" + strings.Repeat("\tat org.apache.kafka.Raft(Raft.java:1)\n", 60)
	if got, want := lastWords(log), "[x] ERROR Encountered fatal fault\njava.lang.IllegalStateException: Expected to be Follower"; got != want {
		t.Errorf("last words are %q, want %q", got, want)
	}
}

// A node that cannot run because its disk is full starts again as soon as the disk has grown.
func TestGrownDiskEndsTheWait(t *testing.T) {
	w := newWorld(t)
	w.started()
	uid := w.pod("orders-102").UID
	w.crashLoop(w.pod("orders-102"))
	w.pass("orders")
	w.pass("orders")
	if w.pod("orders-102").UID != uid || !w.pod("orders-102").DeletionTimestamp.IsZero() {
		t.Fatal("a Pod that crashes is made again and again, which the kubelet does better")
	}
	claim := get(w, claim102, &corev1.PersistentVolumeClaim{})
	claim.Status.Capacity = corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("20Gi")}
	w.must(w.client.Status().Update(w, claim))
	w.pass("orders")
	if w.pod("orders-102").DeletionTimestamp.IsZero() {
		t.Fatal("the Pod waits for the kubelet's next try")
	}
}

// A pass over a cluster that is as it should be writes nothing, and nor does the one after a restart of broker-manager
// change anything.
func TestIdlePassWritesNothing(t *testing.T) {
	w := newWorld(t)
	w.started()
	w.writes = nil
	w.pass("orders")
	if len(w.writes) > 0 {
		t.Errorf("an idle pass writes: %v", w.writes)
	}

	versions := w.versions()
	w.restart()
	w.settle("orders")
	for name, version := range w.versions() {
		if versions[name] != version {
			t.Errorf("%s was changed by a restart of broker-manager", name)
		}
	}
	if changes := w.kafka.Changes(); len(changes) > 0 {
		t.Errorf("Kafka was told something: %v", changes)
	}
}

// versions are the resource versions of all objects in the namespace.
func (w *world) versions() map[string]string {
	w.Helper()
	versions := map[string]string{}
	for _, list := range []client.ObjectList{&corev1.PodList{}, &corev1.PersistentVolumeClaimList{}, &corev1.ConfigMapList{}, &corev1.ServiceList{}, &corev1.SecretList{}, &v1beta1.KafkaClusterList{}} {
		w.must(w.client.List(w, list, client.InNamespace(w.namespace)))
		w.must(eachItem(list, func(obj client.Object) { versions[objectKey(obj)] = obj.GetResourceVersion() }))
	}
	return versions
}
