// Package desired makes the objects of a KafkaCluster from its spec: Pods, ConfigMaps, PersistentVolumeClaims, Services,
// budgets, policies, and the names, ids and files that go with them. It is pure: the same spec gives the same objects,
// byte for byte. What it makes is compared with golden files in testdata.
package desired

import (
	"fmt"
	"hash/fnv"
	"path"
	"strings"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

// ControllerPort is the port of the listener of controllers. Like v1beta1.ReplicationPort it is never the user's.
const ControllerPort = 9090

// ConfigMapName is the name of a node's ConfigMap.
func ConfigMapName(cluster string, id int32) string { return v1beta1.PodName(cluster, id) }

// NodeSecretName is the name of the Secret with a node's key and certificate.
func NodeSecretName(cluster string, id int32) string { return v1beta1.PodName(cluster, id) + "-tls" }

// AuthoritySecretName is the name of the Secret with the cluster's CA and its key. No Pod mounts it.
func AuthoritySecretName(cluster string) string { return cluster + "-ca" }

// AdminSecretName is the name of the Secret with the admin client's key and certificate.
func AdminSecretName(cluster string) string { return cluster + "-admin" }

// BootstrapServiceName is the name of the Service that clients start from.
func BootstrapServiceName(cluster string) string { return cluster + "-bootstrap" }

// ServiceAccountName is the name of the ServiceAccount of the cluster's Pods. It has no rights.
func ServiceAccountName(cluster string) string { return cluster + "-broker" }

// BrokersBudgetName is the name of the PodDisruptionBudget of brokers.
func BrokersBudgetName(cluster string) string { return cluster + "-brokers" }

// ControllersBudgetName is the name of the PodDisruptionBudget of controllers.
func ControllersBudgetName(cluster string) string { return cluster + "-controllers" }

// BrokersNetworkPolicyName is the name of the NetworkPolicy of brokers.
func BrokersNetworkPolicyName(cluster string) string { return cluster + "-brokers" }

// ControllersNetworkPolicyName is the name of the NetworkPolicy of controllers.
func ControllersNetworkPolicyName(cluster string) string { return cluster + "-controllers" }

// ClaimName is the name of the PersistentVolumeClaim of a node's path: its last element to be read by people, and a
// hash of the whole path, because two paths can end alike.
func ClaimName(cluster string, id int32, mountPath string) string {
	h := fnv.New32a()
	_, _ = h.Write([]byte(mountPath))
	readable := strings.Trim(strings.Map(dnsCharacter, strings.ToLower(path.Base(mountPath))), "-")
	return fmt.Sprintf("%s-%s-%08x", v1beta1.PodName(cluster, id), readable, h.Sum32())
}

func dnsCharacter(r rune) rune {
	if (r >= 'a' && r <= 'z') || (r >= '0' && r <= '9') {
		return r
	}
	return '-'
}

// ListenerName is the name of a listener in Kafka.
func ListenerName(l v1beta1.Listener) string { return strings.ToUpper(l.Name) }
