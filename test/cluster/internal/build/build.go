// Package build builds the programs of a cluster from Go modules, once for each version, into the user's cache.
package build

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"koperator.dev/koperator/test/cluster/internal/lock"
	"koperator.dev/koperator/test/cluster/internal/progress"
)

// keptLines is how much of a failing build's output is shown.
const keptLines = 30

// Builder builds programs.
type Builder struct {
	// Sources is the folder with a folder for each program.
	Sources string
	// Cache gets a folder for each program and version.
	Cache    string
	Progress *progress.Reporter
}

// New finds the programs' sources and the user's cache.
func New(reporter *progress.Reporter) (*Builder, error) {
	sources, err := findSources()
	if err != nil {
		return nil, err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return nil, fmt.Errorf("finding the user's cache folder: %w", err)
	}
	return &Builder{Sources: sources, Cache: filepath.Join(cache, "koperator", "bin"), Progress: reporter}, nil
}

// findSources looks beside the source of this very file, and in the current folder for a program that was built elsewhere.
func findSources() (string, error) {
	_, file, _, _ := runtime.Caller(0)
	candidates := []string{
		filepath.Join(filepath.Dir(file), "..", "..", "programs"),
		filepath.Join("test", "cluster", "programs"),
		"programs",
	}
	for _, dir := range candidates {
		if _, err := os.Stat(filepath.Join(dir, Kubernetes.Name, "go.mod")); err == nil {
			return filepath.Abs(dir)
		}
	}
	return "", errors.New("the programs' sources are not here: run this in the root folder of the repository")
}

// Built tells whether a program is in the cache.
func (b *Builder) Built(p Program) (bool, error) {
	dir, err := b.dir(p)
	if err != nil {
		return false, err
	}
	return exists(dir), nil
}

// Build returns the folder of a program, which it builds if it is not in the cache.
func (b *Builder) Build(ctx context.Context, p Program) (string, error) {
	dir, err := b.dir(p)
	if err != nil || exists(dir) {
		return dir, err
	}
	if err := os.MkdirAll(b.Cache, 0o755); err != nil {
		return "", err
	}
	release, err := lock.Acquire(b.Cache, func() {
		b.Progress.Say("building %s: waiting for another process that is building", p.Name)
	})
	if err != nil {
		return "", err
	}
	defer release()
	if exists(dir) {
		return dir, nil
	}
	step := b.Progress.Start("building "+p.Name, p.Usual)
	err = b.build(ctx, p, dir, step)
	step.End(err)
	return dir, err
}

// dir is named after all that the program is made from.
func (b *Builder) dir(p Program) (string, error) {
	goMod, arguments, err := b.prepare(p)
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	fmt.Fprintln(sum, runtime.Version(), runtime.GOARCH, p.Static, arguments, p.Packages, p.Links)
	fmt.Fprintln(sum, goMod)
	for _, file := range []string{"go.sum", "main.go"} {
		content, err := os.ReadFile(filepath.Join(b.Sources, p.Name, file))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		fmt.Fprintln(sum, len(content), string(content))
	}
	return filepath.Join(b.Cache, p.Name+"-"+hex.EncodeToString(sum.Sum(nil))[:12]), nil
}

func (b *Builder) prepare(p Program) (goMod string, arguments []string, err error) {
	content, err := os.ReadFile(filepath.Join(b.Sources, p.Name, "go.mod"))
	if err != nil {
		return "", nil, fmt.Errorf("reading what %s is made from: %w", p.Name, err)
	}
	arguments, err = p.arguments(string(content))
	return string(content), arguments, err
}

// build fills a folder beside the wanted one: either a program is in the cache whole, or it is not there.
func (b *Builder) build(ctx context.Context, p Program, dir string, step *progress.Step) error {
	work, err := os.MkdirTemp(b.Cache, ".building-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	if err := os.Chmod(work, 0o755); err != nil {
		return err
	}
	_, arguments, err := b.prepare(p)
	if err != nil {
		return err
	}
	for file, pkg := range p.Packages {
		if err := b.compile(ctx, p, append(slices.Clone(arguments), "-o", filepath.Join(work, file), pkg), step); err != nil {
			return fmt.Errorf("building %s: %w", file, err)
		}
	}
	for _, link := range p.Links {
		if err := os.Symlink(p.Name, filepath.Join(work, link)); err != nil {
			return err
		}
	}
	return os.Rename(work, dir)
}

func (b *Builder) compile(ctx context.Context, p Program, arguments []string, step *progress.Step) error {
	cmd := exec.CommandContext(ctx, "go", arguments...)
	cmd.Dir = filepath.Join(b.Sources, p.Name)
	// The workspace of the repository has nothing to do with these modules, and GOFLAGS could change what is built.
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=")
	if p.Static {
		cmd.Env = append(cmd.Env, "CGO_ENABLED=0")
	}
	output, err := cmd.StderrPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	var last []string
	packages := 0
	for lines := bufio.NewScanner(output); lines.Scan(); {
		last = append(last[max(0, len(last)-keptLines+1):], lines.Text())
		packages++
		step.Detail("%d packages", packages)
	}
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("%w; the last that go said:\n%s", err, strings.Join(last, "\n"))
	}
	return nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
