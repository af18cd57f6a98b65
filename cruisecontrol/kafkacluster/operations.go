package kafkacluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/cruisecontrol/plan"
)

// planOperations makes, withdraws and forgets operations. They are made first: whoever sees that one is gone has seen the one
// that was made in its place.
func (s *scope) planOperations(ctx context.Context) error {
	if s.cluster.Spec.CruiseControl == nil {
		return nil
	}
	s.plan = plan.Of(s.planFacts())
	for _, life := range s.plan.Settled {
		s.memory.settled[life] = true
	}
	for _, life := range s.plan.Unsettled {
		delete(s.memory.settled, life)
	}
	if s.plan.Again > 0 {
		s.again(s.plan.Again)
	}
	failures := []error{s.createOperations(ctx)}
	for _, withdrawal := range s.plan.Withdraw {
		failures = append(failures, s.withdraw(ctx, withdrawal))
	}
	for _, op := range s.plan.Forget {
		failures = append(failures, s.deleteOperation(ctx, op))
	}
	return errors.Join(failures...)
}

func (s *scope) createOperations(ctx context.Context) error {
	if len(s.plan.Create) == 0 {
		return nil
	}
	current, err := operationsOf(ctx, s.Reader, s.cluster)
	if err != nil {
		return err
	}
	if !isSame(current, s.operations) {
		s.again(time.Second) // the cache is about to show it, and the plan may be another one then
		return nil
	}
	var failures []error
	for _, creation := range s.plan.Create {
		op := creation.Operation.DeepCopy()
		err := s.Client.Create(ctx, op)
		switch {
		case apierrors.IsAlreadyExists(err): // its answer was lost
		case err != nil:
			failures = append(failures, fmt.Errorf("creating operation %s: %w", op.Name, err))
		default:
			countOperation(s.cluster, op.Spec.Type, "created")
			s.Recorder.Eventf(s.cluster, op, corev1.EventTypeNormal, "OperationCreated", "Create", "operation %s (%s) is made for: %s", op.Name, op.Spec.Type, creation.Why)
		}
	}
	return errors.Join(failures...)
}

// isSame tells whether two lists say the same of what operations exist and do.
func isSame(a, b []*v1beta1.CruiseControlOperation) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].UID != b[i].UID || a[i].Status.Phase != b[i].Status.Phase || a[i].Spec.Cancel != b[i].Spec.Cancel ||
			a[i].DeletionTimestamp.IsZero() != b[i].DeletionTimestamp.IsZero() {
			return false
		}
	}
	return true
}

// withdraw deletes an operation that has not begun, and cancels one that has. Both end in the same way if it begins just now.
func (s *scope) withdraw(ctx context.Context, w plan.Withdrawal) error {
	op := w.Operation
	if w.Delete {
		if err := s.deleteOperation(ctx, op); err != nil {
			return err
		}
	} else if err := s.cancel(ctx, op, w.Why); err != nil {
		return err
	}
	countOperation(s.cluster, op.Spec.Type, "withdrawn")
	s.Recorder.Eventf(s.cluster, op, corev1.EventTypeNormal, "OperationWithdrawn", "Withdraw", "operation %s (%s) is not wanted any more: %s", op.Name, op.Spec.Type, w.Why)
	return nil
}

// cancel sets spec.cancel, and says why.
func (s *scope) cancel(ctx context.Context, op *v1beta1.CruiseControlOperation, why string) error {
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"uid": op.UID, "annotations": map[string]string{v1beta1.AnnotationWithdrawn: why}},
		"spec":     map[string]any{"cancel": true},
	})
	if err != nil {
		return fmt.Errorf("marshaling a patch: %w", err)
	}
	target := &v1beta1.CruiseControlOperation{}
	target.Namespace, target.Name = op.Namespace, op.Name
	err = s.Client.Patch(ctx, target, client.RawPatch(types.MergePatchType, patch), client.FieldOwner(v1beta1.OwnerCruiseControl))
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("cancelling operation %s: %w", op.Name, err)
	}
	return nil
}

func (s *scope) deleteOperation(ctx context.Context, op *v1beta1.CruiseControlOperation) error {
	uid := op.UID
	target := &v1beta1.CruiseControlOperation{}
	target.Namespace, target.Name = op.Namespace, op.Name
	if err := s.Client.Delete(ctx, target, client.Preconditions{UID: &uid}); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("deleting operation %s: %w", op.Name, err)
	}
	return nil
}
