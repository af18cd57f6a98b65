package main

import (
	"os"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"
)

// TestAlerts reads the alerts as Prometheus does: their expressions, their durations and the templates of their texts. It is
// in this module because what the programs are built from need not have Prometheus among it; the link tells go test that the
// file is one that the test depends on.
func TestAlerts(t *testing.T) {
	content, err := os.ReadFile("testdata/rules.yaml")
	if err != nil {
		t.Fatalf("reading the alerts: %v", err)
	}
	// The operator of Prometheus takes this part of a PrometheusRule as it is.
	var object struct {
		Spec runtime.RawExtension `json:"spec"`
	}
	if err := yaml.Unmarshal(content, &object); err != nil {
		t.Fatalf("parsing the alerts: %v", err)
	}
	groups, failures := rulefmt.Parse(object.Spec.Raw, false, model.UTF8Validation)
	for _, err := range failures {
		t.Error(err)
	}
	if groups == nil || len(groups.Groups) == 0 || len(groups.Groups[0].Rules) == 0 {
		t.Error("there are no alerts")
	}
}
