// Package plan decides which operations of Cruise Control a KafkaCluster wants. It is pure: what the cluster should be, what
// it is and which operations exist in, operations to make, to withdraw and to forget out, with the reason of each and of all
// that waits. It remembers nothing: what was done for one life of a broker or a disk is known from the operations that exist.
//
// A broker or a disk that leaves is emptied again and again until Kafka reports nothing on it, but what failed is not tried
// again by itself: an operation has its own attempts. A broker or a disk that comes is filled once in its life.
package plan

import (
	"cmp"
	"slices"
	"time"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/apis/machinery/kafka"
)

// Facts are what is known in a pass. The operations were read before Kafka was asked: what one of them has moved until then,
// Kafka's answer has seen.
type Facts struct {
	Cluster *v1beta1.KafkaCluster
	// Operations are those of the cluster, whoever made them.
	Operations []*v1beta1.CruiseControlOperation
	// Kafka is what Kafka said in this pass; nil if it was not asked, or could not be.
	Kafka *kafka.Cluster
	// LogDirs are the log directories of the brokers that were asked for them and answered in this pass.
	LogDirs map[int32][]kafka.LogDir
	// OfflineSince is since when Kafka has reported replicas offline on brokers that serve; zero if it does not.
	OfflineSince time.Time
	// Settled are brokers and disks that were seen with data once: they are not asked about again. To forget it costs a
	// question.
	Settled map[string]bool
	Now     time.Time
}

// Plan is what to do, in this order, and what waits.
type Plan struct {
	Create   []Creation
	Withdraw []Withdrawal
	// Forget are finished operations that are deleted because there are enough of them.
	Forget []*v1beta1.CruiseControlOperation
	// Waits say why data is not where the spec wants it, the one to look at first in front. None: it is.
	Waits []Wait
	// Again is when to look again though nothing has changed; zero for never.
	Again time.Duration
	// Settled are brokers and disks that hold data, Unsettled those that do not; of the others nothing was learnt.
	Settled, Unsettled []string
}

// Creation is an operation to make.
type Creation struct {
	Operation *v1beta1.CruiseControlOperation
	Why       string
}

// Withdrawal is an operation of the planner's own that is not wanted any more.
type Withdrawal struct {
	Operation *v1beta1.CruiseControlOperation
	// Delete: it has not begun, and can go. One that has begun is cancelled and kept.
	Delete bool
	Why    string
}

// Wait is why some data is not where the spec wants it.
type Wait struct {
	// Code is the reason as one word.
	Code string
	// Message is the reason as a sentence.
	Message string
}

// Codes of a Wait, the ones that need a person first.
const (
	// CodeFailed: an operation failed for good, or a person cancelled it.
	CodeFailed = "OperationFailed"
	// CodeAutomationOff: a person has to make the operation.
	CodeAutomationOff = "AutomationOff"
	// CodeApproval: a person has to approve the plan of an operation.
	CodeApproval = "AwaitingApproval"
	// CodeSuspended: a person has suspended the operation.
	CodeSuspended = "Suspended"
	// CodeEmptiedByHand: an operation that a person made has moved everything off a broker that stays.
	CodeEmptiedByHand = "EmptiedByHand"
	// CodeKafkaUnreachable: Kafka could not be asked what is where.
	CodeKafkaUnreachable = "KafkaUnreachable"
	// CodeNotRunning: a disk cannot be emptied while its broker does not run.
	CodeNotRunning = "BrokerNotRunning"
	// CodeOffline: a disk has failed, and might come back.
	CodeOffline = "ReplicasOffline"
	// CodeMoving: an operation does it.
	CodeMoving = "Moving"
	// CodeWithdrawing: an operation that is not wanted any more is being cancelled.
	CodeWithdrawing = "Withdrawing"
	// CodeArriving: more brokers are about to come, and one operation is for all of them.
	CodeArriving = "BrokersArriving"
	// CodeDisksDraining: disks are filled when no other is being emptied.
	CodeDisksDraining = "DisksDraining"
)

var urgency = []string{
	CodeFailed, CodeAutomationOff, CodeApproval, CodeSuspended, CodeEmptiedByHand, CodeKafkaUnreachable, CodeNotRunning, CodeOffline, CodeMoving,
	CodeWithdrawing, CodeArriving, CodeDisksDraining,
}

const (
	// patience is how long a broker that is not there yet holds up an operation that could be for it too.
	patience = 2 * time.Minute
	// offlineFor is how long a disk gets to come back before its replicas are made again elsewhere.
	offlineFor = 5 * time.Minute
	// history is how many finished operations of the planner are kept, besides those that it needs.
	history = 10
)

// Of is the plan for these facts.
func Of(f Facts) Plan {
	p := newPlanner(f)
	p.withdrawUnwanted()
	switch {
	case f.Kafka != nil:
		p.fixOfflineReplicas()
		p.removeBrokers()
		p.addBrokers()
		p.removeDisks()
		p.rebalanceDisks()
		p.settle()
		p.forget()
	case p.questions().Kafka:
		p.wait(CodeKafkaUnreachable, "Kafka cannot be asked where data is: nothing is moved until it answers")
	default:
		p.forget()
	}
	p.reportOwn()
	slices.SortStableFunc(p.plan.Waits, func(a, b Wait) int {
		return cmp.Compare(slices.Index(urgency, a.Code), slices.Index(urgency, b.Code))
	})
	return p.plan
}

// Questions are what a plan needs to know of Kafka.
type Questions struct {
	// Kafka: the cluster has to be described.
	Kafka bool
	// LogDirs are the brokers whose log directories matter.
	LogDirs []int32
}

// QuestionsOf says what Kafka has to be asked for a plan; Kafka and LogDirs of the facts do not matter.
func QuestionsOf(f Facts) Questions { return newPlanner(f).questions() }
