package desired

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/controllers/internal/serverproperties"
)

func quantity(text string) int64 {
	q := resource.MustParse(text)
	return q.Value()
}

func intentOf(t *testing.T, kc *v1beta1.KafkaCluster, id int32) *Intent {
	t.Helper()
	node := nodeOf(t, kc, id)
	pod, err := Pod(kc, node, inputOf(kc, node))
	if err != nil {
		t.Fatal(err)
	}
	intent, err := NewIntent(pod, ServerProperties(kc, node, Disks{}))
	if err != nil {
		t.Fatal(err)
	}
	return intent
}

func TestRestartReason(t *testing.T) {
	broker := func(kc *v1beta1.KafkaCluster) *v1beta1.Broker { return &kc.Spec.Brokers[4] }
	group := func(kc *v1beta1.KafkaCluster) *v1beta1.BrokerGroup { return &kc.Spec.BrokerGroups[1] }
	template := func(text string) func(*v1beta1.KafkaCluster) {
		return func(kc *v1beta1.KafkaCluster) { broker(kc).PodTemplate = &runtime.RawExtension{Raw: []byte(text)} }
	}
	tests := map[string]struct {
		change func(*v1beta1.KafkaCluster)
		want   string
	}{
		"nothing": {func(*v1beta1.KafkaCluster) {}, ""},
		"a property": {func(kc *v1beta1.KafkaCluster) { kc.Spec.Config["log.retention.hours"] = "24" },
			"log.retention.hours: 72 -> 24"},
		"a new property": {func(kc *v1beta1.KafkaCluster) { kc.Spec.Config["num.partitions"] = "3" }, "num.partitions: set to 3"},
		"a property of another broker": {func(kc *v1beta1.KafkaCluster) {
			kc.Spec.Brokers[3].Config = v1beta1.Config{"num.partitions": "3"}
		}, ""},
		"dynamic properties": {func(kc *v1beta1.KafkaCluster) {
			kc.Spec.DynamicConfig = v1beta1.DynamicConfig{"num.io.threads": "16"}
			broker(kc).DynamicConfig = v1beta1.DynamicConfig{"num.io.threads": "16"}
		}, ""},
		"the version": {func(kc *v1beta1.KafkaCluster) { kc.Spec.Version = "4.4.0" }, "image: apache/kafka:4.3.1 -> apache/kafka:4.4.0"},
		"the image before the properties": {func(kc *v1beta1.KafkaCluster) {
			kc.Spec.Image = "own:1"
			kc.Spec.Config["a"] = "b"
		}, "image: apache/kafka:4.3.1 -> own:1"},
		"a disk": {func(kc *v1beta1.KafkaCluster) {
			broker(kc).Storage = []v1beta1.Storage{{Path: "/var/lib/kafka/b"}}
		}, "volume /var/lib/kafka/b added"},
		"the size of a disk": {func(kc *v1beta1.KafkaCluster) { group(kc).Storage[0].Size = resource.MustParse("1Ti") }, ""},
		"more memory, the heap stays at its cap": {func(kc *v1beta1.KafkaCluster) {
			group(kc).Resources.Requests["memory"] = resource.MustParse("20Gi")
			group(kc).Resources.Limits["memory"] = resource.MustParse("20Gi")
		}, ""},
		"more CPU":     {func(kc *v1beta1.KafkaCluster) { group(kc).Resources.Requests["cpu"] = resource.MustParse("3") }, ""},
		"a new limit":  {func(kc *v1beta1.KafkaCluster) { group(kc).Resources.Limits["cpu"] = resource.MustParse("3") }, "resources.limits.cpu added"},
		"a limit less": {func(kc *v1beta1.KafkaCluster) { group(kc).Resources.Limits = nil }, "resources.limits.memory removed"},
		"guaranteed":   {guaranteed, "resources.limits.cpu added"},
		"the heap": {func(kc *v1beta1.KafkaCluster) {
			group(kc).JVM = &v1beta1.JVM{Heap: resource.NewQuantity(1<<30, resource.BinarySI)}
		}, "env[KAFKA_HEAP_OPTS].value: -Xms6144m -Xmx6144m -> -Xms1024m -Xmx1024m"},
		"a user's secret":  {template(`{"spec": {"containers": [{"name": "kafka", "env": [{"name": "TOKEN", "value": "secret"}]}]}}`), "env[TOKEN].name added"},
		"a sidecar":        {template(`{"spec": {"containers": [{"name": "sidecar", "image": "x"}]}}`), "spec.containers[sidecar].image added"},
		"a node selector":  {template(`{"spec": {"nodeSelector": {"disk": "ssd"}}}`), "spec.nodeSelector.disk added"},
		"a label":          {template(`{"metadata": {"labels": {"team": "a"}}}`), "metadata.labels.team added"},
		"an annotation":    {template(`{"metadata": {"annotations": {"a": "b"}}}`), "metadata.annotations.a added"},
		"the grace period": {template(`{"spec": {"terminationGracePeriodSeconds": 900}}`), "spec.terminationGracePeriodSeconds: 330 -> 900"},
		"no racks":         {func(kc *v1beta1.KafkaCluster) { kc.Spec.RackAwareness = nil }, "volume /etc/kafka/pod removed"},
		"a listener": {func(kc *v1beta1.KafkaCluster) {
			kc.Spec.Listeners = append(kc.Spec.Listeners, v1beta1.Listener{Name: "more", Port: 9094})
		}, "advertised.listeners: REPLICATION://orders-101.orders-brokers.shop.svc:9091,INTERNAL://orders-101.orders-brokers.shop.svc:9093 -> REPLICATION://orders-101.orders-brokers.shop.svc:9091,INTERNAL://orders-101.orders-brokers.shop.svc:9093,MORE://orders-1..."},
		"what happens to the data": {func(kc *v1beta1.KafkaCluster) { kc.Spec.VolumeDeletionPolicy = v1beta1.DeleteVolumes }, ""},
	}
	for name, tt := range tests {
		kc := readCluster(t, "sample")
		have := intentOf(t, kc, 101)
		tt.change(kc)
		want := intentOf(t, kc, 101)
		if got := RestartReason(have, want); got != tt.want {
			t.Errorf("%s: got %q, want %q", name, got, tt.want)
		}
		if same := have.Hash() == want.Hash(); same != (tt.want == "") {
			t.Errorf("%s: hashes are equal: %t", name, same)
		}
	}
}

func TestReasonsFitIntoStatus(t *testing.T) {
	kc := readCluster(t, "sample")
	have := intentOf(t, kc, 101)
	kc.Spec.Config[strings.Repeat("ü", 3000)] = strings.Repeat("x", 3000)
	if got := RestartReason(have, intentOf(t, kc, 101)); len([]rune(got)) > 1024 || !strings.HasSuffix(got, "ü...") {
		t.Errorf("got %d characters: %s", len([]rune(got)), got)
	}
}

func guaranteed(kc *v1beta1.KafkaCluster) {
	kc.Spec.BrokerGroups[1].Resources.Limits = corev1.ResourceList{"cpu": resource.MustParse("2"), "memory": resource.MustParse("16Gi")}
}

// The quality of service of a Pod cannot change in place, even where nothing is added or removed.
func TestQualityOfServiceNeedsARestart(t *testing.T) {
	kc := readCluster(t, "sample")
	guaranteed(kc)
	have := intentOf(t, kc, 101)
	kc.Spec.BrokerGroups[1].Resources.Limits["cpu"] = resource.MustParse("4")
	if got := RestartReason(have, intentOf(t, kc, 101)); got != "resources.qualityOfService: Guaranteed -> Burstable" {
		t.Errorf("got %q", got)
	}
}

func TestUnknownIntentNeedsARestart(t *testing.T) {
	if got := RestartReason(nil, intentOf(t, readCluster(t, "sample"), 101)); got != "it is not known what its Pod was made from" {
		t.Errorf("got %q", got)
	}
}

func TestIntentIsReadBackFromTheConfigMap(t *testing.T) {
	kc := readCluster(t, "own")
	for _, node := range Nodes(kc) {
		want := intentOf(t, kc, node.ID)
		config := ConfigMap(kc, &node, ServerProperties(kc, &node, Disks{}), want)
		got, err := ReadIntent(config.Data)
		if err != nil {
			t.Fatal(err)
		}
		if reason := RestartReason(got, want); reason != "" || got.Hash() != want.Hash() || config.Annotations[v1beta1.AnnotationIntent] != want.Hash() {
			t.Errorf("node %d: %s", node.ID, reason)
		}
	}
}

func TestReadIntentRefuses(t *testing.T) {
	for _, data := range []map[string]string{nil, {PodKey: "no"}, {PodKey: "{}", PropertiesKey: `a=\u1`}} {
		if _, err := ReadIntent(data); err == nil {
			t.Errorf("%v was read", data)
		}
	}
}

// A node that is started from its stored intent is started once more, never for the first time.
func TestStoredPodKnowsNothingOfTheFirstStart(t *testing.T) {
	kc := readCluster(t, "sample")
	node := nodeOf(t, kc, 0)
	pod, err := Pod(kc, node, inputOf(kc, node))
	if err != nil {
		t.Fatal(err)
	}
	pod.WithAnnotations(map[string]string{v1beta1.AnnotationNode: "machine", v1beta1.AnnotationRack: "a", "mine": "yes"})
	properties := ServerProperties(kc, node, Disks{})
	intent, err := NewIntent(pod, properties)
	if err != nil {
		t.Fatal(err)
	}
	stored, err := ReadIntent(ConfigMap(kc, node, properties, intent).Data)
	if err != nil {
		t.Fatal(err)
	}
	again, err := stored.Pod()
	if err != nil {
		t.Fatal(err)
	}
	text := string(toYAML(t, again))
	for _, word := range []string{"INITIAL_CONTROLLERS\n", "kafka.koperator.dev/node", "machine"} {
		if strings.Contains(strings.ReplaceAll(text, "${INITIAL_CONTROLLERS", ""), word) {
			t.Errorf("%q is in:\n%s", word, text)
		}
	}
	for _, word := range []string{"memory: 1Gi", "mine: \"yes\"", v1beta1.AnnotationIntent + ": " + intent.Hash()} {
		if !strings.Contains(text, word) {
			t.Errorf("%q is not in:\n%s", word, text)
		}
	}
}

// After the first start, the same Pod is wanted without its voters: that is no reason to restart.
func TestEndOfTheFirstStartRestartsNobody(t *testing.T) {
	kc := readCluster(t, "sample")
	node := nodeOf(t, kc, 0)
	in := inputOf(kc, node)
	properties := ServerProperties(kc, node, Disks{})
	var hashes []string
	for _, voters := range []string{in.InitialControllers, ""} {
		in.InitialControllers = voters
		pod, err := Pod(kc, node, in)
		if err != nil {
			t.Fatal(err)
		}
		intent, err := NewIntent(pod, properties)
		if err != nil {
			t.Fatal(err)
		}
		hashes = append(hashes, intent.Hash())
	}
	if hashes[0] != hashes[1] {
		t.Error("the hashes differ")
	}
}

// The list of controllers in the file of a running node may be an old one.
func TestBootstrapServersNeedNoRestart(t *testing.T) {
	pod, err := Pod(readCluster(t, "sample"), nodeOf(t, readCluster(t, "sample"), 101), PodInput{})
	if err != nil {
		t.Fatal(err)
	}
	intent := func(servers string) *Intent {
		i, err := NewIntent(pod, []serverproperties.Property{{Key: "controller.quorum.bootstrap.servers", Value: servers}})
		if err != nil {
			t.Fatal(err)
		}
		return i
	}
	if reason := RestartReason(intent("a:1"), intent("a:1,b:1")); reason != "" || intent("a:1").Hash() != intent("b:1").Hash() {
		t.Errorf("got %q", reason)
	}
}
