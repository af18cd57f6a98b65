package desired

import (
	"fmt"
	"hash/fnv"

	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

// Where things are in the container; start.sh knows these paths too.
const (
	configPath    = "/etc/kafka/config"
	tlsPath       = "/etc/kafka/tls"
	podPath       = "/etc/kafka/pod"
	statePath     = "/run/koperator"
	temporaryPath = "/tmp"
)

// Names of volumes; those of disks start with another word.
const (
	configVolume    = "config"
	tlsVolume       = "tls"
	podVolume       = "pod"
	stateVolume     = "state"
	temporaryVolume = "tmp"
)

const secretMode = 0o440 // readable by Kafka's group, which fsGroup makes the owner

func volumes(kc *v1beta1.KafkaCluster, node *Node, disks []Volume) []*corev1ac.VolumeApplyConfiguration {
	all := []*corev1ac.VolumeApplyConfiguration{
		volume(configVolume).WithConfigMap(corev1ac.ConfigMapVolumeSource().
			WithName(ConfigMapName(kc.Name, node.ID)).
			WithItems(keyToPath(PropertiesKey), keyToPath(LoggingKey))),
		volume(tlsVolume).WithSecret(corev1ac.SecretVolumeSource().
			WithSecretName(NodeSecretName(kc.Name, node.ID)).
			WithDefaultMode(secretMode)),
		volume(stateVolume).WithEmptyDir(corev1ac.EmptyDirVolumeSource()),
		volume(temporaryVolume).WithEmptyDir(corev1ac.EmptyDirVolumeSource()),
	}
	if wantsRack(kc, node) {
		all = append(all, volume(podVolume).WithDownwardAPI(corev1ac.DownwardAPIVolumeSource().WithItems(
			annotationFile("node", v1beta1.AnnotationNode),
			annotationFile("rack", v1beta1.AnnotationRack),
		)))
	}
	for _, disk := range disks {
		all = append(all, volume(diskName(disk.Path)).
			WithPersistentVolumeClaim(corev1ac.PersistentVolumeClaimVolumeSource().WithClaimName(disk.Claim)))
	}
	return all
}

func mounts(kc *v1beta1.KafkaCluster, node *Node, disks []Volume) []*corev1ac.VolumeMountApplyConfiguration {
	all := []*corev1ac.VolumeMountApplyConfiguration{
		mount(configVolume, configPath).WithReadOnly(true),
		mount(tlsVolume, tlsPath).WithReadOnly(true),
		mount(stateVolume, statePath),
		mount(temporaryVolume, temporaryPath),
	}
	if wantsRack(kc, node) {
		all = append(all, mount(podVolume, podPath).WithReadOnly(true))
	}
	for _, disk := range disks {
		all = append(all, mount(diskName(disk.Path), disk.Path))
	}
	return all
}

// diskName is the name of a disk's volume in the Pod: it follows from the path, so that it never changes.
func diskName(path string) string {
	h := fnv.New32a()
	_, _ = h.Write([]byte(path))
	return fmt.Sprintf("disk-%08x", h.Sum32())
}

func volume(name string) *corev1ac.VolumeApplyConfiguration {
	return corev1ac.Volume().WithName(name)
}

func mount(volume, path string) *corev1ac.VolumeMountApplyConfiguration {
	return corev1ac.VolumeMount().WithName(volume).WithMountPath(path)
}

func keyToPath(key string) *corev1ac.KeyToPathApplyConfiguration {
	return corev1ac.KeyToPath().WithKey(key).WithPath(key)
}

// annotationFile makes an annotation of the Pod a file. The file is there and empty while the annotation is not.
func annotationFile(path, annotation string) *corev1ac.DownwardAPIVolumeFileApplyConfiguration {
	return corev1ac.DownwardAPIVolumeFile().
		WithPath(path).
		WithFieldRef(corev1ac.ObjectFieldSelector().WithAPIVersion("v1").WithFieldPath(fmt.Sprintf("metadata.annotations['%s']", annotation)))
}
