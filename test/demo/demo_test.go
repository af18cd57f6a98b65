package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

func TestImageFields(t *testing.T) {
	for image, want := range map[string]string{
		"registry.example.com:5000/kafka":            `newName: "registry.example.com:5000/kafka", newTag: latest`,
		"registry.example.com:5000/kafka:4.3.1":      `newName: "registry.example.com:5000/kafka", newTag: "4.3.1"`,
		"localhost/broker-manager@sha256:0123456789": `newName: "localhost/broker-manager", digest: "sha256:0123456789"`,
	} {
		if got := imageFields(image); got != want {
			t.Errorf("%s: got %s, want %s", image, got, want)
		}
	}
}

func cluster(phase v1beta1.BrokerPhase) *v1beta1.KafkaCluster {
	reason := "Starting"
	if phase == v1beta1.BrokerFailed {
		reason = "ErrImagePull"
	}
	return &v1beta1.KafkaCluster{
		ObjectMeta: metav1.ObjectMeta{Name: "demo", Generation: 2},
		Spec: v1beta1.KafkaClusterSpec{
			BrokerGroups: []v1beta1.BrokerGroup{{Name: "default", Roles: []v1beta1.Role{v1beta1.RoleBroker}}},
			Brokers:      []v1beta1.Broker{{ID: 100, Group: "default"}},
		},
		Status: v1beta1.KafkaClusterStatus{
			Summary: &v1beta1.ClusterSummary{Brokers: "0/1", Controllers: "0/0"},
			Brokers: []v1beta1.BrokerStatus{
				{ID: 100, Phase: phase, Node: "node1", Rack: "zone-a", Conditions: []metav1.Condition{
					{Type: v1beta1.ConditionBrokerHealthy, Status: metav1.ConditionFalse, Reason: reason, Message: "no such image"},
				}},
			},
		},
	}
}

// TestLineForEachChange is what a log of continuous integration shows.
func TestLineForEachChange(t *testing.T) {
	begin := time.Unix(0, 0)
	var out bytes.Buffer
	v := &view{out: &out, begin: begin, seen: map[string]string{}}
	for i, phase := range []v1beta1.BrokerPhase{v1beta1.BrokerPending, v1beta1.BrokerPending, v1beta1.BrokerFailed} {
		v.show(cluster(phase), begin.Add(time.Duration(i)*time.Minute))
	}
	want := `
      0:00  demo-100   broker      Pending on node1 in zone-a
      0:00  controllers 0/0, brokers 0/1
      2:00  demo-100   broker      Failed on node1 in zone-a: no such image
`
	if got := "\n" + out.String(); got != want {
		t.Errorf("got:%s\nwant:%s", got, want)
	}
}

func TestTableStaysInItsPlace(t *testing.T) {
	begin := time.Unix(0, 0)
	var out bytes.Buffer
	v := &view{out: &out, begin: begin, isTerminal: true, seen: map[string]string{}}
	v.show(cluster(v1beta1.BrokerPending), begin)
	v.show(cluster(v1beta1.BrokerRunning), begin.Add(time.Second))
	if got := out.String(); strings.Count(got, "\n") != 6 || !strings.Contains(got, "\033[3A") {
		t.Errorf("got %q, want three lines, drawn twice in the same place", got)
	}
}

func TestIsReady(t *testing.T) {
	kc := cluster(v1beta1.BrokerRunning)
	if isReady(kc) {
		t.Error("a cluster without conditions is ready")
	}
	kc.Status.Conditions = []metav1.Condition{{Type: v1beta1.ConditionReady, Status: metav1.ConditionTrue, ObservedGeneration: 1}}
	if isReady(kc) {
		t.Error("a cluster is ready whose last change nobody has seen")
	}
	kc.Status.Conditions[0].ObservedGeneration = 2
	if !isReady(kc) {
		t.Error("a ready cluster is not ready")
	}
}

// TestOperationIsShown as it moves, in a log: a line for each step, and none for a look that saw nothing new.
func TestOperationIsShown(t *testing.T) {
	begin := time.Unix(0, 0)
	var out bytes.Buffer
	v := &view{out: &out, begin: begin, seen: map[string]string{}}
	op := &v1beta1.CruiseControlOperation{
		ObjectMeta: metav1.ObjectMeta{Name: "demo-add"},
		Spec:       v1beta1.CruiseControlOperationSpec{Type: v1beta1.AddBrokers, Brokers: []int32{103}},
	}
	for i, progress := range []string{"", "0%", "0%", "42%"} {
		op.Status.Phase = v1beta1.OperationExecuting
		op.Status.Summary = &v1beta1.OperationSummary{Progress: progress}
		if progress == "" {
			op.Status.Phase, op.Status.Summary.Message = v1beta1.OperationSettling, "waits for Cruise Control to see it"
		}
		if progress == "42%" {
			op.Status.Summary.Moved, op.Status.Summary.ETA = "10.1/24.0 MiB", "14s"
		}
		v.print([]line{describeOperation(op)}, begin.Add(time.Duration(i)*time.Second))
	}
	want := `
      0:00  demo-add  AddBrokers [103]  Settling  (waits for Cruise Control to see it)
      0:01  demo-add  AddBrokers [103]  Executing  0%
      0:03  demo-add  AddBrokers [103]  Executing  42%  10.1/24.0 MiB  ETA 14s
`
	if got := "\n" + out.String(); got != want {
		t.Errorf("got:%s\nwant:%s", got, want)
	}
}
