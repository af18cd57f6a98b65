package desired

import (
	"maps"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

const (
	mebibyte    = 1 << 20
	maxHeap     = 6 << 30 // more heap takes memory from the page cache, which Kafka lives on
	defaultHeap = 1 << 30 // Kafka's own default
)

// mergeResources lays a broker's resources over those of its group, value by value.
func mergeResources(group, broker *corev1.ResourceRequirements) corev1.ResourceRequirements {
	merged := corev1.ResourceRequirements{}
	for _, level := range []*corev1.ResourceRequirements{group, broker} {
		if level == nil {
			continue
		}
		merged.Requests = mergeQuantities(merged.Requests, level.Requests)
		merged.Limits = mergeQuantities(merged.Limits, level.Limits)
		if len(level.Claims) > 0 {
			merged.Claims = level.Claims
		}
	}
	return merged
}

func mergeQuantities(below, above corev1.ResourceList) corev1.ResourceList {
	if len(below)+len(above) == 0 {
		return nil
	}
	merged := corev1.ResourceList{}
	maps.Copy(merged, below)
	maps.Copy(merged, above)
	return merged
}

// setJVM takes each value from the broker, else from its group.
func (n *Node) setJVM(group, broker *v1beta1.JVM) {
	n.Heap = derivedHeap(n.Resources)
	for _, level := range []*v1beta1.JVM{group, broker} {
		if level == nil {
			continue
		}
		if level.Heap != nil {
			n.Heap = *level.Heap
		}
		if level.Options != nil {
			n.JVMOptions = level.Options
		}
	}
}

// derivedHeap is half of the memory request, in whole MiB. Kubernetes takes a limit for the request where there is none.
func derivedHeap(resources corev1.ResourceRequirements) resource.Quantity {
	memory, ok := resources.Requests[corev1.ResourceMemory]
	if !ok {
		memory, ok = resources.Limits[corev1.ResourceMemory]
	}
	half := int64(defaultHeap)
	if ok {
		half = min(memory.Value()/2, maxHeap)
	}
	return *resource.NewQuantity(half/mebibyte*mebibyte, resource.BinarySI)
}
