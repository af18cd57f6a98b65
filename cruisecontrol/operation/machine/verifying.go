package machine

import (
	"fmt"
	"regexp"
	"slices"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/apis/machinery/kafka"
)

// verifying asks Kafka whether what was wanted is so. That Cruise Control has completed a task does not say that.
func (m *machine) verifying() {
	if m.cancelled() {
		m.endCancelled()
		return
	}
	if m.Kafka == nil {
		m.wait(whileBusy, "waits for Kafka: %v", m.KafkaError)
		return
	}
	if m.spec().Type == v1beta1.RemoveDisks && (m.LogDirs == nil || m.LogDirsError != nil) {
		m.wait(whileBusy, "reading log directories: %v", m.LogDirsError)
		m.step.Again = m.LogDirsError == nil
		return
	}
	missing := m.missing()
	if missing == "" && m.isUncertain() {
		missing = m.notAsPlanned()
	}
	if missing != "" {
		m.no(v1beta1.ConditionVerified, "NotMet", "%s", missing)
		m.tryAgain(missing)
		return
	}
	m.verified()
}

func (m *machine) verified() {
	reason := "Verified"
	if m.task().Outcome == outcomeRestarted {
		reason = "VerifiedAfterRestart"
	}
	m.yes(v1beta1.ConditionVerified, reason, "Kafka says that what was wanted is so")
	if p := m.status.Progress; p != nil {
		p.Percent, p.DataMoved, p.ETASeconds = 100, p.DataTotal, nil
	}
	message := "done"
	if p := m.status.Progress; p != nil && p.DataTotal > 0 {
		message = fmt.Sprintf("done: moved %s", gigabytes(p.DataTotal))
	}
	if m.task().Outcome == outcomeNothingToDo {
		message = "there was nothing to do"
	}
	m.end(v1beta1.OperationSucceeded, reason, "%s", message)
}

// isUncertain tells whether the attempt did not come to its end, as far as is known.
func (m *machine) isUncertain() bool {
	switch m.task().Outcome {
	case outcomeCompleted, outcomeNothingToDo:
		return false
	}
	return true
}

// missing is what is not yet as it was wanted; empty if all of it is.
func (m *machine) missing() string {
	switch m.spec().Type {
	case v1beta1.RemoveBrokers:
		return m.missingOfRemoval()
	case v1beta1.AddBrokers:
		return m.missingOfAddition()
	case v1beta1.DemoteBrokers:
		return m.missingOfDemotion()
	case v1beta1.RemoveDisks:
		return m.missingOfDisks()
	case v1beta1.FixOfflineReplicas:
		return m.missingOfRepair()
	case v1beta1.ChangeReplicationFactor:
		return m.missingOfReplication()
	}
	return ""
}

// missingOfRemoval looks for replicas, leaderless partitions included, and for reassignments that name the brokers.
func (m *machine) missingOfRemoval() string {
	for i := range m.Kafka.Partitions {
		p := &m.Kafka.Partitions[i]
		for _, id := range m.spec().Brokers {
			if slices.Contains(p.Replicas, id) || p.Leader == id {
				return fmt.Sprintf("broker %d still has a replica of %s-%d", id, p.Topic, p.Partition)
			}
		}
	}
	for i := range m.Kafka.Reassignments {
		r := &m.Kafka.Reassignments[i]
		for _, id := range m.spec().Brokers {
			if slices.Contains(r.Replicas, id) {
				return fmt.Sprintf("%s, which is on broker %d, is being reassigned", r, id)
			}
		}
	}
	return ""
}

func (m *machine) missingOfAddition() string {
	for _, id := range m.spec().Brokers {
		if b, member := m.Kafka.Brokers[id]; !member || b.Fenced {
			return fmt.Sprintf("broker %d does not serve", id)
		}
	}
	return ""
}

// missingOfDemotion looks for leadership that could be somewhere else.
func (m *machine) missingOfDemotion() string {
	for i := range m.Kafka.Partitions {
		p := &m.Kafka.Partitions[i]
		another := slices.ContainsFunc(p.ISR, func(id int32) bool { return !slices.Contains(m.spec().Brokers, id) })
		if slices.Contains(m.spec().Brokers, p.Leader) && another && len(p.ISR) == len(p.Replicas) {
			return fmt.Sprintf("broker %d still leads %s-%d", p.Leader, p.Topic, p.Partition)
		}
	}
	return ""
}

// missingOfDisks looks for replicas on the disks, current and future ones. Of a disk with an error nothing is known.
func (m *machine) missingOfDisks() string {
	for _, disks := range m.spec().Disks {
		dirs, read := m.LogDirs[disks.Broker]
		if !read {
			return fmt.Sprintf("broker %d does not say what is on its disks: %v", disks.Broker, m.LogDirsError)
		}
		for _, path := range disks.Paths {
			if missing := missingOfDisk(disks.Broker, v1beta1.LogDir(path), dirs); missing != "" {
				return missing
			}
		}
	}
	return ""
}

func missingOfDisk(broker int32, path string, dirs []kafka.LogDir) string {
	i := slices.IndexFunc(dirs, func(d kafka.LogDir) bool { return d.Path == path })
	switch {
	case i < 0:
		return "" // the broker runs without it already
	case dirs[i].Err != nil:
		return fmt.Sprintf("broker %d cannot say what is on %s: %v", broker, path, dirs[i].Err)
	case dirs[i].Replicas > 0:
		return fmt.Sprintf("broker %d still has %d replicas on %s", broker, dirs[i].Replicas, path)
	}
	return ""
}

func (m *machine) missingOfRepair() string {
	for i := range m.Kafka.Partitions {
		if p := &m.Kafka.Partitions[i]; len(p.Offline) > 0 {
			return fmt.Sprintf("the replica of %s-%d on broker %d is offline", p.Topic, p.Partition, p.Offline[0])
		}
	}
	return ""
}

// missingOfReplication counts replicas. A pattern that is Java's alone is left to the plan.
func (m *machine) missingOfReplication() string {
	for _, wanted := range m.spec().Topics {
		pattern, err := regexp.Compile("^(?:" + wanted.Pattern + ")$")
		if err != nil {
			return m.notAsPlanned()
		}
		for i := range m.Kafka.Partitions {
			p := &m.Kafka.Partitions[i]
			if pattern.MatchString(p.Topic) && len(p.Replicas) != int(wanted.ReplicationFactor) {
				return fmt.Sprintf("%s-%d has %d replicas", p.Topic, p.Partition, len(p.Replicas))
			}
		}
	}
	return ""
}

// notAsPlanned is a partition that is not where the plan wanted it.
func (m *machine) notAsPlanned() string {
	if m.Record == nil || len(m.Record.Moves) == 0 {
		if m.spec().Type == v1beta1.RemoveDisks || m.spec().Type == v1beta1.RemoveBrokers || m.spec().Type == v1beta1.FixOfflineReplicas {
			return "" // Kafka has said it
		}
		return "nobody knows how far the attempt came"
	}
	if m.spec().Type == v1beta1.RebalanceDisks {
		return "nobody knows how far the attempt came"
	}
	wanted := targets(m.Record.Moves)
	for i := range m.Kafka.Partitions {
		p := &m.Kafka.Partitions[i]
		target, planned := wanted[kafka.TopicPartition{Topic: p.Topic, Partition: p.Partition}]
		if planned && !sameSet(target, p.Replicas) {
			return fmt.Sprintf("%s-%d is on %v, and the plan moves it to %v", p.Topic, p.Partition, p.Replicas, target)
		}
	}
	return ""
}
