package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

const (
	// guest is the broker that comes and goes.
	guest = int32(103)
	// movedAnnotation marks a cluster that has seen it: another run of the demo changes nothing.
	movedAnnotation = "koperator.dev/demo-moved"
	demoThrottle    = "1Mi"
)

// addCruiseControl gives the sample the Cruise Control of another sample.
func (d *demo) addCruiseControl(cluster *unstructured.Unstructured) error {
	if d.cruiseControlImage == "" {
		return nil
	}
	content, err := os.ReadFile(filepath.Join(d.root, "config", "samples", "cruise-control.yaml"))
	if err != nil {
		return fmt.Errorf("reading the sample: %w", err)
	}
	sample := map[string]any{}
	if err := yaml.Unmarshal(content, &sample); err != nil {
		return fmt.Errorf("reading the sample: %w", err)
	}
	cruiseControl, _, err := unstructured.NestedMap(sample, "spec", "cruiseControl")
	if err != nil {
		return fmt.Errorf("reading the sample: %w", err)
	}
	cruiseControl["image"] = d.cruiseControlImage
	// Progress is looked at each second, and the throttle lets it take some.
	for _, changed := range [][]string{
		{demoThrottle, "automation", "replicationThrottle"},
		{"1000", "config", "execution.progress.check.interval.ms"},
		{"500", "config", "min.execution.progress.check.interval.ms"},
	} {
		if err := unstructured.SetNestedField(cruiseControl, changed[0], changed[1:]...); err != nil {
			return fmt.Errorf("changing the sample: %w", err)
		}
	}
	// What has moved counts by whole replicas: few at a time show more than all at once.
	if err := unstructured.SetNestedField(cruiseControl, int64(3), "automation", "concurrency", "perBroker"); err != nil {
		return fmt.Errorf("changing the sample: %w", err)
	}
	return unstructured.SetNestedMap(cluster.Object, cruiseControl, "spec", "cruiseControl")
}

// moveData adds a broker and removes it again, and shows how data moves onto it and off it. It does so once in the life of a
// cluster.
func (d *demo) moveData(ctx context.Context) error {
	cluster, err := d.cluster(ctx)
	if err != nil {
		return err
	}
	if cluster.Spec.CruiseControl == nil {
		return nil
	}
	if cluster.Annotations[movedAnnotation] != "" {
		say("an earlier run has shown how data moves: kubectl -n %s get cco", namespace)
		return nil
	}
	if err := d.runClient(ctx, fillScript, "the same, so that there is something to move"); err != nil {
		return err
	}
	if err := d.await(ctx, "Cruise Control to know enough of the load", d.conditionIsTrue(v1beta1.ConditionCruiseControlReady)); err != nil {
		return err
	}
	for _, step := range []struct {
		what   string
		kind   v1beta1.OperationType
		change func(*v1beta1.KafkaCluster)
	}{
		{fmt.Sprintf("one more broker in the spec: {id: %d, group: default}", guest), v1beta1.AddBrokers, invite},
		{fmt.Sprintf("the entry of broker %d is taken out of the spec again", guest), v1beta1.RemoveBrokers, dismiss},
	} {
		begin := time.Now()
		if err := d.change(ctx, step.change); err != nil {
			return err
		}
		say("%s", step.what)
		if err := d.watchOperation(ctx, step.kind); err != nil {
			return err
		}
		say("all data is where it should be, %s", seconds(time.Since(begin)))
	}
	return d.change(ctx, func(cluster *v1beta1.KafkaCluster) {
		metav1.SetMetaDataAnnotation(&cluster.ObjectMeta, movedAnnotation, "true")
	})
}

// invite adds the entry of a broker, unless an interrupted run has done so.
func invite(cluster *v1beta1.KafkaCluster) {
	if i := slices.IndexFunc(cluster.Spec.Brokers, isGuest); i < 0 {
		cluster.Spec.Brokers = append(cluster.Spec.Brokers, v1beta1.Broker{ID: guest, Group: "default"})
	}
}

func dismiss(cluster *v1beta1.KafkaCluster) {
	cluster.Spec.Brokers = slices.DeleteFunc(cluster.Spec.Brokers, isGuest)
}

func isGuest(b v1beta1.Broker) bool { return b.ID == guest }

func (d *demo) cluster(ctx context.Context) (*v1beta1.KafkaCluster, error) {
	cluster := &v1beta1.KafkaCluster{}
	if err := d.kube.Get(ctx, client.ObjectKey{Namespace: namespace, Name: clusterName}, cluster); err != nil {
		return nil, fmt.Errorf("reading the KafkaCluster: %w", err)
	}
	return cluster, nil
}

// change changes the KafkaCluster as `kubectl edit` would.
func (d *demo) change(ctx context.Context, change func(*v1beta1.KafkaCluster)) error {
	err := retry.RetryOnConflict(retry.DefaultRetry, func() error {
		cluster, err := d.cluster(ctx)
		if err != nil {
			return err
		}
		change(cluster)
		return d.kube.Update(ctx, cluster)
	})
	if err != nil {
		return fmt.Errorf("changing the KafkaCluster: %w", err)
	}
	return nil
}

// await waits for something about the cluster.
func (d *demo) await(ctx context.Context, what string, is func(*v1beta1.KafkaCluster) (string, bool)) error {
	return await(ctx, limit, what, func(ctx context.Context) (string, bool) {
		cluster, err := d.cluster(ctx)
		if err != nil {
			return err.Error(), false
		}
		return is(cluster)
	})
}

func (d *demo) conditionIsTrue(kind string) func(*v1beta1.KafkaCluster) (string, bool) {
	return func(cluster *v1beta1.KafkaCluster) (string, bool) { return hasCondition(cluster, kind) }
}

func hasCondition(cluster *v1beta1.KafkaCluster, kind string) (string, bool) {
	condition := meta.FindStatusCondition(cluster.Status.Conditions, kind)
	if condition == nil {
		return "there is no condition " + kind + " yet", false
	}
	return condition.Reason + ": " + condition.Message,
		condition.Status == metav1.ConditionTrue && condition.ObservedGeneration == cluster.Generation
}

// operations are those of the demo's cluster, the oldest first.
func (d *demo) operations(ctx context.Context) ([]v1beta1.CruiseControlOperation, error) {
	list := &v1beta1.CruiseControlOperationList{}
	err := d.kube.List(ctx, list, client.InNamespace(namespace))
	if meta.IsNoMatchError(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("listing operations: %w", err)
	}
	ours := slices.DeleteFunc(list.Items, func(op v1beta1.CruiseControlOperation) bool { return op.Spec.ClusterRef.Name != clusterName })
	slices.SortFunc(ours, func(a, b v1beta1.CruiseControlOperation) int {
		return a.CreationTimestamp.Compare(b.CreationTimestamp.Time)
	})
	return ours, nil
}

// watchOperation shows the newest operation of a type until the cluster has settled, as `kubectl get cco -w` would.
func (d *demo) watchOperation(ctx context.Context, kind v1beta1.OperationType) error {
	view := newView(os.Stdout, time.Now(), usualMove)
	defer view.end()
	return d.await(ctx, "data to move", func(cluster *v1beta1.KafkaCluster) (string, bool) {
		operations, err := d.operations(ctx)
		if err != nil {
			return err.Error(), false
		}
		lines := []line{describeGuest(cluster)}
		seen, finished := "there is no operation yet", false
		for i := range operations {
			if op := &operations[i]; op.Spec.Type == kind {
				lines = []line{describeOperation(op), describeGuest(cluster)}
				seen, finished = lines[0].text, op.Status.Phase.IsFinished()
			}
		}
		view.print(lines, time.Now())
		why, placed := hasCondition(cluster, v1beta1.ConditionDataPlaced)
		settled := len(cluster.Status.Brokers) == len(cluster.Spec.Brokers) && isReady(cluster) && placed
		return seen + "; " + why, finished && settled
	})
}

// describeGuest says where the broker is that comes or goes.
func describeGuest(cluster *v1beta1.KafkaCluster) line {
	for i := range cluster.Status.Brokers {
		if cluster.Status.Brokers[i].ID == guest {
			return describeNode(cluster, &cluster.Status.Brokers[i])
		}
	}
	text := fmt.Sprintf("%s-%d is not there", cluster.Name, guest)
	return line{of: "guest", state: text, text: text}
}

func describeOperation(op *v1beta1.CruiseControlOperation) line {
	text := fmt.Sprintf("%s  %s %v  %s", op.Name, op.Spec.Type, op.Spec.Brokers, op.Status.Phase)
	state := string(op.Status.Phase)
	if s := op.Status.Summary; s != nil {
		for _, part := range []string{s.Progress, s.Moved} {
			if part != "" {
				text += "  " + part
			}
		}
		if s.ETA != "" {
			text += "  ETA " + s.ETA
		}
		if s.Message != "" && !op.Status.Phase.IsFinished() {
			text += "  (" + strings.TrimSpace(s.Message) + ")"
		}
		state += s.Progress
	}
	return line{of: op.Name, state: state, text: text}
}
