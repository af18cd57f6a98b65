package cgroup

import (
	"os"
	"path/filepath"
	"testing"

	"koperator.dev/koperator/test/cluster/internal/layout"
)

func TestNodesOfClustersHaveTheirOwn(t *testing.T) {
	if got := NodePath(layout.Cluster{Name: "probe"}, layout.Node{Number: 2}); got != "/koperator/probe/node2" {
		t.Errorf("got %s", got)
	}
}

func TestInheritCPUSet(t *testing.T) {
	parent, child := t.TempDir(), t.TempDir()
	write := func(dir, file, content string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, file), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(parent, "cpuset.cpus", "0-1\n")
	write(parent, "cpuset.mems", "0\n")
	write(child, "cpuset.cpus", "\n")
	write(child, "cpuset.mems", "0-3\n")
	if err := inheritCPUSet(parent, child); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{"cpuset.cpus": "0-1\n", "cpuset.mems": "0-3\n"} {
		if got, err := os.ReadFile(filepath.Join(child, file)); err != nil || string(got) != want {
			t.Errorf("%s: got %q, %v; want %q", file, got, err, want)
		}
	}
	// A hierarchy of another controller has no such files.
	if err := inheritCPUSet(t.TempDir(), t.TempDir()); err != nil {
		t.Error(err)
	}
}
