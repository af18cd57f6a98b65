package main

import (
	"github.com/spf13/cobra"

	"koperator.dev/koperator/test/cluster/internal/outside"
	"koperator.dev/koperator/test/cluster/internal/requirements"
)

func newExecCommand(named clusterFunc) *cobra.Command {
	return &cobra.Command{
		Use:   "exec -- COMMAND [ARGUMENT...]",
		Short: "Run a command on the cluster's network",
		Long: `Run a command on the cluster's network, as a client that is outside of the cluster: Pods, Services and load balancers
can be reached, their names are known, and nothing else is there. Files, the current folder and the environment are the
caller's; KUBECONFIG is set if it was not, and proxies are not.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			cluster, err := named()
			if err != nil {
				return err
			}
			if err := requirements.Root(); err != nil {
				return err
			}
			return outside.Exec(cluster, args)
		},
	}
}
