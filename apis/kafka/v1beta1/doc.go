// Package v1beta1 is the API of Koperator: Apache Kafka clusters on Kubernetes.
//
// +kubebuilder:object:generate=true
// +kubebuilder:ac:generate=true
// +groupName=kafka.koperator.dev
package v1beta1
