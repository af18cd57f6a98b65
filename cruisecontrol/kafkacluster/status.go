package kafkacluster

import (
	"context"
	"encoding/json"
	"fmt"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	kafkaac "koperator.dev/koperator/apis/kafka/v1beta1/applyconfiguration/kafka/v1beta1"
	ccclient "koperator.dev/koperator/cruisecontrol/client"
)

// part is what cruisecontrol-manager owns of a status.
type part struct {
	cruiseControl *v1beta1.CruiseControlStatus
	conditions    []metav1.Condition
}

// ownConditions are the types of the conditions of our part.
var ownConditions = []string{v1beta1.ConditionCruiseControlReady, v1beta1.ConditionDataPlaced}

// partOf leaves out what other programs own.
func partOf(status *v1beta1.KafkaClusterStatus) part {
	own := part{cruiseControl: status.CruiseControl}
	for _, kind := range ownConditions {
		if condition := meta.FindStatusCondition(status.Conditions, kind); condition != nil {
			own.conditions = append(own.conditions, *condition)
		}
	}
	return own
}

func (p part) equals(other part) bool {
	return equality.Semantic.DeepEqual(p.cruiseControl, other.cruiseControl) && equality.Semantic.DeepEqual(p.conditions, other.conditions)
}

// writeStatus says what this pass saw: once, at its end, and only what differs.
func (s *scope) writeStatus(ctx context.Context) error {
	before, after := partOf(&s.cluster.Status), s.status()
	setMetrics(nameOf(s.cluster), after, s.isRestartPending())
	if before.equals(after) {
		return nil
	}
	if after.isEmpty() && s.isAlone() {
		s.again(whileIdle)
		return nil
	}
	if err := s.applyStatus(ctx, after); err != nil {
		return err
	}
	s.announce(before, after)
	return nil
}

func (p part) isEmpty() bool { return p.cruiseControl == nil && len(p.conditions) == 0 }

// isAlone tells whether nobody else has said anything in status. Then our part stays until somebody does: server-side apply
// would leave null behind, which the API refuses.
func (s *scope) isAlone() bool {
	others := s.cluster.Status.DeepCopy()
	others.CruiseControl = nil
	for _, kind := range ownConditions {
		meta.RemoveStatusCondition(&others.Conditions, kind)
	}
	return equality.Semantic.DeepEqual(others, &v1beta1.KafkaClusterStatus{})
}

// applyStatus writes our part. What we do not say any more goes away.
func (s *scope) applyStatus(ctx context.Context, own part) error {
	wanted := &kafkaac.KafkaClusterStatusApplyConfiguration{}
	body, err := json.Marshal(v1beta1.KafkaClusterStatus{CruiseControl: own.cruiseControl, Conditions: own.conditions})
	if err != nil {
		return fmt.Errorf("marshaling status: %w", err)
	}
	if err := json.Unmarshal(body, wanted); err != nil {
		return fmt.Errorf("unmarshaling status: %w", err)
	}
	return s.memory.apply.Status(ctx, kafkaac.KafkaCluster(s.cluster.Name, s.cluster.Namespace).WithStatus(wanted))
}

// status computes our part from what this pass saw.
func (s *scope) status() part {
	if s.cluster.Spec.CruiseControl == nil && s.missing.reason == "" && len(s.failures) == 0 {
		return part{}
	}
	after := part{conditions: partOf(&s.cluster.Status).conditions}
	s.setReady(&after.conditions)
	if s.cluster.Spec.CruiseControl == nil {
		meta.RemoveStatusCondition(&after.conditions, v1beta1.ConditionDataPlaced)
		return after
	}
	s.setPlaced(&after.conditions)
	after.cruiseControl = s.cruiseControlStatus()
	return after
}

func (s *scope) cruiseControlStatus() *v1beta1.CruiseControlStatus {
	status := &v1beta1.CruiseControlStatus{Phase: s.phase(), Instance: s.instance}
	if monitor := s.answer.Monitor; monitor != nil && status.Phase != v1beta1.CruiseControlNotReady && status.Phase != v1beta1.CruiseControlLoading {
		percent := int32(monitor.MonitoringCoveragePct)
		status.MonitoredPercent = &percent
	}
	for _, op := range s.operations {
		switch phase := op.Status.Phase; phase {
		case v1beta1.OperationSucceeded, v1beta1.OperationProposalOnly, v1beta1.OperationCancelled, v1beta1.OperationFailed, v1beta1.OperationScheduled:
		case "", v1beta1.OperationPending, v1beta1.OperationQueued:
			if op.Spec.Schedule == nil {
				status.Queued++
			}
		default:
			status.Operation = op.Name
		}
	}
	return status
}

// phase is where Cruise Control is.
func (s *scope) phase() v1beta1.CruiseControlPhase {
	switch {
	case s.instance == "" || s.answer.At.IsZero():
		return v1beta1.CruiseControlNotReady
	case isExecuting(s.answer.Executor):
		return v1beta1.CruiseControlBusy
	case !canPlan(s.answer.Monitor):
		return v1beta1.CruiseControlLoading
	}
	return v1beta1.CruiseControlReady
}

// canPlan tells whether enough of the load may be known for a plan. An operation finds out for sure.
func canPlan(monitor *ccclient.MonitorState) bool {
	if monitor == nil || monitor.NumTotalPartitions == 0 || monitor.NumMonitoredWindows == 0 {
		return false
	}
	switch monitor.Phase {
	case ccclient.MonitorNotStarted, ccclient.MonitorLoading, ccclient.MonitorBootstrapping, ccclient.MonitorTraining:
		return false
	}
	return true
}
