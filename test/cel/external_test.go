package cel

import (
	"context"
	"fmt"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// TestExternalListenersAreEncrypted holds that there is no way to say otherwise: proxies tell brokers apart by the host
// name in the TLS handshake, and what leaves the Kubernetes cluster is encrypted in any mode.
func TestExternalListenersAreEncrypted(t *testing.T) {
	for name, tls := range map[string]any{"null": nil, "empty": map[string]any{}} {
		for index, mode := range map[int]string{2: "SNI", 3: "PortPerBroker"} {
			t.Run(name+" in mode "+mode, func(t *testing.T) {
				obj := readBase(t, kafkaCluster)
				listeners, _, _ := unstructured.NestedSlice(obj.Object, "spec", "listeners")
				listeners[index].(map[string]any)["tls"] = tls
				if err := unstructured.SetNestedSlice(obj.Object, listeners, "spec", "listeners"); err != nil {
					t.Fatal(err)
				}
				if err := api.Create(context.Background(), obj, client.DryRunAll); err != nil {
					t.Fatalf("refused: %v", err)
				}
				checkEncrypted(t, obj, index, mode)
			})
		}
	}
}

func checkEncrypted(t *testing.T, obj *unstructured.Unstructured, index int, mode string) {
	t.Helper()
	listeners, _, _ := unstructured.NestedSlice(obj.Object, "spec", "listeners")
	listener := listeners[index].(map[string]any)
	if got, _, _ := unstructured.NestedString(listener, "external", "mode"); got != mode {
		t.Errorf("mode %s", got)
	}
	if got := fmt.Sprint(listener["tls"]); got != "map[]" {
		t.Errorf("tls is %s", got)
	}
	if got := fmt.Sprint(listener["authentication"]); got != "map[type:TLS]" {
		t.Errorf("authentication is %s", got)
	}
}
