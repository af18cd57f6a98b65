package objects

import (
	"encoding/json"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	appsv1ac "k8s.io/client-go/applyconfigurations/apps/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	"k8s.io/utils/ptr"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/apis/machinery/podtemplate"
)

// historyLimit is how many ReplicaSets of the past are kept.
const historyLimit = 2

// DeploymentInput is what a Deployment is made from besides the spec.
type DeploymentInput struct {
	Server Server
	// Image is envoy-manager's own, which brings the program that drains a proxy.
	Image string
	// Running is the Deployment as it is, nil if there is none.
	Running *appsv1.Deployment
	// Revision of the templates of what the proxies serve.
	Revision int32
}

// Deployment runs the proxies of a fleet. Nothing in the template of its Pods follows from which brokers there are.
func (f Fleet) Deployment(in DeploymentInput) (*appsv1ac.DeploymentApplyConfiguration, error) {
	template, err := f.podTemplate(in)
	if err != nil {
		return nil, err
	}
	intent, err := keepImage(template, in)
	if err != nil {
		return nil, err
	}
	return appsv1ac.Deployment(f.Name(), f.Cluster.Namespace).
		WithLabels(f.labels()).
		WithAnnotations(map[string]string{AnnotationRevision: fmt.Sprint(in.Revision), v1beta1.AnnotationIntent: intent}).
		WithOwnerReferences(f.ownerReference()).
		WithSpec(appsv1ac.DeploymentSpec().
			WithReplicas(f.Replicas()).
			WithRevisionHistoryLimit(historyLimit).
			WithSelector(metav1ac.LabelSelector().WithMatchLabels(f.Selector())).
			WithStrategy(oneMoreAtATime()).
			WithTemplate(template)), nil
}

// keepImage keeps the image that brings the program for draining as long as nothing else changes: an upgrade of Koperator
// replaces no proxy by itself. intent is the hash of everything else. An image that the user's template says is the user's.
func keepImage(template *corev1ac.PodTemplateSpecApplyConfiguration, in DeploymentInput) (intent string, err error) {
	install := installOf(template)
	if install == nil {
		return "", fmt.Errorf("spec.envoy.podTemplate: spec.initContainers: the container %s must not be removed", InstallContainer)
	}
	image := install.Image
	if ptr.Deref(image, "") == in.Image {
		install.Image = nil
	}
	text, err := json.Marshal(template)
	if err != nil {
		return "", fmt.Errorf("marshaling the template: %w", err)
	}
	install.Image = image
	intent = hashOf(map[string]string{"template": string(text)})
	if in.Running != nil && in.Running.Annotations[v1beta1.AnnotationIntent] == intent {
		for _, container := range in.Running.Spec.Template.Spec.InitContainers {
			if container.Name == InstallContainer {
				install.WithImage(container.Image)
			}
		}
	}
	return intent, nil
}

func installOf(template *corev1ac.PodTemplateSpecApplyConfiguration) *corev1ac.ContainerApplyConfiguration {
	for i := range template.Spec.InitContainers {
		if name := template.Spec.InitContainers[i].Name; name != nil && *name == InstallContainer {
			return &template.Spec.InitContainers[i]
		}
	}
	return nil
}

// oneMoreAtATime never has fewer proxies than the spec says.
func oneMoreAtATime() *appsv1ac.DeploymentStrategyApplyConfiguration {
	return appsv1ac.DeploymentStrategy().
		WithType(appsv1.RollingUpdateDeploymentStrategyType).
		WithRollingUpdate(appsv1ac.RollingUpdateDeployment().
			WithMaxSurge(intstr.FromInt32(1)).
			WithMaxUnavailable(intstr.FromInt32(0)))
}

// podTemplate is the template of a proxy's Pod, with the user's own merged into it.
func (f Fleet) podTemplate(in DeploymentInput) (*corev1ac.PodTemplateSpecApplyConfiguration, error) {
	pod := corev1ac.Pod(f.Name(), f.Cluster.Namespace).WithSpec(f.podSpec(in))
	if template := f.envoy().PodTemplate; template != nil {
		merged, err := podtemplate.Merge(pod, template.Raw, EnvoyContainer)
		if err != nil {
			return nil, fmt.Errorf("spec.envoy.podTemplate: %w", err)
		}
		pod = merged
	}
	// Last, because no template can change whose Pod it is and how it is found.
	pod.WithLabels(f.labels()).WithAnnotations(map[string]string{AnnotationBootstrap: hashOf(f.Files(in.Server))})
	return corev1ac.PodTemplateSpec().
		WithLabels(pod.Labels).
		WithAnnotations(pod.Annotations).
		WithSpec(pod.Spec), nil
}
