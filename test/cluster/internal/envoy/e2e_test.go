//go:build e2e

package envoy

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"koperator.dev/koperator/test/cluster/internal/image"
	"koperator.dev/koperator/test/cluster/internal/progress"
)

// TestRealImage runs the real Envoy in the root file system of its image, as the image's user: root is needed, and a
// network when Envoy is not in the cache yet.
func TestRealImage(t *testing.T) {
	programs, err := UserCache(progress.New(os.Stderr))
	if err != nil {
		t.Fatal(err)
	}
	program, err := programs.Program(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	tar, err := Tar(t.Context(), program, image.Cache{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(t.TempDir(), "root")
	if err := errors.Join(os.Mkdir(root, 0o755), image.Unpack(tar, root)); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(inImage, "--version")
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Credential: &syscall.Credential{Uid: 65532, Gid: 65532}}
	output, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(output), "/"+Version+"/") {
		t.Errorf("got %s, %v", output, err)
	}
}
