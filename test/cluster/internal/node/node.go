// Package node describes the machines that run Pods: a kubelet, containerd and kube-proxy each.
package node

import (
	"embed"
	"fmt"
	"os"
	"path/filepath"
	"text/template"

	"koperator.dev/koperator/test/cluster/internal/cgroup"
	"koperator.dev/koperator/test/cluster/internal/controlplane"
	"koperator.dev/koperator/test/cluster/internal/layout"
	"koperator.dev/koperator/test/cluster/internal/machine"
	"koperator.dev/koperator/test/cluster/internal/pki"
)

//go:embed files
var files embed.FS

var templates = template.Must(template.ParseFS(files, "files/*"))

// Node is a node of a cluster.
type Node struct {
	Cluster layout.Cluster
	layout.Node
}

// Dir is the folder of what is on the node's disk.
func (n Node) Dir() string { return n.Cluster.Path(n.Name()) }

// Containerd is the socket that containerd serves at.
func (n Node) Containerd() string { return filepath.Join(n.Dir(), "containerd.sock") }

// Prepare writes the node's files.
func (n Node) Prepare(authority *pki.Authority, cniPlugins string) error {
	if err := n.prepareIdentity(authority); err != nil {
		return fmt.Errorf("making the identity of %s: %w", n.Name(), err)
	}
	values := map[string]any{
		"Node":       n.Node,
		"Dir":        n.Dir(),
		"CA":         authority.CertFile("ca"),
		"Cert":       authority.CertFile(n.Name()),
		"Key":        authority.KeyFile(n.Name()),
		"DNS":        layout.DNSServiceIP,
		"Containerd": n.Containerd(),
		"CgroupRoot": cgroup.NodePath(n.Cluster, n.Node),
		"PodLogs":    filepath.Join(n.Dir(), "pod-logs"),
		"PauseImage": PauseImage,
		"CNIPlugins": cniPlugins,
	}
	for name, path := range map[string]string{
		"kubelet.yaml":    n.kubeletConfig(),
		"containerd.toml": n.containerdConfig(),
		// Every Pod has a link of its own, and no bridge: on one, Pods of a node would answer each other past the rules that
		// rewrite addresses of Services, unless the kernel has a module that not all have.
		"pods.conflist": filepath.Join(n.Dir(), "cni", "pods.conflist"),
	} {
		if err := render(name, path, values); err != nil {
			return fmt.Errorf("writing %s of %s: %w", name, n.Name(), err)
		}
	}
	return nil
}

func (n Node) prepareIdentity(authority *pki.Authority) error {
	for _, id := range []pki.Identity{
		{File: n.Name(), User: "system:node:" + n.Name(), Group: "system:nodes", Hosts: []string{n.Name(), n.IP()}},
		{File: n.proxyName(), User: "system:kube-proxy"},
	} {
		if err := authority.Issue(id); err != nil {
			return err
		}
		if err := authority.WriteKubeconfig(n.kubeconfig(id.File), n.Cluster.Name, controlplane.Server(), id.File); err != nil {
			return err
		}
	}
	return nil
}

func render(name, path string, values any) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return templates.ExecuteTemplate(f, name, values)
}

func (n Node) proxyName() string        { return n.Name() + "-proxy" }
func (n Node) kubeletConfig() string    { return filepath.Join(n.Dir(), "kubelet.yaml") }
func (n Node) containerdConfig() string { return filepath.Join(n.Dir(), "containerd.toml") }

func (n Node) kubeconfig(identity string) string {
	return n.Cluster.Path("pki", identity+".kubeconfig")
}

// Spec is the node's machine.
func (n Node) Spec() machine.Spec {
	return machine.Spec{
		Hostname:   n.Name(),
		Namespace:  n.Cluster.Namespace(n.Name()),
		ResolvConf: n.Cluster.ResolvConf(),
		// The kubelet's statistics of containers ignore its configuration, and look for containerd at its usual place.
		Links:  map[string]string{"/run/containerd/containerd.sock": n.Containerd()},
		LogDir: n.Cluster.Logs(n.Name()),
		Components: []machine.Component{
			n.containerd(),
			n.kubelet(),
			n.proxy(),
		},
	}
}

func (n Node) containerd() machine.Component {
	return machine.Component{
		Name: "containerd",
		Path: n.Cluster.Program("containerd"),
		Args: []string{"--config", n.containerdConfig()},
		// It looks for its shim and for runc.
		Env: []string{"PATH=" + n.Cluster.Programs() + ":" + machine.SearchPath},
	}
}

func (n Node) kubelet() machine.Component {
	return machine.Component{
		Name:  "kubelet",
		Path:  n.Cluster.Program("kubelet"),
		Env:   []string{"PATH=" + machine.SearchPath},
		Needs: []string{"unix:" + n.Containerd(), controlplane.Ready()},
		Args: []string{
			"--config=" + n.kubeletConfig(),
			"--kubeconfig=" + n.kubeconfig(n.Name()),
			"--root-dir=" + filepath.Join(n.Dir(), "kubelet"),
			"--hostname-override=" + n.Name(),
			"--node-ip=" + n.IP(),
			"--node-labels=topology.kubernetes.io/zone=" + n.Zone(),
		},
	}
}

func (n Node) proxy() machine.Component {
	return machine.Component{
		Name:  "kube-proxy",
		Path:  n.Cluster.Program("kube-proxy"),
		Env:   []string{"PATH=" + machine.SearchPath},
		Needs: []string{controlplane.Ready()},
		Args: []string{
			"--kubeconfig=" + n.kubeconfig(n.proxyName()),
			"--hostname-override=" + n.Name(),
			"--proxy-mode=nftables",
			"--cluster-cidr=" + layout.PodRange,
			// These are settings of the whole machine, and not for a guest to change.
			"--conntrack-max-per-core=0",
			"--conntrack-tcp-timeout-established=0",
			"--conntrack-tcp-timeout-close-wait=0",
		},
	}
}
