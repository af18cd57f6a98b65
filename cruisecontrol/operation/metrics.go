package operation

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

// Metrics of operations, beside those of controller-runtime.
var (
	phaseMetric = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "koperator_operation_phase",
		Help: "1 for the phase of each CruiseControlOperation.",
	}, []string{"namespace", "name", "cluster", "type", "phase"})
	progressMetric = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "koperator_operation_progress_ratio",
		Help: "How much of a CruiseControlOperation's execution is done, from 0 to 1.",
	}, []string{"namespace", "name", "cluster", "type"})
	movedMetric = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "koperator_operation_moved_bytes",
		Help: "Data that the present attempt of a CruiseControlOperation has moved.",
	}, []string{"namespace", "name", "cluster", "type"})
	attemptsMetric = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "koperator_operation_requests_total",
		Help: "Requests to Cruise Control to plan, or to plan and execute, by type of operation.",
	}, []string{"namespace", "cluster", "type", "kind"})
)

func init() {
	metrics.Registry.MustRegister(phaseMetric, progressMetric, movedMetric, attemptsMetric)
}

// shown is the phase that each operation is shown in.
var shown sync.Map

// setMetrics shows an operation as metrics.
func setMetrics(op *v1beta1.CruiseControlOperation) {
	name := types.NamespacedName{Namespace: op.Namespace, Name: op.Name}
	labels := []string{op.Namespace, op.Name, op.Spec.ClusterRef.Name, string(op.Spec.Type)}
	if before, known := shown.Swap(name, op.Status.Phase); known && before != op.Status.Phase {
		phaseMetric.DeletePartialMatch(prometheus.Labels{"namespace": op.Namespace, "name": op.Name})
	}
	phaseMetric.WithLabelValues(append(labels, string(op.Status.Phase))...).Set(1)
	if p := op.Status.Progress; p != nil {
		progressMetric.WithLabelValues(labels...).Set(float64(p.Percent) / 100)
		movedMetric.WithLabelValues(labels...).Set(float64(p.DataMoved))
	}
}

func forgetMetrics(name types.NamespacedName) {
	shown.Delete(name)
	labels := prometheus.Labels{"namespace": name.Namespace, "name": name.Name}
	for _, metric := range []*prometheus.GaugeVec{phaseMetric, progressMetric, movedMetric} {
		metric.DeletePartialMatch(labels)
	}
}
