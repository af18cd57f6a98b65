package schedule

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

// An operation with a schedule makes one like itself each time, says when, and keeps the last ones.
func TestOperationIsRepeated(t *testing.T) {
	w := newWorld(t)
	w.create("nightly", withCron("30 * * * *"), func(op *v1beta1.CruiseControlOperation) {
		op.Spec.Schedule.HistoryLimit, op.Spec.Goals = ptr.To[int32](2), []v1beta1.Goal{"DiskCapacityGoal", "RackAwareGoal"}
		op.Spec.SkipHardGoalCheck, op.Spec.Suspend = true, false
	})
	result := w.pass("nightly")
	template := w.get("nightly")
	if template.Status.Phase != v1beta1.OperationScheduled || !template.Status.NextScheduleTime.Time.Equal(w.clock.Now().Add(30*time.Minute)) || result.RequeueAfter != 30*time.Minute {
		t.Fatalf("next is %v, looked at again after %s; phase %s", template.Status.NextScheduleTime, result.RequeueAfter, template.Status.Phase)
	}
	w.requireRuns("nightly", 0)

	w.after(30*time.Minute, "nightly")
	w.requireRuns("nightly", 1)
	run := w.runs("nightly")[0]
	if run.Name != fmt.Sprintf("nightly-%d", w.clock.Now().Unix()/60) || !metav1.IsControlledBy(run, template) || run.Labels[v1beta1.LabelOrigin] != v1beta1.OriginSchedule {
		t.Errorf("the run is %+v", run.ObjectMeta)
	}
	if run.Spec.Schedule != nil || len(run.Spec.Goals) != 2 || run.Spec.Type != v1beta1.Rebalance || !run.Spec.SkipHardGoalCheck {
		t.Errorf("the run is not like its template: %+v", run.Spec)
	}
	if last := w.get("nightly").Status.LastScheduleTime; !last.Time.Equal(w.clock.Now()) {
		t.Errorf("the last run is said to be of %s", last)
	}
	before := w.writes
	w.pass("nightly")
	if w.writes != before {
		t.Error("a pass without a change writes something")
	}

	for range 4 {
		w.finish(v1beta1.OperationSucceeded)
		w.after(time.Hour, "nightly")
	}
	w.pass("nightly")
	w.requireRuns("nightly", 3) // one is under way
}

// A run is left out while the last one is not finished, and not made up for.
func TestRunIsLeftOut(t *testing.T) {
	w := newWorld(t)
	w.create("hourly", withCron("0 * * * *"))
	w.pass("hourly")
	w.after(time.Hour, "hourly")
	w.after(time.Hour, "hourly")
	w.requireRuns("hourly", 1)
	if message := w.get("hourly").Status.Summary.Message; w.told("RunSkipped") != 1 || !strings.Contains(message, "left out") {
		t.Errorf("nobody is told that a run was left out, or more than once: %s", message)
	}
	w.finish(v1beta1.OperationFailed)
	w.after(time.Minute, "hourly")
	w.requireRuns("hourly", 1)
	w.after(59*time.Minute, "hourly")
	w.requireRuns("hourly", 2)
	if message := w.get("hourly").Status.Summary.Message; !strings.Contains(message, "the next run is due at") {
		t.Errorf("it is still said: %s", message)
	}
}

// After a long time in which cruisecontrol-manager did not run there is one run, with status or without.
func TestRunsThatWereMissed(t *testing.T) {
	for _, lost := range []bool{false, true} {
		w := newWorld(t)
		w.create("often", withCron("*/5 * * * *"))
		w.pass("often")
		w.after(5*time.Minute, "often")
		w.finish(v1beta1.OperationSucceeded)
		if lost {
			template := w.get("often")
			template.Status = v1beta1.CruiseControlOperationStatus{}
			w.must(w.client.Status().Update(w, template))
		}
		w.after(30*24*time.Hour+time.Minute, "often")
		w.requireRuns("often", 2)
		if last := w.get("often").Status.LastScheduleTime; !last.Time.Equal(w.clock.Now().Add(-time.Minute)) {
			t.Errorf("it is the run of %s", last)
		}
	}
}

// Status that is lost makes no run twice.
func TestStatusIsLost(t *testing.T) {
	w := newWorld(t)
	w.create("hourly", withCron("0 * * * *"))
	w.pass("hourly")
	w.after(time.Hour, "hourly")
	w.finish(v1beta1.OperationSucceeded)
	template := w.get("hourly")
	template.Status = v1beta1.CruiseControlOperationStatus{}
	w.must(w.client.Status().Update(w, template))
	w.after(time.Minute, "hourly")
	w.requireRuns("hourly", 1)
	if status := w.get("hourly").Status; !status.LastScheduleTime.Time.Equal(w.clock.Now().Add(-time.Minute)) || status.NextScheduleTime == nil {
		t.Errorf("status says %+v", status)
	}
}

// Whoever suspends a schedule, or changes it, wants none of the runs of the past.
func TestScheduleIsChanged(t *testing.T) {
	w := newWorld(t)
	w.create("hourly", withCron("0 * * * *"))
	w.pass("hourly")
	w.edit("hourly", func(op *v1beta1.CruiseControlOperation) { op.Spec.Suspend = true })
	w.after(90*time.Minute, "hourly")
	if status := w.get("hourly").Status; status.NextScheduleTime != nil {
		t.Errorf("a suspended schedule promises %s", status.NextScheduleTime)
	}
	w.edit("hourly", func(op *v1beta1.CruiseControlOperation) { op.Spec.Suspend = false })
	w.pass("hourly")
	w.requireRuns("hourly", 0)
	w.edit("hourly", func(op *v1beta1.CruiseControlOperation) { op.Spec.Schedule.Cron = "15 * * * *" })
	w.pass("hourly")
	w.requireRuns("hourly", 0)
	w.after(45*time.Minute, "hourly")
	w.requireRuns("hourly", 1)
}

// What cannot be followed is said, and taken back when it can be.
func TestScheduleCannotBeFollowed(t *testing.T) {
	w := newWorld(t)
	w.create("never", withCron("0 3 30 2 *"))
	w.create("nowhere", withCron("0 3 * * *"), func(op *v1beta1.CruiseControlOperation) { op.Spec.Schedule.TimeZone = "Europe/Nowhere" })
	w.create("wrong", withCron("0 99 * * *"))
	for name, message := range map[string]string{"never": "never comes", "nowhere": `no time zone "Europe/Nowhere"`, "wrong": "cannot be read"} {
		w.pass(name)
		status := w.get(name).Status
		accepted := meta.FindStatusCondition(status.Conditions, v1beta1.ConditionAccepted)
		if accepted == nil || accepted.Status != metav1.ConditionFalse || !strings.Contains(accepted.Message, message) || status.Phase != v1beta1.OperationPending {
			t.Errorf("%s: %+v", name, status)
		}
	}
	w.edit("wrong", func(op *v1beta1.CruiseControlOperation) { op.Spec.Schedule.Cron = "0 9 * * *" })
	w.pass("wrong")
	if status := w.get("wrong").Status; !meta.IsStatusConditionTrue(status.Conditions, v1beta1.ConditionAccepted) || status.Phase != v1beta1.OperationScheduled {
		t.Errorf("corrected: %+v", status)
	}
}

// The answer of a write may be lost: each run is made once.
func TestAnswersAreLost(t *testing.T) {
	for failing := 1; failing <= 3; failing++ {
		w := newWorld(t)
		w.create("hourly", withCron("0 * * * *"))
		w.failing = failing
		request := reconcile.Request{NamespacedName: client.ObjectKey{Namespace: w.namespace, Name: "hourly"}}
		for range 8 {
			_, _ = w.reconciler.Reconcile(w, request)
			w.clock.Step(10 * time.Minute)
		}
		w.requireRuns("hourly", 1)
		if last := w.get("hourly").Status.LastScheduleTime; last == nil {
			t.Error("status does not know of the run")
		}
	}
}

// Operations are deleted when their time is over, and not before; records of what lives never.
func TestTimeIsOver(t *testing.T) {
	w := newWorld(t)
	ttl := func(op *v1beta1.CruiseControlOperation) {
		op.Spec.TTLSecondsAfterFinished, op.Spec.TTLSecondsAfterFailed = ptr.To[int32](60), ptr.To[int32](3600)
	}
	w.create("running", ttl)
	w.create("done", ttl)
	w.create("kept")
	w.pass("running")
	w.finish(v1beta1.OperationSucceeded)
	w.create("failed", ttl)
	w.finish(v1beta1.OperationFailed)
	w.create("live", ttl)
	exists := func(name string) bool {
		t.Helper()
		err := w.client.Get(w, client.ObjectKey{Namespace: w.namespace, Name: name}, &v1beta1.CruiseControlOperation{})
		w.must(client.IgnoreNotFound(err))
		return err == nil
	}
	if result := w.pass("done"); result.RequeueAfter != time.Minute || !exists("done") {
		t.Errorf("it is looked at again after %s", result.RequeueAfter)
	}
	w.clock.Step(time.Minute)
	for _, name := range []string{"done", "failed", "kept", "live"} {
		w.pass(name)
		if exists(name) != (name != "done") {
			t.Errorf("after a minute: %s exists: %t", name, exists(name))
		}
	}
	w.after(time.Hour, "failed")
	if exists("failed") {
		t.Error("one that failed is never deleted")
	}
}

// The record of what was done for a broker is kept as long as the broker lives, whatever its time.
func TestRecordIsKept(t *testing.T) {
	w := newWorld(t)
	kc := &v1beta1.KafkaCluster{ObjectMeta: metav1.ObjectMeta{Name: "orders", Namespace: w.namespace}}
	kc.Spec.BrokerGroups = []v1beta1.BrokerGroup{{
		Name: "default", Roles: []v1beta1.Role{v1beta1.RoleController, v1beta1.RoleBroker},
		Storage: []v1beta1.Storage{{Path: "/var/lib/kafka/a", Size: resource.MustParse("1Gi")}},
	}}
	kc.Spec.Brokers = []v1beta1.Broker{{ID: 0, Group: "default"}, {ID: 1, Group: "default"}}
	w.must(w.client.Create(w, kc))
	w.create("record", func(op *v1beta1.CruiseControlOperation) {
		op.Spec.Type, op.Spec.Brokers, op.Spec.TTLSecondsAfterFinished = v1beta1.AddBrokers, []int32{1}, ptr.To[int32](0)
		op.Labels = map[string]string{v1beta1.LabelOrigin: v1beta1.OriginPlanner}
		op.Annotations = map[string]string{v1beta1.AnnotationTargets: "1@life1"}
		op.OwnerReferences = []metav1.OwnerReference{{APIVersion: v1beta1.GroupVersion.String(), Kind: "KafkaCluster", Name: kc.Name, UID: kc.UID, Controller: ptr.To(true)}}
	})
	w.finish(v1beta1.OperationSucceeded)
	w.after(time.Hour, "record")
	w.get("record")

	kc.Spec.Brokers = kc.Spec.Brokers[:1]
	w.must(w.client.Update(w, kc))
	w.after(time.Hour, "record")
	if err := w.client.Get(w, client.ObjectKey{Namespace: w.namespace, Name: "record"}, &v1beta1.CruiseControlOperation{}); err == nil {
		t.Error("it is kept though its broker is gone")
	}
}
