package translate

import (
	"time"

	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	streamv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/stream/v3"
	filterstatev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/common/set_filter_state/v3"
	connectionlimitv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/connection_limit/v3"
	localratelimitv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/local_ratelimit/v3"
	setfilterstatev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/set_filter_state/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

const filterTCPProxy = "envoy.filters.network.tcp_proxy"

// limits close a connection that is one too many before a broker is connected. The number of connections is counted for
// each port; the rate is one for all ports of the listener.
func limits(p *packer, s scope, statName string) []*listenerv3.Filter {
	var filters []*listenerv3.Filter
	if s.MaxConnections > 0 {
		filters = append(filters, networkFilter("envoy.filters.network.connection_limit", p.pack(&connectionlimitv3.ConnectionLimit{
			StatPrefix:     statName,
			MaxConnections: wrapperspb.UInt64(uint64(s.MaxConnections)),
		})))
	}
	if s.MaxConnectionRate > 0 {
		filters = append(filters, networkFilter("envoy.filters.network.local_ratelimit", p.pack(&localratelimitv3.LocalRateLimit{
			StatPrefix: statName,
			ShareKey:   s.prefix,
			TokenBucket: &typev3.TokenBucket{
				MaxTokens:     uint32(s.MaxConnectionRate),
				TokensPerFill: wrapperspb.UInt32(uint32(s.MaxConnectionRate)),
				FillInterval:  durationpb.New(time.Second),
			},
		})))
	}
	return filters
}

// clusterByServerName chooses the cluster of that name, which the TLS inspector has put in lower case.
func clusterByServerName(p *packer, prefix string) *listenerv3.Filter {
	return networkFilter("envoy.filters.network.set_filter_state", p.pack(&setfilterstatev3.Config{
		OnNewConnection: []*filterstatev3.FilterStateValue{{
			Key: &filterstatev3.FilterStateValue_ObjectKey{ObjectKey: "envoy.tcp_proxy.cluster"},
			Value: &filterstatev3.FilterStateValue_FormatString{FormatString: &corev3.SubstitutionFormatString{
				Format: &corev3.SubstitutionFormatString_TextFormatSource{TextFormatSource: &corev3.DataSource{
					Specifier: &corev3.DataSource_InlineString{InlineString: prefix + "/%REQUESTED_SERVER_NAME%"},
				}},
			}},
		}},
	}))
}

// accessLogFields are those of a line of the access log.
var accessLogFields = map[string]string{
	"start":          "%START_TIME%",
	"client":         "%DOWNSTREAM_REMOTE_ADDRESS%",
	"serverName":     "%REQUESTED_SERVER_NAME%",
	"cluster":        "%UPSTREAM_CLUSTER%",
	"broker":         "%UPSTREAM_HOST%",
	"flags":          "%RESPONSE_FLAGS%",
	"closeReason":    "%DOWNSTREAM_LOCAL_CLOSE_REASON%",
	"bytesReceived":  "%BYTES_RECEIVED%",
	"bytesSent":      "%BYTES_SENT%",
	"durationMillis": "%DURATION%",
}

// accessLog is a line of JSON on standard output for each connection that ends.
func accessLog(p *packer, s scope) []*accesslogv3.AccessLog {
	if !s.AccessLog {
		return nil
	}
	fields := map[string]*structpb.Value{"listener": structpb.NewStringValue(s.prefix)}
	for name, format := range accessLogFields {
		fields[name] = structpb.NewStringValue(format)
	}
	return []*accesslogv3.AccessLog{{
		Name: "envoy.access_loggers.stdout",
		ConfigType: &accesslogv3.AccessLog_TypedConfig{TypedConfig: p.pack(&streamv3.StdoutAccessLog{
			AccessLogFormat: &streamv3.StdoutAccessLog_LogFormat{LogFormat: &corev3.SubstitutionFormatString{
				Format: &corev3.SubstitutionFormatString_JsonFormat{JsonFormat: &structpb.Struct{Fields: fields}},
			}},
		})},
	}}
}

func networkFilter(name string, config *anypb.Any) *listenerv3.Filter {
	return &listenerv3.Filter{Name: name, ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: config}}
}

func listenerFilter(name string, config *anypb.Any) *listenerv3.ListenerFilter {
	return &listenerv3.ListenerFilter{Name: name, ConfigType: &listenerv3.ListenerFilter_TypedConfig{TypedConfig: config}}
}
