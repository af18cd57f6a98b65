//go:build e2e

package kafka_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// realKafka is a cluster of Java processes on the loopback, with mutual TLS on every listener. The folder named by
// KOPERATOR_KAFKA_HOME holds libs/*.jar.
type realKafka struct {
	root, t   *testing.T // t is the one of the step that runs
	home, dir string
	ca        authority
	clusterID string
	nodes     map[int32]*node
	bootstrap []string // of controllers
}

// node is one process.
type node struct {
	id      int32
	port    int
	dirs    []string
	props   string
	cmd     *exec.Cmd
	logFile string
	exited  chan struct{}
}

func (n *node) address() string { return fmt.Sprintf("127.0.0.1:%d", n.port) }

func newRealKafka(t *testing.T) *realKafka {
	t.Helper()
	home := os.Getenv("KOPERATOR_KAFKA_HOME")
	if jars, _ := filepath.Glob(filepath.Join(home, "libs", "kafka_2.13-*.jar")); home == "" || len(jars) == 0 {
		t.Fatalf("KOPERATOR_KAFKA_HOME=%q: want a folder with libs/*.jar of Kafka", home)
	}
	k := &realKafka{root: t, t: t, home: home, dir: t.TempDir(), ca: newAuthority(t, "ca"), clusterID: randomID(), nodes: map[int32]*node{}}
	k.write("log4j2.yaml", `Configuration:
  Appenders:
    Console: {name: C, PatternLayout: {pattern: "%d %p %m (%c)%n"}}
  Loggers:
    Root: {level: WARN, AppenderRef: [{ref: C}]}
`)
	k.write("ca.pem", string(k.ca.certPEM))
	return k
}

func (k *realKafka) write(name, content string) string {
	k.t.Helper()
	path := filepath.Join(k.dir, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		k.t.Fatal(err)
	}
	return path
}

// addController prepares a controller and formats it: as one of the first voters with initial, else as an observer.
func (k *realKafka) addController(id int32, initial bool) *node {
	n := k.newNode(id, 1)
	if initial {
		k.bootstrap = append(k.bootstrap, n.address())
	}
	k.properties(n, "controller", "CONTROLLER", "")
	if initial {
		k.format(n, "--initial-controllers", fmt.Sprintf("%d@%s:%s", id, n.address(), randomID()))
	} else {
		k.format(n, "--no-initial-controllers")
	}
	return n
}

// addBroker prepares and formats a broker.
func (k *realKafka) addBroker(id int32, rack string, dirs int) *node {
	n := k.newNode(id, dirs)
	k.properties(n, "broker", "REPLICATION", "inter.broker.listener.name=REPLICATION\nbroker.rack="+rack+"\n")
	k.format(n, "--no-initial-controllers")
	return n
}

func (k *realKafka) newNode(id int32, dirs int) *node {
	n := &node{id: id, port: freePort(k.t)}
	for i := range dirs {
		n.dirs = append(n.dirs, filepath.Join(k.dir, fmt.Sprintf("data-%d-%d", id, i)))
	}
	k.nodes[id] = n
	return n
}

func (k *realKafka) properties(n *node, role, listener, more string) {
	cert := k.ca.issue(k.t, fmt.Sprintf("node-%d", n.id))
	store := k.write(fmt.Sprintf("node-%d.pem", n.id), string(cert.keyPEM)+string(cert.certPEM))
	var b strings.Builder
	fmt.Fprintf(&b, "process.roles=%s\nnode.id=%d\nlog.dirs=%s\n", role, n.id, strings.Join(n.dirs, ","))
	fmt.Fprintf(&b, "controller.quorum.bootstrap.servers=%s\n", strings.Join(k.bootstrap, ","))
	fmt.Fprintf(&b, "listeners=%s://%s\n", listener, n.address())
	b.WriteString("controller.listener.names=CONTROLLER\nlistener.security.protocol.map=CONTROLLER:SSL,REPLICATION:SSL\n")
	for _, l := range []string{"controller", "replication"} {
		fmt.Fprintf(&b, "listener.name.%s.ssl.keystore.type=PEM\nlistener.name.%[1]s.ssl.keystore.location=%s\n", l, store)
		fmt.Fprintf(&b, "listener.name.%s.ssl.truststore.type=PEM\nlistener.name.%[1]s.ssl.truststore.location=%s\n", l, filepath.Join(k.dir, "ca.pem"))
		fmt.Fprintf(&b, "listener.name.%s.ssl.client.auth=required\n", l)
	}
	b.WriteString("log.cleaner.dedupe.buffer.size=2097152\noffsets.topic.num.partitions=1\nauto.create.topics.enable=false\n")
	b.WriteString(more)
	n.props = k.write(fmt.Sprintf("node-%d.properties", n.id), b.String())
}

func (k *realKafka) java(main string, args ...string) *exec.Cmd {
	args = append([]string{
		"-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dlog4j2.configurationFile=" + filepath.Join(k.dir, "log4j2.yaml"),
		"-cp", filepath.Join(k.home, "libs", "*"), main,
	}, args...)
	cmd := exec.Command("java", args...)
	// Should the test be killed, its processes go with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

func (k *realKafka) format(n *node, args ...string) {
	k.t.Helper()
	args = append([]string{"format", "-t", k.clusterID, "-c", n.props}, args...)
	if out, err := k.java("kafka.tools.StorageTool", args...).CombinedOutput(); err != nil {
		k.t.Fatalf("formatting node %d: %v\n%s", n.id, err, out)
	}
}

// start starts a node and waits until its listener is open.
func (k *realKafka) start(id int32) {
	k.t.Helper()
	n := k.nodes[id]
	n.logFile = filepath.Join(k.dir, fmt.Sprintf("node-%d.log", id))
	out, err := os.OpenFile(n.logFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		k.t.Fatal(err)
	}
	n.cmd = k.java("kafka.Kafka", n.props)
	n.cmd.Stdout, n.cmd.Stderr = out, out
	if err := n.cmd.Start(); err != nil {
		k.t.Fatal(err)
	}
	n.exited = make(chan struct{})
	cmd, exited := n.cmd, n.exited
	go func() {
		_ = cmd.Wait()
		_ = out.Close()
		close(exited)
	}()
	k.root.Cleanup(func() { _ = cmd.Process.Kill(); <-exited })
	k.eventually(fmt.Sprintf("node %d listens", id), time.Minute, func() bool {
		conn, err := net.DialTimeout("tcp", n.address(), time.Second)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
}

func (k *realKafka) signal(id int32, s syscall.Signal) {
	_ = k.nodes[id].cmd.Process.Signal(s)
}

// stop ends a node and waits until its process is gone.
func (k *realKafka) stop(id int32, s syscall.Signal) {
	k.t.Helper()
	k.signal(id, s)
	select {
	case <-k.nodes[id].exited:
	case <-time.After(30 * time.Second):
		k.t.Fatalf("node %d does not stop", id)
	}
}

// eventually waits for what other processes do; nothing else here waits by time.
func (k *realKafka) eventually(what string, within time.Duration, done func() bool) {
	k.t.Helper()
	deadline := time.Now().Add(within)
	for !done() {
		if time.Now().After(deadline) {
			k.logs()
			k.t.Fatalf("not within %v: %s", within, what)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// logs shows the end of every node's log.
func (k *realKafka) logs() {
	for id, n := range k.nodes {
		b, err := os.ReadFile(n.logFile)
		if err == nil {
			k.t.Logf("node %d: ...%s", id, b[max(0, len(b)-3000):])
		}
	}
}

// authority signs certificates.
type authority struct {
	cert    *x509.Certificate
	key     *ecdsa.PrivateKey
	certPEM []byte
}

type pair struct{ certPEM, keyPEM []byte }

func newAuthority(t *testing.T, name string) authority {
	t.Helper()
	key := newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return authority{cert, key, pemBlock("CERTIFICATE", der)}
}

func (a authority) issue(t *testing.T, name string) pair {
	t.Helper()
	key := newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		NotBefore:   time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pair{pemBlock("CERTIFICATE", der), pemBlock("PRIVATE KEY", pkcs8)}
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func pemBlock(kind string, der []byte) []byte {
	var b bytes.Buffer
	_ = pem.Encode(&b, &pem.Block{Type: kind, Bytes: der})
	return b.Bytes()
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port
}

// randomID is a UUID as Kafka writes it. Kafka refuses those that begin with a dash on its command line.
func randomID() string {
	for {
		var b [16]byte
		_, _ = rand.Read(b[:])
		if id := base64.RawURLEncoding.EncodeToString(b[:]); id[0] != '-' {
			return id
		}
	}
}
