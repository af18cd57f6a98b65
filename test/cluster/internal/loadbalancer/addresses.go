package loadbalancer

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/ptr"
)

// addresses gives Services of type LoadBalancer an address.
type addresses struct {
	client   kubernetes.Interface
	services corelisters.ServiceLister
	queue    workqueue.TypedRateLimitingInterface[cache.ObjectName]
	pool     *pool[cache.ObjectName]
}

func newAddresses(client kubernetes.Interface, factory informers.SharedInformerFactory, prefix netip.Prefix) (*addresses, error) {
	a := &addresses{
		client:   client,
		services: factory.Core().V1().Services().Lister(),
		queue: workqueue.NewTypedRateLimitingQueue(
			workqueue.NewTypedItemExponentialFailureRateLimiter[cache.ObjectName](100*time.Millisecond, 10*time.Second)),
		pool: newPool[cache.ObjectName](prefix),
	}
	_, err := factory.Core().V1().Services().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    a.enqueue,
		UpdateFunc: func(_, updated any) { a.enqueue(updated) },
		DeleteFunc: a.enqueue,
	})
	return a, err
}

func (a *addresses) enqueue(object any) {
	if name, err := cache.DeletionHandlingObjectToName(object); err == nil {
		a.queue.Add(name)
	}
}

func (a *addresses) run(ctx context.Context) {
	context.AfterFunc(ctx, a.queue.ShutDown)
	for {
		name, stopped := a.queue.Get()
		if stopped {
			return
		}
		if err := a.sync(ctx, name); err != nil {
			slog.Error("Giving a Service an address", "service", name.String(), "err", err)
			a.queue.AddRateLimited(name)
		} else {
			a.queue.Forget(name)
		}
		a.queue.Done(name)
	}
}

func (a *addresses) sync(ctx context.Context, name cache.ObjectName) error {
	service, err := a.services.Services(name.Namespace).Get(name.Name)
	if apierrors.IsNotFound(err) {
		a.pool.release(name)
		return nil
	}
	if err != nil {
		return err
	}
	if !ours(service) {
		a.pool.release(name)
		return a.setAddress(ctx, service, corev1.LoadBalancerStatus{})
	}
	address, err := a.address(name, service)
	if err != nil {
		return err
	}
	return a.setAddress(ctx, service, status(address))
}

// ours are Services that ask for a load balancer, and not for one of another maker.
func ours(service *corev1.Service) bool {
	return service.Spec.Type == corev1.ServiceTypeLoadBalancer &&
		service.Spec.LoadBalancerClass == nil &&
		service.DeletionTimestamp == nil
}

func (a *addresses) address(name cache.ObjectName, service *corev1.Service) (netip.Addr, error) {
	wanted := service.Spec.LoadBalancerIP
	if wanted == "" {
		return a.pool.allocate(name)
	}
	address, err := netip.ParseAddr(wanted)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("reading the wanted address: %w", err)
	}
	return address, a.pool.claim(name, address)
}

// status has the mode VIP: kube-proxy serves the address itself, since no machine has it.
func status(address netip.Addr) corev1.LoadBalancerStatus {
	return corev1.LoadBalancerStatus{Ingress: []corev1.LoadBalancerIngress{{
		IP:     address.String(),
		IPMode: ptr.To(corev1.LoadBalancerIPModeVIP),
	}}}
}

func (a *addresses) setAddress(ctx context.Context, service *corev1.Service, wanted corev1.LoadBalancerStatus) error {
	if sameAddress(service.Status.LoadBalancer, wanted) {
		return nil
	}
	service = service.DeepCopy()
	service.Status.LoadBalancer = wanted
	if _, err := a.client.CoreV1().Services(service.Namespace).UpdateStatus(ctx, service, metav1.UpdateOptions{}); err != nil {
		return fmt.Errorf("writing the Service's status: %w", err)
	}
	slog.Info("Gave a Service its address", "service", service.Namespace+"/"+service.Name, "status", wanted)
	return nil
}

func sameAddress(x, y corev1.LoadBalancerStatus) bool {
	if len(x.Ingress) != len(y.Ingress) {
		return false
	}
	return len(x.Ingress) == 0 || x.Ingress[0].IP == y.Ingress[0].IP
}
