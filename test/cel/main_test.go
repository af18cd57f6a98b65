// Package cel tests the CRDs and the manifests of config/ on a real kube-apiserver: every rule and every bound of the
// schema has specs that it accepts and specs that it refuses.
package cel

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// Folders of the repository, as seen from this one.
const (
	crdFolder     = "../../config/crd"
	defaultFolder = "../../config/default"
	samplesFolder = "../../config/samples"
)

var (
	// api is the API server under test. It refuses unknown fields, as `kubectl apply` does.
	api client.Client
	// kubeconfig is for kubectl, which is tested here as well: it is what users install with.
	kubeconfig string
)

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "test/cel:", err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	if err := checkAssets(); err != nil {
		return 0, err
	}
	env := &envtest.Environment{}
	rest, err := env.Start()
	if err != nil {
		return 0, fmt.Errorf("starting kube-apiserver: %w", err)
	}
	defer func() { err = errors.Join(err, env.Stop()) }()

	plain, err := client.New(rest, client.Options{})
	if err != nil {
		return 0, fmt.Errorf("making a client: %w", err)
	}
	api = client.WithFieldValidation(plain, metav1.FieldValidationStrict)
	if err := writeKubeconfig(env); err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(filepath.Dir(kubeconfig))) }()
	if err := installCRDs(); err != nil {
		return 0, err
	}
	return m.Run(), nil
}

// checkAssets fails early, and says what to do: without it, envtest names a path that nobody has heard of.
func checkAssets() error {
	folder := os.Getenv("KUBEBUILDER_ASSETS")
	if folder == "" {
		return errors.New("KUBEBUILDER_ASSETS is not set: run `export KUBEBUILDER_ASSETS=$(go run ./test/cluster assets)` in the root of the repository, or `make test-api`")
	}
	for _, program := range []string{"etcd", "kube-apiserver"} {
		if _, err := os.Stat(filepath.Join(folder, program)); err != nil {
			return fmt.Errorf("KUBEBUILDER_ASSETS (%s) has no %s: run `go run ./test/cluster assets` to build it", folder, program)
		}
	}
	return nil
}

func writeKubeconfig(env *envtest.Environment) error {
	user, err := env.AddUser(envtest.User{Name: "admin", Groups: []string{"system:masters"}}, nil)
	if err != nil {
		return fmt.Errorf("adding a user: %w", err)
	}
	content, err := user.KubeConfig()
	if err != nil {
		return fmt.Errorf("making a kubeconfig: %w", err)
	}
	folder, err := os.MkdirTemp("", "koperator-cel-")
	if err != nil {
		return fmt.Errorf("making a folder: %w", err)
	}
	kubeconfig = filepath.Join(folder, "kubeconfig")
	return os.WriteFile(kubeconfig, content, 0o600)
}

// installCRDs does what a user does: client-side apply, which keeps a copy of the whole object in an annotation and fails
// for a CRD that is too large for one.
func installCRDs() error {
	if _, err := kubectl(context.Background(), "", "apply", "--kustomize", crdFolder); err != nil {
		return err
	}
	if _, err := kubectl(context.Background(), "", "wait", "--for=condition=Established", "--timeout=30s", "crd", "--all"); err != nil {
		return err
	}
	return waitForManual()
}

// waitForManual waits until the API server has published what `kubectl explain` reads, moments after the CRDs are there.
// What kubectl remembers of the API server is read anew with api-resources.
func waitForManual() error {
	var err error
	for range 100 {
		_, err = kubectl(context.Background(), "", "api-resources", "--api-group=kafka.koperator.dev")
		for _, kind := range []string{kafkaCluster, cruiseControlOperation} {
			if err == nil {
				_, err = kubectl(context.Background(), "", "explain", kind)
			}
		}
		if err == nil {
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	return err
}

// kubectl runs kubectl and returns what it says.
func kubectl(ctx context.Context, stdin string, args ...string) (string, error) {
	program := filepath.Join(os.Getenv("KUBEBUILDER_ASSETS"), "kubectl")
	if _, err := os.Stat(program); err != nil {
		program = "kubectl"
	}
	cmd := exec.CommandContext(ctx, program, append([]string{"--kubeconfig", kubeconfig}, args...)...)
	cmd.Stdin = strings.NewReader(stdin)
	// kubectl keeps what it discovers in the home folder; a test of its own leaves none of it there.
	cmd.Env = append(os.Environ(), "HOME="+filepath.Dir(kubeconfig), "KUBECACHEDIR="+filepath.Dir(kubeconfig))
	out, err := cmd.CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("kubectl %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return string(out), nil
}
