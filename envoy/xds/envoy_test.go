package xds

import (
	"bytes"
	"context"
	"embed"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"text/template"

	"koperator.dev/koperator/apis/machinery/pki"
)

//go:embed testdata/*.yaml
var testdata embed.FS

// envoyProgram is Envoy itself. What it says and does is what this package is about: there is no test without it.
func envoyProgram(t testing.TB) string {
	t.Helper()
	program := os.Getenv("ENVOY_BIN")
	if program == "" {
		t.Fatal("this needs Envoy: set ENVOY_BIN=$(bin/cluster envoy), or run make test-unit")
	}
	return program
}

// envoy is a process of Envoy.
type envoy struct {
	node, dir string
	admin     *http.Client
	process   *os.Process
	messages  *lockedBuffer
}

// startEnvoy starts a proxy of orders that asks the control planes. It does not wait until it is ready.
func startEnvoy(t testing.TB, node string, planes ...*controlPlane) *envoy {
	t.Helper()
	return startEnvoyWith(t, node, 1, planes...)
}

func startEnvoyWith(t testing.TB, node string, workers int, planes ...*controlPlane) *envoy {
	t.Helper()
	// Not t.TempDir, which can be too long for the path of a socket.
	dir, err := os.MkdirTemp("", "xds")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	e := &envoy{node: node, dir: dir, messages: &lockedBuffer{}}
	e.admin = &http.Client{Timeout: patience, Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(dir, "admin.sock"))
		},
	}}
	t.Cleanup(e.admin.CloseIdleConnections)
	authority := planes[0].authority
	e.certificates(t, authority.leaf(t, proxyRequest(FleetURI(orders))), authority.CertificatePEM)
	e.render(t, planes)

	command := exec.Command(envoyProgram(t),
		"-c", filepath.Join(dir, "bootstrap.yaml"), "--service-cluster", orders, "--service-node", node,
		"--disable-hot-restart", "--concurrency", strconv.Itoa(workers), "--drain-time-s", "2", "--drain-strategy", "gradual", "-l", "warning")
	command.Stdout, command.Stderr = e.messages, e.messages
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	e.process = command.Process
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
		if t.Failed() {
			said := e.messages.String()
			t.Logf("%s said at last:\n%s", node, said[max(0, len(said)-4000):])
		}
	})
	return e
}

func (e *envoy) render(t testing.TB, planes []*controlPlane) {
	t.Helper()
	values := struct {
		Dir, ServerName string
		Ports           []string
	}{Dir: e.dir, ServerName: serverName}
	for _, plane := range planes {
		_, port, _ := strings.Cut(plane.address, ":")
		values.Ports = append(values.Ports, port)
	}
	for _, name := range []string{"bootstrap.yaml", "xds-certificate.yaml", "xds-trusted-ca.yaml"} {
		parsed, err := template.ParseFS(testdata, "testdata/"+name)
		if err != nil {
			t.Fatal(err)
		}
		var text bytes.Buffer
		if err := parsed.Execute(&text, values); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(e.dir, name), text.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// certificates puts files into place as the kubelet does: a directory of the new ones, and a link that is replaced.
func (e *envoy) certificates(t testing.TB, leaf pki.Leaf, authorities []byte) {
	t.Helper()
	certs := filepath.Join(e.dir, "certs")
	if err := os.MkdirAll(certs, 0o700); err != nil {
		t.Fatal(err)
	}
	version, err := os.MkdirTemp(certs, "..")
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{"tls.crt": leaf.CertificatePEM, "tls.key": leaf.KeyPEM, "ca.crt": authorities} {
		if err := os.WriteFile(filepath.Join(version, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(filepath.Join("..data", name), filepath.Join(certs, name)); err != nil && !os.IsExist(err) {
			t.Fatal(err)
		}
	}
	next := filepath.Join(certs, "..next")
	if err := os.Symlink(filepath.Base(version), next); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, filepath.Join(certs, "..data")); err != nil {
		t.Fatal(err)
	}
}

func (e *envoy) get(path string) (code int, body string, err error) {
	response, err := e.admin.Get("http://envoy" + path)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return response.StatusCode, string(text), err
}

func (e *envoy) ready() bool {
	code, _, err := e.get("/ready")
	return err == nil && code == http.StatusOK
}

// stats are Envoy's own counts, those whose name matches.
func (e *envoy) stats(t testing.TB, matching string) map[string]int {
	t.Helper()
	_, text, err := e.get("/stats?filter=" + matching)
	if err != nil {
		t.Fatal(err)
	}
	stats := map[string]int{}
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		if count, err := strconv.Atoi(value); err == nil {
			stats[name] = count
		}
	}
	return stats
}

// rejectsNothing: no part of what was sent was rejected since Envoy's start.
func (e *envoy) rejectsNothing(t testing.TB) {
	t.Helper()
	stats := e.stats(t, "update_rejected")
	if len(stats) < 2 {
		t.Fatalf("%s has counted nothing: %v", e.node, stats)
	}
	for name, count := range stats {
		if count != 0 {
			t.Errorf("%s: %s is %d", e.node, name, count)
		}
	}
}

// ports that are free on all addresses. They are below those that the system gives to clients, which could take them.
func freePorts(t testing.TB, count int) []int32 {
	t.Helper()
	var free []int32
	for len(free) < count {
		port := nextPort()
		l, err := net.Listen("tcp", fmt.Sprintf("[::]:%d", port))
		if err != nil {
			continue
		}
		_ = l.Close()
		free = append(free, port)
	}
	return free
}

// nextPort gives each port once, and begins somewhere else in each process.
var nextPort = func() func() int32 {
	var mu sync.Mutex
	next := os.Getpid()
	return func() int32 {
		mu.Lock()
		defer mu.Unlock()
		next++
		return int32(20000 + next%10000)
	}
}()

type lockedBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}
