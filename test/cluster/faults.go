package main

import (
	"github.com/spf13/cobra"

	"koperator.dev/koperator/test/cluster/internal/layout"
	"koperator.dev/koperator/test/cluster/internal/supervisor"
)

// newFaultCommands can be run from inside "exec", too: it is the supervisor that acts.
func newFaultCommands(named clusterFunc) []*cobra.Command {
	var commands []*cobra.Command
	for _, c := range []struct {
		fault            supervisor.Fault
		use, short, long string
	}{
		{
			fault: supervisor.Kill, use: "kill-node", short: "Cut the power of a node",
			long: "All its processes end at once, and nobody is told. Its volumes keep what is in them.",
		},
		{
			fault: supervisor.Cut, use: "cut-node", short: "Cut a node off the network",
			long: "Everything on the node goes on, but nothing that is sent to it or by it arrives.",
		},
		{
			fault: supervisor.Heal, use: "heal-node", short: "Undo kill-node or cut-node",
			long: "The node is Ready some seconds later.",
		},
		{
			fault: supervisor.LoseDisks, use: "lose-disks", short: "Lose what is in the volumes of a node",
			long: "The volumes are there again, and empty. A node that was killed has them when it is healed; of one that runs, all files\nare removed.",
		},
	} {
		commands = append(commands, &cobra.Command{
			Use:   c.use + " NODE",
			Short: c.short,
			Long:  c.short + ". " + c.long,
			Args:  cobra.ExactArgs(1),
			RunE: func(cmd *cobra.Command, args []string) error {
				cluster, err := named()
				if err != nil {
					return err
				}
				node, err := layout.ParseNode(args[0])
				if err != nil {
					return err
				}
				return supervisor.NewClient(cluster).Inflict(cmd.Context(), node, c.fault)
			},
		})
	}
	return commands
}
