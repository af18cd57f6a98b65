package deployment

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"sigs.k8s.io/yaml"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

var update = flag.Bool("update", false, "write the golden files in testdata anew")

// TestGolden compares everything that is made for Cruise Control of a KafkaCluster with testdata/CASE. A changed Pod or
// cruisecontrol.properties there means that a new version of Koperator restarts every Cruise Control, once it is idle.
func TestGolden(t *testing.T) {
	for _, name := range []string{"sample", "single"} {
		t.Run(name, func(t *testing.T) {
			kc := readCluster(t, name)
			made := plan(t, kc, Input{Secrets: "secrets"})
			folder := filepath.Join("testdata", name)
			compareFile(t, folder, "cruisecontrol.properties", []byte(made.ConfigMap.Data[PropertiesKey]))
			compareFile(t, folder, "capacity.json", []byte(made.ConfigMap.Data[CapacityKey]))
			compareFile(t, folder, "topics.yaml", toYAML(t, Topics(kc)))
			compareFile(t, folder, "objects.yaml", toYAML(t,
				ServiceAccount(kc), Service(kc), NetworkPolicy(kc, "koperator-system"), Budget(kc, true), made.Deployment))
		})
	}
}

func plan(t *testing.T, kc *v1beta1.KafkaCluster, in Input) *Rollout {
	t.Helper()
	made, err := Plan(kc, in)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func readCluster(t *testing.T, name string) *v1beta1.KafkaCluster {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name, "cluster.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	kc := &v1beta1.KafkaCluster{}
	if err := yaml.UnmarshalStrict(text, kc); err != nil {
		t.Fatal(err)
	}
	return kc
}

func toYAML(t *testing.T, objects ...any) []byte {
	t.Helper()
	var documents [][]byte
	for _, object := range objects {
		if v := reflect.ValueOf(object); v.Kind() == reflect.Pointer && v.IsNil() {
			continue
		}
		body, err := json.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		document, err := yaml.JSONToYAML(body)
		if err != nil {
			t.Fatal(err)
		}
		documents = append(documents, document)
	}
	return bytes.Join(documents, []byte("---\n"))
}

func compareFile(t *testing.T, folder, name string, got []byte) {
	t.Helper()
	path := filepath.Join(folder, name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs from what is made now; look at the difference after go test -update:\n%s", path, got)
	}
}
