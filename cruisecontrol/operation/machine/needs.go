package machine

import (
	"slices"
	"time"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/cruisecontrol/client"
)

// Needs is what has to be read for a pass over an operation.
type Needs struct {
	Kafka bool
	// LogDirs of these brokers; AllLogDirs: of every one.
	LogDirs    []int32
	AllLogDirs bool
	// Throttles that are set in Kafka.
	Throttles bool
	// CruiseControl has to be asked, if it has not been so lately; Monitor: how much it knows too, and Task: what became of it.
	CruiseControl bool
	MaxAge        time.Duration
	Monitor       bool
	Task          client.TaskID
	// Every is how often it is to be asked from now on.
	Every time.Duration
}

// How often Cruise Control is asked.
const (
	whileBusy    = 10 * time.Second
	whileEnding  = 5 * time.Second
	whileWaiting = 30 * time.Second
)

// NeedsOf says what has to be read for an operation that is where its status says.
func NeedsOf(op *v1beta1.CruiseControlOperation, record *Record) Needs {
	status := &op.Status
	switch status.Phase {
	case v1beta1.OperationWaitingForMonitor:
		return Needs{CruiseControl: true, Monitor: true, MaxAge: whileBusy, Every: whileWaiting}
	case v1beta1.OperationSettling, v1beta1.OperationProposing:
		return Needs{Kafka: true}
	case v1beta1.OperationSubmitting:
		return Needs{Kafka: true, Throttles: wantsThrottle(op, record), CruiseControl: true, MaxAge: time.Second}
	case v1beta1.OperationExecuting, v1beta1.OperationStopping:
		needs := Needs{CruiseControl: true, MaxAge: whileEnding, Every: whileBusy, Task: taskID(status)}
		if status.Task != nil && status.Task.CompletedSeenAt != nil {
			needs.Every = whileEnding
		}
		needs.Throttles = lacksThrottle(op, record)
		needs.Kafka = needs.Throttles || isTrue(status, v1beta1.ConditionStalled) || status.Phase == v1beta1.OperationStopping
		return needs
	case v1beta1.OperationSucceeded, v1beta1.OperationCancelled, v1beta1.OperationFailed, v1beta1.OperationBackingOff, v1beta1.OperationQueued:
		late := status.Throttle != nil
		return Needs{Kafka: late, Throttles: late}
	case v1beta1.OperationRecovering:
		return Needs{Kafka: true, CruiseControl: true, Monitor: true, MaxAge: whileEnding, Every: whileBusy}
	case v1beta1.OperationCleaning:
		needs := Needs{Kafka: true, Throttles: record != nil && record.Throttle != nil, CruiseControl: true, MaxAge: time.Second}
		needs.LogDirs, needs.AllLogDirs = disksOf(op)
		return needs
	case v1beta1.OperationVerifying:
		needs := Needs{Kafka: true}
		if op.Spec.Type == v1beta1.RemoveDisks {
			needs.LogDirs, _ = disksOf(op)
		}
		return needs
	}
	return Needs{}
}

func taskID(status *v1beta1.CruiseControlOperationStatus) client.TaskID {
	if status.Task == nil {
		return ""
	}
	return client.TaskID(status.Task.UserTaskID)
}

// disksOf are the brokers between whose disks an operation moves something.
func disksOf(op *v1beta1.CruiseControlOperation) (brokers []int32, all bool) {
	switch op.Spec.Type {
	case v1beta1.RebalanceDisks:
		return nil, true
	case v1beta1.RemoveDisks:
		for _, disks := range op.Spec.Disks {
			brokers = append(brokers, disks.Broker)
		}
		slices.Sort(brokers)
	}
	return brokers, false
}

// movesBetweenDisks tells whether an operation moves replicas between the disks of a broker.
func movesBetweenDisks(op *v1beta1.CruiseControlOperation) bool {
	return op.Spec.Type == v1beta1.RebalanceDisks || op.Spec.Type == v1beta1.RemoveDisks
}
