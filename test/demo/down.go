package main

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

// down removes what up has made, data included, and nothing else: a Koperator, a namespace or a KafkaCluster of somebody
// else stays. (A cluster of the demo's own is simply stopped: see the Makefile.)
func (d *demo) down(ctx context.Context) error {
	if err := d.removeCluster(ctx); err != nil {
		return err
	}
	if err := d.removeNamespace(ctx); err != nil {
		return err
	}
	return d.uninstall(ctx)
}

// removeCluster deletes the KafkaCluster, waits until it is gone, and then deletes the volumes that it retains.
func (d *demo) removeCluster(ctx context.Context) error {
	cluster := &v1beta1.KafkaCluster{}
	key := client.ObjectKey{Namespace: namespace, Name: clusterName}
	err := d.kube.Get(ctx, key, cluster)
	switch {
	case meta.IsNoMatchError(err):
		return nil // not even the CRD is there
	case client.IgnoreNotFound(err) != nil:
		return fmt.Errorf("looking for the KafkaCluster: %w", err)
	case err == nil && cluster.Labels[label] == "":
		say("KafkaCluster %s/%s is not of the demo; it stays", namespace, clusterName)
		return nil
	case err == nil:
		begin := time.Now()
		if err := d.kube.Delete(ctx, cluster); client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("deleting the KafkaCluster: %w", err)
		}
		if err := await(ctx, limit, "the KafkaCluster to go", d.isGone(key, cluster)); err != nil {
			return err
		}
		say("KafkaCluster deleted, %s", seconds(time.Since(begin)))
	}
	return d.removeData(ctx)
}

// removeData deletes what a KafkaCluster leaves with volumeDeletionPolicy Retain, and the operations that it had.
func (d *demo) removeData(ctx context.Context) error {
	operations, err := d.operations(ctx)
	if err != nil {
		return err
	}
	for i := range operations {
		if err := d.kube.Delete(ctx, &operations[i]); client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("deleting the operations: %w", err)
		}
	}
	for _, kind := range []client.Object{&corev1.PersistentVolumeClaim{}, &corev1.Secret{}} {
		if err := d.kube.DeleteAllOf(ctx, kind, client.InNamespace(namespace), client.MatchingLabels{v1beta1.LabelCluster: clusterName}); err != nil {
			return fmt.Errorf("deleting the data: %w", err)
		}
	}
	return d.removePod(ctx, d.clientPod(""))
}

func (d *demo) removeNamespace(ctx context.Context) error {
	owner, err := d.ownerOf(ctx, namespace)
	if err != nil || owner == nobody {
		return err
	}
	if owner == somebody {
		say("namespace %s was there before the demo; it stays", namespace)
		for _, p := range d.images {
			if err := d.deleteUnlessUsed(ctx, &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: p.program + "-secrets"}}, namespace); err != nil {
				return err
			}
		}
		return nil
	}
	return d.deleteUnlessUsed(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, namespace)
}

// uninstall removes Koperator if the demo installed it and nobody else uses it.
func (d *demo) uninstall(ctx context.Context) error {
	owner, err := d.ownerOf(ctx, systemNamespace)
	if err != nil || owner == nobody {
		return err
	}
	if owner == somebody {
		say("Koperator was installed before the demo; it stays")
		return nil
	}
	if others, err := d.clustersIn(ctx, metav1.NamespaceAll); err != nil || others > 0 {
		say("Koperator stays: %d other KafkaClusters use it", others)
		return err
	}
	overlay, err := d.writeOverlay("install", "", "config/default")
	if err != nil {
		return err
	}
	if _, err := d.kubectl(ctx, "", "delete", "--ignore-not-found", "-k", overlay); err != nil {
		return err
	}
	say("Koperator is removed")
	return nil
}

func (d *demo) deleteUnlessUsed(ctx context.Context, obj client.Object, in string) error {
	if others, err := d.clustersIn(ctx, in); err != nil || others > 0 {
		say("namespace %s has %d other KafkaClusters; it stays as it is", in, others)
		return err
	}
	if err := d.kube.Delete(ctx, obj); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("deleting %s: %w", obj.GetName(), err)
	}
	return await(ctx, 3*time.Minute, obj.GetName()+" to go", d.isGone(client.ObjectKeyFromObject(obj), obj))
}

func (d *demo) clustersIn(ctx context.Context, in string) (int, error) {
	list := &v1beta1.KafkaClusterList{}
	if err := d.kube.List(ctx, list, client.InNamespace(in)); err != nil && !meta.IsNoMatchError(err) {
		return 0, fmt.Errorf("listing KafkaClusters: %w", err)
	}
	return len(list.Items), nil
}

func (d *demo) isGone(key client.ObjectKey, obj client.Object) func(context.Context) (string, bool) {
	return func(ctx context.Context) (string, bool) {
		err := d.kube.Get(ctx, key, obj)
		return "it is still there", err != nil && client.IgnoreNotFound(err) == nil
	}
}
