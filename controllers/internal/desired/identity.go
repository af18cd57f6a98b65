package desired

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

// ClusterID is Kafka's cluster id of a KafkaCluster with the given UID: the same one every time, so that a crash between
// two disks cannot lead to two ids. Disks that exist already have their own.
func ClusterID(uid string) string { return kafkaUUID("cluster", uid) }

// DirectoryID is the id of the metadata log directory that a controller is formatted with at the first start of its
// cluster (KIP-853).
func DirectoryID(clusterID string, id int32) string {
	return kafkaUUID("directory", clusterID, fmt.Sprint(id))
}

// InitialControllers are the voters that the first start of a cluster is formatted with, as kafka-storage.sh
// --initial-controllers takes them: id@host:port:directory-id, sorted by id.
func InitialControllers(kc *v1beta1.KafkaCluster, clusterID string) string {
	var voters []string
	for _, id := range idsWithRole(kc, v1beta1.RoleController) {
		voters = append(voters, fmt.Sprintf("%d@%s:%s", id, controllerAddress(kc, id), DirectoryID(clusterID, id)))
	}
	return strings.Join(voters, ",")
}

func controllerAddress(kc *v1beta1.KafkaCluster, id int32) string {
	return fmt.Sprintf("%s:%d", v1beta1.BrokerHost(kc.Namespace, kc.Name, id), ControllerPort)
}

// kafkaUUID makes a UUID out of its seed, in Kafka's form: URL-safe base64 without padding. As Kafka's own it never
// starts with '-', which command-line tools take for an option, and is none of the reserved first hundred.
func kafkaUUID(seed ...string) string {
	for attempt := 0; ; attempt++ {
		sum := sha256.Sum256([]byte(fmt.Sprintf("koperator.dev %q %d", seed, attempt)))
		uuid := sum[:16]
		uuid[6] = uuid[6]&0x0f | 0x40 // version 4, variant 2 (RFC 9562)
		uuid[8] = uuid[8]&0x3f | 0x80
		text := base64.RawURLEncoding.EncodeToString(uuid)
		if !strings.HasPrefix(text, "-") && !isReservedUUID(uuid) {
			return text
		}
	}
}

func isReservedUUID(uuid []byte) bool {
	return binary.BigEndian.Uint64(uuid[:8]) == 0 && binary.BigEndian.Uint64(uuid[8:]) < 100
}
