package deployment

import (
	"slices"
	"strconv"
	"time"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

// Topics of Cruise Control.
const (
	metricsTopic          = "__CruiseControlMetrics"
	partitionSamplesTopic = "__KafkaCruiseControlPartitionMetricSamples"
	brokerSamplesTopic    = "__KafkaCruiseControlModelTrainingSamples"
)

const (
	// replicas is the replication factor wherever there are that many brokers.
	replicas = 3
	// samplePartitions are those of a topic with samples. They are read at each start, in parallel.
	samplePartitions = 8

	metricsRetention          = 5 * time.Hour
	partitionSamplesRetention = time.Hour
	// brokerSamplesRetention is twice the time that the load of brokers is remembered for.
	brokerSamplesRetention = 2 * brokerWindows * window
)

// Topic is a topic that Cruise Control needs.
type Topic struct {
	Name              string
	Partitions        int32
	ReplicationFactor int16
	Config            map[string]string
}

// Topics are those that are to be made if they do not exist: Cruise Control waits for that of the metrics, and brokers make
// no topics by themselves. Whoever changes one later has his reasons.
func Topics(kc *v1beta1.KafkaCluster) []Topic {
	if kc.Spec.CruiseControl == nil {
		return nil
	}
	all := []Topic{newTopic(kc, metricsTopic, 1, metricsRetention)}
	if IsManaged(kc) {
		all = append(all,
			newTopic(kc, partitionSamplesTopic, samplePartitions, partitionSamplesRetention),
			newTopic(kc, brokerSamplesTopic, samplePartitions, brokerSamplesRetention))
	}
	return all
}

func newTopic(kc *v1beta1.KafkaCluster, name string, partitions int32, retention time.Duration) Topic {
	factor := replicationFactor(kc)
	return Topic{
		Name: name, Partitions: partitions, ReplicationFactor: int16(factor),
		Config: map[string]string{
			"cleanup.policy":      "delete",
			"retention.ms":        milliseconds(retention),
			"min.insync.replicas": strconv.Itoa(max(factor-1, 1)),
		},
	}
}

// replicationFactor follows from the number of brokers up to three: a fourth broker changes nothing.
func replicationFactor(kc *v1beta1.KafkaCluster) int {
	return min(max(len(brokersOf(kc)), 1), replicas)
}

// brokersOf are the entries of the spec with the role broker.
func brokersOf(kc *v1beta1.KafkaCluster) []v1beta1.Broker {
	var brokers []v1beta1.Broker
	for _, broker := range kc.Spec.Brokers {
		if group := groupOf(kc, broker); group != nil && isBroker(group) {
			brokers = append(brokers, broker)
		}
	}
	return brokers
}

func groupOf(kc *v1beta1.KafkaCluster, broker v1beta1.Broker) *v1beta1.BrokerGroup {
	i := slices.IndexFunc(kc.Spec.BrokerGroups, func(g v1beta1.BrokerGroup) bool { return g.Name == broker.Group })
	if i < 0 {
		return nil
	}
	return &kc.Spec.BrokerGroups[i]
}

func isBroker(group *v1beta1.BrokerGroup) bool {
	return slices.Contains(group.Roles, v1beta1.RoleBroker)
}

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }
