package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/test/clients"
)

const recordsOutside = 100

// addExternalListeners gives the sample the listeners of another sample: one load balancer for clients outside the
// Kubernetes cluster, in both modes. A cluster of the user's own may have no load balancers; the local one has.
func (d *demo) addExternalListeners(cluster *unstructured.Unstructured) error {
	if d.envoyImage == "" {
		return nil
	}
	content, err := os.ReadFile(filepath.Join(d.root, "config", "samples", "external-access.yaml"))
	if err != nil {
		return fmt.Errorf("reading the sample: %w", err)
	}
	sample := &v1beta1.KafkaCluster{}
	if err := yaml.UnmarshalStrict(content, sample); err != nil {
		return fmt.Errorf("reading the sample: %w", err)
	}
	var listeners []any
	for _, l := range sample.Spec.Listeners {
		body, err := yaml.Marshal(l)
		if err != nil {
			return fmt.Errorf("reading the sample: %w", err)
		}
		listener := map[string]any{}
		if err := yaml.Unmarshal(body, &listener); err != nil {
			return fmt.Errorf("reading the sample: %w", err)
		}
		listeners = append(listeners, listener)
	}
	if err := unstructured.SetNestedSlice(cluster.Object, listeners, "spec", "listeners"); err != nil {
		return fmt.Errorf("changing the sample: %w", err)
	}
	return unstructured.SetNestedField(cluster.Object, d.envoyImage, "spec", "envoy", "image")
}

// sendFromOutside runs the command outside where clients are, if it is told how.
func (d *demo) sendFromOutside(ctx context.Context) error {
	program := strings.Fields(os.Getenv("DEMO_OUTSIDE"))
	if len(program) == 0 {
		return nil
	}
	cmd := exec.CommandContext(ctx, program[0], program[1:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = d.root, os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("sending records from outside: %w", err)
	}
	return nil
}

// outside is run outside the Kubernetes cluster: clients of three makers write and read through the load balancer, by
// every listener that there is for them.
func (d *demo) outside(ctx context.Context) error {
	cluster, secret := &v1beta1.KafkaCluster{}, &corev1.Secret{}
	if err := d.kube.Get(ctx, client.ObjectKey{Namespace: namespace, Name: clusterName}, cluster); err != nil {
		return fmt.Errorf("reading the KafkaCluster: %w", err)
	}
	if err := d.kube.Get(ctx, client.ObjectKey{Namespace: namespace, Name: clusterName + "-admin"}, secret); err != nil {
		return fmt.Errorf("reading the administrator's certificate: %w", err)
	}
	dir, err := os.MkdirTemp("", "koperator-demo-")
	if err != nil {
		return fmt.Errorf("making a folder: %w", err)
	}
	defer os.RemoveAll(dir)
	all, err := clients.New(secret.Data, dir, os.Getenv("KAFKA_CLIENT"))
	if err != nil {
		return err
	}
	for _, listener := range cluster.Status.ExternalListeners {
		say("from outside, through the load balancer at %s, which %d proxies serve:", listener.Bootstrap, listener.Proxies)
		for i, c := range all {
			if err := d.writeAndRead(ctx, c, clients.Identity(secret.Data), listener.Bootstrap, fmt.Sprintf("demo-outside-%s-%d", listener.Name, i)); err != nil {
				return fmt.Errorf("%s by listener %s: %w", c.Name, listener.Name, err)
			}
		}
	}
	return nil
}

func (d *demo) writeAndRead(ctx context.Context, c clients.Client, identity clients.Identity, bootstrap, topic string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	config, err := identity.TLS()
	if err != nil {
		return err
	}
	kafka, err := kgo.NewClient(kgo.SeedBrokers(bootstrap), kgo.DialTLSConfig(config), kgo.DisableClientMetrics())
	if err != nil {
		return fmt.Errorf("making a client: %w", err)
	}
	defer kafka.Close()
	admin := kadm.NewClient(kafka)
	if _, err := admin.CreateTopic(ctx, 3, 3, nil, topic); err != nil {
		return fmt.Errorf("creating topic %s: %w", topic, err)
	}
	defer func() { _, _ = admin.DeleteTopic(ctx, topic) }()
	begin := time.Now()
	var lines []string
	for i := range recordsOutside {
		lines = append(lines, fmt.Sprintf("record-%d", i))
	}
	if err := c.Produce(ctx, bootstrap, topic, lines); err != nil {
		return fmt.Errorf("writing: %w", err)
	}
	got, err := c.Consume(ctx, bootstrap, topic, len(lines))
	if err != nil {
		return fmt.Errorf("reading: %w", err)
	}
	for _, line := range lines {
		if !slices.Contains(got, line) {
			return fmt.Errorf("%s was written and not read", line)
		}
	}
	say("  %s wrote and read %d records over mutual TLS, %s", c.Name, len(lines), seconds(time.Since(begin)))
	return nil
}
