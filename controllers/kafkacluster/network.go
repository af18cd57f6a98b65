package kafkacluster

import (
	"context"
	"errors"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/controllers/internal/desired"
)

// applyNetwork makes what all nodes share: host names, the way in for clients, who may connect, and how many may be
// evicted at once.
func (s *scope) applyNetwork(ctx context.Context) error {
	kc := s.cluster
	var failures []error
	for _, object := range []struct {
		wanted runtime.ApplyConfiguration
		live   client.Object
	}{
		{desired.ServiceAccount(kc), live[*corev1.ServiceAccount](s, desired.ServiceAccountName(kc.Name))},
		{desired.HeadlessService(kc), live[*corev1.Service](s, v1beta1.HeadlessServiceName(kc.Name))},
		{desired.BootstrapService(kc), live[*corev1.Service](s, desired.BootstrapServiceName(kc.Name))},
		{desired.BrokersBudget(kc, s.count(func(m *member) bool { return m.broker && !m.controller })), live[*policyv1.PodDisruptionBudget](s, desired.BrokersBudgetName(kc.Name))},
		{desired.ControllersBudget(kc, s.count(func(m *member) bool { return m.controller })), live[*policyv1.PodDisruptionBudget](s, desired.ControllersBudgetName(kc.Name))},
		{desired.BrokersNetworkPolicy(kc), live[*networkingv1.NetworkPolicy](s, desired.BrokersNetworkPolicyName(kc.Name))},
		{desired.ControllersNetworkPolicy(kc), live[*networkingv1.NetworkPolicy](s, desired.ControllersNetworkPolicyName(kc.Name))},
	} {
		_, err := s.memory.apply.Apply(ctx, object.wanted, object.live)
		failures = append(failures, err)
	}
	return errors.Join(failures...)
}

// count counts the nodes that are told, those that leave included: until they are gone they are Pods like the others.
func (s *scope) count(which func(*member) bool) int {
	count := 0
	for _, m := range s.members {
		if which(m) {
			count++
		}
	}
	return count
}
