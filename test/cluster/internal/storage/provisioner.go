// Package storage gives claims volumes that are really full at their size, and grows them.
package storage

import (
	"context"
	"fmt"
	"log/slog"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/sig-storage-lib-external-provisioner/v13/controller"
)

const (
	// Provisioner is the name that StorageClasses call us by.
	Provisioner = "koperator.dev/local"
	// MediumParameter of a StorageClass is the medium of its volumes.
	MediumParameter = "medium"
	// ReachParameter of a StorageClass says from where its volumes can be reached: from one node, or with ReachAll from every
	// node, as a disk in a network is.
	ReachParameter = "reach"
	ReachAll       = "all"
)

// network is in the place of a node for volumes that are on none.
const network = "network"

// Run makes, grows and deletes volumes until the context ends.
func Run(ctx context.Context, client kubernetes.Interface, disks Disks) error {
	g, err := newGrower(client, disks)
	if err != nil {
		return err
	}
	go g.run(ctx)
	controller.NewProvisionController(ctx, client, Provisioner, provisioner{disks: disks}, controller.LeaderElection(false)).Run(ctx)
	return nil
}

type provisioner struct {
	disks Disks
}

// Provision implements controller.Provisioner.
func (p provisioner) Provision(_ context.Context, o controller.ProvisionOptions) (*corev1.PersistentVolume, controller.ProvisioningState, error) {
	if err := supported(o.PVC); err != nil {
		return nil, controller.ProvisioningFinished, err
	}
	volume, affinity := place(o)
	size := o.PVC.Spec.Resources.Requests[corev1.ResourceStorage]
	if err := p.disks.Create(volume, Medium(o.StorageClass.Parameters[MediumParameter]), size.Value()); err != nil {
		return nil, controller.ProvisioningFinished, err
	}
	slog.Info("Created a volume", "volume", o.PVName, "claim", o.PVC.Namespace+"/"+o.PVC.Name, "node", o.SelectedNodeName, "size", size.String())
	return persistentVolume(o, p.disks.Path(volume), affinity), controller.ProvisioningFinished, nil
}

// place says where a volume is, and from where it can be reached.
func place(o controller.ProvisionOptions) (Volume, *corev1.VolumeNodeAffinity) {
	if o.StorageClass.Parameters[ReachParameter] == ReachAll {
		return Volume{Node: network, Name: o.PVName}, anywhere()
	}
	return Volume{Node: o.SelectedNodeName, Name: o.PVName}, onlyOn(o.SelectedNodeName)
}

// supported refuses what a disk in one machine cannot do, before a test comes to rely on it.
func supported(claim *corev1.PersistentVolumeClaim) error {
	if mode := claim.Spec.VolumeMode; mode != nil && *mode != corev1.PersistentVolumeFilesystem {
		return fmt.Errorf("volume mode %s is not supported: there are file systems only", *mode)
	}
	for _, mode := range []corev1.PersistentVolumeAccessMode{corev1.ReadWriteMany, corev1.ReadOnlyMany} {
		if slices.Contains(claim.Spec.AccessModes, mode) {
			return fmt.Errorf("access mode %s is not supported: one node at a time mounts a volume", mode)
		}
	}
	return nil
}

func persistentVolume(o controller.ProvisionOptions, path string, affinity *corev1.VolumeNodeAffinity) *corev1.PersistentVolume {
	return &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: o.PVName},
		Spec: corev1.PersistentVolumeSpec{
			PersistentVolumeReclaimPolicy: *o.StorageClass.ReclaimPolicy,
			AccessModes:                   o.PVC.Spec.AccessModes,
			Capacity:                      corev1.ResourceList{corev1.ResourceStorage: o.PVC.Spec.Resources.Requests[corev1.ResourceStorage]},
			PersistentVolumeSource:        corev1.PersistentVolumeSource{Local: &corev1.LocalVolumeSource{Path: path}},
			NodeAffinity:                  affinity,
		},
	}
}

func onlyOn(node string) *corev1.VolumeNodeAffinity {
	return nodesWith(corev1.NodeSelectorRequirement{Key: corev1.LabelHostname, Operator: corev1.NodeSelectorOpIn, Values: []string{node}})
}

// anywhere is every node: a volume of this kind needs an affinity.
func anywhere() *corev1.VolumeNodeAffinity {
	return nodesWith(corev1.NodeSelectorRequirement{Key: corev1.LabelHostname, Operator: corev1.NodeSelectorOpExists})
}

func nodesWith(requirement corev1.NodeSelectorRequirement) *corev1.VolumeNodeAffinity {
	return &corev1.VolumeNodeAffinity{Required: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{
		MatchExpressions: []corev1.NodeSelectorRequirement{requirement},
	}}}}
}

// Delete implements controller.Provisioner.
func (p provisioner) Delete(_ context.Context, volume *corev1.PersistentVolume) error {
	slog.Info("Deleting a volume", "volume", volume.Name)
	return p.disks.Delete(p.disks.volumeAt(volume.Spec.Local.Path))
}
