package envoy

import (
	"context"
	"debug/elf"
	"fmt"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"koperator.dev/koperator/test/cluster/internal/image"
)

const (
	// Image is the name of the image.
	Image = "localhost/envoy:" + Version
	// inImage is where the official image has the program.
	inImage = "/usr/local/bin/envoy"
	// user is the one of the official distroless image.
	user = "65532:65532"
)

// libraryDirs are where systems have their C library. In the image it is where it was: the loader looks there.
var libraryDirs = []string{"/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64", "/usr/lib64", "/lib", "/usr/lib"}

// Tar returns the path of the image's tar in the cache.
//
// The image has the layout of the official distroless one as far as Koperator needs it: the program, and the C library
// of this machine. No shell, no certificate authorities.
func Tar(ctx context.Context, program string, cache image.Cache) (string, error) {
	files, err := withLibraries(program)
	if err != nil {
		return "", fmt.Errorf("finding what Envoy needs to run: %w", err)
	}
	inputs := []string{"envoy image 1", Image}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return "", err
		}
		inputs = append(inputs, file, string(content))
	}
	return cache.File(ctx, "envoy-"+Version, image.Key(inputs...), func(_ context.Context, file string) error {
		return writeImage(program, files, file)
	})
}

func writeImage(program string, files []string, file string) error {
	layer := image.NewLayer()
	for _, from := range files {
		to := from
		if from == program {
			to = inImage
		}
		if err := layer.HostFile(to, 0o755, from); err != nil {
			return err
		}
	}
	layer.File("etc/passwd", 0o644, []byte("root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n"))
	layer.Dir("etc/envoy", 0o755, image.Root)
	layer.Dir("tmp", 0o1777, image.Root)
	layerFile := filepath.Join(filepath.Dir(file), "layer.tar")
	if err := layer.WriteFile(layerFile); err != nil {
		return err
	}
	return image.Image{Name: Image, Layers: []string{layerFile}, Config: config()}.WriteFile(file)
}

func config() v1.Config {
	return v1.Config{
		User:       user,
		Entrypoint: []string{inImage},
		Cmd:        []string{"-c", "/etc/envoy/envoy.yaml"},
		WorkingDir: "/",
		Labels: map[string]string{
			"org.opencontainers.image.title":       "Envoy " + Version + " for tests of Koperator",
			"org.opencontainers.image.description": "Made by Koperator's test/cluster from a published wheel. Not the official image, not for production.",
			"org.opencontainers.image.version":     Version,
			"dev.koperator.test-image":             "true",
		},
	}
}

// withLibraries are the program, its loader, and the libraries that it is linked with.
func withLibraries(program string) ([]string, error) {
	binary, err := elf.Open(program)
	if err != nil {
		return nil, err
	}
	defer binary.Close()
	loader, err := loaderOf(binary)
	if err != nil {
		return nil, err
	}
	files := []string{program, loader}
	needed, err := binary.ImportedLibraries()
	if err != nil {
		return nil, err
	}
	for _, name := range needed {
		if name == filepath.Base(loader) {
			continue
		}
		library, err := findLibrary(name)
		if err != nil {
			return nil, err
		}
		files = append(files, library)
	}
	return files, nil
}

func loaderOf(binary *elf.File) (string, error) {
	for _, part := range binary.Progs {
		if part.Type != elf.PT_INTERP {
			continue
		}
		path := make([]byte, part.Filesz)
		if _, err := part.ReadAt(path, 0); err != nil {
			return "", err
		}
		return string(path[:len(path)-1]), nil // without the zero at its end
	}
	return "", fmt.Errorf("the program has no loader")
}

func findLibrary(name string) (string, error) {
	for _, dir := range libraryDirs {
		if path := filepath.Join(dir, name); exists(path) {
			return path, nil
		}
	}
	return "", fmt.Errorf("no %s in %v: a machine with the GNU C library is needed", name, libraryDirs)
}
