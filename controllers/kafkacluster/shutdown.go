package kafkacluster

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	kafkaac "koperator.dev/koperator/apis/kafka/v1beta1/applyconfiguration/kafka/v1beta1"
)

// registerFinalizer makes the deletion of a KafkaCluster wait for an orderly stop. Without it the garbage collector
// would stop everything at once, and a broker that finds no controller takes five minutes to stop.
func (s *scope) registerFinalizer(ctx context.Context) error {
	for _, finalizer := range s.cluster.Finalizers {
		if finalizer == v1beta1.FinalizerShutdown {
			return nil
		}
	}
	return s.applyFinalizers(ctx, v1beta1.FinalizerShutdown)
}

func (s *scope) applyFinalizers(ctx context.Context, finalizers ...string) error {
	wanted := kafkaac.KafkaCluster(s.cluster.Name, s.cluster.Namespace).WithUID(s.cluster.UID).WithFinalizers(finalizers...)
	_, err := s.memory.apply.Apply(ctx, wanted, nil)
	return err
}

// shutDown stops brokers before controllers, and then lets the KafkaCluster go. The garbage collector deletes what it
// owns; retained claims and the CA have no owner.
func (s *scope) shutDown(ctx context.Context) (reconcile.Result, error) {
	for _, stage := range []func(*member) bool{
		func(m *member) bool { return m.broker && !m.controller },
		func(*member) bool { return true },
	} {
		left, err := s.stopAll(ctx, stage)
		if err != nil {
			return reconcile.Result{}, err
		}
		if left > 0 {
			return reconcile.Result{RequeueAfter: whileWorking}, nil
		}
	}
	if err := s.releaseVolumes(ctx); err != nil {
		return reconcile.Result{}, err
	}
	if err := s.applyFinalizers(ctx); err != nil && !isExpected(err) {
		return reconcile.Result{}, err
	}
	return reconcile.Result{}, nil
}

// stopAll stops the Pods of the members it is told, and counts those that are still there.
func (s *scope) stopAll(ctx context.Context, which func(*member) bool) (left int, err error) {
	for _, m := range s.members {
		if m.pod == nil || !which(m) {
			continue
		}
		left++
		switch {
		case m.pod.DeletionTimestamp.IsZero():
			err = s.deletePod(ctx, m.pod)
		case s.isProvenDead(m.pod):
			err = s.forceDelete(ctx, m)
		}
		if err != nil {
			return left, err
		}
	}
	return left, nil
}

// releaseVolumes makes the claims' owners what the policy says now, also if it was changed a moment before the deletion.
func (s *scope) releaseVolumes(ctx context.Context) error {
	if err := s.claimVolumes(ctx); err != nil {
		return err
	}
	return s.ensureAuthority(ctx)
}

// deletePod asks a Pod to stop; the kubelet gives Kafka its grace period. The precondition keeps a stale cache from
// stopping a Pod that has meanwhile been made anew.
func (s *scope) deletePod(ctx context.Context, pod *corev1.Pod) error {
	if err := s.client.Delete(ctx, pod, client.Preconditions{UID: &pod.UID}); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("deleting pod %s: %w", pod.Name, err)
	}
	return nil
}

// isProvenDead tells whether it is certain that no process of a Pod runs any more: its Node does not exist, or somebody
// has declared it out of service. A Node that merely does not answer proves nothing.
func (s *scope) isProvenDead(pod *corev1.Pod) bool {
	if pod.Spec.NodeName == "" {
		return true
	}
	node := s.nodes[pod.Spec.NodeName]
	return node == nil || isOutOfService(node)
}

func (s *scope) forceDelete(ctx context.Context, m *member) error {
	now := client.GracePeriodSeconds(0)
	if err := s.client.Delete(ctx, m.pod, now, client.Preconditions{UID: &m.pod.UID}); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("force-deleting pod %s: %w", m.pod.Name, err)
	}
	s.event(corev1.EventTypeWarning, "ForceDeleted", "Repair", "%s: its node %s is gone or out of service, so its Pod %s was deleted without waiting for the node", m.title(), m.pod.Spec.NodeName, m.pod.Name)
	return nil
}
