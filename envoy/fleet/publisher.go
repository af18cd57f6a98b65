package fleet

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/envoy/fleet/objects"
	"koperator.dev/koperator/envoy/ir"
	"koperator.dev/koperator/envoy/translate"
	"koperator.dev/koperator/envoy/xds"
)

// Server serves configuration to proxies. *xds.Server is the one there is outside of tests.
type Server interface {
	Publish(key string, resources xds.Resources) error
	Acks(key string) []xds.ProxyAcks
	Changed() <-chan string
}

// Publisher tells the proxies what to serve. It runs on every replica, and all of them come to the same bytes.
type Publisher struct {
	client client.Reader
	server Server
	bell   *Bell

	mu       sync.Mutex
	clusters map[types.NamespacedName]*published
}

// published is what the proxies of a cluster were last told.
type published struct {
	fleets map[string]*Published // by key
	// err says why they were not told what they should be.
	err error
}

// Published is what the proxies of a fleet were last told.
type Published struct {
	Fleet     ir.Fleet
	Resources *translate.Resources
}

// NewPublisher makes a Publisher that rings the bell when proxies are told something new.
func NewPublisher(c client.Reader, server Server, bell *Bell) *Publisher {
	return &Publisher{client: c, server: server, bell: bell, clusters: map[types.NamespacedName]*published{}}
}

// Reconcile publishes what the proxies of one KafkaCluster should serve.
func (p *Publisher) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	kc := &v1beta1.KafkaCluster{}
	err := p.client.Get(ctx, req.NamespacedName, kc)
	if err != nil && !apierrors.IsNotFound(err) {
		return reconcile.Result{}, fmt.Errorf("reading KafkaCluster: %w", err)
	}
	if err != nil || len(objects.Listeners(kc)) == 0 {
		return reconcile.Result{}, terminal(p.withdraw(req.NamespacedName))
	}
	if !isPlanned(kc) {
		return reconcile.Result{}, nil
	}
	facts, err := p.facts(ctx, kc)
	if err != nil {
		return reconcile.Result{}, err
	}
	return reconcile.Result{}, terminal(p.publish(nameOf(kc), ir.Build(kc, facts)))
}

// terminal is for an error that comes again as long as nothing changes.
func terminal(err error) error {
	if err == nil {
		return nil
	}
	return reconcile.TerminalError(err)
}

// isPlanned tells whether the leader has planned all of the spec's listeners. Until it has, or when status is lost, proxies
// keep what they have: without its ports, a listener would lose its brokers.
func isPlanned(kc *v1beta1.KafkaCluster) bool {
	return !slices.ContainsFunc(objects.Listeners(kc), func(listener v1beta1.Listener) bool {
		status := listenerStatus(kc, listener.Name)
		return status == nil || status.TemplateRevision == 0
	})
}

func (p *Publisher) facts(ctx context.Context, kc *v1beta1.KafkaCluster) (ir.Facts, error) {
	ours := []client.ListOption{client.InNamespace(kc.Namespace), client.MatchingLabels{v1beta1.LabelCluster: kc.Name}, client.UnsafeDisableDeepCopy}
	pods, services := &corev1.PodList{}, &corev1.ServiceList{}
	if err := errors.Join(p.client.List(ctx, pods, ours...), p.client.List(ctx, services, ours...)); err != nil {
		return ir.Facts{}, fmt.Errorf("listing Pods and Services: %w", err)
	}
	return ir.Facts{
		Brokers:  brokersOf(kc, pointers(pods.Items), pointers(services.Items)),
		Ports:    proxyPorts(kc),
		Revision: revisionOf(kc),
	}, nil
}

func pointers[T any](items []T) []*T {
	all := make([]*T, 0, len(items))
	for i := range items {
		all = append(all, &items[i])
	}
	return all
}

// publish tells each fleet what it should serve. One that cannot be told keeps what it has, and the others are told.
func (p *Publisher) publish(cluster types.NamespacedName, fleets []ir.Fleet) error {
	before := p.of(cluster)
	after := &published{fleets: map[string]*Published{}}
	var failures []error
	for _, fleet := range fleets {
		last, known := before.fleets[fleet.Key()]
		if known && reflect.DeepEqual(last.Fleet, fleet) {
			after.fleets[fleet.Key()] = last
			continue
		}
		next, err := p.tell(last, fleet)
		if err != nil {
			next = last
			failures = append(failures, err)
		}
		if next != nil {
			after.fleets[fleet.Key()] = next
		}
	}
	for key := range before.fleets {
		if _, wanted := after.fleets[key]; !wanted {
			failures = append(failures, p.server.Publish(key, translate.Empty()))
		}
	}
	after.err = errors.Join(failures...)
	p.set(cluster, before, after)
	return after.err
}

func (p *Publisher) tell(last *Published, fleet ir.Fleet) (*Published, error) {
	resources, err := translated(last, fleet)
	if err != nil {
		return nil, fmt.Errorf("making configuration: %w", err)
	}
	return &Published{Fleet: fleet, Resources: resources}, p.server.Publish(fleet.Key(), resources)
}

func translated(last *Published, fleet ir.Fleet) (*translate.Resources, error) {
	if last == nil {
		return translate.Translate(fleet)
	}
	return translate.Update(last.Fleet, last.Resources, fleet)
}

// withdraw is for a cluster that is gone, or that nobody reaches from outside any more. Its proxies are told to serve
// nothing: what is only forgotten would never change again.
func (p *Publisher) withdraw(cluster types.NamespacedName) error {
	if err := p.publish(cluster, nil); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.clusters, cluster)
	return nil
}

func (p *Publisher) of(cluster types.NamespacedName) *published {
	p.mu.Lock()
	defer p.mu.Unlock()
	if known := p.clusters[cluster]; known != nil {
		return known
	}
	return &published{}
}

func (p *Publisher) set(cluster types.NamespacedName, before, after *published) {
	p.mu.Lock()
	p.clusters[cluster] = after
	p.mu.Unlock()
	if !maps.Equal(before.fleets, after.fleets) || fmt.Sprint(before.err) != fmt.Sprint(after.err) {
		p.bell.Ring(cluster)
	}
}

// Fleet is what the proxies of a fleet were last told by this replica, nil if nothing.
func (p *Publisher) Fleet(cluster types.NamespacedName, key string) *Published {
	return p.of(cluster).fleets[key]
}

// Err says why the proxies of a cluster do not have what they should.
func (p *Publisher) Err(cluster types.NamespacedName) error { return p.of(cluster).err }

// keys are the clusters of all fleets that were told something.
func (p *Publisher) keys() map[string]types.NamespacedName {
	p.mu.Lock()
	defer p.mu.Unlock()
	keys := map[string]types.NamespacedName{}
	for cluster, known := range p.clusters {
		for key := range known.fleets {
			keys[key] = cluster
		}
	}
	return keys
}
