package session

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"koperator.dev/koperator/cruisecontrol/client"
)

var pollsMetric = prometheus.NewCounterVec(prometheus.CounterOpts{
	Name: "koperator_cruisecontrol_polls_total",
	Help: "Questions to the Cruise Control of a KafkaCluster about its state, by endpoint and outcome: OK or the kind of failure.",
}, []string{"namespace", "name", "endpoint", "outcome"})

func init() { metrics.Registry.MustRegister(pollsMetric) }

func (s *Session) count(endpoint string, err error) {
	outcome := "OK"
	var failure *client.Error
	if errors.As(err, &failure) {
		outcome = string(failure.Class)
	} else if err != nil {
		outcome = "Failed"
	}
	pollsMetric.WithLabelValues(s.name.Namespace, s.name.Name, endpoint, outcome).Inc()
}

func forgetMetrics(name types.NamespacedName) {
	pollsMetric.DeletePartialMatch(prometheus.Labels{"namespace": name.Namespace, "name": name.Name})
}
