package kafkacluster

import (
	corev1 "k8s.io/api/core/v1"

	"koperator.dev/koperator/controllers/internal/desired"
)

// isReady tells whether a Pod is ready and not on its way out.
func isReady(pod *corev1.Pod) bool {
	if pod == nil || !pod.DeletionTimestamp.IsZero() {
		return false
	}
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}

// isOver tells whether all containers of a Pod have ended for good: evicted, failed, or ended in spite of its policy.
func isOver(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodFailed || pod.Status.Phase == corev1.PodSucceeded
}

// isStopped tells whether no Kafka process runs in the Pod: it was never scheduled, cannot start, or crashes again and
// again. To replace such a Pod disrupts nobody.
func isStopped(pod *corev1.Pod) bool {
	if pod == nil || isOver(pod) || pod.Spec.NodeName == "" {
		return true
	}
	return cannotStart(pod)
}

// cannotStart tells whether the kubelet has given up on a container, though it may try again. A Pod that was just scheduled
// has none yet.
func cannotStart(pod *corev1.Pod) bool {
	for _, status := range []*corev1.ContainerStatus{reporterStatus(pod), kafkaStatus(pod)} {
		if status != nil && status.State.Running == nil && status.State.Waiting != nil && isBroken(status.State.Waiting.Reason) {
			return true
		}
	}
	return false
}

// isBroken tells reasons of a waiting container that mean trouble from those that mean patience.
func isBroken(reason string) bool {
	switch reason {
	case "CrashLoopBackOff", "ImagePullBackOff", "ErrImagePull", "ErrImageNeverPull", "InvalidImageName",
		"CreateContainerConfigError", "CreateContainerError", "RunContainerError":
		return true
	}
	return false
}

// isCrashing tells whether Kafka has ended by itself and has not been ready since.
func isCrashing(pod *corev1.Pod) bool {
	status := kafkaStatus(pod)
	return status != nil && !status.Ready && status.LastTerminationState.Terminated != nil
}

func kafkaStatus(pod *corev1.Pod) *corev1.ContainerStatus {
	return statusOf(pod.Status.ContainerStatuses, desired.KafkaContainer)
}

// reporterStatus is that of the init container without whose end Kafka does not start.
func reporterStatus(pod *corev1.Pod) *corev1.ContainerStatus {
	return statusOf(pod.Status.InitContainerStatuses, desired.ReporterContainer)
}

func statusOf(statuses []corev1.ContainerStatus, name string) *corev1.ContainerStatus {
	for i := range statuses {
		if statuses[i].Name == name {
			return &statuses[i]
		}
	}
	return nil
}

// isRunning tells whether the Kafka container has a process.
func isRunning(pod *corev1.Pod) bool {
	status := kafkaStatus(pod)
	return status != nil && status.State.Running != nil
}

// isOutOfService tells whether somebody has declared that a Node is down for good, so that nothing runs on it any more
// (KEP-2268).
func isOutOfService(node *corev1.Node) bool {
	for _, taint := range node.Spec.Taints {
		if taint.Key == corev1.TaintNodeOutOfService {
			return true
		}
	}
	return false
}
