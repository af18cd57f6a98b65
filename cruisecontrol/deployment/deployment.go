package deployment

import (
	"encoding/json"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	appsv1ac "k8s.io/client-go/applyconfigurations/apps/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

// historyLimit is how many ReplicaSets of the past are kept.
const historyLimit = 2

// Input is what Cruise Control runs from besides the spec.
type Input struct {
	// ConfigMap and Deployment are as they are, nil where there is none.
	ConfigMap  *corev1.ConfigMap
	Deployment *appsv1.Deployment
	// Secrets is the hash of what Cruise Control reads of its Secrets: see HashSecrets.
	Secrets string
}

// Rollout is what Cruise Control should run from.
type Rollout struct {
	ConfigMap  *corev1ac.ConfigMapApplyConfiguration
	Deployment *appsv1ac.DeploymentApplyConfiguration
	// Reason says why applying them restarts Cruise Control. It is empty when it does not. With a reason, they are applied
	// both when MayRoll says so, and neither before: a container that restarts by itself reads the ConfigMap, and what
	// Cruise Control runs with has to be known. Operations that are not submitted yet wait for it, because they would be
	// planned with disks that are not there, say.
	Reason string
}

// Plan is what Cruise Control of a cluster should run from; nil if Koperator runs none.
func Plan(kc *v1beta1.KafkaCluster, in Input) (*Rollout, error) {
	if !IsManaged(kc) {
		return nil, nil
	}
	files, reason, err := filesOf(kc, in.ConfigMap)
	if err != nil {
		return nil, err
	}
	template, err := podTemplate(kc, files, in.Secrets)
	if err != nil {
		return nil, err
	}
	intent, err := json.Marshal(template)
	if err != nil {
		return nil, fmt.Errorf("marshaling the template: %w", err)
	}
	made := deployment(kc, template, hashOf(map[string][]byte{"template": intent}))
	return &Rollout{ConfigMap: configMap(kc, files), Deployment: made, Reason: restartReason(in.Deployment, made, reason)}, nil
}

func deployment(kc *v1beta1.KafkaCluster, template *corev1ac.PodTemplateSpecApplyConfiguration, intent string) *appsv1ac.DeploymentApplyConfiguration {
	return appsv1ac.Deployment(v1beta1.CruiseControlName(kc.Name), kc.Namespace).
		WithLabels(labels(kc)).
		WithAnnotations(map[string]string{v1beta1.AnnotationIntent: intent}).
		WithOwnerReferences(ownerReference(kc)).
		WithSpec(appsv1ac.DeploymentSpec().
			WithReplicas(1).
			WithRevisionHistoryLimit(historyLimit).
			WithSelector(metav1ac.LabelSelector().WithMatchLabels(Selector(kc))).
			// Never two at a time: each would execute plans that the other knows nothing of.
			WithStrategy(appsv1ac.DeploymentStrategy().WithType(appsv1.RecreateDeploymentStrategyType)).
			WithTemplate(template))
}

// restartReason compares what the Pod was made from with what it would be made from now.
func restartReason(running *appsv1.Deployment, wanted *appsv1ac.DeploymentApplyConfiguration, files string) string {
	if running == nil || running.Annotations[v1beta1.AnnotationIntent] == wanted.Annotations[v1beta1.AnnotationIntent] {
		return ""
	}
	was, is := running.Spec.Template, wanted.Spec.Template
	if was.Annotations[AnnotationConfig] != is.Annotations[AnnotationConfig] {
		if files == "" {
			files = "its files were not rolled out yet"
		}
		return files
	}
	if was.Annotations[AnnotationSecrets] != is.Annotations[AnnotationSecrets] {
		return "its certificates or credentials are new"
	}
	if have, want := imageOf(&was), wantedImage(is); have != want {
		return fmt.Sprintf("image: %s -> %s", have, want)
	}
	return "its Pod changed"
}

func imageOf(template *corev1.PodTemplateSpec) string {
	for _, c := range template.Spec.Containers {
		if c.Name == Container {
			return c.Image
		}
	}
	return ""
}

func wantedImage(template *corev1ac.PodTemplateSpecApplyConfiguration) string {
	for _, c := range template.Spec.Containers {
		if c.Name != nil && *c.Name == Container && c.Image != nil {
			return *c.Image
		}
	}
	return ""
}
