// Package layout says where things are: which folders, namespaces and addresses a cluster of a given name has. All of it
// follows from the name alone, so that any clone of the project finds a cluster that another one started.
package layout

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// clustersDir is short because paths of Unix sockets may have 107 characters at most.
const clustersDir = "/var/lib/koperator/clusters"

// Machines of every cluster.
const (
	ControlPlane = "control-plane"
	Outside      = "outside"
)

// Nodes is how many nodes a cluster has: as many as Kafka needs to survive the loss of one.
const Nodes = 3

// Ranges inside the namespaces. Nothing outside of them ever sees an address, so that clusters may use the same ones, and
// so may the network of the machine.
const (
	APIPort          = 6443
	ControlPlaneIP   = "203.0.113.10"
	OutsideIP        = "192.0.2.30"
	OutsideGateway   = "192.0.2.1"
	SubnetBits       = 24
	ServiceRange     = "198.19.0.0/16"
	APIServiceIP     = "198.19.0.1"
	DNSServiceIP     = "198.19.0.10"
	LoadBalancerCIDR = "198.51.100.0/24"
	PodRange         = "198.18.0.0/16"
)

var validName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,19}$`)

// Cluster is a local cluster of a name.
type Cluster struct {
	Name string
}

// New checks the name.
func New(name string) (Cluster, error) {
	if !validName.MatchString(name) {
		return Cluster{}, fmt.Errorf("invalid cluster name %q: it must match %s", name, validName)
	}
	return Cluster{Name: name}, nil
}

// ClustersDir holds a folder for every cluster on this machine.
func ClustersDir() string { return clustersDir }

// Dir is where all files of the cluster are.
func (c Cluster) Dir() string { return filepath.Join(clustersDir, c.Name) }

// Path is a path in the cluster's folder.
func (c Cluster) Path(elements ...string) string {
	return filepath.Join(append([]string{c.Dir()}, elements...)...)
}

// Programs is the folder of all programs that the cluster runs.
func (c Cluster) Programs() string { return c.Path("bin") }

// Program is the path of one of them.
func (c Cluster) Program(name string) string { return c.Path("bin", name) }

// Socket is where the supervisor takes commands.
func (c Cluster) Socket() string { return c.Path("supervisor.sock") }

// Kubeconfig is the administrator's.
func (c Cluster) Kubeconfig() string { return c.Path("kubeconfig") }

// ResolvConf names the cluster's DNS server.
func (c Cluster) ResolvConf() string { return c.Path("resolv.conf") }

// Zone has the names that are in no cluster.
func (c Cluster) Zone() string { return c.Path("external.zone") }

// Logs is the folder of the log files of a machine's components.
func (c Cluster) Logs(machine string) string { return c.Path("logs", machine) }

// SupervisorLog is the supervisor's own log file.
func (c Cluster) SupervisorLog() string { return c.Path("logs", "supervisor.log") }

// Volumes is where the contents of all volumes are mounted, by node.
func (c Cluster) Volumes() string { return c.Path("volumes") }

// VolumeImages is where volumes are kept, by node.
func (c Cluster) VolumeImages() string { return c.Path("disks") }

// Namespace is the name of a machine's network namespace.
func (c Cluster) Namespace(machine string) string { return c.Name + "-" + machine }

// Machines are the names of all machines of a cluster.
func (c Cluster) Machines() []string {
	names := []string{ControlPlane, Outside}
	for _, n := range AllNodes() {
		names = append(names, n.Name())
	}
	return names
}

// AllNodes are the nodes of a cluster.
func AllNodes() []Node {
	nodes := make([]Node, Nodes)
	for i := range nodes {
		nodes[i] = Node{Number: i + 1}
	}
	return nodes
}

// Node is one of the machines that run Pods.
type Node struct {
	Number int
}

// ParseNode reads "2" or "node2".
func ParseNode(s string) (Node, error) {
	number, err := strconv.Atoi(strings.TrimPrefix(s, "node"))
	if err != nil || number < 1 || number > Nodes {
		return Node{}, fmt.Errorf("there is no node %q: there are node1 to node%d", s, Nodes)
	}
	return Node{Number: number}, nil
}

// Name is the name of the Node and of its machine.
func (n Node) Name() string { return fmt.Sprintf("node%d", n.Number) }

// Zone is the failure domain that the node is in.
func (n Node) Zone() string { return "zone-" + string(rune('a'+n.Number-1)) }

// IP is the node's address.
func (n Node) IP() string { return fmt.Sprintf("203.0.113.%d", 20+n.Number) }

// PodCIDR is the range of the addresses of the node's Pods.
func (n Node) PodCIDR() string { return fmt.Sprintf("198.18.%d.0/24", n.Number) }
