package removal

import "fmt"

// Next is the next step of a node's removal.
//
// The order is: it votes no more, it holds no replica, its Pod is deleted, it is stopped and fenced, Kafka forgets it,
// its claims are deleted. Putting the node back into the spec before its Pod is deleted undoes everything; after that,
// it is a new node. Each step asks again for all the proof that the steps before it had: if a replica shows up on a
// node that is stopped already, the node runs again.
//
// What counts as proof that a broker is empty:
//   - one that runs says so itself (DescribeLogDirs), and the metadata names it in no assignment. Either alone is not
//     enough: metadata does not know of future replicas, and a log directory not of those just assigned.
//   - one that cannot run, or has no Pod, cannot be asked. The metadata decides alone, and only once Kafka has fenced the
//     broker: until then it may be running where Kubernetes does not see it. A replica on its disk that the metadata does
//     not know is one that Kafka itself would delete when the broker came back. It does not matter who took the Pod
//     away: the facts after a crash of this program must be as good as those before.
func Next(f Facts) Step {
	if step, waits := voterStep(f); waits {
		return step
	}
	if f.Broker {
		if step, waits := replicaStep(f); waits {
			return step
		}
	}
	switch {
	case f.PodTerminating:
		return Step{Action: Wait, Code: CodeStopping, Message: fmt.Sprintf("node %d is stopping", f.ID)}
	case f.PodExists:
		return Step{Action: DeletePod, Code: CodeEmpty}
	case f.Broker && f.Registered && !f.Fenced:
		return Step{Action: Wait, Code: CodeNotFenced, Message: fmt.Sprintf("broker %d is stopped; Kafka has not fenced it yet", f.ID)}
	case f.Broker && f.Registered:
		return Step{Action: Unregister, Code: CodeEmpty}
	case f.ClaimsExist:
		return Step{Action: DeleteClaims, Code: CodeEmpty}
	}
	return Step{Action: Done, Code: CodeEmpty}
}

// voterStep keeps a controller while it votes, or while nobody knows whether it does.
func voterStep(f Facts) (step Step, waits bool) {
	switch {
	case !f.Controller:
		return Step{}, false
	case !f.QuorumKnown:
		return f.keep(CodeQuorumUnknown, "controller %d stays until the metadata quorum can be asked whether it votes", f.ID), true
	case f.Voter:
		return f.keep(CodeVoter, "controller %d stays until it is no voter of the metadata quorum any more", f.ID), true
	}
	return Step{}, false
}

// replicaStep keeps a broker while Kafka has anything on it, or while nobody can tell.
func replicaStep(f Facts) (step Step, waits bool) {
	switch {
	case !f.KafkaKnown:
		return f.keep(CodeKafkaUnreachable, "broker %d stays until Kafka can be asked what is on it", f.ID), true
	case f.Replicas > 0:
		return f.keep(CodeReplicas, "broker %d stays until its %d replicas have moved to other brokers", f.ID, f.Replicas), true
	case f.LogDirReplicas > 0:
		return f.keep(CodeReplicas, "broker %d stays until the %d replicas in its log directories are gone", f.ID, f.LogDirReplicas), true
	case f.LastBroker:
		return f.keep(CodeLastBroker, "broker %d stays: it is the last broker of the cluster", f.ID), true
	case !f.PodExists || f.PodTerminating:
		return Step{}, false
	case !f.PodStopped && !f.LogDirsKnown:
		return f.keep(CodeLogDirsUnknown, "broker %d stays until it has said what is in its log directories", f.ID), true
	case f.PodStopped && f.Registered && !f.Fenced:
		return f.keep(CodeNotFenced, "broker %d cannot run and cannot be asked; it stays until Kafka has fenced it", f.ID), true
	}
	return Step{}, false
}

// keep runs the node on. A node that has neither a Pod nor a claim has nothing to run on with: a Pod made now would get
// blank disks.
func (f Facts) keep(code, format string, args ...any) Step {
	action := Keep
	if !f.PodExists && !f.ClaimsExist {
		action = Wait
	}
	return Step{Action: action, Code: code, Message: fmt.Sprintf(format, args...), Replicas: max(f.Replicas, f.LogDirReplicas)}
}
