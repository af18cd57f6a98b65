package kafkacluster

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/apis/machinery/grant"
	"koperator.dev/koperator/controllers/internal/desired"
	"koperator.dev/koperator/controllers/internal/rollout"
)

// +kubebuilder:rbac:groups=coordination.k8s.io,resources=leases,verbs=get;list;watch;create;update

// reasonDisruption is why what would disturb the cluster waits: something else does already.
const reasonDisruption = "Disruption"

// takeGrant tells whether the cluster may be disturbed by what is named; if not, it is reported as waiting.
func (s *scope) takeGrant(ctx context.Context, what string) (bool, error) {
	if s.grant.IsFree() || s.isOurs(s.grant) {
		taken, err := grant.Take(ctx, grant.PastCache(s.client, s.reader), grant.Request{
			Cluster: s.name(), Labels: desired.ClusterLabels(s.cluster), Owner: s.owner(), Holder: grant.BrokerManager, What: what,
		}, s.now)
		if err != nil {
			return false, err
		}
		s.grant = taken
	}
	if s.isOurs(s.grant) {
		s.grantUsed = true
		return true, nil
	}
	s.wait(what, reasonDisruption, "%s disturbs the cluster since %s (%s); one thing does at a time", s.grant.Holder, s.grant.Since.UTC().Format(time.RFC3339), s.grant.What)
	return false, nil
}

func (s *scope) isOurs(g grant.Grant) bool { return g.Holder == grant.BrokerManager }

// giveBack lets others disturb the cluster once nothing that this program stopped is away any more. What it holds after a
// crash is found out in the same way.
func (s *scope) giveBack(ctx context.Context) error {
	if !s.isOurs(s.grant) || s.grantUsed || s.kafkaCluster == nil || s.anyStopped() {
		return nil
	}
	if fresh, err := s.podsAreAsSeen(ctx); err != nil || !fresh {
		return err
	}
	if err := grant.Release(ctx, grant.PastCache(s.client, s.reader), s.name(), grant.BrokerManager); err != nil {
		return fmt.Errorf("after %s: %w", s.grant.What, err)
	}
	s.grant = grant.Grant{}
	return nil
}

// anyStopped tells whether a node is on its way back from a restart of ours, or on its way out. One that cannot come back is
// not waited for.
func (s *scope) anyStopped() bool {
	for _, m := range s.members {
		switch {
		case m.leaving() && m.removing && m.pod != nil && !s.machineLost(m.pod):
			return true
		case !m.leaving() && m.isAttempt() && !s.isBroken(m) && (!isReady(m.pod) || s.isFenced(m)):
			return true
		}
	}
	for _, w := range s.plan.Waits {
		if w.Code == rollout.WaitCatchingUp {
			return true
		}
	}
	return false
}

// isAttempt tells whether the node was restarted by this program and is not known to have come back.
func (m *member) isAttempt() bool {
	return m.config != nil && m.config.Annotations[v1beta1.AnnotationAttempt] != ""
}

// disruption is who disturbs the cluster, for status.
func (s *scope) disruption() *v1beta1.Disruption {
	if s.grant.IsFree() {
		return nil
	}
	return &v1beta1.Disruption{Holder: s.grant.Holder, What: shorten(s.grant.What), Since: metav1.NewTime(s.grant.Since.Truncate(time.Second))}
}

func (s *scope) owner() metav1.OwnerReference {
	return metav1.OwnerReference{
		APIVersion: v1beta1.GroupVersion.String(), Kind: "KafkaCluster", Name: s.cluster.Name, UID: s.cluster.UID,
		Controller: ptr.To(true), BlockOwnerDeletion: ptr.To(true),
	}
}
