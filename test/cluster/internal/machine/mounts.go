package machine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// prepare makes the new namespaces of the calling process look like a machine of its own.
func prepare(spec Spec) error {
	if err := unix.Sethostname([]byte(spec.Hostname)); err != nil {
		return fmt.Errorf("setting the host name: %w", err)
	}
	if err := DetachMounts(); err != nil {
		return err
	}
	// Pods may ask for mounts that go both ways: these may go as far as the machine's own mounts.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SHARED, ""); err != nil {
		return fmt.Errorf("sharing mounts: %w", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("mounting /proc: %w", err)
	}
	// What a reboot clears is here: sockets, the sandboxes' namespaces, the tasks of containerd.
	if err := unix.Mount("run", "/run", "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=755"); err != nil {
		return fmt.Errorf("mounting /run: %w", err)
	}
	if err := shieldKernelSettings(); err != nil {
		return err
	}
	if err := makeLinks(spec.Links); err != nil {
		return err
	}
	return ReplaceResolvConf(spec.ResolvConf)
}

func makeLinks(links map[string]string) error {
	for path, target := range links {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.Symlink(target, path); err != nil {
			return err
		}
	}
	return nil
}

// DetachMounts lets mounts of the calling process's namespace stay in there. What is mounted outside still comes in: a
// volume that is made later has to.
func DetachMounts() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, ""); err != nil {
		return fmt.Errorf("detaching mounts: %w", err)
	}
	return nil
}

// kernelSettings are those that a kubelet changes, and that are in no namespace: it wants the kernel to panic on an oops,
// for example.
var kernelSettings = []string{
	"/proc/sys/kernel/keys/root_maxbytes",
	"/proc/sys/kernel/keys/root_maxkeys",
	"/proc/sys/kernel/panic",
	"/proc/sys/kernel/panic_on_oops",
	"/proc/sys/vm/overcommit_memory",
	"/proc/sys/vm/panic_on_oom",
}

// shieldKernelSettings lets the kubelet change copies.
func shieldKernelSettings() error {
	for _, setting := range kernelSettings {
		value, err := os.ReadFile(setting)
		if err != nil {
			return err
		}
		shield := filepath.Join("/run", strings.ReplaceAll(strings.TrimPrefix(setting, "/proc/"), "/", "."))
		if err := os.WriteFile(shield, value, 0o644); err != nil {
			return err
		}
		if err := unix.Mount(shield, setting, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("shielding %s: %w", setting, err)
		}
	}
	return nil
}

// ReplaceResolvConf puts a file in the place of /etc/resolv.conf. Where that is a link, its target is replaced, which
// may be missing in a fresh /run.
func ReplaceResolvConf(file string) error {
	target, err := resolvConfTarget()
	if err != nil {
		return fmt.Errorf("finding /etc/resolv.conf: %w", err)
	}
	if err := ensureFile(target); err != nil {
		return err
	}
	if err := unix.Mount(file, target, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("replacing %s: %w", target, err)
	}
	return nil
}

func resolvConfTarget() (string, error) {
	const path = "/etc/resolv.conf"
	target, err := os.Readlink(path)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, fs.ErrNotExist) {
		return path, nil
	}
	if err != nil {
		return "", err
	}
	if !filepath.IsAbs(target) {
		target = filepath.Join(filepath.Dir(path), target)
	}
	return target, nil
}

func ensureFile(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDONLY, 0o644)
	if err != nil {
		return err
	}
	return f.Close()
}
