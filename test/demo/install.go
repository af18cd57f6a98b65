package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

// install installs Koperator with kustomize, as README says, and waits until it runs. One that is there already and not
// of a demo is left alone and used.
func (d *demo) install(ctx context.Context) error {
	owner, err := d.ownerOf(ctx, systemNamespace)
	if err != nil {
		return err
	}
	if owner == somebody {
		say("Koperator is installed on this cluster already; the demo uses it as it is")
		return nil
	}
	begin := time.Now()
	var fields, names []string
	for _, p := range d.images {
		if err := d.requireImage(p.variable, p.image); err != nil {
			return err
		}
		fields = append(fields, fmt.Sprintf("{name: koperator/%s, %s}", p.program, imageFields(p.image)))
		names = append(names, p.image)
	}
	overlay, err := d.writeOverlay("install", "images: ["+strings.Join(fields, ", ")+"]", "config/default")
	if err != nil {
		return err
	}
	if _, err := d.kubectl(ctx, "", "apply", "-k", overlay); err != nil {
		return err
	}
	if _, err := d.kubectl(ctx, "", "wait", "--for=condition=Established", "--timeout=60s", "crd/kafkaclusters.kafka.koperator.dev"); err != nil {
		return err
	}
	for _, p := range d.images {
		if err := await(ctx, 2*time.Minute, p.program, d.runs(p.program)); err != nil {
			return err
		}
	}
	say("Koperator is installed (config/default): %s, %s", strings.Join(names, ", "), seconds(time.Since(begin)))
	return nil
}

type owner int

const (
	nobody owner = iota // it does not exist
	us
	somebody
)

func (d *demo) ownerOf(ctx context.Context, name string) (owner, error) {
	ns := &corev1.Namespace{}
	err := d.kube.Get(ctx, client.ObjectKey{Name: name}, ns)
	switch {
	case apierrors.IsNotFound(err):
		return nobody, nil
	case err != nil:
		return nobody, fmt.Errorf("looking for namespace %s: %w", name, err)
	case ns.Labels[label] != "":
		return us, nil
	}
	return somebody, nil
}

// writeOverlay makes a kustomization over others of the repository, below bin/ because kustomize reads nothing from
// outside of it by an absolute path. All that it makes is marked as ours.
func (d *demo) writeOverlay(name, more string, resources ...string) (string, error) {
	dir := filepath.Join(d.root, "bin", "demo", name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("making a folder: %w", err)
	}
	content := "labels: [{pairs: {" + label + ": \"true\"}}]\nresources:\n"
	for _, resource := range resources {
		content += "- ../../../" + resource + "\n"
	}
	return dir, os.WriteFile(filepath.Join(dir, "kustomization.yaml"), []byte(content+more+"\n"), 0o644)
}

// imageFields is an image as kustomize takes it.
func imageFields(image string) string {
	if name, digest, ok := strings.Cut(image, "@"); ok {
		return fmt.Sprintf("newName: %q, digest: %q", name, digest)
	}
	if colon := strings.LastIndex(image, ":"); colon > strings.LastIndex(image, "/") {
		return fmt.Sprintf("newName: %q, newTag: %q", image[:colon], image[colon+1:])
	}
	return fmt.Sprintf("newName: %q, newTag: latest", image)
}

// runs looks whether one of Koperator's programs runs.
func (d *demo) runs(program string) func(context.Context) (string, bool) {
	return func(ctx context.Context) (string, bool) {
		deployment := &appsv1.Deployment{}
		if err := d.kube.Get(ctx, client.ObjectKey{Namespace: systemNamespace, Name: program}, deployment); err != nil {
			return err.Error(), false
		}
		status, wanted := deployment.Status, ptr.Deref(deployment.Spec.Replicas, 1)
		if status.ObservedGeneration >= deployment.Generation && status.UpdatedReplicas == wanted && status.AvailableReplicas >= 1 {
			return "", true
		}
		return fmt.Sprintf("%d of %d replicas are available; kubectl -n %s describe pods says more", status.AvailableReplicas, wanted, systemNamespace), false
	}
}

// makeNamespace makes the namespace of the demo. In one that is there already only the right to Secrets is added.
func (d *demo) makeNamespace(ctx context.Context) error {
	owner, err := d.ownerOf(ctx, namespace)
	if err != nil {
		return err
	}
	if owner == somebody {
		_, err = d.kubectl(ctx, "", "apply", "-f", "config/namespaces/kafka/role_binding.yaml")
		return err
	}
	overlay, err := d.writeOverlay("namespace", "", "config/namespaces/kafka")
	if err != nil {
		return err
	}
	_, err = d.kubectl(ctx, "", "apply", "-k", overlay)
	return err
}

// applyCluster applies the sample, with the image that this cluster has. One that is there already may have been changed
// by whoever plays with it, and stays as it is.
func (d *demo) applyCluster(ctx context.Context) error {
	const sample = "config/samples/kafkacluster.yaml"
	err := d.kube.Get(ctx, client.ObjectKey{Namespace: namespace, Name: clusterName}, &v1beta1.KafkaCluster{})
	if err == nil {
		say("KafkaCluster %s/%s is there already; it stays as it is", namespace, clusterName)
		return nil
	}
	if !apierrors.IsNotFound(err) {
		return fmt.Errorf("looking for the KafkaCluster: %w", err)
	}
	content, err := os.ReadFile(filepath.Join(d.root, sample))
	if err != nil {
		return fmt.Errorf("reading the sample: %w", err)
	}
	cluster := &unstructured.Unstructured{}
	if err := yaml.Unmarshal(content, &cluster.Object); err != nil {
		return fmt.Errorf("reading the sample: %w", err)
	}
	if err := unstructured.SetNestedField(cluster.Object, d.kafkaImage, "spec", "image"); err != nil {
		return fmt.Errorf("changing the sample: %w", err)
	}
	if err := d.addExternalListeners(cluster); err != nil {
		return err
	}
	if err := d.addCruiseControl(cluster); err != nil {
		return err
	}
	cluster.SetName(clusterName)
	cluster.SetNamespace(namespace)
	cluster.SetLabels(map[string]string{label: "true"})
	changed, err := yaml.Marshal(cluster.Object)
	if err != nil {
		return fmt.Errorf("writing the sample: %w", err)
	}
	if _, err := d.kubectl(ctx, string(changed), "apply", "-f", "-"); err != nil {
		return err
	}
	say("KafkaCluster %s/%s is applied (%s, with image %s)", namespace, clusterName, sample, d.kafkaImage)
	return nil
}
