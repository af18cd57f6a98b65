package image

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Epoch is the one modification time of everything in an image: equal inputs give equal bytes.
// It is not 0, because Java takes a file of time 0 for one without a time.
var Epoch = time.Date(2000, time.January, 1, 0, 0, 0, 0, time.UTC)

// Owner of a file, numeric: an image has no names until its own /etc/passwd is read.
type Owner struct{ UID, GID int }

// Root owns what no program of the image may change.
var Root = Owner{}

// Layer collects files of one layer. Names are paths from the image's root, with or without a leading slash.
type Layer struct {
	entries map[string]entry
}

type entry struct {
	header tar.Header
	open   func() (io.ReadCloser, error)
}

// NewLayer returns a layer with nothing in it.
func NewLayer() *Layer {
	return &Layer{entries: map[string]entry{}}
}

// Dir adds a folder. Missing parents come by themselves, owned by root with mode 0755.
func (l *Layer) Dir(name string, mode int64, owner Owner) {
	l.add(tar.Header{Typeflag: tar.TypeDir, Name: name, Mode: mode, Uid: owner.UID, Gid: owner.GID}, nil)
}

// File adds a file of root's with this content.
func (l *Layer) File(name string, mode int64, content []byte) {
	l.add(tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: mode, Size: int64(len(content))}, func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(content)), nil
	})
}

// HostFile adds a file of root's whose content is read from the host when the layer is written.
func (l *Layer) HostFile(name string, mode int64, host string) error {
	info, err := os.Stat(host)
	if err != nil {
		return err
	}
	l.add(tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: mode, Size: info.Size()}, func() (io.ReadCloser, error) {
		return os.Open(host)
	})
	return nil
}

// Symlink adds a symbolic link.
func (l *Layer) Symlink(name, target string) {
	l.add(tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: target, Mode: 0o777}, nil)
}

// Tree adds a folder of the host with all below it, owned by root, readable by everybody, as executable as it is there.
func (l *Layer) Tree(name, host string) error {
	return filepath.WalkDir(host, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(host, file)
		if err != nil {
			return err
		}
		return l.hostEntry(path.Join(name, relative), file, d)
	})
}

func (l *Layer) hostEntry(name, file string, d fs.DirEntry) error {
	info, err := d.Info()
	if err != nil {
		return err
	}
	switch {
	case d.IsDir():
		l.Dir(name, 0o755, Root)
		return nil
	case info.Mode()&fs.ModeSymlink != 0:
		target, err := os.Readlink(file)
		l.Symlink(name, target)
		return err
	case info.Mode().IsRegular():
		return l.HostFile(name, 0o644|int64(info.Mode().Perm()&0o111), file)
	}
	return fmt.Errorf("%s is neither a file, a folder nor a link", file)
}

// Tar adds what keep chooses of a tar's folders, files and links, with their modes and owners.
// Names are given to keep without a leading slash. All of it is held in memory.
func (l *Layer) Tar(r io.Reader, keep func(name string) bool) error {
	for in := tar.NewReader(r); ; {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if !keep(clean(h.Name)) {
			continue
		}
		if err := l.tarEntry(h, in); err != nil {
			return err
		}
	}
}

func (l *Layer) tarEntry(h *tar.Header, content io.Reader) error {
	switch h.Typeflag {
	case tar.TypeDir:
		l.Dir(h.Name, h.Mode, Owner{h.Uid, h.Gid})
	case tar.TypeSymlink:
		l.Symlink(h.Name, h.Linkname)
	case tar.TypeReg:
		b, err := io.ReadAll(content)
		if err != nil {
			return err
		}
		l.File(h.Name, h.Mode, b)
	default:
		return fmt.Errorf("%s has the type %q, which no layer of ours needs", h.Name, h.Typeflag)
	}
	return nil
}

func (l *Layer) add(h tar.Header, open func() (io.ReadCloser, error)) {
	h.Name = clean(h.Name)
	h.ModTime = Epoch
	if h.Name != "" {
		l.entries[h.Name] = entry{header: h, open: open}
	}
}

func clean(name string) string {
	return strings.TrimPrefix(path.Clean("/"+name), "/")
}

// WriteFile writes the layer as an uncompressed tar: it is unpacked on the machine that made it, where gzip costs
// more than the disk.
func (l *Layer) WriteFile(file string) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	return errors.Join(l.Write(f), f.Close())
}

// Write writes the layer's tar, sorted by name, which also puts a folder before what is in it.
func (l *Layer) Write(w io.Writer) error {
	l.addParents()
	out := tar.NewWriter(w)
	for _, name := range slices.Sorted(maps.Keys(l.entries)) {
		if err := l.entries[name].write(out); err != nil {
			return fmt.Errorf("writing %s: %w", name, err)
		}
	}
	return out.Close()
}

func (l *Layer) addParents() {
	for _, name := range slices.Collect(maps.Keys(l.entries)) {
		for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
			if _, ok := l.entries[dir]; !ok {
				l.Dir(dir, 0o755, Root)
			}
		}
	}
}

func (e entry) write(out *tar.Writer) error {
	h := e.header
	if h.Typeflag == tar.TypeDir {
		h.Name += "/"
	}
	if err := out.WriteHeader(&h); err != nil || e.open == nil {
		return err
	}
	in, err := e.open()
	if err != nil {
		return err
	}
	defer in.Close()
	_, err = io.Copy(out, in)
	return err
}
