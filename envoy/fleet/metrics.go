package fleet

import (
	"crypto/x509"
	"encoding/pem"

	"github.com/prometheus/client_golang/prometheus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

// Metrics of envoy-manager, beside those of controller-runtime and of the xDS server. The replica that leads has them, and
// every one that of the authority.
var (
	authorityMetric = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "koperator_envoy_authority_not_after_timestamp_seconds",
		Help: "When the authority (CA) ends that proxies and envoy-manager trust.",
	})
	conditionMetric = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "koperator_external_access_condition",
		Help: "1 for the present status of each condition of a KafkaCluster's access from outside, 0 for the others.",
	}, []string{"namespace", "name", "type", "status"})
	proxiesMetric = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "koperator_external_listener_proxies",
		Help: "Ready proxies of a listener.",
	}, []string{"namespace", "name", "listener"})
	acceptedMetric = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "koperator_external_listener_accepted",
		Help: "Ready proxies that have accepted everything of a listener.",
	}, []string{"namespace", "name", "listener"})
	pendingMetric = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "koperator_external_listener_pending_brokers",
		Help: "Brokers that not all ready proxies of a listener have accepted.",
	}, []string{"namespace", "name", "listener"})
	rejectedMetric = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "koperator_external_listener_rejected_resources",
		Help: "Parts of the configuration of a listener that proxies reject.",
	}, []string{"namespace", "name", "listener"})
)

func init() {
	metrics.Registry.MustRegister(authorityMetric, conditionMetric, proxiesMetric, acceptedMetric, pendingMetric, rejectedMetric)
}

func setAuthorityMetric(certificatePEM []byte) {
	block, _ := pem.Decode(certificatePEM)
	if block == nil {
		return
	}
	if certificate, err := x509.ParseCertificate(block.Bytes); err == nil {
		authorityMetric.Set(float64(certificate.NotAfter.Unix()))
	}
}

// setMetrics shows our part of status as metrics. Of listeners that are gone there are none.
func setMetrics(name types.NamespacedName, own part) {
	for _, condition := range own.conditions {
		for _, value := range []metav1.ConditionStatus{metav1.ConditionTrue, metav1.ConditionFalse} {
			conditionMetric.WithLabelValues(name.Namespace, name.Name, condition.Type, string(value)).Set(oneIf(condition.Status == value))
		}
	}
	if len(own.conditions) == 0 {
		conditionMetric.DeletePartialMatch(labelsOf(name))
	}
	for _, vector := range []*prometheus.GaugeVec{proxiesMetric, acceptedMetric, pendingMetric, rejectedMetric} {
		vector.DeletePartialMatch(labelsOf(name))
	}
	for _, listener := range own.listeners {
		labels := []string{name.Namespace, name.Name, listener.Name}
		proxiesMetric.WithLabelValues(labels...).Set(float64(listener.Proxies))
		acceptedMetric.WithLabelValues(labels...).Set(float64(listener.AcceptedBy))
		pendingMetric.WithLabelValues(labels...).Set(float64(pendingBrokers(listener)))
		rejectedMetric.WithLabelValues(labels...).Set(float64(len(listener.Rejected)))
	}
}

func pendingBrokers(listener v1beta1.ExternalListenerStatus) int {
	count := 0
	for _, broker := range listener.Brokers {
		if broker.PendingSince != nil {
			count++
		}
	}
	return count
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

func forgetMetrics(name types.NamespacedName) { setMetrics(name, part{}) }
