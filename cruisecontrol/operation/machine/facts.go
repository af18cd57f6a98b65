// Package machine decides what is done next with a CruiseControlOperation. It is a function of facts: it reads nothing, writes
// nothing and has no clock. Whoever carries out what it wants tells it the answer, and asks again, until it wants nothing more.
package machine

import (
	"time"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/apis/machinery/grant"
	"koperator.dev/koperator/apis/machinery/kafka"
	"koperator.dev/koperator/cruisecontrol/client"
)

// Facts are what is known in one pass over one operation.
type Facts struct {
	Now time.Time
	// Operation, with its status as it was decided last.
	Operation *v1beta1.CruiseControlOperation
	// Record is what is kept of the operation beside its status; nil if nothing is.
	Record  *Record
	Cluster Cluster
	Turn    Turn
	// Seen is what Cruise Control says.
	Seen Seen
	// Kafka is nil if it was not asked, or could not be; KafkaError says why.
	Kafka      *kafka.Cluster
	KafkaError error
	// LogDirs of the brokers whose disks matter.
	LogDirs      map[int32][]kafka.LogDir
	LogDirsError error
	// Throttles are the throttles that are set; nil if nobody looked.
	Throttles *Throttles
	// ChangedAt is when the cluster was last seen to change.
	ChangedAt time.Time
	// Granted says that the operation has the grant of the cluster; Released that it certainly does not.
	Granted, Released bool
	// Answer is that of the action that was just carried out; nil at first.
	Answer *Answer
}

// Cluster is what matters of the KafkaCluster.
type Cluster struct {
	// Problem says why no operation can be worked on; empty if one can. Gone: there is nothing to clean either.
	Problem string
	Gone    bool
	// Instance is the process of Cruise Control; empty while there is none.
	Instance string
	// Destinations are the brokers of the spec that are to stay.
	Destinations []int32
	// LeavingDisks are disks that are being emptied.
	LeavingDisks []string
	// Outdated says why Cruise Control is to be restarted before it plans; empty if it is not.
	Outdated string
}

// Turn says whether an operation may go on.
type Turn struct {
	Mine bool
	// Ahead is whom it waits for.
	Ahead string
}

// Seen is what Cruise Control said, and when it was asked.
type Seen struct {
	At       time.Time
	Instance string
	Executor *client.ExecutorState
	Monitor  *client.MonitorState
	// Asked says that the operation's task was asked for; Task is nil if Cruise Control does not know it, or if the list is not
	// Complete.
	Asked    client.TaskID
	Task     *client.UserTask
	Complete bool
	Err      error
}

// Throttles are the dynamic properties of throttled replication that are set in Kafka.
type Throttles struct {
	// Cluster are those that are the default of all brokers.
	Cluster map[string]string
	Brokers map[int32]map[string]string
	Topics  map[string]map[string]string
}

// Record is what has to be known of an operation even if its status is lost. It is kept before it takes effect.
type Record struct {
	// Attempt is the number of the last attempt: none is used twice.
	Attempt           int32
	Retries, Restarts int32
	// Hash and Moves are the plan of that attempt, ApprovedAs the proposal that a person approved, from which it drifted.
	Hash, ApprovedAs string
	Moves            []Move
	// Destinations and IncludeRemoved are what it was planned with.
	Destinations   []int32
	IncludeRemoved bool
	// Throttle is what is set for it in Kafka.
	Throttle *Throttle
	// Finished is how the operation ended, and Message what came of it.
	Finished v1beta1.OperationPhase
	Message  string
}

// Move is what becomes of the replicas of a partition.
type Move struct {
	kafka.TopicPartition
	Old, New []int32
}

// Throttle is the throttle of an operation.
type Throttle struct {
	Rate    int64
	Brokers []int32
	Topics  []string
}

// Step is what is done next.
type Step struct {
	// Status is that of the operation from now on.
	Status v1beta1.CruiseControlOperationStatus
	// Action is what is to be done; nil if there is nothing now. Its answer is the next fact.
	Action Action
	// Durable: Status has to be written before the action is carried out.
	Durable bool
	// After is when the operation should be looked at again; zero if something else will say so. Again: at once.
	After time.Duration
	Again bool
}

// Action is something to be done. Those who do it know nothing of why.
type Action interface{ isAction() }

// Answer is what came of an action. Err is what Cruise Control or Kafka said against it.
type Answer struct {
	To  Action
	Err error
	// Plan is the answer to Plan, Submit and Fetch.
	Plan client.Answer[client.Plan]
	// Tasks is the answer to Find.
	Tasks client.UserTasks
	// Grant is the answer to TakeGrant.
	Grant grant.Grant
}

// The actions.
type (
	// KeepRecord keeps what must not get lost.
	KeepRecord struct{ Record Record }
	// Protect keeps the operation from being deleted while something of it may be under way; Unprotect ends that.
	Protect   struct{}
	Unprotect struct{}
	// TakeGrant takes the grant of the cluster, ReleaseGrant gives it back.
	TakeGrant    struct{ What string }
	ReleaseGrant struct{}
	// Plan makes a plan, or asks how far the task is that makes it.
	Plan struct {
		Request Request
		Token   string
		Task    client.TaskID
	}
	// Submit has a plan made and executed.
	Submit struct {
		Request Request
		Token   string
	}
	// Fetch asks for the plan of a task that was submitted, or for what went wrong.
	Fetch struct {
		Request Request
		Token   string
		Task    client.TaskID
	}
	// Find lists the tasks of the operation's endpoint.
	Find struct{ Type v1beta1.OperationType }
	// Stop has the present execution stopped.
	Stop struct{ Token string }
	// SetThrottle sets a throttle, RemoveThrottle removes what is left of one.
	SetThrottle    struct{ Throttle Throttle }
	RemoveThrottle struct {
		Brokers map[int32][]string
		Topics  map[string][]string
	}
	// CancelReassignments cancels the reassignments of just these partitions.
	CancelReassignments struct{ Partitions []kafka.TopicPartition }
	// ForgetBrokers has Cruise Control forget that brokers were removed or demoted.
	ForgetBrokers struct {
		Token            string
		Removed, Demoted []int32
	}
	// RestartCruiseControl ends the process of Cruise Control, which is started again.
	RestartCruiseControl struct{ Instance string }
	// CheckCapacity asks whether Cruise Control knows the capacity of every broker.
	CheckCapacity struct{}
)

func (KeepRecord) isAction()           {}
func (Protect) isAction()              {}
func (Unprotect) isAction()            {}
func (TakeGrant) isAction()            {}
func (ReleaseGrant) isAction()         {}
func (Plan) isAction()                 {}
func (Submit) isAction()               {}
func (Fetch) isAction()                {}
func (Find) isAction()                 {}
func (Stop) isAction()                 {}
func (SetThrottle) isAction()          {}
func (RemoveThrottle) isAction()       {}
func (CancelReassignments) isAction()  {}
func (ForgetBrokers) isAction()        {}
func (RestartCruiseControl) isAction() {}
func (CheckCapacity) isAction()        {}

// Request is what Cruise Control is asked to plan.
type Request struct {
	Spec *v1beta1.CruiseControlOperationSpec
	// Destinations may get replicas; nil leaves it to Cruise Control.
	Destinations []int32
	// IncludeRemoved lets brokers that were removed lately get some.
	IncludeRemoved bool
}
