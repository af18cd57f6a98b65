// Package kafkacluster makes a KafkaCluster real: each pass reads everything once, then takes small idempotent steps
// from what it read, and writes status once at the end. Nothing rests on what an earlier pass or status remembers.
package kafkacluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/apis/machinery/kafka"
)

// Clients gives the one shared client of each Kafka cluster.
type Clients interface {
	For(key string, config kafka.Config) (kafka.Admin, error)
	Forget(key string)
}

// Reconciler reconciles KafkaClusters.
type Reconciler struct {
	client client.Client
	// reader asks the API server itself, where a stale cache could do harm.
	reader   client.Reader
	recorder events.EventRecorder
	kafka    Clients
	clock    clock.PassiveClock
	memory   memories
}

// New makes a Reconciler from what a manager has.
func New(mgr ctrl.Manager, clients Clients) *Reconciler {
	return &Reconciler{
		client:   mgr.GetClient(),
		reader:   mgr.GetAPIReader(),
		recorder: mgr.GetEventRecorder("broker-manager"),
		kafka:    clients,
		clock:    clock.RealClock{},
	}
}

// +kubebuilder:rbac:groups=kafka.koperator.dev,resources=kafkaclusters,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=kafka.koperator.dev,resources=kafkaclusters/status,verbs=patch
// +kubebuilder:rbac:groups=kafka.koperator.dev,resources=kafkaclusters/finalizers,verbs=update
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// Reconcile brings one KafkaCluster a step nearer to its spec.
func (r *Reconciler) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	cluster := &v1beta1.KafkaCluster{}
	if err := r.client.Get(ctx, req.NamespacedName, cluster); err != nil {
		if apierrors.IsNotFound(err) {
			r.forget(req.NamespacedName)
			return reconcile.Result{}, nil
		}
		return reconcile.Result{}, fmt.Errorf("reading KafkaCluster: %w", err)
	}
	s, err := r.observe(ctx, cluster)
	if err != nil {
		return reconcile.Result{}, err
	}
	if !cluster.DeletionTimestamp.IsZero() {
		return s.shutDown(ctx)
	}
	err = s.run(ctx, phases)
	s.assess()
	err = errors.Join(err, s.writeStatus(ctx))
	return reconcile.Result{RequeueAfter: s.requeueAfter()}, err
}

// phase is one step of a pass.
type phase struct {
	name string
	run  func(*scope, context.Context) error
}

// run takes all steps, also after one has failed: a broker that is broken does not stop the work on the others.
func (s *scope) run(ctx context.Context, phases []phase) error {
	var failures []error
	for _, p := range phases {
		if err := p.run(s, ctx); err != nil {
			err = fmt.Errorf("%s: %w", p.name, err)
			s.failures = append(s.failures, err)
			if !isExpected(err) {
				failures = append(failures, err)
			}
		}
	}
	return errors.Join(failures...)
}

// isExpected tells an error that only says that a cache lags behind: the next pass, which comes by itself, knows more.
func isExpected(err error) bool {
	return apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err)
}

func (r *Reconciler) forget(name types.NamespacedName) {
	r.memory.forget(name)
	r.kafka.Forget(name.String())
	forgetMetrics(name)
	log.Log.V(1).Info("KafkaCluster is gone", "cluster", name)
}

// How often a pass comes when nothing happens in Kubernetes: to see what only Kafka can tell.
const (
	whileWorking = 2 * time.Second
	whileWaiting = 15 * time.Second
	whileIdle    = 60 * time.Second
)

// requeueAfter is short while something is under way that no watch reports, longer while something waits that takes a
// person or a long time, and long otherwise.
func (s *scope) requeueAfter() time.Duration {
	switch {
	case len(s.failures) > 0 || len(s.pendingRestarts()) > 0 || s.anyoneOnTheWay() || s.isOurs(s.grant):
		return whileWorking
	case len(s.waits) > 0 || s.kafkaCluster == nil || s.quorum == nil:
		return whileWaiting
	}
	return whileIdle
}

// anyoneOnTheWay tells whether a node is about to join or to leave.
func (s *scope) anyoneOnTheWay() bool {
	for _, m := range s.members {
		if m.health.reason == reasonExternalAddress {
			continue // status tells when it can start
		}
		switch m.phase {
		case v1beta1.BrokerPending, v1beta1.BrokerJoining, v1beta1.BrokerRestarting, v1beta1.BrokerDraining, v1beta1.BrokerRemoving:
			return true
		case v1beta1.BrokerRunning, v1beta1.BrokerFailed:
		}
	}
	return false
}
