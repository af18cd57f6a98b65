package cel

import (
	"context"
	"io/fs"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func TestSamplesAreAccepted(t *testing.T) {
	samples, err := filepath.Glob(filepath.Join(samplesFolder, "*.yaml"))
	if err != nil || len(samples) < 2 {
		t.Fatalf("no samples: %v", err)
	}
	for _, sample := range samples {
		if filepath.Base(sample) == "kustomization.yaml" {
			continue
		}
		t.Run(filepath.Base(sample), func(t *testing.T) {
			out, err := kubectl(context.Background(), "", "apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", sample)
			if err != nil {
				t.Error(err)
			}
			if strings.Contains(out, "Warning") {
				t.Errorf("the API server warns: %s", out)
			}
		})
	}
}

func TestKustomizationsBuild(t *testing.T) {
	built := 0
	err := filepath.WalkDir("../../config", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.Name() != "kustomization.yaml" {
			return err
		}
		built++
		if out, err := kubectl(context.Background(), "", "kustomize", filepath.Dir(path)); err != nil || strings.Contains(out, "Warning") {
			t.Errorf("%s: %v %s", path, err, out)
		}
		return nil
	})
	if err != nil || built == 0 {
		t.Fatalf("reading config: %v", err)
	}
}

// TestInstall installs Koperator as README says, on an API server that enforces RBAC and the Pod Security Standards.
func TestInstall(t *testing.T) {
	ctx := context.Background()
	install(t, defaultFolder)
	install(t, "../../config/namespaces/kafka")
	checkDeployment(t)

	t.Run("all namespaces", func(t *testing.T) {
		checkRights(t, "kafka", map[string]bool{
			"create pods": true, "delete pods": true, "patch pods/resize": true, "patch persistentvolumeclaims": true,
			"patch kafkaclusters.kafka.koperator.dev": true, "patch kafkaclusters.kafka.koperator.dev/status": true,
			"update kafkaclusters.kafka.koperator.dev/finalizers": true, "create events.events.k8s.io": true,
			"get secrets": true, "create secrets": true, "patch secrets": true,
			"list secrets": false, "watch secrets": false, "deletecollection secrets": false,
			"create pods/exec": false, "create roles.rbac.authorization.k8s.io": false, "get leases.coordination.k8s.io": false,
			"create kafkaclusters.kafka.koperator.dev": false, "delete kafkaclusters.kafka.koperator.dev": false,
		})
		checkRights(t, "default", map[string]bool{"create pods": true, "get secrets": false, "create secrets": false})
		checkRights(t, "koperator-system", map[string]bool{"create leases.coordination.k8s.io": true, "get secrets": false})
		checkRights(t, "", map[string]bool{
			"list nodes": true, "patch nodes": false, "delete nodes": false, "list persistentvolumes": false,
			"list namespaces": false, "get secrets": false,
		})
	})

	t.Run("few namespaces", func(t *testing.T) {
		if _, err := kubectl(ctx, "", "delete", "clusterrolebinding", "koperator-broker-manager"); err != nil {
			t.Fatal(err)
		}
		install(t, "../../config/overlays/few-namespaces")
		checkRights(t, "kafka-a", map[string]bool{"create pods": true, "get secrets": true, "list secrets": false})
		checkRights(t, "kafka-b", map[string]bool{"create pods": true, "get secrets": true})
		checkRights(t, "default", map[string]bool{"create pods": false, "list pods": false, "get secrets": false})
		checkRights(t, "", map[string]bool{"list nodes": true, "patch nodes": false, "list pods": false})
		if deployment := brokerManager(t); !slices.Contains(deployment.Spec.Template.Spec.Containers[0].Args, "--namespaces=kafka-a,kafka-b") {
			t.Error("broker-manager is not told which namespaces to watch")
		}
	})
}

// install applies a kustomization. Applied again, it would change nothing.
func install(t *testing.T, folder string) {
	t.Helper()
	out, err := kubectl(context.Background(), "", "apply", "--kustomize", folder)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out, "Warning") {
		t.Errorf("installing %s warns: %s", folder, out)
	}
	if out, err := kubectl(context.Background(), "", "diff", "--kustomize", folder); err != nil {
		t.Errorf("installing %s again would change: %s", folder, out)
	}
}

func brokerManager(t *testing.T) *appsv1.Deployment {
	t.Helper()
	deployment := &appsv1.Deployment{}
	if err := api.Get(context.Background(), client.ObjectKey{Namespace: "koperator-system", Name: "broker-manager"}, deployment); err != nil {
		t.Fatalf("reading the Deployment: %v", err)
	}
	return deployment
}

// checkDeployment makes the Deployment's Pod by hand, as no controller does it here: its namespace enforces the standard
// "restricted".
func checkDeployment(t *testing.T) {
	t.Helper()
	template := brokerManager(t).Spec.Template
	if template.Labels["kafka.koperator.dev/client"] != "true" {
		t.Error("the NetworkPolicies of the clusters would not let broker-manager in")
	}
	pod := &corev1.Pod{ObjectMeta: template.ObjectMeta, Spec: template.Spec}
	pod.ObjectMeta = metav1.ObjectMeta{Name: "broker-manager", Namespace: "koperator-system", Labels: template.Labels}
	if err := api.Create(context.Background(), pod, client.DryRunAll); err != nil {
		t.Errorf("the Pod is refused: %v", err)
	}
}

// checkRights asks the API server what broker-manager may do. A right is a verb and a resource, as kubectl auth can-i
// takes it.
func checkRights(t *testing.T, namespace string, rights map[string]bool) {
	t.Helper()
	for _, right := range slices.Sorted(maps.Keys(rights)) {
		verb, resource, _ := strings.Cut(right, " ")
		resource, subresource, _ := strings.Cut(resource, "/")
		resource, group, _ := strings.Cut(resource, ".")
		review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
			User:   "system:serviceaccount:koperator-system:broker-manager",
			Groups: []string{"system:serviceaccounts", "system:authenticated"},
			ResourceAttributes: &authorizationv1.ResourceAttributes{
				Namespace: namespace, Verb: verb, Group: group, Resource: resource, Subresource: subresource,
			},
		}}
		if err := api.Create(context.Background(), review); err != nil {
			t.Fatalf("asking for a right: %v", err)
		}
		if review.Status.Allowed != rights[right] {
			t.Errorf("%s in namespace %q: allowed is %t", right, namespace, review.Status.Allowed)
		}
	}
}

var metricName = regexp.MustCompile(`koperator_[a-z_]+`)

// TestAlertsUseMetricsThatExist finds an alert that can never fire because a metric was given another name.
func TestAlertsUseMetricsThatExist(t *testing.T) {
	var code strings.Builder
	err := filepath.WalkDir("../../controllers", func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Name() == "metrics.go" {
			code.Write(readFile(t, path))
		}
		return err
	})
	if err != nil {
		t.Fatalf("reading the code: %v", err)
	}
	names := metricName.FindAllString(string(readFile(t, "../../config/prometheus/rules.yaml")), -1)
	if len(names) == 0 {
		t.Fatal("no alert uses a metric of Koperator")
	}
	for _, name := range names {
		if !strings.Contains(code.String(), `"`+name+`"`) {
			t.Errorf("no metric is called %s", name)
		}
	}
}
