package storage

import "fmt"

// Next is the next step of a disk's removal.
//
// The order is: Kafka places nothing on it any more, it holds nothing, the broker is restarted without it, its claim is
// deleted. Putting the disk back into the spec before the restart undoes everything; after that, it is a new, blank disk.
//
// What counts as proof that it is empty: the broker itself says that its log directory holds no replica (DescribeLogDirs),
// and every replica that the metadata assigns to the broker is in another of its log directories. Either alone is not
// enough: the metadata does not know on which disk a replica is, and a log directory not of one that was assigned a moment
// ago. Kafka itself refuses nothing here: what is in a log directory that it is not told of any more is made again, empty.
//
// A directory that cannot be read counts no replicas. Then the others have to have all that the broker should have, which
// they do once the replicas of the disk were made again elsewhere.
func Next(f Facts) Step {
	switch {
	case f.Metadata:
		return keep(CodeMetadataLog, "the metadata log of node %d is on the disk, so it stays with the node: put it back into the spec, or replace the broker by one with another id", f.Broker)
	case f.Released && f.Mounted:
		return Step{Wait, CodeNotRunning, fmt.Sprintf("the disk is empty and goes when broker %d runs without it", f.Broker)}
	case f.Released, !f.Mounted && f.isUnused():
		return f.delete()
	}
	if step, stays := f.stays(); stays {
		return step
	}
	return Step{LeaveOut, CodeRestart, fmt.Sprintf("Kafka has nothing on the disk; it goes when broker %d is restarted without it", f.Broker)}
}

// isUnused tells whether the broker runs without the disk and has all that it should have.
func (f Facts) isUnused() bool { return f.KafkaKnown && f.LogDirsKnown && !f.LogDir && f.Missing == 0 }

// delete asks once more before the claim goes: the broker must run, without the disk, and lack nothing.
func (f Facts) delete() Step {
	switch {
	case !f.KafkaKnown:
		return Step{Wait, CodeKafkaUnreachable, "the claim of the disk stays until Kafka can be asked"}
	case !f.LogDirsKnown || f.LogDir:
		return Step{Wait, CodeNotRunning, fmt.Sprintf("the disk is empty and goes when broker %d runs without it", f.Broker)}
	case f.Missing > 0:
		return Step{Wait, CodeReplicas, fmt.Sprintf("the claim of the disk stays until the %d replicas that Kafka has assigned to broker %d are in its other log directories", f.Missing, f.Broker)}
	}
	return Step{Action: DeleteClaim, Code: CodeEmpty}
}

// stays keeps the disk while Kafka has anything on it, while it could place something there, or while nobody can tell.
func (f Facts) stays() (step Step, stays bool) {
	switch {
	case !f.KafkaKnown:
		return keep(CodeKafkaUnreachable, "the disk stays until Kafka can be asked what is on it"), true
	case !f.LogDirsKnown:
		return keep(CodeLogDirsUnknown, "the disk stays until broker %d has said what is in its log directories", f.Broker), true
	case f.Mounted && !f.LogDir:
		return keep(CodeLogDirsUnknown, "the disk stays until broker %d names it among its log directories", f.Broker), true
	case f.Failed != "" && f.Missing > 0:
		return keep(CodeDiskFailed, "Kafka cannot read the disk (%s); it stays until the %d replicas of broker %d that are missing are made again elsewhere (FixOfflineReplicas)", f.Failed, f.Missing, f.Broker), true
	case f.Failed != "":
		return Step{}, false
	case f.Replicas > 0:
		return keep(CodeReplicas, "the disk stays until its %d replicas have moved to other disks or brokers", f.Replicas), true
	case f.Missing > 0:
		return keep(CodeReplicas, "the disk is empty and stays until the %d replicas that Kafka has assigned to broker %d are in its other log directories", f.Missing, f.Broker), true
	case f.CanCordon && !f.Cordoned:
		return keep(CodeNotCordoned, "the disk is empty and stays until Kafka places nothing on it any more (cordoned.log.dirs)"), true
	}
	return Step{}, false
}

func keep(code, format string, args ...any) Step {
	return Step{Action: Keep, Code: code, Message: fmt.Sprintf(format, args...)}
}
