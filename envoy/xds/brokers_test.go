package xds

import (
	"bufio"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/apis/machinery/pki"
	"koperator.dev/koperator/envoy/ir"
	"koperator.dev/koperator/envoy/translate"
)

const domain = "orders.example.com"

// world is a fleet of two Envoys, its control plane, and brokers behind it. Both proxies listen on the same ports, and
// the kernel spreads connections over them, as a load balancer.
type world struct {
	plane  *controlPlane
	envoys []*envoy
	fleet  ir.Fleet
	tls    *tls.Config
	server *tls.Config
}

// newWorld has brokers 0 to count-1, and its proxies have accepted everything.
func newWorld(t *testing.T, mode v1beta1.ExternalMode, count int32) *world {
	t.Helper()
	plane := startControlPlane(t)
	w := &world{plane: plane}
	w.certify(t)
	w.fleet = ir.Fleet{Namespace: "kafka", Cluster: "orders", Revision: translate.LatestRevision, Listeners: []ir.Listener{{
		Name: "public", Mode: mode, Port: freePorts(t, 1)[0],
		Keepalive: ir.Keepalive{Time: 60, Interval: 15, Probes: 4, UserTimeout: 30},
	}}}
	if mode == v1beta1.ExternalSNI {
		w.listener().Domain, w.listener().BootstrapHost = domain, "bootstrap."+domain
	}
	for id := range count {
		w.addBroker(t, id)
	}
	w.listener().Bootstrap = []ir.Endpoint{*w.broker(0).Endpoint}
	w.publish(t)
	for _, node := range []string{"proxy-a", "proxy-b"} {
		w.envoys = append(w.envoys, startEnvoy(t, node, plane))
	}
	w.accepted(t, w.translate(t))
	return w
}

func (w *world) certify(t *testing.T) {
	t.Helper()
	authority := newAuthority(t)
	leaf, err := authority.Issue(pki.Request{CommonName: "broker", Server: true, DNSNames: []string{"*." + domain}}, time.Now(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	w.server = &tls.Config{Certificates: []tls.Certificate{pair(t, leaf)}}
	w.tls = &tls.Config{RootCAs: authority.pool()}
}

func (w *world) listener() *ir.Listener {
	return &w.fleet.Listeners[0]
}

func (w *world) broker(id int32) *ir.Broker {
	for i := range w.listener().Brokers {
		if w.listener().Brokers[i].ID == id {
			return &w.listener().Brokers[i]
		}
	}
	return nil
}

func (w *world) addBroker(t *testing.T, id int32) {
	t.Helper()
	broker := ir.Broker{ID: id, Endpoint: w.startBroker(t, fmt.Sprintf("broker-%d", id))}
	if w.listener().Mode == v1beta1.ExternalSNI {
		broker.Host = fmt.Sprintf("broker-%d.%s", id, domain)
	} else {
		broker.Port = freePorts(t, 1)[0]
	}
	w.listener().Brokers = append(w.listener().Brokers, broker)
}

func (w *world) removeBroker(id int32) {
	var left []ir.Broker
	for _, broker := range w.listener().Brokers {
		if broker.ID != id {
			left = append(left, broker)
		}
	}
	w.listener().Brokers = left
}

func (w *world) translate(t *testing.T) *translate.Resources {
	t.Helper()
	resources, err := translate.Translate(w.fleet)
	if err != nil {
		t.Fatal(err)
	}
	return resources
}

func (w *world) publish(t *testing.T) *translate.Resources {
	t.Helper()
	resources := w.translate(t)
	w.plane.publish(t, w.fleet.Key(), resources)
	return resources
}

// accepted waits until all proxies have accepted everything.
func (w *world) accepted(t *testing.T, resources Resources) {
	t.Helper()
	for _, e := range w.envoys {
		w.plane.acceptedBy(t, w.fleet.Key(), resources, e.node)
	}
}

func (w *world) change(t *testing.T) {
	t.Helper()
	w.accepted(t, w.publish(t))
}

// startBroker starts a server that repeats each line, with its name before it.
func (w *world) startBroker(t *testing.T, name string) *ir.Endpoint {
	t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", w.server)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			connection, err := l.Accept()
			if err != nil {
				return
			}
			go echo(connection, name)
		}
	}()
	address := netip.MustParseAddrPort(l.Addr().String())
	return &ir.Endpoint{Address: address.Addr().String(), Port: int32(address.Port())}
}

func echo(connection net.Conn, name string) {
	defer connection.Close()
	for lines := bufio.NewScanner(connection); lines.Scan(); {
		if _, err := fmt.Fprintf(connection, "%s %s\n", name, lines.Text()); err != nil {
			return
		}
	}
}

// connection is one of a client to a broker, through a proxy.
type connection struct {
	*tls.Conn
	lines *bufio.Reader
	to    string
	count int
}

// dial connects to a broker as a client would that was told its address.
func (w *world) dial(id int32) (*connection, error) {
	broker := w.broker(id)
	host, port := fmt.Sprintf("broker-%d.%s", id, domain), broker.Port
	if w.listener().Mode == v1beta1.ExternalSNI {
		host, port = broker.Host, w.listener().Port
	}
	return w.dialTo(host, port)
}

func (w *world) dialTo(host string, port int32) (*connection, error) {
	config := w.tls.Clone()
	config.ServerName = host
	dialer := &net.Dialer{Timeout: patience}
	conn, err := tls.DialWithDialer(dialer, "tcp", fmt.Sprintf("127.0.0.1:%d", port), config)
	if err != nil {
		return nil, err
	}
	c := &connection{Conn: conn, lines: bufio.NewReader(conn)}
	if err := c.roundTrip(); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return c, nil
}

// roundTrip fails if the connection has ended, or has another broker at its end.
func (c *connection) roundTrip() error {
	c.count++
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(c, "%d\n", c.count); err != nil {
		return err
	}
	line, err := c.lines.ReadString('\n')
	if err != nil {
		return err
	}
	name, number, _ := strings.Cut(strings.TrimSpace(line), " ")
	if c.to == "" {
		c.to = name
	}
	if name != c.to || number != fmt.Sprint(c.count) {
		return fmt.Errorf("sent %d to %s, got %q", c.count, c.to, line)
	}
	return nil
}

// reaches dials a broker sixty times at once after a change.
func (w *world) reaches(t *testing.T, id int32, want string) {
	t.Helper()
	for i := range 60 {
		c, err := w.dial(id)
		if err != nil {
			t.Errorf("connection %d to broker %d: %v", i, id, err)
			continue
		}
		if c.to != want {
			t.Errorf("connection %d to broker %d leads to %s, want %s", i, id, c.to, want)
		}
		_ = c.Close()
	}
}

func (w *world) unreachable(t *testing.T, id int32) {
	t.Helper()
	if c, err := w.dial(id); err == nil {
		t.Errorf("broker %d is reached: %s", id, c.to)
		_ = c.Close()
	}
}

// traffic are clients that hold connections to brokers, use them all the time, and open others beside them. Any failure
// is one of the test.
type traffic struct {
	stop chan struct{}
	done sync.WaitGroup
	mu   sync.Mutex
	errs []error
	// trips counts round trips.
	trips int
}

// startTraffic has six connections to each broker, so that each proxy has some.
func (w *world) startTraffic(t *testing.T, ids ...int32) *traffic {
	t.Helper()
	clients := &traffic{stop: make(chan struct{})}
	for _, id := range ids {
		var held []*connection
		for range 6 {
			c, err := w.dial(id)
			if err != nil {
				t.Fatal(err)
			}
			held = append(held, c)
		}
		// A copy: the world changes meanwhile.
		now := *w
		now.fleet.Listeners = []ir.Listener{*w.listener()}
		clients.done.Go(func() { clients.use(held, func() (*connection, error) { return now.dial(id) }) })
	}
	t.Cleanup(func() { clients.end(t) })
	return clients
}

func (c *traffic) use(held []*connection, dial func() (*connection, error)) {
	pace := time.NewTicker(5 * time.Millisecond)
	defer pace.Stop()
	for {
		for _, connection := range held {
			c.count(connection.roundTrip())
		}
		if fresh, err := dial(); err != nil {
			c.count(fmt.Errorf("a new connection: %w", err))
		} else {
			_ = fresh.Close()
		}
		select {
		case <-c.stop:
			for _, connection := range held {
				c.count(connection.roundTrip())
				_ = connection.Close()
			}
			return
		case <-pace.C:
		}
	}
}

func (c *traffic) count(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.trips++
	if err != nil && len(c.errs) < 5 {
		c.errs = append(c.errs, err)
	}
}

// end makes a last round trip on each connection.
func (c *traffic) end(t *testing.T) {
	t.Helper()
	c.mu.Lock()
	select {
	case <-c.stop:
		c.mu.Unlock()
		return
	default:
		close(c.stop)
	}
	c.mu.Unlock()
	c.done.Wait()
	if err := errors.Join(c.errs...); err != nil {
		t.Errorf("of %d round trips some failed: %v", c.trips, err)
	}
}
