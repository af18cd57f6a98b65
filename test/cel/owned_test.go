package cel

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// TestOwnedPropertiesAreRefused holds the schema and the rendered server.properties together: what Koperator sets from
// another field than config cannot be set in config.
func TestOwnedPropertiesAreRefused(t *testing.T) {
	files, err := filepath.Glob("../../controllers/internal/desired/testdata/*/*-server.properties")
	if err != nil || len(files) == 0 {
		t.Fatalf("no rendered server.properties: %v", err)
	}
	tested := map[string]bool{}
	for _, file := range files {
		lines := strings.Split(string(readFile(t, file)), "\n")
		for i, line := range lines[:len(lines)-1] {
			origin, isOurs := strings.CutPrefix(line, "# from Koperator: ")
			key, _, _ := strings.Cut(lines[i+1], "=")
			if !isOurs || origin == "default" || tested[key] {
				continue
			}
			tested[key] = true
			obj := readBase(t, kafkaCluster)
			obj.SetName("owned")
			set(t, obj.Object, "/spec/config", map[string]any{key: "x"})
			if err := api.Create(context.Background(), obj, client.DryRunAll); err == nil {
				t.Errorf("%s is set by Koperator from %s, and accepted in config", key, origin)
			}
		}
	}
	if len(tested) < 10 {
		t.Errorf("only %d properties were found: has the comment another form now?", len(tested))
	}
}
