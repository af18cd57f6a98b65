// Package cleanup finds what a cluster has on this machine, by nothing but the cluster's name, and removes it. It works
// after any crash, of the supervisor or of a part of it.
package cleanup

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"koperator.dev/koperator/test/cluster/internal/cgroup"
	"koperator.dev/koperator/test/cluster/internal/fabric"
	"koperator.dev/koperator/test/cluster/internal/layout"
	"koperator.dev/koperator/test/cluster/internal/netns"
)

const (
	killAttempts = 100
	killInterval = 50 * time.Millisecond
)

// Leftover is something that a cluster has.
type Leftover struct {
	Kind, Name string
}

func (l Leftover) String() string { return l.Kind + " " + l.Name }

// Find lists all that there is of a cluster.
func Find(cluster layout.Cluster) ([]Leftover, error) {
	var found []Leftover
	processes, err := findProcesses(cluster)
	if err != nil {
		return nil, err
	}
	for _, p := range processes {
		found = append(found, Leftover{"process", p.String()})
	}
	mounts, err := findMounts(cluster)
	if err != nil {
		return nil, err
	}
	for _, m := range mounts {
		found = append(found, Leftover{"mount", m})
	}
	for _, m := range cluster.Machines() {
		if name := cluster.Namespace(m); netns.Exists(name) {
			found = append(found, Leftover{"network namespace", name})
		}
	}
	devices, err := findLoopDevices(cluster)
	if err != nil {
		return nil, err
	}
	for _, d := range devices {
		found = append(found, Leftover{"loop device", d})
	}
	groups, err := cgroup.Find(cgroup.ClusterPath(cluster))
	if err != nil {
		return nil, err
	}
	for _, g := range groups {
		found = append(found, Leftover{"control group", g})
	}
	if _, err := os.Stat(cluster.Dir()); err == nil {
		found = append(found, Leftover{"folder", cluster.Dir()})
	}
	return found, nil
}

// Clear removes all of it, as far as it can.
func Clear(cluster layout.Cluster) error {
	if err := killProcesses(cluster); err != nil {
		return err
	}
	return errors.Join(
		unmountAll(cluster),
		detachLoopDevices(cluster),
		fabric.Fabric{Cluster: cluster}.Delete(),
		cgroup.Remove(cgroup.ClusterPath(cluster)),
		removeDir(cluster),
	)
}

// killProcesses goes on until there are none: some may just have started others.
func killProcesses(cluster layout.Cluster) error {
	var left []process
	for range killAttempts {
		var err error
		if left, err = findProcesses(cluster); err != nil || len(left) == 0 {
			return err
		}
		for _, p := range left {
			if err := unix.Kill(p.pid, unix.SIGKILL); err != nil && !errors.Is(err, unix.ESRCH) {
				return fmt.Errorf("killing process %s: %w", p, err)
			}
		}
		time.Sleep(killInterval)
	}
	return fmt.Errorf("%d processes of cluster %s do not die, among them %s", len(left), cluster.Name, left[0])
}

func findMounts(cluster layout.Cluster) ([]string, error) {
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return nil, err
	}
	return mountsBelow(string(mounts), cluster.Dir()), nil
}

// mountsBelow lists mounts in the order in which they were made.
func mountsBelow(mounts, dir string) []string {
	var found []string
	for line := range strings.Lines(mounts) {
		if fields := strings.Fields(line); len(fields) > 1 && strings.HasPrefix(fields[1], dir+"/") {
			found = append(found, fields[1])
		}
	}
	return found
}

func unmountAll(cluster layout.Cluster) error {
	mounts, err := findMounts(cluster)
	if err != nil {
		return err
	}
	var errs []error
	for _, path := range slices.Backward(mounts) {
		if err := unix.Unmount(path, unix.MNT_DETACH); err != nil && !errors.Is(err, unix.EINVAL) {
			errs = append(errs, fmt.Errorf("unmounting %s: %w", path, err))
		}
	}
	return errors.Join(errs...)
}

// removeDir removes nothing while anything is mounted in there: it would be emptied.
func removeDir(cluster layout.Cluster) error {
	mounts, err := findMounts(cluster)
	if err != nil {
		return err
	}
	if len(mounts) > 0 {
		return fmt.Errorf("keeping %s, where %s is still mounted", cluster.Dir(), mounts[0])
	}
	return os.RemoveAll(cluster.Dir())
}
