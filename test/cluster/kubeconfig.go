package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"
)

func newKubeconfigCommand(named clusterFunc) *cobra.Command {
	var path bool
	cmd := &cobra.Command{
		Use:   "kubeconfig",
		Short: "Print the administrator's kubeconfig",
		Long: `Print the administrator's kubeconfig. It is right on this machine and for commands that "exec" runs: the API server is
at the same loopback address in both places.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cluster, err := named()
			if err != nil {
				return err
			}
			content, err := os.ReadFile(cluster.Kubeconfig())
			if errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("cluster %s is not running: start it with the command up", cluster.Name)
			}
			if err != nil {
				return err
			}
			if path {
				content = []byte(cluster.Kubeconfig() + "\n")
			}
			_, err = cmd.OutOrStdout().Write(content)
			return err
		},
	}
	cmd.Flags().BoolVar(&path, "path", false, "print the file's path")
	return cmd
}
