// Package controllers is broker-manager: every moving part of it is in the list of Add.
package controllers

import (
	"fmt"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/apis/machinery/kafka"
	"koperator.dev/koperator/controllers/kafkacluster"
)

// Add adds every controller of broker-manager to mgr.
func Add(mgr ctrl.Manager) error {
	pool := &kafka.Pool{}
	for name, add := range map[string]func() error{
		"kafkacluster": func() error { return kafkacluster.New(mgr, pool).SetupWithManager(mgr) },
	} {
		if err := add(); err != nil {
			return fmt.Errorf("adding controller %s: %w", name, err)
		}
	}
	return nil
}

// CachedObjects says what of each kind is kept in memory: of everything that is not ours by nature, just what belongs to
// a KafkaCluster; of Nodes, just what placement and repair need.
func CachedObjects() map[client.Object]cache.ByObject {
	ours := cache.ByObject{Label: has(v1beta1.LabelCluster)}
	return map[client.Object]cache.ByObject{
		&corev1.Pod{}:                   {Label: has(v1beta1.LabelBrokerID)}, // not those of proxies
		&corev1.PersistentVolumeClaim{}: ours,
		&corev1.ConfigMap{}:             ours,
		&corev1.Service{}:               ours,
		&corev1.ServiceAccount{}:        ours,
		&policyv1.PodDisruptionBudget{}: ours,
		&networkingv1.NetworkPolicy{}:   ours,
		&coordinationv1.Lease{}:         ours, // and not those of leader elections
		&corev1.Node{}:                  {Transform: stripNode},
	}
}

func has(label string) labels.Selector {
	requirement, err := labels.NewRequirement(label, selection.Exists, nil)
	if err != nil {
		panic(err) // a constant label cannot be wrong
	}
	return labels.NewSelector().Add(*requirement)
}

// stripNode keeps name, labels, taints and readiness: a Node's list of images alone is larger than all of these.
func stripNode(obj any) (any, error) {
	node, ok := obj.(*corev1.Node)
	if !ok {
		return obj, nil
	}
	node.ManagedFields, node.Annotations = nil, nil
	node.Status = corev1.NodeStatus{Conditions: node.Status.Conditions}
	return node, nil
}
