package main

import (
	"context"
	_ "embed"
	"fmt"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	topic   = "demo"
	records = 1000
	podName = clusterName + "-records"
	// kafkaUser is the user of the official image.
	kafkaUser = 1000
)

// The scripts are what a user would do in a shell of a Pod, with Kafka's own tools.
var (
	//go:embed client.sh
	clientScript string
	//go:embed records.sh
	recordsScript string
	//go:embed fill.sh
	fillScript string
)

// sendRecords runs a client in the cluster: it makes a topic, writes records and reads them again.
func (d *demo) sendRecords(ctx context.Context) error {
	return d.runClient(ctx, recordsScript, "over mutual TLS, from a Pod in the cluster")
}

// runClient runs a script with Kafka's own tools in a Pod, with the certificate that Koperator made for the administrator.
func (d *demo) runClient(ctx context.Context, script, how string) error {
	begin := time.Now()
	pod := d.clientPod(script)
	if err := d.removePod(ctx, pod); err != nil {
		return err
	}
	if err := d.kube.Create(ctx, pod); err != nil {
		return fmt.Errorf("creating the client's Pod: %w", err)
	}
	err := await(ctx, 3*time.Minute, "the client", func(ctx context.Context) (string, bool) {
		if err := d.kube.Get(ctx, client.ObjectKeyFromObject(pod), pod); err != nil {
			return err.Error(), false
		}
		return "its Pod is " + string(pod.Status.Phase), pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
	})
	log, logErr := d.clientset.CoreV1().Pods(namespace).GetLogs(podName, &corev1.PodLogOptions{}).DoRaw(ctx)
	if err != nil || logErr != nil || pod.Status.Phase != corev1.PodSucceeded {
		return fmt.Errorf("sending records failed (%v %v); Pod %s stays, to be looked at:\n%s", err, logErr, podName, log)
	}
	for _, line := range strings.Split(strings.TrimSpace(string(log)), "\n") {
		say("%s", line)
	}
	say("%s, %s", how, seconds(time.Since(begin)))
	return d.removePod(ctx, pod)
}

func (d *demo) removePod(ctx context.Context, pod *corev1.Pod) error {
	key := client.ObjectKeyFromObject(pod)
	if err := d.kube.Delete(ctx, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name}}, client.GracePeriodSeconds(0)); err != nil {
		return client.IgnoreNotFound(err)
	}
	return await(ctx, time.Minute, "the client's Pod to go", func(ctx context.Context) (string, bool) {
		err := d.kube.Get(ctx, key, &corev1.Pod{})
		return "it is still there", err != nil && client.IgnoreNotFound(err) == nil
	})
}

func (d *demo) clientPod(script string) *corev1.Pod {
	const tls, tmp = "tls", "tmp"
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: podName, Labels: map[string]string{label: "true"}},
		Spec: corev1.PodSpec{
			RestartPolicy:                corev1.RestartPolicyNever,
			AutomountServiceAccountToken: ptr.To(false),
			EnableServiceLinks:           ptr.To(false),
			ActiveDeadlineSeconds:        ptr.To[int64](180),
			SecurityContext: &corev1.PodSecurityContext{
				RunAsNonRoot: ptr.To(true), RunAsUser: ptr.To[int64](kafkaUser), RunAsGroup: ptr.To[int64](kafkaUser), FSGroup: ptr.To[int64](kafkaUser),
				SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
			},
			Containers: []corev1.Container{{
				Name:    "client",
				Image:   d.kafkaImage,
				Command: []string{"/bin/sh", "-c", clientScript + script},
				Env: []corev1.EnvVar{
					{Name: "BOOTSTRAP", Value: fmt.Sprintf("%s-bootstrap.%s.svc:9093", clusterName, namespace)},
					{Name: "TOPIC", Value: topic},
					{Name: "RECORDS", Value: strconv.Itoa(records)},
					{Name: "RUN", Value: time.Now().UTC().Format("2006-01-02T15:04:05Z")},
					{Name: "KAFKA_HEAP_OPTS", Value: "-Xmx128m"},
					// These are programs of a few seconds.
					{Name: "KAFKA_JVM_PERFORMANCE_OPTS", Value: "-XX:+UseSerialGC -XX:TieredStopAtLevel=1"},
					{Name: "LOG_DIR", Value: "/tmp/logs"},
				},
				Resources: corev1.ResourceRequirements{
					Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("50m"), corev1.ResourceMemory: resource.MustParse("256Mi")},
					Limits:   corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("512Mi")},
				},
				SecurityContext: &corev1.SecurityContext{
					AllowPrivilegeEscalation: ptr.To(false), ReadOnlyRootFilesystem: ptr.To(true),
					Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
				},
				VolumeMounts: []corev1.VolumeMount{{Name: tls, MountPath: "/tls", ReadOnly: true}, {Name: tmp, MountPath: "/tmp"}},
			}},
			Volumes: []corev1.Volume{
				{Name: tls, VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: clusterName + "-admin"}}},
				{Name: tmp, VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
			},
		},
	}
}
