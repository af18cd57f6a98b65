//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// The programs as config/default installs them.
const (
	managerNamespace     = "koperator-system"
	managerName          = "broker-manager"
	envoyManager         = "envoy-manager"
	cruiseControlManager = "cruisecontrol-manager"
)

// programs are all of them, with their images.
func programs() map[string]string {
	return map[string]string{
		managerName: settings.managerImage, envoyManager: settings.envoyManager, cruiseControlManager: settings.cruiseControlManager,
	}
}

// installPrograms installs the CRDs and the programs as a user would, with kubectl and config/default, and waits until
// they run. What ran before is replaced, because an image can be a new one with the same tag.
func installPrograms() error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	if err := checkNodes(ctx); err != nil {
		return err
	}
	overlay, err := writeOverlay()
	if err != nil {
		return err
	}
	if _, err := kubectl(ctx, "apply", "-k", overlay); err != nil {
		return err
	}
	if _, err := kubectl(ctx, "wait", "--for=condition=Established", "--timeout=60s", "crd/kafkaclusters.kafka.koperator.dev"); err != nil {
		return err
	}
	for _, name := range sorted(programs()) {
		if _, err := await(ctx, 90*time.Second, name, leads(name), func(format string, args ...any) { fmt.Printf(format+"\n", args...) }); err != nil {
			return err
		}
	}
	return nil
}

// deploymentRuns looks whether a Deployment is as it should be.
func deploymentRuns(name string) look {
	return func(ctx context.Context) (string, bool) {
		deployment := &appsv1.Deployment{}
		if err := kube.Get(ctx, client.ObjectKey{Namespace: managerNamespace, Name: name}, deployment); err != nil {
			return err.Error(), false
		}
		status, wanted := deployment.Status, ptr.Deref(deployment.Spec.Replicas, 1)
		return fmt.Sprintf("%d of %d replicas of %s are available", status.AvailableReplicas, wanted, name),
			status.ObservedGeneration >= deployment.Generation && status.UpdatedReplicas == wanted &&
				status.AvailableReplicas == wanted && status.Replicas == wanted
	}
}

// checkNodes gives a clear error where a Pod would only stay Pending.
func checkNodes(ctx context.Context) error {
	nodes := &corev1.NodeList{}
	if err := kube.List(ctx, nodes); err != nil {
		return err
	}
	var notReady []string
	for i := range nodes.Items {
		if !nodeIsReady(&nodes.Items[i]) {
			notReady = append(notReady, nodes.Items[i].Name)
		}
	}
	if len(nodes.Items) < 3 || len(notReady) > 0 {
		return fmt.Errorf("three nodes are needed, and all of them ready; there are %d, not ready: %s", len(nodes.Items), strings.Join(notReady, ", "))
	}
	return nil
}

// writeOverlay puts the image to be tested over config/default. kustomize wants it below a common folder.
func writeOverlay() (string, error) {
	dir := filepath.Join(settings.root, "bin", "e2e-install")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	overlay := "resources: [../../config/default]\nimages:\n"
	patches := "patches:\n"
	images := programs()
	for _, program := range sorted(images) {
		name, tag := images[program], "latest"
		if colon := strings.LastIndex(name, ":"); colon > strings.LastIndex(name, "/") {
			name, tag = name[:colon], name[colon+1:]
		}
		overlay += fmt.Sprintf("- {name: koperator/%s, newName: %q, newTag: %q}\n", program, name, tag)
		patches += fmt.Sprintf(`- target: {kind: Deployment, name: %[1]s}
  patch: |
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: %[1]s}
    spec: {template: {metadata: {annotations: {e2e.koperator.dev/installed: %[2]q}}}}
`, program, time.Now().Format(time.RFC3339))
	}
	overlay += patches
	return dir, os.WriteFile(filepath.Join(dir, "kustomization.yaml"), []byte(overlay), 0o644)
}

// leads tells whether the newest Pods of a program are available and one of them leads, and no older one is left.
func leads(program string) look {
	return func(ctx context.Context) (string, bool) {
		if seen, ok := deploymentRuns(program)(ctx); !ok {
			return seen + ", " + podTrouble(ctx, program), false
		}
		pod, err := leaderOf(ctx, program)
		if err != nil {
			return err.Error(), false
		}
		return "Pod " + pod.Name + " leads", true
	}
}

// managerLeads speaks of broker-manager.
func managerLeads(ctx context.Context) (string, bool) { return leads(managerName)(ctx) }

func podTrouble(ctx context.Context, program string) string {
	pods, err := podsOf(ctx, program)
	if err != nil {
		return err.Error()
	}
	var trouble []string
	for i := range pods {
		trouble = append(trouble, describePod(&pods[i]))
	}
	return strings.Join(trouble, "; ")
}

// managerPod is the Pod of broker-manager that does the work.
func managerPod(ctx context.Context) (*corev1.Pod, error) { return leaderOf(ctx, managerName) }

// leaderOf is the Pod of a program that holds the lease: it does the work.
func leaderOf(ctx context.Context, program string) (*corev1.Pod, error) {
	lease := &coordinationv1.Lease{}
	if err := kube.Get(ctx, client.ObjectKey{Namespace: managerNamespace, Name: program + ".koperator.dev"}, lease); err != nil {
		return nil, err
	}
	holder := ptr.Deref(lease.Spec.HolderIdentity, "")
	pods, err := podsOf(ctx, program)
	if err != nil {
		return nil, err
	}
	for i := range pods {
		// The identity is the host name and something unique.
		if strings.HasPrefix(holder, pods[i].Name+"_") && pods[i].DeletionTimestamp.IsZero() {
			return &pods[i], nil
		}
	}
	return nil, errors.New("no Pod of " + program + " leads; the lease is held by " + holder)
}

func podsOf(ctx context.Context, program string) ([]corev1.Pod, error) {
	deployment := &appsv1.Deployment{}
	if err := kube.Get(ctx, client.ObjectKey{Namespace: managerNamespace, Name: program}, deployment); err != nil {
		return nil, err
	}
	pods := &corev1.PodList{}
	err := kube.List(ctx, pods, client.InNamespace(managerNamespace), client.MatchingLabels(deployment.Spec.Selector.MatchLabels))
	return pods.Items, err
}

// changeManager changes the Deployment of broker-manager.
func changeManager(t *testing.T, change func(*appsv1.Deployment)) {
	t.Helper()
	deployment := &appsv1.Deployment{}
	deployment.Name, deployment.Namespace = managerName, managerNamespace
	modify(t, deployment, func() { change(deployment) })
}

// withoutManager does something while broker-manager does not run at all.
func withoutManager(t *testing.T, do func()) {
	t.Helper()
	withoutProgram(t, managerName, do)
	waitFor(t, 90*time.Second, "broker-manager to be back", managerLeads)
}

// withoutProgram does something while one of Koperator's programs does not run at all.
func withoutProgram(t *testing.T, name string, do func()) {
	t.Helper()
	deployment := &appsv1.Deployment{}
	deployment.Name, deployment.Namespace = name, managerNamespace
	replicas := int32(1)
	modify(t, deployment, func() {
		replicas, deployment.Spec.Replicas = ptr.Deref(deployment.Spec.Replicas, 1), ptr.To[int32](0)
	})
	defer modify(t, deployment, func() { deployment.Spec.Replicas = &replicas })
	ours := client.MatchingLabels(deployment.Spec.Selector.MatchLabels)
	waitFor(t, time.Minute, name+" to be gone", func(ctx context.Context) (string, bool) {
		pods := &corev1.PodList{}
		err := kube.List(ctx, pods, client.InNamespace(managerNamespace), ours)
		return fmt.Sprintf("%d Pods, %v", len(pods.Items), err), err == nil && len(pods.Items) == 0
	})
	do()
}

// managerMemory says how much memory the broker-manager that leads uses.
func managerMemory(t *testing.T) string {
	t.Helper()
	pod, err := managerPod(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	pids, err := processesOf(pod, managerName, managerName)
	if err != nil || len(pids) != 1 {
		t.Fatalf("wanted one process of broker-manager, found %v (%v)", pids, err)
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pids[0]))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if resident, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			return "broker-manager uses " + strings.TrimSpace(resident)
		}
	}
	t.Fatal("the process of broker-manager has no VmRSS")
	return ""
}
