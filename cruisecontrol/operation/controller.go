// Package operation carries out CruiseControlOperations. What is to be done next is decided by the package machine, from what
// is read at the start of each pass; this package reads, and does it.
package operation

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/apis/machinery/apply"
	"koperator.dev/koperator/cruisecontrol/operation/machine"
	"koperator.dev/koperator/cruisecontrol/session"
)

// Reconciler reconciles CruiseControlOperations.
type Reconciler struct {
	client client.Client
	// reader asks the API server itself, where a stale cache could do harm.
	reader   client.Reader
	recorder events.EventRecorder
	sessions *session.Sessions
	clock    clock.PassiveClock
	applier  *apply.Applier
	memory   memory
}

// New makes a Reconciler from what a manager has.
func New(mgr ctrl.Manager, sessions *session.Sessions) *Reconciler {
	return newReconciler(mgr.GetClient(), mgr.GetAPIReader(), mgr.GetEventRecorder("cruisecontrol-manager"), sessions, clock.RealClock{})
}

func newReconciler(c client.Client, reader client.Reader, recorder events.EventRecorder, sessions *session.Sessions, clock clock.PassiveClock) *Reconciler {
	return &Reconciler{
		client: c, reader: reader, recorder: recorder, sessions: sessions, clock: clock, applier: apply.New(c, v1beta1.OwnerCruiseControl), memory: newMemory(),
	}
}

// +kubebuilder:rbac:groups=kafka.koperator.dev,resources=cruisecontroloperations,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=kafka.koperator.dev,resources=cruisecontroloperations/status,verbs=patch
// +kubebuilder:rbac:groups=kafka.koperator.dev,resources=cruisecontroloperations/finalizers,verbs=update
// +kubebuilder:rbac:groups=kafka.koperator.dev,resources=kafkaclusters,verbs=get;list;watch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// maxActions bounds one pass. There is always another one.
const maxActions = 16

// Reconcile brings one operation a step nearer to its end.
func (r *Reconciler) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	op, err := r.read(ctx, req.NamespacedName)
	switch {
	case apierrors.IsNotFound(err):
		r.forget(req.NamespacedName)
		return reconcile.Result{}, nil
	case err != nil:
		return reconcile.Result{}, fmt.Errorf("reading CruiseControlOperation: %w", err)
	case machine.IsTemplate(op), r.isOver(op):
		r.done(op)
		return reconcile.Result{}, nil
	}
	s, err := r.observe(ctx, op)
	if err != nil {
		return reconcile.Result{}, err
	}
	return s.run(ctx)
}

// isOver tells whether there is nothing to do for an operation any more.
func (r *Reconciler) isOver(op *v1beta1.CruiseControlOperation) bool {
	return op.Status.Phase.IsFinished() && len(op.Finalizers) == 0 && op.Status.Throttle == nil
}

// run does what the machine wants until it wants nothing more, and writes status at the end.
func (s *scope) run(ctx context.Context) (reconcile.Result, error) {
	var step machine.Step
	for range maxActions {
		step = machine.Next(s.facts)
		s.facts.Operation.Status = step.Status
		if step.Action == nil {
			break
		}
		if step.Durable {
			if err := s.writeStatus(ctx, always); err != nil {
				return afterFailure(err)
			}
		}
		answer, err := s.perform(ctx, step.Action)
		if err != nil {
			// What was decided on the way to this is decided again.
			return afterFailure(err)
		}
		if _, ok := step.Action.(machine.Unprotect); ok && !s.op().DeletionTimestamp.IsZero() {
			return reconcile.Result{}, nil // it is gone
		}
		answer.To = step.Action
		s.facts.Answer, s.facts.Now = &answer, s.clock.Now()
	}
	s.want()
	if err := s.writeStatus(ctx, ifNeeded); err != nil {
		return afterFailure(err)
	}
	return reconcile.Result{RequeueAfter: s.requeueAfter(step)}, nil
}

// afterFailure lets another pass look at once at what somebody else has changed meanwhile: that is no failure.
func afterFailure(err error) (reconcile.Result, error) {
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		return reconcile.Result{RequeueAfter: atOnce}, nil
	}
	return reconcile.Result{}, err
}

// atOnce is when a pass comes that only needs to read something else.
const atOnce = time.Millisecond

func (s *scope) requeueAfter(step machine.Step) time.Duration {
	switch {
	case step.Again, step.Action != nil:
		return atOnce
	case step.After > 0:
		return max(step.After, atOnce)
	case s.facts.Operation.Status.Phase.IsFinished():
		return 0
	}
	return machineLooksAgain
}

// machineLooksAgain is when a pass comes that nothing else causes.
const machineLooksAgain = time.Minute
