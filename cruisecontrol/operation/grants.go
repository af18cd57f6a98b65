package operation

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/apis/machinery/grant"
	"koperator.dev/koperator/cruisecontrol/operation/machine"
)

// +kubebuilder:rbac:groups=coordination.k8s.io,resources=leases,verbs=get;create;update

// takeGrant takes the grant of the cluster, if nobody else has it.
func (s *scope) takeGrant(ctx context.Context, a machine.TakeGrant) (machine.Answer, error) {
	if s.cluster == nil {
		return machine.Answer{Err: errNoCluster}, nil
	}
	g, err := grant.Take(ctx, grant.PastCache(s.client, s.reader), grant.Request{
		Cluster: s.clusterName(),
		Labels:  map[string]string{v1beta1.LabelCluster: s.cluster.Name},
		Owner: metav1.OwnerReference{
			APIVersion: v1beta1.GroupVersion.String(), Kind: "KafkaCluster", Name: s.cluster.Name, UID: s.cluster.UID,
			Controller: ptr.To(true), BlockOwnerDeletion: ptr.To(true),
		},
		Holder: s.op().Name, What: a.What,
	}, s.clock.Now())
	if err != nil {
		return machine.Answer{}, err
	}
	s.facts.Granted = g.Holder == s.op().Name
	s.facts.Released = false
	s.memory.of(s.op()).granted = s.facts.Granted
	return machine.Answer{Grant: g}, nil
}

// releaseGrant gives it back.
func (s *scope) releaseGrant(ctx context.Context) error {
	if err := grant.Release(ctx, grant.PastCache(s.client, s.reader), s.clusterName(), s.op().Name); err != nil {
		return err
	}
	s.facts.Granted, s.facts.Released = false, true
	s.memory.of(s.op()).granted = false
	return nil
}
