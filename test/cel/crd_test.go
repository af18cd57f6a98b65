package cel

import (
	"context"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "write the golden files instead of comparing them")

// maxAnnotations is what all annotations of an object may have together: client-side apply keeps a copy of the object in
// one of them.
const maxAnnotations = 262144

func TestCRDsFitIntoAnAnnotation(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(crdFolder, "bases", "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no CRD: %v", err)
	}
	for _, file := range files {
		content, err := yaml.YAMLToJSON(readFile(t, file))
		if err != nil {
			t.Fatalf("converting %s: %v", file, err)
		}
		t.Logf("%s: %d bytes as JSON", filepath.Base(file), len(content))
		if len(content) >= maxAnnotations {
			t.Errorf("%s has %d bytes as JSON: client-side kubectl apply needs less than %d", file, len(content), maxAnnotations)
		}
	}
}

// TestClientSideApply does what a user does who applies the CRDs again with each release.
func TestClientSideApply(t *testing.T) {
	for _, want := range []string{"", "unchanged"} {
		out, err := kubectl(context.Background(), "", "apply", "--kustomize", crdFolder)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(out, want) || strings.Contains(strings.ToLower(out), "warning") {
			t.Errorf("applying the CRDs: %s", out)
		}
	}
}

// TestExplain shows the manual that the comments on the types make. Read the golden files as a user would.
func TestExplain(t *testing.T) {
	for _, path := range []string{
		"kafkacluster", "kafkacluster.spec", "kafkacluster.spec.brokerGroups", "kafkacluster.spec.brokers",
		"kafkacluster.spec.brokers.storage", "kafkacluster.spec.brokers.jvm", "kafkacluster.spec.listeners",
		"kafkacluster.spec.listeners.external", "kafkacluster.spec.listeners.external.brokerPorts",
		"kafkacluster.spec.listeners.external.brokers", "kafkacluster.spec.listeners.external.service",
		"kafkacluster.spec.envoy", "kafkacluster.spec.envoy.groups",
		"kafkacluster.spec.rackAwareness", "kafkacluster.status", "kafkacluster.status.brokers",
		"kafkacluster.status.blockedBy", "kafkacluster.status.externalListeners",
		"kafkacluster.status.externalListeners.brokers",
		"kafkacluster.spec.cruiseControl", "kafkacluster.spec.cruiseControl.automation",
		"kafkacluster.spec.cruiseControl.external", "kafkacluster.spec.cruiseControl.metricsReporter",
		"kafkacluster.spec.cruiseControl.networkCapacity", "kafkacluster.status.cruiseControl",
		"cruisecontroloperation", "cruisecontroloperation.spec", "cruisecontroloperation.spec.approval",
		"cruisecontroloperation.spec.concurrency", "cruisecontroloperation.spec.deadlines",
		"cruisecontroloperation.spec.disks", "cruisecontroloperation.spec.limits",
		"cruisecontroloperation.spec.retry", "cruisecontroloperation.spec.schedule",
		"cruisecontroloperation.spec.topics", "cruisecontroloperation.status",
		"cruisecontroloperation.status.progress", "cruisecontroloperation.status.proposal",
	} {
		t.Run(path, func(t *testing.T) {
			out, err := kubectl(context.Background(), "", "explain", path)
			if err != nil {
				t.Fatal(err)
			}
			checkGolden(t, filepath.Join("testdata", "explain", path+".txt"), out)
		})
	}
}

// TestEveryFieldIsExplained holds that no field of ours goes without a description.
func TestEveryFieldIsExplained(t *testing.T) {
	out, err := kubectl(context.Background(), "", "get", "--raw", "/openapi/v3/apis/kafka.koperator.dev/v1beta1")
	if err != nil {
		t.Fatal(err)
	}
	var document struct {
		Components struct {
			Schemas map[string]map[string]any `json:"schemas"`
		} `json:"components"`
	}
	if err := json.Unmarshal([]byte(out), &document); err != nil {
		t.Fatalf("reading the API: %v", err)
	}
	for name, schema := range document.Components.Schemas {
		if kind := name[strings.LastIndex(name, ".")+1:]; slices.Contains([]string{kafkaCluster, cruiseControlOperation}, strings.ToLower(kind)) {
			checkDescriptions(t, strings.ToLower(kind), schema)
		}
	}
}

func checkDescriptions(t *testing.T, path string, schema map[string]any) {
	t.Helper()
	properties, _ := schema["properties"].(map[string]any)
	for name, value := range properties {
		property, _ := value.(map[string]any)
		if description, _ := property["description"].(string); description == "" && property["allOf"] == nil {
			t.Errorf("%s.%s has no description", path, name)
		}
		checkDescriptions(t, path+"."+name, property)
	}
	if items, ok := schema["items"].(map[string]any); ok {
		checkDescriptions(t, path, items)
	}
}

var trailingSpace = regexp.MustCompile(`[ \t]+\n`)

func checkGolden(t *testing.T, file, got string) {
	t.Helper()
	got = trailingSpace.ReplaceAllString(got, "\n")
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want := string(readFile(t, file)); want != got {
		t.Errorf("%s differs; if that is meant, run `make update-golden` and read the difference.\ngot:\n%s", file, got)
	}
}
