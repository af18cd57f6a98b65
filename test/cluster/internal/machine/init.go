package machine

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// RunInit is the first process of a machine. It ends when its standard input does.
func RunInit(specFile string) error {
	spec, err := readSpec(specFile)
	if err != nil {
		return fmt.Errorf("reading the machine's description: %w", err)
	}
	if err := prepare(spec); err != nil {
		return fmt.Errorf("preparing machine %s: %w", spec.Hostname, err)
	}
	i := &initProcess{spec: spec, events: json.NewEncoder(os.Stdout), running: map[int]string{}}
	go i.reapForever()
	for _, c := range spec.Components {
		go i.run(c)
	}
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

func readSpec(file string) (Spec, error) {
	var spec Spec
	data, err := os.ReadFile(file)
	if err != nil {
		return spec, err
	}
	return spec, json.Unmarshal(data, &spec)
}

type initProcess struct {
	spec Spec

	mu      sync.Mutex
	events  *json.Encoder
	running map[int]string
}

// run starts a component once what it needs is there.
func (i *initProcess) run(c Component) {
	for _, address := range c.Needs {
		await(context.Background(), address)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	pid, err := i.start(c)
	if err != nil {
		i.report(Event{Component: c.Name, Ended: err.Error()})
		return
	}
	i.running[pid] = c.Name
	i.report(Event{Component: c.Name, PID: pid})
}

// start does not use os/exec: its Wait and reapForever would take each other's children.
func (i *initProcess) start(c Component) (int, error) {
	log, err := openLog(i.spec.LogDir, c.Name)
	if err != nil {
		return 0, err
	}
	defer log.Close()
	null, err := os.Open(os.DevNull)
	if err != nil {
		return 0, err
	}
	defer null.Close()
	process, err := os.StartProcess(c.Path, append([]string{c.Path}, c.Args...), &os.ProcAttr{
		Dir:   "/",
		Env:   c.Env,
		Files: []*os.File{null, log, log},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return 0, err
	}
	pid := process.Pid
	return pid, process.Release()
}

// reapForever collects the components, and the orphans that every init inherits.
func (i *initProcess) reapForever() {
	died := make(chan os.Signal, 1)
	signal.Notify(died, unix.SIGCHLD)
	for ; ; <-died {
		i.reap()
	}
}

func (i *initProcess) reap() {
	// Held while a component is started, too: its end is not seen before its beginning.
	i.mu.Lock()
	defer i.mu.Unlock()
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, unix.WNOHANG, nil)
		if err == unix.EINTR {
			continue
		}
		if err != nil || pid <= 0 {
			return
		}
		if name, ok := i.running[pid]; ok {
			delete(i.running, pid)
			i.report(Event{Component: name, Ended: describe(status)})
		}
	}
}

// report fails only when the supervisor is gone, and then the machine goes as well.
func (i *initProcess) report(e Event) {
	_ = i.events.Encode(e)
}

func describe(status unix.WaitStatus) string {
	if status.Signaled() {
		return "signal: " + status.Signal().String()
	}
	return fmt.Sprintf("exit status %d", status.ExitStatus())
}

func openLog(dir, component string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	return os.OpenFile(filepath.Join(dir, component+".log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
}
