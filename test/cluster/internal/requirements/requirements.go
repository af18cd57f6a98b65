// Package requirements finds out what a cluster needs of the operating system, and installs what is missing.
package requirements

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"koperator.dev/koperator/test/cluster/internal/progress"
)

// requirement is met if any of the paths is there. A path without a slash is looked for where programs are.
type requirement struct {
	paths []string
	// debian is the package that brings it.
	debian string
}

var (
	toRun = []requirement{
		// kube-proxy writes its rules with it.
		{paths: []string{"nft"}, debian: "nftables"},
		// The portmap plugin writes host ports with it.
		{paths: []string{"iptables"}, debian: "iptables"},
		// Volumes are made and grown with these.
		{paths: []string{"losetup"}, debian: "mount"},
		{paths: []string{"findmnt"}, debian: "util-linux"},
		{paths: []string{"mkfs.xfs"}, debian: "xfsprogs"},
		{paths: cniPaths(), debian: "containernetworking-plugins"},
		// A client of Kafka to use outside the cluster: cluster exec -- kcat ...
		{paths: []string{"kcat"}, debian: "kcat"},
	}
	toBuild = []requirement{
		{paths: []string{"gcc"}, debian: "gcc"},
		{paths: []string{"pkg-config"}, debian: "pkg-config"},
		{paths: []string{"/usr/include/seccomp.h"}, debian: "libseccomp-dev"},
	}
)

// cniPlugin is one of those that are used; they come together.
const cniPlugin = "ptp"

var cniDirs = []string{"/usr/lib/cni", "/opt/cni/bin", "/usr/libexec/cni"}

func cniPaths() []string {
	var paths []string
	for _, dir := range cniDirs {
		paths = append(paths, filepath.Join(dir, cniPlugin))
	}
	return paths
}

// CNIPlugins is the folder of the network plugins. Ensure has seen to it that there is one.
func CNIPlugins() string {
	for _, dir := range cniDirs {
		if available(filepath.Join(dir, cniPlugin)) {
			return dir
		}
	}
	return cniDirs[0]
}

// Root refuses to go on for anybody else.
func Root() error {
	if os.Geteuid() != 0 {
		return errors.New("a local cluster makes namespaces and mounts: run this as root")
	}
	return nil
}

// Ensure installs what is missing; more is needed if programs are still to be built.
func Ensure(ctx context.Context, building bool, reporter *progress.Reporter) error {
	wanted := toRun
	if building {
		wanted = slices.Concat(toRun, toBuild)
	}
	missing := packages(wanted, available)
	if len(missing) == 0 {
		return nil
	}
	apt, err := exec.LookPath("apt-get")
	if err != nil {
		return fmt.Errorf("this machine lacks what Debian has in the packages %s: install them", strings.Join(missing, ", "))
	}
	step := reporter.Start("installing "+strings.Join(missing, ", "), "half a minute")
	err = install(ctx, apt, missing)
	step.End(err)
	return err
}

// packages brings what is not available.
func packages(wanted []requirement, available func(string) bool) []string {
	var missing []string
	for _, r := range wanted {
		if !slices.ContainsFunc(r.paths, available) {
			missing = append(missing, r.debian)
		}
	}
	return missing
}

func available(path string) bool {
	if strings.Contains(path, "/") {
		_, err := os.Stat(path)
		return err == nil
	}
	_, err := exec.LookPath(path)
	return err == nil
}

func install(ctx context.Context, apt string, packages []string) error {
	for _, arguments := range [][]string{
		{"update"},
		append([]string{"install", "--yes", "--no-install-recommends"}, packages...),
	} {
		cmd := exec.CommandContext(ctx, apt, arguments...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if output, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("running %s: %w\n%s", strings.Join(cmd.Args, " "), err, output)
		}
	}
	return nil
}
