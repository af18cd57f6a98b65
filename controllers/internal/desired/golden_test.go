package desired

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"sigs.k8s.io/yaml"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

var update = flag.Bool("update", false, "write the golden files in testdata anew")

// goldenNodes are the nodes of each case whose own objects are worth reading; the others differ by their id.
var goldenNodes = map[string][]int32{
	"sample":         {0, 101},
	"combined":       {0},
	"own":            {0, 100, 101},
	"delete":         {1, 2},
	"external":       {101},
	"cruise-control": {0, 100},
}

// TestGolden compares everything that is made from a KafkaCluster with testdata/CASE. A changed Pod or server.properties
// there means that a new version of Koperator restarts every broker.
func TestGolden(t *testing.T) {
	for name, ids := range goldenNodes {
		t.Run(name, func(t *testing.T) {
			kc := readCluster(t, name)
			files := clusterFiles(t, kc)
			for _, node := range Nodes(kc) {
				if slices.Contains(ids, node.ID) {
					addNodeFiles(t, files, kc, &node)
				}
			}
			compareFiles(t, filepath.Join("testdata", name), files)
		})
	}
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

func clusterFiles(t *testing.T, kc *v1beta1.KafkaCluster) map[string][]byte {
	t.Helper()
	return map[string][]byte{
		"services.yaml": toYAML(t, HeadlessService(kc), BootstrapService(kc)),
		"policies.yaml": toYAML(t, ServiceAccount(kc), ControllersBudget(kc, 3), BrokersBudget(kc, 3), ControllersNetworkPolicy(kc), BrokersNetworkPolicy(kc)),
		"identity.yaml": toYAML(t, identityOf(kc)),
	}
}

type identity struct {
	ClusterID          string              `json:"clusterID"`
	InitialControllers string              `json:"initialControllers"`
	CertificateNames   map[string][]string `json:"certificateNames"`
	CertificateIPs     map[string][]string `json:"certificateIPs,omitempty"`
}

func identityOf(kc *v1beta1.KafkaCluster) identity {
	id := ClusterID(string(kc.UID))
	names, ips := map[string][]string{}, map[string][]string{}
	for _, node := range Nodes(kc) {
		names[CertificateSubject(&node)] = CertificateNames(kc, &node)
		for _, address := range CertificateAddresses(kc, &node) {
			ips[CertificateSubject(&node)] = append(ips[CertificateSubject(&node)], address.String())
		}
	}
	return identity{id, InitialControllers(kc, id), names, ips}
}

func addNodeFiles(t *testing.T, files map[string][]byte, kc *v1beta1.KafkaCluster, node *Node) {
	t.Helper()
	clusterID := ClusterID(string(kc.UID))
	properties := ServerProperties(kc, node, Disks{})
	pod, err := Pod(kc, node, inputOf(kc, node))
	if err != nil {
		t.Fatal(err)
	}
	intent, err := NewIntent(pod, properties)
	if err != nil {
		t.Fatal(err)
	}
	config := ConfigMap(kc, node, properties, intent)
	files[fmt.Sprintf("%d-pod.yaml", node.ID)] = toYAML(t, intent.Mark(pod))
	files[fmt.Sprintf("%d-server.properties", node.ID)] = []byte(config.Data[PropertiesKey])
	delete(config.Data, PodKey) // the Pod once more
	delete(config.Data, LoggingKey)
	delete(config.Data, PropertiesKey)
	objects := []any{config}
	for _, storage := range node.Storage {
		in := ClaimInput{
			ID: node.ID, Roles: node.Roles, Path: storage.Path, Size: storage.Size,
			StorageClassName: storage.StorageClassName, ClusterID: clusterID,
		}
		if node.IsController() {
			in.InitialControllers = InitialControllers(kc, clusterID)
		}
		objects = append(objects, Claim(kc, in))
	}
	files[fmt.Sprintf("%d-objects.yaml", node.ID)] = toYAML(t, objects...)
}

func inputOf(kc *v1beta1.KafkaCluster, node *Node) PodInput {
	in := PodInput{ClusterID: ClusterID(string(kc.UID))}
	if node.IsController() {
		in.InitialControllers = InitialControllers(kc, in.ClusterID)
	}
	for _, storage := range node.Storage {
		in.Volumes = append(in.Volumes, Volume{Path: storage.Path, Claim: ClaimName(kc.Name, node.ID, storage.Path)})
	}
	return in
}

func toYAML(t *testing.T, objects ...any) []byte {
	t.Helper()
	var documents [][]byte
	for _, object := range objects {
		if reflect.ValueOf(object).Kind() == reflect.Pointer && reflect.ValueOf(object).IsNil() {
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
