package translate

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/anypb"
	"sigs.k8s.io/yaml"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/envoy/ir"
)

var update = flag.Bool("update", false, "write the golden files in testdata anew")

// goldenFiles are what the resources of each type are written to, in the form that Envoy reads itself.
var goldenFiles = map[Type]string{TypeListener: "listeners", TypeCluster: "clusters", TypeEndpoint: "endpoints"}

// TestGolden makes the resources of each testdata/in/CASE.yaml, compares them with testdata/out/CASE.TYPE.yaml (with
// groups CASE-GROUP.TYPE.yaml), and lets Envoy itself look at them.
//
// A listener that differs closes the connections of all its clients: see TestListenersStay.
func TestGolden(t *testing.T) {
	envoy := envoyProgram(t)
	var written []string
	for _, name := range cases(t) {
		for _, fleet := range readFleets(t, filepath.Join("testdata", "in", name+".yaml")) {
			stem := name
			if fleet.Group != "" {
				stem += "-" + fleet.Group
			}
			t.Run(stem, func(t *testing.T) {
				resources := mustTranslate(t, fleet)
				for _, of := range Types {
					file := stem + "." + goldenFiles[of] + ".yaml"
					written = append(written, file)
					compare(t, filepath.Join("testdata", "out", file), toYAML(t, resources, of))
				}
				expectValid(t, envoy, resources)
			})
		}
	}
	expectOnly(t, filepath.Join("testdata", "out"), written)
}

func cases(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", "in", "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	var names []string
	for _, file := range files {
		names = append(names, strings.TrimSuffix(filepath.Base(file), ".yaml"))
	}
	return names
}

// input is a case: what ir.Build gets.
type input struct {
	Cluster v1beta1.KafkaCluster `json:"cluster"`
	Facts   ir.Facts             `json:"facts"`
}

func readFleets(t *testing.T, file string) []ir.Fleet {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var in input
	if err := yaml.UnmarshalStrict(text, &in); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return ir.Build(&in.Cluster, in.Facts)
}

func mustTranslate(t testing.TB, fleet ir.Fleet) *Resources {
	t.Helper()
	resources, err := Translate(fleet)
	if err != nil {
		t.Fatal(err)
	}
	return resources
}

// toYAML is from the bytes that proxies get, not from the messages that they were made from.
func toYAML(t *testing.T, resources *Resources, of Type) []byte {
	t.Helper()
	list := []json.RawMessage{}
	for _, name := range resources.Names() {
		if name.Type == of {
			list = append(list, toJSON(t, resources.Get(name)))
		}
	}
	text, err := yaml.Marshal(map[string]any{"resources": list})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func toJSON(t *testing.T, resource *Resource) []byte {
	t.Helper()
	text, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(&anypb.Any{TypeUrl: resource.Type.URL(), Value: resource.Bytes})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func compare(t *testing.T, file string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs from what is made now; look at the difference after go test -update:\n%s", file, got)
	}
}

// expectOnly finds files of cases that are gone.
func expectOnly(t *testing.T, folder string, wanted []string) {
	t.Helper()
	files, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if slices.Contains(wanted, file.Name()) {
			continue
		}
		if !*update {
			t.Errorf("%s is of no case", file.Name())
		} else if err := os.Remove(filepath.Join(folder, file.Name())); err != nil {
			t.Error(err)
		}
	}
}
