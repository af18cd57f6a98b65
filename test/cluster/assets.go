package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"koperator.dev/koperator/test/cluster/internal/build"
	"koperator.dev/koperator/test/cluster/internal/progress"
)

func newAssetsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "assets",
		Short: "Build what envtest needs, and print the folder for KUBEBUILDER_ASSETS",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			builder, err := build.New(progress.New(os.Stderr))
			if err != nil {
				return err
			}
			dir, err := builder.Build(cmd.Context(), build.Kubernetes)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), dir)
			return err
		},
	}
}
