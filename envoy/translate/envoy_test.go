package translate

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// envoyProgram is Envoy itself. A test that did without would let everything pass that only Envoy refuses.
func envoyProgram(t *testing.T) string {
	t.Helper()
	program := os.Getenv("ENVOY_BIN")
	if program == "" {
		t.Fatal("this needs Envoy: set ENVOY_BIN=$(bin/cluster envoy), or run make test-unit")
	}
	return program
}

// adsOnly lets clusters get their endpoints over xDS. Nobody is asked in validation.
const adsOnly = `{
  "api_type": "DELTA_GRPC",
  "transport_api_version": "V3",
  "grpc_services": [{"envoy_grpc": {"cluster_name": "xds_cluster"}}]
}`

const xdsCluster = `{
  "name": "xds_cluster",
  "type": "STATIC",
  "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
    "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
    "explicit_http_config": {"http2_protocol_options": {}}
  }}
}`

// expectValid lets Envoy read resources as a file: its loader has rules that the messages' own validation lacks.
func expectValid(t *testing.T, envoy string, resources *Resources) {
	t.Helper()
	clusters := []json.RawMessage{json.RawMessage(xdsCluster)}
	var listeners []json.RawMessage
	for _, name := range resources.Names() {
		message := withoutType(t, toJSON(t, resources.Get(name)))
		switch name.Type {
		case TypeListener:
			listeners = append(listeners, message)
		case TypeCluster:
			clusters = append(clusters, message)
		case TypeEndpoint:
			clusters = append(clusters, staticCluster(t, name.Name, message))
		}
	}
	validate(t, envoy, map[string]any{
		"node":              map[string]string{"id": "proxy", "cluster": "fleet"},
		"dynamic_resources": map[string]any{"ads_config": json.RawMessage(adsOnly)},
		"static_resources":  map[string]any{"listeners": listeners, "clusters": clusters},
	})
}

// staticCluster is a cluster of just these endpoints: Envoy has no other place for them in a file.
func staticCluster(t *testing.T, name string, endpoints json.RawMessage) json.RawMessage {
	t.Helper()
	return mustJSON(t, map[string]any{"name": "endpoints of " + name, "type": "STATIC", "load_assignment": endpoints})
}

func validate(t *testing.T, envoy string, bootstrap any) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "bootstrap.json")
	writeJSON(t, file, bootstrap)
	output, err := exec.Command(envoy, "--mode", "validate", "-c", file, "--disable-hot-restart", "-l", "error").CombinedOutput()
	if err != nil {
		t.Errorf("Envoy refuses it: %v\n%s", err, output)
	}
}

func writeJSON(t *testing.T, file string, value any) {
	t.Helper()
	if err := os.WriteFile(file, mustJSON(t, value), 0o600); err != nil {
		t.Fatal(err)
	}
}

func withoutType(t *testing.T, text []byte) json.RawMessage {
	t.Helper()
	fields := map[string]json.RawMessage{}
	if err := json.Unmarshal(text, &fields); err != nil {
		t.Fatal(err)
	}
	delete(fields, "@type")
	return mustJSON(t, fields)
}

func mustJSON(t *testing.T, value any) []byte {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestEnvoyRefuses makes sure that the validation above finds something.
func TestEnvoyRefuses(t *testing.T) {
	program := envoyProgram(t)
	file := filepath.Join(t.TempDir(), "bootstrap.json")
	if err := os.WriteFile(file, []byte(`{"static_resources": {"listeners": [{"name": "no address"}]}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if output, err := exec.Command(program, "--mode", "validate", "-c", file, "--disable-hot-restart").CombinedOutput(); err == nil {
		t.Errorf("passed: %s", output)
	}
}
