package deployment

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/apis/machinery/properties"
)

// Where files are in the container.
const (
	configFolder    = "/etc/cruise-control/config"
	kafkaFolder     = "/etc/cruise-control/kafka"
	apiFolder       = "/etc/cruise-control/api"
	dataFolder      = "/var/lib/cruise-control"
	temporaryFolder = "/tmp"
)

// keystorePasswordVariable is the environment variable with the password of the key store of the REST API.
const keystorePasswordVariable = "KEYSTORE_PASSWORD"

const (
	// sampling is how often the load is measured: by brokers, and by Cruise Control that reads what they report.
	sampling = time.Minute
	// window is the time of which a load is the average. A plan needs one, an even spread needs half of all windows: ten
	// minutes after the first start.
	window           = 5 * time.Minute
	partitionWindows = 5
	brokerWindows    = 20

	// taskRetention is how long what became of an operation is remembered, from its start on.
	taskRetention = 14 * 24 * time.Hour
)

// propertiesOf is cruisecontrol.properties, sorted by key. What the spec says wins over defaults; what is Koperator's own
// wins over both.
func propertiesOf(kc *v1beta1.KafkaCluster) []properties.Property {
	merged := map[string]properties.Property{}
	for _, p := range defaultProperties() {
		merged[p.Key] = p
	}
	for key, value := range kc.Spec.CruiseControl.Config {
		merged[key] = properties.Property{Key: key, Value: value, Origin: "spec.cruiseControl.config"}
	}
	for _, p := range slices.Concat(kafkaProperties(kc), goalProperties(kc), apiProperties(), ownProperties()) {
		merged[p.Key] = p
	}
	sorted := make([]properties.Property, 0, len(merged))
	for _, key := range slices.Sorted(maps.Keys(merged)) {
		sorted = append(sorted, merged[key])
	}
	return sorted
}

// list makes properties of one origin from keys and values.
func list(origin string, pairs ...string) []properties.Property {
	var all []properties.Property
	for pair := range slices.Chunk(pairs, 2) {
		all = append(all, properties.Property{Key: pair[0], Value: pair[1], Origin: "Koperator: " + origin})
	}
	return all
}

// defaultProperties are those that the spec can override.
func defaultProperties() []properties.Property {
	const monitor = "com.linkedin.kafka.cruisecontrol.monitor.sampling."
	return list("default",
		"metric.sampler.class", monitor+"CruiseControlMetricsReporterSampler",
		"sample.store.class", monitor+"KafkaSampleStore",
		"topic.config.provider.class", "com.linkedin.kafka.cruisecontrol.config.KafkaAdminTopicConfigProvider",
		"anomaly.notifier.class", "com.linkedin.kafka.cruisecontrol.detector.notifier.SelfHealingNotifier",
		// Cruise Control refuses to start if the metadata is older than, or brokers report less often than, it samples.
		"metric.sampling.interval.ms", milliseconds(sampling),
		"cruise.control.metrics.reporter.metrics.reporting.interval.ms", milliseconds(sampling),
		"metadata.max.age.ms", milliseconds(sampling-5*time.Second),
		"partition.metrics.window.ms", milliseconds(window),
		"num.partition.metrics.windows", strconv.Itoa(partitionWindows),
		"min.samples.per.partition.metrics.window", "1",
		"broker.metrics.window.ms", milliseconds(window),
		"num.broker.metrics.windows", strconv.Itoa(brokerWindows),
		"min.samples.per.broker.metrics.window", "1",
		"min.valid.partition.ratio", "0.95",
		// Nobody asks for proposals in advance, and to compute them all the time costs a core.
		"num.proposal.precompute.threads", "0",
		"execution.progress.check.interval.ms", "10000",
		"removal.history.retention.time.ms", milliseconds(taskRetention),
		"completed.kafka.admin.user.task.retention.time.ms", milliseconds(taskRetention),
		"max.cached.completed.kafka.admin.user.tasks", "100",
		"webserver.request.maxBlockTimeMs", "2000",
	)
}

// kafkaProperties are the connection to Kafka. It starts from a Service whose name says nothing of which brokers there are.
func kafkaProperties(kc *v1beta1.KafkaCluster) []properties.Property {
	factor := strconv.Itoa(replicationFactor(kc))
	return slices.Concat(
		list("the listener between brokers",
			"bootstrap.servers", fmt.Sprintf("%s-bootstrap.%s.svc:%d", kc.Name, kc.Namespace, v1beta1.ReplicationPort),
			"security.protocol", "SSL",
			"ssl.keystore.type", "PEM",
			"ssl.keystore.location", kafkaFolder+"/"+keystoreKey,
			"ssl.truststore.type", "PEM",
			"ssl.truststore.location", kafkaFolder+"/"+authorityKey),
		list("topics of Cruise Control",
			"metric.reporter.topic", metricsTopic,
			"partition.metric.sample.store.topic", partitionSamplesTopic,
			"broker.metric.sample.store.topic", brokerSamplesTopic,
			"partition.sample.store.topic.partition.count", strconv.Itoa(samplePartitions),
			"broker.sample.store.topic.partition.count", strconv.Itoa(samplePartitions),
			"sample.store.topic.replication.factor", factor))
}

func goalProperties(kc *v1beta1.KafkaCluster) []properties.Property {
	g := goalsOf(kc.Spec.CruiseControl)
	return list("spec.cruiseControl.goals and hardGoals",
		"goals", classes(g.supported),
		"default.goals", classes(g.wanted),
		"hard.goals", classes(g.hard),
		"intra.broker.goals", classes(g.disk),
		"anomaly.detection.goals", classes(g.hard),
		"self.healing.goals", "")
}

// apiProperties let only cruisecontrol-manager use the REST API, which is spoken over TLS.
func apiProperties() []properties.Property {
	password := "${env:" + keystorePasswordVariable + "}"
	return list("the REST API",
		"webserver.http.address", "0.0.0.0",
		"webserver.http.port", strconv.Itoa(Port),
		"webserver.api.urlprefix", "/kafkacruisecontrol/*",
		"webserver.accesslog.enabled", "false",
		"webserver.security.enable", "true",
		"webserver.security.provider", "com.linkedin.kafka.cruisecontrol.servlet.security.BasicSecurityProvider",
		"webserver.auth.credentials.file", apiFolder+"/"+CredentialsKey,
		"webserver.ssl.enable", "true",
		"webserver.ssl.protocol", "TLS",
		"webserver.ssl.keystore.type", "PKCS12",
		"webserver.ssl.keystore.location", apiFolder+"/"+APIKeystoreKey,
		"webserver.ssl.keystore.password", password,
		"webserver.ssl.key.password", password,
		"vertx.enabled", "false")
}

// ownProperties are those without which Koperator could not tell what Cruise Control does: it alone decides what is
// executed.
func ownProperties() []properties.Property {
	return list("how operations are executed",
		"capacity.config.file", configFolder+"/"+CapacityKey,
		"failed.brokers.file.path", dataFolder+"/failedBrokers.txt",
		"self.healing.enabled", "false",
		"auto.stop.external.agent", "false",
		"two.step.verification.enabled", "false",
		"max.active.user.tasks", "25")
}

// Properties is cruisecontrol.properties.
func Properties(kc *v1beta1.KafkaCluster) string {
	header := fmt.Sprintf("Cruise Control of KafkaCluster %s/%s. Koperator writes this file from the spec.", kc.Namespace, kc.Name)
	return properties.Render(header, propertiesOf(kc))
}
