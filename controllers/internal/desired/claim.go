package desired

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

// ClaimInput is what a claim is made from. The node may be one that the spec no longer has.
type ClaimInput struct {
	ID    int32
	Roles []v1beta1.Role
	Path  string
	// Size to ask for. The caller never passes less than the claim asks for already.
	Size             resource.Quantity
	StorageClassName *string
	// ClusterID is Kafka's id of the cluster that the disk is formatted for.
	ClusterID string
	// InitialControllers and QuorumEstablished are what a controller's disk knows of the first start of its cluster.
	InitialControllers string
	QuorumEstablished  bool
}

// Claim is the PersistentVolumeClaim of one disk of a node. With the policy Retain nothing owns it, so that it outlives
// its KafkaCluster.
func Claim(kc *v1beta1.KafkaCluster, in ClaimInput) *corev1ac.PersistentVolumeClaimApplyConfiguration {
	requests := corev1.ResourceList{corev1.ResourceStorage: in.Size}
	spec := corev1ac.PersistentVolumeClaimSpec().
		WithAccessModes(corev1.ReadWriteOnce).
		WithResources(corev1ac.VolumeResourceRequirements().WithRequests(requests))
	if in.StorageClassName != nil {
		spec.WithStorageClassName(*in.StorageClassName)
	}
	claim := corev1ac.PersistentVolumeClaim(ClaimName(kc.Name, in.ID, in.Path), kc.Namespace).
		WithLabels(nodeLabels(kc, in.ID, in.Roles)).
		WithAnnotations(claimAnnotations(in)).
		WithSpec(spec)
	if kc.Spec.VolumeDeletionPolicy == v1beta1.DeleteVolumes {
		claim.WithOwnerReferences(ownerReference(kc))
	}
	return claim
}

func claimAnnotations(in ClaimInput) map[string]string {
	annotations := map[string]string{v1beta1.AnnotationPath: in.Path, v1beta1.AnnotationClusterID: in.ClusterID}
	if in.InitialControllers != "" {
		annotations[v1beta1.AnnotationInitialControllers] = in.InitialControllers
	}
	if in.QuorumEstablished {
		annotations[v1beta1.AnnotationQuorumEstablished] = yes
	}
	return annotations
}
