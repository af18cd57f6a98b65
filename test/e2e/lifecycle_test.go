//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

// A KafkaCluster is deleted and made again. With Retain it is the same Kafka cluster with the same records; with Delete
// nothing is left, and it is a new one. Both times brokers stop before controllers. It runs the older version of Kafka.
func TestDeletionKeepsOrDeletesData(t *testing.T) {
	t.Parallel()
	namespace := newNamespace(t)
	spec := alone(oldVersion(newCluster("phoenix", namespace, node(0, controllers), node(100, brokers))))
	first := create(t, spec)
	first.waitReady(t, 4*time.Minute)
	first.keepLedger(t, 3, 1)
	id, claims := first.mustGet(t).Status.ClusterID, first.claims(t)
	if id == "" || len(claims) != 2 {
		t.Fatalf("wanted a cluster id and two claims; got %q and %v", id, sorted(claims))
	}

	first.deleteAndWatch(t)
	if left := first.claims(t); !slices.Equal(sorted(left), sorted(claims)) {
		t.Fatalf("the policy is Retain; the claims were %v and are %v", sorted(claims), sorted(left))
	}

	second := create(t, spec)
	second.waitReady(t, 4*time.Minute)
	if now := second.mustGet(t).Status.ClusterID; now != id {
		t.Errorf("the cluster id was %s and is %s", id, now)
	}
	if now := kafkaClusterID(t, second.dial(t)); now != id {
		t.Errorf("the cluster id was %s, and Kafka says %s", id, now)
	}
	first.ledger.verify(t, second)

	second.change(t, func(spec *v1beta1.KafkaClusterSpec) { spec.VolumeDeletionPolicy = v1beta1.DeleteVolumes })
	second.deleteAndWatch(t)
	second.waitNothingLeft(t)

	third := create(t, spec)
	third.waitReady(t, 4*time.Minute)
	cl := third.dial(t)
	if now := kafkaClusterID(t, cl); now == id || now != third.mustGet(t).Status.ClusterID {
		t.Errorf("Kafka says the cluster id is %s, status says %s; the deleted cluster had %s", now, third.mustGet(t).Status.ClusterID, id)
	}
	topics, err := kadm.NewClient(cl).ListTopics(t.Context(), first.ledger.topic)
	if err = errors.Join(err, topics.Error()); !errors.Is(err, kerr.UnknownTopicOrPartition) {
		t.Errorf("the topic of the deleted cluster is still there: %v, %v", topics, err)
	}
}

// deleteAndWatch deletes the KafkaCluster and waits until it and its Pods are gone, controllers last.
func (c *cluster) deleteAndWatch(t *testing.T) {
	t.Helper()
	watch := c.observe(t)
	if err := kube.Delete(t.Context(), c.mustGet(t)); err != nil {
		t.Fatal(err)
	}
	took := waitFor(t, 2*time.Minute, "the KafkaCluster and its Pods to be gone", func(ctx context.Context) (string, bool) {
		_, err := c.get(ctx)
		_, _, gone, _ := watch.story()
		return fmt.Sprintf("Pods gone: %v; KafkaCluster: %v", gone, err), apierrors.IsNotFound(err) && len(gone) == 2
	})
	down, _, gone, _ := watch.story()
	if !slices.Equal(gone, []int32{100, 0}) || !slices.Equal(down, []int32{100, 0}) {
		t.Errorf("the controller must stop after the broker; %v", watch)
	}
	t.Logf("deleted in %s", seconds(took))
}

// waitNothingLeft waits until the namespace holds no trace of the cluster.
func (c *cluster) waitNothingLeft(t *testing.T) {
	t.Helper()
	waitFor(t, time.Minute, "everything of the cluster to be gone", func(ctx context.Context) (string, bool) {
		var left []string
		for _, list := range []client.ObjectList{
			&corev1.PodList{}, &corev1.PersistentVolumeClaimList{}, &corev1.ConfigMapList{}, &corev1.SecretList{}, &corev1.ServiceList{}, &corev1.ServiceAccountList{},
		} {
			if err := kube.List(ctx, list, c.inNamespace(), c.ours()); err != nil {
				return err.Error(), false
			}
			left = append(left, namesOf(list)...)
		}
		return strings.Join(left, ", "), len(left) == 0
	})
}

// broker-manager dies just when it has made the first Pods. It comes back, and there is one cluster, and not two halves.
func TestManagerIsKilledDuringCreation(t *testing.T) {
	t.Parallel()
	namespace := newNamespace(t)
	manager, err := managerPod(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c := create(t, alone(newCluster("interrupted", namespace,
		node(0, controllers), node(1, controllers), node(2, controllers), node(100, brokers))))
	waitFor(t, 30*time.Second, "the first Pods", func(context.Context) (string, bool) {
		pods := len(c.podList(t))
		return fmt.Sprintf("%d Pods", pods), pods > 0
	})
	killProcess(t, manager, managerName, managerName)
	t.Logf("Pods at the moment of death: %v", sorted(c.podList(t)))
	c.waitReady(t, 4*time.Minute)

	if pods := sorted(c.podList(t)); !slices.Equal(pods, []int32{0, 1, 2, 100}) {
		t.Errorf("the nodes with Pods are %v", pods)
	}
	cl := c.dial(t)
	id := kafkaClusterID(t, cl)
	if status := c.mustGet(t).Status.ClusterID; status != id {
		t.Errorf("status.clusterID is %s, and Kafka says %s", status, id)
	}
	list := &corev1.PersistentVolumeClaimList{}
	if err := kube.List(t.Context(), list, c.inNamespace(), c.ours()); err != nil {
		t.Fatal(err)
	}
	for i := range list.Items {
		if claimed := list.Items[i].Annotations[v1beta1.AnnotationClusterID]; claimed != id {
			t.Errorf("claim %s is of the cluster %q, and Kafka says %s", list.Items[i].Name, claimed, id)
		}
	}
	if len(list.Items) != 4 {
		t.Errorf("there are %d claims, wanted 4", len(list.Items))
	}
	var voters []int32
	for _, voter := range describeQuorum(t, cl).CurrentVoters {
		voters = append(voters, voter.ReplicaID)
	}
	if slices.Sort(voters); !slices.Equal(voters, []int32{0, 1, 2}) {
		t.Errorf("the voters are %v", voters)
	}
	c.keepLedger(t, 1, 1)
	c.ledger.verify(t, c)
}

// Two of three controllers cannot start, so that there is no quorum: the cluster says so, and heals when they can.
func TestQuorumCannotForm(t *testing.T) {
	t.Parallel()
	namespace := newNamespace(t)
	spec := alone(newCluster("headless", namespace,
		node(0, controllers), node(1, controllers), node(2, controllers), node(100, brokers)))
	for i := range spec.Spec.Brokers[:2] {
		spec.Spec.Brokers[i].PodTemplate = withImage(t, "localhost/kafka:no-such-tag")
	}
	c := create(t, spec)
	var kc *v1beta1.KafkaCluster
	waitFor(t, time.Minute, "the missing quorum to be reported", func(ctx context.Context) (string, bool) {
		var err error
		if kc, err = c.get(ctx); err != nil {
			return err.Error(), false
		}
		available := conditionOf(kc, v1beta1.ConditionQuorumAvailable)
		two := brokerStatus(kc, 2)
		return fmt.Sprintf("%s %s: %s; controller 2 is %s", available.Status, available.Reason, available.Message, two.Phase),
			available.Status == metav1.ConditionFalse && strings.Contains(healthOf(brokerStatus(kc, 0)).Message, "no-such-tag")
	})
	t.Logf("reported: %s", conditionOf(kc, v1beta1.ConditionQuorumAvailable).Message)
	if ready := conditionOf(kc, v1beta1.ConditionReady); ready.Status != metav1.ConditionFalse {
		t.Errorf("a cluster without a quorum is Ready: %s", ready.Status)
	}
	for _, id := range []int32{0, 1} {
		c.changeBroker(t, id, func(b *v1beta1.Broker) { b.PodTemplate = nil })
	}
	took := c.waitReady(t, 3*time.Minute)
	t.Logf("from the correction to Ready: %s", seconds(took))
}
