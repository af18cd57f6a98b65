package fleet

import (
	"cmp"
	"maps"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/envoy/fleet/objects"
	"koperator.dev/koperator/envoy/ir"
)

func nameOf(kc *v1beta1.KafkaCluster) types.NamespacedName {
	return types.NamespacedName{Namespace: kc.Namespace, Name: kc.Name}
}

// brokersOf are the nodes with the role broker: those of the spec, and those that leave it and are not gone yet. Clients
// reach these to the end.
func brokersOf(kc *v1beta1.KafkaCluster, pods []*corev1.Pod, services []*corev1.Service) []ir.BrokerFact {
	found := map[int32]*ir.BrokerFact{}
	controllers := addSpec(kc, found)
	remembered := rememberedGroups(services)
	for id := range leaving(kc, pods, services) {
		if found[id] == nil && !controllers[id] {
			found[id] = &ir.BrokerFact{ID: id, Group: remembered[id]}
		}
	}
	for _, pod := range pods {
		if id, ok := brokerID(pod); ok && found[id] != nil {
			addPod(found[id], pod)
		}
	}
	var brokers []ir.BrokerFact
	for _, id := range slices.Sorted(maps.Keys(found)) {
		brokers = append(brokers, *found[id])
	}
	return brokers
}

// addSpec adds the brokers of the spec, and returns the nodes that are none.
func addSpec(kc *v1beta1.KafkaCluster, found map[int32]*ir.BrokerFact) (controllers map[int32]bool) {
	brokerGroups := map[string]bool{}
	for _, group := range kc.Spec.BrokerGroups {
		brokerGroups[group.Name] = slices.Contains(group.Roles, v1beta1.RoleBroker)
	}
	controllers = map[int32]bool{}
	for _, broker := range kc.Spec.Brokers {
		if brokerGroups[broker.Group] {
			found[broker.ID] = &ir.BrokerFact{ID: broker.ID, Group: broker.Group}
		} else {
			controllers[broker.ID] = true
		}
	}
	return controllers
}

// leaving are the ids of brokers that the spec may not have any more. Status tells which nodes are still there, and not their
// roles: a broker has a Pod that says so, or was reached through the proxies.
func leaving(kc *v1beta1.KafkaCluster, pods []*corev1.Pod, services []*corev1.Service) map[int32]bool {
	reached, left := map[int32]bool{}, map[int32]bool{}
	for _, listener := range kc.Status.ExternalListeners {
		for _, broker := range listener.Brokers {
			reached[broker.ID] = true
		}
	}
	for _, service := range services {
		for id := range objects.PortsOf(service) {
			reached[id] = true
		}
		for id := range objects.BrokerGroupsOf(service) {
			reached[id] = true
		}
	}
	for _, broker := range kc.Status.Brokers {
		left[broker.ID] = reached[broker.ID]
	}
	for _, pod := range pods {
		if id, ok := brokerID(pod); ok {
			left[id] = true
		}
	}
	maps.DeleteFunc(left, func(_ int32, is bool) bool { return !is })
	return left
}

// rememberedGroups are the groups of brokers, from the time when the spec had them.
func rememberedGroups(services []*corev1.Service) map[int32]string {
	groups := map[int32]string{}
	for _, service := range services {
		maps.Copy(groups, objects.BrokerGroupsOf(service))
	}
	return groups
}

// brokerID is the id of the broker that a Pod runs.
func brokerID(pod *corev1.Pod) (int32, bool) {
	if pod.Labels[v1beta1.LabelBroker] != "true" {
		return 0, false
	}
	id, err := strconv.ParseInt(pod.Labels[v1beta1.LabelBrokerID], 10, 32)
	return int32(id), err == nil
}

// addPod adds where a broker is. The address of a Pod that is over is somebody else's soon.
func addPod(broker *ir.BrokerFact, pod *corev1.Pod) {
	if pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed {
		return
	}
	broker.PodIP = cmp.Or(pod.Status.PodIP, broker.PodIP)
	broker.Ready = isReady(pod)
	broker.Zone = pod.Annotations[v1beta1.AnnotationRack]
}

// isReady is false for a Pod that is to stop: it finishes what it has begun and gets nothing new.
func isReady(pod *corev1.Pod) bool {
	if !pod.DeletionTimestamp.IsZero() {
		return false
	}
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}

// isProxy tells whether a Pod is a proxy.
func isProxy(pod *corev1.Pod) bool {
	return pod.Labels[v1beta1.LabelComponent] == v1beta1.ComponentEnvoy
}

// proxyPorts are the ports that status says are allocated.
func proxyPorts(kc *v1beta1.KafkaCluster) map[string]map[int32]int32 {
	ports := map[string]map[int32]int32{}
	for _, listener := range kc.Status.ExternalListeners {
		ports[listener.Name] = map[int32]int32{}
		for _, broker := range listener.Brokers {
			if broker.ProxyPort != 0 {
				ports[listener.Name][broker.ID] = broker.ProxyPort
			}
		}
	}
	return ports
}

// listenerStatus is what status says of a listener.
func listenerStatus(kc *v1beta1.KafkaCluster, name string) *v1beta1.ExternalListenerStatus {
	for i := range kc.Status.ExternalListeners {
		if kc.Status.ExternalListeners[i].Name == name {
			return &kc.Status.ExternalListeners[i]
		}
	}
	return nil
}

// revisionOf is the revision of the templates that status says, 0 if it says none.
func revisionOf(kc *v1beta1.KafkaCluster) int32 {
	var revision int32
	for _, listener := range kc.Status.ExternalListeners {
		revision = max(revision, listener.TemplateRevision)
	}
	return revision
}
