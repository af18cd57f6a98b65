package fleet

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/envoy/fleet/objects"
)

// Reconciler makes the proxies of KafkaClusters and reports on them. Only the replica that leads runs it.
type Reconciler struct {
	Client    client.Client
	Recorder  events.EventRecorder
	Clock     clock.PassiveClock
	Publisher *Publisher
	Exchange  *Exchange
	Authority *Authority
	// Bell wakes it when a proxy has answered, and when proxies are told something new.
	Bell *Bell
	// Server is where proxies get their configuration.
	Server objects.Server
	// Image is envoy-manager's own.
	Image string

	memory memories
}

// +kubebuilder:rbac:groups=kafka.koperator.dev,resources=kafkaclusters,verbs=get;list;watch
// +kubebuilder:rbac:groups=kafka.koperator.dev,resources=kafkaclusters/status,verbs=patch
// +kubebuilder:rbac:groups=kafka.koperator.dev,resources=kafkaclusters/finalizers,verbs=update
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// Reconcile brings the proxies of one KafkaCluster a step nearer to its spec.
func (r *Reconciler) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	cluster := &v1beta1.KafkaCluster{}
	if err := r.Client.Get(ctx, req.NamespacedName, cluster); err != nil {
		if apierrors.IsNotFound(err) {
			r.memory.forget(req.NamespacedName)
			forgetMetrics(req.NamespacedName)
			return reconcile.Result{}, nil
		}
		return reconcile.Result{}, fmt.Errorf("reading KafkaCluster: %w", err)
	}
	if !cluster.DeletionTimestamp.IsZero() {
		return reconcile.Result{}, nil // the garbage collector deletes the proxies when the brokers are gone
	}
	s, err := r.observe(ctx, cluster)
	if err != nil {
		return reconcile.Result{}, err
	}
	err = s.run(ctx, phases)
	err = errors.Join(err, s.writeStatus(ctx))
	return reconcile.Result{RequeueAfter: s.requeueAfter}, err
}

// phase is one step of a pass.
type phase struct {
	name string
	run  func(*scope, context.Context) error
}

// phases are a pass, in order.
var phases = []phase{
	{"issuing certificates", (*scope).issueCertificates},
	{"allocating ports", (*scope).allocatePorts},
	{"applying objects", (*scope).applyObjects},
	{"deleting objects", (*scope).deleteObjects},
	{"planning addresses", (*scope).planAddresses},
	{"counting what proxies have accepted", (*scope).countAccepted},
}

// run takes all steps, also after one has failed.
func (s *scope) run(ctx context.Context, phases []phase) error {
	var failures []error
	for _, p := range phases {
		if err := p.run(s, ctx); err != nil {
			err = fmt.Errorf("%s: %w", p.name, err)
			s.failures = append(s.failures, err)
			failures = append(failures, err)
		}
	}
	return errors.Join(failures...)
}

// whileIdle is how often a pass comes when nothing happens: for certificates, which no watch reports.
const whileIdle = 10 * time.Minute

// again asks for another pass after a while; the shortest one wins.
func (s *scope) again(after time.Duration) {
	s.requeueAfter = min(s.requeueAfter, max(after, time.Millisecond))
}
