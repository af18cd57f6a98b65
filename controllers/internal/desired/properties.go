package desired

import (
	"fmt"
	"slices"
	"strings"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/controllers/internal/serverproperties"
)

// Names in Kafka of the two listeners that are never the user's.
const (
	controllerListener  = "CONTROLLER"
	replicationListener = "REPLICATION"
)

// Files that every node's certificate is in, in the PEM format (KIP-651).
const (
	keyStoreFile   = tlsPath + "/" + KeystoreKey
	trustStoreFile = tlsPath + "/" + AuthorityKey
)

// ServerProperties are all properties of a node's server.properties, sorted by key, except broker.rack, which is given at
// the start.
//
// The user's configuration wins over Koperator's defaults; what is Koperator's own wins over both.
func ServerProperties(kc *v1beta1.KafkaCluster, node *Node, disks Disks) []serverproperties.Property {
	merged := map[string]serverproperties.Property{}
	for _, p := range defaults(kc, node) {
		merged[p.Key] = p
	}
	for _, p := range node.Config {
		if _, owned := serverproperties.Owned(p.Key); !owned {
			merged[p.Key] = p
		}
	}
	for _, p := range ownProperties(kc, node, disks) {
		merged[p.Key] = p
	}
	return sortedProperties(merged)
}

// ownProperties are those that only Koperator sets.
func ownProperties(kc *v1beta1.KafkaCluster, node *Node, disks Disks) []serverproperties.Property {
	properties := []serverproperties.Property{
		own("node.id", fmt.Sprint(node.ID), fmt.Sprintf("spec.brokers[%d].id", node.ID)),
		own("process.roles", rolesOf(node), fmt.Sprintf("spec.brokerGroups[%s].roles", node.Group)),
		own("controller.quorum.bootstrap.servers", bootstrapServers(kc), "spec.brokers"),
	}
	properties = append(properties, logDirs(node, disks)...)
	if HasReporter(kc, node) {
		properties = append(properties, reporterProperties(kc, node)...)
	}
	return append(properties, listenerProperties(kc, node)...)
}

func own(key, value, from string) serverproperties.Property {
	return serverproperties.Property{Key: key, Value: value, Origin: "Koperator: " + from}
}

func rolesOf(node *Node) string {
	var roles []string
	for _, role := range node.Roles {
		roles = append(roles, string(role))
	}
	return strings.Join(roles, ",")
}

// bootstrapServers are all controllers of the spec. Kafka finds the voters from any one of them (KIP-853), and never needs
// a restart when the list changes.
func bootstrapServers(kc *v1beta1.KafkaCluster) string {
	var servers []string
	for _, id := range idsWithRole(kc, v1beta1.RoleController) {
		servers = append(servers, controllerAddress(kc, id))
	}
	return strings.Join(servers, ",")
}

// Disks are those of a node. The zero value are those of its spec.
type Disks struct {
	// Extra are the paths of disks that the spec no longer has, and that may hold something.
	Extra []string
	// Missing are the paths of disks that the spec has and that cannot be mounted yet.
	Missing []string
	// Metadata is the path of the disk with the metadata log; empty: the first one. Kafka does not start when it finds the
	// metadata log in another log directory than the one it is told.
	Metadata string
}

// Paths are those that Kafka uses: those of the spec in its order, then the others.
func (d Disks) Paths(node *Node) []string {
	var paths []string
	for _, storage := range node.Storage {
		if !slices.Contains(d.Missing, storage.Path) {
			paths = append(paths, storage.Path)
		}
	}
	for _, path := range slices.Sorted(slices.Values(d.Extra)) {
		if !slices.Contains(paths, path) {
			paths = append(paths, path)
		}
	}
	return paths
}

// logDirs are one for each disk.
func logDirs(node *Node, disks Disks) []serverproperties.Property {
	var dirs []string
	for _, path := range disks.Paths(node) {
		dirs = append(dirs, v1beta1.LogDir(path))
	}
	origin := fmt.Sprintf("storage of spec.brokerGroups[%s] and spec.brokers[%d]", node.Group, node.ID)
	properties := []serverproperties.Property{own("log.dirs", strings.Join(dirs, ","), origin)}
	if len(dirs) == 0 {
		return properties
	}
	metadata := dirs[0]
	if disks.Metadata != "" {
		metadata = v1beta1.LogDir(disks.Metadata)
	}
	return append(properties, own(metadataLogDir, metadata, origin))
}

const metadataLogDir = "metadata.log.dir"

// MetadataPath is the path of the disk that the metadata log is on, by the data of the node's ConfigMap; empty if it does
// not say. It is asked in every pass, so that only its line is read.
func MetadataPath(data map[string]string) string {
	for line := range strings.Lines(data[PropertiesKey]) {
		if dir, found := strings.CutPrefix(line, metadataLogDir+"="); found {
			return v1beta1.PathOfLogDir(strings.TrimSpace(dir))
		}
	}
	return ""
}

// listener is a listener of one node.
type listener struct {
	name string // in Kafka
	port int32
	// external is where clients outside the Kubernetes cluster reach it; nil if only those inside do.
	external *Address
}

// listenersOf are those that a node listens on.
func listenersOf(kc *v1beta1.KafkaCluster, node *Node) []listener {
	var listeners []listener
	if node.IsController() {
		listeners = append(listeners, listener{name: controllerListener, port: ControllerPort})
	}
	if !node.IsBroker() {
		return listeners
	}
	listeners = append(listeners, listener{name: replicationListener, port: v1beta1.ReplicationPort})
	for _, l := range kc.Spec.Listeners {
		client := listener{name: ListenerName(l), port: l.Port}
		if isExternal(l) {
			address, ok := node.Addresses[l.Name]
			if !ok {
				continue
			}
			client.external = &address
		}
		listeners = append(listeners, client)
	}
	return listeners
}

func listenerProperties(kc *v1beta1.KafkaCluster, node *Node) []serverproperties.Property {
	const origin = "spec.listeners"
	listeners := listenersOf(kc, node)
	var binds, addresses []string
	for _, l := range listeners {
		binds = append(binds, fmt.Sprintf("%s://:%d", l.name, l.port))
		addresses = append(addresses, fmt.Sprintf("%s://%s", l.name, advertised(node, l)))
	}
	properties := []serverproperties.Property{
		own("listeners", strings.Join(binds, ","), origin),
		own("advertised.listeners", strings.Join(addresses, ","), origin),
		own("controller.listener.names", controllerListener, origin),
	}
	if node.IsBroker() {
		properties = append(properties, own("inter.broker.listener.name", replicationListener, origin))
	}
	if !node.IsController() {
		// A broker is a client of the controllers' listener, and is configured for it by the same prefix.
		listeners = append([]listener{{name: controllerListener, port: ControllerPort}}, listeners...)
	}
	var protocols []string
	for _, l := range listeners {
		protocols = append(protocols, l.name+":SSL")
		properties = append(properties, tlsProperties(l.name)...)
	}
	return append(properties, own("listener.security.protocol.map", strings.Join(protocols, ","), origin))
}

// tlsProperties make a listener, and Kafka as its client, use the node's certificate. The key store is named for each
// listener, because only so can Kafka be made to load it again while it runs.
func tlsProperties(listener string) []serverproperties.Property {
	prefix, origin := "listener.name."+strings.ToLower(listener)+".ssl.", "spec.listeners[].tls and authentication"
	return []serverproperties.Property{
		own(prefix+"keystore.type", "PEM", origin),
		own(prefix+"keystore.location", keyStoreFile, origin),
		own(prefix+"truststore.type", "PEM", origin),
		own(prefix+"truststore.location", trustStoreFile, origin),
		own(prefix+"client.auth", "required", origin),
	}
}
