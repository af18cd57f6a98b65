package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

// show prints the cluster as a user sees it, and what to try next.
func (d *demo) show(ctx context.Context) error {
	fmt.Println()
	commands := []string{
		"-n kafka get kc " + clusterName,
		"-n kafka get pods -o wide -L kafka.koperator.dev/controller,kafka.koperator.dev/broker",
	}
	if d.cruiseControlImage != "" {
		commands = append(commands, "-n kafka get cco")
	}
	for _, args := range commands {
		out, err := d.kubectl(ctx, "", strings.Fields(args)...)
		if err != nil {
			return err
		}
		fmt.Printf("$ kubectl %s\n%s\n", args, out)
	}
	fmt.Print(d.nextSteps())
	return nil
}

func (d *demo) nextSteps() string {
	text := "To try next:\n\n"
	if path := os.Getenv("KUBECONFIG"); path != "" {
		text += fmt.Sprintf("  export KUBECONFIG=%s\n", path)
	}
	return text + fmt.Sprintf(`  kubectl -n %[1]s delete pod %[2]s-101              # it is back in seconds
  kubectl -n %[1]s edit kc %[2]s                     # a property, a disk, one more broker or one less
  kubectl -n %[1]s get cco -w                       # what data moves for it
  kubectl -n %[1]s get kc %[2]s -o yaml              # status.brokers, and status.blockedBy: what waits, for what
  kubectl -n %[1]s get configmap %[2]s-101 -o yaml   # the server.properties of one broker, each line with its reason
  kubectl explain kafkacluster.spec.brokers
  make demo                                      # again: looks, sends records, changes nothing
  make demo-down

`, namespace, clusterName)
}

// pods are the Pods of the demo with what tells one life of a process from the next.
type pods map[string]string

func (d *demo) snapshot(ctx context.Context) (pods, error) {
	list := &corev1.PodList{}
	if err := d.kube.List(ctx, list, client.InNamespace(namespace), client.MatchingLabels{v1beta1.LabelCluster: clusterName}); err != nil {
		return nil, fmt.Errorf("listing the Pods of the demo: %w", err)
	}
	found := pods{}
	for i := range list.Items {
		pod := &list.Items[i]
		restarts := int32(0)
		for _, status := range pod.Status.ContainerStatuses {
			restarts += status.RestartCount
		}
		found[pod.Name] = fmt.Sprintf("%s, %d restarts", pod.UID, restarts)
	}
	return found, nil
}

// compare tells whether this run has restarted anything that ran before it.
func (d *demo) compare(ctx context.Context, before pods) error {
	after, err := d.snapshot(ctx)
	if err != nil {
		return err
	}
	var changed []string
	for _, name := range slices.Sorted(maps.Keys(before)) {
		if before[name] != after[name] {
			changed = append(changed, name)
		}
	}
	took := seconds(time.Since(d.begin))
	switch {
	case len(before) == 0:
		fmt.Printf("The demo took %s.\n", took)
	case len(changed) > 0:
		fmt.Printf("The demo took %s. Restarted since the last one: %s\n", took, strings.Join(changed, ", "))
	default:
		fmt.Printf("The demo took %s. It found the cluster as it was: all %d Pods are the same, and none was restarted.\n", took, len(before))
	}
	return nil
}
