//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/kubernetes"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

// kube is the API of the Kubernetes cluster, for all tests.
var kube client.Client

// pods watches Pods: the typed client can, and needs no scheme.
var clientset kubernetes.Interface

// settings are what the environment can change.
var settings = struct {
	root         string // of the repository
	clusterTool  []string
	managerImage string
	envoyManager string // its image
	envoyImage   string
	// cruiseControlManager is its image, cruiseControl that of the stand-in for Cruise Control.
	cruiseControlManager string
	cruiseControl        string
	image                string // Kafka 4.3.1
	oldImage             string // Kafka 4.2.1
	// kafkaClient is a folder with what is in Kafka's image: Kafka's own tools and their Java.
	kafkaClient string
	artifacts   string
	keep        bool
}{}

func TestMain(m *testing.M) {
	flag.Parse()
	ctrl.SetLogger(logr.Discard())
	if err := setUp(); err != nil {
		fmt.Fprintf(os.Stderr, "end to end tests cannot start: %v\n", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func setUp() error {
	if err := readSettings(); err != nil {
		return err
	}
	if err := connect(); err != nil {
		return fmt.Errorf("%w\n\nThey need the local cluster, and run outside of it:\n\n"+
			"\tgo run ./test/cluster up\n\tgo run ./test/cluster exec -- ./bin/e2e.test -test.v", err)
	}
	begin := time.Now()
	if err := installPrograms(); err != nil {
		return fmt.Errorf("installing Koperator: %w", err)
	}
	fmt.Printf("%s run, installed in %s\n", strings.Join(sorted(programs()), ", "), seconds(time.Since(begin)))
	return nil
}

func readSettings() error {
	root, err := findRoot()
	if err != nil {
		return err
	}
	settings.root = root
	settings.clusterTool = []string{"go", "run", "./test/cluster"}
	if tool := strings.Fields(os.Getenv("KOPERATOR_CLUSTER")); len(tool) > 0 {
		settings.clusterTool = tool
	}
	settings.managerImage = fromEnv("BROKER_MANAGER_IMAGE", "localhost/broker-manager:dev")
	settings.envoyManager = fromEnv("ENVOY_MANAGER_IMAGE", "localhost/envoy-manager:dev")
	settings.envoyImage = fromEnv("ENVOY_IMAGE", "localhost/envoy:1.40.0")
	settings.cruiseControlManager = fromEnv("CRUISECONTROL_MANAGER_IMAGE", "localhost/cruisecontrol-manager:dev")
	settings.cruiseControl = fromEnv("CRUISE_CONTROL_IMAGE", "localhost/cruise-control-stand-in:dev")
	settings.kafkaClient = fromEnv("KAFKA_CLIENT", filepath.Join(root, "bin", "kafka-client-4.3.1"))
	settings.image = fromEnv("KAFKA_IMAGE", "localhost/kafka:4.3.1")
	settings.oldImage = fromEnv("OLD_KAFKA_IMAGE", "localhost/kafka:4.2.1")
	settings.artifacts = fromEnv("E2E_ARTIFACTS", filepath.Join(root, "bin", "e2e-artifacts"))
	settings.keep = os.Getenv("E2E_KEEP") != ""
	return os.RemoveAll(settings.artifacts)
}

func fromEnv(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}

// findRoot finds the repository from wherever the tests run in it.
func findRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "config", "crd")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("the tests must run somewhere inside the repository")
		}
	}
}

func connect() error {
	config, err := ctrl.GetConfig()
	if err != nil {
		return fmt.Errorf("finding a Kubernetes cluster: %w", err)
	}
	config.QPS, config.Burst = 100, 200
	scheme := runtime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(v1beta1.AddToScheme(scheme))
	if kube, err = client.New(config, client.Options{Scheme: scheme}); err != nil {
		return fmt.Errorf("reaching Kubernetes at %s: %w", config.Host, err)
	}
	if clientset, err = kubernetes.NewForConfig(config); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if _, err := clientset.Discovery().RESTClient().Get().AbsPath("/readyz").DoRaw(ctx); err != nil {
		return fmt.Errorf("reaching Kubernetes at %s: %w", config.Host, err)
	}
	return nil
}

// run runs a program in the repository and returns what it wrote.
func run(ctx context.Context, program ...string) (string, error) {
	cmd := exec.CommandContext(ctx, program[0], program[1:]...)
	cmd.Dir = settings.root
	cmd.Env = append(os.Environ(), "GOWORK="+filepath.Join(settings.root, "go.work"))
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String(), fmt.Errorf("%s: %w\n%s", strings.Join(program, " "), err, stderr.String())
	}
	return stdout.String(), nil
}

// kubectl does what a user would do by hand.
func kubectl(ctx context.Context, args ...string) (string, error) {
	return run(ctx, append([]string{"kubectl"}, args...)...)
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }
