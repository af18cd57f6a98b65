package desired

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/controllers/internal/serverproperties"
)

// Intent is what a node's Pod is made from. Two intents are compared to find out whether a node needs a restart: what was
// intended then with what is intended now. The live Pod has no part in it, so that what the API server and webhooks add
// to it never restarts a broker.
type Intent struct {
	stored     string // the Pod, as it is kept in the ConfigMap
	pod        map[string]any
	properties map[string]string
	hash       string
}

// NewIntent is the intent to make this Pod with these properties.
func NewIntent(pod *corev1ac.PodApplyConfiguration, properties []serverproperties.Property) (*Intent, error) {
	body, err := json.Marshal(pod)
	if err != nil {
		return nil, fmt.Errorf("marshaling pod: %w", err)
	}
	return newIntent(body, serverproperties.Values(properties))
}

// ReadIntent reads the intent from the data of a node's ConfigMap.
func ReadIntent(data map[string]string) (*Intent, error) {
	properties, err := serverproperties.Parse(data[PropertiesKey])
	if err != nil {
		return nil, fmt.Errorf("parsing %s: %w", PropertiesKey, err)
	}
	return newIntent([]byte(data[PodKey]), properties)
}

func newIntent(body []byte, properties map[string]string) (*Intent, error) {
	intent := &Intent{properties: maps.Clone(properties)}
	if err := json.Unmarshal(body, &intent.pod); err != nil {
		return nil, fmt.Errorf("reading pod: %w", err)
	}
	forgetFirstStart(intent.pod)
	stored, err := json.MarshalIndent(intent.pod, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("marshaling pod: %w", err)
	}
	intent.stored = string(stored) + "\n"
	forgetWhatNeedsNoRestart(intent.pod)
	maps.DeleteFunc(intent.properties, func(key, _ string) bool { return serverproperties.NeverRestarts(key) })
	fingerprint, err := json.Marshal([]any{intent.pod, intent.properties}) // keys of maps are sorted
	if err != nil {
		return nil, fmt.Errorf("marshaling intent: %w", err)
	}
	sum := sha256.Sum256(fingerprint)
	intent.hash = hex.EncodeToString(sum[:8])
	return intent, nil
}

// Hash stands for the intent: equal hashes mean that no restart is needed.
func (i *Intent) Hash() string { return i.hash }

// Pod is the Pod to make from a stored intent, marked with it: for a node that the spec no longer has. It never formats a
// disk as that of an initial voter.
func (i *Intent) Pod() (*corev1ac.PodApplyConfiguration, error) {
	pod := &corev1ac.PodApplyConfiguration{}
	if err := json.Unmarshal([]byte(i.stored), pod); err != nil {
		return nil, fmt.Errorf("reading pod: %w", err)
	}
	return i.Mark(pod), nil
}

// Mark writes on a Pod what it is made from.
func (i *Intent) Mark(pod *corev1ac.PodApplyConfiguration) *corev1ac.PodApplyConfiguration {
	return pod.WithAnnotations(map[string]string{v1beta1.AnnotationIntent: i.Hash()})
}

// forgetFirstStart removes what is true only now: annotations of ours, and the voters of the cluster's first start.
func forgetFirstStart(pod map[string]any) {
	if annotations := object(pod, "metadata", "annotations"); annotations != nil {
		deleteOurs(annotations)
		if len(annotations) == 0 {
			delete(object(pod, "metadata"), "annotations")
		}
	}
	eachContainer(pod, func(c map[string]any) {
		if env, ok := c["env"].([]any); ok {
			c["env"] = slices.DeleteFunc(env, func(v any) bool { return nameOf(v) == initialControllersVariable })
		}
	})
}

// forgetWhatNeedsNoRestart removes what can change while a Pod runs: labels of ours except the version, owners, and
// amounts of CPU and memory, which are resized in place. Which of them are set stays, and whether limits equal requests:
// an amount cannot be removed in place, and a Pod's quality of service cannot change.
func forgetWhatNeedsNoRestart(pod map[string]any) {
	if metadata := object(pod, "metadata"); metadata != nil {
		delete(metadata, "ownerReferences")
	}
	if labels := object(pod, "metadata", "labels"); labels != nil {
		version := labels[v1beta1.LabelVersion]
		deleteOurs(labels)
		maps.DeleteFunc(labels, func(label string, _ any) bool { return strings.HasPrefix(label, "app.kubernetes.io/") })
		labels[v1beta1.LabelVersion] = version
	}
	eachContainer(pod, func(c map[string]any) {
		if nameOf(c) == KafkaContainer {
			forgetAmounts(object(c, "resources"))
		}
	})
}

func forgetAmounts(resources map[string]any) {
	if resources == nil {
		return
	}
	quality := corev1.PodQOSBurstable
	if isGuaranteed(resources) {
		quality = corev1.PodQOSGuaranteed
	}
	for _, list := range []map[string]any{object(resources, "requests"), object(resources, "limits")} {
		for _, name := range []string{"cpu", "memory"} {
			if _, set := list[name]; set {
				list[name] = "set"
			}
		}
	}
	resources["qualityOfService"] = string(quality)
}

// isGuaranteed tells whether requests equal limits, for CPU and for memory. A limit alone is the request too.
func isGuaranteed(resources map[string]any) bool {
	requests, limits := object(resources, "requests"), object(resources, "limits")
	for _, name := range []string{"cpu", "memory"} {
		limit, limited := limits[name]
		request, requested := requests[name]
		if !limited || (requested && request != limit) {
			return false
		}
	}
	return true
}

// deleteOurs deletes labels or annotations of Koperator.
func deleteOurs[V any](keys map[string]V) {
	maps.DeleteFunc(keys, func(key string, _ V) bool { return strings.HasPrefix(key, v1beta1.GroupVersion.Group+"/") })
}

// object is the object at a path; nil when there is none.
func object(from map[string]any, path ...string) map[string]any {
	for _, field := range path {
		from, _ = from[field].(map[string]any)
	}
	return from
}

func eachContainer(pod map[string]any, visit func(container map[string]any)) {
	containers, _ := object(pod, "spec")["containers"].([]any)
	for _, c := range containers {
		if container, ok := c.(map[string]any); ok {
			visit(container)
		}
	}
}

func nameOf(item any) string {
	fields, _ := item.(map[string]any)
	name, _ := fields["name"].(string)
	return name
}
