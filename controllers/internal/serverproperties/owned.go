package serverproperties

import "strings"

// owner says by which field of the spec Koperator sets a property that is its own.
type owner struct{ key, field string }

var owners = []owner{
	{"node.id", "spec.brokers[].id"},
	{"broker.id", "spec.brokers[].id"},
	{"process.roles", "spec.brokerGroups[].roles"},
	{"listeners", "spec.listeners"},
	{"advertised.listeners", "spec.listeners"},
	{"listener.security.protocol.map", "spec.listeners"},
	{"inter.broker.listener.name", "spec.listeners"},
	{"security.inter.broker.protocol", "spec.listeners"},
	{"controller.listener.names", "spec.listeners"},
	{"early.start.listeners", "spec.listeners"},
	{"log.dir", "storage"},
	{"log.dirs", "storage"},
	{"metadata.log.dir", "storage"},
	{"cordoned.log.dirs", "spec.brokers and storage"},
	{"controller.quorum.voters", "spec.brokers"},
	{"controller.quorum.bootstrap.servers", "spec.brokers"},
	{"controller.quorum.auto.join.enable", "spec.brokers"},
	{"broker.rack", "spec.rackAwareness"},
}

// certificateProperties are set for each listener, and without a listener's prefix for none.
var certificateProperties = []string{
	"ssl.keystore.location", "ssl.keystore.type", "ssl.keystore.password", "ssl.keystore.key",
	"ssl.keystore.certificate.chain", "ssl.key.password",
	"ssl.truststore.location", "ssl.truststore.type", "ssl.truststore.password", "ssl.truststore.certificates",
	"ssl.client.auth",
}

// reservedListeners are those between the nodes: every property of theirs is Koperator's.
var reservedListeners = []string{"listener.name.controller.", "listener.name.replication."}

// Owned tells whether only Koperator sets a property, and by which field of the spec.
func Owned(key string) (field string, owned bool) {
	for _, o := range owners {
		if key == o.key {
			return o.field, true
		}
	}
	for _, prefix := range reservedListeners {
		if strings.HasPrefix(key, prefix) {
			return "the listeners between the nodes", true
		}
	}
	base, _ := withoutListener(key)
	for _, property := range certificateProperties {
		if base == property {
			return "spec.listeners[].tls and authentication", true
		}
	}
	return "", false
}

// ReporterPrefix begins the properties of Cruise Control's metrics reporter.
const ReporterPrefix = "cruise.control.metrics.reporter."

// ReporterOwned tells whether only Koperator sets a property while it brings the reporter: how the reporter connects, and
// who makes its topic. Users with a reporter of their own set these themselves.
func ReporterOwned(key string) bool {
	if strings.HasPrefix(key, "cruise.control.metrics.topic.auto.create") || key == "cruise.control.metrics.topic" {
		return true
	}
	rest, found := strings.CutPrefix(key, ReporterPrefix)
	return found && (rest == "bootstrap.servers" || strings.HasPrefix(rest, "security.") || strings.HasPrefix(rest, "ssl.") || strings.HasPrefix(rest, "sasl."))
}
