package operation

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/cruisecontrol/deployment"
	"koperator.dev/koperator/test/cruisecontrol"
)

// filesOf are those that Cruise Control of a cluster should run with.
func (w *world) filesOf(kc *v1beta1.KafkaCluster) *corev1.ConfigMap {
	w.Helper()
	made, err := deployment.Plan(kc, deployment.Input{})
	w.must(err)
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: v1beta1.CruiseControlName(kc.Name)}, Data: made.ConfigMap.Data}
}

// An operation is not planned with disks that Cruise Control has not heard of: it waits for the restart, as the first one in the
// queue. A broker that is as the others are is planned with, although Cruise Control knows no capacity of its own for it.
func TestWaitsForTheRestartOfCruiseControl(t *testing.T) {
	inBubble(t, func(w *world) {
		kc := w.get()
		kc.Spec.BrokerGroups[0].Storage = []v1beta1.Storage{{Path: "/a", Size: resource.MustParse("10Gi")}, {Path: "/b", Size: resource.MustParse("10Gi")}}
		w.must(w.api.Create(w, w.filesOf(kc)))
		i := slices.IndexFunc(kc.Spec.Brokers, func(b v1beta1.Broker) bool { return b.ID == 2 })
		kc.Spec.Brokers[i].Storage = []v1beta1.Storage{{Path: "/b", Size: resource.MustParse("20Gi")}}
		w.must(w.api.Update(w, kc))

		w.must(w.api.Create(w, &v1beta1.CruiseControlOperation{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "up", UID: "uid-up", CreationTimestamp: metav1.Now()},
			Spec:       v1beta1.CruiseControlOperationSpec{ClusterRef: v1beta1.ClusterReference{Name: "orders"}, Type: v1beta1.AddBrokers, Brokers: []int32{3}},
		}))
		time.Sleep(10 * time.Minute)
		op := w.op("up")
		if op.Status.Phase != v1beta1.OperationQueued || op.Status.Summary == nil || !strings.Contains(op.Status.Summary.Message, "restarted: broker 2") {
			t.Fatalf("it does not wait: %s", w.describe())
		}
		if sent := w.cc.Requests(); slices.ContainsFunc(sent, func(r cruisecontrol.Request) bool { return r.Method == http.MethodPost }) {
			t.Errorf("it was planned before: %s", w.describe())
		}

		w.must(w.api.Update(w, w.filesOf(kc)))
		w.phase("up", v1beta1.OperationSucceeded, time.Hour)
		if w.replicas()[3] == 0 {
			t.Error("nothing has moved")
		}
		w.clean()
	}, func(c *cruisecontrol.Config) {
		capacity, err := cruisecontrol.ParseCapacity([]byte(`{"brokerCapacities": [{"brokerId": "-1", "capacity": {"DISK": {"/a/kafka-logs": "10240", "/b/kafka-logs": "10240"}}}]}`))
		if err != nil {
			t.Fatal(err)
		}
		c.Capacity = capacity
	})
}
