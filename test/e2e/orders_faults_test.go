//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

// Somebody deletes the whole status: it is written again, the cluster is the same one, and nothing is restarted.
func (o *orders) statusIsDeleted(t *testing.T) {
	before := o.lives(t)
	claims := o.claims(t)
	clusterID := o.mustGet(t).Status.ClusterID
	o.deleteStatus(t)
	waitFor(t, 30*time.Second, "status to be written again", o.isReady)
	if id := o.mustGet(t).Status.ClusterID; id != clusterID {
		t.Errorf("the cluster id was %s and is %s now", clusterID, id)
	}
	// What it might do wrong, it would do in its next passes.
	holds(t, 5*time.Second, "that nothing changes", o.isReady)
	o.requireSameLives(t, before)
	if now := o.claims(t); !maps.Equal(now, claims) {
		t.Errorf("the claims were %v and are %v now", claims, now)
	}
}

func (o *orders) deleteStatus(t *testing.T) {
	t.Helper()
	kc := o.mustGet(t)
	if err := kube.Status().Patch(t.Context(), kc, client.RawPatch(types.MergePatchType, []byte(`{"status":null}`))); err != nil {
		t.Fatalf("deleting status: %v", err)
	}
	if kc.Status.ClusterID != "" || len(kc.Status.Brokers) > 0 {
		t.Fatalf("status was not deleted: %+v", kc.Status)
	}
}

// A new version of broker-manager that wants the same restarts nothing. That it has made a pass shows when it writes the
// status that was deleted meanwhile.
func (o *orders) operatorIsUpgraded(t *testing.T) {
	before := o.lives(t)
	old, err := managerPod(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	changeManager(t, func(d *appsv1.Deployment) {
		if d.Spec.Template.Labels == nil {
			d.Spec.Template.Labels = map[string]string{}
		}
		d.Spec.Template.Labels[v1beta1.LabelVersion] = fmt.Sprintf("next-%d", time.Now().Unix())
	})
	waitFor(t, 90*time.Second, "the new broker-manager to lead", func(ctx context.Context) (string, bool) {
		seen, leads := managerLeads(ctx)
		leader, err := managerPod(ctx)
		return seen, leads && err == nil && leader.UID != old.UID
	})
	o.deleteStatus(t)
	waitFor(t, 30*time.Second, "the new broker-manager to write status", o.isReady)
	holds(t, 5*time.Second, "that nothing changes", o.isReady)
	o.requireSameLives(t, before)
}

// A broker's process dies. Kubernetes starts it again in its place, with nobody's help, and it finds its data.
func (o *orders) brokerProcessIsKilled(t *testing.T) {
	const victim = 100
	before := o.lives(t)
	tr := o.trafficOn(t, "process-is-killed")
	withoutManager(t, func() {
		pod := o.pod(t, victim)
		old, err := kafkaRuns(pod.Name)
		if err != nil || len(old) != 1 {
			t.Fatalf("wanted one Kafka process in Pod %s, found %v (%v)", pod.Name, old, err)
		}
		killProcess(t, pod, "kafka", "kafka.Kafka")
		running := waitFor(t, 30*time.Second, "a new Kafka process", func(context.Context) (string, bool) {
			now, err := kafkaRuns(pod.Name)
			return fmt.Sprintf("processes %v, %v", now, err), len(now) == 1 && !slices.Contains(now, old[0])
		})
		ready := running + waitFor(t, time.Minute, "the broker to be ready", func(context.Context) (string, bool) {
			pod := o.pod(t, victim)
			return describePod(pod), podIsReady(pod) && lifeOf(pod).restarts == before[victim].restarts+1
		})
		t.Logf("SPEED: from the crash of a broker to its process running again: %s, to serving again: %s", seconds(running), seconds(ready))
		if running > 5*time.Second {
			t.Logf("this is more than the 5 s that are aimed at")
		}
	})
	o.requireSameLives(t, before, victim)
	if now := o.lives(t)[victim]; now.pod != before[victim].pod {
		t.Error("the Pod was replaced: a crash is repaired in place")
	}
	waitInSync(t, o.kafka, tr.topic)
	tr.end(t, o.cluster)
}

// A broker's Pod is deleted: it comes back with the same id, name, address and data.
func (o *orders) podIsDeleted(t *testing.T) {
	const victim = 101
	before, claims := o.lives(t), o.claims(t)
	tr := o.trafficOn(t, "pod-is-deleted")
	pod := o.pod(t, victim)
	if err := kube.Delete(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
	took := waitFor(t, 90*time.Second, "a new Pod to be ready", func(ctx context.Context) (string, bool) {
		now := &corev1.Pod{}
		if err := kube.Get(ctx, client.ObjectKeyFromObject(pod), now); err != nil {
			return err.Error(), false
		}
		return describePod(now), now.UID != pod.UID && podIsReady(now)
	})
	t.Logf("from the deletion of a Pod to a new one that serves: %s", seconds(took))
	o.waitReady(t, time.Minute)
	o.requireSameLives(t, before, victim)
	if now := o.claims(t); !maps.Equal(now, claims) {
		t.Errorf("the claims were %v and are %v now", claims, now)
	}
	waitInSync(t, o.kafka, o.ledger.topic)
	tr.end(t, o.cluster)
}

// Nodes of Kubernetes are drained with evictions: one broker and one controller may go at a time, and no more.
func (o *orders) podsAreEvicted(t *testing.T) {
	before := o.lives(t)
	tr := o.trafficOn(t, "pods-are-evicted")
	for _, kind := range [][]int32{ordersControllers, ordersBrokers} {
		allowed, refused := kind[2], kind[:2]
		waitFor(t, 30*time.Second, fmt.Sprintf("the eviction of %d to be allowed", allowed), func(ctx context.Context) (string, bool) {
			err := o.evict(ctx, allowed)
			return fmt.Sprint(err), err == nil
		})
		for _, id := range refused {
			if err := o.evict(t.Context(), id); !apierrors.IsTooManyRequests(err) {
				t.Errorf("the eviction of %d while %d is down: %v; wanted: TooManyRequests", id, allowed, err)
			}
		}
	}
	for _, id := range []int32{2, 102} {
		waitFor(t, 90*time.Second, fmt.Sprintf("%d to be back", id), func(context.Context) (string, bool) {
			pod := o.podList(t)[id]
			if pod == nil {
				return "no Pod", false
			}
			return describePod(pod), pod.UID != before[id].pod && podIsReady(pod)
		})
	}
	o.requireSameLives(t, before, 2, 102)
	o.waitReady(t, time.Minute)
	waitInSync(t, o.kafka, tr.topic)
	tr.end(t, o.cluster)
}

func (o *orders) evict(ctx context.Context, id int32) error {
	name := metav1.ObjectMeta{Namespace: o.namespace, Name: fmt.Sprintf("%s-%d", o.name, id)}
	return kube.SubResource("eviction").Create(ctx, &corev1.Pod{ObjectMeta: name}, &policyv1.Eviction{ObjectMeta: name})
}

// A node of Kubernetes is cut off the network: what runs on it runs on, and nobody can see that. It is not replaced,
// because that proves nothing, and once the node is back, its broker and controller are members again.
func (o *orders) nodeIsCutOff(t *testing.T) {
	node, lost := o.nodeToLose(t)
	before := o.lives(t)
	tr := o.trafficOn(t, "node-is-cut-off")
	o.cutNode(t, node)
	for _, id := range lost {
		o.waitLost(t, id, node)
	}
	tr.waitForMore(t, time.Minute, "with a node cut off")
	fault(t, "heal-node", node)
	took := o.waitReady(t, 2*time.Minute)
	t.Logf("from the network being back to all six Ready: %s", seconds(took))
	o.requireSameLives(t, before)
	waitInSync(t, o.kafka, tr.topic)
	tr.end(t, o.cluster)
}

// waitLost waits until status says of a Kafka node that its Kubernetes node does not answer.
func (o *orders) waitLost(t *testing.T, id int32, node string) {
	t.Helper()
	status := o.waitBroker(t, id, 90*time.Second, "reported with its node", func(status v1beta1.BrokerStatus) bool {
		healthy := healthOf(status)
		return healthy.Status == metav1.ConditionFalse && strings.Contains(healthy.Message, node)
	})
	t.Logf("%d: %s: %s", id, healthOf(status).Reason, healthOf(status).Message)
}

// A node of Kubernetes loses its power, with a broker and a controller on it. Kafka goes on with what is left, status
// says which node does not answer, and when the power is back everything is as it was.
func (o *orders) nodeLosesPower(t *testing.T) {
	node, lost := o.nodeToLose(t)
	before, claims := o.lives(t), o.claims(t)
	tr := o.trafficOn(t, "node-loses-power")
	o.killNode(t, node)
	stall := tr.waitForMore(t, time.Minute, "with the node dead")
	t.Logf("Kafka served again %s after the node had died", seconds(stall))
	for _, id := range lost {
		o.waitLost(t, id, node)
	}
	kc := o.mustGet(t)
	if ready := conditionOf(kc, v1beta1.ConditionReady); ready.Status != metav1.ConditionFalse {
		t.Errorf("the cluster is Ready (%s) with a dead node", ready.Message)
	}
	if !slices.ContainsFunc(kc.Status.BlockedBy, func(b v1beta1.BlockedBy) bool { return strings.Contains(b.Message, node) }) {
		t.Errorf("status.blockedBy does not name %s: %+v", node, kc.Status.BlockedBy)
	}
	// Brokers may be fenced for a moment while they look for the new active controller.
	tr.waitForMore(t, time.Minute, "all the while")

	fault(t, "heal-node", node)
	took := o.waitReady(t, 3*time.Minute)
	t.Logf("from the power being back to all six Ready: %s", seconds(took))
	o.requireSameLives(t, before, lost...)
	if now := o.claims(t); !maps.Equal(now, claims) {
		t.Errorf("the claims were %v and are %v now", claims, now)
	}
	waitInSync(t, o.kafka, tr.topic)
	tr.end(t, o.cluster)
}

// nodeToLose picks the node of the active controller, if broker-manager itself runs elsewhere, and says who else is on it.
func (o *orders) nodeToLose(t *testing.T) (string, []int32) {
	t.Helper()
	manager, err := managerPod(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	pods := o.podList(t)
	chosen := pods[activeController(t, o.kafka)].Spec.NodeName
	for _, id := range ordersBrokers {
		if chosen == manager.Spec.NodeName {
			chosen = pods[id].Spec.NodeName
		}
	}
	t.Logf("broker-manager runs on %s", manager.Spec.NodeName)
	return chosen, whoRunsOn(t, pods, chosen)
}

func whoRunsOn(t *testing.T, pods map[int32]*corev1.Pod, node string) []int32 {
	t.Helper()
	var ids []int32
	for _, id := range sorted(pods) {
		if pods[id].Spec.NodeName == node {
			ids = append(ids, id)
		}
	}
	t.Logf("%v run on %s", ids, node)
	return ids
}

// The node dies that broker-manager itself runs on: its other replica takes over. Then somebody declares that the node is
// down for good: only now are its Pods replaced, because only now it is sure that their processes do not run.
func (o *orders) nodeIsOutOfService(t *testing.T) {
	manager, err := managerPod(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	name := manager.Spec.NodeName
	before, lost := o.lives(t), whoRunsOn(t, o.podList(t), name)
	o.killNode(t, name)
	for _, id := range lost {
		o.waitLost(t, id, name)
	}
	o.requireSameLives(t, before)

	o.undo = append(o.undo, func() { _ = o.taintNow(context.Background(), name, false) })
	o.taint(t, name, true)
	waitFor(t, time.Minute, "the Pods of the lost node to be replaced", func(ctx context.Context) (string, bool) {
		list := &corev1.PodList{}
		if err := kube.List(ctx, list, o.inNamespace(), o.ours()); err != nil {
			return err.Error(), false
		}
		replaced := 0
		var seen []string
		for i := range list.Items {
			if id, _ := idOf(&list.Items[i]); slices.Contains(lost, id) {
				seen = append(seen, describePod(&list.Items[i]))
				if list.Items[i].UID != before[id].pod {
					replaced++
				}
			}
		}
		return strings.Join(seen, "; "), replaced == len(lost)
	})
	o.waitEvent(t, "the Pods that were force-deleted", func(e *eventsv1.Event) bool {
		return e.Reason == "ForceDeleted" && strings.Contains(e.Note, name)
	})

	fault(t, "heal-node", name)
	o.taint(t, name, false)
	took := o.waitReady(t, 3*time.Minute)
	t.Logf("from the power being back to all six Ready: %s", seconds(took))
	o.requireSameLives(t, before, lost...)
}

func (o *orders) taint(t *testing.T, node string, on bool) {
	t.Helper()
	if err := o.taintNow(t.Context(), node, on); err != nil {
		t.Fatal(err)
	}
}

// taintNow declares a node out of service, or takes that back.
func (o *orders) taintNow(ctx context.Context, node string, on bool) error {
	taint := "node.kubernetes.io/out-of-service=nodeshutdown:NoExecute"
	if !on {
		taint += "-"
	}
	_, err := kubectl(ctx, "taint", "node", node, taint)
	return err
}
