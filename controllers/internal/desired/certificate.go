package desired

import (
	"net/netip"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

// CertificateSubject is the common name of a node's certificate. It never changes: Kafka refuses to reload a key store
// with another subject.
func CertificateSubject(node *Node) string { return v1beta1.PodName(node.Cluster, node.ID) }

// CertificateNames are the host names that a node's certificate is for: its own, and on brokers that of the Service that
// clients start from, and all by which clients outside the Kubernetes cluster reach it.
func CertificateNames(kc *v1beta1.KafkaCluster, node *Node) []string {
	names := forms(v1beta1.PodName(kc.Name, node.ID)+"."+v1beta1.HeadlessServiceName(kc.Name), kc.Namespace)
	if node.IsBroker() {
		names = append(names, forms(BootstrapServiceName(kc.Name), kc.Namespace)...)
	}
	external, _ := externalHosts(kc, node)
	return append(names, external...)
}

// CertificateAddresses are the IP addresses that a node's certificate is for: those of load balancers without a name.
func CertificateAddresses(kc *v1beta1.KafkaCluster, node *Node) []netip.Addr {
	_, addresses := externalHosts(kc, node)
	return addresses
}

// forms are the ways to write the name of a host of a namespace.
func forms(name, namespace string) []string {
	return []string{
		name,
		name + "." + namespace,
		name + "." + namespace + ".svc",
		name + "." + namespace + ".svc.cluster.local",
	}
}
