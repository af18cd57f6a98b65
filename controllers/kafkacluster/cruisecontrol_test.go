package kafkacluster

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/apis/machinery/kafka/kafkafake"
	"koperator.dev/koperator/controllers/internal/desired"
)

// A broker that leaves gets nothing new, and everything again when it is put back. What others set stays.
func TestLeavingBrokerIsCordoned(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	kc := w.started()
	w.playDisks()
	w.edit("orders", func(spec *v1beta1.KafkaClusterSpec) {
		spec.BrokerGroups[1].DynamicConfig = v1beta1.DynamicConfig{"num.io.threads": "9"}
	})
	w.kafka.AddTopic("payments", 1, []int32{102, 100})
	w.kafka.Edit(func(s *kafkafake.State) {
		s.Configs[102] = map[string]string{"leader.replication.throttled.rate": "1000"}
	})
	w.settle("orders")
	before := w.dynamic(102)
	w.edit("orders", dropBroker(102))
	w.turns(3)
	want := maps.Clone(before)
	want[cordonedLogDirs] = "*"
	if got := w.dynamic(102); !maps.Equal(got, want) {
		t.Errorf("broker 102 has %v, want %v", got, want)
	}
	if got := w.dynamic(101); got[cordonedLogDirs] != "" {
		t.Errorf("broker 101 is cordoned, too: %v", got)
	}
	w.restart()
	w.edit("orders", func(spec *v1beta1.KafkaClusterSpec) { spec.Brokers = kc.Spec.Brokers })
	w.turns(3)
	if got := w.dynamic(102); !maps.Equal(got, before) {
		t.Errorf("broker 102 has %v, want %v", got, before)
	}
}

// Kafka before 4.3 knows no cordon, and 4.3 refuses it before its metadata.version was raised: the broker drains without,
// and everything else is set.
func TestDrainingWithoutCordon(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(*world){
		"Kafka 4.2": func(w *world) {
			pod := w.pod("orders-102")
			pod.Labels[v1beta1.LabelVersion] = "4.2.1"
			w.must(w.client.Update(w, pod))
		},
		"metadata.version of 4.2": func(w *world) {
			w.kafka.Inject(kafkafake.Fault{Method: "AlterDynamicConfig", Err: fmt.Errorf("%w (it requires metadata.version >= 4.3-IV0)", kerr.InvalidConfig)})
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.withSecondDisk()
			w.place(diskB)
			prepare(w)
			w.setDisks(102)
			w.turns(2)
			if refused := w.blocked("cordon of broker 102") == "CordonRefused"; refused != (name != "Kafka 4.2") {
				t.Errorf("blocked by %+v", w.cluster("orders").Status.BlockedBy)
			}
			w.place(diskA)
			w.turns(6)
			if w.claimOf(diskB) != nil {
				t.Errorf("the disk does not go: %+v", w.cluster("orders").Status.BlockedBy)
			}
			if got := w.dynamic(102)[cordonedLogDirs]; got != "" {
				t.Errorf("cordoned: %q", got)
			}
		})
	}
}

// A broker that drains is repaired, and its certificate stays.
func TestDrainingBrokerLives(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.started()
	w.playDisks()
	w.kafka.AddTopic("payments", 1, []int32{102, 100})
	certificate := get(w, "orders-102-tls", &corev1.Secret{}).Data[corev1.TLSCertKey]
	w.edit("orders", dropBroker(102))
	w.turns(2)
	w.remove(w.pod("orders-102"))
	w.turns(2)
	if !isReady(w.pod("orders-102")) || string(get(w, "orders-102-tls", &corev1.Secret{}).Data[corev1.TLSCertKey]) != string(certificate) {
		t.Error("the broker does not live on")
	}
}

// Cruise Control and the program that uses it get certificates of their own, and nobody does without a Cruise Control.
func TestCertificatesOfCruiseControl(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.started()
	names := []string{v1beta1.CruiseControlClientSecretName("orders"), v1beta1.CruiseControlManagerSecretName("orders")}
	for _, name := range names {
		if w.exists(name, &corev1.Secret{}) {
			t.Errorf("%s exists without a Cruise Control", name)
		}
	}
	w.edit("orders", func(spec *v1beta1.KafkaClusterSpec) {
		spec.CruiseControl = &v1beta1.CruiseControl{
			External:        &v1beta1.ExternalCruiseControl{URL: "https://cruise-control.example.com/kafkacruisecontrol"},
			MetricsReporter: &v1beta1.MetricsReporter{Enabled: ptr.To(false)},
		}
	})
	w.pass("orders")
	for _, name := range names {
		secret := get(w, name, &corev1.Secret{})
		for _, key := range []string{corev1.TLSCertKey, corev1.TLSPrivateKeyKey, desired.KeystoreKey, desired.AuthorityKey} {
			if len(secret.Data[key]) == 0 {
				t.Errorf("%s has no %s", name, key)
			}
		}
	}
}

// What only Koperator can set is refused while it brings the reporter, and stays the user's who has one of his own.
func TestReporterOfTheUser(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.started()
	w.edit("orders", func(spec *v1beta1.KafkaClusterSpec) {
		spec.Config = v1beta1.Config{"cruise.control.metrics.reporter.bootstrap.servers": "elsewhere:9092"}
	})
	w.turns(30)
	if c := w.condition("orders", v1beta1.ConditionSpecAccepted); c.Status != metav1.ConditionTrue {
		t.Errorf("without spec.cruiseControl: %+v", c)
	}
	w.edit("orders", func(spec *v1beta1.KafkaClusterSpec) {
		spec.CruiseControl = &v1beta1.CruiseControl{Image: "cruise-control"}
	})
	w.pass("orders")
	if c := w.condition("orders", v1beta1.ConditionSpecAccepted); c.Status != metav1.ConditionFalse || !strings.Contains(c.Message, "spec.cruiseControl.metricsReporter: remove it") {
		t.Errorf("with spec.cruiseControl: %+v", c)
	}
}

// An image without the reporter stops the rollout at the first broker that gets it, and says what to do.
func TestImageWithoutReporter(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.started()
	w.playDisks()
	w.edit("orders", func(spec *v1beta1.KafkaClusterSpec) {
		spec.CruiseControl = &v1beta1.CruiseControl{Image: "cruise-control"}
	})
	w.pass("orders")
	if stopping := w.stopping(); len(stopping) != 1 || stopping[0] != "orders-100" {
		t.Fatalf("%v are stopped", stopping)
	}
	w.kafka.Stop(100)
	w.play()
	w.pass("orders")
	pod := w.pod("orders-100")
	w.must(w.client.SubResource("binding").Create(w, pod, &corev1.Binding{Target: corev1.ObjectReference{Kind: "Node", Name: w.node("zone-a")}}))
	w.must(w.client.Get(w, client.ObjectKeyFromObject(pod), pod))
	pod.Status.Phase = corev1.PodPending
	pod.Status.InitContainerStatuses = []corev1.ContainerStatus{{
		Name:                 desired.ReporterContainer,
		State:                corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}},
		LastTerminationState: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 1, Message: "koperator: no file of this image matches"}},
	}}
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: desired.KafkaContainer, State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "PodInitializing"}}}}
	w.must(w.client.Status().Update(w, pod))
	for range 3 {
		w.pass("orders")
	}
	broker := w.brokerStatus("orders", 100)
	if broker.Phase != v1beta1.BrokerFailed || !strings.Contains(broker.Conditions[0].Message, "no file of this image matches") {
		t.Errorf("got %+v", broker)
	}
	if stopping := w.stopping(); len(stopping) > 0 {
		t.Errorf("%v are stopped as well", stopping)
	}
	w.edit("orders", func(spec *v1beta1.KafkaClusterSpec) { spec.CruiseControl = nil })
	w.turns(6)
	if ready := w.condition("orders", v1beta1.ConditionReady); ready.Status != metav1.ConditionTrue {
		t.Errorf("the cluster does not heal: %+v", ready)
	}
}
