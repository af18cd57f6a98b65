// Package controlplane describes the machine that runs etcd, the API server and what belongs to them.
package controlplane

import (
	_ "embed"
	"fmt"
	"os"
	"text/template"

	"koperator.dev/koperator/test/cluster/internal/layout"
	"koperator.dev/koperator/test/cluster/internal/machine"
	"koperator.dev/koperator/test/cluster/internal/pki"
)

const etcdAddress = "127.0.0.1:2379"

// Names of the certificates in the cluster's folder.
const (
	Admin             = "admin"
	apiServer         = "apiserver"
	controllerManager = "controller-manager"
	scheduler         = "scheduler"
	serviceAccounts   = "service-accounts"
)

// Server is the API server's address for all in the cluster's network.
func Server() string {
	return fmt.Sprintf("https://%s:%d", layout.ControlPlaneIP, layout.APIPort)
}

// Ready is an address that answers when the API server is ready to be used.
func Ready() string { return Server() + "/readyz" }

// ControlPlane is the control plane of a cluster.
type ControlPlane struct {
	Cluster   layout.Cluster
	Authority *pki.Authority
}

// Prepare writes its files.
func (c ControlPlane) Prepare() error {
	if err := c.issueCertificates(); err != nil {
		return fmt.Errorf("issuing certificates: %w", err)
	}
	if err := c.writeKubeconfigs(); err != nil {
		return err
	}
	if err := os.WriteFile(c.Cluster.ResolvConf(), []byte(resolvConf), 0o644); err != nil {
		return err
	}
	return c.writeCorefile()
}

// resolvConf is for all machines. Names of Services are short, and without doubt: nothing else has a name.
const resolvConf = "nameserver " + layout.ControlPlaneIP + "\nsearch svc.cluster.local cluster.local\n"

func (c ControlPlane) issueCertificates() error {
	if err := c.Authority.IssueKeyPair(serviceAccounts); err != nil {
		return err
	}
	for _, id := range []pki.Identity{
		{File: apiServer, User: "kube-apiserver", Group: "system:masters", Hosts: []string{
			"localhost", "127.0.0.1", layout.ControlPlaneIP, layout.APIServiceIP,
			"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local",
		}},
		{File: Admin, User: "admin", Group: "system:masters"},
		{File: controllerManager, User: "system:kube-controller-manager"},
		{File: scheduler, User: "system:kube-scheduler"},
	} {
		if err := c.Authority.Issue(id); err != nil {
			return err
		}
	}
	return nil
}

func (c ControlPlane) writeKubeconfigs() error {
	for _, name := range []string{Admin, controllerManager, scheduler} {
		if err := c.Authority.WriteKubeconfig(c.kubeconfig(name), c.Cluster.Name, Server(), name); err != nil {
			return err
		}
	}
	return nil
}

func (c ControlPlane) kubeconfig(name string) string {
	return c.Cluster.Path("pki", name+".kubeconfig")
}

//go:embed Corefile
var corefile string

func (c ControlPlane) writeCorefile() error {
	f, err := os.Create(c.corefile())
	if err != nil {
		return err
	}
	defer f.Close()
	return template.Must(template.New("Corefile").Parse(corefile)).Execute(f, map[string]string{
		"IP":         layout.ControlPlaneIP,
		"Kubeconfig": c.kubeconfig(Admin),
		"Context":    c.Cluster.Name,
		"Zone":       c.Cluster.Zone(),
	})
}

func (c ControlPlane) corefile() string { return c.Cluster.Path("Corefile") }

// Spec is the control plane's machine.
func (c ControlPlane) Spec() machine.Spec {
	return machine.Spec{
		Hostname:   layout.ControlPlane,
		Namespace:  c.Cluster.Namespace(layout.ControlPlane),
		ResolvConf: c.Cluster.ResolvConf(),
		LogDir:     c.Cluster.Logs(layout.ControlPlane),
		Components: []machine.Component{
			c.etcd(),
			c.apiServer(),
			c.controllerManager(),
			c.scheduler(),
			c.coreDNS(),
		},
	}
}

func (c ControlPlane) etcd() machine.Component {
	return machine.Component{
		Name: "etcd",
		Path: c.Cluster.Program("etcd"),
		Args: []string{
			"--data-dir=" + c.Cluster.Path("etcd"),
			"--listen-client-urls=http://" + etcdAddress,
			"--advertise-client-urls=http://" + etcdAddress,
			// What a crash of the whole machine loses is not worth waiting for a disk.
			"--unsafe-no-fsync",
		},
	}
}

func (c ControlPlane) apiServer() machine.Component {
	return machine.Component{
		Name:  "kube-apiserver",
		Path:  c.Cluster.Program("kube-apiserver"),
		Needs: []string{"tcp:" + etcdAddress},
		Args: []string{
			"--etcd-servers=http://" + etcdAddress,
			"--advertise-address=" + layout.ControlPlaneIP,
			fmt.Sprintf("--secure-port=%d", layout.APIPort),
			"--client-ca-file=" + c.Authority.CertFile("ca"),
			"--tls-cert-file=" + c.Authority.CertFile(apiServer),
			"--tls-private-key-file=" + c.Authority.KeyFile(apiServer),
			"--authorization-mode=Node,RBAC",
			"--enable-admission-plugins=NodeRestriction",
			"--allow-privileged",
			"--service-cluster-ip-range=" + layout.ServiceRange,
			"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
			"--service-account-key-file=" + c.Cluster.Path("pki", serviceAccounts+".pub"),
			"--service-account-signing-key-file=" + c.Authority.KeyFile(serviceAccounts),
			"--kubelet-client-certificate=" + c.Authority.CertFile(apiServer),
			"--kubelet-client-key=" + c.Authority.KeyFile(apiServer),
			"--kubelet-certificate-authority=" + c.Authority.CertFile("ca"),
			// There is no kube-proxy here: webhooks are called at the addresses of their Pods.
			"--enable-aggregator-routing",
			// Names of nodes are in no DNS.
			"--kubelet-preferred-address-types=InternalIP",
		},
	}
}

func (c ControlPlane) controllerManager() machine.Component {
	return machine.Component{
		Name:  "kube-controller-manager",
		Path:  c.Cluster.Program("kube-controller-manager"),
		Needs: []string{Ready()},
		Args: []string{
			"--kubeconfig=" + c.kubeconfig(controllerManager),
			"--root-ca-file=" + c.Authority.CertFile("ca"),
			"--cluster-signing-cert-file=" + c.Authority.CertFile("ca"),
			"--cluster-signing-key-file=" + c.Authority.KeyFile("ca"),
			"--service-account-private-key-file=" + c.Authority.KeyFile(serviceAccounts),
			"--use-service-account-credentials",
			"--leader-elect=false",
			"--allocate-node-cidrs=false",
			// Half of the usual time, so that tests of lost nodes do not take a minute longer.
			"--node-monitor-grace-period=20s",
			"--node-monitor-period=2s",
			"--bind-address=127.0.0.1",
		},
	}
}

func (c ControlPlane) scheduler() machine.Component {
	return machine.Component{
		Name:  "kube-scheduler",
		Path:  c.Cluster.Program("kube-scheduler"),
		Needs: []string{Ready()},
		Args: []string{
			"--kubeconfig=" + c.kubeconfig(scheduler),
			"--leader-elect=false",
			"--bind-address=127.0.0.1",
		},
	}
}

func (c ControlPlane) coreDNS() machine.Component {
	return machine.Component{
		Name:  "coredns",
		Path:  c.Cluster.Program("coredns"),
		Args:  []string{"-conf", c.corefile()},
		Needs: []string{Ready()},
	}
}
