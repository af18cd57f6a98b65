package objects

import (
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

const (
	applicationName = "envoy"
	managerName     = "koperator"

	// LabelGroup is the group of a fleet, empty where the spec has no groups.
	LabelGroup = "kafka.koperator.dev/envoy-group"
	// LabelListener is the listener that a Service is for.
	LabelListener = "kafka.koperator.dev/listener"

	// AnnotationBootstrap is the hash of the file that a proxy was started with.
	AnnotationBootstrap = "kafka.koperator.dev/envoy-bootstrap"
	// AnnotationRevision keeps the revision of the templates of a fleet, should status be lost.
	AnnotationRevision = "kafka.koperator.dev/envoy-template-revision"
	// AnnotationBrokerGroups keeps the group of each broker that is reached through a Service, should the broker be on its
	// way out of the spec.
	AnnotationBrokerGroups = "kafka.koperator.dev/broker-groups"
)

// labels are on every object of a fleet. The name of the application is not that of brokers: their Services select by it.
func (f Fleet) labels() map[string]string {
	return map[string]string{
		v1beta1.LabelName:      applicationName,
		v1beta1.LabelInstance:  f.Cluster.Name,
		v1beta1.LabelComponent: v1beta1.ComponentEnvoy,
		v1beta1.LabelManagedBy: managerName,
		v1beta1.LabelCluster:   f.Cluster.Name,
		LabelGroup:             f.Group,
	}
}

// Selector selects the Pods of a fleet. It cannot change: that of a Deployment is immutable.
func (f Fleet) Selector() map[string]string {
	return map[string]string{
		v1beta1.LabelCluster:   f.Cluster.Name,
		v1beta1.LabelComponent: v1beta1.ComponentEnvoy,
		LabelGroup:             f.Group,
	}
}

// ownerReference makes an object go when its KafkaCluster goes.
func (f Fleet) ownerReference() *metav1ac.OwnerReferenceApplyConfiguration {
	return metav1ac.OwnerReference().
		WithAPIVersion(v1beta1.GroupVersion.String()).
		WithKind("KafkaCluster").
		WithName(f.Cluster.Name).
		WithUID(f.Cluster.UID).
		WithController(true).
		WithBlockOwnerDeletion(true)
}
