package v1beta1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var (
	// GroupVersion of every kind in this package.
	GroupVersion = schema.GroupVersion{Group: "kafka.koperator.dev", Version: "v1beta1"}

	// SchemeGroupVersion is the name that generated apply configurations expect.
	SchemeGroupVersion = GroupVersion

	schemeBuilder = runtime.NewSchemeBuilder(addKnownTypes)

	// AddToScheme adds the kinds of this package to a scheme.
	AddToScheme = schemeBuilder.AddToScheme
)

func addKnownTypes(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(GroupVersion, &KafkaCluster{}, &KafkaClusterList{}, &CruiseControlOperation{}, &CruiseControlOperationList{})
	metav1.AddToGroupVersion(scheme, GroupVersion)
	return nil
}
