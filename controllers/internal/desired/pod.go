package desired

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/apis/machinery/podtemplate"
)

const (
	// KafkaContainer is the name of the container that runs Kafka.
	KafkaContainer = "kafka"
	// userID is the user of the official image.
	userID = 1000
	// gracePeriod is longer than the five minutes that Kafka's controlled shutdown can take.
	gracePeriod = 330
)

// PodInput is what a Pod is made from beside the spec.
type PodInput struct {
	// ClusterID is Kafka's id of the cluster.
	ClusterID string
	// InitialControllers are given to a controller only while the first start of its cluster is not over; they are the
	// one thing that must never be given later.
	InitialControllers string
	// Volumes are all disks of the node, those too that the spec no longer has and that may hold something.
	Volumes []Volume
}

// Volume is a disk.
type Volume struct {
	Path  string
	Claim string
}

// Pod is the Pod of a node, with the user's templates merged into it. It has no annotation of ours yet.
func Pod(kc *v1beta1.KafkaCluster, node *Node, in PodInput) (*corev1ac.PodApplyConfiguration, error) {
	pod := corev1ac.Pod(v1beta1.PodName(kc.Name, node.ID), kc.Namespace).
		WithSpec(podSpec(kc, node, in))
	identify(pod, kc, node)
	for _, template := range node.PodTemplates {
		merged, err := podtemplate.Merge(pod, template.Raw, KafkaContainer)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", template.Origin, err)
		}
		identify(merged, kc, node)
		pod = merged
	}
	return pod, nil
}

// identify says whose Pod it is and how it is found. No template can change that.
func identify(pod *corev1ac.PodApplyConfiguration, kc *v1beta1.KafkaCluster, node *Node) {
	name := v1beta1.PodName(kc.Name, node.ID)
	pod.WithKind("Pod").WithAPIVersion("v1").WithName(name).WithNamespace(kc.Namespace)
	pod.OwnerReferences = nil
	pod.WithOwnerReferences(ownerReference(kc))
	deleteOurs(pod.Labels)
	deleteOurs(pod.Annotations)
	pod.WithLabels(podLabels(kc, node))
	pod.Spec.WithHostname(name).WithSubdomain(v1beta1.HeadlessServiceName(kc.Name)).WithRestartPolicy(corev1.RestartPolicyAlways)
}

func podLabels(kc *v1beta1.KafkaCluster, node *Node) map[string]string {
	labels := nodeLabels(kc, node.ID, node.Roles)
	labels[v1beta1.LabelVersion] = node.Version
	return labels
}

func podSpec(kc *v1beta1.KafkaCluster, node *Node, in PodInput) *corev1ac.PodSpecApplyConfiguration {
	kafka := container(kc, node, in)
	spec := corev1ac.PodSpec().
		WithServiceAccountName(ServiceAccountName(kc.Name)).
		WithAutomountServiceAccountToken(false).
		WithEnableServiceLinks(false).
		WithTerminationGracePeriodSeconds(gracePeriod).
		WithSecurityContext(podSecurity()).
		WithAffinity(affinity(node)).
		WithTopologySpreadConstraints(topologySpread(kc, node)...).
		WithVolumes(volumes(kc, node, in.Volumes)...)
	if HasReporter(kc, node) {
		addReporter(spec, kc, kafka)
	}
	spec.WithContainers(kafka)
	for _, secret := range node.ImagePullSecrets {
		spec.WithImagePullSecrets(corev1ac.LocalObjectReference().WithName(secret.Name))
	}
	return spec
}

// podSecurity is what the restricted Pod Security Standard asks for. The group of the volumes is changed only where it is
// wrong at their root: a disk with millions of files would take minutes at each start.
func podSecurity() *corev1ac.PodSecurityContextApplyConfiguration {
	return corev1ac.PodSecurityContext().
		WithRunAsNonRoot(true).
		WithRunAsUser(userID).
		WithRunAsGroup(userID).
		WithFSGroup(userID).
		WithFSGroupChangePolicy(corev1.FSGroupChangeOnRootMismatch).
		WithSeccompProfile(corev1ac.SeccompProfile().WithType(corev1.SeccompProfileTypeRuntimeDefault))
}
