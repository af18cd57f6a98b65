package kafkacluster

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/apis/machinery/kafka/kafkafake"
	"koperator.dev/koperator/controllers/internal/desired"
)

// orders is a cluster of three controllers (0, 1, 2) and three brokers (100, 101, 102).
func (w *world) orders() *v1beta1.KafkaCluster {
	kc := &v1beta1.KafkaCluster{
		ObjectMeta: metav1.ObjectMeta{Name: "orders", Namespace: w.namespace},
		Spec: v1beta1.KafkaClusterSpec{
			BrokerGroups: []v1beta1.BrokerGroup{
				{Name: "controllers", Roles: []v1beta1.Role{v1beta1.RoleController}, Storage: []v1beta1.Storage{{Path: "/var/lib/kafka/metadata", Size: resource.MustParse("1Gi")}}},
				{Name: "default", Roles: []v1beta1.Role{v1beta1.RoleBroker}, Storage: []v1beta1.Storage{{Path: "/var/lib/kafka/a", Size: resource.MustParse("10Gi")}}},
			},
			Listeners: []v1beta1.Listener{{Name: "internal", Port: 9093}},
		},
	}
	for i := range int32(3) {
		kc.Spec.Brokers = append(kc.Spec.Brokers, v1beta1.Broker{ID: i, Group: "controllers"}, v1beta1.Broker{ID: 100 + i, Group: "default"})
	}
	return kc
}

// started is orders with everything running, as after a first start that is over.
func (w *world) started() *v1beta1.KafkaCluster {
	w.Helper()
	kc := w.orders()
	w.create(kc)
	w.pass(kc.Name) // claims
	w.pass(kc.Name) // Pods
	w.play()
	w.kafka.AddBrokers(100, 101, 102)
	w.kafka.AddVoters(0, 1, 2)
	w.settle(kc.Name)
	if ready := w.condition(kc.Name, v1beta1.ConditionReady); ready.Status != metav1.ConditionTrue {
		w.Fatalf("a cluster whose Pods all run is not ready: %+v", ready)
	}
	return w.cluster(kc.Name)
}

// settle makes as many passes as it takes until one changes nothing.
func (w *world) settle(name string) {
	w.Helper()
	for range 10 {
		before := w.cluster(name).ResourceVersion
		w.pass(name)
		if w.cluster(name).ResourceVersion == before {
			return
		}
	}
	w.Fatal("status changes in every pass")
}

func (w *world) condition(name, kind string) metav1.Condition {
	w.Helper()
	if c := meta.FindStatusCondition(w.cluster(name).Status.Conditions, kind); c != nil {
		return *c
	}
	return metav1.Condition{}
}

// play is the kubelet, the scheduler, the volume binder, and envoy-manager if it runs: claims are bound, Pods are
// scheduled, run and are ready, Pods that are to stop are gone, and where all that is becomes known.
func (w *world) play() {
	w.Helper()
	claims := &corev1.PersistentVolumeClaimList{}
	w.must(w.client.List(w, claims, client.InNamespace(w.namespace)))
	for i := range claims.Items {
		claims.Items[i].Status.Phase = corev1.ClaimBound
		claims.Items[i].Status.Capacity = corev1.ResourceList{corev1.ResourceStorage: claims.Items[i].Spec.Resources.Requests[corev1.ResourceStorage]}
		w.must(w.client.Status().Update(w, &claims.Items[i]))
	}
	pods := &corev1.PodList{}
	w.must(w.client.List(w, pods, client.InNamespace(w.namespace)))
	for i := range pods.Items {
		w.playPod(&pods.Items[i])
	}
	if w.envoy != nil {
		w.tell()
	}
}

func (w *world) playPod(pod *corev1.Pod) {
	w.Helper()
	if !pod.DeletionTimestamp.IsZero() {
		w.must(client.IgnoreNotFound(w.client.Delete(w, pod, client.GracePeriodSeconds(0))))
		return
	}
	if pod.Spec.NodeName == "" {
		w.must(w.client.SubResource("binding").Create(w, pod, &corev1.Binding{Target: corev1.ObjectReference{Kind: "Node", Name: w.node("zone-a")}}))
		w.must(w.client.Get(w, client.ObjectKeyFromObject(pod), pod))
	}
	if pod.Name == w.crashing {
		w.crashLoop(pod)
		return
	}
	if pod.Status.PodIP == "" {
		w.addresses++
		pod.Status.PodIP = fmt.Sprintf("10.0.%d.%d", w.addresses/250, w.addresses%250+1)
		pod.Status.PodIPs = []corev1.PodIP{{IP: pod.Status.PodIP}}
	}
	pod.Status.Phase = corev1.PodRunning
	if !isReady(pod) {
		pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.NewTime(w.clock.Now())}}
	}
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: desired.KafkaContainer, Ready: true, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}}
	w.must(w.client.Status().Update(w, pod))
}

// node makes a Node in a zone; there is one in each.
func (w *world) node(zone string) string {
	w.Helper()
	name := fmt.Sprintf("%s-%s", w.namespace, zone)
	if !w.exists(name, &corev1.Node{}) {
		w.must(w.client.Create(w, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{corev1.LabelTopologyZone: zone}}}))
	}
	return name
}

// remove deletes a Pod as if its kubelet had stopped it.
func (w *world) remove(pod *corev1.Pod) {
	w.Helper()
	w.must(w.client.Delete(w, pod, client.GracePeriodSeconds(0)))
}

// dropStatus deletes the whole status, as a restored backup would.
func (w *world) dropStatus(name string) {
	w.Helper()
	kc := w.cluster(name)
	kc.Status = v1beta1.KafkaClusterStatus{}
	w.must(w.client.Status().Update(w, kc))
}

// pods are the names and UIDs of the Pods of the world.
func (w *world) pods() map[string]types.UID {
	w.Helper()
	list := &corev1.PodList{}
	w.must(w.client.List(w, list, client.InNamespace(w.namespace)))
	pods := map[string]types.UID{}
	for i := range list.Items {
		if list.Items[i].DeletionTimestamp.IsZero() {
			pods[list.Items[i].Name] = list.Items[i].UID
		}
	}
	return pods
}

// edit changes the spec of a cluster as a person would.
func (w *world) edit(name string, change func(*v1beta1.KafkaClusterSpec)) {
	w.Helper()
	kc := w.cluster(name)
	change(&kc.Spec)
	w.must(w.client.Update(w, kc))
}

func (w *world) brokerStatus(name string, id int32) v1beta1.BrokerStatus {
	w.Helper()
	return oldBroker(&w.cluster(name).Status, id)
}

// create makes a KafkaCluster whose Kafka is the fake one.
func (w *world) create(kc *v1beta1.KafkaCluster) {
	w.Helper()
	w.must(w.client.Create(w, kc))
	w.kafka.Edit(func(s *kafkafake.State) { s.ID = desired.ClusterID(string(kc.UID)) })
}
