package main

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"koperator.dev/koperator/test/cluster/internal/layout"
	"koperator.dev/koperator/test/cluster/internal/machine"
	"koperator.dev/koperator/test/cluster/internal/node"
	"koperator.dev/koperator/test/cluster/internal/requirements"
	"koperator.dev/koperator/test/cluster/internal/supervisor"
)

func newNodeRunCommand(named clusterFunc) *cobra.Command {
	return &cobra.Command{
		Use:   "node-run NODE -- COMMAND [ARGUMENT...]",
		Short: "Run a command on a node, among its processes, mounts and links",
		Long: `Run a command on a node, among its processes, mounts and links. The cluster's own programs are found first, and ctr
talks to the node's containerd: node-run 1 -- ctr containers list`,
		Args: cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			cluster, err := named()
			if err != nil {
				return err
			}
			n, err := layout.ParseNode(args[0])
			if err != nil {
				return err
			}
			if err := requirements.Root(); err != nil {
				return err
			}
			status, err := supervisor.NewClient(cluster).Status(cmd.Context())
			if err != nil {
				return fmt.Errorf("cluster %s: %w", cluster.Name, err)
			}
			return runOnNode(node.Node{Cluster: cluster, Node: n}, status, args[1:])
		},
	}
}

// runOnNode replaces this process by nsenter, which starts the command: only a child can be in another PID namespace.
func runOnNode(n node.Node, status supervisor.Status, command []string) error {
	m, err := status.RunningMachine(n.Name())
	if err != nil {
		return err
	}
	nsenter, err := exec.LookPath("nsenter")
	if err != nil {
		return err
	}
	arguments := append([]string{nsenter, "--target", strconv.Itoa(m.InitPID), "--mount", "--uts", "--ipc", "--net", "--pid", "--"}, command...)
	// The first of two variables of the same name would win.
	env := slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "PATH=") })
	env = append(env,
		"PATH="+n.Cluster.Programs()+":"+machine.SearchPath,
		"CONTAINERD_ADDRESS="+n.Containerd(),
		"CONTAINERD_NAMESPACE=k8s.io",
	)
	return unix.Exec(nsenter, arguments, env)
}
