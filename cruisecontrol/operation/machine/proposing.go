package machine

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/cruisecontrol/client"
)

// proposing has the plan made, without executing it.
func (m *machine) proposing() {
	t := m.task()
	switch {
	case m.leaves():
		return
	case m.Kafka == nil:
		m.wait(whileBusy, "waits for Kafka: %v", m.KafkaError)
		return
	case m.spec().Type == v1beta1.RemoveBrokers && len(m.destinations()) == 0:
		m.wait(whileWaiting, "waits for a broker that serves and may get the replicas")
		return
	case !m.settled():
		t.PlanTaskID = ""
		m.to(v1beta1.OperationSettling)
		return
	}
	if a, ok := answered[Plan](m); ok {
		m.planAnswered(a)
		return
	}
	if a, ok := answered[CheckCapacity](m); ok {
		m.capacityChecked(a)
		return
	}
	if _, ok := answered[KeepRecord](m); ok && m.isPlanned() {
		m.planned()
		return
	}
	switch {
	case m.Record == nil || m.Record.Attempt < t.Attempt:
		m.do(KeepRecord{m.newRecord()})
	case t.PlanTaskID == "":
		t.Plan++
		t.PlanningSince = microTimeOf(m.Now)
		m.say("Cruise Control makes the plan")
		m.durably(m.planAction())
	default:
		m.do(m.planAction())
	}
}

// isPlanned tells whether the plan of this attempt is made and kept.
func (m *machine) isPlanned() bool {
	t, p := m.task(), m.status.Proposal
	return p != nil && m.Record.Hash == p.Hash && m.Record.Attempt == t.Attempt && t.PlanningSince != nil && !p.ComputedAt.Before(timeOf(t.PlanningSince.Time))
}

// newRecord reserves the number of the attempt.
func (m *machine) newRecord() Record {
	r := Record{Attempt: m.task().Attempt, Retries: m.status.Retries, Restarts: m.status.Restarts}
	if m.Record != nil {
		// What was approved, and what may still be set in Kafka, outlives the attempt.
		r.Hash, r.ApprovedAs, r.Moves, r.Throttle = m.Record.Hash, m.Record.ApprovedAs, m.Record.Moves, m.Record.Throttle
	}
	return r
}

func (m *machine) planAction() Plan {
	t := m.task()
	return Plan{Request: m.request(), Token: planToken(m.Operation.UID, t.Attempt, t.Plan), Task: client.TaskID(t.PlanTaskID)}
}

// request is what the operation asks for, with the brokers as they are now.
func (m *machine) request() Request {
	r := Request{Spec: m.spec(), IncludeRemoved: m.task().IncludeRecentlyRemoved}
	switch m.spec().Type {
	case v1beta1.RemoveBrokers, v1beta1.Rebalance:
		r.Destinations = m.destinations()
	}
	return r
}

// destinations are the brokers that may get replicas: those that a person named, else all that serve and are to stay.
func (m *machine) destinations() []int32 {
	if len(m.spec().DestinationBrokers) > 0 {
		return slices.Sorted(slices.Values(m.spec().DestinationBrokers))
	}
	var ids []int32
	for _, id := range m.Cluster.Destinations {
		broker, member := m.Kafka.Brokers[id]
		removed := m.spec().Type == v1beta1.RemoveBrokers && slices.Contains(m.spec().Brokers, id)
		if member && !broker.Fenced && !removed {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

func (m *machine) planAnswered(a Answer) {
	t := m.task()
	var failure *client.Error
	switch {
	case errors.As(a.Err, &failure):
		t.PlanTaskID = ""
		m.planFailed(failure)
	case a.Err != nil:
		m.wait(whileBusy, "asking Cruise Control: %v", a.Err)
	case a.Plan.Result == nil && m.Now.Sub(t.PlanningSince.Time) > m.proposalDeadline():
		t.PlanTaskID = ""
		m.planFailed(&client.Error{Class: client.Transient, Message: fmt.Sprintf("there was no plan within %s", m.proposalDeadline())})
	case a.Plan.Result == nil:
		t.PlanTaskID = string(a.Plan.TaskID)
		m.wait(whilePlanning, "Cruise Control makes the plan: %s", planningStep(a.Plan.Progress))
	default:
		t.PlanTaskID = ""
		m.planMade(a.Plan.Result)
	}
}

// whilePlanning is how often a plan that is being made is asked for.
const whilePlanning = 3 * time.Second

func (m *machine) proposalDeadline() time.Duration {
	if d := m.spec().Deadlines; d != nil && d.ProposalSeconds > 0 {
		return time.Duration(d.ProposalSeconds) * time.Second
	}
	return 30 * time.Minute
}

// planningStep is what Cruise Control is at.
func planningStep(progress []client.Progress) string {
	if len(progress) == 0 || len(progress[len(progress)-1].Steps) == 0 {
		return "it has not begun"
	}
	steps := progress[len(progress)-1].Steps
	return steps[len(steps)-1].Description
}

// planMade looks at a plan.
func (m *machine) planMade(plan *client.Plan) {
	m.yes(v1beta1.ConditionMonitorReady, "Ready", "Cruise Control knows enough of the load")
	t := m.task()
	t.ErrorClass, t.ErrorMessage = "", ""
	m.status.Proposal = m.proposal(plan)
	m.yes(v1beta1.ConditionProposalReady, "Planned", "%s", describe(m.status.Proposal))
	if plan.IsEmpty() && !m.spec().DryRun {
		m.nothingToDo()
		return
	}
	record := m.newRecord()
	record.Hash, record.ApprovedAs, record.Moves = m.status.Proposal.Hash, "", movesOf(plan)
	record.Destinations, record.IncludeRemoved = m.request().Destinations, t.IncludeRecentlyRemoved
	ok, why := m.approval(record.Hash, record.Moves)
	if ok {
		m.yes(v1beta1.ConditionApproved, "Approved", "%s", why)
	} else {
		m.no(v1beta1.ConditionApproved, "AwaitingApproval", "%s", why)
	}
	if ok && m.spec().Approval != nil {
		record.ApprovedAs = m.spec().Approval.ApprovedProposal
	}
	m.do(KeepRecord{record})
}

// nothingToDo lets Kafka say whether that is so.
func (m *machine) nothingToDo() {
	m.task().Outcome = outcomeNothingToDo
	m.to(v1beta1.OperationSettling)
}

// planned goes on with a plan that is kept.
func (m *machine) planned() {
	if m.spec().DryRun {
		m.end(v1beta1.OperationProposalOnly, "Proposed", "%s", describe(m.status.Proposal))
		return
	}
	if isTrue(m.status, v1beta1.ConditionApproved) {
		m.to(v1beta1.OperationSubmitting)
		return
	}
	m.to(v1beta1.OperationAwaitingApproval)
}

// approval tells whether a plan may be executed, and why or why not.
func (m *machine) approval(hash string, moves []Move) (ok bool, why string) {
	reason := m.needsApproval()
	if reason == "" {
		return true, "the plan needs no approval"
	}
	approved := ""
	if m.spec().Approval != nil {
		approved = m.spec().Approval.ApprovedProposal
	}
	approve := "approve it by putting status.proposal.hash into spec.approval.approvedProposal"
	switch {
	case approved == "":
		return false, reason + ": " + approve
	case approved == hash:
		return true, "the plan is the one that was approved"
	case m.Record != nil && m.Record.ApprovedAs == approved && m.Record.Hash == hash:
		return true, "the plan differs little from the one that was approved"
	case m.Record == nil || (m.Record.Hash != approved && m.Record.ApprovedAs != approved):
		return false, "another plan was approved: " + approve
	}
	percent, allowed := drift(m.Record.Moves, moves), m.maxDrift()
	if percent > allowed {
		return false, fmt.Sprintf("the plan differs by %.0f %% from the one that was approved, and %.0f %% are allowed: %s", percent, allowed, approve)
	}
	return true, fmt.Sprintf("the plan differs by %.0f %% from the one that was approved", percent)
}

func (m *machine) maxDrift() float64 {
	if a := m.spec().Approval; a != nil && a.MaxDrift != nil {
		return float64(*a.MaxDrift)
	}
	return 10
}

// needsApproval is why a person has to approve the plan; empty if nobody has to.
func (m *machine) needsApproval() string {
	p, limits := m.status.Proposal, m.spec().Limits
	if a := m.spec().Approval; a != nil && a.Mode == v1beta1.ApprovalManual {
		return "the plan waits for a person"
	}
	if limits == nil || p == nil {
		return ""
	}
	if most := limits.MaxDataToMove; most != nil && p.DataToMove+p.IntraBrokerDataToMove > most.Value() {
		return fmt.Sprintf("the plan moves %s, more than limits.maxDataToMove", gigabytes(p.DataToMove+p.IntraBrokerDataToMove))
	}
	if most := limits.MaxReplicaMovements; most != nil && p.ReplicaMovements+p.IntraBrokerReplicaMovements > *most {
		return fmt.Sprintf("the plan moves %d replicas, more than limits.maxReplicaMovements", p.ReplicaMovements+p.IntraBrokerReplicaMovements)
	}
	return ""
}

// awaitingApproval waits for a person.
func (m *machine) awaitingApproval() {
	switch {
	case m.cancelled():
		m.endCancelled()
	case m.spec().Approval != nil && m.status.Proposal != nil && m.spec().Approval.ApprovedProposal == m.status.Proposal.Hash:
		// Cruise Control cannot execute a plan that it made: it is asked for one again, just before.
		m.to(v1beta1.OperationQueued)
	default:
		m.say("%s", m.conditionMessage(v1beta1.ConditionApproved))
	}
}

func (m *machine) conditionMessage(condition string) string {
	for _, c := range m.status.Conditions {
		if c.Type == condition {
			return c.Message
		}
	}
	return ""
}

const megabyte = 1 << 20

// proposal is a plan as status shows it.
func (m *machine) proposal(plan *client.Plan) *v1beta1.OperationProposal {
	s := plan.Summary
	p := &v1beta1.OperationProposal{
		Hash: plan.Hash(), ComputedAt: *timeOf(m.Now),
		ReplicaMovements: int32(s.NumReplicaMovements), DataToMove: s.DataToMoveMB * megabyte,
		IntraBrokerReplicaMovements: int32(s.NumIntraBrokerReplicaMovements), IntraBrokerDataToMove: s.IntraBrokerDataToMoveMB * megabyte,
		LeaderMovements:    int32(s.NumLeaderMovements),
		BalancednessBefore: score(s.OnDemandBalancednessBefore), BalancednessAfter: score(s.OnDemandBalancednessAfter),
		ProvisionStatus: s.ProvisionStatus, ProvisionRecommendation: shortened(s.ProvisionRecommendation, maxSummary),
	}
	for _, goal := range plan.ViolatedGoals() {
		p.ViolatedGoals = append(p.ViolatedGoals, string(goal))
	}
	if m.Operation.UID != "" {
		p.Report = RecordName(m.Operation.UID)
	}
	return p
}

func score(f client.Float) string {
	text := strconv.FormatFloat(float64(f), 'f', 1, 64)
	if text == "NaN" {
		return ""
	}
	return text
}

func describe(p *v1beta1.OperationProposal) string {
	if p == nil {
		return "the plan is not known"
	}
	text := fmt.Sprintf("the plan moves %d replicas (%s) between brokers", p.ReplicaMovements, gigabytes(p.DataToMove))
	if p.IntraBrokerReplicaMovements > 0 {
		text += fmt.Sprintf(", %d replicas (%s) between disks", p.IntraBrokerReplicaMovements, gigabytes(p.IntraBrokerDataToMove))
	}
	return text + fmt.Sprintf(" and %d leaders", p.LeaderMovements)
}

// gigabytes is an amount of data for people.
func gigabytes(bytes int64) string { return fmt.Sprintf("%.1f GiB", float64(bytes)/(1<<30)) }
