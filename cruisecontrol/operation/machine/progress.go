package machine

import (
	"fmt"
	"time"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/cruisecontrol/client"
)

// phaseNames are the parts of an execution.
var phaseNames = map[client.ExecutorPhase]string{
	client.InterBrokerReplicaMovementInProgress: "InterBroker",
	client.IntraBrokerReplicaMovementInProgress: "IntraBroker",
	client.LeaderMovementInProgress:             "Leadership",
	client.StoppingExecution:                    "Stopping",
}

// progress goes on to a part of the execution.
func (m *machine) progress(phase string) *v1beta1.OperationProgress {
	if m.status.Progress == nil {
		m.status.Progress = &v1beta1.OperationProgress{LastAdvance: timeOf(m.Now)}
	}
	p := m.status.Progress
	if p.Phase != phase {
		p.Phase = phase
		p.LastAdvance = timeOf(m.Now)
	}
	return p
}

func (m *machine) noteAdvance() {
	if m.status.Progress == nil {
		m.status.Progress = &v1beta1.OperationProgress{}
	}
	m.status.Progress.LastAdvance = timeOf(m.Now)
}

func (m *machine) lastAdvance() time.Time {
	if m.status.Progress == nil || m.status.Progress.LastAdvance == nil {
		return m.Now
	}
	return m.status.Progress.LastAdvance.Time
}

func (m *machine) stallDeadline() time.Duration {
	if d := m.spec().Deadlines; d != nil && d.StallSeconds > 0 {
		return time.Duration(d.StallSeconds) * time.Second
	}
	return 30 * time.Minute
}

// advance notes how far the execution is.
func (m *machine) advance() {
	t, e := m.task(), m.Seen.Executor
	phase, moving := phaseNames[e.Phase]
	if !m.isExecuted() || !moving {
		phase = "Planning"
	} else if t.ExecutingSince == nil {
		t.ExecutingSince = timeOf(m.Now)
	}
	p := m.progress(phase)
	m.count(p, e)
	m.yes(v1beta1.ConditionExecuting, phase, "Cruise Control executes the plan")
	m.say("%s", m.describeProgress(p))
	m.step.After = whileWaiting
	m.judgeTime(p)
}

// part is one part of an execution, with its weight: data in MB, and a little for each movement.
type part struct{ weight, done float64 }

// count takes over the executor's counters. They are those of its present part only.
func (m *machine) count(p *v1beta1.OperationProgress, e *client.ExecutorState) {
	before := *p
	proposal := m.status.Proposal
	if proposal == nil {
		proposal = &v1beta1.OperationProposal{}
	}
	inter := part{weight: float64(proposal.DataToMove/megabyte) + float64(proposal.ReplicaMovements)}
	intra := part{weight: float64(proposal.IntraBrokerDataToMove/megabyte) + float64(proposal.IntraBrokerReplicaMovements)}
	leaders := part{weight: 0.1 * float64(proposal.LeaderMovements)}
	switch p.Phase {
	case "InterBroker":
		inter = part{float64(e.TotalDataToMove) + float64(e.NumTotalPartitionMovements), float64(e.FinishedDataMovement) + float64(e.NumFinishedPartitionMovements)}
		p.PartitionsTotal, p.PartitionsFinished = int32(e.NumTotalPartitionMovements), int32(e.NumFinishedPartitionMovements)
		p.PartitionsInProgress = int32(e.NumInProgressPartitionMovements)
		p.DataTotal, p.DataMoved = e.TotalDataToMove*megabyte+proposal.IntraBrokerDataToMove, e.FinishedDataMovement*megabyte
	case "IntraBroker":
		inter.done = inter.weight
		intra = part{
			float64(e.TotalIntraBrokerDataToMove) + float64(e.NumTotalIntraBrokerPartitionMovements),
			float64(e.FinishedIntraBrokerDataMovement) + float64(e.NumFinishedIntraBrokerPartitionMovements),
		}
		p.PartitionsTotal = proposal.ReplicaMovements + int32(e.NumTotalIntraBrokerPartitionMovements)
		p.PartitionsFinished = proposal.ReplicaMovements + int32(e.NumFinishedIntraBrokerPartitionMovements)
		p.PartitionsInProgress = int32(e.NumInProgressIntraBrokerPartitionMovements)
		p.DataTotal = proposal.DataToMove + e.TotalIntraBrokerDataToMove*megabyte
		p.DataMoved = proposal.DataToMove + e.FinishedIntraBrokerDataMovement*megabyte
	case "Leadership":
		inter.done, intra.done = inter.weight, intra.weight
		leaders = part{0.1 * float64(e.NumTotalLeadershipMovements), 0.1 * float64(e.NumFinishedLeadershipMovements)}
		p.LeadersTotal, p.LeadersFinished = int32(e.NumTotalLeadershipMovements), int32(e.NumFinishedLeadershipMovements)
		p.DataMoved, p.PartitionsFinished, p.PartitionsInProgress = p.DataTotal, p.PartitionsTotal, 0
	default:
		return
	}
	if whole := inter.weight + intra.weight + leaders.weight; whole > 0 {
		percent := int32(100 * (inter.done + intra.done + leaders.done) / whole)
		p.Percent = max(p.Percent, min(percent, 99))
	}
	if p.DataMoved != before.DataMoved || p.PartitionsFinished != before.PartitionsFinished || p.LeadersFinished != before.LeadersFinished {
		m.noteRate(p, &before)
		p.LastAdvance = timeOf(m.Now)
	}
	m.estimate(p)
}

// noteRate is the speed of late: what moved since something last had.
func (m *machine) noteRate(p, before *v1beta1.OperationProgress) {
	if before.LastAdvance == nil || p.DataMoved <= before.DataMoved {
		return
	}
	seconds := m.Now.Sub(before.LastAdvance.Time).Seconds()
	if seconds < 1 {
		return
	}
	rate := float64(p.DataMoved-before.DataMoved) / seconds
	if before.Rate > 0 {
		const weight = 0.3
		rate = weight*rate + (1-weight)*float64(before.Rate)
	}
	p.Rate = int64(rate)
}

// estimate says how long it takes yet, if anybody can.
func (m *machine) estimate(p *v1beta1.OperationProgress) {
	p.ETASeconds = nil
	if p.Rate > 0 && p.DataTotal >= p.DataMoved {
		seconds := (p.DataTotal - p.DataMoved) / p.Rate
		p.ETASeconds = &seconds
	}
}

// judgeTime looks at the deadlines.
func (m *machine) judgeTime(p *v1beta1.OperationProgress) {
	t := m.task()
	if d := m.spec().Deadlines; d != nil && d.ExecutionSeconds != nil && t.SubmittedAt != nil &&
		m.Now.Sub(t.SubmittedAt.Time) > time.Duration(*d.ExecutionSeconds)*time.Second {
		m.stop(stopDeadline)
		return
	}
	if still := m.Now.Sub(m.lastAdvance()); still <= m.stallDeadline() {
		m.no(v1beta1.ConditionStalled, "Advancing", "the execution advances")
		return
	}
	m.yes(v1beta1.ConditionStalled, "NoAdvance", "nothing has been finished since %s%s", p.LastAdvance.UTC().Format(time.TimeOnly), m.stallHints())
	m.say("%s", m.conditionMessage(v1beta1.ConditionStalled))
	if m.spec().OnStall == v1beta1.StallStop {
		m.stop(stopStalled)
	}
}

// stallHints are what may be the reason.
func (m *machine) stallHints() string {
	if m.Kafka == nil {
		return ""
	}
	fenced, behind := 0, 0
	for _, b := range m.Kafka.Brokers {
		if b.Fenced {
			fenced++
		}
	}
	for i := range m.Kafka.Partitions {
		if p := &m.Kafka.Partitions[i]; len(p.ISR) < len(p.Replicas) {
			behind++
		}
	}
	return fmt.Sprintf("; %d brokers do not serve, and %d partitions have replicas that are not in sync", fenced, behind)
}

func (m *machine) describeProgress(p *v1beta1.OperationProgress) string {
	switch p.Phase {
	case "InterBroker":
		return fmt.Sprintf("moves replicas between brokers: %d of %d partitions done, %d under way", p.PartitionsFinished, p.PartitionsTotal, p.PartitionsInProgress)
	case "IntraBroker":
		return fmt.Sprintf("moves replicas between disks: %d of %d done, %d under way", p.PartitionsFinished, p.PartitionsTotal, p.PartitionsInProgress)
	case "Leadership":
		return fmt.Sprintf("moves leaders: %d of %d", p.LeadersFinished, p.LeadersTotal)
	case "Stopping":
		return "Cruise Control stops it"
	}
	return "Cruise Control makes the plan again, to execute it"
}
