// Package kafkacluster gives KafkaClusters their Cruise Control: its objects, Secret and topics, the operations that are wanted
// when brokers and disks come and go, and the part of status that cruisecontrol-manager owns. What is wanted is decided by the
// packages deployment and plan; this package reads, and does it.
package kafkacluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/cruisecontrol/session"
)

// Reconciler reconciles KafkaClusters with spec.cruiseControl, and cleans up after those that had it.
type Reconciler struct {
	Client client.Client
	// Reader asks the API server itself: for Secrets and Leases, and where a stale cache could do harm.
	Reader   client.Reader
	Recorder events.EventRecorder
	Clock    clock.PassiveClock
	Sessions *session.Sessions
	// Namespace is cruisecontrol-manager's own, from which Cruise Control lets itself be asked; empty for any.
	Namespace string

	memory memories
}

// New makes a Reconciler from what a manager has.
func New(mgr ctrl.Manager, sessions *session.Sessions, namespace string) *Reconciler {
	return &Reconciler{
		Client: mgr.GetClient(), Reader: mgr.GetAPIReader(), Recorder: mgr.GetEventRecorder("cruisecontrol-manager"), Clock: clock.RealClock{},
		Sessions: sessions, Namespace: namespace,
	}
}

// +kubebuilder:rbac:groups=kafka.koperator.dev,resources=kafkaclusters,verbs=get;list;watch
// +kubebuilder:rbac:groups=kafka.koperator.dev,resources=kafkaclusters/status,verbs=patch
// +kubebuilder:rbac:groups=kafka.koperator.dev,resources=kafkaclusters/finalizers,verbs=update
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// Reconcile brings Cruise Control of one KafkaCluster a step nearer to its spec.
func (r *Reconciler) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	cluster := &v1beta1.KafkaCluster{}
	if err := r.Client.Get(ctx, req.NamespacedName, cluster); err != nil {
		if apierrors.IsNotFound(err) {
			r.forget(req.NamespacedName)
			return reconcile.Result{}, nil
		}
		return reconcile.Result{}, fmt.Errorf("reading KafkaCluster: %w", err)
	}
	if !cluster.DeletionTimestamp.IsZero() {
		return reconcile.Result{}, nil // the garbage collector deletes Cruise Control when the brokers are gone
	}
	s, err := r.observe(ctx, cluster)
	if err != nil {
		return reconcile.Result{}, err
	}
	err = s.run(ctx, phases)
	err = errors.Join(err, s.writeStatus(ctx))
	return reconcile.Result{RequeueAfter: s.requeueAfter}, err
}

func (r *Reconciler) forget(name client.ObjectKey) {
	r.memory.forget(name)
	r.Sessions.Forget(name)
	forgetMetrics(name)
}

// phase is one step of a pass.
type phase struct {
	name string
	run  func(*scope, context.Context) error
}

// phases are a pass, in order.
var phases = []phase{
	{"issuing credentials", (*scope).issueSecret},
	{"creating topics", (*scope).createTopics},
	{"applying objects", (*scope).applyObjects},
	{"rolling out", (*scope).rollOut},
	{"deleting objects", (*scope).deleteObjects},
	{"giving grants back", (*scope).giveBackGrant},
	{"planning operations", (*scope).planOperations},
}

// run takes all steps, also after one has failed.
func (s *scope) run(ctx context.Context, phases []phase) error {
	var failures []error
	for _, p := range phases {
		if err := p.run(s, ctx); err != nil {
			failures = append(failures, s.fail(fmt.Errorf("%s: %w", p.name, err)))
		}
	}
	return errors.Join(failures...)
}

// fail notes a failure for status.
func (s *scope) fail(err error) error {
	s.failures = append(s.failures, err)
	s.again(whileWaiting)
	return err
}

const (
	// whileIdle is how often a pass comes when nothing happens: Kafka is asked about disks that have failed.
	whileIdle = time.Minute
	// whileAbsent is how often it comes for a cluster without Cruise Control.
	whileAbsent = 10 * time.Minute
	// whileWaiting is how often it comes when something is waited for that no watch reports.
	whileWaiting = 10 * time.Second
)

// again asks for another pass after a while; the shortest one wins.
func (s *scope) again(after time.Duration) {
	s.requeueAfter = min(s.requeueAfter, max(after, time.Millisecond))
}

// reasoned is an error whose reason is worth a word of its own in the condition.
type reasoned struct {
	reason string
	error
}

func withReason(reason string, err error) error { return reasoned{reason, err} }

func (r reasoned) Unwrap() error { return r.error }

// explain says what to do where rights are missing.
func (s *scope) explain(err error) error {
	if !apierrors.IsForbidden(err) {
		return err
	}
	return withReason(reasonForbidden, fmt.Errorf("cruisecontrol-manager has no right to the Secrets of namespace %s: bind its role for secrets there (config/namespaces): %w", s.cluster.Namespace, err))
}
