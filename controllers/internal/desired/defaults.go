package desired

import (
	"strconv"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/controllers/internal/serverproperties"
)

const (
	// replicas is the replication factor wherever there are that many brokers: one may be down, another one may fail.
	replicas = 3
	// smallHeap is the heap below which Kafka's default of 128Mi for one buffer of the log cleaner is too much: with 192Mi
	// a broker with the default dies of it.
	smallHeap         = 512 << 20
	smallDedupeBuffer = 2 << 20
)

// defaults are what a cluster in production wants and Kafka does not have by itself. Every one can be overridden in config.
//
// Those that follow from the number of brokers do so up to three: a fourth broker changes nothing and restarts nobody.
// Below, they say what is true: one broker cannot replicate, and with two, min.insync.replicas stays 1, because 2 would
// stop all writes with either of them. Growing from one or two brokers to three restarts the nodes once, and what exists
// already (topics, Kafka's internal ones among them) keeps its replication factor.
func defaults(kc *v1beta1.KafkaCluster, node *Node) []serverproperties.Property {
	factor, inSync := replication(kc)
	values := map[string]string{
		"default.replication.factor": factor, // controllers resolve it for new topics, so that they have it too
		"min.insync.replicas":        inSync,
	}
	if node.IsBroker() {
		values["auto.create.topics.enable"] = "false"
		values["offsets.topic.replication.factor"] = factor
		values["transaction.state.log.replication.factor"] = factor
		values["transaction.state.log.min.isr"] = inSync
		values["share.coordinator.state.topic.replication.factor"] = factor
		values["share.coordinator.state.topic.min.isr"] = inSync
	}
	if node.IsBroker() && node.Heap.Value() < smallHeap {
		values["log.cleaner.dedupe.buffer.size"] = strconv.Itoa(smallDedupeBuffer)
	}
	levels := []level{{"Koperator: default", values}}
	if HasReporter(kc, node) {
		levels = append(levels, reporterDefaults())
	}
	return mergeConfig(levels...)
}

func replication(kc *v1beta1.KafkaCluster) (factor, inSync string) {
	brokers := len(idsWithRole(kc, v1beta1.RoleBroker))
	if brokers < replicas {
		return strconv.Itoa(max(brokers, 1)), "1"
	}
	return strconv.Itoa(replicas), strconv.Itoa(replicas - 1)
}
