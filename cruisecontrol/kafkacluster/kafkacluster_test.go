package kafkacluster

import (
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/apis/machinery/grant"
	"koperator.dev/koperator/apis/machinery/kafka"
	"koperator.dev/koperator/apis/machinery/kafka/kafkafake"
	ccclient "koperator.dev/koperator/cruisecontrol/client"
	"koperator.dev/koperator/cruisecontrol/deployment"
	"koperator.dev/koperator/cruisecontrol/plan"
)

var managed = []client.Object{
	&corev1.ServiceAccount{}, &corev1.Service{}, &corev1.ConfigMap{}, &appsv1.Deployment{}, &policyv1.PodDisruptionBudget{}, &networkingv1.NetworkPolicy{},
}

// A new cluster gets its Cruise Control with all that belongs to it, once there are certificates and topics.
func TestCruiseControlIsMade(t *testing.T) {
	w := newWorld(t)
	w.must(w.client.Create(w, w.orders()))
	w.pass()
	w.requireCondition(v1beta1.ConditionCruiseControlReady, metav1.ConditionFalse, reasonKafka, "")
	if w.exists(name, &appsv1.Deployment{}) {
		t.Fatal("Cruise Control is started before there are its certificates and topics")
	}

	w.playBrokers()
	w.clock.Step(time.Minute)
	w.pass()
	for _, kind := range managed {
		if !w.exists(name, kind) {
			t.Errorf("there is no %T", kind)
		} else if !metav1.IsControlledBy(kind, w.cluster()) {
			t.Errorf("%T does not go with the KafkaCluster", kind)
		}
	}
	if topics := w.kafka.Changes(); len(topics) != 3 || !strings.Contains(topics[0], "__CruiseControlMetrics") {
		t.Errorf("Kafka was told %v, want the three topics of Cruise Control", topics)
	}
	api := get(w, v1beta1.CruiseControlAPISecretName(orders), &corev1.Secret{})
	for _, key := range []string{"username", "password", "ca.crt", "tls.crt", "tls.key", deployment.APIKeystoreKey, deployment.KeystorePasswordKey, deployment.CredentialsKey} {
		if len(api.Data[key]) == 0 {
			t.Errorf("the Secret of the REST API has no %s", key)
		}
	}

	w.playDeployment()
	w.pass()
	w.requireCondition(v1beta1.ConditionCruiseControlReady, metav1.ConditionFalse, reasonUnreachable, "")
	w.clock.Step(2 * time.Second) // it loads samples
	w.live()
	w.requireCondition(v1beta1.ConditionCruiseControlReady, metav1.ConditionTrue, reasonReady, "")
	w.requireCondition(v1beta1.ConditionDataPlaced, metav1.ConditionTrue, reasonPlaced, "")
	status := w.cluster().Status.CruiseControl
	if status.Phase != v1beta1.CruiseControlReady || status.Instance == "" || status.MonitoredPercent == nil {
		t.Errorf("status says %+v", status)
	}
	w.settle()
}

// Nothing is written when nothing has changed; what somebody has broken is mended.
func TestDriftIsMended(t *testing.T) {
	w := newWorld(t)
	w.started()
	w.settle()
	for range 3 {
		w.clock.Step(time.Minute)
		w.poll()
		before := len(w.writes)
		w.pass()
		if len(w.writes) != before {
			t.Fatalf("a pass without a change writes %v", w.writes[before:])
		}
	}
	password := get(w, v1beta1.CruiseControlAPISecretName(orders), &corev1.Secret{}).Data["password"]
	for _, kind := range managed {
		w.must(w.client.Delete(w, get(w, name, kind)))
	}
	w.live()
	w.live()
	for _, kind := range managed {
		if !w.exists(name, kind) {
			t.Errorf("%T is not made again", kind)
		}
	}
	if again := get(w, v1beta1.CruiseControlAPISecretName(orders), &corev1.Secret{}).Data["password"]; string(again) != string(password) {
		t.Error("there is another password")
	}
}

// Lesson 19: Cruise Control is not restarted by a change of the very scaling that it works for. It is when it is idle.
func TestNothingIsRolledWhileItIsBusy(t *testing.T) {
	w := newWorld(t)
	w.started()
	w.edit(dropBroker(102))
	w.live()
	w.told("")
	before := get(w, name, &appsv1.Deployment{}).Generation
	rolled := func() bool { return get(w, name, &appsv1.Deployment{}).Generation != before }

	op := w.operations()[0]
	w.setPhase(op, v1beta1.OperationExecuting)
	w.edit(func(spec *v1beta1.KafkaClusterSpec) {
		larger := []v1beta1.Storage{{Path: diskA, Size: resource.MustParse("20Gi")}}
		spec.Brokers = append(spec.Brokers, v1beta1.Broker{ID: 103, Group: "default", Storage: larger})
	})
	for range 3 {
		w.live()
	}
	if rolled() {
		t.Fatal("Cruise Control is restarted while it works for an operation")
	}
	w.requireCondition(v1beta1.ConditionCruiseControlReady, metav1.ConditionTrue, reasonBusy, "Cruise Control works for "+op.Name)
	if allowed := get(w, name, &policyv1.PodDisruptionBudget{}).Spec.MaxUnavailable.IntValue(); allowed != 0 {
		t.Error("a drain of its node may evict it while it works for an operation")
	}
	config := get(w, name, &corev1.ConfigMap{}).Data[deployment.CapacityKey]
	if strings.Contains(config, "103") {
		t.Error("its files are changed though it runs on with the old ones")
	}

	w.setPhase(op, v1beta1.OperationSucceeded)
	w.kafka.Edit(func(s *kafkafake.State) { s.Reassignments = []kafka.Reassignment{{Replicas: []int32{100}}} })
	w.live()
	if rolled() {
		t.Fatal("Cruise Control is restarted while Kafka moves a partition")
	}
	w.kafka.Edit(func(s *kafkafake.State) { s.Reassignments = nil })

	opened, err := w.sessions.For(w, w.cluster())
	w.must(err)
	_, err = opened.CruiseControl().RemoveBroker(w, ccclient.Execute("somebody-else"), ccclient.RemoveBrokerParameters{BrokerIDs: []int32{102}})
	w.must(err)
	w.clock.Step(3 * time.Second)
	w.live()
	if rolled() {
		t.Fatal("Cruise Control is restarted while it executes a plan of somebody else's")
	}
	if phase := w.cluster().Status.CruiseControl.Phase; phase != v1beta1.CruiseControlBusy {
		t.Errorf("its phase is %s", phase)
	}
	for range 30 {
		w.clock.Step(10 * time.Second)
		w.standIn.Advance()
	}
	w.live()
	if !rolled() {
		t.Fatal("Cruise Control is not restarted though it is idle")
	}
	if len(w.told("CruiseControlRestarted")) != 1 {
		t.Error("nobody is told of the restart, or more than once")
	}
}

// A certificate is renewed in time, and Cruise Control gets it when it is idle.
func TestCertificateIsRenewed(t *testing.T) {
	w := newWorld(t)
	w.started()
	w.settle()
	secret := func() *corev1.Secret { return get(w, v1beta1.CruiseControlAPISecretName(orders), &corev1.Secret{}) }
	before, generation := secret(), get(w, name, &appsv1.Deployment{}).Generation
	w.clock.Step(300 * 24 * time.Hour)
	w.standIn.Advance()
	w.live()
	w.live()
	after := secret()
	if string(before.Data["tls.crt"]) == string(after.Data["tls.crt"]) || string(before.Data["ca.crt"]) != string(after.Data["ca.crt"]) {
		t.Error("want a new certificate of the same authority")
	}
	if get(w, name, &appsv1.Deployment{}).Generation == generation {
		t.Error("Cruise Control is not restarted with it")
	}
}

// A broker that is removed gets one operation, whoever looks how often; put back, it is cancelled.
func TestBrokerRemovedAndPutBack(t *testing.T) {
	w := newWorld(t)
	w.started()
	w.edit(dropBroker(102))
	for range 3 {
		w.restart()
		w.live()
	}
	operations := w.operations()
	if len(operations) != 1 || operations[0].Spec.Type != v1beta1.RemoveBrokers || !slices.Equal(operations[0].Spec.Brokers, []int32{102}) {
		t.Fatalf("there are %d operations: %+v", len(operations), operations)
	}
	op := operations[0]
	if op.Labels[v1beta1.LabelOrigin] != v1beta1.OriginPlanner || op.Labels[v1beta1.LabelCluster] != orders || !metav1.IsControlledBy(op, w.cluster()) {
		t.Errorf("nobody can tell whose operation it is: %+v", op.ObjectMeta)
	}
	w.requireCondition(v1beta1.ConditionDataPlaced, metav1.ConditionFalse, plan.CodeMoving, op.Name)
	if len(w.told("OperationCreated")) != 1 {
		t.Error("nobody is told of the operation, or more than once")
	}

	w.setPhase(op, v1beta1.OperationExecuting, func(s *v1beta1.CruiseControlOperationStatus) {
		s.Progress = &v1beta1.OperationProgress{PartitionsFinished: 1, PartitionsTotal: 3}
	})
	w.edit(addBroker(102))
	w.live()
	op = get(w, op.Name, &v1beta1.CruiseControlOperation{})
	if !op.Spec.Cancel || op.Annotations[v1beta1.AnnotationWithdrawn] == "" {
		t.Error("the operation goes on though its broker is back in the spec")
	}
	w.live()
	w.setPhase(op, v1beta1.OperationCancelled)
	w.live()
	operations = w.operations()
	if len(operations) != 2 || operations[0].Spec.Type != v1beta1.AddBrokers || !slices.Equal(operations[0].Spec.Brokers, []int32{102}) {
		t.Errorf("what was moved is not moved back: %+v", operations)
	}
}

// An operation that has not begun is deleted when it is not wanted any more.
func TestOperationThatHasNotBegun(t *testing.T) {
	w := newWorld(t)
	w.started()
	w.edit(dropBroker(102))
	w.live()
	w.edit(addBroker(102))
	w.live()
	if operations := w.operations(); len(operations) != 0 {
		t.Errorf("there is still %s", operations[0].Name)
	}
	w.live()
	w.requireCondition(v1beta1.ConditionDataPlaced, metav1.ConditionTrue, reasonPlaced, "")
}

// Lesson 2: a KafkaCluster that is restored from Git has no status, and broker 102 is not in it. Nothing is deleted and nothing
// is removed until broker-manager has found it.
func TestRestoredWithoutStatus(t *testing.T) {
	w := newWorld(t)
	w.started()
	w.edit(dropBroker(102))
	kc := w.cluster()
	kc.Status = v1beta1.KafkaClusterStatus{}
	w.must(w.client.Status().Update(w, kc))
	w.restart()
	w.writes = nil
	w.clock.Step(time.Minute)
	w.pass()
	if w.wrote("create") || w.wrote("delete") || w.wrote("patch") {
		t.Errorf("without a status there is written: %v", w.writes)
	}
}

// What needs a person is said with what to do.
func TestWhatNeedsAPerson(t *testing.T) {
	w := newWorld(t)
	w.started()
	off := false
	w.edit(func(spec *v1beta1.KafkaClusterSpec) { spec.CruiseControl.Automation.RemoveBrokers = &off })
	w.edit(dropBroker(102))
	w.live()
	w.requireCondition(v1beta1.ConditionDataPlaced, metav1.ConditionFalse, plan.CodeAutomationOff, "type: RemoveBrokers, brokers: [102]")

	on := true
	w.edit(func(spec *v1beta1.KafkaClusterSpec) { spec.CruiseControl.Automation.RemoveBrokers = &on })
	w.live()
	w.setPhase(w.operations()[0], v1beta1.OperationFailed, func(s *v1beta1.CruiseControlOperationStatus) {
		s.Task = &v1beta1.OperationTask{Attempt: 1, ErrorMessage: "[RackAwareGoal] Insufficient number of racks"}
	})
	w.told("")
	w.live()
	w.live()
	w.requireCondition(v1beta1.ConditionDataPlaced, metav1.ConditionFalse, plan.CodeFailed, "[RackAwareGoal] Insufficient number of racks")
	if len(w.operations()) != 1 || len(w.told(plan.CodeFailed)) != 1 {
		t.Error("it is tried again by itself, or not told just once")
	}
}

// A disk that has failed is noticed though nothing else happens, and its replicas are made again elsewhere after a while.
func TestDiskFails(t *testing.T) {
	w := newWorld(t)
	w.started()
	w.kafka.Edit(func(s *kafkafake.State) { s.Partitions[0].Offline = []int32{s.Partitions[0].Replicas[0]} })
	w.clock.Step(time.Minute)
	w.live()
	w.requireCondition(v1beta1.ConditionDataPlaced, metav1.ConditionFalse, plan.CodeOffline, "")
	w.clock.Step(4 * time.Minute)
	w.live()
	if len(w.operations()) > 0 {
		t.Error("it gets no time to come back")
	}
	w.clock.Step(time.Minute)
	w.live()
	if operations := w.operations(); len(operations) != 1 || operations[0].Spec.Type != v1beta1.FixOfflineReplicas {
		t.Errorf("there are %+v", operations)
	}
}

// The grant of an operation that is gone or over is given back; nobody else's is.
func TestGrantIsGivenBack(t *testing.T) {
	w := newWorld(t)
	w.started()
	w.edit(dropBroker(102))
	w.live()
	op := w.operations()[0]
	holder := func() string {
		t.Helper()
		w.live()
		read, err := grant.Read(w, w.client, nameOf(w.cluster()))
		w.must(err)
		return read.Holder
	}
	w.take(op.Name)
	w.setPhase(op, v1beta1.OperationExecuting)
	if holder() != op.Name {
		t.Error("it is taken from an operation that is under way")
	}
	w.setPhase(op, v1beta1.OperationFailed)
	if holder() != "" {
		t.Error("an operation that is over keeps it")
	}
	w.take("gone")
	if holder() != "" {
		t.Error("an operation that does not exist keeps it")
	}
	w.take(grant.BrokerManager)
	if holder() != grant.BrokerManager {
		t.Error("it is taken from broker-manager")
	}
}

// Cruise Control goes when it is not in the spec any more, but not in the middle of an operation.
func TestCruiseControlIsRemoved(t *testing.T) {
	w := newWorld(t)
	w.started()
	w.edit(dropBroker(102))
	w.live()
	op := w.operations()[0]
	w.setPhase(op, v1beta1.OperationExecuting)
	w.edit(func(spec *v1beta1.KafkaClusterSpec) { spec.CruiseControl = nil })
	w.pass()
	w.requireCondition(v1beta1.ConditionCruiseControlReady, metav1.ConditionFalse, reasonRemoving, op.Name)
	if !w.exists(name, &appsv1.Deployment{}) {
		t.Fatal("Cruise Control is removed in the middle of an operation")
	}
	w.setPhase(op, v1beta1.OperationSucceeded)
	w.pass()
	for _, kind := range managed {
		if w.exists(name, kind) {
			t.Errorf("%T is left", kind)
		}
	}
	if w.exists(v1beta1.CruiseControlAPISecretName(orders), &corev1.Secret{}) {
		t.Error("the Secret of the REST API is left")
	}
	w.pass()
	status := w.cluster().Status
	if status.CruiseControl != nil || len(status.Conditions) > 0 || len(status.Brokers) == 0 {
		t.Errorf("status says %+v", status)
	}
	w.settle()
}

// Of a Cruise Control that is somebody else's there are operations and a status, and no objects.
func TestExternalCruiseControl(t *testing.T) {
	w := newWorld(t)
	kc := w.orders()
	kc.Spec.CruiseControl = &v1beta1.CruiseControl{External: &v1beta1.ExternalCruiseControl{URL: w.url}, MetricsReporter: &v1beta1.MetricsReporter{Enabled: new(bool)}}
	w.must(w.client.Create(w, kc))
	w.playBrokers()
	w.kafka.AddTopic("orders", 1, []int32{100, 101}, []int32{101, 102})
	w.clock.Step(2 * time.Second)
	w.live()
	w.live()
	w.requireCondition(v1beta1.ConditionCruiseControlReady, metav1.ConditionTrue, reasonReady, "")
	for _, kind := range managed {
		if w.exists(name, kind) {
			t.Errorf("there is a %T", kind)
		}
	}
	w.edit(dropBroker(102))
	w.live()
	if len(w.operations()) != 1 {
		t.Error("there is no operation for the broker that was removed")
	}
}

// A KafkaCluster that is being deleted is left to the garbage collector.
func TestClusterIsDeleted(t *testing.T) {
	w := newWorld(t)
	w.started()
	kc := w.cluster()
	kc.Finalizers = []string{v1beta1.FinalizerShutdown}
	w.must(w.client.Update(w, kc))
	w.must(w.client.Delete(w, kc))
	w.writes = nil
	w.pass()
	if len(w.writes) > 0 {
		t.Errorf("there is written: %v", w.writes)
	}
	kc = w.cluster()
	kc.Finalizers = nil
	w.must(w.client.Update(w, kc))
	w.pass()
}

// While Kafka cannot be asked nothing is planned, and everything else goes on; an answer that is lost does no harm.
func TestKafkaFails(t *testing.T) {
	w := newWorld(t)
	w.kafka.Inject(kafkafake.Fault{Method: "CreateTopic", Call: 2, AfterEffect: true})
	w.must(w.client.Create(w, w.orders()))
	w.playBrokers()
	w.kafka.AddTopic("orders", 1, []int32{100, 101}, []int32{101, 102}, []int32{102, 100}, []int32{100, 102})
	w.pass()
	w.requireCondition(v1beta1.ConditionCruiseControlReady, metav1.ConditionFalse, reasonKafka, "its topics cannot be made")
	w.pass()
	if !w.exists(name, &appsv1.Deployment{}) {
		t.Error("Cruise Control is not started once its topics are there")
	}

	w.kafka.SetDown(true)
	w.edit(dropBroker(102))
	w.must(w.client.Delete(w, get(w, name, &networkingv1.NetworkPolicy{})))
	w.live()
	w.requireCondition(v1beta1.ConditionDataPlaced, metav1.ConditionFalse, plan.CodeKafkaUnreachable, "")
	if len(w.operations()) > 0 {
		t.Error("an operation is made though nobody knows what is on the broker")
	}
	if !w.exists(name, &networkingv1.NetworkPolicy{}) {
		t.Error("what was deleted waits for Kafka")
	}
	w.kafka.SetDown(false)
	w.live()
	if len(w.operations()) != 1 {
		t.Error("there is no operation though Kafka answers again")
	}
}
