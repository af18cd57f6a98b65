package kafkacluster

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/apis/machinery/kafka"
	"koperator.dev/koperator/apis/machinery/kafka/kafkafake"
)

const claim102 = "orders-102-a-9d49725a"

func dropBroker(id int32) func(*v1beta1.KafkaClusterSpec) {
	return func(spec *v1beta1.KafkaClusterSpec) {
		spec.Brokers = slices.DeleteFunc(spec.Brokers, func(b v1beta1.Broker) bool { return b.ID == id })
	}
}

// A broker that the spec no longer has runs on, with its disks, until Kafka itself reports nothing on it: whatever status
// says, and also if status says nothing.
func TestRemovedBrokerIsKeptWhileItHoldsData(t *testing.T) {
	w := newWorld(t)
	w.started()
	w.kafka.AddTopic("payments", 1, []int32{102, 100})
	w.edit("orders", dropBroker(102))
	for range 3 {
		w.pass("orders")
	}
	if phase := w.brokerStatus("orders", 102).Phase; phase != v1beta1.BrokerDraining {
		t.Fatalf("phase is %s, want Draining", phase)
	}

	w.dropStatus("orders") // as after a restore from Git
	w.restart()
	w.remove(w.pod("orders-102")) // it is repaired like any other
	for range 3 {
		w.pass("orders")
	}
	w.pod("orders-102")
	get(w, claim102, &corev1.PersistentVolumeClaim{})

	w.kafka.SetDown(true) // nobody can be asked: nothing is deleted
	for range 3 {
		w.pass("orders")
	}
	w.pod("orders-102")
	get(w, claim102, &corev1.PersistentVolumeClaim{})
}

func TestBrokerPutBackIntoSpecIsNotRemoved(t *testing.T) {
	w := newWorld(t)
	kc := w.started()
	uid := w.pod("orders-102").UID
	w.kafka.AddTopic("payments", 1, []int32{102, 100})
	w.edit("orders", dropBroker(102))
	w.pass("orders")
	w.edit("orders", func(spec *v1beta1.KafkaClusterSpec) { spec.Brokers = kc.Spec.Brokers })
	w.settle("orders")
	if w.pod("orders-102").UID != uid || w.brokerStatus("orders", 102).Phase != v1beta1.BrokerRunning {
		t.Fatalf("the broker did not just go on: %+v", w.brokerStatus("orders", 102))
	}
}

// The order is: empty, stopped, fenced, unregistered, and only then its disks go.
func TestEmptyBrokerIsRemovedInOrder(t *testing.T) {
	w := newWorld(t)
	w.started()
	w.edit("orders", dropBroker(102))
	w.pass("orders")
	if pod := w.pod("orders-102"); pod.DeletionTimestamp.IsZero() {
		t.Fatal("an empty broker is not stopped")
	}
	w.play()
	w.pass("orders")
	if w.exists("orders-102", &corev1.Pod{}) || slices.Contains(w.kafka.Changes(), "UnregisterBroker(102)") {
		t.Fatalf("a broker that is not fenced yet was made again or unregistered: %v", w.kafka.Changes())
	}
	get(w, claim102, &corev1.PersistentVolumeClaim{})

	w.kafka.Stop(102)
	w.pass("orders")
	if !slices.Contains(w.kafka.Changes(), "UnregisterBroker(102)") {
		t.Fatalf("a fenced broker was not unregistered: %v", w.kafka.Changes())
	}
	for range 3 {
		w.pass("orders")
		w.finishClaims()
	}
	if w.exists(claim102, &corev1.PersistentVolumeClaim{}) || w.exists("orders-102", &corev1.ConfigMap{}) || w.exists("orders-102-tls", &corev1.Secret{}) {
		t.Fatal("something of the broker is left")
	}
	w.pass("orders")
	if broker := w.brokerStatus("orders", 102); broker.Phase != "" {
		t.Fatalf("the broker is still in status: %+v", broker)
	}
	if violations := w.kafka.Violations(); len(violations) > 0 {
		t.Fatal(violations)
	}
}

// finishClaims is the API server's protection of claims that Pods use, which ends with the Pod.
func (w *world) finishClaims() {
	w.Helper()
	claims := &corev1.PersistentVolumeClaimList{}
	w.must(w.client.List(w, claims))
	for i := range claims.Items {
		if claim := &claims.Items[i]; claim.Namespace == w.namespace && !claim.DeletionTimestamp.IsZero() {
			claim.Finalizers = nil
			w.must(w.client.Update(w, claim))
		}
	}
}

// A controller that the spec no longer has stops voting before it stops.
func TestRemovedControllerStopsVotingFirst(t *testing.T) {
	w := newWorld(t)
	w.started()
	w.edit("orders", func(spec *v1beta1.KafkaClusterSpec) {
		spec.Brokers = append(spec.Brokers, v1beta1.Broker{ID: 3, Group: "controllers"}, v1beta1.Broker{ID: 4, Group: "controllers"})
	})
	w.pass("orders")
	w.pass("orders")
	if v := environment(w.pod("orders-3"), initialControllers); v != "" {
		t.Fatalf("a controller that is added later is formatted as an initial voter: %q", v)
	}
	w.play()
	w.kafka.Edit(func(s *kafkafake.State) {
		for _, id := range []int32{3, 4} {
			s.Quorum.Observers = append(s.Quorum.Observers, kafka.QuorumReplica{ID: id, DirectoryID: kafkafake.DirectoryID(id)})
		}
	})
	for range 4 {
		w.pass("orders")
	}
	if got := w.cluster("orders").Status.Quorum.Voters; !slices.Equal(got, []int32{0, 1, 2, 3, 4}) {
		t.Fatalf("voters are %v; Kafka was told %v", got, w.kafka.Changes())
	}

	uid := w.pod("orders-4").UID
	w.edit("orders", dropBroker(4))
	w.pass("orders") // the voter goes
	if w.pod("orders-4").UID != uid {
		t.Fatal("a controller was stopped while it voted")
	}
	w.pass("orders")
	if w.pod("orders-4").DeletionTimestamp.IsZero() {
		t.Fatalf("a controller that votes no more is not stopped: %+v", w.cluster("orders").Status.BlockedBy)
	}
}

// What happens to data when the KafkaCluster goes is what the policy says at that time, also if it was another before.
func TestVolumeDeletionPolicy(t *testing.T) {
	w := newWorld(t)
	w.started()
	owned := func() bool {
		return len(get(w, claim102, &corev1.PersistentVolumeClaim{}).OwnerReferences) > 0
	}
	if owned() {
		t.Fatal("claims are owned by default: their data would go with the KafkaCluster")
	}
	for policy, want := range map[v1beta1.VolumeDeletionPolicy]bool{v1beta1.DeleteVolumes: true, v1beta1.RetainVolumes: false} {
		w.edit("orders", func(spec *v1beta1.KafkaClusterSpec) { spec.VolumeDeletionPolicy = policy })
		w.pass("orders")
		if owned() != want {
			t.Errorf("policy %s: claims are owned: %v, want %v", policy, owned(), want)
		}
	}
}

func TestShutdownStopsBrokersFirst(t *testing.T) {
	w := newWorld(t)
	kc := w.started()
	w.must(w.client.Delete(w, kc))
	w.pass("orders")
	stopping := func(name string) bool { return !w.pod(name).DeletionTimestamp.IsZero() }
	if !stopping("orders-100") || stopping("orders-0") {
		t.Fatal("controllers are stopped before brokers are gone")
	}
	w.play()
	w.pass("orders")
	if !stopping("orders-0") {
		t.Fatal("controllers are not stopped after the brokers")
	}
	w.play()
	w.pass("orders")
	if w.exists("orders", &v1beta1.KafkaCluster{}) {
		t.Fatal("the KafkaCluster does not go")
	}
}

// A KafkaCluster made again over retained disks is the same Kafka cluster.
func TestRecreatedClusterTakesItsDisksOver(t *testing.T) {
	w := newWorld(t)
	before := w.started()
	authority := get(w, "orders-ca", &corev1.Secret{}).Data[corev1.TLSCertKey]
	w.must(w.client.Delete(w, before))
	for range 3 {
		w.pass("orders")
		w.play()
	}
	again := w.orders()
	w.must(w.client.Create(w, again))
	w.restart()
	w.pass("orders")
	w.pass("orders")
	w.play()
	w.settle("orders")
	after := w.cluster("orders")
	if after.UID == before.UID || after.Status.ClusterID != before.Status.ClusterID {
		t.Fatalf("cluster id was %s and is %s", before.Status.ClusterID, after.Status.ClusterID)
	}
	if v := environment(w.pod("orders-0"), initialControllers); v != "" {
		t.Fatalf("disks of an established quorum are formatted as initial voters: %q", v)
	}
	if string(get(w, "orders-ca", &corev1.Secret{}).Data[corev1.TLSCertKey]) != string(authority) {
		t.Error("clients that trust the cluster have to trust another authority")
	}
}

// A disk that the spec no longer has is kept in Kafka's configuration and mounted.
func TestRemovedDiskIsKept(t *testing.T) {
	w := newWorld(t)
	w.started()
	set := func(storage ...v1beta1.Storage) {
		w.edit("orders", func(spec *v1beta1.KafkaClusterSpec) {
			for i := range spec.Brokers {
				if spec.Brokers[i].ID == 102 {
					spec.Brokers[i].Storage = storage
				}
			}
		})
	}
	set(v1beta1.Storage{Path: "/var/lib/kafka/b", Size: resource.MustParse("1Gi")})
	for range 8 {
		w.pass("orders")
		w.play()
	}
	uid := w.pod("orders-102").UID
	if !mounts(w.pod("orders-102"), "/var/lib/kafka/b") {
		t.Fatal("the disk that was added is not mounted")
	}
	set()
	w.settle("orders")
	if pod := w.pod("orders-102"); pod.UID != uid || !mounts(pod, "/var/lib/kafka/b") {
		t.Fatal("the disk was taken away")
	}
	volumes := w.brokerStatus("orders", 102).Volumes
	if len(volumes) != 2 || volumes[1].Phase != v1beta1.VolumeDraining {
		t.Fatalf("the disk's status is not Draining: %+v", volumes)
	}
}

func mounts(pod *corev1.Pod, path string) bool {
	return slices.ContainsFunc(pod.Spec.Containers[0].VolumeMounts, func(m corev1.VolumeMount) bool { return m.MountPath == path })
}

// A disk of another Kafka cluster is neither used nor deleted: this cluster cannot say what is on it.
func TestForeignDiskIsNotTouched(t *testing.T) {
	w := newWorld(t)
	w.started()
	foreign := &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{
			Name: "orders-103-a-9d49725a", Namespace: w.namespace,
			Labels:      map[string]string{v1beta1.LabelCluster: "orders", v1beta1.LabelBrokerID: "103", v1beta1.LabelBroker: "true"},
			Annotations: map[string]string{v1beta1.AnnotationPath: "/var/lib/kafka/a", v1beta1.AnnotationClusterID: "anotherKafkaClusterAAA"},
		},
		Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			Resources:   corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("10Gi")}},
		},
	}
	w.must(w.client.Create(w, foreign))
	for range 3 {
		w.pass("orders")
	}
	if claim := get(w, foreign.Name, &corev1.PersistentVolumeClaim{}); !claim.DeletionTimestamp.IsZero() {
		t.Fatal("the claim was deleted")
	}
	w.edit("orders", func(spec *v1beta1.KafkaClusterSpec) {
		spec.Brokers = append(spec.Brokers, v1beta1.Broker{ID: 103, Group: "default"})
	})
	w.pass("orders")
	w.pass("orders")
	if w.exists("orders-103", &corev1.Pod{}) {
		t.Fatal("a broker was started on the disk")
	}
	claim := get(w, foreign.Name, &corev1.PersistentVolumeClaim{})
	if claim.Annotations[v1beta1.AnnotationClusterID] != "anotherKafkaClusterAAA" {
		t.Fatal("the claim was made ours")
	}
	if broker := w.brokerStatus("orders", 103); !strings.Contains(broker.Conditions[0].Message, "another Kafka cluster") {
		t.Errorf("status does not say what is wrong: %+v", broker)
	}
}
