package desired

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

// podOf is a Pod as the API server would see it.
func podOf(t *testing.T, kc *v1beta1.KafkaCluster, id int32) *corev1.Pod {
	t.Helper()
	node := nodeOf(t, kc, id)
	configuration, err := Pod(kc, node, inputOf(kc, node))
	if err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(configuration)
	if err != nil {
		t.Fatal(err)
	}
	pod := &corev1.Pod{}
	if err := json.Unmarshal(body, pod); err != nil {
		t.Fatal(err)
	}
	return pod
}

func withTemplate(t *testing.T, group, broker string) *v1beta1.KafkaCluster {
	t.Helper()
	kc := readCluster(t, "sample")
	if group != "" {
		kc.Spec.BrokerGroups[1].PodTemplate = &runtime.RawExtension{Raw: []byte(group)}
	}
	if broker != "" {
		kc.Spec.Brokers[4].PodTemplate = &runtime.RawExtension{Raw: []byte(broker)}
	}
	return kc
}

func TestPodsKeepTheRestrictedStandard(t *testing.T) {
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	level := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
	for _, name := range []string{"sample", "combined", "delete"} {
		kc := readCluster(t, name)
		for _, node := range Nodes(kc) {
			pod := podOf(t, kc, node.ID)
			result := policy.AggregateCheckResults(evaluator.EvaluatePod(level, &pod.ObjectMeta, &pod.Spec))
			if !result.Allowed {
				t.Errorf("%s: %s", pod.Name, result.ForbiddenDetail())
			}
		}
	}
}

func TestTemplatesAreMergedInOrder(t *testing.T) {
	kc := withTemplate(t,
		`{"metadata": {"labels": {"team": "a", "rank": "low"}}, "spec": {"priorityClassName": "low", "nodeSelector": {"disk": "ssd"}}}`,
		`{"metadata": {"labels": {"rank": "high"}}, "spec": {"priorityClassName": "high"}}`)
	pod := podOf(t, kc, 101)
	if pod.Spec.PriorityClassName != "high" || pod.Spec.NodeSelector["disk"] != "ssd" || pod.Labels["team"] != "a" || pod.Labels["rank"] != "high" {
		t.Errorf("got %v %v", pod.Labels, pod.Spec)
	}
	if other := podOf(t, kc, 100); other.Spec.PriorityClassName != "low" || other.Labels["rank"] != "low" {
		t.Errorf("got %v %v", other.Labels, other.Spec)
	}
}

func TestTemplatesMergeIntoTheKafkaContainer(t *testing.T) {
	kc := withTemplate(t, "", `{"spec": {
		"containers": [
			{"name": "kafka", "env": [{"name": "KAFKA_OPTS", "value": "-Da=b"}, {"name": "LOG_DIR", "value": "/tmp/mine"}], "terminationMessagePolicy": "FallbackToLogsOnError"},
			{"name": "sidecar", "image": "sidecar:1"}],
		"terminationGracePeriodSeconds": 900}}`)
	pod := podOf(t, kc, 101)
	if len(pod.Spec.Containers) != 2 || *pod.Spec.TerminationGracePeriodSeconds != 900 {
		t.Fatalf("got %v", pod.Spec)
	}
	kafka := pod.Spec.Containers[slices.IndexFunc(pod.Spec.Containers, func(c corev1.Container) bool { return c.Name == "kafka" })]
	values := map[string]string{}
	for _, v := range kafka.Env {
		values[v.Name] = v.Value
	}
	if values["KAFKA_OPTS"] != "-Da=b" || values["LOG_DIR"] != "/tmp/mine" || values["CLUSTER_ID"] == "" || kafka.Image == "" ||
		kafka.TerminationMessagePolicy != corev1.TerminationMessageFallbackToLogsOnError {
		t.Errorf("got %v", kafka)
	}
}

func TestNoTemplateChangesWhoseAPodIs(t *testing.T) {
	kc := withTemplate(t, "", `{
		"metadata": {
			"labels": {"kafka.koperator.dev/cluster": "other", "kafka.koperator.dev/controller": "true", "kafka.koperator.dev/broker": null},
			"annotations": {"kafka.koperator.dev/node": "elsewhere", "mine": "yes"}},
		"spec": {"hostname": "other", "subdomain": "other", "restartPolicy": "Never"}}`)
	want := podOf(t, readCluster(t, "sample"), 101)
	got := podOf(t, kc, 101)
	want.Annotations = map[string]string{"mine": "yes"}
	if !metaEqual(got.ObjectMeta, want.ObjectMeta) || got.Spec.Hostname != want.Spec.Hostname ||
		got.Spec.Subdomain != want.Spec.Subdomain || got.Spec.RestartPolicy != corev1.RestartPolicyAlways {
		t.Errorf("got %v %v, want %v", got.ObjectMeta, got.Spec.Hostname, want.ObjectMeta)
	}
}

func metaEqual(a, b metav1.ObjectMeta) bool {
	one, _ := json.Marshal(a)
	other, _ := json.Marshal(b)
	return string(one) == string(other)
}

func TestTemplatesThatCannotBeMerged(t *testing.T) {
	tests := map[string]string{
		`[]`:                                                  "it is not a template of a Pod: ",
		`{"kind": "Pod"}`:                                     "kind: only metadata and spec can be set",
		`{"metadata": []}`:                                    "it is not a template of a Pod: ",
		`{"metadata": {"finalizers": ["x"]}}`:                 "metadata.finalizers: only labels and annotations can be set",
		`{"metadata": {"$patch": "delete"}}`:                  "metadata.$patch: only labels and annotations can be set",
		`{"spec": {"contaners": []}}`:                         `it does not make a Pod: unknown field "spec.contaners"`,
		`{"spec": {"containers": "kafka"}}`:                   "it does not make a Pod: ",
		`{"spec": {"containers": [{"image": "x"}]}}`:          "it cannot be merged: ",
		`{"spec": {"terminationGracePeriodSeconds": "long"}}`: "it does not make a Pod: ",
		`{"spec": {"containers": [{"name": "kafka", "$patch": "delete"}]}}`:        "spec.containers: the container kafka must not be removed",
		`{"spec": {"$patch": "delete"}}`:                                           "spec",
		`{"spec": null}`:                                                           "spec",
		`{"spec": {"containers": null}}`:                                           "spec.containers: the container kafka must not be removed",
		`{"spec": {"containers": [{"name": "kafka", "resources": {"cpu": "1"}}]}}`: `it does not make a Pod: unknown field "spec.containers[0].resources.cpu"`,
	}
	for template, want := range tests {
		kc := withTemplate(t, "", template)
		node := nodeOf(t, kc, 101)
		pod, err := Pod(kc, node, inputOf(kc, node))
		if err == nil || !strings.HasPrefix(err.Error(), "spec.brokers[101].podTemplate: "+want) {
			t.Errorf("%s: got %v, %v", template, pod != nil, err)
		}
	}
}

func TestOnlyControllersAreToldOfTheFirstStart(t *testing.T) {
	kc := readCluster(t, "sample")
	for _, id := range []int32{0, 101} {
		in := inputOf(kc, nodeOf(t, kc, id))
		in.InitialControllers = "0@x:9090:y"
		pod, err := Pod(kc, nodeOf(t, kc, id), in)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := json.Marshal(pod)
		if told := strings.Contains(string(body), `"0@x:9090:y"`); told != (id == 0) {
			t.Errorf("node %d: %t", id, told)
		}
	}
}

func TestControllersWaitForNoRack(t *testing.T) {
	kc := readCluster(t, "sample")
	for id, want := range map[int32]bool{0: false, 101: true} {
		has := slices.ContainsFunc(podOf(t, kc, id).Spec.Volumes, func(v corev1.Volume) bool { return v.DownwardAPI != nil })
		if has != want {
			t.Errorf("node %d: %t", id, has)
		}
	}
}
