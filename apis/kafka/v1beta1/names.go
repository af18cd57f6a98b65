package v1beta1

import (
	"fmt"
	"strings"
)

// Names that more than one program has to know. They follow from the name of the KafkaCluster.

// ReplicationPort is the port of the listener between brokers. Koperator's own programs, Cruise Control and its metrics
// reporter use it, too.
const ReplicationPort = 9091

// PodName is the name of a node's Pod, also its host name. It is the same for every Pod of the node: the API server then
// guarantees that there is never a second one beside it, whatever a cache says.
func PodName(cluster string, id int32) string { return fmt.Sprintf("%s-%d", cluster, id) }

// HeadlessServiceName is the name of the Service that gives each node its host name.
func HeadlessServiceName(cluster string) string { return cluster + "-brokers" }

// BrokerHost is the host name of a node, for life, whatever its Pod's address.
func BrokerHost(namespace, cluster string, id int32) string {
	return fmt.Sprintf("%s.%s.%s.svc", PodName(cluster, id), HeadlessServiceName(cluster), namespace)
}

// logDirName is the folder in each volume that is Kafka's log directory: a volume's root may hold lost+found.
const logDirName = "kafka-logs"

// LogDir is Kafka's log directory on the disk that is mounted at path.
func LogDir(path string) string { return path + "/" + logDirName }

// PathOfLogDir is the path of the disk that one of Kafka's log directories is on; empty for a directory that is none of ours.
func PathOfLogDir(dir string) string {
	path, ok := strings.CutSuffix(dir, "/"+logDirName)
	if !ok {
		return ""
	}
	return path
}

// CruiseControlClientSecretName is the name of the Secret with the key and the certificate that Cruise Control shows to
// brokers.
func CruiseControlClientSecretName(cluster string) string { return cluster + "-cruise-control" }

// CruiseControlManagerSecretName is the name of the Secret with the key and the certificate that cruisecontrol-manager
// shows to brokers.
func CruiseControlManagerSecretName(cluster string) string { return cluster + "-cruisecontrol-manager" }

// CruiseControlName is the name of Cruise Control's own objects: its Deployment, Service, NetworkPolicy, ServiceAccount and
// claim.
func CruiseControlName(cluster string) string { return cluster + "-cruise-control" }

// CruiseControlAPISecretName is the name of the Secret with what Cruise Control's REST API is secured with.
func CruiseControlAPISecretName(cluster string) string { return cluster + "-cruise-control-api" }
