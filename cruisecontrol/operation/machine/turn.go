package machine

import (
	"cmp"
	"slices"
	"time"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

// rank is how urgent an operation is by its type.
func rank(t v1beta1.OperationType) int {
	switch t {
	case v1beta1.FixOfflineReplicas:
		return 0
	case v1beta1.RemoveBrokers:
		return 1
	case v1beta1.AddBrokers:
		return 2
	case v1beta1.RemoveDisks:
		return 3
	}
	return 4
}

// IsCommitted tells whether something of an operation may be under way in Cruise Control or left in Kafka.
func IsCommitted(op *v1beta1.CruiseControlOperation) bool {
	switch op.Status.Phase {
	case v1beta1.OperationSubmitting:
		sent := op.Status.Task != nil && op.Status.Task.IntentAt != nil
		return sent || slices.Contains(op.Finalizers, v1beta1.FinalizerOperation)
	case v1beta1.OperationExecuting, v1beta1.OperationStopping, v1beta1.OperationRecovering, v1beta1.OperationCleaning:
		return true
	case v1beta1.OperationSettling, v1beta1.OperationVerifying:
		return op.Status.Task != nil && op.Status.Task.Outcome != ""
	}
	return false
}

// waitsAside tells whether an operation lets others go first, whatever its rank.
func waitsAside(op *v1beta1.CruiseControlOperation, leavingDisks []string, now time.Time) bool {
	switch {
	case IsCommitted(op):
		return false
	case op.Spec.Suspend, op.Status.Phase == v1beta1.OperationAwaitingApproval, op.Status.Phase == v1beta1.OperationBackingOff:
		return true
	case len(leavingDisks) > 0 && spreads(op.Spec.Type):
		return true
	}
	return op.Status.RetryAt != nil && now.Before(op.Status.RetryAt.Time)
}

// spreads tells whether an operation could move data back onto a disk that is being emptied: Cruise Control does not remember
// those.
func spreads(t v1beta1.OperationType) bool {
	return t == v1beta1.Rebalance || t == v1beta1.RebalanceDisks || t == v1beta1.AddBrokers
}

// IsTemplate tells whether operations are made from this one, and nothing is done with it.
func IsTemplate(op *v1beta1.CruiseControlOperation) bool { return op.Spec.Schedule != nil }

// Queue is the operations of one cluster that have work to do, in the order in which it is their turn.
func Queue(all []v1beta1.CruiseControlOperation, leavingDisks []string, now time.Time) []*v1beta1.CruiseControlOperation {
	var queue []*v1beta1.CruiseControlOperation
	for i := range all {
		op := &all[i]
		if !op.Status.Phase.IsFinished() && !IsTemplate(op) && !op.Spec.DryRun && !waitsAside(op, leavingDisks, now) {
			queue = append(queue, op)
		}
	}
	slices.SortStableFunc(queue, before)
	return queue
}

func before(a, b *v1beta1.CruiseControlOperation) int {
	return cmp.Or(
		-cmp.Compare(oneIf(IsCommitted(a)), oneIf(IsCommitted(b))),
		-cmp.Compare(oneIf(isCancelled(a)), oneIf(isCancelled(b))),
		cmp.Compare(rank(a.Spec.Type), rank(b.Spec.Type)),
		-cmp.Compare(a.Spec.Priority, b.Spec.Priority),
		a.CreationTimestamp.Compare(b.CreationTimestamp.Time),
		cmp.Compare(a.Name, b.Name),
	)
}

func oneIf(is bool) int {
	if is {
		return 1
	}
	return 0
}

func isCancelled(op *v1beta1.CruiseControlOperation) bool {
	return op.Spec.Cancel || !op.DeletionTimestamp.IsZero()
}

// TurnOf says whether it is the turn of one of a cluster's operations. What only plans waits for nobody.
func TurnOf(name string, dryRun bool, queue []*v1beta1.CruiseControlOperation) Turn {
	if dryRun || (len(queue) > 0 && queue[0].Name == name) {
		return Turn{Mine: true}
	}
	if len(queue) == 0 {
		return Turn{}
	}
	return Turn{Ahead: queue[0].Name}
}
