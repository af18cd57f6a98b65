package desired

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

func nodeOf(t *testing.T, kc *v1beta1.KafkaCluster, id int32) *Node {
	t.Helper()
	for _, node := range Nodes(kc) {
		if node.ID == id {
			return &node
		}
	}
	t.Fatalf("no node %d", id)
	return nil
}

func TestNodesAreSorted(t *testing.T) {
	kc := readCluster(t, "own")
	slices.Reverse(kc.Spec.Brokers)
	var ids []int32
	for _, node := range Nodes(kc) {
		ids = append(ids, node.ID)
		if want := node.ID < 100; node.IsController() != want || node.IsBroker() == want {
			t.Errorf("node %d has roles %v", node.ID, node.Roles)
		}
	}
	if !slices.Equal(ids, []int32{0, 1, 2, 100, 101, 102}) {
		t.Errorf("got %v", ids)
	}
}

func TestNodeOfNoGroupIsKept(t *testing.T) {
	kc := readCluster(t, "sample")
	kc.Spec.Brokers[5].Group = "gone"
	if node := nodeOf(t, kc, 102); node.IsBroker() || node.IsController() || node.Group != "gone" {
		t.Errorf("got %+v", node)
	}
}

func TestConfigIsMergedWithItsOrigin(t *testing.T) {
	var got []string
	for _, p := range nodeOf(t, readCluster(t, "own"), 101).Config {
		got = append(got, p.Key+"="+p.Value+" from "+p.Origin)
	}
	want := []string{
		"auto.create.topics.enable=true from spec.config",
		"broker.description=Grüße: a = b from spec.brokers[101].config",
		"num.io.threads=16 from spec.brokers[101].config",
		"num.network.threads=4 from spec.brokerGroups[default].config",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

func TestDynamicConfigIsMerged(t *testing.T) {
	got := nodeOf(t, readCluster(t, "own"), 101).DynamicConfig
	if !maps.Equal(got, map[string]string{"log.cleaner.threads": "2", "max.connections": "2000"}) {
		t.Errorf("got %v", got)
	}
}

func TestMergingDoesNotWriteIntoTheSpec(t *testing.T) {
	kc := readCluster(t, "own")
	before := kc.DeepCopy()
	for _, node := range Nodes(kc) {
		if _, err := Pod(kc, &node, inputOf(kc, &node)); err != nil {
			t.Fatal(err)
		}
		node.DynamicConfig["x"] = "y"
		node.Storage[0].Path = "/elsewhere"
	}
	if !reflect.DeepEqual(before, kc) {
		t.Errorf("the spec changed: %v", kc.Spec)
	}
}

func TestStorageIsMerged(t *testing.T) {
	var got []string
	for _, s := range nodeOf(t, readCluster(t, "own"), 101).Storage {
		class := "default"
		if s.StorageClassName != nil {
			class = *s.StorageClassName
		}
		got = append(got, s.Path+" "+s.Size.String()+" "+class)
	}
	want := []string{"/var/lib/kafka/a 500Gi ssd", "/var/lib/kafka/b 1Ti ssd", "/var/lib/kafka/c 1Ti default"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

func TestResourcesAreMergedValueByValue(t *testing.T) {
	group := &corev1.ResourceRequirements{
		Requests: corev1.ResourceList{"cpu": resource.MustParse("2"), "memory": resource.MustParse("16Gi")},
		Limits:   corev1.ResourceList{"memory": resource.MustParse("16Gi")},
	}
	broker := &corev1.ResourceRequirements{
		Requests: corev1.ResourceList{"memory": resource.MustParse("32Gi")},
		Limits:   corev1.ResourceList{"cpu": resource.MustParse("4")},
	}
	got := mergeResources(group, broker)
	if got.Requests.Cpu().String() != "2" || got.Requests.Memory().String() != "32Gi" ||
		got.Limits.Cpu().String() != "4" || got.Limits.Memory().String() != "16Gi" {
		t.Errorf("got %v", got)
	}
	if group.Requests.Memory().String() != "16Gi" || len(group.Limits) != 1 {
		t.Errorf("the group changed: %v", group)
	}
}

func TestHeap(t *testing.T) {
	memory := func(text string) corev1.ResourceList { return corev1.ResourceList{"memory": resource.MustParse(text)} }
	heap := func(text string) *v1beta1.JVM {
		quantity := resource.MustParse(text)
		return &v1beta1.JVM{Heap: &quantity}
	}
	tests := map[string]struct {
		resources     corev1.ResourceRequirements
		group, broker *v1beta1.JVM
		want          string
	}{
		"nothing is known":              {want: "1024m"},
		"half of the request":           {resources: corev1.ResourceRequirements{Requests: memory("4Gi")}, want: "2048m"},
		"at most 6Gi":                   {resources: corev1.ResourceRequirements{Requests: memory("64Gi")}, want: "6144m"},
		"the limit is the request":      {resources: corev1.ResourceRequirements{Limits: memory("4Gi")}, want: "2048m"},
		"the request counts":            {resources: corev1.ResourceRequirements{Requests: memory("2Gi"), Limits: memory("4Gi")}, want: "1024m"},
		"in whole MiB":                  {resources: corev1.ResourceRequirements{Requests: memory("1G")}, want: "476m"},
		"the group's":                   {resources: corev1.ResourceRequirements{Requests: memory("4Gi")}, group: heap("3Gi"), want: "3072m"},
		"the broker's":                  {group: heap("3Gi"), broker: heap("8Gi"), want: "8192m"},
		"options alone leave the group": {group: heap("3Gi"), broker: &v1beta1.JVM{Options: []string{"-Da=b"}}, want: "3072m"},
		"not in whole MiB":              {group: heap("100000Ki"), want: "100000k"},
	}
	for name, tt := range tests {
		node := &Node{Resources: tt.resources}
		node.setJVM(tt.group, tt.broker)
		if got := heapOption(node.Heap); got != tt.want {
			t.Errorf("%s: got %s, want %s", name, got, tt.want)
		}
	}
}

func TestJVMOptionsAreReplaced(t *testing.T) {
	node := &Node{}
	node.setJVM(&v1beta1.JVM{Options: []string{"-Da=group"}}, &v1beta1.JVM{Options: []string{"-Da=broker", "-Db=c"}})
	if got := strings.Join(node.JVMOptions, " "); got != "-Da=broker -Db=c" {
		t.Errorf("got %s", got)
	}
}

func TestImageDefaultsToTheVersion(t *testing.T) {
	if got := nodeOf(t, readCluster(t, "sample"), 0).Image; got != "apache/kafka:4.3.1" {
		t.Errorf("got %s", got)
	}
}
