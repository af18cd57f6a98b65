//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/rand"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

// newNamespace makes a namespace for one test, with the strictest of the standards that Kubernetes has for Pods. It goes
// with the test, and what can explain a failure is kept.
func newNamespace(t *testing.T) string {
	t.Helper()
	name := "e2e-" + strings.ToLower(strings.TrimPrefix(t.Name(), "Test")) + "-" + rand.String(4)
	namespace := &corev1.Namespace{}
	namespace.Name = name
	namespace.Labels = map[string]string{"pod-security.kubernetes.io/enforce": "restricted"}
	if err := kube.Create(t.Context(), namespace); err != nil {
		t.Fatalf("creating namespace: %v", err)
	}
	for _, program := range sorted(programs()) {
		if err := kube.Create(t.Context(), secretsAllowed(name, program)); err != nil {
			t.Fatalf("allowing %s the Secrets of %s: %v", program, name, err)
		}
	}
	t.Cleanup(func() {
		collectIfFailed(t, name)
		if t.Failed() && settings.keep {
			t.Logf("namespace %s is kept", name)
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
		defer cancel()
		if err := cleanUp(ctx, namespace, t.Logf); err != nil {
			t.Errorf("cleaning up namespace %s: %v", name, err)
		}
	})
	return name
}

// secretsAllowed is what a user makes for each namespace with KafkaClusters: see config/namespaces.
func secretsAllowed(namespace, program string) *rbacv1.RoleBinding {
	binding := &rbacv1.RoleBinding{}
	binding.Name, binding.Namespace = program+"-secrets", namespace
	binding.RoleRef = rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "koperator-" + program + "-secrets"}
	binding.Subjects = []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: program, Namespace: managerNamespace}}
	return binding
}

// cleanUp deletes KafkaClusters first: with its Secrets and controllers gone, a broker takes minutes to stop.
func cleanUp(ctx context.Context, namespace *corev1.Namespace, say func(string, ...any)) error {
	in := client.InNamespace(namespace.Name)
	if err := kube.DeleteAllOf(ctx, &v1beta1.KafkaCluster{}, in); err != nil {
		return err
	}
	_, err := await(ctx, 90*time.Second, "the KafkaClusters to be gone", func(ctx context.Context) (string, bool) {
		list := &v1beta1.KafkaClusterList{}
		if err := kube.List(ctx, list, in); err != nil {
			return err.Error(), false
		}
		return fmt.Sprintf("%d are left", len(list.Items)), len(list.Items) == 0
	}, say)
	if err != nil {
		return err
	}
	return client.IgnoreNotFound(kube.Delete(ctx, namespace))
}

func collectIfFailed(t *testing.T, namespace string) {
	if t.Failed() {
		collect(t, namespace)
	}
}

// collect keeps what can explain a failure: in files everything, in the test's output the end of it.
func collect(t *testing.T, namespace string) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	dir := filepath.Join(settings.artifacts, strings.ReplaceAll(t.Name(), "/", "_"))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Logf("keeping artifacts: %v", err)
		return
	}
	t.Logf("what can explain the failure is kept in %s", dir)
	keep := func(file string, tail int, args ...string) {
		out, err := kubectl(ctx, args...)
		if err != nil {
			out += err.Error()
		}
		if err := os.WriteFile(filepath.Join(dir, file), []byte(out), 0o644); err != nil {
			t.Logf("keeping %s: %v", file, err)
		}
		if tail > 0 {
			t.Logf("the end of %s:\n%s", file, lastLines(out, tail))
		}
	}
	in := "--namespace=" + namespace
	keep("kafkacluster.yaml", 0, "get", "kafkacluster", in, "-o=yaml")
	keep("kafkacluster.txt", 20, "get", "kafkacluster", in, "-o=wide")
	keep("objects.yaml", 0, "get", "pods,persistentvolumeclaims,services,configmaps,poddisruptionbudgets", in, "-o=yaml")
	keep("pods.txt", 20, "get", "pods", in, "-o=wide")
	keep("events.txt", 20, "get", "events", in, "--sort-by=.lastTimestamp")
	keep("nodes.yaml", 0, "get", "nodes", "-o=yaml")
	keep("operations.yaml", 0, "get", "cruisecontroloperations", in, "-o=yaml")
	keep("operations.txt", 20, "get", "cruisecontroloperations", in, "-o=wide")
	for _, program := range sorted(programs()) {
		keepLogsOf(ctx, program, keep)
	}
	for _, name := range unwellPods(ctx, namespace) {
		keep(name+".txt", 0, "describe", "pod", in, name)
		keep(name+".log", 20, "logs", in, name, "--all-containers", "--tail=2000")
		keep(name+"-before.log", 20, "logs", in, name, "--all-containers", "--tail=2000", "--previous")
	}
}

// keepLogsOf keeps the logs of all replicas of a program, and shows that of the one that does the work.
func keepLogsOf(ctx context.Context, program string, keep func(file string, tail int, args ...string)) {
	leader, err := leaderOf(ctx, program)
	if err != nil {
		leader = &corev1.Pod{}
	}
	pods, err := podsOf(ctx, program)
	if err != nil {
		return
	}
	for i := range pods {
		tail := 0
		if pods[i].Name == leader.Name {
			tail = 20
		}
		keep(pods[i].Name+".log", tail, "logs", "--namespace="+managerNamespace, pods[i].Name, "--tail=5000")
		if len(pods[i].Status.ContainerStatuses) > 0 && pods[i].Status.ContainerStatuses[0].RestartCount > 0 {
			keep(pods[i].Name+"-before.log", 0, "logs", "--namespace="+managerNamespace, pods[i].Name, "--tail=5000", "--previous")
		}
	}
}

// unwellPods are the Pods that are worth a look: those that are not ready or have been restarted.
func unwellPods(ctx context.Context, namespace string) []string {
	pods := &corev1.PodList{}
	if err := kube.List(ctx, pods, client.InNamespace(namespace)); err != nil && !apierrors.IsNotFound(err) {
		return nil
	}
	var names []string
	for i := range pods.Items {
		if status := kafkaStatus(&pods.Items[i]); !podIsReady(&pods.Items[i]) || status == nil || status.RestartCount > 0 {
			names = append(names, pods.Items[i].Name)
		}
	}
	return names
}

func lastLines(text string, count int) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-count):], "\n")
}
