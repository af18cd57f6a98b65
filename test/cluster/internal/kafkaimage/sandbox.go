package kafkaimage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"

	"koperator.dev/koperator/test/cluster/internal/image"
)

// sandbox runs programs of an unpacked image about as a restricted container does: in its root file system, which is
// read-only but for /tmp and the data folder, with its environment, in a network of its own that has only loopback.
// What it mounts is seen by nobody else and is gone with it, even if the process is killed.
type sandbox struct {
	root string
	user image.Owner
}

// inSandbox calls do in a goroutine whose thread has left this process' mounts, network and host name, so only what do itself
// starts, dials and opens is inside; what it hands to other goroutines is not.
func inSandbox(root string, user image.Owner, do func(*sandbox) error) error {
	result := make(chan error)
	go func() {
		// Never unlocked: the thread ends with the goroutine, and its mounts and its network with the thread.
		runtime.LockOSThread()
		s := &sandbox{root: root, user: user}
		if err := s.enter(); err != nil {
			result <- fmt.Errorf("isolating the new root file system: %w", err)
			return
		}
		result <- do(s)
	}()
	return <-result
}

func (s *sandbox) enter() error {
	if err := unix.Unshare(unix.CLONE_NEWNS | unix.CLONE_NEWNET | unix.CLONE_NEWUTS); err != nil {
		return fmt.Errorf("unsharing mounts, network and host name: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("hiding mounts: %w", err)
	}
	// A name that the image's /etc/hosts knows: Java asks for the address of its host.
	return errors.Join(unix.Sethostname([]byte("localhost")), s.mountRoot(), s.mountDevices(), loopbackUp())
}

func (s *sandbox) mountRoot() error {
	writable := fmt.Sprintf("mode=0700,uid=%d,gid=%d", s.user.UID, s.user.GID)
	mounts := []struct {
		source, target, kind string
		flags                uintptr
		data                 string
	}{
		{s.root, "/", "", unix.MS_BIND, ""},
		{"", "/", "", unix.MS_BIND | unix.MS_REMOUNT | unix.MS_RDONLY, ""},
		{"proc", "/proc", "proc", 0, ""},
		{"tmpfs", "/tmp", "tmpfs", 0, "mode=1777"},
		{"tmpfs", "/dev", "tmpfs", 0, "mode=0755"},
		{"tmpfs", dataDir, "tmpfs", 0, writable},
	}
	for _, m := range mounts {
		if err := unix.Mount(m.source, s.path(m.target), m.kind, m.flags, m.data); err != nil {
			return fmt.Errorf("mounting %s: %w", m.target, err)
		}
	}
	return nil
}

func (s *sandbox) mountDevices() error {
	for _, name := range []string{"null", "zero", "random", "urandom"} {
		device := filepath.Join("/dev", name)
		if err := os.WriteFile(s.path(device), nil, 0o666); err != nil {
			return err
		}
		if err := unix.Mount(device, s.path(device), "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("mounting %s: %w", device, err)
		}
	}
	return nil
}

func loopbackUp() error {
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(socket)
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	lo.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(socket, unix.SIOCSIFFLAGS, lo); err != nil {
		return fmt.Errorf("bringing loopback up: %w", err)
	}
	return nil
}

// path is the place on the host of a path of the image.
func (s *sandbox) path(name string) string {
	return filepath.Join(s.root, name)
}

// command prepares a program of the image, with more environment variables. It is killed when ctx or this process ends.
func (s *sandbox) command(ctx context.Context, env []string, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = "/"
	cmd.Env = append(environment(), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Chroot:     s.root,
		Credential: &syscall.Credential{Uid: uint32(s.user.UID), Gid: uint32(s.user.GID)},
		Pdeathsig:  syscall.SIGKILL,
	}
	return cmd
}

// run runs a program of the image to its end and returns its standard output.
func (s *sandbox) run(ctx context.Context, env []string, input io.Reader, program string, args ...string) (string, error) {
	cmd := s.command(ctx, env, program, args...)
	cmd.Stdin = input
	output, err := cmd.Output()
	if err != nil {
		said := string(output)
		if exit := new(exec.ExitError); errors.As(err, &exit) {
			said += string(exit.Stderr)
		}
		return "", fmt.Errorf("running %s in the image: %w\n%s", program, err, tail(said, 30))
	}
	return string(output), nil
}

// writeFile makes a file that programs in the sandbox can read.
func (s *sandbox) writeFile(name, content string) error {
	return os.WriteFile(s.path(name), []byte(content), 0o644)
}
