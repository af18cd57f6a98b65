package image

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"debug/elf"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

func TestProgram(t *testing.T) {
	cache := Cache{Dir: t.TempDir()}
	program := Program{Name: "pause", Tag: "1", Binary: writeELF(t, elf.PT_LOAD), Args: []string{"--quiet"}}
	file, err := program.Tar(t.Context(), cache)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(filepath.Base(file), "pause-") {
		t.Errorf("the tar is named %s", file)
	}

	img := open(t, file)
	config := configOf(t, img)
	if config.Config.User != "65532:65532" {
		t.Errorf("user %q", config.Config.User)
	}
	if got := config.Config.Entrypoint; !slices.Equal(got, []string{"/pause", "--quiet"}) {
		t.Errorf("entrypoint %q", got)
	}
	if got := names(t, img); !slices.Equal(got, []string{"pause"}) {
		t.Errorf("the image has %q", got)
	}
	if got := tagsOf(t, file); !slices.Equal(got, []string{"localhost/pause:1"}) {
		t.Errorf("the tar has the images %q", got)
	}
}

func TestProgramIsMadeOncePerContent(t *testing.T) {
	cache := Cache{Dir: t.TempDir()}
	program := Program{Name: "pause", Tag: "1", Binary: writeELF(t, elf.PT_LOAD)}
	first, err := program.Tar(t.Context(), cache)
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := program.Tar(t.Context(), cache); again != first {
		t.Errorf("the same program got %s and %s", first, again)
	}
	program.Args = []string{"more"}
	if other, _ := program.Tar(t.Context(), cache); other == first {
		t.Error("another command line got the same image")
	}
}

func TestProgramHasToBeStatic(t *testing.T) {
	program := Program{Name: "dynamic", Tag: "1", Binary: writeELF(t, elf.PT_INTERP)}
	_, err := program.Tar(t.Context(), Cache{Dir: t.TempDir()})
	if err == nil || !strings.Contains(err.Error(), "CGO_ENABLED=0") {
		t.Errorf("the error does not help: %v", err)
	}
}

func TestEqualInputsGiveEqualBytes(t *testing.T) {
	var sums [][32]byte
	for age := range 2 {
		file := filepath.Join(t.TempDir(), "image.tar")
		if err := sample(t, age).WriteFile(file); err != nil {
			t.Fatal(err)
		}
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		sums = append(sums, sha256.Sum256(content))
	}
	if sums[0] != sums[1] {
		t.Error("two images with the same content differ")
	}
}

func TestNameHasToBeWhole(t *testing.T) {
	if err := (Image{Name: "kafka"}).WriteFile(filepath.Join(t.TempDir(), "image.tar")); err == nil {
		t.Error("a name without host and tag was taken")
	}
}

func TestUnpackGivesBackTheLayers(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("files get their owners, which takes root")
	}
	file, dir := filepath.Join(t.TempDir(), "image.tar"), t.TempDir()
	if err := errors.Join(sample(t, 0).WriteFile(file), Unpack(file, dir)); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(dir, "opt/tree/run"))
	if err != nil {
		t.Fatal(err)
	}
	if !info.ModTime().Equal(Epoch) || info.Mode() != 0o755 {
		t.Errorf("unpacked with time %s and mode %s", info.ModTime(), info.Mode())
	}
	if info, err := os.Stat(filepath.Join(dir, "tmp")); err != nil || info.Mode() != os.ModeDir|os.ModeSticky|0o777 {
		t.Errorf("/tmp was unpacked as %v, %v", info, err)
	}
	if got, err := os.ReadFile(filepath.Join(dir, "link/name")); err != nil || string(got) != "content" {
		t.Errorf("read %q, %v through the link", got, err)
	}
}

// sample is an image of two layers with all kinds of files, made from files of a certain age.
func sample(t *testing.T, age int) Image {
	t.Helper()
	dir := t.TempDir()
	tree := filepath.Join(dir, "tree")
	script := filepath.Join(tree, "run")
	changed := time.Now().Add(-time.Duration(age) * time.Hour)
	err := errors.Join(os.Mkdir(tree, 0o700), os.WriteFile(script, []byte("#!/bin/sh\n"), 0o755), os.Chtimes(script, changed, changed))
	if err != nil {
		t.Fatal(err)
	}
	lower, upper := NewLayer(), NewLayer()
	lower.Dir("/tmp", 0o1777, Root)
	lower.File("etc/name", 0o644, []byte("content"))
	lower.Symlink("link", "etc")
	if err := upper.Tree("/opt/tree", tree); err != nil {
		t.Fatal(err)
	}
	image := Image{Name: "localhost/sample:1", Config: v1.Config{User: "1:1", Env: []string{"A=b"}}}
	for name, layer := range map[string]*Layer{"lower.tar": lower, "upper.tar": upper} {
		if err := layer.WriteFile(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	image.Layers = []string{filepath.Join(dir, "lower.tar"), filepath.Join(dir, "upper.tar")}
	return image
}

func TestLayerIsSortedWithParentsFirst(t *testing.T) {
	layer := NewLayer()
	layer.File("/b/c/file", 0o600, nil)
	layer.File("a", 0o644, nil)
	layer.Dir("b", 0o700, Owner{UID: 1000, GID: 1000})
	var got []string
	for _, h := range headers(t, write(t, layer)) {
		got = append(got, h.Name)
		if h.Name == "b/" && (h.Uid != 1000 || h.Mode != 0o700) {
			t.Errorf("the folder lost its owner or its mode: %+v", h)
		}
	}
	if want := []string{"a", "b/", "b/c/", "b/c/file"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestLayerTakesTheChosenPartOfATar(t *testing.T) {
	from := NewLayer()
	from.File("keep/file", 0o644, []byte("content"))
	from.File("drop/file", 0o644, nil)
	to := NewLayer()
	err := to.Tar(write(t, from), func(name string) bool { return strings.HasPrefix(name, "keep") })
	if err != nil {
		t.Fatal(err)
	}
	if got := len(headers(t, write(t, to))); got != 2 {
		t.Errorf("the layer has %d entries instead of the folder and the file", got)
	}
}

func TestLayerRefusesDevices(t *testing.T) {
	var device bytes.Buffer
	w := tar.NewWriter(&device)
	if err := errors.Join(w.WriteHeader(&tar.Header{Typeflag: tar.TypeChar, Name: "dev/null"}), w.Close()); err != nil {
		t.Fatal(err)
	}
	if err := NewLayer().Tar(&device, func(string) bool { return true }); err == nil {
		t.Error("a device was taken")
	}
}

func write(t *testing.T, layer *Layer) *bytes.Buffer {
	t.Helper()
	var out bytes.Buffer
	if err := layer.Write(&out); err != nil {
		t.Fatal(err)
	}
	return &out
}

func headers(t *testing.T, r io.Reader) []*tar.Header {
	t.Helper()
	var all []*tar.Header
	for in := tar.NewReader(r); ; {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, h)
	}
}

func open(t *testing.T, file string) v1.Image {
	t.Helper()
	img, err := tarball.ImageFromPath(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func configOf(t *testing.T, img v1.Image) *v1.ConfigFile {
	t.Helper()
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	return config
}

func tagsOf(t *testing.T, file string) []string {
	t.Helper()
	manifest, err := tarball.LoadManifest(func() (io.ReadCloser, error) { return os.Open(file) })
	if err != nil {
		t.Fatal(err)
	}
	return manifest[0].RepoTags
}

func names(t *testing.T, img v1.Image) []string {
	t.Helper()
	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, layer := range layers {
		content, err := layer.Uncompressed()
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range headers(t, content) {
			all = append(all, h.Name)
		}
		content.Close()
	}
	return all
}

// writeELF writes a program that has one segment of this kind and cannot run.
func writeELF(t *testing.T, segment elf.ProgType) string {
	t.Helper()
	header := elf.Header64{
		Ident:     [16]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)},
		Type:      uint16(elf.ET_EXEC),
		Machine:   uint16(elf.EM_X86_64),
		Version:   uint32(elf.EV_CURRENT),
		Phoff:     64,
		Ehsize:    64,
		Phentsize: 56,
		Phnum:     1,
	}
	var content bytes.Buffer
	err := errors.Join(
		binary.Write(&content, binary.LittleEndian, header),
		binary.Write(&content, binary.LittleEndian, elf.Prog64{Type: uint32(segment)}),
	)
	file := filepath.Join(t.TempDir(), "program")
	if err := errors.Join(err, os.WriteFile(file, content.Bytes(), 0o755)); err != nil {
		t.Fatal(err)
	}
	return file
}
