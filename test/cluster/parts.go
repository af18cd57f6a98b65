package main

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"koperator.dev/koperator/test/cluster/internal/layout"
	"koperator.dev/koperator/test/cluster/internal/supervisor"
)

// parts is what a cluster is made from.
type parts struct {
	// programs are folders.
	programs []string
	config   supervisor.Config
}

// install makes the folder of a cluster. Programs are there under the cluster's own name: so their processes are found
// after a crash, and the cache may be cleared while the cluster runs.
func (p *parts) install(cluster layout.Cluster) error {
	for _, dir := range []string{cluster.Programs(), filepath.Dir(cluster.SupervisorLog())} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	for _, dir := range p.programs {
		if err := installPrograms(dir, cluster.Programs()); err != nil {
			return err
		}
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if err := linkOrCopy(self, cluster.Program(supervisor.ProgramName)); err != nil {
		return err
	}
	return supervisor.WriteConfig(cluster, p.config)
}

func installPrograms(from, to string) error {
	files, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, f := range files {
		if err := linkOrCopy(filepath.Join(from, f.Name()), filepath.Join(to, f.Name())); err != nil {
			return err
		}
	}
	return nil
}

// linkOrCopy copies only to another file system. A symbolic link stays one.
func linkOrCopy(from, to string) error {
	err := os.Link(from, to)
	if !errors.Is(err, unix.EXDEV) && !errors.Is(err, unix.EPERM) {
		return err
	}
	if target, err := os.Readlink(from); err == nil {
		return os.Symlink(target, to)
	}
	return copyProgram(from, to)
}

func copyProgram(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// startSupervisor starts it in the background, where it stays when this process ends.
func startSupervisor(cluster layout.Cluster) (ended <-chan error, err error) {
	log, err := os.Create(cluster.SupervisorLog())
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command(cluster.Program(supervisor.ProgramName), supervisor.Command, cluster.Name)
	cmd.Dir = "/"
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	result := make(chan error, 1)
	go func() { result <- cmd.Wait() }()
	return result, nil
}
