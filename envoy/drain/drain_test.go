package drain

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/utils/clock"

	"koperator.dev/koperator/envoy/fleet/objects"
)

// output is what a drain says, to be read while it goes on.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) has(text string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return strings.Contains(o.text.String(), text)
}

func (p *proxy) options(deregistration, timeout time.Duration) (Options, *output) {
	out := &output{}
	return Options{Socket: p.socket(), Deregistration: deregistration, Timeout: timeout, Clock: clock.RealClock{}, Out: out}, out
}

// begin drains in the background.
func (p *proxy) begin(o Options) <-chan error {
	done := make(chan error, 1)
	go func() { done <- Run(p.Context(), o) }()
	return done
}

func (p *proxy) requireEnd(done <-chan error, within time.Duration) {
	p.Helper()
	select {
	case err := <-done:
		if err != nil {
			p.Fatalf("the drain failed: %v", err)
		}
	case <-time.After(within):
		p.Fatal("the drain does not end")
	}
}

// While the load balancer still sends clients, they are served; then busy connections are closed one by one, and when the
// last is gone there is nothing to wait for.
func TestDrainEndsWithTheLastClient(t *testing.T) {
	p := start(t)
	var busy []<-chan time.Time
	for range 5 {
		busy = append(busy, p.keepBusy(t.Context()))
	}
	options, out := p.options(2*time.Second, time.Minute)
	begin := time.Now()
	done := p.begin(options)
	p.await("the proxy to be unready", func() bool { return p.get("/ready") == http.StatusServiceUnavailable })
	idle := p.connect()
	if out.has("closing") {
		t.Fatal("the machine is too slow for this test: connections are being closed already")
	}
	if len(busy[0])+len(busy[1])+len(busy[2])+len(busy[3])+len(busy[4]) > 0 {
		t.Error("a connection was closed while the load balancer still sent new clients")
	}
	p.await("connections to be counted", func() bool { return out.has("connections are left") })
	_ = idle.Close() // nothing else would end it
	p.requireEnd(done, 30*time.Second)
	for i, closed := range busy {
		select {
		case at := <-closed:
			t.Logf("connection %d was closed after %s", i, at.Sub(begin))
		case <-time.After(time.Second):
			t.Errorf("the drain has ended and connection %d is open", i)
		}
	}
	if !out.has("all connections are closed") {
		t.Error("it does not say that all connections are closed")
	}
}

// An idle connection is closed by nothing: the drain does not wait for it longer than it may.
func TestDrainEndsAtTheTimeout(t *testing.T) {
	p := start(t)
	idle := p.connect()
	options, out := p.options(0, time.Second)
	begin := time.Now()
	p.requireEnd(p.begin(options), 20*time.Second)
	if took := time.Since(begin); took < time.Second {
		t.Errorf("it gave up after %s", took)
	}
	if !out.has("1 connections are left to the end of the process") {
		t.Error("it does not say what is left")
	}
	if err := roundTrip(idle); err != nil && !errors.Is(err, io.EOF) {
		t.Errorf("the idle connection was reset: %v", err)
	}

	p.requireEnd(p.begin(options), 20*time.Second) // once more does no harm
	if p.get("/ready") != http.StatusServiceUnavailable {
		t.Error("the proxy is ready again")
	}
}

func TestDrainWithoutEnvoy(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "admin.sock")
	for name, prepare := range map[string]func(){
		"never started": func() {},
		"left its socket behind": func() {
			listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket, Net: "unix"})
			if err != nil {
				t.Fatal(err)
			}
			listener.SetUnlinkOnClose(false)
			_ = listener.Close()
		},
	} {
		t.Run(name, func(t *testing.T) {
			prepare()
			out := &output{}
			err := Run(t.Context(), Options{Socket: socket, Deregistration: time.Hour, Timeout: time.Hour, Clock: clock.RealClock{}, Out: out})
			if err != nil || !out.has("nothing to drain") {
				t.Errorf("%v, %s", err, &out.text)
			}
		})
	}
}

// Envoy may end before its drain, for want of memory say.
func TestEnvoyEndsWhileItDrains(t *testing.T) {
	p := start(t)
	p.connect()
	options, out := p.options(0, time.Hour)
	done := p.begin(options)
	p.await("the drain to wait", func() bool { return out.has("connections are left") })
	_ = p.process.Process.Kill()
	_ = p.process.Wait()
	p.requireEnd(done, 20*time.Second)
}

// What cannot be asked does not keep the rest from being done, and is told.
func TestDrainGoesOnAfterAnError(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "admin.sock")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	var asked []string
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Method+" "+r.URL.Path)
		if r.Method == http.MethodPost {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})}
	go func() { _ = server.Serve(listener) }()
	defer func() { _ = server.Close() }()
	err = Run(t.Context(), Options{Socket: socket, Timeout: time.Minute, Clock: clock.RealClock{}, Out: io.Discard})
	if err == nil || !strings.Contains(err.Error(), "/healthcheck/fail: it answers 500") {
		t.Errorf("it says %v", err)
	}
	if got := strings.Join(asked, ", "); got != "POST /healthcheck/fail, POST /drain_listeners, GET /stats" {
		t.Errorf("it asked %s", got)
	}
}

func TestDrainEndsWithItsContext(t *testing.T) {
	p := start(t)
	p.connect()
	options, out := p.options(0, time.Hour)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- Run(ctx, options) }()
	p.await("the drain to wait", func() bool { return out.has("connections are left") })
	cancel()
	select {
	case err := <-done:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("it ends with %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("it does not end")
	}
}

// The bootstrap of every golden case is one that Envoy takes.
func TestBootstrapIsValid(t *testing.T) {
	cases, err := filepath.Glob("../fleet/objects/testdata/*/bootstrap.yaml")
	if err != nil || len(cases) < 3 {
		t.Fatalf("no golden files: %v", err)
	}
	folder := writeFiles(t, objects.OpsPort)
	for _, golden := range cases {
		text, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(folder, "validated.yaml")
		if err := os.WriteFile(file, bytes.ReplaceAll(text, []byte("/etc/envoy"), []byte(folder)), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(program(t), "--mode", "validate", "--config-path", file,
			"--service-cluster", "kafka/orders-envoy", "--service-node", "x", "--disable-hot-restart").CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", golden, err, out)
		}
	}
}

// Of all that Envoy's admin interface can do, the port that is open to others does two things.
func TestOpsPortIsHarmless(t *testing.T) {
	p := start(t)
	for request, want := range map[string]int{
		"GET /ready":                      http.StatusOK,
		"GET /stats/prometheus":           http.StatusOK,
		"GET /stats/prometheus?usedonly":  http.StatusOK,
		"GET /stats/prometheus?usedonly=": http.StatusOK,
		"GET /config_dump":                http.StatusNotFound,
		"GET /certs":                      http.StatusNotFound,
		"GET /stats":                      http.StatusNotFound,
		"GET /":                           http.StatusNotFound,
		"GET /ready/../config_dump":       http.StatusNotFound,
		"GET //config_dump":               http.StatusNotFound,
		"GET /ready/%2e%2e/config_dump":   http.StatusNotFound,
		"GET /ready/%2f..%2fconfig_dump":  http.StatusNotFound,
		"POST /ready":                     http.StatusNotFound,
		"POST /quitquitquit":              http.StatusNotFound,
		"POST /healthcheck/fail":          http.StatusNotFound,
		"POST /drain_listeners":           http.StatusNotFound,
	} {
		method, path, _ := strings.Cut(request, " ")
		if got := p.ask(method, path); got != want {
			t.Errorf("%s: %d, want %d", request, got, want)
		}
	}
	if p.get("/ready") != http.StatusOK {
		t.Error("the proxy is not ready any more")
	}
}

// The admin interface is a file that only Envoy's own user can use.
func TestAdminIsAPrivateFile(t *testing.T) {
	p := start(t)
	info, err := os.Stat(p.socket())
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode() != os.ModeSocket|0o600 {
		t.Errorf("the mode of the socket is %s", info.Mode())
	}
}

func TestInstallCopiesTheProgram(t *testing.T) {
	folder := t.TempDir()
	for range 2 { // a container that starts again does it again
		if err := Install(folder); err != nil {
			t.Fatal(err)
		}
	}
	entries, err := os.ReadDir(folder)
	if err != nil || len(entries) != 1 {
		t.Fatalf("%v: %v", entries, err)
	}
	copied := filepath.Join(folder, objects.ProgramName)
	if info, err := os.Stat(copied); err != nil || info.Mode().Perm() != 0o555 {
		t.Errorf("%v, %v", info, err)
	}
	if out, err := exec.Command(copied, "-test.run", "^$").CombinedOutput(); err != nil {
		t.Errorf("the copy does not run: %v\n%s", err, out)
	}
	if err := Install(filepath.Join(folder, "missing")); err == nil {
		t.Error("a folder that does not exist is no error")
	}
}
