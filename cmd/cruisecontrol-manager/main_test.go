package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/cmd/internal/setup"
)

const (
	system    = "koperator-system"
	namespace = "kafka"
	orders    = "orders"
	// asProgram makes the test's own program be cruisecontrol-manager.
	asProgram = "KOPERATOR_TEST_AS_CRUISECONTROL_MANAGER"
)

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// world is a real kube-apiserver, and a process of cruisecontrol-manager with the rights that it is installed with.
type world struct {
	testing.TB
	context.Context
	client     client.Client
	kubeconfig string
	log        string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	env := &envtest.Environment{CRDDirectoryPaths: []string{"../../config/crd/bases"}, ErrorIfCRDPathMissing: true}
	config, err := env.Start()
	if err != nil {
		t.Fatalf("starting a kube-apiserver (KUBEBUILDER_ASSETS must name a folder with etcd and kube-apiserver; `make test-unit` sets it): %v", err)
	}
	t.Cleanup(func() { _ = env.Stop() })
	c, err := client.New(config, client.Options{Scheme: setup.Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	user, err := env.AddUser(envtest.User{Name: "system:serviceaccount:koperator-system:cruisecontrol-manager"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := user.KubeConfig()
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	w := &world{TB: t, Context: t.Context(), client: c, kubeconfig: filepath.Join(folder, "kubeconfig"), log: filepath.Join(folder, "log")}
	w.must(os.WriteFile(w.kubeconfig, text, 0o600))
	for _, name := range []string{system, namespace} {
		w.must(c.Create(w, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}))
	}
	for _, file := range []string{"role.yaml", "role_binding.yaml", "leader_election.yaml"} {
		w.create("../../config/rbac/cruisecontrol-manager/" + file)
	}
	w.must(c.Create(w, &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "secrets"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "koperator-cruisecontrol-manager-secrets"},
		Subjects:   []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: system, Name: "cruisecontrol-manager"}},
	}))
	return w
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// create makes what is in a file.
func (w *world) create(path string) {
	w.Helper()
	text, err := os.ReadFile(path)
	w.must(err)
	for decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), 4096); ; {
		object := &unstructured.Unstructured{}
		if err := decoder.Decode(&object.Object); errors.Is(err, io.EOF) {
			return
		} else if w.must(err); len(object.Object) > 0 {
			w.must(w.client.Create(w, object))
		}
	}
}

// await looks until something is so; what it sees meanwhile is told if it takes too long.
func (w *world) await(what string, look func() (seen string, ok bool)) {
	w.Helper()
	var seen string
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		var ok bool
		if seen, ok = look(); ok {
			return
		}
	}
	w.Fatalf("waiting for %s took too long: %s", what, seen)
}

// start starts the program, and waits until it is ready.
func (w *world) start() *exec.Cmd {
	w.Helper()
	log, err := os.Create(w.log)
	w.must(err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	w.must(err)
	health := listener.Addr().String()
	w.must(listener.Close())
	process := exec.Command(os.Args[0], "--kubeconfig="+w.kubeconfig, "--leader-elect", "--leader-election-namespace="+system,
		"--health-probe-bind-address="+health, "--metrics-bind-address=0", "--pod-namespace="+system)
	process.Env = append(os.Environ(), asProgram+"=yes")
	process.Stdout, process.Stderr = log, log
	process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	w.must(process.Start())
	w.Cleanup(func() {
		if process.ProcessState == nil {
			_ = process.Process.Kill()
			_ = process.Wait()
		}
		if w.Failed() {
			text, _ := os.ReadFile(w.log)
			w.Logf("cruisecontrol-manager: ...%s", text[max(0, len(text)-8000):])
		}
		_ = log.Close()
	})
	w.await("the program to be ready", func() (string, bool) {
		response, err := http.Get("http://" + health + "/readyz")
		if err != nil {
			return err.Error(), false
		}
		_ = response.Body.Close()
		return response.Status, response.StatusCode == http.StatusOK
	})
	return process
}

// The program, with the rights that config/rbac gives it and no others, gives a KafkaCluster what it can before there is a
// Kafka, says what it waits for, and ends when it is told.
func TestProgram(t *testing.T) {
	w := newWorld(t)
	process := w.start()
	kc := &v1beta1.KafkaCluster{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: orders},
		Spec: v1beta1.KafkaClusterSpec{
			Version: "4.3.1",
			BrokerGroups: []v1beta1.BrokerGroup{{
				Name: "all", Roles: []v1beta1.Role{v1beta1.RoleController, v1beta1.RoleBroker},
				Storage: []v1beta1.Storage{{Path: "/var/lib/kafka/a", Size: resource.MustParse("1Gi")}},
			}},
			Brokers:       []v1beta1.Broker{{ID: 1, Group: "all"}},
			CruiseControl: &v1beta1.CruiseControl{Image: "example.com/cruise-control:2.5.146"},
		},
	}
	w.must(w.client.Create(w, kc))
	key := client.ObjectKey{Namespace: namespace, Name: v1beta1.CruiseControlName(orders)}
	w.await("what secures Cruise Control", func() (string, bool) {
		api, policy := &corev1.Secret{}, &networkingv1.NetworkPolicy{}
		err := errors.Join(
			w.client.Get(w, client.ObjectKey{Namespace: namespace, Name: v1beta1.CruiseControlAPISecretName(orders)}, api),
			w.client.Get(w, key, policy))
		return fmt.Sprint(err), err == nil && len(api.Data["password"]) > 0 &&
			policy.Spec.Ingress[0].From[0].NamespaceSelector.MatchLabels[corev1.LabelMetadataName] == system
	})
	w.await("the reason why it is not ready", func() (string, bool) {
		w.must(w.client.Get(w, client.ObjectKeyFromObject(kc), kc))
		ready := meta.FindStatusCondition(kc.Status.Conditions, v1beta1.ConditionCruiseControlReady)
		return fmt.Sprintf("%+v", kc.Status), ready != nil && ready.Status == metav1.ConditionFalse && ready.Message != ""
	})
	w.must(process.Process.Signal(syscall.SIGTERM))
	if err := process.Wait(); err != nil {
		t.Errorf("it does not end as it should: %v", err)
	}
	log, err := os.ReadFile(w.log)
	w.must(err)
	if strings.Contains(string(log), "forbidden") {
		t.Errorf("it lacks a right:\n%s", log)
	}
}
