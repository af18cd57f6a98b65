package fleet

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/apis/machinery/apply"
	"koperator.dev/koperator/envoy/fleet/acks"
	"koperator.dev/koperator/envoy/xds"
)

// labelAcks marks what replicas tell each other.
const labelAcks = "kafka.koperator.dev/envoy-acks"

// What proxies accept comes in bursts: a replica tells of it a moment after the first, and then once a second.
const (
	gatherTime = 100 * time.Millisecond
	tellEvery  = time.Second
)

// Self is the Pod of this replica.
type Self struct {
	Namespace, Name string
	UID             types.UID
}

// Exchange tells the other replicas what the proxies of this one have accepted, and reads what theirs have: each replica
// sees its own streams only. There is one ConfigMap for each, which goes with its Pod.
type Exchange struct {
	client    client.Client
	apply     *apply.Applier
	server    Server
	publisher *Publisher
	bell      *Bell
	clock     clock.Clock
	self      Self

	mu   sync.Mutex
	read map[string]readReport
}

type readReport struct {
	resourceVersion string
	report          acks.Report
}

// NewExchange makes an Exchange that rings the bell when a proxy of this replica has answered.
func NewExchange(c client.Client, server Server, publisher *Publisher, bell *Bell, clock clock.Clock, self Self) *Exchange {
	return &Exchange{
		client: c, apply: apply.New(c, v1beta1.OwnerEnvoy), server: server, publisher: publisher, bell: bell, clock: clock, self: self,
		read: map[string]readReport{},
	}
}

// +kubebuilder:rbac:groups="",namespace=koperator-system,resources=configmaps,verbs=get;list;watch;create;patch

// NeedLeaderElection is false: every replica has proxies.
func (e *Exchange) NeedLeaderElection() bool { return false }

// Start tells of every change.
func (e *Exchange) Start(ctx context.Context) error {
	// A report of an earlier process of this Pod is replaced at once.
	due, notBefore := e.clock.After(gatherTime), e.clock.Now()
	for {
		select {
		case key := <-e.server.Changed():
			if cluster, ok := e.publisher.keys()[key]; ok {
				e.bell.Ring(cluster)
			}
			if due == nil {
				due = e.clock.After(max(gatherTime, notBefore.Sub(e.clock.Now())))
			}
		case <-due:
			due, notBefore = nil, e.clock.Now().Add(tellEvery)
			if err := e.Tell(ctx); err != nil && ctx.Err() == nil {
				log.FromContext(ctx).Error(err, "Telling the other replicas what proxies have accepted")
				due = e.clock.After(tellEvery)
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// Tell writes what the proxies of this replica have accepted, if it is not written already.
func (e *Exchange) Tell(ctx context.Context) error {
	report := acks.Report{}
	for key, cluster := range e.publisher.keys() {
		if proxies := e.server.Acks(key); len(proxies) > 0 {
			report[key] = acks.Fleet{Cluster: cluster.Name, Proxies: proxies}
		}
	}
	data, err := report.Data()
	if err != nil {
		return err
	}
	live := &corev1.ConfigMap{}
	err = e.client.Get(ctx, client.ObjectKey{Namespace: e.self.Namespace, Name: e.name()}, live)
	switch {
	case apierrors.IsNotFound(err) && len(data) == 0:
		return nil
	case apierrors.IsNotFound(err):
		live = nil
	case err != nil:
		return fmt.Errorf("reading ConfigMap %s: %w", e.name(), err)
	case maps.Equal(live.Data, data):
		return nil
	}
	_, err = e.apply.Apply(ctx, e.configMap(data), live)
	return err
}

func (e *Exchange) name() string { return "envoy-manager-acks-" + e.self.Name }

func (e *Exchange) configMap(data map[string]string) *corev1ac.ConfigMapApplyConfiguration {
	return corev1ac.ConfigMap(e.name(), e.self.Namespace).
		WithLabels(map[string]string{
			v1beta1.LabelComponent: v1beta1.ComponentEnvoy, // what is cached is selected by it
			v1beta1.LabelManagedBy: "koperator",
			labelAcks:              "true",
		}).
		WithOwnerReferences(metav1ac.OwnerReference().WithAPIVersion("v1").WithKind("Pod").WithName(e.self.Name).WithUID(e.self.UID)).
		WithData(data)
}

// Reports are what is known of the proxies of a fleet: by this replica, and by the others.
func (e *Exchange) Reports(ctx context.Context, key string) ([][]xds.ProxyAcks, error) {
	list := &corev1.ConfigMapList{}
	if err := e.client.List(ctx, list, client.InNamespace(e.self.Namespace), client.MatchingLabels{labelAcks: "true"}, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("listing what other replicas tell: %w", err)
	}
	all := [][]xds.ProxyAcks{e.server.Acks(key)}
	for i := range list.Items {
		if list.Items[i].Name != e.name() {
			all = append(all, e.reportOf(&list.Items[i])[key].Proxies)
		}
	}
	e.forget(list)
	return all, nil
}

// reportOf reads each version of a report once.
func (e *Exchange) reportOf(from *corev1.ConfigMap) acks.Report {
	e.mu.Lock()
	defer e.mu.Unlock()
	known, ok := e.read[from.Name]
	if !ok || known.resourceVersion != from.ResourceVersion {
		known = readReport{from.ResourceVersion, acks.Read(from.Data)}
		e.read[from.Name] = known
	}
	return known.report
}

// forget forgets the reports of replicas that are gone.
func (e *Exchange) forget(there *corev1.ConfigMapList) {
	e.mu.Lock()
	defer e.mu.Unlock()
	maps.DeleteFunc(e.read, func(name string, _ readReport) bool {
		return !slices.ContainsFunc(there.Items, func(cm corev1.ConfigMap) bool { return cm.Name == name })
	})
}
