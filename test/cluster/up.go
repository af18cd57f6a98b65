package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"koperator.dev/koperator/test/cluster/internal/build"
	"koperator.dev/koperator/test/cluster/internal/cleanup"
	"koperator.dev/koperator/test/cluster/internal/image"
	"koperator.dev/koperator/test/cluster/internal/layout"
	"koperator.dev/koperator/test/cluster/internal/lock"
	"koperator.dev/koperator/test/cluster/internal/logtail"
	"koperator.dev/koperator/test/cluster/internal/node"
	"koperator.dev/koperator/test/cluster/internal/progress"
	"koperator.dev/koperator/test/cluster/internal/requirements"
	"koperator.dev/koperator/test/cluster/internal/supervisor"
)

const statusInterval = 100 * time.Millisecond

func newUpCommand(named clusterFunc) *cobra.Command {
	return &cobra.Command{
		Use:   "up",
		Short: "Start the cluster, if it is not running",
		Long: `Start the cluster, if it is not running: three nodes, each in a zone of its own.

The first time on a machine this builds all programs, which takes a quarter of an hour on two cores. What is left of a
cluster that crashed is removed first.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cluster, err := named()
			if err != nil {
				return err
			}
			return up(cmd.Context(), cluster, progress.New(os.Stderr))
		},
	}
}

func up(ctx context.Context, cluster layout.Cluster, reporter *progress.Reporter) error {
	if err := requirements.Root(); err != nil {
		return err
	}
	begun := time.Now()
	if err := requirements.EnsureKernel(reporter); err != nil {
		return err
	}
	parts, err := makeParts(ctx, reporter)
	if err != nil {
		return err
	}
	release, err := lockClusters(reporter)
	if err != nil {
		return err
	}
	defer release()
	running, err := isRunning(ctx, cluster, reporter)
	if err != nil || running {
		return err
	}
	if err := clearCrashed(cluster, reporter); err != nil {
		return err
	}
	if err := parts.install(cluster); err != nil {
		return fmt.Errorf("preparing cluster %s: %w", cluster.Name, err)
	}
	supervisorEnded, err := startSupervisor(cluster)
	if err != nil {
		return fmt.Errorf("starting the supervisor of cluster %s: %w", cluster.Name, err)
	}
	if err := follow(ctx, cluster, supervisorEnded, reporter); err != nil {
		return err
	}
	reporter.Say("cluster %s is ready after %s; kubectl needs: export KUBECONFIG=%s",
		cluster.Name, time.Since(begun).Round(100*time.Millisecond), cluster.Kubeconfig())
	return nil
}

// makeParts makes all that a cluster of whatever name needs.
func makeParts(ctx context.Context, reporter *progress.Reporter) (*parts, error) {
	builder, err := build.New(reporter)
	if err != nil {
		return nil, err
	}
	building, err := anyMissing(builder)
	if err != nil {
		return nil, err
	}
	if err := requirements.Ensure(ctx, building, reporter); err != nil {
		return nil, err
	}
	p := &parts{config: supervisor.Config{CNIPlugins: requirements.CNIPlugins()}}
	for _, program := range build.Cluster() {
		dir, err := builder.Build(ctx, program)
		if err != nil {
			return nil, err
		}
		p.programs = append(p.programs, dir)
	}
	p.config.PauseImage, err = makePauseImage(ctx, builder)
	return p, err
}

func anyMissing(builder *build.Builder) (bool, error) {
	for _, program := range build.Cluster() {
		if built, err := builder.Built(program); err != nil || !built {
			return true, err
		}
	}
	return false, nil
}

func makePauseImage(ctx context.Context, builder *build.Builder) (string, error) {
	dir, err := builder.Build(ctx, build.Pause)
	if err != nil {
		return "", err
	}
	cache, err := image.UserCache(os.Stderr)
	if err != nil {
		return "", err
	}
	return node.PauseImageTar(ctx, cache, dir)
}

// lockClusters lets only one cluster of this machine be started or stopped at a time.
func lockClusters(reporter *progress.Reporter) (release func(), err error) {
	if err := os.MkdirAll(layout.ClustersDir(), 0o755); err != nil {
		return nil, err
	}
	return lock.Acquire(layout.ClustersDir(), func() {
		reporter.Say("waiting for another process that starts or stops a cluster")
	})
}

// isRunning is an error if the cluster is broken: only its user can say whether what is on it may go.
func isRunning(ctx context.Context, cluster layout.Cluster, reporter *progress.Reporter) (bool, error) {
	status, err := supervisor.NewClient(cluster).Status(ctx)
	if errors.Is(err, supervisor.ErrNotRunning) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if ended := status.Ended(); len(ended) > 0 {
		c := ended[0]
		return false, fmt.Errorf("cluster %s is broken, so run down before up: %s ended: %s; the last lines of %s:\n%s",
			cluster.Name, c.Name, c.Ended, c.Log, logtail.Last(c.Log))
	}
	if !status.Ready {
		return false, fmt.Errorf("cluster %s could not be started, so run down before up: %s", cluster.Name, status.Failure)
	}
	reporter.Say("cluster %s is running", cluster.Name)
	return true, nil
}

func clearCrashed(cluster layout.Cluster, reporter *progress.Reporter) error {
	left, err := cleanup.Find(cluster)
	if err != nil || len(left) == 0 {
		return err
	}
	reporter.Say("removing what is left of a cluster %s that crashed: %s, and %d more", cluster.Name, left[0], len(left)-1)
	return cleanup.Clear(cluster)
}

// follow shows what the supervisor does until it is done.
func follow(ctx context.Context, cluster layout.Cluster, supervisorEnded <-chan error, reporter *progress.Reporter) error {
	client := supervisor.NewClient(cluster)
	f := follower{reporter: reporter}
	for {
		status, err := client.Status(ctx)
		if err != nil && !errors.Is(err, supervisor.ErrNotRunning) {
			return err
		}
		f.show(status)
		if status.Failure != "" {
			return fmt.Errorf("starting cluster %s: %s", cluster.Name, status.Failure)
		}
		if status.Ready {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-supervisorEnded:
			return fmt.Errorf("the supervisor ended: %w; the last lines of %s:\n%s", err, cluster.SupervisorLog(), logtail.Last(cluster.SupervisorLog()))
		case <-time.After(statusInterval):
		}
	}
}

// follower turns a growing list of steps into progress.
type follower struct {
	reporter *progress.Reporter
	shown    []*progress.Step
	ended    int
}

func (f *follower) show(status supervisor.Status) {
	for i, step := range status.Started {
		if i == len(f.shown) {
			f.shown = append(f.shown, f.reporter.Start(step.What, step.Usual))
		}
		if i >= f.ended && !step.Ended.IsZero() {
			var failure error
			if status.Failure != "" && i == len(status.Started)-1 {
				failure = errors.New(status.Failure)
			}
			f.shown[i].End(failure)
			f.ended++
		}
	}
}
