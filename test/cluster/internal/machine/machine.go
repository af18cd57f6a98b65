// Package machine runs a set of programs as if they had a machine of their own: their own processes, mounts, host name
// and network. The first process of such a machine is this program, started as its init; when it dies, the kernel ends
// all others at once and drops their mounts, as a power cut does.
package machine

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"

	"koperator.dev/koperator/test/cluster/internal/netns"
)

// InitCommand is the command by which this program is a machine's init. Its argument is the file of the Spec.
const InitCommand = "machine-init"

// SearchPath is where components find programs of the operating system.
const SearchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// Spec says what a machine is.
type Spec struct {
	// Hostname is the machine's name.
	Hostname string
	// Namespace is the name of its network namespace.
	Namespace string
	// ResolvConf replaces /etc/resolv.conf.
	ResolvConf string
	// Links are symbolic links to make in /run, which is empty when a machine starts: from a path to its target.
	Links map[string]string
	// LogDir gets a file for each component.
	LogDir string
	// Components are started when what they need is there, and never again.
	Components []Component
}

// Component is a program that runs on a machine.
type Component struct {
	Name string
	Path string
	Args []string
	Env  []string
	// Needs are addresses that have to answer before the program is started: "unix:PATH", "tcp:HOST:PORT" or a URL.
	Needs []string
}

// Event is what a machine's init reports: a component was started, could not be, or ended.
type Event struct {
	Component string
	PID       int    `json:",omitempty"`
	Ended     string `json:",omitempty"`
}

// Machine is a running machine.
type Machine struct {
	Spec Spec
	init *exec.Cmd
	// lifeline is closed by the kernel when this process dies; the machine's init ends then.
	lifeline io.Closer
	ended    chan struct{}
}

// Start starts a machine. The init program is this program, under a path that tells which cluster it belongs to.
func Start(spec Spec, specFile, program string, report func(Event)) (*Machine, error) {
	if err := writeSpec(spec, specFile); err != nil {
		return nil, fmt.Errorf("describing machine %s: %w", spec.Hostname, err)
	}
	log, err := openLog(spec.LogDir, "init")
	if err != nil {
		return nil, err
	}
	defer log.Close()

	init := exec.Command(program, InitCommand, specFile)
	init.Stderr = log
	init.SysProcAttr = &syscall.SysProcAttr{
		Setsid:     true,
		Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS | syscall.CLONE_NEWUTS | syscall.CLONE_NEWIPC,
	}
	lifeline, err := init.StdinPipe()
	if err != nil {
		return nil, err
	}
	events, err := init.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := netns.Do(spec.Namespace, init.Start); err != nil {
		return nil, fmt.Errorf("starting machine %s: %w", spec.Hostname, err)
	}
	m := &Machine{Spec: spec, init: init, lifeline: lifeline, ended: make(chan struct{})}
	go m.watch(events, report)
	return m, nil
}

func (m *Machine) watch(events io.Reader, report func(Event)) {
	defer close(m.ended)
	for lines := bufio.NewScanner(events); lines.Scan(); {
		var e Event
		if err := json.Unmarshal(lines.Bytes(), &e); err == nil {
			report(e)
		}
	}
	err := m.init.Wait()
	report(Event{Component: "init", Ended: exitText(err)})
}

func exitText(err error) string {
	if err == nil {
		return "exit status 0"
	}
	return err.Error()
}

// PID is the init's process, whose namespaces are the machine's.
func (m *Machine) PID() int { return m.init.Process.Pid }

// Kill ends all processes of the machine at once, and returns when they are gone.
func (m *Machine) Kill() error {
	if err := m.init.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("killing machine %s: %w", m.Spec.Hostname, err)
	}
	<-m.ended
	m.lifeline.Close()
	return nil
}

func writeSpec(spec Spec, file string) error {
	data, err := json.MarshalIndent(spec, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, data, 0o600)
}
