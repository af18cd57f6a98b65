package kafkacluster

import (
	"github.com/prometheus/client_golang/prometheus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

// Metrics of cruisecontrol-manager for each KafkaCluster. The replica that leads has them.
var (
	conditionMetric = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "koperator_cruisecontrol_condition",
		Help: "1 for the present status of each condition of a KafkaCluster that is about Cruise Control and the place of data, 0 for the others.",
	}, []string{"namespace", "name", "type", "status"})
	restartMetric = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "koperator_cruisecontrol_restart_pending",
		Help: "1 while a change waits for a restart of Cruise Control.",
	}, []string{"namespace", "name"})
	operationsMetric = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "koperator_cruisecontrol_planned_operations_total",
		Help: "Operations that were created, and those that were withdrawn, because of what a KafkaCluster wants.",
	}, []string{"namespace", "name", "type", "change"})
)

func init() { metrics.Registry.MustRegister(conditionMetric, restartMetric, operationsMetric) }

// setMetrics shows our part of status as metrics.
func setMetrics(name types.NamespacedName, own part, restartPending bool) {
	if own.isEmpty() {
		conditionMetric.DeletePartialMatch(labelsOf(name))
		restartMetric.DeletePartialMatch(labelsOf(name))
		return
	}
	for _, condition := range own.conditions {
		for _, value := range []metav1.ConditionStatus{metav1.ConditionTrue, metav1.ConditionFalse} {
			conditionMetric.WithLabelValues(name.Namespace, name.Name, condition.Type, string(value)).Set(oneIf(condition.Status == value))
		}
	}
	restartMetric.WithLabelValues(name.Namespace, name.Name).Set(oneIf(restartPending))
}

func countOperation(cluster *v1beta1.KafkaCluster, kind v1beta1.OperationType, change string) {
	operationsMetric.WithLabelValues(cluster.Namespace, cluster.Name, string(kind), change).Inc()
}

func oneIf(condition bool) float64 {
	if condition {
		return 1
	}
	return 0
}

func labelsOf(name types.NamespacedName) prometheus.Labels {
	return prometheus.Labels{"namespace": name.Namespace, "name": name.Name}
}

func forgetMetrics(name types.NamespacedName) {
	setMetrics(name, part{}, false)
	operationsMetric.DeletePartialMatch(labelsOf(name))
}
