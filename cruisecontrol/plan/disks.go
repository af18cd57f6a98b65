package plan

import (
	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/apis/machinery/kafka"
)

// removeDisks empties disks that leave. One that has failed cannot be read: FixOfflineReplicas makes again what was on it.
func (p *planner) removeDisks() {
	var targets []target
	for _, t := range p.disks(v1beta1.VolumeDraining) {
		dir, known := p.dirOf(t)
		switch {
		case !known && !p.serves(t.broker):
			p.wait(CodeNotRunning, "%s is to be emptied, and its broker does not run", named([]target{t}))
		case !known && p.isEmptied(t):
		case !known, dir != nil && dir.Err == nil && dir.Replicas > 0:
			targets = append(targets, t)
		}
	}
	p.fulfil(wish{
		kind: v1beta1.RemoveDisks, targets: targets, why: "no longer in the spec, not known to be empty",
		automatic: p.automation().RemoveDisks, field: "removeDisks", isRepeated: true,
	})
}

// dirOf is the log directory of a disk, nil if the broker does not have it; known if the broker has answered.
func (p *planner) dirOf(t target) (dir *kafka.LogDir, known bool) {
	dirs, known := p.dirs[t.broker]
	return dirs[v1beta1.LogDir(t.path)], known
}

// isEmptied: the last that is known of the disk is that all was moved off it.
func (p *planner) isEmptied(t target) bool {
	last := p.last(v1beta1.RemoveDisks, t)
	return last != nil && last.Status.Phase == v1beta1.OperationSucceeded
}

// rebalanceDisks fills disks that are added to brokers that have data, and those that were put back when they had been
// emptied in part.
func (p *planner) rebalanceDisks() {
	var targets []target
	for _, t := range p.disks(v1beta1.VolumeActive) {
		if t.incarnation == "" || p.isOnlyDisk(t) || !p.serves(t.broker) || p.isBeingEmptied(v1beta1.RemoveDisks, t) {
			continue
		}
		if t.undo = p.undo(v1beta1.RebalanceDisks, t); t.undo != "" || p.isUnfilledDisk(t) {
			targets = append(targets, t)
		}
	}
	p.fulfil(wish{
		kind: v1beta1.RebalanceDisks, targets: targets, why: "waiting for data",
		automatic: p.automation().RebalanceDisks, field: "rebalanceDisks", hold: p.holdForDisks,
	})
}

// isOnlyDisk: there is nothing to spread over.
func (p *planner) isOnlyDisk(t target) bool { return len(p.paths[t.broker]) < 2 }

func (p *planner) isUnfilledDisk(t target) bool {
	if last := p.last(v1beta1.RebalanceDisks, t); last != nil {
		return last.withdrawn
	}
	return p.isNearlyEmptyDisk(t)
}

// isNearlyEmptyDisk tells whether a disk holds less than a tenth of what the others of its broker hold: Kafka puts new
// partitions where there are the fewest. With fewer replicas than disks there is nothing to spread.
func (p *planner) isNearlyEmptyDisk(t target) bool {
	dir, _ := p.dirOf(t)
	if dir == nil || dir.Err != nil || dir.Cordoned {
		return false
	}
	others, count := 0, 0
	for _, path := range p.paths[t.broker] {
		other, _ := p.dirOf(target{broker: t.broker, path: path})
		if path != t.path && other != nil && other.Err == nil {
			others += other.Replicas
			count++
		}
	}
	return count > 0 && others+dir.Replicas > count && isFew(dir.Replicas, others, count)
}

// holdForDisks waits until no disk is being emptied, which data would be moved back onto, and until all brokers have started
// with their new disks.
func (p *planner) holdForDisks() (code, message string) {
	if leaving := p.disks(v1beta1.VolumeDraining); len(leaving) > 0 {
		return CodeDisksDraining, "first " + named(leaving) + " should be empty and gone"
	}
	return p.holdForArrivals()
}
