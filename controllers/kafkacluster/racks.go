package kafkacluster

import (
	"context"
	"errors"

	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

// tellRacks writes the rack of its Node on each broker's Pod as soon as the Pod is scheduled. The container waits for it
// before it starts Kafka (broker.rack is read at the start only), and sees it within a second, because the kubelet
// refreshes a Pod's downward API files when the Pod itself changes.
func (s *scope) tellRacks(ctx context.Context) error {
	if s.cluster.Spec.RackAwareness == nil {
		return nil
	}
	var failures []error
	for _, m := range s.members {
		if m.broker && m.pod != nil && m.pod.Spec.NodeName != "" && m.pod.Annotations[v1beta1.AnnotationNode] == "" {
			failures = append(failures, s.tellRack(ctx, m))
		}
	}
	return errors.Join(failures...)
}

func (s *scope) tellRack(ctx context.Context, m *member) error {
	node := s.nodes[m.pod.Spec.NodeName]
	if node == nil {
		s.wait(m.title(), "NodeUnknown", "its node %s is not known yet", m.pod.Spec.NodeName)
		return nil
	}
	label := s.cluster.Spec.RackAwareness.NodeLabel
	rack := node.Labels[label]
	if rack == "" {
		s.event("Warning", "NoRack", "Start", "%s starts without a rack: node %s has no label %s", m.title(), node.Name, label)
	}
	_, err := s.memory.apply.Apply(ctx, corev1ac.Pod(m.pod.Name, m.pod.Namespace).WithUID(m.pod.UID).WithAnnotations(map[string]string{
		v1beta1.AnnotationNode: node.Name,
		v1beta1.AnnotationRack: rack,
	}), m.pod)
	return err
}
