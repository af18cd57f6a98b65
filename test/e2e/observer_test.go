//go:build e2e

package e2e

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

// observer sees every change of the Pods of a cluster, and remembers in which order nodes went down, came back and were
// gone, and how many were down at once.
type observer struct {
	mu sync.Mutex
	up map[int32]bool
	// down, back and gone are ids in the order of what happened.
	down, back, gone []int32
	// most is the largest set of nodes that were down at the same time.
	most []int32
}

// observe begins to watch. Pods that are ready are up; those that are not, or that are told to stop, are down.
func (c *cluster) observe(t *testing.T) *observer {
	t.Helper()
	o := &observer{up: map[int32]bool{}}
	factory := informers.NewSharedInformerFactoryWithOptions(clientset, 0, informers.WithNamespace(c.namespace),
		informers.WithTweakListOptions(func(options *metav1.ListOptions) { options.LabelSelector = v1beta1.LabelCluster + "=" + c.name }))
	informer := factory.Core().V1().Pods().Informer()
	handler, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(obj any) { o.see(obj, true) },
		UpdateFunc: func(_, obj any) { o.see(obj, true) },
		DeleteFunc: func(obj any) { o.see(obj, false) },
	})
	if err != nil {
		t.Fatalf("watching Pods: %v", err)
	}
	stop := make(chan struct{})
	t.Cleanup(func() { close(stop); factory.Shutdown() })
	factory.Start(stop)
	if !cache.WaitForCacheSync(t.Context().Done(), handler.HasSynced) {
		t.Fatal("watching Pods: the cache did not fill")
	}
	return o
}

func (o *observer) see(obj any, exists bool) {
	if unknown, ok := obj.(cache.DeletedFinalStateUnknown); ok {
		obj = unknown.Obj
	}
	pod, ok := obj.(*corev1.Pod)
	if !ok {
		return
	}
	id, ok := idOf(pod)
	if !ok {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	was, is := o.up[id], exists && podIsReady(pod)
	o.up[id] = is
	switch {
	case was && !is:
		o.down = append(o.down, id)
	case !was && is:
		o.back = append(o.back, id)
	}
	if !exists {
		o.gone = append(o.gone, id)
	}
	if now := o.downNow(); len(now) > len(o.most) {
		o.most = now
	}
}

func (o *observer) downNow() []int32 {
	var ids []int32
	for _, id := range sorted(o.up) {
		if !o.up[id] {
			ids = append(ids, id)
		}
	}
	return ids
}

// story is what happened so far.
func (o *observer) story() (down, back, gone, most []int32) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.down), slices.Clone(o.back), slices.Clone(o.gone), slices.Clone(o.most)
}

func (o *observer) String() string {
	down, back, gone, most := o.story()
	return fmt.Sprintf("went down: %v, came back: %v, Pods gone: %v, most at once: %v", down, back, gone, most)
}
