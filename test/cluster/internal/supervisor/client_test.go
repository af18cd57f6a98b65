package supervisor

import (
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"koperator.dev/koperator/test/cluster/internal/layout"
)

func TestClient(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	client := newClient(socket)
	if _, err := client.Status(t.Context()); !errors.Is(err, ErrNotRunning) {
		t.Errorf("without a socket: got %v", err)
	}

	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	s := &Supervisor{status: Status{Machines: []Machine{{Name: "node1"}}}}
	server := &http.Server{Handler: s.handler()}
	go server.Serve(listener) //nolint:errcheck // It ends with the listener.
	status, err := client.Status(t.Context())
	if err != nil || len(status.Machines) != 1 || status.Machines[0].Name != "node1" {
		t.Errorf("got %+v, %v", status, err)
	}
	if err := client.Inflict(t.Context(), layout.Node{Number: 1}, Kill); err == nil {
		t.Error("a cluster that is not ready suffered a fault")
	}

	// What a supervisor that was killed leaves behind.
	listener.(*net.UnixListener).SetUnlinkOnClose(false)
	server.Close()
	if _, err := os.Stat(socket); err != nil {
		t.Fatal(err)
	}
	client.http.CloseIdleConnections()
	if _, err := client.Status(t.Context()); !errors.Is(err, ErrNotRunning) {
		t.Errorf("with a dead socket: got %v", err)
	}
}
