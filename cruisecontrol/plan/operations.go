package plan

import (
	"cmp"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

// operation is one that exists.
type operation struct {
	*v1beta1.CruiseControlOperation
	targets []target
	// lives are those of its targets, with the operation that it undoes for each, and places where they are.
	lives  map[target]string
	places map[target]bool
	// ours: the planner made it, for this very KafkaCluster.
	ours bool
	// withdrawn: the planner does not want it any more; since this pass, or an earlier one.
	withdrawn bool
}

// operationsOf are the operations that move something in this cluster, the oldest first.
func operationsOf(cluster *v1beta1.KafkaCluster, all []*v1beta1.CruiseControlOperation) []*operation {
	var operations []*operation
	for _, op := range all {
		if op.Spec.ClusterRef.Name != cluster.Name || op.Spec.Schedule != nil || op.Spec.DryRun {
			continue
		}
		_, withdrawn := op.Annotations[v1beta1.AnnotationWithdrawn]
		targets := targetsOf(op)
		operations = append(operations, &operation{
			CruiseControlOperation: op, targets: targets, lives: livesOf(targets), places: placesOf(targets), withdrawn: withdrawn,
			ours: op.Labels[v1beta1.LabelOrigin] == v1beta1.OriginPlanner && metav1.IsControlledBy(op, cluster),
		})
	}
	slices.SortFunc(operations, func(a, b *operation) int {
		return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
	})
	return operations
}

func (o *operation) isFinished() bool { return o.Status.Phase.IsFinished() }

// isLive tells whether it does, or will do, what it was made for.
func (o *operation) isLive() bool {
	return !o.isFinished() && !o.withdrawn && !o.Spec.Cancel
}

// isMissedRemoval tells whether it was to empty something, and is over without that.
func (o *operation) isMissedRemoval() bool {
	removal := o.Spec.Type == v1beta1.RemoveBrokers || o.Spec.Type == v1beta1.RemoveDisks
	return removal && !o.withdrawn && o.isFinished() && o.Status.Phase != v1beta1.OperationSucceeded
}

// hasBegun is false while it has done nothing at all.
func (o *operation) hasBegun() bool {
	switch o.Status.Phase {
	case "", v1beta1.OperationPending, v1beta1.OperationQueued:
		return o.Status.Task != nil || o.Status.StartTime != nil
	}
	return true
}

// hasMoved tells whether it has moved anything, as far as is known: in its last attempt, or in one before that was executed.
func (o *operation) hasMoved() bool {
	if progress := o.Status.Progress; progress != nil && (progress.DataMoved > 0 || progress.PartitionsFinished > 0) {
		return true
	}
	isEarlier := func(a v1beta1.OperationAttempt) bool {
		return a.Start != nil && (o.Status.Task == nil || a.Attempt != o.Status.Task.Attempt)
	}
	return o.Status.Phase == v1beta1.OperationSucceeded || slices.ContainsFunc(o.Status.History, isEarlier)
}

// does tells whether it is of a kind and names a broker or disk.
func (o *operation) does(kind v1beta1.OperationType, t target) bool {
	return o.Spec.Type == kind && (isForAll(kind) || o.places[t.place()])
}

// isFor tells whether it was made for this life of a broker or disk.
func (o *operation) isFor(t target) bool {
	_, is := o.lives[t.life()]
	return is
}

// isForAll: operations of this kind concern all brokers, whatever they were made for.
func isForAll(kind v1beta1.OperationType) bool {
	return kind == v1beta1.RebalanceDisks || kind == v1beta1.FixOfflineReplicas
}

// words are what is said of its end.
func (o *operation) words() string {
	said := ""
	if o.Status.Task != nil {
		said = o.Status.Task.ErrorMessage
	}
	if failed := meta.FindStatusCondition(o.Status.Conditions, v1beta1.ConditionFailed); failed != nil {
		said = cmp.Or(said, failed.Message)
	}
	if o.Status.Summary != nil {
		said = cmp.Or(said, o.Status.Summary.Message)
	}
	return cmp.Or(said, "without a word")
}

// purpose says what an operation of a kind does, for people.
func purpose(kind v1beta1.OperationType, targets []target) string {
	switch kind {
	case v1beta1.AddBrokers, v1beta1.RebalanceDisks:
		return "moves data onto " + named(targets)
	case v1beta1.RemoveBrokers, v1beta1.RemoveDisks:
		return "moves all replicas off " + named(targets)
	}
	return "makes the replicas again elsewhere that are offline on " + named(targets)
}

// covering is the operation that does it already, or will do it; nil if there is none.
func (p *planner) covering(kind v1beta1.OperationType, t target) *operation {
	for _, op := range p.operations {
		if op.isLive() && op.does(kind, t) {
			return op
		}
	}
	return nil
}

// last is the last operation that the planner made of a kind for this life of a broker or disk.
func (p *planner) last(kind v1beta1.OperationType, t target) *operation {
	for _, op := range slices.Backward(p.operations) {
		if op.ours && op.Spec.Type == kind && op.isFor(t) {
			return op
		}
	}
	return nil
}

// isSuperseded tells whether another operation has done later what this one failed to do.
func (p *planner) isSuperseded(failed *operation, t target) bool {
	at := slices.Index(p.operations, failed)
	return slices.ContainsFunc(p.operations[at+1:], func(op *operation) bool {
		return op.Status.Phase == v1beta1.OperationSucceeded && op.does(failed.Spec.Type, t)
	})
}

// opposite is what an operation that fills something undoes.
var opposite = map[v1beta1.OperationType]v1beta1.OperationType{
	v1beta1.AddBrokers:     v1beta1.RemoveBrokers,
	v1beta1.RebalanceDisks: v1beta1.RemoveDisks,
}

// undo is the UID of the operation that moved data off a broker or disk before it was put back into the spec, until there is
// one of this kind that moves data back.
func (p *planner) undo(kind v1beta1.OperationType, t target) string {
	removal := p.last(opposite[kind], t)
	if removal == nil || !removal.isFinished() || !removal.hasMoved() {
		return ""
	}
	uid := string(removal.UID)
	for _, op := range p.operations {
		if op.ours && !op.withdrawn && op.Spec.Type == kind && op.lives[t.life()] == uid {
			return ""
		}
	}
	return uid
}

// withdrawUnwanted gives up what was made for brokers and disks that have come back, or left. So it does with a removal that
// failed: whoever takes the broker or disk out of the spec once more wants another one.
func (p *planner) withdrawUnwanted() {
	for _, op := range p.operations {
		if !op.ours || !op.isLive() && !op.isMissedRemoval() || !op.DeletionTimestamp.IsZero() {
			continue
		}
		why := p.unwanted(op)
		if why == "" {
			continue
		}
		op.withdrawn = true
		p.plan.Withdraw = append(p.plan.Withdraw, Withdrawal{Operation: op.CruiseControlOperation, Delete: !op.hasBegun(), Why: why})
	}
}

// unwanted says why an operation is not wanted any more; empty if it is.
func (p *planner) unwanted(op *operation) string {
	var changed []target
	for _, t := range op.targets {
		isWanted := true
		switch op.Spec.Type {
		case v1beta1.AddBrokers, v1beta1.RebalanceDisks:
			isWanted = p.inSpec(t)
		case v1beta1.RemoveBrokers:
			isWanted = !p.inSpec(t)
		case v1beta1.RemoveDisks:
			// A broker that leaves is emptied as a whole.
			isWanted = !p.inSpec(t) && p.inSpec(target{broker: t.broker})
		}
		if !isWanted {
			changed = append(changed, t)
		}
	}
	switch {
	case len(changed) == 0:
		return ""
	case p.inSpec(changed[0]):
		return "back in the spec: " + named(changed)
	}
	return "no longer in the spec: " + named(changed)
}

// reportOwn says what the planner's own operations do, and which of those that fill something have failed.
func (p *planner) reportOwn() {
	for _, op := range p.operations {
		switch {
		case !op.ours:
		case !op.isFinished():
			p.report(op)
		case op.Status.Phase == v1beta1.OperationFailed && p.isMissed(op):
			p.waitFailed(op)
		}
	}
}

// isMissed tells whether something that still lives was to be filled by an operation that failed, and is not filled since.
func (p *planner) isMissed(failed *operation) bool {
	kind := failed.Spec.Type
	if kind != v1beta1.AddBrokers && kind != v1beta1.RebalanceDisks {
		return false
	}
	return slices.ContainsFunc(failed.targets, func(t target) bool {
		return p.isLiving(t) && p.last(kind, t) == failed && p.covering(kind, t) == nil && !p.isSuperseded(failed, t)
	})
}

// report says what an operation that is not finished does.
func (p *planner) report(op *operation) {
	doing := fmt.Sprintf("operation %s, which %s,", op.Name, purpose(op.Spec.Type, op.targets))
	switch {
	case !op.DeletionTimestamp.IsZero():
		p.wait(CodeWithdrawing, "%s is being deleted", doing)
	case op.withdrawn, op.Spec.Cancel:
		p.wait(CodeWithdrawing, "%s is being cancelled", doing)
	case op.Spec.Suspend:
		p.wait(CodeSuspended, "%s is suspended (spec.suspend)", doing)
	case op.Status.Phase == v1beta1.OperationAwaitingApproval:
		p.wait(CodeApproval, "%s waits for the approval of its plan", doing)
	default:
		p.wait(CodeMoving, "operation %s %s: %s", op.Name, purpose(op.Spec.Type, op.targets), cmp.Or(op.Status.Phase, v1beta1.OperationPending))
	}
}

// waitFailed says that an operation is not repeated, and what to do.
func (p *planner) waitFailed(op *operation) {
	p.kept[op.Name] = true
	what := "failed: " + op.words()
	if op.Status.Phase != v1beta1.OperationFailed {
		what = "was cancelled"
	}
	p.wait(CodeFailed, "operation %s, which %s, %s; it is not repeated by itself: delete it, and a new one is made", op.Name, purpose(op.Spec.Type, op.targets), what)
}

func (p *planner) wait(code, format string, args ...any) {
	wait := Wait{Code: code, Message: fmt.Sprintf(format, args...)}
	if !slices.Contains(p.plan.Waits, wait) {
		p.plan.Waits = append(p.plan.Waits, wait)
	}
}
