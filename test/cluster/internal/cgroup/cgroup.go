// Package cgroup makes and removes the control groups that a node's Pods run in. Each node has its own, named after the
// cluster, so that nodes neither see each other's Pods nor those of another kubelet on this machine.
package cgroup

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"koperator.dev/koperator/test/cluster/internal/layout"
)

const (
	mountPoint = "/sys/fs/cgroup"
	parent     = "koperator"
)

// ClusterPath is the group of all that a cluster's Pods run, as a path in every hierarchy.
func ClusterPath(cluster layout.Cluster) string { return "/" + parent + "/" + cluster.Name }

// NodePath is the group of a node's Pods.
func NodePath(cluster layout.Cluster, node layout.Node) string {
	return ClusterPath(cluster) + "/" + node.Name()
}

// Create makes a group in every hierarchy that there is.
func Create(path string) error {
	hierarchies, err := hierarchies()
	if err != nil {
		return err
	}
	for _, h := range hierarchies {
		if err := h.create(path); err != nil {
			return fmt.Errorf("creating control group %s in %s: %w", path, h.dir, err)
		}
	}
	return nil
}

// Remove removes a group and all groups in it, from every hierarchy. Processes that just died may still be leaving it.
func Remove(path string) error {
	hierarchies, err := hierarchies()
	if err != nil {
		return err
	}
	for _, h := range hierarchies {
		if err := retryBusy(func() error { return removeTree(filepath.Join(h.dir, path)) }); err != nil {
			return fmt.Errorf("removing control group %s from %s: %w", path, h.dir, err)
		}
		// The parent goes with the last cluster, and stays while there are others.
		_ = os.Remove(filepath.Join(h.dir, parent))
	}
	return nil
}

// Find returns where a group exists.
func Find(path string) ([]string, error) {
	hierarchies, err := hierarchies()
	if err != nil {
		return nil, err
	}
	var found []string
	for _, h := range hierarchies {
		dir := filepath.Join(h.dir, path)
		if _, err := os.Stat(dir); err == nil {
			found = append(found, dir)
		}
	}
	return found, nil
}

// hierarchy is a tree of control groups: a single one in version 2; in version 1 one for each controller, and on most
// machines one of version 2 besides, without controllers.
type hierarchy struct {
	dir     string
	unified bool
}

func hierarchies() ([]hierarchy, error) {
	if isVersion2(mountPoint) {
		return []hierarchy{{dir: mountPoint, unified: true}}, nil
	}
	entries, err := os.ReadDir(mountPoint)
	if err != nil {
		return nil, fmt.Errorf("looking for control groups: %w", err)
	}
	var found []hierarchy
	for _, e := range entries {
		dir := filepath.Join(mountPoint, e.Name())
		// Links are other names of hierarchies: "cpu" of "cpu,cpuacct".
		if !e.IsDir() {
			continue
		}
		if unified := isVersion2(dir); unified || isVersion1(dir) {
			found = append(found, hierarchy{dir: dir, unified: unified})
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("there are no control groups in %s", mountPoint)
	}
	return found, nil
}

func isVersion1(dir string) bool { return fileSystem(dir) == unix.CGROUP_SUPER_MAGIC }
func isVersion2(dir string) bool { return fileSystem(dir) == unix.CGROUP2_SUPER_MAGIC }

func fileSystem(dir string) int64 {
	var stat unix.Statfs_t
	if err := unix.Statfs(dir, &stat); err != nil {
		return 0
	}
	return stat.Type
}

func (h hierarchy) create(path string) error {
	dir := h.dir
	for _, name := range strings.Split(strings.Trim(path, "/"), "/") {
		if h.unified {
			if err := delegateControllers(dir); err != nil {
				return err
			}
		}
		child := filepath.Join(dir, name)
		if err := os.Mkdir(child, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		if !h.unified {
			if err := inheritCPUSet(dir, child); err != nil {
				return err
			}
		}
		dir = child
	}
	if h.unified {
		return delegateControllers(dir)
	}
	return nil
}

// delegateControllers makes all controllers of a group available to its children.
func delegateControllers(dir string) error {
	controllers, err := os.ReadFile(filepath.Join(dir, "cgroup.controllers"))
	if err != nil {
		return err
	}
	var enable []string
	for _, c := range strings.Fields(string(controllers)) {
		enable = append(enable, "+"+c)
	}
	return os.WriteFile(filepath.Join(dir, "cgroup.subtree_control"), []byte(strings.Join(enable, " ")), 0)
}

// inheritCPUSet copies what version 1 leaves empty: no process may enter a group without processors and memory.
func inheritCPUSet(from, to string) error {
	for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
		have, err := os.ReadFile(filepath.Join(to, file))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if len(bytes.TrimSpace(have)) > 0 {
			continue
		}
		value, err := os.ReadFile(filepath.Join(from, file))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(to, file), value, 0); err != nil {
			return err
		}
	}
	return nil
}

func removeTree(dir string) error {
	entries, err := os.ReadDir(dir)
	if isGone(err) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		if err := removeTree(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	// Not RemoveAll: the files of a group cannot be removed, only the group.
	if err := unix.Rmdir(dir); err != nil && !isGone(err) {
		return err
	}
	return nil
}

// isGone tells of a group that somebody else has removed. The kernel says ENODEV for one that went while it was read.
func isGone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENODEV)
}

func retryBusy(f func() error) error {
	const attempts = 50
	var err error
	for range attempts {
		if err = f(); !errors.Is(err, unix.EBUSY) {
			return err
		}
		time.Sleep(100 * time.Millisecond)
	}
	return err
}
