package desired

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/controllers/internal/serverproperties"
)

const (
	// ReporterContainer is the name of the init container that brings Cruise Control's metrics reporter.
	ReporterContainer = "metrics-reporter"
	reporterVolume    = "metrics-reporter"
	reporterPath      = "/opt/koperator/metrics-reporter"

	// reporterJar is where Cruise Control's own build leaves it; the default in the CRD.
	reporterJar = "/opt/cruise-control/cruise-control-metrics-reporter*/build/libs/cruise-control-metrics-reporter-*.jar"

	reportersProperty = "metric.reporters"
	reporterClass     = "com.linkedin.kafka.cruisecontrol.metricsreporter.CruiseControlMetricsReporter"
	// kafkaReporter is what Kafka has by default and loses when the property is set.
	kafkaReporter = "org.apache.kafka.common.metrics.JmxReporter"
)

// copyReporter copies the files that match its first argument, and says so when there are none.
const copyReporter = `set -eu
found=
for jar in $1; do
  [ -f "$jar" ] || continue
  cp "$jar" ` + reporterPath + `/
  found=yes
done
[ -n "$found" ] || {
  echo "koperator: no file of this image matches $1: set spec.cruiseControl.metricsReporter.jar, or image, or enabled to false"
  exit 1
}
`

// HasReporter tells whether a node runs Cruise Control's metrics reporter. It needs an image that it is copied from: a
// Cruise Control that somebody else runs may be without.
func HasReporter(kc *v1beta1.KafkaCluster, node *Node) bool {
	return node.IsBroker() && reporterImage(kc) != ""
}

func reporterImage(kc *v1beta1.KafkaCluster) string {
	cc := kc.Spec.CruiseControl
	switch {
	case cc == nil:
		return ""
	case cc.MetricsReporter == nil:
		return cc.Image
	case cc.MetricsReporter.Enabled != nil && !*cc.MetricsReporter.Enabled:
		return ""
	case cc.MetricsReporter.Image != "":
		return cc.MetricsReporter.Image
	}
	return cc.Image
}

func reporterContainer(kc *v1beta1.KafkaCluster) *corev1ac.ContainerApplyConfiguration {
	jar := reporterJar
	if reporter := kc.Spec.CruiseControl.MetricsReporter; reporter != nil && reporter.Jar != "" {
		jar = reporter.Jar
	}
	// Requests are limits: they leave the Pod's quality of service to the container of Kafka.
	small := corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("100m"), corev1.ResourceMemory: resource.MustParse("64Mi")}
	c := corev1ac.Container().
		WithName(ReporterContainer).
		WithImage(reporterImage(kc)).
		WithCommand("/bin/sh", "-c", copyReporter, "copy", jar).
		WithTerminationMessagePolicy(corev1.TerminationMessageFallbackToLogsOnError).
		WithSecurityContext(containerSecurity()).
		WithResources(corev1ac.ResourceRequirements().WithRequests(small).WithLimits(small)).
		WithVolumeMounts(mount(reporterVolume, reporterPath))
	if policy := kc.Spec.CruiseControl.ImagePullPolicy; policy != "" {
		c.WithImagePullPolicy(policy)
	}
	return c
}

// addReporter makes a Pod bring the reporter, and Kafka find it: its start script puts CLASSPATH before its own libraries.
func addReporter(spec *corev1ac.PodSpecApplyConfiguration, kc *v1beta1.KafkaCluster, kafka *corev1ac.ContainerApplyConfiguration) {
	kafka.WithEnv(variable("CLASSPATH", reporterPath+"/*")).
		WithVolumeMounts(mount(reporterVolume, reporterPath).WithReadOnly(true))
	spec.WithInitContainers(reporterContainer(kc)).
		WithVolumes(volume(reporterVolume).WithEmptyDir(corev1ac.EmptyDirVolumeSource()))
}

const reporterOrigin = "spec.cruiseControl.metricsReporter"

// reporterDefaults can be overridden in config. The interval is Cruise Control's own sampling interval.
func reporterDefaults() level {
	return level{"Koperator: " + reporterOrigin, map[string]string{
		"cruise.control.metrics.reporter.metrics.reporting.interval.ms": "60000",
	}}
}

// reporterProperties make a broker report to itself, with its own certificate. The topic is made by cruisecontrol-manager:
// its replication factor would follow from the number of brokers, and a property that does restarts them all.
func reporterProperties(kc *v1beta1.KafkaCluster, node *Node) []serverproperties.Property {
	const prefix = serverproperties.ReporterPrefix
	return []serverproperties.Property{
		own(reportersProperty, reporters(node), reporterOrigin),
		own(prefix+"bootstrap.servers", fmt.Sprintf("%s:%d", v1beta1.BrokerHost(kc.Namespace, kc.Name, node.ID), v1beta1.ReplicationPort), reporterOrigin),
		own(prefix+"security.protocol", "SSL", reporterOrigin),
		own(prefix+"ssl.keystore.type", "PEM", reporterOrigin),
		own(prefix+"ssl.keystore.location", keyStoreFile, reporterOrigin),
		own(prefix+"ssl.truststore.type", "PEM", reporterOrigin),
		own(prefix+"ssl.truststore.location", trustStoreFile, reporterOrigin),
		own("cruise.control.metrics.topic.auto.create", "false", reporterOrigin),
	}
}

// reporters are those of the user, or that of Kafka, and that of Cruise Control.
func reporters(node *Node) string {
	all := []string{kafkaReporter}
	if at := slices.IndexFunc(node.Config, func(p serverproperties.Property) bool { return p.Key == reportersProperty }); at >= 0 {
		all = slices.DeleteFunc(strings.Split(node.Config[at].Value, ","), func(s string) bool { return strings.TrimSpace(s) == "" })
	}
	for i := range all {
		all[i] = strings.TrimSpace(all[i])
	}
	if !slices.Contains(all, reporterClass) {
		all = append(all, reporterClass)
	}
	return strings.Join(all, ",")
}
