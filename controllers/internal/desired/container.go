package desired

import (
	_ "embed"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/intstr"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

// annotatedScript formats what is blank and then becomes Kafka.
//
//go:embed start.sh
var annotatedScript string

// startScript is the script without its comments, because its text is part of what a Pod is made from.
var startScript = withoutComments(annotatedScript)

func withoutComments(script string) string {
	var code strings.Builder
	for line := range strings.Lines(script) {
		if trimmed := strings.TrimSpace(line); trimmed != "" && !strings.HasPrefix(trimmed, "#") {
			code.WriteString(line)
		}
	}
	return code.String()
}

const (
	clusterIDVariable          = "CLUSTER_ID"
	initialControllersVariable = "INITIAL_CONTROLLERS"
)

func container(kc *v1beta1.KafkaCluster, node *Node, in PodInput) *corev1ac.ContainerApplyConfiguration {
	c := corev1ac.Container().
		WithName(KafkaContainer).
		WithImage(node.Image).
		WithCommand("/bin/sh", "-c", startScript).
		WithEnv(environment(node, in)...).
		WithPorts(containerPorts(kc, node)...).
		WithReadinessProbe(readiness(node)).
		// The last lines of its log say why Kafka has ended, in the Pod's own status.
		WithTerminationMessagePolicy(corev1.TerminationMessageFallbackToLogsOnError).
		WithSecurityContext(containerSecurity()).
		WithVolumeMounts(mounts(kc, node, in.Volumes)...)
	if node.ImagePullPolicy != "" {
		c.WithImagePullPolicy(node.ImagePullPolicy)
	}
	if resources := containerResources(node.Resources); resources != nil {
		c.WithResources(resources)
	}
	return c
}

func containerResources(resources corev1.ResourceRequirements) *corev1ac.ResourceRequirementsApplyConfiguration {
	if len(resources.Requests)+len(resources.Limits)+len(resources.Claims) == 0 {
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

// environment is read by the start script and by Kafka's own scripts, in the names of the official image.
func environment(node *Node, in PodInput) []*corev1ac.EnvVarApplyConfiguration {
	heap := heapOption(node.Heap)
	env := []*corev1ac.EnvVarApplyConfiguration{
		variable(clusterIDVariable, in.ClusterID),
		variable("KAFKA_HEAP_OPTS", "-Xms"+heap+" -Xmx"+heap),
		variable("KAFKA_LOG4J_OPTS", "-Dlog4j2.configurationFile="+configPath+"/"+LoggingKey),
		// Kafka's scripts make this folder, and the container's root is read-only.
		variable("LOG_DIR", temporaryPath+"/logs"),
		// Without -loggc, which is Kafka's default here: up to a gigabyte of files that nobody reads.
		variable("EXTRA_ARGS", "-name kafkaServer"),
	}
	if len(node.JVMOptions) > 0 {
		env = append(env, variable("KAFKA_JVM_PERFORMANCE_OPTS", strings.Join(node.JVMOptions, " ")))
	}
	if in.InitialControllers != "" && node.IsController() {
		env = append(env, variable(initialControllersVariable, in.InitialControllers))
	}
	return env
}

func variable(name, value string) *corev1ac.EnvVarApplyConfiguration {
	return corev1ac.EnvVar().WithName(name).WithValue(value)
}

// heapOption is a size as the JVM takes it.
func heapOption(heap resource.Quantity) string {
	bytes := heap.Value()
	if bytes%mebibyte == 0 {
		return fmt.Sprintf("%dm", bytes/mebibyte)
	}
	return fmt.Sprintf("%dk", bytes/1024)
}

func containerPorts(kc *v1beta1.KafkaCluster, node *Node) []*corev1ac.ContainerPortApplyConfiguration {
	var ports []*corev1ac.ContainerPortApplyConfiguration
	for _, l := range listenersOf(kc, node) {
		ports = append(ports, corev1ac.ContainerPort().
			WithName(strings.ToLower(l.name)).
			WithContainerPort(l.port).
			WithProtocol(corev1.ProtocolTCP))
	}
	return ports
}

// readiness is a connection to the listener between the nodes: a broker opens it once it has joined the cluster. There is
// no liveness probe, because none can tell death from log recovery or an election.
func readiness(node *Node) *corev1ac.ProbeApplyConfiguration {
	port := int32(v1beta1.ReplicationPort)
	if !node.IsBroker() {
		port = ControllerPort
	}
	return corev1ac.Probe().
		WithTCPSocket(corev1ac.TCPSocketAction().WithPort(intstr.FromInt32(port))).
		WithPeriodSeconds(2).
		WithTimeoutSeconds(2).
		WithFailureThreshold(3)
}

func containerSecurity() *corev1ac.SecurityContextApplyConfiguration {
	return corev1ac.SecurityContext().
		WithAllowPrivilegeEscalation(false).
		WithReadOnlyRootFilesystem(true).
		WithCapabilities(corev1ac.Capabilities().WithDrop("ALL"))
}
