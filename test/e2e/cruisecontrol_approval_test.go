//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

// An operation comes from a file, as from Git, and waits for a person. What it would do is shown. When the cluster changes
// before it is approved, the approval of the old plan moves nothing, and the new plan is shown; approved, it is executed.
func (d *depot) operationFromGitIsApproved(t *testing.T) {
	const name = "even-out"
	ids := d.brokerIDs(t)
	d.skewedTopic(t, "skewed", 6, ids[0], ids[1])
	watch := d.watchOperations(t)
	d.applyRebalance(t, name, "")
	first := watch.waitPhase(t, 2*time.Minute, name, v1beta1.OperationAwaitingApproval)
	d.requireProposal(t, first)

	others := d.replicasOn(t, ids[2:]...)
	d.skewedTopic(t, "skewed-more", 12, ids[0], ids[1])
	// As long as it takes Cruise Control to look at the cluster again.
	holds(t, 11*time.Second, "that nothing moves", func(ctx context.Context) (string, bool) {
		now, err := countReplicas(ctx, d.kafka, ids[2:]...)
		return fmt.Sprintf("replicas %v, were %v, %v", now, others, err), err == nil && maps.Equal(now, others)
	})
	placed := d.replicasOn(t, ids...)
	d.applyRebalance(t, name, first.Status.Proposal.Hash)
	second := watch.wait(t, 2*time.Minute, v1beta1.Rebalance, "to ask again", func(op *v1beta1.CruiseControlOperation) bool {
		return op.Status.Phase == v1beta1.OperationAwaitingApproval && op.Status.Proposal.Hash != first.Status.Proposal.Hash
	})
	d.requireProposal(t, second)
	if sent := d.standIn.tasks(t); len(sent) > 0 {
		t.Errorf("something was executed before it was approved: %v", sent)
	}

	d.applyRebalance(t, name, second.Status.Proposal.Hash)
	done := watch.waitPhase(t, 3*time.Minute, name, v1beta1.OperationSucceeded)
	d.standIn.requireAttempts(t, done)
	now := d.replicasOn(t, ids...)
	if spread(now) >= spread(placed) {
		t.Errorf("replicas are on the brokers as unevenly as before: %v, and were %v", now, placed)
	}
	t.Logf("replicas by broker before and after: %v, %v", placed, now)
	deleteTopic(t, d.kafka, "skewed")
	deleteTopic(t, d.kafka, "skewed-more")
}

// applyRebalance applies the file, with the hash of the plan that is approved.
func (d *depot) applyRebalance(t *testing.T, name, approved string) {
	t.Helper()
	manifest := fmt.Sprintf(`apiVersion: kafka.koperator.dev/v1beta1
kind: CruiseControlOperation
metadata: {name: %s, namespace: %s}
spec:
  clusterRef: {name: %s}
  type: Rebalance
  approval: {mode: Manual, approvedProposal: %q}
`, name, d.namespace, d.name, approved)
	if approved == "" {
		manifest = strings.Replace(manifest, `, approvedProposal: ""`, "", 1)
	}
	file := filepath.Join(t.TempDir(), "operation.yaml")
	if err := os.WriteFile(file, []byte(manifest), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := kubectl(t.Context(), "apply", "-f", file); err != nil {
		t.Fatal(err)
	}
}

// requireProposal fails if a person could not see what they approve.
func (d *depot) requireProposal(t *testing.T, op *v1beta1.CruiseControlOperation) {
	t.Helper()
	p := op.Status.Proposal
	if p == nil || !regexp.MustCompile(`^[0-9a-f]{64}$`).MatchString(p.Hash) || p.ReplicaMovements == 0 || p.BalancednessBefore == "" || p.BalancednessAfter == "" {
		t.Fatalf("the proposal is not shown: %+v", p)
	}
	t.Logf("proposal: %d replica movements, %d bytes, balancedness %s to %s, %s", p.ReplicaMovements, p.DataToMove, p.BalancednessBefore, p.BalancednessAfter, p.Hash)
	if err := kube.Get(t.Context(), client.ObjectKey{Namespace: d.namespace, Name: p.Report}, &corev1.ConfigMap{}); err != nil {
		t.Errorf("the report of the proposal: %v", err)
	}
}

// skewedTopic creates a topic with all its replicas on two brokers.
func (d *depot) skewedTopic(t *testing.T, name string, partitions int, one, two int32) {
	t.Helper()
	var assignments [][]int32
	for range partitions {
		assignments = append(assignments, []int32{one, two})
	}
	createTopic(t, d.kafka, name, assignments...)
}

// spread is how many replicas the fullest broker has more than the emptiest one.
func spread(counts map[int32]int) int {
	least, most := -1, 0
	for _, count := range counts {
		if least < 0 || count < least {
			least = count
		}
		most = max(most, count)
	}
	return most - least
}
