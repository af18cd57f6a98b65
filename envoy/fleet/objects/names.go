// Package objects makes what the proxies of a KafkaCluster run in: their Deployments, Services, bootstrap, budgets and
// policies. It is pure: the same spec gives the same objects, byte for byte, and nothing in a Pod's template follows from
// which brokers there are. What it makes is compared with golden files in testdata.
package objects

import (
	"fmt"
	"hash/fnv"

	"koperator.dev/koperator/envoy/ir"
)

// Name is the name of a fleet's objects, all but the Services and the Secret.
func (f Fleet) Name() string { return ir.FleetName(f.Cluster.Name, f.Group) }

// Key is the name by which a fleet's proxies ask for their configuration.
func (f Fleet) Key() string { return f.Cluster.Namespace + "/" + f.Name() }

// SecretName is the name of the Secret with the certificate that a fleet's proxies show to envoy-manager.
func SecretName(fleet string) string { return fleet + "-tls" }

// ServiceName is the name of the Service by which clients reach a listener through the fleet.
func (f Fleet) ServiceName(listener string) string {
	name := fmt.Sprintf("%s-external-%s", f.Cluster.Name, listener)
	if f.Group != "" {
		name += "-" + f.Group
	}
	return asLabel(name)
}

// maxLabel is the length of a label of a DNS name, which the name of a Service is.
const maxLabel = 63

// asLabel shortens a name that is too long. What it loses is in a hash at its end, because two names can begin alike.
func asLabel(name string) string {
	if len(name) <= maxLabel {
		return name
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(name))
	return fmt.Sprintf("%s-%08x", name[:maxLabel-9], h.Sum32())
}
