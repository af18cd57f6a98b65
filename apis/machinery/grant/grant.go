// Package grant lets one thing at a time disturb a KafkaCluster: a restart, a change of the quorum, or an operation of
// Cruise Control, whichever program does it. The grant is a Lease named after the cluster, taken with the API server's
// optimistic locking. It has no end of its own: its holder says who has it and why, and whoever finds, after a crash, that it
// holds the grant goes on or gives it back.
package grant

import (
	"context"
	"fmt"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// BrokerManager is the holder for what broker-manager does. An operation of Cruise Control holds the grant under its own name.
const BrokerManager = "broker-manager"

// annotationWhat is what the holder does, for people.
const annotationWhat = "kafka.koperator.dev/disruption"

// Grant is who may disturb a cluster.
type Grant struct {
	Holder string
	// What it does, for people.
	What  string
	Since time.Time
}

// IsFree tells whether nobody holds it.
func (g Grant) IsFree() bool { return g.Holder == "" }

// Name is the name of the Lease.
func Name(cluster string) string { return cluster + "-disruption" }

// Read returns who holds the grant of a cluster.
func Read(ctx context.Context, reader client.Reader, cluster types.NamespacedName) (Grant, error) {
	lease := &coordinationv1.Lease{}
	err := reader.Get(ctx, leaseKey(cluster), lease)
	if err != nil {
		if apierrors.IsNotFound(err) {
			return Grant{}, nil
		}
		return Grant{}, fmt.Errorf("reading the grant: %w", err)
	}
	return of(lease), nil
}

func leaseKey(cluster types.NamespacedName) types.NamespacedName {
	return types.NamespacedName{Namespace: cluster.Namespace, Name: Name(cluster.Name)}
}

func of(lease *coordinationv1.Lease) Grant {
	if lease.Spec.HolderIdentity == nil || *lease.Spec.HolderIdentity == "" {
		return Grant{}
	}
	g := Grant{Holder: *lease.Spec.HolderIdentity, What: lease.Annotations[annotationWhat]}
	if lease.Spec.AcquireTime != nil {
		g.Since = lease.Spec.AcquireTime.Time
	}
	return g
}

// Request is who wants the grant, and for what.
type Request struct {
	Cluster types.NamespacedName
	// Labels and Owner are for the Lease, which goes with its KafkaCluster.
	Labels map[string]string
	Owner  metav1.OwnerReference
	Holder string
	What   string
}

// PastCache writes through a client and reads from the API server itself, which a grant always has to be.
func PastCache(c client.Client, reader client.Reader) client.Client { return pastCache{c, reader} }

type pastCache struct {
	client.Client
	reader client.Reader
}

func (p pastCache) Get(ctx context.Context, key client.ObjectKey, obj client.Object, opts ...client.GetOption) error {
	return p.reader.Get(ctx, key, obj, opts...)
}

// Take returns the grant as it is then: Holder is the caller's if it has taken it, or had it already. The client must not
// answer from a cache (PastCache).
func Take(ctx context.Context, c client.Client, r Request, now time.Time) (Grant, error) {
	lease := &coordinationv1.Lease{}
	err := c.Get(ctx, leaseKey(r.Cluster), lease)
	switch {
	case apierrors.IsNotFound(err):
		lease.Namespace, lease.Name = r.Cluster.Namespace, Name(r.Cluster.Name)
		lease.Labels, lease.OwnerReferences = r.Labels, []metav1.OwnerReference{r.Owner}
		r.fill(lease, now)
		err = c.Create(ctx, lease)
	case err != nil:
		return Grant{}, fmt.Errorf("reading the grant: %w", err)
	case !of(lease).IsFree() && (of(lease).Holder != r.Holder || of(lease).What == r.What):
		return of(lease), nil
	default:
		r.fill(lease, now)
		err = c.Update(ctx, lease)
	}
	if err != nil {
		return Grant{}, fmt.Errorf("taking the grant: %w", err)
	}
	return of(lease), nil
}

// fill says who holds it. What a holder does can change; since when it holds it stays.
func (r Request) fill(lease *coordinationv1.Lease, now time.Time) {
	if of(lease).Holder != r.Holder {
		lease.Spec.AcquireTime = &metav1.MicroTime{Time: now}
	}
	lease.Spec.HolderIdentity = &r.Holder
	if lease.Annotations == nil {
		lease.Annotations = map[string]string{}
	}
	lease.Annotations[annotationWhat] = r.What
}

// Release gives the grant back, if holder has it.
func Release(ctx context.Context, c client.Client, cluster types.NamespacedName, holder string) error {
	lease := &coordinationv1.Lease{}
	if err := c.Get(ctx, leaseKey(cluster), lease); err != nil {
		if apierrors.IsNotFound(err) {
			return nil
		}
		return fmt.Errorf("reading the grant: %w", err)
	}
	if of(lease).Holder != holder {
		return nil
	}
	lease.Spec.HolderIdentity, lease.Spec.AcquireTime = nil, nil
	delete(lease.Annotations, annotationWhat)
	if err := c.Update(ctx, lease); err != nil {
		return fmt.Errorf("giving the grant back: %w", err)
	}
	return nil
}
