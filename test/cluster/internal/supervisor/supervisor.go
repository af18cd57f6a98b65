// Package supervisor is the daemon that a cluster consists of: it starts the machines, keeps what belongs to no machine
// (volumes, addresses, the way in from this machine), and inflicts faults. Whoever runs a command only asks it: it alone
// starts processes, so that they never inherit the namespaces of the caller.
package supervisor

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"

	"koperator.dev/koperator/test/cluster/internal/fabric"
	"koperator.dev/koperator/test/cluster/internal/layout"
	"koperator.dev/koperator/test/cluster/internal/machine"
	"koperator.dev/koperator/test/cluster/internal/storage"
)

// Supervisor of a cluster.
type Supervisor struct {
	cluster layout.Cluster
	config  Config
	fabric  fabric.Fabric
	disks   storage.Disks

	// faults come one at a time.
	faults sync.Mutex

	// mu guards what follows.
	mu       sync.Mutex
	status   Status
	machines map[string]*machine.Machine
}

// Run starts the cluster and serves until the context ends; then the cluster ends, too, because no machine outlives its
// supervisor. A start that fails does not end it: it has to say why.
func Run(ctx context.Context, cluster layout.Cluster) error {
	config, err := readConfig(cluster)
	if err != nil {
		return err
	}
	s := &Supervisor{
		cluster:  cluster,
		config:   config,
		fabric:   fabric.Fabric{Cluster: cluster},
		disks:    storage.Disks{Dir: cluster.Volumes(), Images: cluster.VolumeImages()},
		status:   Status{PID: os.Getpid()},
		machines: map[string]*machine.Machine{},
	}
	listener, err := net.Listen("unix", cluster.Socket())
	if err != nil {
		return fmt.Errorf("listening for commands: %w", err)
	}
	defer listener.Close()
	go s.startCluster(ctx)

	server := &http.Server{Handler: s.handler()}
	context.AfterFunc(ctx, func() { server.Close() })
	if err := server.Serve(listener); err != nil && ctx.Err() == nil {
		return fmt.Errorf("serving commands: %w", err)
	}
	return nil
}

func (s *Supervisor) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if err := json.NewEncoder(w).Encode(s.status); err != nil {
			slog.Error("Answering", "err", err)
		}
	})
	mux.HandleFunc("POST /nodes/{number}/{fault}", func(w http.ResponseWriter, r *http.Request) {
		if err := s.inflict(r.PathValue("number"), Fault(r.PathValue("fault"))); err != nil {
			http.Error(w, err.Error(), http.StatusConflict)
		}
	})
	return mux
}

// startMachine starts a machine and keeps its status up to date.
func (s *Supervisor) startMachine(spec machine.Spec) error {
	s.update(spec.Hostname, func(m *Machine) { *m = newStatus(spec) })
	specFile := s.cluster.Path("machines", spec.Hostname+".json")
	if err := os.MkdirAll(filepath.Dir(specFile), 0o755); err != nil {
		return err
	}
	started, err := machine.Start(spec, specFile, s.cluster.Program(ProgramName), func(e machine.Event) {
		slog.Info("Event", "machine", spec.Hostname, "component", e.Component, "pid", e.PID, "ended", e.Ended)
		s.update(spec.Hostname, func(m *Machine) { m.record(e) })
	})
	if err != nil {
		return err
	}
	s.update(spec.Hostname, func(m *Machine) { m.InitPID = started.PID() })
	s.mu.Lock()
	defer s.mu.Unlock()
	s.machines[spec.Hostname] = started
	return nil
}

func newStatus(spec machine.Spec) Machine {
	m := Machine{Name: spec.Hostname, Components: []Component{{Name: "init", Log: filepath.Join(spec.LogDir, "init.log")}}}
	for _, c := range spec.Components {
		m.Components = append(m.Components, Component{Name: c.Name, Log: filepath.Join(spec.LogDir, c.Name+".log")})
	}
	return m
}

func (m *Machine) record(e machine.Event) {
	for i := range m.Components {
		if c := &m.Components[i]; c.Name == e.Component {
			c.PID, c.Ended = e.PID, e.Ended
		}
	}
}

// update changes the status of a machine, which is new if there was none.
func (s *Supervisor) update(name string, change func(*Machine)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.status.Machines {
		if s.status.Machines[i].Name == name {
			change(&s.status.Machines[i])
			return
		}
	}
	m := Machine{Name: name}
	change(&m)
	s.status.Machines = append(s.status.Machines, m)
}

func (s *Supervisor) machineStatus(name string) Machine {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.status.Machines {
		if m.Name == name {
			return m
		}
	}
	return Machine{Name: name, Off: true}
}
