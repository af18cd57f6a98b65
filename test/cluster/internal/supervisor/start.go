package supervisor

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"koperator.dev/koperator/test/cluster/internal/addons"
	"koperator.dev/koperator/test/cluster/internal/cgroup"
	"koperator.dev/koperator/test/cluster/internal/controlplane"
	"koperator.dev/koperator/test/cluster/internal/forward"
	"koperator.dev/koperator/test/cluster/internal/images"
	"koperator.dev/koperator/test/cluster/internal/layout"
	"koperator.dev/koperator/test/cluster/internal/loadbalancer"
	"koperator.dev/koperator/test/cluster/internal/logtail"
	"koperator.dev/koperator/test/cluster/internal/netns"
	"koperator.dev/koperator/test/cluster/internal/node"
	"koperator.dev/koperator/test/cluster/internal/pki"
	"koperator.dev/koperator/test/cluster/internal/storage"
)

const (
	pollInterval = 100 * time.Millisecond
	// patience is many times what a slow machine needs.
	patience = 3 * time.Minute
)

// start is what the steps of a start hand on to each other.
type start struct {
	*Supervisor
	authority *pki.Authority
	client    kubernetes.Interface
}

// startCluster does all that makes a cluster, and says in the status how far it is.
func (s *Supervisor) startCluster(ctx context.Context) {
	st := &start{Supervisor: s}
	for _, step := range []struct {
		what, usual string
		do          func(context.Context) error
	}{
		{"creating the network", "less than a second", st.createNetwork},
		{"writing certificates and configuration", "less than a second", st.writeFiles},
		{"starting the machines", "less than a second", st.startMachines},
		{"waiting for the API server", "3 to 10 seconds", st.awaitAPIServer},
		{"installing add-ons", "1 to 3 seconds", st.installAddons},
		{"waiting for the nodes", "1 to 5 seconds", st.awaitNodes},
	} {
		if err := s.step(ctx, step.what, step.usual, step.do); err != nil {
			return
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status.Ready = true
}

func (s *Supervisor) step(ctx context.Context, what, usual string, do func(context.Context) error) error {
	s.mu.Lock()
	s.status.Started = append(s.status.Started, Step{What: what, Usual: usual, Begun: time.Now()})
	current := len(s.status.Started) - 1
	s.mu.Unlock()

	err := do(ctx)

	s.mu.Lock()
	defer s.mu.Unlock()
	s.status.Started[current].Ended = time.Now()
	if err != nil {
		slog.Error("Starting the cluster", "step", what, "err", err)
		s.status.Failure = fmt.Sprintf("%s: %v", what, err)
	}
	return err
}

func (st *start) createNetwork(context.Context) error {
	if err := st.fabric.Create(); err != nil {
		return err
	}
	return st.disks.Prepare()
}

func (st *start) writeFiles(context.Context) error {
	var err error
	if st.authority, err = pki.NewAuthority(st.cluster.Path("pki")); err != nil {
		return fmt.Errorf("making the certificate authority: %w", err)
	}
	if err := st.controlPlane().Prepare(); err != nil {
		return err
	}
	if err := loadbalancer.WriteEmptyZone(st.cluster.Zone()); err != nil {
		return err
	}
	for _, n := range st.nodes() {
		if err := n.Prepare(st.authority, st.config.CNIPlugins); err != nil {
			return err
		}
	}
	return nil
}

func (st *start) controlPlane() controlplane.ControlPlane {
	return controlplane.ControlPlane{Cluster: st.cluster, Authority: st.authority}
}

func (s *Supervisor) nodes() []node.Node {
	var nodes []node.Node
	for _, n := range layout.AllNodes() {
		nodes = append(nodes, node.Node{Cluster: s.cluster, Node: n})
	}
	return nodes
}

func (st *start) startMachines(context.Context) error {
	if err := st.startMachine(st.controlPlane().Spec()); err != nil {
		return err
	}
	for _, n := range st.nodes() {
		if err := st.startNode(n); err != nil {
			return err
		}
	}
	return nil
}

func (s *Supervisor) startNode(n node.Node) error {
	if err := cgroup.Create(cgroup.NodePath(s.cluster, n.Node)); err != nil {
		return err
	}
	return s.startMachine(n.Spec())
}

// awaitAPIServer also opens the ways to it: one from this machine, and one at the same address from the outside namespace,
// so that the same kubeconfig is right in both.
func (st *start) awaitAPIServer(ctx context.Context) error {
	address, err := st.serveAPI(ctx)
	if err != nil {
		return fmt.Errorf("opening a way to the API server: %w", err)
	}
	kubeconfig := st.cluster.Kubeconfig()
	if err := st.authority.WriteKubeconfig(kubeconfig, st.cluster.Name, "https://"+address, controlplane.Admin); err != nil {
		return err
	}
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	config.QPS, config.Burst = 100, 200
	if st.client, err = kubernetes.NewForConfig(config); err != nil {
		return err
	}
	return st.await(ctx, "the API server is not ready", func(ctx context.Context) bool {
		return st.client.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error() == nil
	})
}

func (st *start) serveAPI(ctx context.Context) (string, error) {
	here, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	address := here.Addr().String()
	outside, err := netns.Listen(st.cluster.Namespace(layout.Outside), "tcp", address)
	if err != nil {
		here.Close()
		return "", err
	}
	dial := netns.Dialer(st.cluster.Namespace(layout.ControlPlane))
	server := fmt.Sprintf("%s:%d", layout.ControlPlaneIP, layout.APIPort)
	go forward.Serve(ctx, here, dial, server)
	go forward.Serve(ctx, outside, dial, server)
	return address, nil
}

func (st *start) installAddons(ctx context.Context) error {
	st.serve("volumes", func() error { return storage.Run(ctx, st.client, st.disks) })
	st.serve("load balancers", func() error { return loadbalancer.Run(ctx, st.client, st.fabric) })

	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := addons.Install(limited, st.client); err != nil {
		return err
	}
	_, err := images.Loader{Cluster: st.cluster}.Load(limited, st.config.PauseImage, layout.AllNodes())
	return err
}

// serve starts what runs as long as the cluster does.
func (st *start) serve(what string, run func() error) {
	go func() {
		if err := run(); err != nil {
			slog.Error("Serving "+what, "err", err)
		}
	}()
}

// awaitNodes also waits for what the first Pod needs.
func (st *start) awaitNodes(ctx context.Context) error {
	return st.await(ctx, "not all nodes are ready", func(ctx context.Context) bool {
		nodes, err := st.client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
		if err != nil || CountReady(nodes.Items) < layout.Nodes {
			return false
		}
		_, err = st.client.CoreV1().ServiceAccounts(metav1.NamespaceDefault).Get(ctx, "default", metav1.GetOptions{})
		return err == nil
	})
}

// CountReady counts nodes that are Ready.
func CountReady(nodes []corev1.Node) int {
	ready := 0
	for _, n := range nodes {
		for _, c := range n.Status.Conditions {
			if c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue {
				ready++
			}
		}
	}
	return ready
}

// await waits for a condition. It does not wait any longer if a component ended: that will not heal by itself.
func (st *start) await(ctx context.Context, otherwise string, condition func(context.Context) bool) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for !condition(ctx) {
		if err := st.endedError(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s after %s: see the logs in %s", otherwise, patience, st.cluster.Path("logs"))
		case <-time.After(pollInterval):
		}
	}
	return nil
}

func (st *start) endedError() error {
	st.mu.Lock()
	ended := st.status.Ended()
	st.mu.Unlock()
	if len(ended) == 0 {
		return nil
	}
	c := ended[0]
	return fmt.Errorf("%s ended: %s; the last lines of %s:\n%s", c.Name, c.Ended, c.Log, logtail.Last(c.Log))
}
