package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

// soReusePort lets a broker listen beside the proxies, which listen on the same port of all addresses.
const soReusePort = 15

// proxy is a real Envoy that plays one Pod of the Deployment.
type proxy struct {
	process *exec.Cmd
	pod     *corev1.Pod
}

// startProxy starts Envoy as the kubelet would, with the files and arguments that its Pod says. Only paths, the port for
// readiness, and the address of envoy-manager are those of this machine.
func (w *world) startProxy(name string, from *manager) *proxy {
	w.Helper()
	program := os.Getenv("ENVOY_BIN")
	if program == "" {
		w.Fatal("ENVOY_BIN is not set: run `export ENVOY_BIN=$(go run ./test/cluster envoy)` in the root of the repository, or `make test-unit`")
	}
	template := w.deployment().Spec.Template
	pod := &corev1.Pod{ObjectMeta: template.ObjectMeta, Spec: template.Spec}
	pod.Name, pod.Namespace = name, namespace
	w.must(w.client.Create(w, pod))

	folder, ops := w.TempDir(), freePorts(w.TB, 1)[0]
	address, _, _ := net.SplitHostPort(from.xds)
	values := strings.NewReplacer("/run/envoy", folder, "/etc/envoy", folder, "/certs", folder, "$(POD_NAME)", name,
		"port_value: 19001", fmt.Sprint("port_value: ", ops),
		"address: envoy-manager.koperator-system.svc", "address: "+address)
	for file, text := range w.filesOf(pod) {
		w.must(os.WriteFile(filepath.Join(folder, file), []byte(values.Replace(text)), 0o600))
	}
	var args []string
	for _, arg := range template.Spec.Containers[0].Args {
		args = append(args, values.Replace(arg))
	}
	p := &proxy{process: exec.Command(program, args...), pod: pod}
	log, err := os.Create(filepath.Join(folder, "log"))
	w.must(err)
	p.process.Stdout, p.process.Stderr = log, log
	w.must(p.process.Start())
	w.Cleanup(func() {
		_ = p.process.Process.Kill()
		_ = p.process.Wait()
		if w.Failed() {
			text, _ := os.ReadFile(log.Name())
			w.Logf("%s says:\n%s", name, text)
		}
	})
	w.await(name+" to be ready", func() (string, bool) {
		return "it is not", statusOf(fmt.Sprintf("http://127.0.0.1:%d/ready", ops)) == http.StatusOK
	})
	w.setReady(pod, "")
	return p
}

// filesOf are what the volumes of a Pod hold.
func (w *world) filesOf(pod *corev1.Pod) map[string]string {
	w.Helper()
	files := map[string]string{}
	for _, volume := range pod.Spec.Volumes {
		switch {
		case volume.ConfigMap != nil:
			config := &corev1.ConfigMap{}
			w.must(w.client.Get(w, client.ObjectKey{Namespace: namespace, Name: volume.ConfigMap.Name}, config))
			for name, text := range config.Data {
				files[name] = text
			}
		case volume.Secret != nil:
			secret := &corev1.Secret{}
			w.must(w.client.Get(w, client.ObjectKey{Namespace: namespace, Name: volume.Secret.SecretName}, secret))
			for name, text := range secret.Data {
				files[name] = string(text)
			}
		}
	}
	return files
}

func (w *world) setReady(pod *corev1.Pod, ip string) {
	w.Helper()
	pod.Status.Phase = corev1.PodRunning
	pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
	if ip != "" {
		pod.Status.PodIP, pod.Status.PodIPs = ip, []corev1.PodIP{{IP: ip}}
	}
	w.must(w.client.Status().Update(w, pod))
}

// broker is a server that speaks TLS and says which broker it is, at an address of its own.
type broker struct {
	id      int32
	ip      string
	pod     *corev1.Pod
	servers []net.Listener
}

var (
	nextAddress = 1
	addresses   sync.Mutex
)

func newAddress() string {
	addresses.Lock()
	defer addresses.Unlock()
	nextAddress++
	return fmt.Sprintf("127.0.0.%d", nextAddress)
}

func (w *world) startBroker(id int32) {
	w.Helper()
	b := &broker{id: id, ip: newAddress()}
	w.brokers[id] = b
	b.pod = &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("orders-%d", id), Namespace: namespace, Labels: map[string]string{
		v1beta1.LabelCluster: orders, v1beta1.LabelBroker: "true", v1beta1.LabelBrokerID: fmt.Sprint(id),
	}}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "kafka", Image: "kafka"}}}}
	w.must(w.client.Create(w, b.pod))
	w.serve(b)
	w.setReady(b.pod, b.ip)
}

// serve answers on the ports of both listeners.
func (w *world) serve(b *broker) {
	w.Helper()
	config := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) (err error) {
		control := raw.Control(func(fd uintptr) { err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, soReusePort, 1) })
		if control != nil {
			return control
		}
		return err
	}}
	for _, port := range []int32{w.sni, w.bootstrap} {
		server, err := config.Listen(w, "tcp", fmt.Sprintf("%s:%d", b.ip, port))
		w.must(err)
		w.Cleanup(func() { _ = server.Close() })
		b.servers = append(b.servers, server)
		go answer(tls.NewListener(server, &tls.Config{Certificates: []tls.Certificate{w.certificate()}, MinVersion: tls.VersionTLS13}), b.id)
	}
}

// answer answers each byte with the broker's name.
func answer(server net.Listener, id int32) {
	for {
		conn, err := server.Accept()
		if err != nil {
			return
		}
		go func() {
			defer func() { _ = conn.Close() }()
			for {
				if _, err := io.ReadFull(conn, make([]byte, 1)); err != nil {
					return
				}
				_, _ = fmt.Fprintf(conn, "%8d", id)
			}
		}()
	}
}

// certificate is one that nobody looks at: proxies pass TLS on as it is.
func (w *world) certificate() tls.Certificate {
	w.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	w.must(err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	w.must(err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// stopBroker is a broker that has left the cluster.
func (w *world) stopBroker(id int32) {
	w.Helper()
	for _, server := range w.brokers[id].servers {
		_ = server.Close()
	}
	w.must(w.client.Delete(w, w.brokers[id].pod, client.GracePeriodSeconds(0)))
	delete(w.brokers, id)
}

// moveBroker is a broker whose Pod is made again elsewhere.
func (w *world) moveBroker(id int32) {
	w.Helper()
	w.stopBroker(id)
	w.startBroker(id)
}

// connection is one of a client with a broker, through a proxy.
type connection struct {
	*world
	net.Conn
	id int32
}

// dial connects as a client would, by the name of a broker or by its port.
func (w *world) dial(address, name string) (net.Conn, error) {
	dialer := &tls.Dialer{NetDialer: &net.Dialer{Timeout: 5 * time.Second}, Config: &tls.Config{ServerName: name, InsecureSkipVerify: true}}
	return dialer.DialContext(w, "tcp", address)
}

func (w *world) connect(id int32) *connection {
	w.Helper()
	conn, err := w.dial(fmt.Sprintf("127.0.0.1:%d", w.sni), fmt.Sprintf("BROKER-%d.%s", id, domain))
	w.must(err)
	w.Cleanup(func() { _ = conn.Close() })
	return &connection{w, conn, id}
}

func (c *connection) requireOpen(after string) {
	c.Helper()
	if who, err := ask(c); err != nil || who != fmt.Sprint(c.id) {
		c.Errorf("after %s the connection to broker %d answers %s, %v", after, c.id, who, err)
	}
}

// ask asks who is there.
func ask(conn net.Conn) (string, error) {
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := conn.Write([]byte("?")); err != nil {
		return "", err
	}
	answer := make([]byte, 8)
	_, err := io.ReadFull(conn, answer)
	return strings.TrimSpace(string(answer)), err
}

// requireReached connects to each broker in both ways, as often as it takes to meet both proxies, and to where clients start.
func (w *world) requireReached(ids ...int32) {
	w.Helper()
	ports := map[int32]int32{}
	for _, listener := range w.cluster().Status.ExternalListeners {
		for _, broker := range listener.Brokers {
			ports[broker.ID] = max(ports[broker.ID], broker.ProxyPort)
		}
	}
	for _, id := range ids {
		for range 8 {
			w.requireAnswer(fmt.Sprint(id), fmt.Sprintf("127.0.0.1:%d", w.sni), fmt.Sprintf("broker-%d.%s", id, domain))
			w.requireAnswer(fmt.Sprint(id), fmt.Sprintf("127.0.0.1:%d", ports[id]), "localhost")
		}
	}
	w.requireAnswer("", fmt.Sprintf("127.0.0.1:%d", w.sni), "bootstrap."+domain)
	w.requireAnswer("", fmt.Sprintf("127.0.0.1:%d", w.bootstrap), "localhost")
}

// requireAnswer connects, and finds the broker, or any one.
func (w *world) requireAnswer(want, address, name string) {
	w.Helper()
	conn, err := w.dial(address, name)
	if err != nil {
		w.Errorf("%s at %s is not reached: %v", name, address, err)
		return
	}
	defer func() { _ = conn.Close() }()
	if who, err := ask(conn); err != nil || want != "" && who != want {
		w.Errorf("%s at %s leads to broker %s, want %s: %v", name, address, who, want, err)
	}
}

// statusOf is the status of an answer, 0 without one.
func statusOf(url string) int {
	answer, err := http.Get(url)
	if err != nil {
		return 0
	}
	_ = answer.Body.Close()
	return answer.StatusCode
}
