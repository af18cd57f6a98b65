package objects

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
	"koperator.dev/koperator/envoy/ir"
)

var update = flag.Bool("update", false, "write the golden files in testdata anew")

var server = Server{Host: "envoy-manager.koperator-system.svc", Port: 18000}

var input = DeploymentInput{Server: server, Image: "koperator/envoy-manager:1.2.3", Revision: 1}

// TestGolden compares everything that is made for the proxies of a KafkaCluster with testdata/CASE. A changed Pod there
// means that a new version of Koperator replaces every proxy, one after the other.
func TestGolden(t *testing.T) {
	for _, name := range []string{"sni", "ports", "groups"} {
		t.Run(name, func(t *testing.T) {
			kc := readCluster(t, name)
			files := map[string][]byte{}
			for _, fleet := range Fleets(kc) {
				files["objects"+suffix(fleet)+".yaml"] = toYAML(t, fleet.ServiceAccount(), fleet.Budget(), fleet.NetworkPolicy(), deployment(t, fleet))
				files["services"+suffix(fleet)+".yaml"] = toYAML(t, services(fleet)...)
			}
			for file, text := range Fleets(kc)[0].Files(server) {
				files[file] = []byte(text)
			}
			compareFiles(t, filepath.Join("testdata", name), files)
		})
	}
}

func suffix(f Fleet) string {
	if f.Group == "" {
		return ""
	}
	return "-" + f.Group
}

func deployment(t *testing.T, f Fleet) any {
	t.Helper()
	made, err := f.Deployment(input)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// services gives the brokers the ports of the range in the order of their ids.
func services(f Fleet) []any {
	var all []any
	for _, listener := range Listeners(f.Cluster) {
		in := ServiceInput{Listener: listener, Ports: map[int32]int32{}, BrokerGroups: map[int32]string{}}
		if f.First {
			in.Hosts = []string{"first.example.com", "second.example.com"}
		}
		for i, broker := range f.Cluster.Spec.Brokers {
			if ir.GroupOf(f.Cluster, broker.ID, broker.Group) != f.Group {
				continue
			}
			if IsPortPerBroker(listener) {
				in.Ports[broker.ID] = BrokerPorts(listener).First + int32(i)
			}
			if f.Group != "" {
				in.BrokerGroups[broker.ID] = broker.Group
			}
		}
		all = append(all, f.Service(in))
	}
	return all
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
		if reflect.ValueOf(object).IsNil() {
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

func compareFiles(t *testing.T, folder string, files map[string][]byte) {
	t.Helper()
	for name, got := range files {
		path := filepath.Join(folder, name)
		if *update {
			if err := os.WriteFile(path, got, 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s differs from what is made now; look at the difference after go test -update:\n%s", path, got)
		}
	}
}
