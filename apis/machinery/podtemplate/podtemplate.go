// Package podtemplate merges what a user says of a Pod into the Pod that a program makes.
package podtemplate

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	kjson "sigs.k8s.io/json"
)

// Merge merges a template into a Pod as kubectl patch --type=strategic would. container is the one that the Pod is for: no
// template can remove it.
func Merge(pod *corev1ac.PodApplyConfiguration, template []byte, container string) (*corev1ac.PodApplyConfiguration, error) {
	if err := checkFields(template); err != nil {
		return nil, err
	}
	original, err := json.Marshal(pod)
	if err != nil {
		return nil, fmt.Errorf("marshaling pod: %w", err)
	}
	patched, err := strategicpatch.StrategicMergePatch(original, template, corev1.Pod{})
	if err != nil {
		return nil, fmt.Errorf("it cannot be merged: %w", err)
	}
	merged := &corev1ac.PodApplyConfiguration{}
	strict, err := kjson.UnmarshalStrict(patched, merged)
	if err := errors.Join(append(strict, err)...); err != nil {
		return nil, fmt.Errorf("it does not make a Pod: %w", err)
	}
	return merged, wantContainer(merged, container)
}

// checkFields refuses what a template cannot set: a Pod's name and owner, say, are not the template's.
func checkFields(template []byte) error {
	var fields struct {
		Metadata map[string]json.RawMessage
		Spec     json.RawMessage
	}
	var all map[string]json.RawMessage
	if err := errors.Join(json.Unmarshal(template, &all), json.Unmarshal(template, &fields)); err != nil {
		return fmt.Errorf("it is not a template of a Pod: %w", err)
	}
	for _, field := range slices.Sorted(maps.Keys(all)) {
		if field != "metadata" && field != "spec" {
			return fmt.Errorf("%s: only metadata and spec can be set", field)
		}
	}
	for _, field := range slices.Sorted(maps.Keys(fields.Metadata)) {
		if field != "labels" && field != "annotations" {
			return fmt.Errorf("metadata.%s: only labels and annotations can be set", field)
		}
	}
	return nil
}

// wantContainer refuses a Pod that has lost what it is for.
func wantContainer(pod *corev1ac.PodApplyConfiguration, container string) error {
	if pod.Spec == nil {
		return errors.New("spec: it must not be removed")
	}
	for i := range pod.Spec.Containers {
		if name := pod.Spec.Containers[i].Name; name != nil && *name == container {
			return nil
		}
	}
	return fmt.Errorf("spec.containers: the container %s must not be removed", container)
}
