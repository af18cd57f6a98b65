// Command cluster runs a real Kubernetes of three nodes on this machine, without any container engine, and makes nodes
// suffer what nodes suffer.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"koperator.dev/koperator/test/cluster/internal/layout"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, unix.SIGTERM)
	defer stop()
	if err := newRootCommand().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
}

func newRootCommand() *cobra.Command {
	name := new(string)
	root := &cobra.Command{
		Use:           "cluster",
		Short:         "A Kubernetes of three nodes on this machine, without a container engine",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.PersistentFlags().StringVar(name, "name", "koperator", "name of the cluster: several can run side by side")
	named := func() (layout.Cluster, error) { return layout.New(*name) }
	root.AddCommand(
		newUpCommand(named),
		newDownCommand(named),
		newStatusCommand(named),
		newLoadCommand(named),
		newKubeconfigCommand(named),
		newExecCommand(named),
		newNodeRunCommand(named),
		newAssetsCommand(),
		newEnvoyCommand(),
		newImageCommand(),
		newSuperviseCommand(),
		newMachineInitCommand(),
	)
	root.AddCommand(newFaultCommands(named)...)
	return root
}

// clusterFunc returns the cluster that the user means.
type clusterFunc func() (layout.Cluster, error)
