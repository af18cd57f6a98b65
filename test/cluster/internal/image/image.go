// Package image writes container images without a container engine: tars that "ctr images import", "podman load" and
// "docker load" take. Equal inputs give equal bytes, so that layers are shared between images and imports are cheap.
package image

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Image is what a tar holds: layers, lowest first, as files that Layer.WriteFile wrote, and how to run them.
type Image struct {
	Name   string
	Layers []string
	Config v1.Config
}

// WriteFile writes the image as a docker-archive.
func (i Image) WriteFile(file string) error {
	tag, err := name.NewTag(i.Name, name.StrictValidation)
	if err != nil {
		return fmt.Errorf("naming the image: %w", err)
	}
	img, err := i.assemble()
	if err != nil {
		return fmt.Errorf("assembling image %s: %w", i.Name, err)
	}
	if err := tarball.WriteToFile(file, tag, img); err != nil {
		return fmt.Errorf("writing image %s: %w", i.Name, err)
	}
	return nil
}

func (i Image) assemble() (v1.Image, error) {
	img, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{
		Architecture: runtime.GOARCH,
		OS:           "linux",
		Created:      v1.Time{Time: Epoch},
		Config:       i.Config,
		RootFS:       v1.RootFS{Type: "layers"},
	})
	if err != nil {
		return nil, err
	}
	for _, file := range i.Layers {
		layer, err := openLayer(file)
		if err != nil {
			return nil, err
		}
		if img, err = mutate.Append(img, mutate.Addendum{Layer: layer, History: v1.History{Created: v1.Time{Time: Epoch}}}); err != nil {
			return nil, err
		}
	}
	return img, nil
}

// layerFile is an uncompressed layer: its digest and its diff ID are the same.
type layerFile struct {
	path string
	hash v1.Hash
	size int64
}

func openLayer(path string) (layerFile, error) {
	f, err := os.Open(path)
	if err != nil {
		return layerFile{}, err
	}
	defer f.Close()
	sum := sha256.New()
	size, err := io.Copy(sum, f)
	if err != nil {
		return layerFile{}, err
	}
	return layerFile{path: path, hash: v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(sum.Sum(nil))}, size: size}, nil
}

func (l layerFile) Digest() (v1.Hash, error)             { return l.hash, nil }
func (l layerFile) DiffID() (v1.Hash, error)             { return l.hash, nil }
func (l layerFile) Compressed() (io.ReadCloser, error)   { return os.Open(l.path) }
func (l layerFile) Uncompressed() (io.ReadCloser, error) { return os.Open(l.path) }
func (l layerFile) Size() (int64, error)                 { return l.size, nil }
func (l layerFile) MediaType() (types.MediaType, error)  { return types.DockerUncompressedLayer, nil }

// CopyFile copies a file that is written anew.
func CopyFile(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
