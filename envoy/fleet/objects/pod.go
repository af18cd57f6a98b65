package objects

import (
	"cmp"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	"k8s.io/utils/ptr"
)

const (
	// EnvoyContainer is the name of the container that runs Envoy.
	EnvoyContainer = "envoy"
	// InstallContainer is the name of the one that brings the program that drains it.
	InstallContainer = "install"
	// ProgramName is the name of that program.
	ProgramName = "envoy-manager"

	// envoyProgram is where the official images have Envoy.
	envoyProgram = "/usr/local/bin/envoy"
	// userID is nobody in particular, the same in both containers: the admin socket is its own.
	userID = 65532
	// secretMode is readable by the group, which fsGroup makes the user's.
	secretMode = 0o440

	programFolder = "/koperator"
	runFolder     = "/run/envoy"

	// defaultConcurrency is the number of worker threads without a CPU limit. Envoy's own default is a thread for each CPU
	// of the machine.
	defaultConcurrency = 2
	// drainTime is how long Envoy takes to close the connections of a listener that changes or goes. It closes them at
	// random when they are used, with a probability that grows over this time, so that most go in its first tenth: clients
	// do not come back all at once.
	drainTime = 600
	// margin is what a proxy may need to end, after all waiting.
	margin = 15
)

func (f Fleet) podSpec(in DeploymentInput) *corev1ac.PodSpecApplyConfiguration {
	drain := f.drain()
	spec := corev1ac.PodSpec().
		WithServiceAccountName(f.Name()).
		WithAutomountServiceAccountToken(false).
		WithEnableServiceLinks(false).
		WithTerminationGracePeriodSeconds(int64(drain.DeregistrationSeconds+drain.TimeoutSeconds)+margin).
		WithSecurityContext(podSecurity()).
		WithTopologySpreadConstraints(f.spread(corev1.LabelTopologyZone), f.spread(corev1.LabelHostname)).
		WithVolumes(f.volumes()...).
		WithInitContainers(f.installContainer(in.Image)).
		WithContainers(f.envoyContainer())
	if selector := f.group().NodeSelector; len(selector) > 0 {
		spec.WithNodeSelector(selector)
	}
	for _, secret := range f.Cluster.Spec.ImagePullSecrets {
		spec.WithImagePullSecrets(corev1ac.LocalObjectReference().WithName(secret.Name))
	}
	return spec
}

// envoyContainer has no liveness probe: the port for readiness is closed until the first configuration is there, and a
// proxy that cannot reach envoy-manager still serves its clients.
func (f Fleet) envoyContainer() *corev1ac.ContainerApplyConfiguration {
	envoy := f.envoy()
	c := corev1ac.Container().
		WithName(EnvoyContainer).
		WithImage(cmp.Or(envoy.Image, defaultImage)).
		WithCommand(envoyProgram).
		WithArgs(f.arguments()...).
		WithEnv(corev1ac.EnvVar().WithName("POD_NAME").
			WithValueFrom(corev1ac.EnvVarSource().
				WithFieldRef(corev1ac.ObjectFieldSelector().WithAPIVersion("v1").WithFieldPath("metadata.name")))).
		WithPorts(corev1ac.ContainerPort().WithName("ops").WithContainerPort(OpsPort).WithProtocol(corev1.ProtocolTCP)).
		WithReadinessProbe(readiness()).
		WithLifecycle(corev1ac.Lifecycle().WithPreStop(corev1ac.LifecycleHandler().
			WithExec(corev1ac.ExecAction().WithCommand(f.drainCommand()...)))).
		WithTerminationMessagePolicy(corev1.TerminationMessageFallbackToLogsOnError).
		WithSecurityContext(containerSecurity()).
		WithVolumeMounts(
			mount("bootstrap", configFolder).WithReadOnly(true),
			mount("certificates", certificateFolder).WithReadOnly(true),
			mount("program", programFolder).WithReadOnly(true),
			mount("run", runFolder),
		)
	if envoy.ImagePullPolicy != "" {
		c.WithImagePullPolicy(envoy.ImagePullPolicy)
	}
	if resources := f.resources(); resources != nil {
		c.WithResources(resources)
	}
	return c
}

func (f Fleet) arguments() []string {
	return []string{
		"--config-path", configFolder + "/" + bootstrapFile,
		"--concurrency", fmt.Sprint(f.concurrency()),
		// Writes no shared memory, and so runs with a read-only root.
		"--disable-hot-restart",
		"--service-cluster", f.Key(),
		"--service-node", "$(POD_NAME)",
		"--drain-time-s", fmt.Sprint(drainTime),
		"--drain-strategy", "gradual",
		"--log-level", "warning",
	}
}

// concurrency is the CPU limit, rounded up.
func (f Fleet) concurrency() int64 {
	limit, ok := ptr.Deref(f.envoy().Resources, corev1.ResourceRequirements{}).Limits[corev1.ResourceCPU]
	if !ok || limit.IsZero() {
		return defaultConcurrency
	}
	return limit.Value() // rounds up
}

func (f Fleet) drainCommand() []string {
	drain := f.drain()
	return []string{
		programFolder + "/" + ProgramName, "drain",
		"--socket=" + AdminSocket,
		fmt.Sprintf("--deregistration=%ds", drain.DeregistrationSeconds),
		fmt.Sprintf("--timeout=%ds", drain.TimeoutSeconds),
	}
}

// installContainer copies the program that drains into Envoy's container. It has the resources of Envoy's own container,
// so that it changes nothing about the Pod's quality of service.
func (f Fleet) installContainer(image string) *corev1ac.ContainerApplyConfiguration {
	c := corev1ac.Container().
		WithName(InstallContainer).
		WithImage(image).
		WithImagePullPolicy(corev1.PullIfNotPresent).
		WithArgs("install", programFolder).
		WithTerminationMessagePolicy(corev1.TerminationMessageFallbackToLogsOnError).
		WithSecurityContext(containerSecurity()).
		WithVolumeMounts(mount("program", programFolder))
	if resources := f.resources(); resources != nil {
		c.WithResources(resources)
	}
	return c
}

func (f Fleet) resources() *corev1ac.ResourceRequirementsApplyConfiguration {
	resources := f.envoy().Resources
	if resources == nil || len(resources.Requests)+len(resources.Limits)+len(resources.Claims) == 0 {
		return nil
	}
	wanted := corev1ac.ResourceRequirements()
	if len(resources.Requests) > 0 {
		wanted.WithRequests(resources.Requests)
	}
	if len(resources.Limits) > 0 {
		wanted.WithLimits(resources.Limits)
	}
	for _, claim := range resources.Claims {
		c := corev1ac.ResourceClaim().WithName(claim.Name)
		if claim.Request != "" {
			c.WithRequest(claim.Request)
		}
		wanted.WithClaims(c)
	}
	return wanted
}

// readiness is quick, because a proxy that drains is unready first.
func readiness() *corev1ac.ProbeApplyConfiguration {
	return corev1ac.Probe().
		WithHTTPGet(corev1ac.HTTPGetAction().WithPath("/ready").WithPort(intstr.FromInt32(OpsPort))).
		WithPeriodSeconds(2).
		WithTimeoutSeconds(2).
		WithFailureThreshold(2)
}

// spread puts proxies of one version apart, where there is room.
func (f Fleet) spread(topologyKey string) *corev1ac.TopologySpreadConstraintApplyConfiguration {
	return corev1ac.TopologySpreadConstraint().
		WithMaxSkew(1).
		WithTopologyKey(topologyKey).
		WithWhenUnsatisfiable(corev1.ScheduleAnyway).
		WithLabelSelector(metav1ac.LabelSelector().WithMatchLabels(f.Selector())).
		WithMatchLabelKeys("pod-template-hash")
}

func (f Fleet) volumes() []*corev1ac.VolumeApplyConfiguration {
	return []*corev1ac.VolumeApplyConfiguration{
		volume("bootstrap").WithConfigMap(corev1ac.ConfigMapVolumeSource().WithName(f.Name())),
		volume("certificates").WithSecret(corev1ac.SecretVolumeSource().WithSecretName(SecretName(f.Name())).WithDefaultMode(secretMode)),
		volume("program").WithEmptyDir(corev1ac.EmptyDirVolumeSource()),
		volume("run").WithEmptyDir(corev1ac.EmptyDirVolumeSource()),
	}
}

func volume(name string) *corev1ac.VolumeApplyConfiguration {
	return corev1ac.Volume().WithName(name)
}

func mount(name, path string) *corev1ac.VolumeMountApplyConfiguration {
	return corev1ac.VolumeMount().WithName(name).WithMountPath(path)
}

// podSecurity is what the restricted Pod Security Standard asks for.
func podSecurity() *corev1ac.PodSecurityContextApplyConfiguration {
	return corev1ac.PodSecurityContext().
		WithRunAsNonRoot(true).
		WithRunAsUser(userID).
		WithRunAsGroup(userID).
		WithFSGroup(userID).
		WithSeccompProfile(corev1ac.SeccompProfile().WithType(corev1.SeccompProfileTypeRuntimeDefault))
}

func containerSecurity() *corev1ac.SecurityContextApplyConfiguration {
	return corev1ac.SecurityContext().
		WithAllowPrivilegeEscalation(false).
		WithReadOnlyRootFilesystem(true).
		WithCapabilities(corev1ac.Capabilities().WithDrop("ALL"))
}
