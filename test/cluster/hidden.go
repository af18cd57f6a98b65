package main

import (
	"github.com/spf13/cobra"

	"koperator.dev/koperator/test/cluster/internal/layout"
	"koperator.dev/koperator/test/cluster/internal/machine"
	"koperator.dev/koperator/test/cluster/internal/supervisor"
)

// newSuperviseCommand is how this program is started in the background.
func newSuperviseCommand() *cobra.Command {
	return &cobra.Command{
		Use:    supervisor.Command + " CLUSTER",
		Short:  "Run a cluster, until this process ends",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cluster, err := layout.New(args[0])
			if err != nil {
				return err
			}
			return supervisor.Run(cmd.Context(), cluster)
		},
	}
}

// newMachineInitCommand is how this program is started as the first process of a machine.
func newMachineInitCommand() *cobra.Command {
	return &cobra.Command{
		Use:    machine.InitCommand + " SPEC",
		Short:  "Be the first process of a machine",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			return machine.RunInit(args[0])
		},
	}
}
