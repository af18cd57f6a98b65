package kafkaimage

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	clusterID      = "5L6g3nShT-eMCtK--X86sw"
	brokerAddress  = "127.0.0.1:9092"
	plainAddress   = "127.0.0.1:9094"
	serverFile     = "/tmp/server.properties"
	clientFile     = "/tmp/client.properties"
	keyStoreFile   = "/tmp/keystore.pem"
	trustStoreFile = "/tmp/ca.pem"
)

// podFlags are the JVM options that test clusters run Kafka with: many small servers on few cores.
var podFlags = []string{
	"KAFKA_HEAP_OPTS=-Xms128m -Xmx128m",
	"KAFKA_JVM_PERFORMANCE_OPTS=-XX:+UseSerialGC -XX:TieredStopAtLevel=1",
}

// serverProperties are of a cluster of one server, broker and controller, with TLS on all its listeners but one.
var serverProperties = strings.Join([]string{
	"process.roles=broker,controller",
	"node.id=1",
	"controller.quorum.bootstrap.servers=127.0.0.1:9093",
	"controller.listener.names=CONTROLLER",
	"inter.broker.listener.name=CLIENT",
	"listeners=CLIENT://" + brokerAddress + ",PLAIN://" + plainAddress + ",CONTROLLER://127.0.0.1:9093",
	"listener.security.protocol.map=CLIENT:SSL,PLAIN:PLAINTEXT,CONTROLLER:SSL",
	"ssl.client.auth=required",
	"log.dirs=" + dataDir + "/0",
	// What makes a heap of 128 MiB enough.
	"log.cleaner.dedupe.buffer.size=2097152",
	"offsets.topic.replication.factor=1",
	"offsets.topic.num.partitions=1",
	"group.initial.rebalance.delay.ms=0",
	tlsProperties,
}, "\n")

var clientProperties = "security.protocol=SSL\n" + tlsProperties

var tlsProperties = strings.Join([]string{
	"ssl.keystore.type=PEM",
	"ssl.keystore.location=" + keyStoreFile,
	"ssl.truststore.type=PEM",
	"ssl.truststore.location=" + trustStoreFile,
}, "\n") + "\n"

// server is a Kafka of one node in a sandbox.
type server struct {
	*sandbox
	id  identity
	env []string

	cmd    *exec.Cmd
	log    logBuffer
	exited chan struct{}
}

// newServer writes the configuration and formats the disk. The environment goes to all that it runs.
func newServer(ctx context.Context, s *sandbox, env []string) (*server, error) {
	id, err := newIdentity()
	if err != nil {
		return nil, err
	}
	for name, content := range map[string]string{
		serverFile: serverProperties, clientFile: clientProperties, keyStoreFile: id.keyAndCertificate, trustStoreFile: id.authority,
	} {
		if err := s.writeFile(name, content); err != nil {
			return nil, err
		}
	}
	k := &server{sandbox: s, id: id, env: env}
	_, err = k.tool(ctx, "", "kafka-storage.sh", "format", "-t", clusterID, "-c", serverFile, "--standalone")
	return k, err
}

// start starts the server and waits until it serves clients.
func (k *server) start(ctx context.Context, env ...string) error {
	k.log.reset()
	k.cmd = k.command(ctx, slices.Concat(k.env, env), kafkaHome+"/bin/kafka-server-start.sh", serverFile)
	k.cmd.Stdout, k.cmd.Stderr = &k.log, &k.log
	if err := k.cmd.Start(); err != nil {
		return err
	}
	k.exited = make(chan struct{})
	go func() {
		// What it says is in ProcessState.
		_ = k.cmd.Wait()
		close(k.exited)
	}()
	if err := k.waitUntilServing(ctx); err != nil {
		k.kill()
		return err
	}
	return nil
}

// waitUntilServing waits for the listener for clients, which opens when the broker has joined its cluster.
func (k *server) waitUntilServing(ctx context.Context) error {
	late := time.After(2 * time.Minute)
	for {
		conn, err := net.Dial("tcp4", brokerAddress)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-k.exited:
			return k.failure("starting the server: " + k.cmd.ProcessState.String())
		case <-late:
			return k.failure("starting the server: not serving after two minutes: " + err.Error())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// failure is an error that shows the end of the server's log.
func (k *server) failure(what string) error {
	return fmt.Errorf("%s\n%s", what, tail(k.log.String(), 30))
}

// stop ends the server as a kubelet does and returns an error unless it obeys and ends in the usual way.
func (k *server) stop(ctx context.Context) error {
	if err := k.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-k.exited:
		// The JVM's exit code after SIGTERM: 128 + 15.
		if k.cmd.ProcessState.ExitCode() == 143 {
			return nil
		}
		return k.failure("stopping the server: " + k.cmd.ProcessState.String())
	case <-ctx.Done():
		k.kill()
		return ctx.Err()
	case <-time.After(time.Minute):
		k.kill()
		return k.failure("stopping the server: still there a minute after SIGTERM")
	}
}

func (k *server) kill() {
	_ = k.cmd.Process.Kill()
}

// tool runs one of the image's tools.
func (k *server) tool(ctx context.Context, input, name string, args ...string) (string, error) {
	return k.run(ctx, k.env, strings.NewReader(input), kafkaHome+"/bin/"+name, args...)
}

// roundTrip creates a topic and sends a record through it, with the image's own tools and TLS.
func (k *server) roundTrip(ctx context.Context, topic string) error {
	bootstrap := []string{"--bootstrap-server", brokerAddress, "--command-config", clientFile}
	record := "a record of " + topic
	if _, err := k.tool(ctx, "", "kafka-topics.sh", slices.Concat(bootstrap, []string{"--create", "--topic", topic, "--partitions", "2"})...); err != nil {
		return err
	}
	if _, err := k.tool(ctx, record+"\n", "kafka-console-producer.sh", slices.Concat(bootstrap, []string{"--topic", topic})...); err != nil {
		return err
	}
	got, err := k.tool(ctx, "", "kafka-console-consumer.sh", slices.Concat(bootstrap, []string{"--topic", topic, "--group", topic,
		"--from-beginning", "--max-messages", "1", "--timeout-ms", "30000"})...)
	if err != nil {
		return err
	}
	if strings.TrimSpace(got) != record {
		return fmt.Errorf("consumed %q instead of %q", got, record)
	}
	return nil
}

// handshake connects to the listener for clients and returns what was agreed on.
func (k *server) handshake() (tls.ConnectionState, error) {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(k.id.authority))
	pair, err := tls.X509KeyPair([]byte(k.id.keyAndCertificate), []byte(k.id.keyAndCertificate))
	if err != nil {
		return tls.ConnectionState{}, err
	}
	conn, err := tls.Dial("tcp4", brokerAddress, &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}})
	if err != nil {
		return tls.ConnectionState{}, err
	}
	defer conn.Close()
	return conn.ConnectionState(), nil
}

// logBuffer is a bytes.Buffer that is read while a process writes to it.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func (l *logBuffer) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.buf.Reset()
}
