package kafkacluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"koperator.dev/koperator/controllers/internal/desired"
)

// resizePods changes CPU and memory of running Pods in place (KEP-1287): they never are a reason to restart Kafka.
func (s *scope) resizePods(ctx context.Context) error {
	var failures []error
	for _, m := range s.members {
		if m.leaving() || m.problem != "" || !isReady(m.pod) {
			continue
		}
		if err := s.resizePod(ctx, m); err != nil {
			failures = append(failures, fmt.Errorf("%s: %w", m.title(), err))
		}
	}
	return errors.Join(failures...)
}

func (s *scope) resizePod(ctx context.Context, m *member) error {
	container := kafkaSpec(m.pod)
	if container == nil || hasResources(container.Resources, m.node.Resources) {
		return nil
	}
	patch, err := json.Marshal(map[string]any{"spec": map[string]any{"containers": []any{
		map[string]any{"name": desired.KafkaContainer, "resources": m.node.Resources},
	}}})
	if err != nil {
		return fmt.Errorf("marshalling resources: %w", err)
	}
	pod := &corev1.Pod{}
	pod.Namespace, pod.Name = m.pod.Namespace, m.pod.Name
	if err := s.client.SubResource("resize").Patch(ctx, pod, client.RawPatch(types.StrategicMergePatchType, patch)); err != nil {
		return fmt.Errorf("resizing in place: %w", err)
	}
	s.event(corev1.EventTypeNormal, "Resized", "Resize", "%s: CPU and memory are changed in place", m.title())
	return nil
}

func kafkaSpec(pod *corev1.Pod) *corev1.Container {
	for i := range pod.Spec.Containers {
		if pod.Spec.Containers[i].Name == desired.KafkaContainer {
			return &pod.Spec.Containers[i]
		}
	}
	return nil
}

// hasResources tells whether a container has at least what is wanted of it: the API server adds defaults of its own.
func hasResources(have, want corev1.ResourceRequirements) bool {
	return hasQuantities(have.Requests, want.Requests) && hasQuantities(have.Limits, want.Limits)
}

func hasQuantities(have, want corev1.ResourceList) bool {
	for name, quantity := range want {
		if existing, ok := have[name]; !ok || !existing.Equal(quantity) {
			return false
		}
	}
	return true
}
