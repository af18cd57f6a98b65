package image

import (
	"context"
	"debug/elf"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// programUser is nobody in particular: numeric, so that Kubernetes can see that it is not root.
const programUser = "65532:65532"

// Program is the image of one static program on an empty root, without a shell, certificates or anything else.
type Program struct {
	// Name of the image and of the program in it: localhost/NAME:TAG runs /NAME.
	Name, Tag string
	// Binary is the program on this machine.
	Binary string
	// Args come before those that a container gives.
	Args []string
}

// Image is the image's full name.
func (p Program) Image() string {
	return "localhost/" + p.Name + ":" + p.Tag
}

// Tar returns the path of the image's tar in the cache.
func (p Program) Tar(ctx context.Context, cache Cache) (string, error) {
	binary, err := os.ReadFile(p.Binary)
	if err != nil {
		return "", fmt.Errorf("reading program %s: %w", p.Name, err)
	}
	if err := CheckStatic(p.Binary); err != nil {
		return "", err
	}
	args, err := json.Marshal(p.Args)
	if err != nil {
		return "", err
	}
	key := Key("program 1", p.Image(), string(args), string(binary))
	return cache.File(ctx, p.Name, key, func(_ context.Context, file string) error {
		return p.write(file, binary)
	})
}

func (p Program) write(file string, binary []byte) error {
	layer := NewLayer()
	layer.File(p.Name, 0o755, binary)
	layerFile := filepath.Join(filepath.Dir(file), "layer.tar")
	if err := layer.WriteFile(layerFile); err != nil {
		return err
	}
	return Image{
		Name:   p.Image(),
		Layers: []string{layerFile},
		Config: v1.Config{User: programUser, Entrypoint: append([]string{"/" + p.Name}, p.Args...), WorkingDir: "/"},
	}.WriteFile(file)
}

// CheckStatic spares the user a container that dies with "no such file or directory": the missing file is the loader.
func CheckStatic(binary string) error {
	f, err := elf.Open(binary)
	if err != nil {
		return fmt.Errorf("%s is not a program: %w", binary, err)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return fmt.Errorf("%s needs shared libraries, which an image on an empty root has not: build it with CGO_ENABLED=0", binary)
		}
	}
	return nil
}
