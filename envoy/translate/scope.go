package translate

import (
	"fmt"

	"koperator.dev/koperator/envoy/ir"
)

// unknown, after a listener's prefix, is a cluster that never exists: where connections go that no name decides. No
// broker's name is like it, because host names have dots.
const unknown = "/unknown"

// scope is a listener, with the names of what it is made of.
type scope struct {
	*ir.Listener
	fleet ir.Fleet
	// prefix of the names of clusters. Host names follow it, so that each name belongs to one listener of one
	// KafkaCluster; and no name has a dot or a colon before them, because names of statistics are cut there.
	prefix string
}

func newScope(fleet ir.Fleet, listener *ir.Listener) scope {
	return scope{Listener: listener, fleet: fleet, prefix: fleet.Namespace + "/" + fleet.Cluster + "/" + listener.Name}
}

func (s scope) bootstrapName() string {
	return s.prefix + "/bootstrap"
}

func (s scope) brokerName(id int32) string {
	return fmt.Sprintf("%s/broker-%d", s.prefix, id)
}

// hostName is a cluster that clients choose by a host name.
func (s scope) hostName(host string) string {
	return s.prefix + "/" + host
}

// sniListenerName has the port, so that a listener whose port changes is another one: the old one closes its connections
// while the new one is there.
func (s scope) sniListenerName() string {
	return fmt.Sprintf("%s/%s/sni-%d-%s", s.fleet.Namespace, s.fleet.Name(), s.Port, s.Name)
}
