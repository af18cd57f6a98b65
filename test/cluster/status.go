package main

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"koperator.dev/koperator/test/cluster/internal/cleanup"
	"koperator.dev/koperator/test/cluster/internal/layout"
	"koperator.dev/koperator/test/cluster/internal/supervisor"
)

func newStatusCommand(named clusterFunc) *cobra.Command {
	var leftovers bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show what runs, and fail if something does not",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cluster, err := named()
			if err != nil {
				return err
			}
			if leftovers {
				return showLeftovers(cmd.OutOrStdout(), cluster)
			}
			status, err := supervisor.NewClient(cluster).Status(cmd.Context())
			if err != nil {
				return fmt.Errorf("cluster %s: %w", cluster.Name, err)
			}
			return showStatus(cmd.OutOrStdout(), status)
		},
	}
	cmd.Flags().BoolVar(&leftovers, "leftovers", false, "list all that the cluster has on this machine, running or not, and fail if there is anything")
	return cmd
}

func showLeftovers(out io.Writer, cluster layout.Cluster) error {
	left, err := cleanup.Find(cluster)
	if err != nil {
		return err
	}
	for _, l := range left {
		fmt.Fprintln(out, l)
	}
	if len(left) > 0 {
		return fmt.Errorf("cluster %s has %d things on this machine", cluster.Name, len(left))
	}
	return nil
}

func showStatus(out io.Writer, status supervisor.Status) error {
	table := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	fmt.Fprintln(table, "MACHINE\tCOMPONENT\tPID\tSTATE")
	for _, m := range status.Machines {
		fmt.Fprintf(table, "%s\t\t%s\t%s\n", m.Name, number(m.InitPID), machineState(m))
		for _, c := range m.Components {
			if m.Off || c.Name == "init" {
				continue
			}
			fmt.Fprintf(table, "\t%s\t%s\t%s\n", c.Name, number(c.PID), componentState(c))
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	return problem(status)
}

func number(pid int) string {
	if pid == 0 {
		return ""
	}
	return strconv.Itoa(pid)
}

func machineState(m supervisor.Machine) string {
	switch {
	case m.Off:
		return "killed"
	case m.Cut:
		return "cut off"
	default:
		return "running"
	}
}

func componentState(c supervisor.Component) string {
	switch {
	case c.Ended != "":
		return c.Ended + ", see " + c.Log
	case c.PID == 0:
		return "waiting for what it needs"
	default:
		return "running"
	}
}

func problem(status supervisor.Status) error {
	switch {
	case status.Failure != "":
		return errors.New(status.Failure)
	case !status.Ready:
		return errors.New("the cluster is starting")
	case len(status.Ended()) > 0:
		return fmt.Errorf("%s ended", status.Ended()[0].Name)
	default:
		return nil
	}
}
