package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/kubernetes"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

// What the demo makes.
const (
	systemNamespace = "koperator-system"
	namespace       = "kafka"
	clusterName     = "demo"
	// label marks what the demo itself has made, and down may remove.
	label = "koperator.dev/demo"
)

// demo is one run.
type demo struct {
	root               string // of the repository
	images             []programImage
	kafkaImage         string
	envoyImage         string
	cruiseControlImage string

	kube      client.Client
	clientset kubernetes.Interface
	host      string
	begin     time.Time
}

// programImage is one of Koperator's programs, and the variable that says which image it is in.
type programImage struct{ program, variable, image string }

func programImages() []programImage {
	list := []programImage{
		{program: "broker-manager", variable: "BROKER_MANAGER_IMAGE"},
		{program: "envoy-manager", variable: "ENVOY_MANAGER_IMAGE"},
		{program: "cruisecontrol-manager", variable: "CRUISECONTROL_MANAGER_IMAGE"},
	}
	for i := range list {
		list[i].image = os.Getenv(list[i].variable)
	}
	return list
}

// connect finds the repository and the cluster, and says clearly if there is none.
func connect(ctx context.Context) (*demo, error) {
	d := &demo{
		images: programImages(), kafkaImage: os.Getenv("KAFKA_IMAGE"), envoyImage: os.Getenv("ENVOY_IMAGE"),
		cruiseControlImage: os.Getenv("CRUISE_CONTROL_IMAGE"), begin: time.Now(),
	}
	var err error
	if d.root, err = findRoot(); err != nil {
		return nil, err
	}
	if _, err := exec.LookPath("kubectl"); err != nil {
		return nil, errors.New("there is no kubectl here: install one, or run `make demo`, which brings one along")
	}
	config, err := ctrl.GetConfig()
	if err != nil {
		return nil, fmt.Errorf("finding a Kubernetes cluster (`make demo` without KUBECONFIG starts one): %w", err)
	}
	config.QPS, config.Burst = 50, 100
	d.host = config.Host
	scheme := runtime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(v1beta1.AddToScheme(scheme))
	if d.clientset, err = kubernetes.NewForConfig(config); err != nil {
		return nil, fmt.Errorf("making a client: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if _, err := d.clientset.Discovery().RESTClient().Get().AbsPath("/readyz").DoRaw(ctx); err != nil {
		return nil, fmt.Errorf("reaching Kubernetes at %s (`make demo` without KUBECONFIG starts one): %w", config.Host, err)
	}
	if d.kube, err = client.New(config, client.Options{Scheme: scheme}); err != nil {
		return nil, fmt.Errorf("making a client: %w", err)
	}
	return d, nil
}

// findRoot finds the repository from wherever the demo is started in it.
func findRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "config", "default")); err == nil {
			return dir, nil
		}
	}
	return "", errors.New("run the demo somewhere inside the repository")
}

// requireImage refuses to guess an image: one that does not exist would only leave Pods that wait.
func (d *demo) requireImage(variable, image string) error {
	if image != "" {
		return nil
	}
	return fmt.Errorf(`%s is not set: say which image the nodes of the cluster at %s can get, for example

  make demo BROKER_MANAGER_IMAGE=registry.example.com/broker-manager:dev \
            ENVOY_MANAGER_IMAGE=registry.example.com/envoy-manager:dev \
            CRUISECONTROL_MANAGER_IMAGE=registry.example.com/cruisecontrol-manager:dev KAFKA_IMAGE=apache/kafka:4.3.1

(or, for a cluster on this machine: env -u KUBECONFIG make demo)`, variable, d.host)
}

// kubectl does what a user would do by hand, and returns what it says.
func (d *demo) kubectl(ctx context.Context, stdin string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "kubectl", args...)
	cmd.Dir = d.root
	cmd.Stdin = strings.NewReader(stdin)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String(), fmt.Errorf("kubectl %s: %w\n%s", strings.Join(args, " "), err, strings.TrimSpace(stderr.String()))
	}
	return stdout.String(), nil
}

// await asks until done says so, or the time is over: then the last words of done are the error.
func await(ctx context.Context, limit time.Duration, what string, done func(context.Context) (string, bool)) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	said := ""
	for {
		text, ok := done(ctx)
		if ok {
			return nil
		}
		if ctx.Err() == nil {
			said = text
		}
		select {
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.Canceled) {
				return errors.New("interrupted; what was made stays: make demo goes on, make demo-down removes it")
			}
			return fmt.Errorf("waited %s for %s: %s", limit, what, said)
		case <-time.After(time.Second):
		}
	}
}
