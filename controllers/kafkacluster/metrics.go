package kafkacluster

import (
	"github.com/prometheus/client_golang/prometheus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

// Metrics of broker-manager, beside those of controller-runtime.
var (
	conditionMetric = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "koperator_cluster_condition",
		Help: "1 for the present status of each condition of a KafkaCluster, 0 for the others.",
	}, []string{"namespace", "name", "type", "status"})
	brokersMetric = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "koperator_cluster_brokers",
		Help: "Nodes of a KafkaCluster by phase.",
	}, []string{"namespace", "name", "phase"})
	pendingRestartsMetric = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "koperator_cluster_pending_restarts",
		Help: "Nodes of a KafkaCluster that wait for a restart.",
	}, []string{"namespace", "name"})
	unprotectedMetric = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "koperator_cluster_unprotected_partitions",
		Help: "Partitions whose replication factor is not above min.insync.replicas: no restart can keep them writable.",
	}, []string{"namespace", "name"})
	restartsMetric = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "koperator_broker_restarts_total",
		Help: "Restarts that broker-manager decided on, by why: Configuration or Repair.",
	}, []string{"namespace", "name", "why"})
)

func init() {
	metrics.Registry.MustRegister(conditionMetric, brokersMetric, pendingRestartsMetric, unprotectedMetric, restartsMetric)
}

var phasesOfBrokers = []v1beta1.BrokerPhase{
	v1beta1.BrokerPending, v1beta1.BrokerJoining, v1beta1.BrokerRunning, v1beta1.BrokerRestarting,
	v1beta1.BrokerDraining, v1beta1.BrokerRemoving, v1beta1.BrokerFailed,
}

// setMetrics shows status as metrics.
func setMetrics(name types.NamespacedName, status *v1beta1.KafkaClusterStatus, unprotected int) {
	for _, condition := range status.Conditions {
		for _, value := range []metav1.ConditionStatus{metav1.ConditionTrue, metav1.ConditionFalse, metav1.ConditionUnknown} {
			conditionMetric.WithLabelValues(name.Namespace, name.Name, condition.Type, string(value)).Set(oneIf(condition.Status == value))
		}
	}
	count := map[v1beta1.BrokerPhase]int{}
	pending := 0
	for i := range status.Brokers {
		count[status.Brokers[i].Phase]++
		if status.Brokers[i].RestartReason != "" {
			pending++
		}
	}
	for _, phase := range phasesOfBrokers {
		brokersMetric.WithLabelValues(name.Namespace, name.Name, string(phase)).Set(float64(count[phase]))
	}
	pendingRestartsMetric.WithLabelValues(name.Namespace, name.Name).Set(float64(pending))
	unprotectedMetric.WithLabelValues(name.Namespace, name.Name).Set(float64(unprotected))
}

func oneIf(condition bool) float64 {
	if condition {
		return 1
	}
	return 0
}

func forgetMetrics(name types.NamespacedName) {
	labels := prometheus.Labels{"namespace": name.Namespace, "name": name.Name}
	for _, metric := range []interface{ DeletePartialMatch(prometheus.Labels) int }{
		conditionMetric, brokersMetric, pendingRestartsMetric, unprotectedMetric, restartsMetric,
	} {
		metric.DeletePartialMatch(labels)
	}
}
