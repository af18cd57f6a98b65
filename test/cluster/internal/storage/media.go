package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// memory is a tmpfs.
type memory struct{}

func (memory) create(path string, size int64) error {
	return unix.Mount("volume", path, "tmpfs", 0, fmt.Sprintf("size=%d", size))
}

func (memory) grow(path string, size int64) error {
	return unix.Mount("volume", path, "tmpfs", unix.MS_REMOUNT, fmt.Sprintf("size=%d", size))
}

func (memory) delete() error { return nil }

// disk is an XFS in a file. An ext4 would not do: to grow it while it is mounted takes CAP_SYS_RESOURCE, which root does
// not have everywhere.
type disk struct {
	image string
}

func (d disk) create(path string, size int64) error {
	if err := os.MkdirAll(filepath.Dir(d.image), 0o755); err != nil {
		return err
	}
	if err := setSize(d.image, size); err != nil {
		return err
	}
	// What is not supported are less than 300 MB, which are plenty for a test, and so is a small log.
	if err := run("mkfs.xfs", "-q", "-f", "--unsupported", "-m", "reflink=0", "-l", "size=8m", d.image); err != nil {
		return err
	}
	// The kernel lets go of the loop device with the last mount.
	return run("mount", "-t", "xfs", "-o", "loop,noatime", d.image, path)
}

func (d disk) grow(path string, size int64) error {
	if err := setSize(d.image, size); err != nil {
		return err
	}
	device, err := exec.Command("findmnt", "--noheadings", "--first-only", "--output", "SOURCE", "--mountpoint", path).Output()
	if err != nil {
		return fmt.Errorf("finding the loop device: %w", err)
	}
	if err := run("losetup", "--set-capacity", strings.TrimSpace(string(device))); err != nil {
		return err
	}
	return run("xfs_growfs", path)
}

func (d disk) delete() error {
	if err := os.Remove(d.image); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// setSize makes a file that takes up no room until something is written.
func setSize(file string, size int64) error {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(f.Truncate(size), f.Close())
}

func run(name string, arguments ...string) error {
	output, err := exec.Command(name, arguments...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("running %s: %w: %s", name, err, strings.TrimSpace(string(output)))
	}
	return nil
}
