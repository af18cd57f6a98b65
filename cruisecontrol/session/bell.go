package session

import (
	"context"
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"
)

// bells wake controllers when Cruise Control has been asked. Before a controller listens, nobody hears it: its first pass looks
// at everything.
type bells struct {
	mu   sync.Mutex
	list []bell
}

type bell struct {
	queue    workqueue.TypedRateLimitingInterface[reconcile.Request]
	requests func(context.Context, types.NamespacedName) []reconcile.Request
}

// Source wakes a controller after each answer of a Cruise Control. Requests says which objects have to do with a cluster.
func (s *Sessions) Source(requests func(ctx context.Context, cluster types.NamespacedName) []reconcile.Request) source.Source {
	return source.Func(func(_ context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
		s.bells.mu.Lock()
		defer s.bells.mu.Unlock()
		s.bells.list = append(s.bells.list, bell{queue, requests})
		return nil
	})
}

// ring never waits.
func (b *bells) ring(ctx context.Context, cluster types.NamespacedName) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, one := range b.list {
		for _, request := range one.requests(ctx, cluster) {
			one.queue.Add(request)
		}
	}
}
