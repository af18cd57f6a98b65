// Package outside runs commands where the clients of a cluster are: on its network, but on none of its machines.
package outside

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"koperator.dev/koperator/test/cluster/internal/layout"
	"koperator.dev/koperator/test/cluster/internal/machine"
	"koperator.dev/koperator/test/cluster/internal/netns"
)

// Exec replaces this process by the command. It keeps its process ID, standard streams, folder and terminal: signals and
// the exit code need no passing on.
func Exec(cluster layout.Cluster, command []string) error {
	if !netns.Exists(cluster.Namespace(layout.Outside)) {
		return fmt.Errorf("cluster %s is not running: start it with the command up", cluster.Name)
	}
	path, err := exec.LookPath(command[0])
	if err != nil && !errors.Is(err, exec.ErrDot) {
		return err
	}
	// Namespaces belong to threads; the one that calls exec is the one that is left.
	runtime.LockOSThread()
	if err := netns.Enter(cluster.Namespace(layout.Outside)); err != nil {
		return err
	}
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("making mounts of one's own: %w", err)
	}
	if err := machine.DetachMounts(); err != nil {
		return err
	}
	if err := machine.ReplaceResolvConf(cluster.ResolvConf()); err != nil {
		return err
	}
	if err := unix.Exec(path, command, environment(os.Environ(), cluster.Kubeconfig())); err != nil {
		return fmt.Errorf("running %s: %w", path, err)
	}
	return nil
}

// environment has a kubeconfig, the caller's own if there is one, and no proxy, which could not be reached.
func environment(caller []string, kubeconfig string) []string {
	env := slices.DeleteFunc(slices.Clone(caller), func(v string) bool { return isProxy(v) || v == "KUBECONFIG=" })
	if !slices.ContainsFunc(env, func(v string) bool { return strings.HasPrefix(v, "KUBECONFIG=") }) {
		env = append(env, "KUBECONFIG="+kubeconfig)
	}
	return env
}

func isProxy(variable string) bool {
	name, _, _ := strings.Cut(variable, "=")
	return slices.Contains([]string{"http_proxy", "https_proxy", "all_proxy"}, strings.ToLower(name))
}
