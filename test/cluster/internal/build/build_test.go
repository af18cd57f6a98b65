package build

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestVersionFlags(t *testing.T) {
	got, err := Kubernetes.versionFlags("require (\n\tk8s.io/kubernetes v1.37.2\n)\n")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"version.gitVersion=v1.37.2", "version.gitMajor=1", "version.gitMinor=37"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q lacks %s", got, want)
		}
	}
	if _, err := Kubernetes.versionFlags("module x\n"); err == nil {
		t.Error("a go.mod without the module passed")
	}
}

func TestFolderFollowsFromSources(t *testing.T) {
	b := &Builder{Sources: t.TempDir(), Cache: "/cache"}
	write := func(file, content string) {
		t.Helper()
		path := filepath.Join(b.Sources, Pause.Name, file)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	dir := func() string {
		t.Helper()
		dir, err := b.dir(Pause)
		if err != nil {
			t.Fatal(err)
		}
		return dir
	}
	write("go.mod", "module pause\n")
	write("main.go", "package main\n")
	first := dir()
	if !strings.HasPrefix(first, "/cache/pause-") || dir() != first {
		t.Errorf("got %s and %s", first, dir())
	}
	write("main.go", "package main // changed\n")
	if dir() == first {
		t.Error("a changed program has the same folder")
	}
}

// TestSourcesAreComplete finds a program whose module was forgotten.
func TestSourcesAreComplete(t *testing.T) {
	sources, err := findSources()
	if err != nil {
		t.Fatal(err)
	}
	b := &Builder{Sources: sources}
	for _, p := range append(Cluster(), Pause) {
		if _, err := b.dir(p); err != nil {
			t.Errorf("%s: %v", p.Name, err)
		}
	}
}
