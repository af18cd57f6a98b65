package kafkacluster

import (
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/apis/machinery/grant"
	"koperator.dev/koperator/apis/machinery/kafka"
	"koperator.dev/koperator/apis/machinery/kafka/kafkafake"
)

const (
	orders = "orders"
	diskA  = "/var/lib/kafka/a"
	name   = orders + "-cruise-control"
)

// orders is a cluster of one controller (0) and brokers (100 to 102), with a Cruise Control.
func (w *world) orders() *v1beta1.KafkaCluster {
	return &v1beta1.KafkaCluster{
		ObjectMeta: metav1.ObjectMeta{Name: orders, Namespace: w.namespace},
		Spec: v1beta1.KafkaClusterSpec{
			BrokerGroups: []v1beta1.BrokerGroup{
				{Name: "controllers", Roles: []v1beta1.Role{v1beta1.RoleController}, Storage: []v1beta1.Storage{{Path: "/var/lib/kafka/metadata", Size: resource.MustParse("1Gi")}}},
				{Name: "default", Roles: []v1beta1.Role{v1beta1.RoleBroker}, Storage: []v1beta1.Storage{{Path: diskA, Size: resource.MustParse("10Gi")}}},
			},
			Brokers:       []v1beta1.Broker{{ID: 0, Group: "controllers"}, {ID: 100, Group: "default"}, {ID: 101, Group: "default"}, {ID: 102, Group: "default"}},
			CruiseControl: &v1beta1.CruiseControl{Image: "registry.example.com/cruise-control:2.5.146"},
		},
	}
}

// started is a cluster whose Cruise Control is ready, and whose topic has replicas everywhere.
func (w *world) started() {
	w.Helper()
	w.must(w.client.Create(w, w.orders()))
	w.playBrokers()
	w.kafka.AddTopic("orders", 1, []int32{100, 101}, []int32{101, 102}, []int32{102, 100}, []int32{100, 102})
	for range 4 {
		w.live()
	}
	w.clock.Step(2 * time.Second) // it loads samples
	w.live()
	w.requireCondition(v1beta1.ConditionCruiseControlReady, metav1.ConditionTrue, reasonReady, "")
	w.told("")
}

// playBrokers is broker-manager: the certificates, a status for each broker of the spec, and brokers that run.
func (w *world) playBrokers() {
	w.Helper()
	for _, name := range []string{v1beta1.CruiseControlClientSecretName(orders), v1beta1.CruiseControlManagerSecretName(orders)} {
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: w.namespace}, Data: map[string][]byte{"keystore.pem": []byte("key"), "ca.crt": []byte("ca")}}
		w.must(client.IgnoreAlreadyExists(w.client.Create(w, secret)))
	}
	kc := w.cluster()
	kc.Status.ObservedGeneration = kc.Generation
	wanted := map[int32]bool{}
	for _, broker := range kc.Spec.Brokers {
		if broker.Group != "default" {
			continue
		}
		wanted[broker.ID] = true
		w.kafka.Edit(func(s *kafkafake.State) {
			if _, known := s.Brokers[broker.ID]; !known {
				s.Brokers[broker.ID] = kafka.Broker{ID: broker.ID}
				s.LogDirs[broker.ID] = []kafka.LogDir{{Path: v1beta1.LogDir(diskA)}}
			}
		})
		at := slices.IndexFunc(kc.Status.Brokers, func(b v1beta1.BrokerStatus) bool { return b.ID == broker.ID })
		if at < 0 {
			kc.Status.Brokers = append(kc.Status.Brokers, v1beta1.BrokerStatus{ID: broker.ID, Incarnation: fmt.Sprintf("life%d", broker.ID)})
			at = len(kc.Status.Brokers) - 1
		}
		kc.Status.Brokers[at].Phase = v1beta1.BrokerRunning
	}
	for i := range kc.Status.Brokers {
		if !wanted[kc.Status.Brokers[i].ID] {
			kc.Status.Brokers[i].Phase = v1beta1.BrokerDraining
		}
	}
	w.must(w.client.Status().Update(w, kc, client.FieldOwner(v1beta1.OwnerBroker)))
}

func (w *world) edit(change func(*v1beta1.KafkaClusterSpec)) {
	w.Helper()
	kc := w.cluster()
	change(&kc.Spec)
	w.must(w.client.Update(w, kc))
	w.playBrokers()
}

func dropBroker(id int32) func(*v1beta1.KafkaClusterSpec) {
	return func(spec *v1beta1.KafkaClusterSpec) {
		spec.Brokers = slices.DeleteFunc(spec.Brokers, func(b v1beta1.Broker) bool { return b.ID == id })
	}
}

func addBroker(id int32) func(*v1beta1.KafkaClusterSpec) {
	return func(spec *v1beta1.KafkaClusterSpec) {
		spec.Brokers = append(spec.Brokers, v1beta1.Broker{ID: id, Group: "default"})
	}
}

// setPhase is what the controller of operations writes.
func (w *world) setPhase(op *v1beta1.CruiseControlOperation, phase v1beta1.OperationPhase, change ...func(*v1beta1.CruiseControlOperationStatus)) {
	w.Helper()
	op = get(w, op.Name, &v1beta1.CruiseControlOperation{})
	op.Status.Phase = phase
	for _, c := range change {
		c(&op.Status)
	}
	w.must(w.client.Status().Update(w, op))
}

// take gives the grant to a holder.
func (w *world) take(holder string) {
	w.Helper()
	owner := metav1.OwnerReference{APIVersion: v1beta1.GroupVersion.String(), Kind: "KafkaCluster", Name: orders, UID: w.cluster().UID}
	_, err := grant.Take(w, w.client, grant.Request{Cluster: nameOf(w.cluster()), Owner: owner, Holder: holder, What: "test"}, w.clock.Now())
	w.must(err)
}
