package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Disks are the contents of volumes, each as large as its claim asks for. They are mounted in a folder whose mounts are
// passed on to the nodes.
type Disks struct {
	// Dir gets a mount for each volume, by node.
	Dir string
	// Images has the file that each volume is kept in, unless it is in memory.
	Images string
}

// Volume is a volume of a node.
type Volume struct {
	Node, Name string
}

// Medium is what a volume is kept on.
type Medium string

const (
	// OnDisk is a file system in a file, which takes up no more room than what is written. Pages that a Pod writes can
	// be written back to the file when the Pod needs memory.
	OnDisk Medium = "disk"
	// InMemory is faster, and what a Pod writes counts as its memory: it is killed when that reaches its limit.
	InMemory Medium = "memory"
)

func (m Medium) maker(d Disks, v Volume) (maker, error) {
	switch m {
	case OnDisk:
		return disk{image: d.image(v)}, nil
	case InMemory:
		return memory{}, nil
	}
	return nil, fmt.Errorf("there is no medium %q: there are %s and %s", m, OnDisk, InMemory)
}

// maker makes file systems on a medium.
type maker interface {
	// create mounts a new file system on a folder.
	create(path string, size int64) error
	grow(path string, size int64) error
	// delete removes what is left after unmounting.
	delete() error
}

// Prepare makes the folders.
func (d Disks) Prepare() error {
	for _, dir := range []string{d.Dir, d.Images} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	if err := unix.Mount(d.Dir, d.Dir, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("mounting %s: %w", d.Dir, err)
	}
	if err := unix.Mount("", d.Dir, "", unix.MS_SHARED, ""); err != nil {
		return fmt.Errorf("sharing %s: %w", d.Dir, err)
	}
	return nil
}

// Path is where a volume is mounted.
func (d Disks) Path(v Volume) string { return filepath.Join(d.Dir, v.Node, v.Name) }

// volumeAt is the inverse of Path.
func (d Disks) volumeAt(path string) Volume {
	return Volume{Node: filepath.Base(filepath.Dir(path)), Name: filepath.Base(path)}
}

func (d Disks) image(v Volume) string { return filepath.Join(d.Images, v.Node, v.Name) }

// Create makes a volume. Everybody may write into it, as Pods are rarely root and not all set an fsGroup.
func (d Disks) Create(v Volume, medium Medium, size int64) error {
	maker, err := medium.maker(d, v)
	if err != nil {
		return err
	}
	path := d.Path(v)
	if err := os.MkdirAll(path, 0o755); err != nil {
		return err
	}
	if mounted, err := isMountPoint(path); err != nil || mounted {
		return err
	}
	if err := maker.create(path, size); err != nil {
		return fmt.Errorf("making volume %s: %w", v.Name, err)
	}
	return os.Chmod(path, 0o777)
}

// medium tells what an existing volume is kept on.
func (d Disks) medium(v Volume) Medium {
	if _, err := os.Stat(d.image(v)); err == nil {
		return OnDisk
	}
	return InMemory
}

// Grow changes the size of a volume, which may be in use.
func (d Disks) Grow(v Volume, size int64) error {
	maker, err := d.medium(v).maker(d, v)
	if err != nil {
		return err
	}
	if err := maker.grow(d.Path(v), size); err != nil {
		return fmt.Errorf("growing volume %s: %w", v.Name, err)
	}
	return nil
}

// Delete removes a volume and what is in it.
func (d Disks) Delete(v Volume) error {
	maker, err := d.medium(v).maker(d, v)
	if err != nil {
		return err
	}
	if err := unmount(d.Path(v)); err != nil {
		return err
	}
	if err := maker.delete(); err != nil {
		return err
	}
	if err := os.Remove(d.Path(v)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Blank replaces all volumes of a node, which is not running, by empty ones of the same size.
func (d Disks) Blank(node string) error {
	return d.each(node, func(v Volume) error {
		medium := d.medium(v)
		size, err := d.size(v, medium)
		if err != nil {
			return fmt.Errorf("reading the size of volume %s: %w", v.Name, err)
		}
		if err := d.Delete(v); err != nil {
			return err
		}
		return d.Create(v, medium, size)
	})
}

// size is that which the volume was made with: a file system on a disk has less room than the disk.
func (d Disks) size(v Volume, medium Medium) (int64, error) {
	if medium == OnDisk {
		info, err := os.Stat(d.image(v))
		if err != nil {
			return 0, err
		}
		return info.Size(), nil
	}
	var stat unix.Statfs_t
	if err := unix.Statfs(d.Path(v), &stat); err != nil {
		return 0, err
	}
	return int64(stat.Blocks) * stat.Bsize, nil
}

// Empty removes all files from the volumes of a node whose Pods may be using them.
func (d Disks) Empty(node string) error {
	return d.each(node, func(v Volume) error {
		entries, err := os.ReadDir(d.Path(v))
		if err != nil {
			return err
		}
		for _, e := range entries {
			if err := os.RemoveAll(filepath.Join(d.Path(v), e.Name())); err != nil {
				return err
			}
		}
		return nil
	})
}

func (d Disks) each(node string, do func(Volume) error) error {
	entries, err := os.ReadDir(filepath.Join(d.Dir, node))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var errs []error
	for _, e := range entries {
		errs = append(errs, do(Volume{Node: node, Name: e.Name()}))
	}
	return errors.Join(errs...)
}

// unmount also succeeds if nothing is mounted, or nothing is there.
func unmount(path string) error {
	err := unix.Unmount(path, unix.MNT_DETACH)
	if err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("unmounting %s: %w", path, err)
	}
	return nil
}

func isMountPoint(path string) (bool, error) {
	var here, parent unix.Stat_t
	if err := unix.Stat(path, &here); err != nil {
		return false, err
	}
	if err := unix.Stat(filepath.Dir(path), &parent); err != nil {
		return false, err
	}
	return here.Dev != parent.Dev, nil
}
