// Package operation carries out CruiseControlOperations. What is to be done next is decided by the package machine, from what
// is read at the start of each pass; this package reads, and does it.
package operation

import (
	"context"

	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"koperator.dev/koperator/apis/kafka/v1beta1"
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
}

// New makes a Reconciler from what a manager has.
func New(mgr ctrl.Manager, sessions *session.Sessions) *Reconciler {
	return &Reconciler{
		client: mgr.GetClient(), reader: mgr.GetAPIReader(), recorder: mgr.GetEventRecorder("cruisecontrol-manager"), sessions: sessions, clock: clock.RealClock{},
	}
}

// SetupWithManager adds the Reconciler to a manager.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).Named("operation").For(&v1beta1.CruiseControlOperation{}).Complete(r)
}

// Reconcile brings one operation a step nearer to its end.
func (r *Reconciler) Reconcile(context.Context, reconcile.Request) (reconcile.Result, error) {
	return reconcile.Result{}, nil
}
