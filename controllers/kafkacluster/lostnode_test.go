package kafkacluster

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

// A Node that does not answer is reported first, and its Pods are marked not ready a moment later. The cluster is not
// Ready in between.
func TestLostNodeIsNotReady(t *testing.T) {
	w := newWorld(t)
	kc := w.started()
	node := get(w, w.pod("orders-100").Spec.NodeName, &corev1.Node{})
	node.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionUnknown}}
	w.must(w.client.Status().Update(w, node))
	w.pass(kc.Name)

	if ready := w.condition(kc.Name, v1beta1.ConditionReady); ready.Status != metav1.ConditionFalse {
		t.Errorf("Ready is %s (%s) while a node does not answer", ready.Status, ready.Message)
	}
	if health := w.brokerStatus(kc.Name, 100).Conditions; len(health) != 1 || !strings.Contains(health[0].Message, node.Name) {
		t.Errorf("the condition of broker 100 does not name the node: %+v", health)
	}
	if !w.exists("orders-100", &corev1.Pod{}) {
		t.Error("the Pod was deleted, though nothing proves that it does not run")
	}
}
