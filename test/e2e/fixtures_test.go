//go:build e2e

package e2e

import (
	"encoding/json"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

// Paths of disks.
const (
	metadataPath = "/var/lib/kafka/metadata"
	dataPath     = "/var/lib/kafka/a"
	extraPath    = "/var/lib/kafka/b"
	laterPath    = "/var/lib/kafka/c"
)

// Groups that all clusters here have.
const (
	controllers = "controllers"
	brokers     = "default"
)

// newCluster is a KafkaCluster as small as it can be, in the shape of the sample. The spec of each node can be changed
// before it is created.
func newCluster(name, namespace string, nodes ...v1beta1.Broker) *v1beta1.KafkaCluster {
	kc := &v1beta1.KafkaCluster{}
	kc.Name, kc.Namespace = name, namespace
	kc.Spec = v1beta1.KafkaClusterSpec{
		Version:         "4.3.1",
		Image:           settings.image,
		ImagePullPolicy: corev1.PullIfNotPresent,
		Config: v1beta1.Config{
			// With the default of 128 MiB a broker does not fit into a small heap.
			"log.cleaner.dedupe.buffer.size": "2097152",
			"default.replication.factor":     "3",
			"min.insync.replicas":            "2",
		},
		BrokerGroups: []v1beta1.BrokerGroup{
			{Name: controllers, Roles: []v1beta1.Role{v1beta1.RoleController}, Storage: []v1beta1.Storage{disk(metadataPath, "256Mi")}, NodeTemplate: smallNode()},
			{Name: brokers, Roles: []v1beta1.Role{v1beta1.RoleBroker}, Storage: []v1beta1.Storage{disk(dataPath, "256Mi")}, NodeTemplate: smallNode()},
		},
		Brokers:       nodes,
		Listeners:     []v1beta1.Listener{{Name: "internal", Port: clientPort}},
		RackAwareness: &v1beta1.RackAwareness{},
	}
	return kc
}

// oldVersion makes a cluster run the older version of Kafka.
func oldVersion(kc *v1beta1.KafkaCluster) *v1beta1.KafkaCluster {
	kc.Spec.Version, kc.Spec.Image = "4.2.1", settings.oldImage
	return kc
}

// alone lets a cluster work with a single broker.
func alone(kc *v1beta1.KafkaCluster) *v1beta1.KafkaCluster {
	kc.Spec.Config["default.replication.factor"] = "1"
	kc.Spec.Config["min.insync.replicas"] = "1"
	kc.Spec.Config["offsets.topic.replication.factor"] = "1"
	return kc
}

func node(id int32, group string) v1beta1.Broker { return v1beta1.Broker{ID: id, Group: group} }

// smallNode lets six JVMs start on two cores.
func smallNode() v1beta1.NodeTemplate {
	return v1beta1.NodeTemplate{
		JVM: &v1beta1.JVM{
			Heap:    ptr.To(resource.MustParse("128Mi")),
			Options: []string{"-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"},
		},
		Resources: &corev1.ResourceRequirements{Requests: corev1.ResourceList{
			corev1.ResourceCPU:    resource.MustParse("50m"),
			corev1.ResourceMemory: resource.MustParse("400Mi"),
		}},
	}
}

func disk(path, size string) v1beta1.Storage {
	return v1beta1.Storage{Path: path, Size: resource.MustParse(size)}
}

// withImage is a podTemplate that runs another image.
func withImage(t *testing.T, image string) *runtime.RawExtension {
	t.Helper()
	template := map[string]any{"spec": map[string]any{"containers": []any{map[string]any{"name": "kafka", "image": image}}}}
	raw, err := json.Marshal(template)
	if err != nil {
		t.Fatal(err)
	}
	return &runtime.RawExtension{Raw: raw}
}
