package deployment

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/apis/machinery/podtemplate"
)

const (
	// userID is nobody in particular: the image is somebody else's, and its root is read-only.
	userID = 1000
	// secretMode is readable by the group, which fsGroup makes the user's.
	secretMode = 0o440
	// gracePeriod is longer than the thirty seconds that Cruise Control takes to stop while it moves something.
	gracePeriod = 60
	// defaultHeap is the heap without a memory limit, Cruise Control's own default.
	defaultHeap = 1 << 30
)

// podTemplate is the template of the Pod, with the user's own merged into it.
func podTemplate(kc *v1beta1.KafkaCluster, files map[string]string, secrets string) (*corev1ac.PodTemplateSpecApplyConfiguration, error) {
	pod := corev1ac.Pod(v1beta1.CruiseControlName(kc.Name), kc.Namespace).WithSpec(podSpec(kc))
	if template := kc.Spec.CruiseControl.PodTemplate; template != nil {
		merged, err := podtemplate.Merge(pod, template.Raw, Container)
		if err != nil {
			return nil, fmt.Errorf("spec.cruiseControl.podTemplate: %w", err)
		}
		pod = merged
	}
	// Last, because no template can change whose Pod it is and how it is found.
	pod.WithLabels(podLabels(kc)).WithAnnotations(map[string]string{AnnotationConfig: hashOf(files), AnnotationSecrets: secrets})
	return corev1ac.PodTemplateSpec().WithLabels(pod.Labels).WithAnnotations(pod.Annotations).WithSpec(pod.Spec), nil
}

func podSpec(kc *v1beta1.KafkaCluster) *corev1ac.PodSpecApplyConfiguration {
	spec := corev1ac.PodSpec().
		WithServiceAccountName(v1beta1.CruiseControlName(kc.Name)).
		WithAutomountServiceAccountToken(false).
		WithEnableServiceLinks(false).
		WithTerminationGracePeriodSeconds(gracePeriod).
		WithSecurityContext(corev1ac.PodSecurityContext().
			WithRunAsNonRoot(true).
			WithRunAsUser(userID).
			WithRunAsGroup(userID).
			WithFSGroup(userID).
			WithSeccompProfile(corev1ac.SeccompProfile().WithType(corev1.SeccompProfileTypeRuntimeDefault))).
		WithVolumes(volumes(kc)...).
		WithContainers(container(kc))
	for _, secret := range kc.Spec.ImagePullSecrets {
		spec.WithImagePullSecrets(corev1ac.LocalObjectReference().WithName(secret.Name))
	}
	return spec
}

// container has no liveness probe, because a restart in the middle of an operation is worse than a wait, and no probe that
// speaks HTTP: each request takes one of the few that Cruise Control serves at a time.
func container(kc *v1beta1.KafkaCluster) *corev1ac.ContainerApplyConfiguration {
	cc := kc.Spec.CruiseControl
	c := corev1ac.Container().
		WithName(Container).
		WithImage(cc.Image).
		WithCommand(command(cc)...).
		WithEnv(environment(kc)...).
		WithPorts(corev1ac.ContainerPort().WithName("api").WithContainerPort(Port).WithProtocol(corev1.ProtocolTCP)).
		WithReadinessProbe(corev1ac.Probe().
			WithTCPSocket(corev1ac.TCPSocketAction().WithPort(intstr.FromInt32(Port))).
			WithPeriodSeconds(5).
			WithTimeoutSeconds(2)).
		WithTerminationMessagePolicy(corev1.TerminationMessageFallbackToLogsOnError).
		WithSecurityContext(corev1ac.SecurityContext().
			WithAllowPrivilegeEscalation(false).
			WithReadOnlyRootFilesystem(true).
			WithCapabilities(corev1ac.Capabilities().WithDrop("ALL"))).
		WithVolumeMounts(
			mount("config", configFolder).WithReadOnly(true),
			mount("kafka", kafkaFolder).WithReadOnly(true),
			mount("api", apiFolder).WithReadOnly(true),
			mount("data", dataFolder),
			mount("tmp", temporaryFolder),
		)
	if cc.ImagePullPolicy != "" {
		c.WithImagePullPolicy(cc.ImagePullPolicy)
	}
	if r := cc.Resources; r != nil && len(r.Requests)+len(r.Limits)+len(r.Claims) > 0 {
		c.WithResources(resources(r))
	}
	return c
}

// defaultCommand is that of the API, also for objects that were stored without it.
const defaultCommand = "/opt/cruise-control/kafka-cruise-control-start.sh"

func command(cc *v1beta1.CruiseControl) []string {
	words := cc.Command
	if len(words) == 0 {
		words = []string{defaultCommand}
	}
	return append(append([]string{}, words...), configFolder+"/"+PropertiesKey)
}

// environment is read by Cruise Control's own script, and by its properties.
func environment(kc *v1beta1.KafkaCluster) []*corev1ac.EnvVarApplyConfiguration {
	heap := heapOf(kc.Spec.CruiseControl.Resources)
	return []*corev1ac.EnvVarApplyConfiguration{
		variable("KAFKA_HEAP_OPTS", fmt.Sprintf("-Xms%s -Xmx%s", heap, heap)),
		// Without it one failed task makes lists of tasks fail on Java 17.
		variable("KAFKA_OPTS", "--add-opens=java.base/java.lang=ALL-UNNAMED"),
		variable("KAFKA_LOG4J_OPTS", "-Dlog4j2.configurationFile="+configFolder+"/"+LoggingKey),
		// The script makes this folder, and the container's root is read-only.
		variable("LOG_DIR", temporaryFolder+"/logs"),
		corev1ac.EnvVar().WithName(keystorePasswordVariable).WithValueFrom(corev1ac.EnvVarSource().
			WithSecretKeyRef(corev1ac.SecretKeySelector().
				WithName(v1beta1.CruiseControlAPISecretName(kc.Name)).
				WithKey(KeystorePasswordKey))),
	}
}

// heapOf is three quarters of the memory limit, in whole MiB.
func heapOf(r *corev1.ResourceRequirements) string {
	bytes := int64(defaultHeap)
	if r != nil {
		if limit, ok := r.Limits[corev1.ResourceMemory]; ok && !limit.IsZero() {
			bytes = limit.Value() / 4 * 3
		}
	}
	return fmt.Sprintf("%dm", bytes/mebibyte)
}

func resources(r *corev1.ResourceRequirements) *corev1ac.ResourceRequirementsApplyConfiguration {
	wanted := corev1ac.ResourceRequirements()
	if len(r.Requests) > 0 {
		wanted.WithRequests(r.Requests)
	}
	if len(r.Limits) > 0 {
		wanted.WithLimits(r.Limits)
	}
	for _, claim := range r.Claims {
		c := corev1ac.ResourceClaim().WithName(claim.Name)
		if claim.Request != "" {
			c.WithRequest(claim.Request)
		}
		wanted.WithClaims(c)
	}
	return wanted
}

// volumes show Cruise Control of the Secret of its API what it needs. What it writes is of use to itself only while it
// runs: Koperator asks Kafka for all that has to outlive it.
func volumes(kc *v1beta1.KafkaCluster) []*corev1ac.VolumeApplyConfiguration {
	return []*corev1ac.VolumeApplyConfiguration{
		corev1ac.Volume().WithName("config").WithConfigMap(corev1ac.ConfigMapVolumeSource().WithName(v1beta1.CruiseControlName(kc.Name))),
		secretVolume("kafka", v1beta1.CruiseControlClientSecretName(kc.Name), keystoreKey, authorityKey),
		secretVolume("api", v1beta1.CruiseControlAPISecretName(kc.Name), APIKeystoreKey, CredentialsKey),
		corev1ac.Volume().WithName("data").WithEmptyDir(corev1ac.EmptyDirVolumeSource()),
		corev1ac.Volume().WithName("tmp").WithEmptyDir(corev1ac.EmptyDirVolumeSource()),
	}
}

func secretVolume(name, secret string, keys ...string) *corev1ac.VolumeApplyConfiguration {
	source := corev1ac.SecretVolumeSource().WithSecretName(secret).WithDefaultMode(secretMode)
	for _, key := range keys {
		source.WithItems(corev1ac.KeyToPath().WithKey(key).WithPath(key))
	}
	return corev1ac.Volume().WithName(name).WithSecret(source)
}

func mount(name, path string) *corev1ac.VolumeMountApplyConfiguration {
	return corev1ac.VolumeMount().WithName(name).WithMountPath(path)
}

func variable(name, value string) *corev1ac.EnvVarApplyConfiguration {
	return corev1ac.EnvVar().WithName(name).WithValue(value)
}
