package operation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/apis/machinery/kafka"
	cc "koperator.dev/koperator/cruisecontrol/client"
	"koperator.dev/koperator/cruisecontrol/operation/machine"
	"koperator.dev/koperator/cruisecontrol/session"
)

// perform carries out an action. What Cruise Control and Kafka say against it is in the answer; an error is the API server's.
func (s *scope) perform(ctx context.Context, action machine.Action) (machine.Answer, error) {
	switch a := action.(type) {
	case machine.KeepRecord:
		return machine.Answer{}, s.keepRecord(ctx, a.Record)
	case machine.Protect:
		return machine.Answer{}, s.protect(ctx, true)
	case machine.Unprotect:
		return machine.Answer{}, s.protect(ctx, false)
	case machine.TakeGrant:
		return s.takeGrant(ctx, a)
	case machine.ReleaseGrant:
		return machine.Answer{}, s.releaseGrant(ctx)
	}
	if s.session == nil {
		return machine.Answer{Err: errNoCluster}, nil
	}
	answer := s.tell(ctx, action)
	if errors.Is(answer.Err, cc.Unauthorized) {
		s.session.Refresh()
	}
	return answer, nil
}

// tell asks or tells Cruise Control or Kafka something.
func (s *scope) tell(ctx context.Context, action machine.Action) machine.Answer {
	switch a := action.(type) {
	case machine.Plan:
		return s.plan(ctx, a)
	case machine.Submit:
		return s.submit(ctx, a)
	case machine.Fetch:
		return s.fetch(ctx, a)
	case machine.Find:
		return s.find(ctx, a)
	case machine.Stop:
		return machine.Answer{Err: s.session.CruiseControl().StopProposalExecution(ctx, a.Token)}
	case machine.SetThrottle:
		return s.setThrottle(ctx, a.Throttle)
	case machine.RemoveThrottle:
		return s.removeThrottle(ctx, a)
	case machine.CancelReassignments:
		return s.cancelReassignments(ctx, a.Partitions)
	case machine.ForgetBrokers:
		_, err := s.session.CruiseControl().Admin(ctx, a.Token, cc.AdminParameters{DropRecentlyRemovedBrokers: a.Removed, DropRecentlyDemotedBrokers: a.Demoted})
		return machine.Answer{Err: err}
	case machine.RestartCruiseControl:
		return machine.Answer{Err: s.restartCruiseControl(ctx, a.Instance)}
	case machine.CheckCapacity:
		_, err := s.session.CruiseControl().Load(ctx, cc.LoadParameters{CapacityOnly: true})
		return machine.Answer{Err: err}
	}
	return machine.Answer{Err: fmt.Errorf("there is no way to do %T", action)}
}

// +kubebuilder:rbac:groups=apps,resources=deployments,verbs=patch

// annotationRestarted on the Pod template of Cruise Control names the process that was to end.
const annotationRestarted = "kafka.koperator.dev/restarted"

// restartCruiseControl has the Deployment replace the Pod of a process, as `kubectl rollout restart` does: to say so twice changes
// nothing, and nobody needs the right to delete Pods for it. A Cruise Control that Koperator does not run is left alone.
func (s *scope) restartCruiseControl(ctx context.Context, instance string) error {
	if instance == session.External {
		return nil
	}
	patch, err := json.Marshal(map[string]any{"spec": map[string]any{"template": map[string]any{"metadata": map[string]any{
		"annotations": map[string]string{annotationRestarted: instance},
	}}}})
	if err != nil {
		return fmt.Errorf("marshalling: %w", err)
	}
	deployment := &appsv1.Deployment{}
	deployment.Namespace, deployment.Name = s.cluster.Namespace, v1beta1.CruiseControlName(s.cluster.Name)
	if err := s.client.Patch(ctx, deployment, client.RawPatch(types.MergePatchType, patch)); err != nil {
		return fmt.Errorf("restarting Cruise Control: %w", err)
	}
	return nil
}

// cancelReassignments cancels, and looks what is left.
func (s *scope) cancelReassignments(ctx context.Context, partitions []kafka.TopicPartition) machine.Answer {
	err := s.session.Kafka().CancelReassignments(ctx, partitions)
	s.describeKafka(ctx)
	return machine.Answer{Err: err}
}

// protect keeps the operation from being deleted, or lets it be.
func (s *scope) protect(ctx context.Context, wanted bool) error {
	op := s.op().DeepCopy()
	before := client.MergeFromWithOptions(s.op().DeepCopy(), client.MergeFromWithOptimisticLock{})
	changed := false
	if wanted {
		changed = controllerutil.AddFinalizer(op, v1beta1.FinalizerOperation)
	} else {
		changed = controllerutil.RemoveFinalizer(op, v1beta1.FinalizerOperation)
	}
	if !changed {
		return nil
	}
	if err := s.client.Patch(ctx, op, before); err != nil {
		return fmt.Errorf("changing finalizers: %w", err)
	}
	s.op().Finalizers, s.op().ResourceVersion = op.Finalizers, op.ResourceVersion
	s.memory.of(s.op()).version = op.ResourceVersion
	return nil
}
