package cel

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// notOnlyOurs are origins of properties that are Koperator's in some clusters, and the user's in others: a metrics reporter
// of their own.
var notOnlyOurs = []string{"default", "spec.cruiseControl.metricsReporter"}

// TestOwnedPropertiesAreRefused holds the schema and what is rendered together: what Koperator sets from another field than
// config cannot be set in config.
func TestOwnedPropertiesAreRefused(t *testing.T) {
	for config, rendered := range map[string]string{
		"/spec/config":               "../../controllers/internal/desired/testdata/*/*-server.properties",
		"/spec/cruiseControl/config": "../../cruisecontrol/deployment/testdata/*/cruisecontrol.properties",
	} {
		t.Run(config, func(t *testing.T) { testOwned(t, config, rendered) })
	}
}

func testOwned(t *testing.T, config, rendered string) {
	files, err := filepath.Glob(rendered)
	if err != nil || len(files) == 0 {
		t.Fatalf("nothing that is rendered: %v", err)
	}
	tested := map[string]bool{}
	for _, file := range files {
		lines := strings.Split(string(readFile(t, file)), "\n")
		for i, line := range lines[:len(lines)-1] {
			origin, isOurs := strings.CutPrefix(line, "# from Koperator: ")
			key, _, _ := strings.Cut(lines[i+1], "=")
			if !isOurs || slices.Contains(notOnlyOurs, origin) || tested[key] {
				continue
			}
			tested[key] = true
			obj := readBase(t, kafkaCluster)
			obj.SetName("owned")
			set(t, obj.Object, config, map[string]any{key: "x"})
			if err := api.Create(context.Background(), obj, client.DryRunAll); err == nil {
				t.Errorf("%s is set by Koperator from %s, and accepted in config", key, origin)
			}
		}
	}
	if len(tested) < 10 {
		t.Errorf("only %d properties were found: has the comment another form now?", len(tested))
	}
}
