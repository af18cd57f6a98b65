package cleanup

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"koperator.dev/koperator/test/cluster/internal/cgroup"
	"koperator.dev/koperator/test/cluster/internal/layout"
)

type process struct {
	pid  int
	name string
}

func (p process) String() string { return fmt.Sprintf("%d (%s)", p.pid, p.name) }

// findProcesses finds the cluster's own programs, by where their files are, and the processes of Pods, by their control
// group. What a user runs on the cluster's network is none of it.
func findProcesses(cluster layout.Cluster) ([]process, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	var found []process
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if p := (process{pid: pid}); p.belongsTo(cluster) {
			p.name = p.read("comm")
			found = append(found, p)
		}
	}
	return found, nil
}

func (p process) belongsTo(cluster layout.Cluster) bool {
	// A process that ended meanwhile has neither.
	program, err := os.Readlink(p.path("exe"))
	if err == nil && strings.HasPrefix(program, cluster.Programs()+"/") {
		return true
	}
	return inGroup(p.read("cgroup"), cgroup.ClusterPath(cluster))
}

// inGroup looks into a /proc/PID/cgroup, which has lines like "4:memory:/koperator/NAME/node1/kubepods".
func inGroup(groups, wanted string) bool {
	for line := range strings.Lines(groups) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(fields) == 3 && (fields[2] == wanted || strings.HasPrefix(fields[2], wanted+"/")) {
			return true
		}
	}
	return false
}

func (p process) path(file string) string {
	return filepath.Join("/proc", strconv.Itoa(p.pid), file)
}

func (p process) read(file string) string {
	content, _ := os.ReadFile(p.path(file))
	return strings.TrimSpace(string(content))
}
