//go:build e2e && full

package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

// TestCruiseControlIsInterrupted tells what there is no time for in TestCruiseControl: people change their minds and delete
// operations, and cruisecontrol-manager and Cruise Control die at many points of one.
func TestCruiseControlIsInterrupted(t *testing.T) {
	d := newDepot(t)
	d.tell(t, []depotStory{
		{"BrokersAreAddedAndFilled", (*depot).brokersAreAddedAndFilled},
		{"DrainIsCancelledHalfWay", (*depot).drainIsCancelledHalfWay},
		{"NoOperationDeletesABroker", (*depot).noOperationDeletesABroker},
		{"BothAreKilled", (*depot).bothAreKilled},
		{"ManagerIsKilledAtEachStep", (*depot).managerIsKilledAtEachStep},
		{"CruiseControlIsKilledWhileItPlans", (*depot).cruiseControlIsKilledWhileItPlans},
		{"BothAreKilledAtOnce", (*depot).bothAreKilledAtOnce},
	})
}

// A broker is taken out of the spec and put back while its data moves: the operation is cancelled, nothing of it is left, and
// the broker stays and gets back what had moved.
func (d *depot) drainIsCancelledHalfWay(t *testing.T) {
	leaving := d.twoToRemove(t)[1]
	before, claims := d.lives(t), d.claims(t)
	tr := d.trafficOn(t, "drain-is-cancelled")
	watch := d.watchOperations(t)
	entry := d.entry(t, leaving)
	d.removeBrokers(t, leaving)
	op := watch.wait(t, 2*time.Minute, v1beta1.RemoveBrokers, "to be half-way", func(op *v1beta1.CruiseControlOperation) bool {
		return op.Status.Progress != nil && op.Status.Phase == v1beta1.OperationExecuting && op.Status.Progress.Percent > 0
	})
	t.Logf("putting broker %d back at %d %%", leaving, op.Status.Progress.Percent)
	d.addBrokers(t, entry)
	watch.waitPhase(t, time.Minute, op.Name, v1beta1.OperationCancelled)
	d.waitReady(t, time.Minute)
	d.waitPlaced(t, time.Minute)
	d.requireSameLives(t, before)
	if now := d.claims(t); len(now) != len(claims) {
		t.Errorf("the claims were %v and are %v now", sorted(claims), sorted(now))
	}
	tr.end(t, d.cluster)
}

// Whatever becomes of an operation that drains a broker, the broker and its disk stay, as long as they hold a replica: when
// somebody deletes the operation, and when it fails for good.
func (d *depot) noOperationDeletesABroker(t *testing.T) {
	leaving := d.twoToRemove(t)[1]
	before, claims := d.lives(t), d.claims(t)
	watch, guard := d.watchOperations(t), d.guard(t, leaving)
	entry := d.entry(t, leaving)
	d.removeBrokers(t, leaving)
	first := watch.wait(t, 2*time.Minute, v1beta1.RemoveBrokers, "to move data", func(op *v1beta1.CruiseControlOperation) bool {
		return op.Status.Phase == v1beta1.OperationExecuting
	})
	// From now on no plan can be made: the next operation fails for good.
	d.standIn.inject(t, `{"kind": "PlanningError", "endpoint": "remove_broker", "times": -1, "message": "`+unsatisfiable+`"}`)
	if err := kube.Delete(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	watch.waitGone(t, time.Minute, first)
	d.requireNothingLeft(t)
	second := watch.wait(t, 3*time.Minute, v1beta1.RemoveBrokers, "to fail", func(op *v1beta1.CruiseControlOperation) bool {
		return op.UID != first.UID && op.Status.Phase == v1beta1.OperationFailed
	})
	t.Logf("%s: %s", second.Name, second.Status.Summary.Message)
	if !strings.Contains(second.Status.Summary.Message, "RackAwareGoal") {
		t.Errorf("the operation does not say what Cruise Control said: %q", second.Status.Summary.Message)
	}
	waitFor(t, time.Minute, "the cluster to say that data is not where it should be", func(ctx context.Context) (string, bool) {
		kc, err := d.get(ctx)
		if err != nil {
			return err.Error(), false
		}
		placed := conditionOf(kc, v1beta1.ConditionDataPlaced)
		return fmt.Sprintf("%s %s: %s", placed.Status, placed.Reason, placed.Message), placed.Status == metav1.ConditionFalse && strings.Contains(placed.Message, fmt.Sprint(leaving))
	})
	holds(t, 5*time.Second, "that the broker stays", d.isDraining(leaving))
	guard.end(t)

	d.standIn.heal(t)
	d.addBrokers(t, entry)
	d.waitReady(t, time.Minute)
	d.waitPlaced(t, time.Minute)
	d.requireSameLives(t, before)
	if now := d.claims(t); len(now) != len(claims) {
		t.Errorf("the claims were %v and are %v now", sorted(claims), sorted(now))
	}
}

// unsatisfiable is what Cruise Control says of a plan that cannot be made.
const unsatisfiable = "com.linkedin.kafka.cruisecontrol.exception.OptimizationFailureException: " +
	"[RackAwareGoal] Insufficient number of racks to distribute each replica (Current: 2, Needed: 3)."

// victim is a program that is killed when an operation is at some point.
type victim struct {
	when string
	is   func(*v1beta1.CruiseControlOperation) bool
	kill []func(*depot, *testing.T)
}

func inPhase(phase v1beta1.OperationPhase) func(*v1beta1.CruiseControlOperation) bool {
	return func(op *v1beta1.CruiseControlOperation) bool { return op.Status.Phase == phase }
}

// moving is true when some has moved and some has not.
func moving(op *v1beta1.CruiseControlOperation) bool {
	return op.Status.Phase == v1beta1.OperationExecuting && op.Status.Progress != nil && op.Status.Progress.Percent > 0
}

// killManager ends the process of cruisecontrol-manager that does the work.
func (d *depot) killManager(t *testing.T) {
	t.Helper()
	waitFor(t, time.Minute, "a cruisecontrol-manager to kill", func(ctx context.Context) (string, bool) {
		name, err := killProgram(ctx, cruiseControlManager)
		if err == nil {
			t.Logf("killed the process of Pod %s", name)
		}
		return fmt.Sprint(err), err == nil
	})
}

func (d *depot) killCruiseControl(t *testing.T) {
	t.Helper()
	d.standIn.kill(t)
}

// killEach waits for each point in its turn and kills there.
func (d *depot) killEach(t *testing.T, watch *operationWatch, kind v1beta1.OperationType, victims ...victim) {
	t.Helper()
	for _, v := range victims {
		op := watch.wait(t, 3*time.Minute, kind, "to be "+v.when, v.is)
		t.Logf("%s is %s: %v", op.Name, v.when, stepOf(op))
		for _, kill := range v.kill {
			kill(d, t)
		}
	}
}

// While a broker is filled, cruisecontrol-manager dies when it has the plan made, when it has sent it and does not know what
// came of that, and when data moves; then Cruise Control dies. The operation succeeds; each attempt was sent once.
func (d *depot) bothAreKilled(t *testing.T) {
	tr := d.trafficOn(t, "both-are-killed")
	watch := d.watchOperations(t)
	// Between what is sent and its answer there is time to die.
	d.standIn.inject(t, `{"kind": "Slow", "endpoint": "add_broker", "times": -1, "duration": "3s"}`)
	manager, cruiseControl := (*depot).killManager, (*depot).killCruiseControl
	d.addBrokers(t, node(105, brokers))
	d.killEach(t, watch, v1beta1.AddBrokers,
		victim{"having its plan made", inPhase(v1beta1.OperationProposing), []func(*depot, *testing.T){manager}},
		victim{"being sent", inPhase(v1beta1.OperationSubmitting), []func(*depot, *testing.T){manager}},
		victim{"moving data", moving, []func(*depot, *testing.T){manager, cruiseControl}},
	)
	d.waitReady(t, 2*time.Minute)
	op := watch.only(t, v1beta1.AddBrokers)
	d.waitPlaced(t, time.Minute)
	d.standIn.requireAttempts(t, op)
	if count := d.replicasOn(t, 105)[105]; count == 0 {
		t.Error("broker 105 has no replica")
	}
	d.requireWhole(t, cargoTopic)
	tr.end(t, d.cluster)
}

// cruisecontrol-manager dies in each phase of an operation that empties a broker.
func (d *depot) managerIsKilledAtEachStep(t *testing.T) {
	leaving := d.twoToRemove(t)[1]
	tr := d.trafficOn(t, "manager-is-killed")
	watch, guard := d.watchOperations(t), d.guard(t, leaving)
	d.standIn.inject(t, `{"kind": "Slow", "endpoint": "remove_broker", "times": -1, "duration": "3s"}`)
	manager := []func(*depot, *testing.T){(*depot).killManager}
	d.removeBrokers(t, leaving)
	d.killEach(t, watch, v1beta1.RemoveBrokers,
		victim{"settling", inPhase(v1beta1.OperationSettling), manager},
		victim{"having its plan made", inPhase(v1beta1.OperationProposing), manager},
		victim{"being sent", inPhase(v1beta1.OperationSubmitting), manager},
		victim{"moving data", moving, manager},
		victim{"verified", func(op *v1beta1.CruiseControlOperation) bool {
			return op.Status.Phase == v1beta1.OperationSettling && op.Status.Task != nil && op.Status.Task.ExecutingSince != nil ||
				op.Status.Phase == v1beta1.OperationVerifying || op.Status.Phase.IsFinished()
		}, manager},
	)
	d.waitReady(t, 4*time.Minute)
	d.waitPlaced(t, time.Minute)
	op := watch.only(t, v1beta1.RemoveBrokers)
	d.standIn.requireAttempts(t, op)
	if op.Status.Task.Attempt != 1 {
		t.Errorf("there were %d attempts: nobody but cruisecontrol-manager was interrupted", op.Status.Task.Attempt)
	}
	guard.end(t)
	d.requireGone(t, leaving)
	d.requireWhole(t, cargoTopic)
	tr.end(t, d.cluster)
}

// Cruise Control dies while it makes the plan, and while it has been sent the operation and answers slowly.
func (d *depot) cruiseControlIsKilledWhileItPlans(t *testing.T) {
	watch := d.watchOperations(t)
	d.standIn.inject(t, `{"kind": "Slow", "endpoint": "add_broker", "times": -1, "duration": "5s"}`)
	cruiseControl := []func(*depot, *testing.T){(*depot).killCruiseControl}
	d.addBrokers(t, node(106, brokers))
	d.killEach(t, watch, v1beta1.AddBrokers,
		victim{"having its plan made", inPhase(v1beta1.OperationProposing), cruiseControl},
	)
	// The fault died with the process.
	d.standIn.inject(t, `{"kind": "Slow", "endpoint": "add_broker", "times": -1, "duration": "5s"}`)
	d.killEach(t, watch, v1beta1.AddBrokers,
		victim{"being sent", inPhase(v1beta1.OperationSubmitting), cruiseControl},
	)
	d.waitReady(t, 2*time.Minute)
	watch.only(t, v1beta1.AddBrokers)
	d.waitPlaced(t, time.Minute)
	d.requireWhole(t, cargoTopic)
}

// Both die at once while data moves off a broker.
func (d *depot) bothAreKilledAtOnce(t *testing.T) {
	leaving := d.twoToRemove(t)[1]
	tr := d.trafficOn(t, "both-at-once")
	watch, guard := d.watchOperations(t), d.guard(t, leaving)
	d.removeBrokers(t, leaving)
	d.killEach(t, watch, v1beta1.RemoveBrokers,
		victim{"moving data", moving, []func(*depot, *testing.T){(*depot).killManager, (*depot).killCruiseControl}},
	)
	d.waitReady(t, 5*time.Minute)
	d.waitPlaced(t, time.Minute)
	op := watch.only(t, v1beta1.RemoveBrokers)
	d.standIn.requireAttempts(t, op)
	guard.end(t)
	d.requireGone(t, leaving)
	d.requireWhole(t, cargoTopic)
	tr.end(t, d.cluster)
}
