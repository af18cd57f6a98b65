// Package deployment makes what Cruise Control of a KafkaCluster runs in and is configured with: its Deployment, Service,
// policies, Secret, properties, capacities and topics. It is pure: the same spec gives the same objects, byte for byte. What it
// makes is compared with golden files in testdata.
//
// Cruise Control reads its files when it starts, and a restart loses what it does. Its files and the template of its Pod are
// therefore one thing, which is applied as a whole or not at all: see Plan and MayRoll.
package deployment

import (
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

const (
	// Container is the name of the container that runs Cruise Control.
	Container = "cruise-control"
	// ManagerName is the value of LabelName on the Pods of cruisecontrol-manager.
	ManagerName = "cruisecontrol-manager"

	// Port is where the REST API of Cruise Control is.
	Port = 9090

	applicationName = "cruise-control"
	ownerName       = "koperator"
	yes             = "true"

	// AnnotationConfig is the hash of the files that a Pod was started with, AnnotationSecrets that of its Secrets.
	AnnotationConfig  = "kafka.koperator.dev/cruise-control-config"
	AnnotationSecrets = "kafka.koperator.dev/cruise-control-secrets"
)

// IsManaged tells whether Koperator runs Cruise Control for a cluster. Otherwise there is none, or one that is somebody
// else's.
func IsManaged(kc *v1beta1.KafkaCluster) bool {
	return kc.Spec.CruiseControl != nil && kc.Spec.CruiseControl.External == nil
}

// labels are on every object. The name of the application is not that of brokers: their Services select by it.
func labels(kc *v1beta1.KafkaCluster) map[string]string {
	return map[string]string{
		v1beta1.LabelName:      applicationName,
		v1beta1.LabelInstance:  kc.Name,
		v1beta1.LabelComponent: v1beta1.ComponentCruiseControl,
		v1beta1.LabelManagedBy: ownerName,
		v1beta1.LabelCluster:   kc.Name,
	}
}

// podLabels let the Pod through the NetworkPolicy of brokers, too.
func podLabels(kc *v1beta1.KafkaCluster) map[string]string {
	all := labels(kc)
	all[v1beta1.LabelClient] = yes
	return all
}

// Selector selects the Pod. It cannot change: that of a Deployment is immutable.
func Selector(kc *v1beta1.KafkaCluster) map[string]string {
	return map[string]string{
		v1beta1.LabelCluster:   kc.Name,
		v1beta1.LabelComponent: v1beta1.ComponentCruiseControl,
	}
}

// ownerReference makes an object go when its KafkaCluster goes.
func ownerReference(kc *v1beta1.KafkaCluster) *metav1ac.OwnerReferenceApplyConfiguration {
	return metav1ac.OwnerReference().
		WithAPIVersion(v1beta1.GroupVersion.String()).
		WithKind("KafkaCluster").
		WithName(kc.Name).
		WithUID(kc.UID).
		WithController(true).
		WithBlockOwnerDeletion(true)
}
