package translate

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"koperator.dev/koperator/envoy/ir"
)

// patience is how long a test waits for something that has to come.
const patience = 20 * time.Second

// TestEnvoyRoutesByName connects clients through Envoy itself to brokers that speak TLS.
func TestEnvoyRoutesByName(t *testing.T) {
	fleet := threeBrokers("sni")
	listener := &fleet.Listeners[0]
	listener.Port = freePort(t)
	for i := range listener.Brokers {
		listener.Brokers[i].Endpoint = tlsBroker(t, fmt.Sprint(listener.Brokers[i].ID))
	}
	listener.Bootstrap = []ir.Endpoint{*tlsBroker(t, "any")}
	run(t, fleet)
	for name, want := range map[string]string{
		"broker-0.orders.example.com":  "0",
		"broker-2.orders.example.com":  "2",
		"BROKER-1.Orders.Example.com":  "1",
		"bootstrap.orders.example.com": "any",
		"broker-3.orders.example.com":  "",
		"broker-1.others.example.com":  "",
		"unknown":                      "",
		"xds_cluster":                  "",
		"":                             "",
	} {
		if got := askTLS(listener.Port, name); got != want {
			t.Errorf("%q leads to %q, want %q", name, got, want)
		}
	}
}

// TestEnvoyRoutesByPort is the other way, and what proxies do before they connect a client to a broker.
func TestEnvoyRoutesByPort(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*ir.Listener)
		look   func(*testing.T, *ir.Listener)
	}{
		"each port": {func(*ir.Listener) {}, func(t *testing.T, l *ir.Listener) {
			expect(t, ask(l.Port, ""), "any")
			expect(t, ask(l.Brokers[1].Port, ""), "1")
			expect(t, ask(l.Brokers[2].Port, ""), "2")
		}},
		"a source that is not allowed": {
			func(l *ir.Listener) { l.AllowedSources = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")} },
			func(t *testing.T, l *ir.Listener) { expect(t, ask(l.Port, ""), "") },
		},
		"a source that is allowed": {
			func(l *ir.Listener) {
				l.AllowedSources = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("127.0.0.0/8")}
			},
			func(t *testing.T, l *ir.Listener) { expect(t, ask(l.Port, ""), "any") },
		},
		"the source in front of the connection": {
			func(l *ir.Listener) {
				l.ProxyProtocol, l.AllowedSources = true, []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
			},
			func(t *testing.T, l *ir.Listener) {
				expect(t, ask(l.Port, "PROXY TCP4 192.0.2.7 192.0.2.1 1111 2222\r\n"), "any")
				expect(t, ask(l.Port, "PROXY TCP4 192.0.3.7 192.0.2.1 1111 2222\r\n"), "")
				expect(t, ask(l.Port, "anything else that is long enough to be looked at\n"), "")
			},
		},
		"as many connections as are allowed": {
			func(l *ir.Listener) { l.MaxConnections = 2 },
			func(t *testing.T, l *ir.Listener) {
				for range 2 {
					held := dial(t, l.Port)
					expect(t, answer(held, ""), "any")
				}
				expect(t, ask(l.Port, ""), "")
				expect(t, ask(l.Brokers[1].Port, ""), "1")
			},
		},
		"as many connections in a second as are allowed, on all ports": {
			func(l *ir.Listener) { l.MaxConnectionRate = 1 },
			func(t *testing.T, l *ir.Listener) {
				// Within a second, or the next one is allowed.
				for {
					started := time.Now()
					first, second := ask(l.Port, ""), ask(l.Brokers[1].Port, "")
					if time.Since(started) < time.Second {
						expect(t, first, "any")
						expect(t, second, "")
						return
					}
					time.Sleep(2 * time.Second)
				}
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			fleet := byPort(t)
			test.change(&fleet.Listeners[0])
			run(t, fleet)
			test.look(t, &fleet.Listeners[0])
		})
	}
}

func TestEnvoyLogsAccess(t *testing.T) {
	fleet := byPort(t)
	fleet.Listeners[0].AccessLog = true
	log := run(t, fleet)
	expect(t, ask(fleet.Listeners[0].Brokers[1].Port, ""), "1")
	line := map[string]any{}
	if err := json.NewDecoder(log).Decode(&line); err != nil {
		t.Fatal(err)
	}
	client, _ := line["client"].(string)
	if line["listener"] != "kafka/orders/public" || line["cluster"] != "kafka/orders/public/broker-1" || line["bytesSent"] != 1.0 || !strings.HasPrefix(client, "127.0.0.1:") {
		t.Errorf("got %v", line)
	}
}

// byPort has a broker of its own at the end of each port.
func byPort(t *testing.T) ir.Fleet {
	t.Helper()
	fleet := threeBrokers("ports")
	listener := &fleet.Listeners[0]
	listener.Port = freePort(t)
	listener.Bootstrap = []ir.Endpoint{*broker(t, "any")}
	for i := range listener.Brokers {
		listener.Brokers[i].Port = freePort(t)
		listener.Brokers[i].Endpoint = broker(t, fmt.Sprint(listener.Brokers[i].ID))
	}
	return fleet
}

// run starts Envoy with the resources of a fleet, waits until it is ready, and returns its standard output.
func run(t *testing.T, fleet ir.Fleet) io.Reader {
	t.Helper()
	admin := filepath.Join(t.TempDir(), "admin.sock")
	config := filepath.Join(t.TempDir(), "bootstrap.json")
	writeJSON(t, config, map[string]any{
		"admin":            map[string]any{"address": map[string]any{"pipe": map[string]any{"path": admin}}},
		"static_resources": static(t, mustTranslate(t, fleet)),
	})
	var messages bytes.Buffer
	cmd := exec.CommandContext(t.Context(), envoyProgram(t), "-c", config, "--disable-hot-restart", "--concurrency", "1", "-l", "warning")
	cmd.Stderr = &messages
	log, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Wait() }) // the test's context has ended it
	if err := awaitReady(t.Context(), admin); err != nil {
		t.Fatalf("%v\n%s", err, messages.String())
	}
	return log
}

func awaitReady(ctx context.Context, admin string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	client := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", admin)
	}}}
	defer client.CloseIdleConnections()
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://admin/ready", http.NoBody)
		if err != nil {
			return err
		}
		response, err := client.Do(request)
		if err == nil {
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return nil
			}
		}
		if ctx.Err() != nil {
			return fmt.Errorf("Envoy is not ready: %w", err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// static has the endpoints in the clusters themselves.
func static(t *testing.T, resources *Resources) map[string]any {
	t.Helper()
	var listeners, clusters []json.RawMessage
	for name, resource := range resources.Of(TypeCluster) {
		cluster := map[string]json.RawMessage{}
		if err := json.Unmarshal(toJSON(t, resource), &cluster); err != nil {
			t.Fatal(err)
		}
		endpoints := resources.Of(TypeEndpoint)[serviceOf(t, resources, name)]
		delete(cluster, "@type")
		delete(cluster, "eds_cluster_config")
		cluster["type"] = json.RawMessage(`"STATIC"`)
		cluster["load_assignment"] = withoutType(t, toJSON(t, endpoints))
		clusters = append(clusters, mustJSON(t, cluster))
	}
	for _, resource := range resources.Of(TypeListener) {
		listeners = append(listeners, withoutType(t, toJSON(t, resource)))
	}
	return map[string]any{"listeners": listeners, "clusters": clusters}
}

// freePort is of this machine, and was free a moment ago.
func freePort(t *testing.T) int32 {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return endpointOf(t, listener).Port
}

func endpointOf(t *testing.T, listener net.Listener) *ir.Endpoint {
	t.Helper()
	address, err := netip.ParseAddrPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return &ir.Endpoint{Address: address.Addr().String(), Port: int32(address.Port())}
}

// broker answers each line with its name, and nothing more.
func broker(t *testing.T, name string) *ir.Endpoint {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer connection.Close()
				for lines := bufio.NewScanner(connection); lines.Scan(); {
					_, _ = io.WriteString(connection, name)
				}
			}()
		}
	}()
	return endpointOf(t, listener)
}

func tlsBroker(t *testing.T, name string) *ir.Endpoint {
	t.Helper()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, name) }))
	t.Cleanup(server.Close)
	return endpointOf(t, server.Listener)
}

func dial(t *testing.T, port int32) net.Conn {
	t.Helper()
	connection, err := net.DialTimeout("tcp", loopback(port), patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { connection.Close() })
	return connection
}

// ask opens a connection, and returns which broker is at its end; "" if it is closed instead.
func ask(port int32, first string) string {
	connection, err := net.DialTimeout("tcp", loopback(port), patience)
	if err != nil {
		return ""
	}
	defer connection.Close()
	return answer(connection, first)
}

func answer(connection net.Conn, first string) string {
	if err := connection.SetDeadline(time.Now().Add(patience)); err != nil {
		return err.Error()
	}
	if _, err := io.WriteString(connection, first+"who are you?\n"); err != nil {
		return ""
	}
	name := make([]byte, 16)
	n, _ := connection.Read(name)
	return string(name[:n])
}

func askTLS(port int32, serverName string) string {
	client := http.Client{Timeout: patience, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, loopback(port))
		},
		TLSClientConfig: &tls.Config{ServerName: serverName, InsecureSkipVerify: true},
	}}
	response, err := client.Get("https://127.0.0.1/")
	if err != nil {
		return ""
	}
	defer response.Body.Close()
	name, _ := io.ReadAll(response.Body)
	return string(name)
}

func loopback(port int32) string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(int(port)))
}

func expect(t *testing.T, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
