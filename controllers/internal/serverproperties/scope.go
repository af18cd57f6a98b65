package serverproperties

import "strings"

// Scope says how a property can be changed: Kafka's own update modes (KIP-226).
type Scope int

const (
	// Unknown is a name that Kafka 4.3 itself does not have. Kafka accepts any name, and plugins have their own.
	Unknown Scope = iota
	// ReadOnly needs a restart.
	ReadOnly
	// PerBroker can be changed for one broker, and not for the cluster as a whole.
	PerBroker
	// ClusterWide can be changed for the cluster as a whole, and, with few exceptions, for one broker too.
	ClusterWide
)

func (s Scope) String() string {
	return [...]string{"unknown", "read-only", "per-broker", "cluster-wide"}[s]
}

const listenerPrefix = "listener.name."

// Classify tells how a property can be changed. With the prefix of a listener, a dynamic property can be changed for one
// broker; only the limits on connections also for the cluster.
func Classify(key string) Scope {
	base, prefixed := withoutListener(key)
	d, ok := lookup(base)
	switch {
	case !ok:
		return Unknown
	case prefixed && d.scope == ClusterWide && !perListenerClusterWide[base]:
		return PerBroker
	}
	return d.scope
}

// perListenerClusterWide may have the prefix of a listener and be set for the cluster as a whole.
var perListenerClusterWide = map[string]bool{
	"max.connections":              true,
	"max.connection.creation.rate": true,
	"num.network.threads":          true,
}

// withoutListener takes the prefix of a listener off a property, and that of a SASL mechanism after it:
// listener.name.internal.scram-sha-512.sasl.jaas.config is a sasl.jaas.config.
func withoutListener(key string) (base string, prefixed bool) {
	rest, prefixed := strings.CutPrefix(key, listenerPrefix)
	if !prefixed {
		return key, false
	}
	_, base, _ = strings.Cut(rest, ".")
	if _, ok := lookup(base); ok {
		return base, true
	}
	if _, afterMechanism, ok := strings.Cut(base, "."); ok {
		if _, ok := lookup(afterMechanism); ok {
			return afterMechanism, true
		}
	}
	return base, true
}
