package image

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// Unpack lays the layers of an image's tar over each other in dir, as a container engine does, with owners and
// modification times; it needs root. Only images of this package: it knows no deleted files and no device nodes.
func Unpack(file, dir string) error {
	img, err := tarball.ImageFromPath(file, nil)
	if err != nil {
		return fmt.Errorf("reading image %s: %w", file, err)
	}
	layers, err := img.Layers()
	if err != nil {
		return fmt.Errorf("reading image %s: %w", file, err)
	}
	for _, layer := range layers {
		content, err := layer.Uncompressed()
		if err != nil {
			return fmt.Errorf("reading image %s: %w", file, err)
		}
		if err := errors.Join(unpack(content, dir), content.Close()); err != nil {
			return fmt.Errorf("unpacking image %s: %w", file, err)
		}
	}
	return nil
}

// UnpackLayer does the same with a single layer.
func UnpackLayer(file, dir string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unpack(f, dir); err != nil {
		return fmt.Errorf("unpacking layer %s: %w", file, err)
	}
	return nil
}

func unpack(r io.Reader, dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	for in := tar.NewReader(r); ; {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := unpackEntry(root, h, in); err != nil {
			return fmt.Errorf("%s: %w", h.Name, err)
		}
	}
}

func unpackEntry(root *os.Root, h *tar.Header, content io.Reader) error {
	name := clean(h.Name)
	if err := makeEntry(root, name, h, content); err != nil {
		return err
	}
	if err := root.Lchown(name, h.Uid, h.Gid); err != nil || h.Typeflag == tar.TypeSymlink {
		return err
	}
	// After the owner: changing the owner clears special bits of the mode.
	if err := root.Chmod(name, h.FileInfo().Mode()); err != nil {
		return err
	}
	return root.Chtimes(name, h.ModTime, h.ModTime)
}

func makeEntry(root *os.Root, name string, h *tar.Header, content io.Reader) error {
	switch h.Typeflag {
	case tar.TypeDir:
		return root.MkdirAll(name, 0o755)
	case tar.TypeSymlink:
		return root.Symlink(h.Linkname, name)
	case tar.TypeReg:
		return writeFile(root, name, content)
	}
	return fmt.Errorf("the type %q is not one of this package", h.Typeflag)
}

func writeFile(root *os.Root, name string, content io.Reader) error {
	f, err := root.Create(name)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, content)
	return errors.Join(err, f.Close())
}
