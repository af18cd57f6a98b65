package drain

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/envoy/fleet/objects"
)

// program is the real Envoy.
func program(t *testing.T) string {
	t.Helper()
	path := os.Getenv("ENVOY_BIN")
	if path == "" {
		t.Fatal("ENVOY_BIN is not set: run `export ENVOY_BIN=$(go run ./test/cluster envoy)` in the root of the repository, or `make test-unit`")
	}
	return path
}

// proxy is a running Envoy with the bootstrap and the arguments of a fleet, and with a listener for clients instead of
// what envoy-manager would tell it. Behind that is a server that echoes.
type proxy struct {
	testing.TB
	process *exec.Cmd
	folder  string
	ops     string
	clients string
	log     *bytes.Buffer
}

func fleet() objects.Fleet {
	kc := &v1beta1.KafkaCluster{ObjectMeta: metav1.ObjectMeta{Name: "orders", Namespace: "kafka"}}
	kc.Spec.Listeners = []v1beta1.Listener{{Name: "public", Port: 9094, Type: v1beta1.ListenerExternal, External: &v1beta1.ExternalAccess{Domain: "orders.example.com"}}}
	return objects.Fleets(kc)[0]
}

// writeFiles writes what a fleet's proxies start from, as for the folder that they have in their container. Ports are free
// ones of this machine.
func writeFiles(t *testing.T, opsPort int) (folder string) {
	t.Helper()
	folder = t.TempDir()
	paths := strings.NewReplacer("/run/envoy", folder, "/etc/envoy", folder, "port_value: 19001", fmt.Sprintf("port_value: %d", opsPort))
	for name, text := range fleet().Files(objects.Server{Host: "envoy-manager.koperator-system.svc", Port: 18000}) {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(paths.Replace(text)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

func start(t *testing.T) *proxy {
	t.Helper()
	ports := freePorts(t, 2)
	p := &proxy{TB: t, folder: writeFiles(t, ports[0]), ops: address(ports[0]), clients: address(ports[1]), log: &bytes.Buffer{}}
	p.serveInstead(ports[1], echo(t))
	p.process = exec.Command(program(t), p.arguments()...)
	p.process.Stdout, p.process.Stderr = p.log, p.log
	if err := p.process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.stop)
	p.await("Envoy to be ready", func() bool { return p.get("/ready") == http.StatusOK })
	return p
}

// stop ends Envoy as Kubernetes does, and shows its log if the test has failed.
func (p *proxy) stop() {
	if p.process.ProcessState != nil {
		return
	}
	_ = p.process.Process.Signal(os.Interrupt)
	_ = p.process.Wait()
	if p.Failed() {
		p.Logf("Envoy says:\n%s", p.log)
	}
}

// arguments are those of the container, but for its folder and a drain time that tests can wait for.
func (p *proxy) arguments() []string {
	deployment, err := fleet().Deployment(objects.DeploymentInput{Server: objects.Server{Host: "x", Port: 1}, Image: "x", Revision: 1})
	if err != nil {
		p.Fatal(err)
	}
	values := strings.NewReplacer("/etc/envoy", p.folder, "$(POD_NAME)", "orders-envoy-0", "600", "4")
	var args []string
	for _, arg := range deployment.Spec.Template.Spec.Containers[0].Args {
		args = append(args, values.Replace(arg))
	}
	return args
}

// serveInstead takes the connection to envoy-manager out of the bootstrap, and puts a listener in.
func (p *proxy) serveInstead(port int, upstream string) {
	file := filepath.Join(p.folder, "bootstrap.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		p.Fatal(err)
	}
	bootstrap := map[string]any{}
	if err := yaml.Unmarshal(text, &bootstrap); err != nil {
		p.Fatal(err)
	}
	delete(bootstrap, "dynamic_resources")
	static := bootstrap["static_resources"].(map[string]any)
	static["listeners"] = append(static["listeners"].([]any), parse(p, fmt.Sprintf(listener, port)))
	host, upstreamPort, _ := net.SplitHostPort(upstream)
	static["clusters"] = append(static["clusters"].([]any)[1:], parse(p, fmt.Sprintf(cluster, host, upstreamPort)))
	if text, err = yaml.Marshal(bootstrap); err != nil {
		p.Fatal(err)
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		p.Fatal(err)
	}
}

const listener = `
name: clients
stat_prefix: kafka/orders-envoy/public
address: {socket_address: {address: 127.0.0.1, port_value: %d}}
drain_type: MODIFY_ONLY
filter_chains:
- filters:
  - name: envoy.filters.network.tcp_proxy
    typed_config:
      "@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy
      stat_prefix: kafka/orders/public
      cluster: echo
      check_drain_close: true
`

const cluster = `
name: echo
type: STATIC
load_assignment: {cluster_name: echo, endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: %s, port_value: %s}}}}]}]}
`

func parse(t testing.TB, text string) map[string]any {
	t.Helper()
	parsed := map[string]any{}
	if err := yaml.Unmarshal([]byte(text), &parsed); err != nil {
		t.Fatal(err)
	}
	return parsed
}

// get asks the port for readiness and metrics; 0 is no answer.
func (p *proxy) get(path string) int { return p.ask(http.MethodGet, path) }

func (p *proxy) ask(method, path string) int {
	request, err := http.NewRequest(method, "http://"+p.ops, nil)
	if err != nil {
		p.Fatal(err)
	}
	request.URL.Opaque = "//" + p.ops + path // as it is, without cleaning it
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0
	}
	_, _ = io.Copy(io.Discard, answer.Body)
	_ = answer.Body.Close()
	return answer.StatusCode
}

func (p *proxy) await(what string, done func() bool) {
	p.Helper()
	for deadline := time.Now().Add(30 * time.Second); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			p.Fatalf("waiting for %s took too long; Envoy says:\n%s", what, p.log)
		}
	}
}

func (p *proxy) socket() string { return filepath.Join(p.folder, "admin.sock") }

// echo is a server that says what it hears.
func echo(t *testing.T) string {
	t.Helper()
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	go func() {
		for {
			conn, err := server.Accept()
			if err != nil {
				return
			}
			go func() {
				_, _ = io.Copy(conn, conn)
				_ = conn.Close()
			}()
		}
	}()
	return server.Addr().String()
}

// connect is a client whose connection works.
func (p *proxy) connect() net.Conn {
	p.Helper()
	conn, err := net.Dial("tcp", p.clients)
	if err != nil {
		p.Fatal(err)
	}
	p.Cleanup(func() { _ = conn.Close() })
	if err := roundTrip(conn); err != nil {
		p.Fatalf("a new connection does not work: %v", err)
	}
	return conn
}

func roundTrip(conn net.Conn) error {
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := conn.Write([]byte("x")); err != nil {
		return err
	}
	_, err := io.ReadFull(conn, make([]byte, 1))
	return err
}

// keepBusy uses a connection until it is closed, and then says when that was.
func (p *proxy) keepBusy(ctx context.Context) <-chan time.Time {
	conn, closed := p.connect(), make(chan time.Time, 1)
	go func() {
		for ctx.Err() == nil {
			if err := roundTrip(conn); err != nil {
				closed <- time.Now()
				return
			}
			time.Sleep(50 * time.Millisecond)
		}
	}()
	return closed
}

func freePorts(t *testing.T, count int) (ports []int) {
	t.Helper()
	for range count {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = listener.Close() }()
		ports = append(ports, listener.Addr().(*net.TCPAddr).Port)
	}
	return ports
}

func address(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }
