//go:build e2e

package e2e

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

// cluster is a KafkaCluster that a test works with.
type cluster struct {
	name, namespace string
	// ledger holds records that were written when the cluster was new, to be found at any later time.
	ledger *ledger
	// brokenBy is the story that left the cluster unhealthy.
	brokenBy string
	// undo is what is done at the end of the present story, whatever becomes of it.
	undo []func()
}

// create makes the KafkaCluster in the API and does not wait for it.
func create(t *testing.T, kc *v1beta1.KafkaCluster) *cluster {
	t.Helper()
	if err := kube.Create(t.Context(), kc.DeepCopy()); err != nil {
		t.Fatalf("creating KafkaCluster %s: %v", kc.Name, err)
	}
	return &cluster{name: kc.Name, namespace: kc.Namespace}
}

// story tells one of the stories on a shared cluster. It begins with a healthy cluster and leaves one, with everything in
// its ledger.
func (c *cluster) story(t *testing.T, name string, tell func(t *testing.T)) {
	t.Run(name, func(t *testing.T) {
		if c.brokenBy != "" {
			t.Skipf("the story %s left the cluster unhealthy", c.brokenBy)
		}
		begin := time.Now()
		defer func() {
			if t.Failed() {
				collect(t, c.namespace) // as it failed, and not as it is healed
			} else {
				t.Cleanup(func() { collectIfFailed(t, c.namespace) })
			}
			for _, undo := range c.undo {
				undo()
			}
			c.undo, c.brokenBy = nil, t.Name()
			c.waitReady(t, 3*time.Minute)
			c.ledger.verify(t, c)
			c.brokenBy = ""
			t.Logf("the story took %s", seconds(time.Since(begin)))
		}()
		tell(t)
	})
}

func (c *cluster) get(ctx context.Context) (*v1beta1.KafkaCluster, error) {
	kc := &v1beta1.KafkaCluster{}
	err := kube.Get(ctx, client.ObjectKey{Namespace: c.namespace, Name: c.name}, kc)
	return kc, err
}

// mustGet reads the KafkaCluster.
func (c *cluster) mustGet(t *testing.T) *v1beta1.KafkaCluster {
	t.Helper()
	kc, err := c.get(t.Context())
	if err != nil {
		t.Fatalf("reading KafkaCluster: %v", err)
	}
	return kc
}

// change changes the spec as a user would with kubectl edit.
func (c *cluster) change(t *testing.T, change func(spec *v1beta1.KafkaClusterSpec)) {
	t.Helper()
	kc := &v1beta1.KafkaCluster{}
	kc.Name, kc.Namespace = c.name, c.namespace
	modify(t, kc, func() { change(&kc.Spec) })
}

// changeBroker changes one entry of spec.brokers.
func (c *cluster) changeBroker(t *testing.T, id int32, change func(*v1beta1.Broker)) {
	t.Helper()
	c.change(t, func(spec *v1beta1.KafkaClusterSpec) {
		i := slices.IndexFunc(spec.Brokers, func(b v1beta1.Broker) bool { return b.ID == id })
		if i < 0 {
			t.Fatalf("spec.brokers has no entry %d", id)
		}
		change(&spec.Brokers[i])
	})
}

// addBrokers appends entries to spec.brokers.
func (c *cluster) addBrokers(t *testing.T, brokers ...v1beta1.Broker) {
	t.Helper()
	c.change(t, func(spec *v1beta1.KafkaClusterSpec) { spec.Brokers = append(spec.Brokers, brokers...) })
}

// removeBrokers takes entries out of spec.brokers.
func (c *cluster) removeBrokers(t *testing.T, ids ...int32) {
	t.Helper()
	c.change(t, func(spec *v1beta1.KafkaClusterSpec) {
		spec.Brokers = slices.DeleteFunc(spec.Brokers, func(b v1beta1.Broker) bool { return slices.Contains(ids, b.ID) })
	})
}

// modify reads an object, changes it and writes it, again if somebody else was faster.
func modify(t *testing.T, obj client.Object, change func()) {
	t.Helper()
	for {
		if err := kube.Get(t.Context(), client.ObjectKeyFromObject(obj), obj); err != nil {
			t.Fatalf("reading %T: %v", obj, err)
		}
		change()
		err := kube.Update(t.Context(), obj)
		if err == nil {
			return
		}
		if !apierrors.IsConflict(err) {
			t.Fatalf("changing %T %s: %v", obj, obj.GetName(), err)
		}
	}
}

// waitReady waits until the cluster is Ready, every node of it runs, and nothing is left to be done.
func (c *cluster) waitReady(t *testing.T, patience time.Duration) time.Duration {
	t.Helper()
	return waitFor(t, patience, c.name+" to be Ready", c.isReady)
}

func (c *cluster) isReady(ctx context.Context) (string, bool) {
	kc, err := c.get(ctx)
	if err != nil {
		return err.Error(), false
	}
	return describe(kc), isReady(kc)
}

// isReady speaks of the spec as it is now, and not of the one before.
func isReady(kc *v1beta1.KafkaCluster) bool {
	ready := meta.FindStatusCondition(kc.Status.Conditions, v1beta1.ConditionReady)
	if kc.Status.ObservedGeneration != kc.Generation || ready == nil || ready.Status != metav1.ConditionTrue {
		return false
	}
	for i := range kc.Status.Brokers {
		if b := &kc.Status.Brokers[i]; b.Phase != v1beta1.BrokerRunning || b.RestartReason != "" {
			return false
		}
	}
	return len(kc.Status.Brokers) == len(kc.Spec.Brokers)
}

// describe says in a line what status says.
func describe(kc *v1beta1.KafkaCluster) string {
	var parts []string
	if kc.Status.ObservedGeneration != kc.Generation {
		parts = append(parts, fmt.Sprintf("generation %d of %d", kc.Status.ObservedGeneration, kc.Generation))
	}
	if s := kc.Status.Summary; s != nil {
		parts = append(parts, fmt.Sprintf("controllers %s, brokers %s", s.Controllers, s.Brokers))
	}
	for _, condition := range kc.Status.Conditions {
		if condition.Status != metav1.ConditionTrue && condition.Type != v1beta1.ConditionReady {
			parts = append(parts, condition.Type+": "+condition.Reason)
		}
	}
	for i := range kc.Status.Brokers {
		if b := &kc.Status.Brokers[i]; b.Phase != v1beta1.BrokerRunning || b.RestartReason != "" {
			parts = append(parts, fmt.Sprintf("%d is %s %s", b.ID, b.Phase, b.RestartReason))
		}
	}
	if len(kc.Status.BlockedBy) > 0 {
		parts = append(parts, kc.Status.BlockedBy[0].What+": "+kc.Status.BlockedBy[0].Message)
	}
	if len(parts) == 0 {
		return "no status"
	}
	return strings.Join(parts, "; ")
}

// brokerStatus is the status of one node, empty if it has none.
func brokerStatus(kc *v1beta1.KafkaCluster, id int32) v1beta1.BrokerStatus {
	for i := range kc.Status.Brokers {
		if kc.Status.Brokers[i].ID == id {
			return kc.Status.Brokers[i]
		}
	}
	return v1beta1.BrokerStatus{}
}

// waitBroker waits for something about the status of one node.
func (c *cluster) waitBroker(t *testing.T, id int32, patience time.Duration, what string, is func(v1beta1.BrokerStatus) bool) v1beta1.BrokerStatus {
	t.Helper()
	var status v1beta1.BrokerStatus
	waitFor(t, patience, fmt.Sprintf("%d to be %s", id, what), func(ctx context.Context) (string, bool) {
		kc, err := c.get(ctx)
		if err != nil {
			return err.Error(), false
		}
		status = brokerStatus(kc, id)
		healthy := healthOf(status)
		return fmt.Sprintf("phase %q, %s %s: %s", status.Phase, healthy.Status, healthy.Reason, healthy.Message), is(status)
	})
	return status
}

// healthOf is the condition of one node.
func healthOf(status v1beta1.BrokerStatus) metav1.Condition {
	if healthy := meta.FindStatusCondition(status.Conditions, v1beta1.ConditionBrokerHealthy); healthy != nil {
		return *healthy
	}
	return metav1.Condition{}
}

// conditionOf is a condition of the cluster.
func conditionOf(kc *v1beta1.KafkaCluster, kind string) metav1.Condition {
	if condition := meta.FindStatusCondition(kc.Status.Conditions, kind); condition != nil {
		return *condition
	}
	return metav1.Condition{}
}

// waitEvent waits for an Event about the cluster.
func (c *cluster) waitEvent(t *testing.T, what string, is func(*eventsv1.Event) bool) {
	t.Helper()
	waitFor(t, 20*time.Second, "an Event about "+what, func(ctx context.Context) (string, bool) {
		list := &eventsv1.EventList{}
		if err := kube.List(ctx, list, client.InNamespace(c.namespace)); err != nil {
			return err.Error(), false
		}
		var seen []string
		for i := range list.Items {
			e := &list.Items[i]
			if e.Regarding.Kind != "KafkaCluster" || e.Regarding.Name != c.name {
				continue
			}
			if is(e) {
				return "", true
			}
			seen = append(seen, e.Reason)
		}
		slices.Sort(seen)
		return "Events with the reasons " + strings.Join(slices.Compact(seen), ", "), false
	})
}

func (c *cluster) inNamespace() client.ListOption { return client.InNamespace(c.namespace) }

// ours selects the objects of the cluster.
func (c *cluster) ours() client.ListOption {
	return client.MatchingLabels{v1beta1.LabelCluster: c.name}
}

// podList reads the Pods of the cluster, by id. The test ends if a node has two.
func (c *cluster) podList(t *testing.T) map[int32]*corev1.Pod {
	t.Helper()
	list := &corev1.PodList{}
	if err := kube.List(t.Context(), list, c.inNamespace(), c.ours(), client.HasLabels{v1beta1.LabelBrokerID}); err != nil {
		t.Fatalf("listing Pods: %v", err)
	}
	pods := map[int32]*corev1.Pod{}
	for i := range list.Items {
		id, ok := idOf(&list.Items[i])
		if !ok {
			t.Fatalf("Pod %s has no id", list.Items[i].Name)
		}
		if pods[id] != nil {
			t.Fatalf("node %d has two Pods: %s and %s", id, pods[id].Name, list.Items[i].Name)
		}
		pods[id] = &list.Items[i]
	}
	return pods
}

// pod reads the Pod of one node.
func (c *cluster) pod(t *testing.T, id int32) *corev1.Pod {
	t.Helper()
	pod := c.podList(t)[id]
	if pod == nil {
		t.Fatalf("node %d has no Pod", id)
	}
	return pod
}

// claims reads the claims of the cluster: their UIDs by name.
func (c *cluster) claims(t *testing.T) map[string]types.UID {
	t.Helper()
	claims, err := c.listClaims(t.Context())
	if err != nil {
		t.Fatalf("listing claims: %v", err)
	}
	return claims
}

func (c *cluster) listClaims(ctx context.Context) (map[string]types.UID, error) {
	list := &corev1.PersistentVolumeClaimList{}
	if err := kube.List(ctx, list, c.inNamespace(), c.ours()); err != nil {
		return nil, err
	}
	claims := map[string]types.UID{}
	for i := range list.Items {
		claims[list.Items[i].Name] = list.Items[i].UID
	}
	return claims, nil
}

// life tells one life of a Kafka process from the next.
type life struct {
	pod       types.UID
	container string
	restarts  int32
}

// lives are the present lives of all nodes.
func (c *cluster) lives(t *testing.T) map[int32]life {
	t.Helper()
	lives := map[int32]life{}
	for id, pod := range c.podList(t) {
		lives[id] = lifeOf(pod)
	}
	return lives
}

func lifeOf(pod *corev1.Pod) life {
	l := life{pod: pod.UID}
	if status := kafkaStatus(pod); status != nil {
		l.container, l.restarts = status.ContainerID, status.RestartCount
	}
	return l
}

// requireSameLives fails if a node has been restarted, other than those that may have been.
func (c *cluster) requireSameLives(t *testing.T, before map[int32]life, except ...int32) {
	t.Helper()
	after := c.lives(t)
	for id, was := range before {
		if is := after[id]; !slices.Contains(except, id) && is != was {
			t.Errorf("node %d was restarted: %+v before, %+v now", id, was, is)
		}
	}
}

func idOf(obj client.Object) (int32, bool) {
	id, err := strconv.ParseInt(obj.GetLabels()[v1beta1.LabelBrokerID], 10, 32)
	return int32(id), err == nil
}

func kafkaStatus(pod *corev1.Pod) *corev1.ContainerStatus {
	for i := range pod.Status.ContainerStatuses {
		if pod.Status.ContainerStatuses[i].Name == "kafka" {
			return &pod.Status.ContainerStatuses[i]
		}
	}
	return nil
}

// podIsReady tells whether a Pod is ready and meant to stay.
func podIsReady(pod *corev1.Pod) bool {
	return pod.DeletionTimestamp.IsZero() && slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

func nodeIsReady(node *corev1.Node) bool {
	return slices.ContainsFunc(node.Status.Conditions, func(c corev1.NodeCondition) bool {
		return c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
	})
}

func describePod(pod *corev1.Pod) string {
	state := "not ready"
	if podIsReady(pod) {
		state = "ready"
	}
	for _, status := range pod.Status.ContainerStatuses {
		if status.State.Waiting != nil {
			state += " (" + status.State.Waiting.Reason + " " + status.State.Waiting.Message + ")"
		}
	}
	return fmt.Sprintf("%s %s, %s", pod.Name, pod.Status.Phase, state)
}

// sorted are the keys of a set, in order.
func sorted[K cmp.Ordered, V any](set map[K]V) []K { return slices.Sorted(maps.Keys(set)) }

// namesOf are the kinds and names of the objects of a list.
func namesOf(list client.ObjectList) []string {
	var names []string
	_ = meta.EachListItem(list, func(item runtime.Object) error {
		if obj, ok := item.(client.Object); ok {
			names = append(names, fmt.Sprintf("%T %s", obj, obj.GetName()))
		}
		return nil
	})
	return names
}
