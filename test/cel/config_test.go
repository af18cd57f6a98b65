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

// The programs, by the names of their Deployments.
const (
	brokerManagerName        = "broker-manager"
	envoyManagerName         = "envoy-manager"
	cruiseControlManagerName = "cruisecontrol-manager"
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

// TestSamplesAreAppliedAgain does what tools do that apply what is in Git over and over: nothing changes, whatever the API
// server has filled in, by client-side and by server-side apply.
func TestSamplesAreAppliedAgain(t *testing.T) {
	ctx := context.Background()
	for mode, args := range map[string][]string{"client": {"apply"}, "server": {"apply", "--server-side"}} {
		t.Run(mode, func(t *testing.T) {
			defer func() { _, _ = kubectl(ctx, "", "delete", "--kustomize", samplesFolder, "--wait=false") }()
			var versions [2]string
			for i := range versions {
				if _, err := kubectl(ctx, "", append(args, "--kustomize", samplesFolder)...); err != nil {
					t.Fatal(err)
				}
				version := `jsonpath={range .items[*]}{.kind} {.metadata.name} {.metadata.resourceVersion}{"\n"}{end}`
				out, err := kubectl(ctx, "", "get", "--kustomize", samplesFolder, "--output", version)
				if err != nil {
					t.Fatal(err)
				}
				versions[i] = out
			}
			if versions[0] != versions[1] {
				t.Errorf("applied once:\n%s\nand once more:\n%s", versions[0], versions[1])
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
	checkDeployment(t, brokerManagerName)
	checkDeployment(t, envoyManagerName)
	checkDeployment(t, cruiseControlManagerName)
	for _, program := range []string{brokerManagerName, cruiseControlManagerName} {
		if deploymentOf(t, program).Spec.Template.Labels["kafka.koperator.dev/client"] != "true" {
			t.Errorf("the NetworkPolicies of the clusters would not let %s in", program)
		}
	}

	t.Run("all namespaces", func(t *testing.T) {
		checkRights(t, brokerManagerName, "kafka", map[string]bool{
			"create pods": true, "delete pods": true, "patch pods/resize": true, "patch persistentvolumeclaims": true,
			"patch kafkaclusters.kafka.koperator.dev": true, "patch kafkaclusters.kafka.koperator.dev/status": true,
			"update kafkaclusters.kafka.koperator.dev/finalizers": true, "create events.events.k8s.io": true,
			"get secrets": true, "create secrets": true, "patch secrets": true,
			"list secrets": false, "watch secrets": false, "deletecollection secrets": false,
			"create pods/exec": false, "create roles.rbac.authorization.k8s.io": false, "update leases.coordination.k8s.io": true, "delete leases.coordination.k8s.io": false,
			"create kafkaclusters.kafka.koperator.dev": false, "delete kafkaclusters.kafka.koperator.dev": false,
		})
		checkRights(t, brokerManagerName, "default", map[string]bool{"create pods": true, "get secrets": false, "create secrets": false})
		checkRights(t, brokerManagerName, "koperator-system", map[string]bool{"create leases.coordination.k8s.io": true, "get secrets": false})
		checkRights(t, brokerManagerName, "", map[string]bool{
			"list nodes": true, "patch nodes": false, "delete nodes": false, "list persistentvolumes": false,
			"list namespaces": false, "get secrets": false,
		})
	})

	t.Run("all namespaces, envoy-manager", func(t *testing.T) {
		checkRights(t, envoyManagerName, "kafka", map[string]bool{
			"patch deployments.apps": true, "delete services": true, "patch kafkaclusters.kafka.koperator.dev/status": true,
			"get secrets": true, "patch secrets": true, "delete secrets": true, "list secrets": false, "watch secrets": false,
			"list pods": true, "create pods": false, "delete pods": false, "create pods/exec": false,
			"patch kafkaclusters.kafka.koperator.dev": false, "get persistentvolumeclaims": false,
		})
		checkRights(t, envoyManagerName, "default", map[string]bool{"patch deployments.apps": true, "get secrets": false, "create secrets": false})
		checkRights(t, envoyManagerName, "koperator-system", map[string]bool{
			"create leases.coordination.k8s.io": true, "create secrets": true, "get secrets": false, "patch secrets": false,
			"get pods": true, "patch configmaps": true,
		})
		checkRights(t, envoyManagerName, "", map[string]bool{"list nodes": false, "list namespaces": false, "get secrets": false})
	})

	t.Run("all namespaces, cruisecontrol-manager", func(t *testing.T) {
		checkRights(t, cruiseControlManagerName, "kafka", map[string]bool{
			"patch deployments.apps": true, "delete services": true, "patch networkpolicies.networking.k8s.io": true,
			"create cruisecontroloperations.kafka.koperator.dev": true, "patch cruisecontroloperations.kafka.koperator.dev/status": true,
			"patch kafkaclusters.kafka.koperator.dev/status": true, "patch kafkaclusters.kafka.koperator.dev": false,
			"get leases.coordination.k8s.io": true, "update leases.coordination.k8s.io": true, "delete leases.coordination.k8s.io": false,
			"get secrets": true, "patch secrets": true, "list secrets": false, "watch secrets": false,
			"list pods": true, "create pods": false, "delete pods": false, "create pods/exec": false,
			"get persistentvolumeclaims": false, "delete persistentvolumeclaims": false,
		})
		checkRights(t, cruiseControlManagerName, "default", map[string]bool{"patch deployments.apps": true, "get secrets": false, "create secrets": false})
		checkRights(t, cruiseControlManagerName, "koperator-system", map[string]bool{"create leases.coordination.k8s.io": true, "get secrets": false})
		checkRights(t, cruiseControlManagerName, "", map[string]bool{"list nodes": false, "list namespaces": false, "get secrets": false})
	})

	t.Run("few namespaces", func(t *testing.T) {
		if _, err := kubectl(ctx, "", "delete", "clusterrolebinding", "koperator-broker-manager", "koperator-envoy-manager", "koperator-cruisecontrol-manager"); err != nil {
			t.Fatal(err)
		}
		install(t, "../../config/overlays/few-namespaces")
		for program, right := range map[string]string{
			brokerManagerName: "create pods", envoyManagerName: "patch deployments.apps", cruiseControlManagerName: "patch deployments.apps",
		} {
			checkRights(t, program, "kafka-a", map[string]bool{right: true, "get secrets": true, "list secrets": false})
			checkRights(t, program, "kafka-b", map[string]bool{right: true, "get secrets": true})
			checkRights(t, program, "default", map[string]bool{right: false, "list pods": false, "get secrets": false})
			checkRights(t, program, "", map[string]bool{"list nodes": program == brokerManagerName, "patch nodes": false, "list pods": false})
			if args := deploymentOf(t, program).Spec.Template.Spec.Containers[0].Args; !slices.Contains(args, "--namespaces=kafka-a,kafka-b") {
				t.Errorf("%s is not told which namespaces to watch", program)
			}
		}
		checkRights(t, envoyManagerName, "koperator-system", map[string]bool{"create secrets": true, "list configmaps": true, "watch configmaps": true, "get pods": true})
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

func deploymentOf(t *testing.T, program string) *appsv1.Deployment {
	t.Helper()
	deployment := &appsv1.Deployment{}
	if err := api.Get(context.Background(), client.ObjectKey{Namespace: "koperator-system", Name: program}, deployment); err != nil {
		t.Fatalf("reading the Deployment: %v", err)
	}
	return deployment
}

// checkDeployment makes the Deployment's Pod by hand, as no controller does it here: its namespace enforces the standard
// "restricted".
func checkDeployment(t *testing.T, program string) {
	t.Helper()
	template := deploymentOf(t, program).Spec.Template
	pod := &corev1.Pod{ObjectMeta: template.ObjectMeta, Spec: template.Spec}
	pod.ObjectMeta = metav1.ObjectMeta{Name: program, Namespace: "koperator-system", Labels: template.Labels}
	if err := api.Create(context.Background(), pod, client.DryRunAll); err != nil {
		t.Errorf("the Pod of %s is refused: %v", program, err)
	}
}

// checkRights asks the API server what a program may do. A right is a verb and a resource, as kubectl auth can-i
// takes it.
func checkRights(t *testing.T, program, namespace string, rights map[string]bool) {
	t.Helper()
	for _, right := range slices.Sorted(maps.Keys(rights)) {
		verb, resource, _ := strings.Cut(right, " ")
		resource, subresource, _ := strings.Cut(resource, "/")
		resource, group, _ := strings.Cut(resource, ".")
		review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
			User:   "system:serviceaccount:koperator-system:" + program,
			Groups: []string{"system:serviceaccounts", "system:authenticated"},
			ResourceAttributes: &authorizationv1.ResourceAttributes{
				Namespace: namespace, Verb: verb, Group: group, Resource: resource, Subresource: subresource,
			},
		}}
		if err := api.Create(context.Background(), review); err != nil {
			t.Fatalf("asking for a right: %v", err)
		}
		if review.Status.Allowed != rights[right] {
			t.Errorf("%s: %s in namespace %q: allowed is %t", program, right, namespace, review.Status.Allowed)
		}
	}
}

var metricName = regexp.MustCompile(`koperator_[a-z_]+`)

// TestAlertsUseMetricsThatExist finds an alert that can never fire because a metric was given another name.
func TestAlertsUseMetricsThatExist(t *testing.T) {
	var code strings.Builder
	for _, folder := range []string{"../../controllers", "../../envoy", "../../cruisecontrol"} {
		err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
			if err == nil && entry.Name() == "metrics.go" {
				code.Write(readFile(t, path))
			}
			return err
		})
		if err != nil {
			t.Fatalf("reading the code: %v", err)
		}
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
