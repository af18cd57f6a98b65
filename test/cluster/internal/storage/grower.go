package storage

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
)

// grower makes volumes larger when their claims ask for it, whether they are mounted or not.
type grower struct {
	client  kubernetes.Interface
	disks   Disks
	factory informers.SharedInformerFactory
	claims  corelisters.PersistentVolumeClaimLister
	queue   workqueue.TypedRateLimitingInterface[cache.ObjectName]
}

func newGrower(client kubernetes.Interface, disks Disks) (*grower, error) {
	factory := informers.NewSharedInformerFactory(client, 0)
	g := &grower{
		client:  client,
		disks:   disks,
		factory: factory,
		claims:  factory.Core().V1().PersistentVolumeClaims().Lister(),
		queue: workqueue.NewTypedRateLimitingQueue(
			workqueue.NewTypedItemExponentialFailureRateLimiter[cache.ObjectName](100*time.Millisecond, 10*time.Second)),
	}
	_, err := factory.Core().V1().PersistentVolumeClaims().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    g.enqueue,
		UpdateFunc: func(_, updated any) { g.enqueue(updated) },
	})
	return g, err
}

func (g *grower) enqueue(object any) {
	if claim, ok := object.(*corev1.PersistentVolumeClaim); ok && wantsToGrow(claim) {
		g.queue.Add(cache.MetaObjectToName(claim))
	}
}

// wantsToGrow is about bound claims: a volume is made in the size that the claim has by then.
func wantsToGrow(claim *corev1.PersistentVolumeClaim) bool {
	want, have := claim.Spec.Resources.Requests[corev1.ResourceStorage], claim.Status.Capacity[corev1.ResourceStorage]
	return claim.Status.Phase == corev1.ClaimBound && want.Cmp(have) > 0
}

func (g *grower) run(ctx context.Context) {
	g.factory.Start(ctx.Done())
	g.factory.WaitForCacheSync(ctx.Done())
	context.AfterFunc(ctx, g.queue.ShutDown)
	for {
		name, stopped := g.queue.Get()
		if stopped {
			return
		}
		if err := g.sync(ctx, name); err != nil {
			slog.Error("Growing a volume", "claim", name.String(), "err", err)
			g.queue.AddRateLimited(name)
		} else {
			g.queue.Forget(name)
		}
		g.queue.Done(name)
	}
}

func (g *grower) sync(ctx context.Context, name cache.ObjectName) error {
	claim, err := g.claims.PersistentVolumeClaims(name.Namespace).Get(name.Name)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil || !wantsToGrow(claim) {
		return err
	}
	volume, err := g.client.CoreV1().PersistentVolumes().Get(ctx, claim.Spec.VolumeName, metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("getting the volume: %w", err)
	}
	if volume.Annotations["pv.kubernetes.io/provisioned-by"] != Provisioner {
		return nil
	}
	return g.grow(ctx, claim.DeepCopy(), volume, claim.Spec.Resources.Requests[corev1.ResourceStorage])
}

func aboutResizing(c corev1.PersistentVolumeClaimCondition) bool {
	return c.Type == corev1.PersistentVolumeClaimResizing || c.Type == corev1.PersistentVolumeClaimFileSystemResizePending
}

func (g *grower) grow(ctx context.Context, claim *corev1.PersistentVolumeClaim, volume *corev1.PersistentVolume, size resource.Quantity) error {
	if err := g.disks.Grow(g.disks.volumeAt(volume.Spec.Local.Path), size.Value()); err != nil {
		return err
	}
	volume.Spec.Capacity[corev1.ResourceStorage] = size
	if _, err := g.client.CoreV1().PersistentVolumes().Update(ctx, volume, metav1.UpdateOptions{}); err != nil {
		return fmt.Errorf("updating the volume: %w", err)
	}
	claim.Status.Capacity[corev1.ResourceStorage] = size
	claim.Status.Conditions = slices.DeleteFunc(claim.Status.Conditions, aboutResizing)
	if _, err := g.client.CoreV1().PersistentVolumeClaims(claim.Namespace).UpdateStatus(ctx, claim, metav1.UpdateOptions{}); err != nil {
		return fmt.Errorf("updating the claim's status: %w", err)
	}
	slog.Info("Grew a volume", "volume", volume.Name, "claim", claim.Namespace+"/"+claim.Name, "size", size.String())
	return nil
}
