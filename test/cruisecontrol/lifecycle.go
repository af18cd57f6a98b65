package cruisecontrol

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"time"
)

const (
	// deadlockTime is how long a SIGTERM takes while replicas move between brokers.
	deadlockTime = 30 * time.Second
	// stopTime is how long it takes otherwise.
	stopTime = 6 * time.Second
)

// Start listens and serves, and returns the address of the API.
func (s *Server) Start() (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.serve(); err != nil {
		return "", err
	}
	return "http://" + s.address + pathPrefix, nil
}

func (s *Server) serve() error {
	address := s.address
	if address == "" {
		address = "127.0.0.1:0"
	}
	listener, err := s.opts.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("listening: %w", err)
	}
	s.address, s.listens = listener.Addr().String(), true
	// Probes that only connect are no news.
	quiet := log.New(io.Discard, "", 0)
	s.web = &http.Server{Handler: s, ReadHeaderTimeout: time.Minute, IdleTimeout: 30 * time.Second, ErrorLog: quiet}
	go func(web *http.Server, listener net.Listener) { _ = web.Serve(listener) }(s.web, listener)
	return nil
}

// Close ends everything.
func (s *Server) Close() { s.Kill() }

// Kill is a SIGKILL, or a node that is lost: tasks, recently removed brokers and what was administered are gone, connections
// are reset and refused. What Kafka was told goes on.
func (s *Server) Kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kill()
}

func (s *Server) kill() {
	if s.process != nil {
		s.process.monitor.stop()
	}
	s.process = nil
	if s.web != nil {
		_ = s.web.Close()
		s.web = nil
	}
	s.notify()
}

// Restart starts another process after Kill, on the same address if the last one had one.
func (s *Server) Restart() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kill()
	if s.opts.Config.NoSampleStore {
		s.samples = nil
	}
	s.process = newProcess(s)
	s.notify()
	if !s.listens {
		return nil
	}
	return s.serve()
}

// Terminate is a SIGTERM. While replicas move between brokers it hangs: for thirty seconds questions are answered as if nothing
// had happened and changes are not answered at all, and then the process ends without having undone anything.
func (s *Server) Terminate() {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.process
	if p == nil || p.terminating {
		return
	}
	p.advance()
	p.terminating = true
	if p.executor.phase == interBroker {
		p.deadlocked = true
		p.after(deadlockTime, s.kill)
		return
	}
	p.executor.shutDown()
	p.after(stopTime, s.kill)
}

// Alive tells whether there is a process.
func (s *Server) Alive() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.process != nil
}
