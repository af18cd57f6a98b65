package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"koperator.dev/koperator/test/cluster/internal/images"
	"koperator.dev/koperator/test/cluster/internal/layout"
	"koperator.dev/koperator/test/cluster/internal/progress"
	"koperator.dev/koperator/test/cluster/internal/supervisor"
)

func newLoadCommand(named clusterFunc) *cobra.Command {
	return &cobra.Command{
		Use:   "load IMAGE.tar...",
		Short: "Load container images into all nodes",
		Long: `Load container images into all nodes. Nodes that have the same image already are left alone. Pods find images whose
pull policy is IfNotPresent or Never; nothing can be pulled.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cluster, err := named()
			if err != nil {
				return err
			}
			return load(cmd.Context(), cluster, args, progress.New(os.Stderr))
		},
	}
}

func load(ctx context.Context, cluster layout.Cluster, files []string, reporter *progress.Reporter) error {
	status, err := supervisor.NewClient(cluster).Status(ctx)
	if err != nil {
		return fmt.Errorf("cluster %s: %w", cluster.Name, err)
	}
	nodes := runningNodes(status, reporter)
	loader := images.Loader{Cluster: cluster}
	for _, file := range files {
		step := reporter.Start("loading "+file, "10 seconds for 300 MB")
		had, err := loader.Load(ctx, file, nodes)
		step.End(err)
		if err != nil {
			return err
		}
		if len(had) > 0 {
			reporter.Say("already there: %s", strings.Join(had, ", "))
		}
	}
	return nil
}

// runningNodes leaves out nodes without power, and says so: they lack the images when they are healed.
func runningNodes(status supervisor.Status, reporter *progress.Reporter) []layout.Node {
	off := map[string]bool{}
	for _, m := range status.Machines {
		off[m.Name] = m.Off
	}
	var nodes []layout.Node
	for _, n := range layout.AllNodes() {
		if off[n.Name()] {
			reporter.Say("%s is killed: load the image again when it is healed", n.Name())
			continue
		}
		nodes = append(nodes, n)
	}
	return nodes
}
