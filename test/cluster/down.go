package main

import (
	"os"

	"github.com/spf13/cobra"

	"koperator.dev/koperator/test/cluster/internal/cleanup"
	"koperator.dev/koperator/test/cluster/internal/layout"
	"koperator.dev/koperator/test/cluster/internal/progress"
	"koperator.dev/koperator/test/cluster/internal/requirements"
)

func newDownCommand(named clusterFunc) *cobra.Command {
	return &cobra.Command{
		Use:   "down",
		Short: "Stop the cluster and remove all that it has on this machine",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			cluster, err := named()
			if err != nil {
				return err
			}
			return down(cluster, progress.New(os.Stderr))
		},
	}
}

func down(cluster layout.Cluster, reporter *progress.Reporter) error {
	if err := requirements.Root(); err != nil {
		return err
	}
	release, err := lockClusters(reporter)
	if err != nil {
		return err
	}
	defer release()
	left, err := cleanup.Find(cluster)
	if err != nil {
		return err
	}
	if len(left) == 0 {
		reporter.Say("there is no cluster %s", cluster.Name)
		return nil
	}
	step := reporter.Start("stopping cluster "+cluster.Name, "2 seconds")
	err = cleanup.Clear(cluster)
	step.End(err)
	return err
}
