package desired

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

// Names of the ports of the two listeners that are never the user's; a user's listener gives its port its own name.
const (
	controllerPortName  = "controller"
	replicationPortName = "replication"
)

// HeadlessService gives each node its host name, before it is ready too: the voters of a quorum that is starting must
// find each other.
func HeadlessService(kc *v1beta1.KafkaCluster) *corev1ac.ServiceApplyConfiguration {
	ports := append([]*corev1ac.ServicePortApplyConfiguration{servicePort(controllerPortName, ControllerPort)}, brokerPorts(kc)...)
	return service(kc, v1beta1.HeadlessServiceName(kc.Name)).WithSpec(corev1ac.ServiceSpec().
		WithClusterIP(corev1.ClusterIPNone).
		WithPublishNotReadyAddresses(true).
		WithSelector(nodeSelector(kc)).
		WithPorts(ports...))
}

// BootstrapService is where clients start from: any broker that is ready. The listener between brokers is on it for our
// own programs.
func BootstrapService(kc *v1beta1.KafkaCluster) *corev1ac.ServiceApplyConfiguration {
	return service(kc, BootstrapServiceName(kc.Name)).WithSpec(corev1ac.ServiceSpec().
		WithType(corev1.ServiceTypeClusterIP).
		WithSelector(roleSelector(kc.Name, v1beta1.RoleBroker)).
		WithPorts(brokerPorts(kc)...))
}

func service(kc *v1beta1.KafkaCluster, name string) *corev1ac.ServiceApplyConfiguration {
	return corev1ac.Service(name, kc.Namespace).
		WithLabels(ClusterLabels(kc)).
		WithOwnerReferences(ownerReference(kc))
}

func brokerPorts(kc *v1beta1.KafkaCluster) []*corev1ac.ServicePortApplyConfiguration {
	ports := []*corev1ac.ServicePortApplyConfiguration{servicePort(replicationPortName, v1beta1.ReplicationPort)}
	for _, listener := range kc.Spec.Listeners {
		if isExternal(listener) {
			continue // it answers with addresses outside; the proxies reach it at the Pods' own
		}
		ports = append(ports, servicePort(listener.Name, listener.Port))
	}
	return ports
}

func servicePort(name string, port int32) *corev1ac.ServicePortApplyConfiguration {
	return corev1ac.ServicePort().
		WithName(name).
		WithProtocol(corev1.ProtocolTCP).
		WithPort(port).
		WithTargetPort(intstr.FromInt32(port))
}
