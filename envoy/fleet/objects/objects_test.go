package objects

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/utils/ptr"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

func template(t *testing.T, kc *v1beta1.KafkaCluster) *corev1ac.PodTemplateSpecApplyConfiguration {
	t.Helper()
	made, err := Fleets(kc)[0].Deployment(input)
	if err != nil {
		t.Fatal(err)
	}
	return made.Spec.Template
}

func text(t *testing.T, object any) string {
	t.Helper()
	body, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// A broker that comes or goes, and a listener that comes, goes or changes, replaces no proxy: connections would break.
func TestNoProxyIsReplacedForABrokerOrAListener(t *testing.T) {
	before := readCluster(t, "groups")
	for name, change := range map[string]func(*v1beta1.KafkaClusterSpec){
		"a broker more": func(s *v1beta1.KafkaClusterSpec) {
			s.Brokers = append(s.Brokers, v1beta1.Broker{ID: 500, Group: "brokers-a"})
		},
		"a broker less":    func(s *v1beta1.KafkaClusterSpec) { s.Brokers = s.Brokers[1:] },
		"another listener": func(s *v1beta1.KafkaClusterSpec) { s.Listeners = s.Listeners[:1] },
		"another port":     func(s *v1beta1.KafkaClusterSpec) { s.Listeners[0].Port = 9999 },
		"another domain":   func(s *v1beta1.KafkaClusterSpec) { s.Listeners[0].External.Domain = "other.example.com" },
		"more ports":       func(s *v1beta1.KafkaClusterSpec) { s.Listeners[1].External.BrokerPorts.Count = 100 },
		"a group more": func(s *v1beta1.KafkaClusterSpec) {
			s.Envoy.Groups = append(s.Envoy.Groups, v1beta1.EnvoyGroup{Name: "c"})
		},
		"its brokers":       func(s *v1beta1.KafkaClusterSpec) { s.Envoy.Groups[0].Brokers = []int32{101} },
		"the Kafka version": func(s *v1beta1.KafkaClusterSpec) { s.Version = "4.4.0" },
		"more proxies":      func(s *v1beta1.KafkaClusterSpec) { s.Envoy.Replicas = ptr.To[int32](9) },
	} {
		after := before.DeepCopy()
		change(&after.Spec)
		if text(t, template(t, before)) != text(t, template(t, after)) {
			t.Errorf("%s: the template of the proxies' Pods changes", name)
		}
	}
}

// What Envoy reads only when it starts does replace them.
func TestProxiesAreReplacedForTheirBootstrap(t *testing.T) {
	before := readCluster(t, "sni")
	after := before.DeepCopy()
	after.Spec.Envoy = &v1beta1.Envoy{MaxConnections: 7}
	if template(t, before).Annotations[AnnotationBootstrap] == template(t, after).Annotations[AnnotationBootstrap] {
		t.Error("a changed bootstrap replaces no proxy: the change would wait for a crash")
	}
}

func TestConcurrencyIsTheCPULimitRoundedUp(t *testing.T) {
	for limit, want := range map[string]string{"": "2", "0": "2", "100m": "1", "1": "1", "1500m": "2", "4": "4"} {
		kc := readCluster(t, "sni")
		kc.Spec.Envoy = &v1beta1.Envoy{Resources: &corev1.ResourceRequirements{Limits: corev1.ResourceList{}}}
		if limit != "" {
			kc.Spec.Envoy.Resources.Limits[corev1.ResourceCPU] = resource.MustParse(limit)
		}
		args := strings.Join(template(t, kc).Spec.Containers[0].Args, " ")
		if !strings.Contains(args, "--concurrency "+want+" ") {
			t.Errorf("limit %q: %s", limit, args)
		}
	}
}

// A proxy gets as long to stop as it waits for others.
func TestGracePeriodCoversTheDrain(t *testing.T) {
	kc := readCluster(t, "sni")
	kc.Spec.Envoy = &v1beta1.Envoy{Drain: &v1beta1.EnvoyDrain{DeregistrationSeconds: 900, TimeoutSeconds: 900}}
	if got := *template(t, kc).Spec.TerminationGracePeriodSeconds; got <= 1800 {
		t.Errorf("a drain of 1800 s has %d s", got)
	}
}

func TestTemplateKeepsWhatMakesAProxy(t *testing.T) {
	for text, want := range map[string]string{
		`{"metadata": {"name": "x"}}`: "spec.envoy.podTemplate: metadata.name: ",
		`{"spec": null}`:              "spec.envoy.podTemplate: spec: ",
		`{"spec": {"containers": [{"name": "envoy", "$patch": "delete"}]}}`:       "spec.envoy.podTemplate: spec.containers: the container envoy must not be removed",
		`{"spec": {"initContainers": [{"name": "install", "$patch": "delete"}]}}`: "spec.envoy.podTemplate: spec.initContainers: the container install must not be removed",
		`[]`: "spec.envoy.podTemplate: it is not a template of a Pod",
	} {
		kc := readCluster(t, "sni")
		kc.Spec.Envoy = &v1beta1.Envoy{PodTemplate: &runtime.RawExtension{Raw: []byte(text)}}
		if _, err := Fleets(kc)[0].Deployment(input); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// An upgrade of Koperator alone replaces no proxy. With the next change of anything else, the new program comes.
func TestUpgradeReplacesNoProxy(t *testing.T) {
	kc := readCluster(t, "sni")
	imageOf := func(image string, running *appsv1.Deployment) (string, *appsv1.Deployment) {
		in := input
		in.Image, in.Running = image, running
		made, err := Fleets(kc)[0].Deployment(in)
		if err != nil {
			t.Fatal(err)
		}
		live := &appsv1.Deployment{}
		if err := json.Unmarshal([]byte(text(t, made)), live); err != nil {
			t.Fatal(err)
		}
		return live.Spec.Template.Spec.InitContainers[0].Image, live
	}
	first, running := imageOf("envoy-manager:1", nil)
	second, running := imageOf("envoy-manager:2", running)
	kc.Spec.Envoy = &v1beta1.Envoy{Image: "envoy:next"}
	third, running := imageOf("envoy-manager:3", running)
	fourth, running := imageOf("envoy-manager:4", running)
	kc.Spec.Envoy.PodTemplate = &runtime.RawExtension{Raw: []byte(`{"spec": {"initContainers": [{"name": "install", "image": "mirror:1"}]}}`)}
	fifth, running := imageOf("envoy-manager:5", running)
	kc.Spec.Envoy.PodTemplate.Raw = []byte(`{"spec": {"initContainers": [{"name": "install", "image": "mirror:2"}]}}`)
	sixth, _ := imageOf("envoy-manager:5", running)
	want := []string{"envoy-manager:1", "envoy-manager:1", "envoy-manager:3", "envoy-manager:3", "mirror:1", "mirror:2"}
	if got := []string{first, second, third, fourth, fifth, sixth}; !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
}

// The Service has what is needed to know the ports again when status is lost.
func TestServiceRemembersPortsAndGroups(t *testing.T) {
	kc := readCluster(t, "groups")
	in := ServiceInput{
		Listener:     Listeners(kc)[0],
		Ports:        map[int32]int32{0: 9200, 2147483647: 9201},
		BrokerGroups: map[int32]string{0: "brokers-a", 2147483647: ""},
	}
	live := &corev1.Service{}
	if err := json.Unmarshal([]byte(text(t, Fleets(kc)[1].Service(in))), live); err != nil {
		t.Fatal(err)
	}
	if got := PortsOf(live); !maps.Equal(got, in.Ports) {
		t.Errorf("ports %v, want %v", got, in.Ports)
	}
	if got := BrokerGroupsOf(live); !maps.Equal(got, in.BrokerGroups) {
		t.Errorf("groups %v, want %v", got, in.BrokerGroups)
	}
	live.Spec.Ports = append(live.Spec.Ports, corev1.ServicePort{Name: "broker-x", Port: 1}, corev1.ServicePort{Name: "bootstrap", Port: 2})
	live.Annotations[AnnotationBrokerGroups] += " x=y 7"
	if got := fmt.Sprint(PortsOf(live), BrokerGroupsOf(live)); got != fmt.Sprint(in.Ports, in.BrokerGroups) {
		t.Errorf("what somebody else wrote is taken for ours: %s", got)
	}
}

// Nothing leads to the ports that are not for clients.
func TestOpsPortIsOnNoService(t *testing.T) {
	for _, name := range []string{"sni", "ports", "groups"} {
		for _, fleet := range Fleets(readCluster(t, name)) {
			for _, made := range services(fleet) {
				if strings.Contains(text(t, made), fmt.Sprint(OpsPort)) {
					t.Errorf("%s: %s", name, text(t, made))
				}
			}
		}
	}
}

func TestServiceNamesAreDifferentAndFit(t *testing.T) {
	kc := readCluster(t, "groups")
	seen := map[string]bool{}
	for _, listener := range []string{"public", "partners-of-all", "partners-of-al"} {
		for _, group := range []string{"", "zone-a-of-the-region-", "zone-b-of-the-region-"} {
			name := Fleet{Cluster: kc, Group: group}.ServiceName(listener)
			if len(name) > 63 || seen[name] {
				t.Errorf("%s has %d characters, or is another's too", name, len(name))
			}
			seen[name] = true
		}
	}
}
