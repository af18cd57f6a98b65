package plan

import "koperator.dev/koperator/apis/kafka/v1beta1"

// forget deletes finished operations of the planner, the oldest first, but for the last ones and those that are needed: the
// record of what was done for a broker or disk that lives, what is to be undone, and what failed and is not to be repeated.
func (p *planner) forget() {
	var finished []*operation
	for _, op := range p.operations {
		if op.ours && op.isFinished() && op.DeletionTimestamp.IsZero() {
			finished = append(finished, op)
		}
	}
	excess := len(finished) - history
	for _, op := range finished {
		if excess <= 0 {
			return
		}
		if !p.isNeeded(op) {
			p.plan.Forget = append(p.plan.Forget, op.CruiseControlOperation)
			excess--
		}
	}
}

func (p *planner) isNeeded(op *operation) bool {
	if p.kept[op.Name] {
		return true
	}
	for _, t := range op.targets {
		if !p.isLiving(t) {
			continue
		}
		for fill, empty := range opposite {
			if op.Spec.Type == fill && p.last(fill, t) == op || op.Spec.Type == empty && p.undo(fill, t) == string(op.UID) {
				return true
			}
		}
	}
	return false
}

// IsRecord tells whether an operation of the planner's is the record of something that lives. It is not deleted, however old.
func IsRecord(cluster *v1beta1.KafkaCluster, all []*v1beta1.CruiseControlOperation, op *v1beta1.CruiseControlOperation) bool {
	p := newPlanner(Facts{Cluster: cluster, Operations: all})
	for _, known := range p.operations {
		if known.UID == op.UID {
			return known.ours && p.isNeeded(known)
		}
	}
	return false
}
