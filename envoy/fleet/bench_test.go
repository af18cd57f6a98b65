package fleet

import (
	"context"
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

const benchBrokers = 500

// BenchmarkManyBrokers is a cluster of 500 brokers with a listener in each mode, and two proxies. Reads are from a cache, as in
// a running envoy-manager, and writes go to a real kube-apiserver.
func BenchmarkManyBrokers(b *testing.B) {
	w := newWorld(b)
	kc := w.orders()
	kc.Spec.Brokers = kc.Spec.Brokers[:1]
	for i := range int32(benchBrokers) {
		kc.Spec.Brokers = append(kc.Spec.Brokers, v1beta1.Broker{ID: 1000 + i, Group: "default"})
	}
	kc.Spec.Listeners[2].External.BrokerPorts = &v1beta1.BrokerPorts{First: 20_000, Count: benchBrokers}
	w.must(w.client.Create(w, kc))
	w.first = w.newReplica("first", w.cached())
	w.must(w.first.authority.Refresh(w))
	w.play(orders)

	b.Run("IdlePassOfTheLeader", func(b *testing.B) {
		for b.Loop() {
			_, err := w.first.leader.Reconcile(w, w.request())
			w.must(err)
		}
	})
	b.Run("BrokerMoves", func(b *testing.B) {
		pod := w.broker(orders, 1000)
		for i := 0; b.Loop(); i++ {
			b.StopTimer()
			address := fmt.Sprintf("10.200.%d.%d", i/250%250, i%250+1)
			pod.Status.PodIP, pod.Status.PodIPs = address, []corev1.PodIP{{IP: address}}
			w.must(w.client.Status().Update(w, pod))
			w.awaitCached(pod)
			b.StartTimer()
			_, err := w.first.publisher.Reconcile(w, w.request())
			w.must(err)
		}
	})
	b.Run("StatusOfTheLeader", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			b.StopTimer()
			w.acceptBy(w.first, w.proxies()[:i%2]...)
			w.clock.Step(statusInterval)
			b.StartTimer()
			_, err := w.first.leader.Reconcile(w, w.request())
			w.must(err)
		}
	})
}

// cached is a client with a cache.
func (w *world) cached() client.Client {
	w.Helper()
	ctx, cancel := context.WithCancel(w)
	w.Cleanup(cancel)
	objects, err := cache.New(apiServer, cache.Options{Scheme: scheme()})
	w.must(err)
	for _, obj := range []client.Object{&v1beta1.KafkaCluster{}, &corev1.Pod{}, &corev1.Service{}} {
		_, err := objects.GetInformer(ctx, obj, cache.BlockUntilSynced(false))
		w.must(err)
	}
	go func() { _ = objects.Start(ctx) }()
	objects.WaitForCacheSync(ctx)
	c, err := client.New(apiServer, client.Options{Scheme: scheme(), Cache: &client.CacheOptions{Reader: objects, DisableFor: []client.Object{&corev1.Secret{}}}})
	w.must(err)
	return c
}

func (w *world) awaitCached(pod *corev1.Pod) {
	w.Helper()
	seen := &corev1.Pod{}
	for seen.Status.PodIP != pod.Status.PodIP {
		w.must(w.first.leader.Client.Get(w, client.ObjectKeyFromObject(pod), seen))
	}
}
