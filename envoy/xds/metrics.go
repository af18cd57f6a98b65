package xds

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"koperator.dev/koperator/envoy/translate"
)

var streamsDesc = prometheus.NewDesc("koperator_xds_streams",
	"Proxies that are connected to this replica.", []string{"namespace", "fleet"}, nil)

// metrics of one Server.
type metrics struct {
	responses  *prometheus.CounterVec
	bytes      *prometheus.CounterVec
	rejections *prometheus.CounterVec
	refused    *prometheus.CounterVec
	accepted   prometheus.Histogram
	// streams are counted when they are asked for.
	streams func() map[string]int
}

func newMetrics(streams func() map[string]int) *metrics {
	return &metrics{
		streams: streams,
		responses: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "koperator_xds_responses_total",
			Help: "Responses that were sent to proxies, by type of resource.",
		}, []string{"type"}),
		bytes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "koperator_xds_response_bytes_total",
			Help: "Bytes of the responses that were sent to proxies, by type of resource.",
		}, []string{"type"}),
		rejections: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "koperator_xds_rejections_total",
			Help: "Responses that a proxy rejected, or a part of them.",
		}, []string{"namespace", "fleet", "type"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "koperator_xds_refused_streams_total",
			Help: "Streams that were refused, by gRPC's code: PermissionDenied for another fleet's certificate, for instance.",
		}, []string{"code"}),
		accepted: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "koperator_xds_accept_duration_seconds",
			Help:    "From a change of configuration until a connected proxy had accepted all of it.",
			Buckets: []float64{.0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},
		}),
	}
}

func (m *metrics) respond(of translate.Type, size int) {
	m.responses.WithLabelValues(string(of)).Inc()
	m.bytes.WithLabelValues(string(of)).Add(float64(size))
}

func (m *metrics) reject(key string, of translate.Type) {
	namespace, name, _ := strings.Cut(key, "/")
	m.rejections.WithLabelValues(namespace, name, string(of)).Inc()
}

// forget is for a fleet that is gone.
func (m *metrics) forget(key string) {
	namespace, name, _ := strings.Cut(key, "/")
	m.rejections.DeletePartialMatch(prometheus.Labels{"namespace": namespace, "fleet": name})
}

func (m *metrics) vectors() []prometheus.Collector {
	return []prometheus.Collector{m.responses, m.bytes, m.rejections, m.refused, m.accepted}
}

// Describe is of prometheus.Collector.
func (m *metrics) Describe(out chan<- *prometheus.Desc) {
	out <- streamsDesc
	for _, vector := range m.vectors() {
		vector.Describe(out)
	}
}

// Collect is of prometheus.Collector.
func (m *metrics) Collect(out chan<- prometheus.Metric) {
	for key, count := range m.streams() {
		namespace, name, _ := strings.Cut(key, "/")
		out <- prometheus.MustNewConstMetric(streamsDesc, prometheus.GaugeValue, float64(count), namespace, name)
	}
	for _, vector := range m.vectors() {
		vector.Collect(out)
	}
}
