//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// fault does one of the things to the cluster's machines that the program of the cluster can do: kill-node, heal-node...
func fault(t *testing.T, command string, node string) {
	t.Helper()
	t.Logf("%s %s", command, node)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if _, err := run(ctx, append(append([]string{}, settings.clusterTool...), command, node)...); err != nil {
		t.Fatal(err)
	}
}

// killNode cuts the power of a node, which comes back with the end of the story at the latest.
func (c *cluster) killNode(t *testing.T, node string) {
	t.Helper()
	c.undo = append(c.undo, func() { healNode(node) })
	fault(t, "kill-node", node)
}

// cutNode cuts a node off the network, in the same way.
func (c *cluster) cutNode(t *testing.T, node string) {
	t.Helper()
	c.undo = append(c.undo, func() { healNode(node) })
	fault(t, "cut-node", node)
}

// healNode undoes what a failed test has left. A node that is well stays so.
func healNode(node string) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	_, _ = run(ctx, append(append([]string{}, settings.clusterTool...), "heal-node", node)...)
}

// processesOf finds the processes of a Pod's container, on the machine that all nodes run on. Only those whose command
// line holds marker count.
func processesOf(pod *corev1.Pod, container, marker string) ([]int, error) {
	id := ""
	for _, status := range pod.Status.ContainerStatuses {
		if status.Name == container {
			_, id, _ = strings.Cut(status.ContainerID, "://")
		}
	}
	if id == "" {
		return nil, fmt.Errorf("container %s of Pod %s has no id yet", container, pod.Name)
	}
	return processes(func(dir string) bool {
		return fileHolds(filepath.Join(dir, "cgroup"), id) && fileHolds(filepath.Join(dir, "cmdline"), marker)
	})
}

// processes finds the processes whose folder in /proc matches.
func processes(matches func(dir string) bool) ([]int, error) {
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil, err
	}
	var found []int
	for _, dir := range dirs {
		if matches(dir) {
			pid, err := strconv.Atoi(filepath.Base(dir))
			if err != nil {
				return nil, err
			}
			found = append(found, pid)
		}
	}
	return found, nil
}

// fileHolds tells whether a file can be read and holds text. Processes come and go while they are looked at.
func fileHolds(path, text string) bool {
	content, err := os.ReadFile(path)
	return err == nil && bytes.Contains(content, []byte(text))
}

// kafkaRuns finds the Kafka process of a host name, whatever container it is in.
func kafkaRuns(hostName string) ([]int, error) {
	return processes(func(dir string) bool {
		return fileHolds(filepath.Join(dir, "cmdline"), "\x00kafka.Kafka\x00") &&
			fileHolds(filepath.Join(dir, "environ"), "HOSTNAME="+hostName+"\x00")
	})
}

// killProcess ends the process of a container as the kernel does when memory runs out.
func killProcess(t *testing.T, pod *corev1.Pod, container, marker string) {
	t.Helper()
	pids, err := processesOf(pod, container, marker)
	if err == nil && len(pids) == 0 {
		err = errors.New("no process found")
	}
	if err != nil {
		t.Fatalf("finding the process of %s in Pod %s: %v", container, pod.Name, err)
	}
	if err := killAll(pids); err != nil {
		t.Fatalf("killing the process of Pod %s: %v", pod.Name, err)
	}
	t.Logf("killed process %v of Pod %s", pids, pod.Name)
}

// killAll ends processes. One that has ended by itself is no error.
func killAll(pids []int) error {
	for _, pid := range pids {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("killing process %d: %w", pid, err)
		}
	}
	return nil
}

// listeningPorts reads which TCP ports are open in the network namespace of a process.
func listeningPorts(pid int) ([]int, error) {
	open := map[int]bool{}
	for _, table := range []string{"tcp", "tcp6"} {
		content, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/%s", pid, table))
		if err != nil {
			return nil, err
		}
		for _, line := range strings.Split(string(content), "\n") {
			// The second field is the local address in hexadecimal digits, the fourth the state; 0A is LISTEN.
			fields := strings.Fields(line)
			if len(fields) < 4 || fields[3] != "0A" {
				continue
			}
			_, digits, _ := strings.Cut(fields[1], ":")
			port, err := strconv.ParseInt(digits, 16, 32)
			if err != nil {
				return nil, fmt.Errorf("reading port of %q: %w", line, err)
			}
			open[int(port)] = true
		}
	}
	return sorted(open), nil
}
