package kafkacluster

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/apis/machinery/grant"
)

// giveBackGrant gives back the grant of an operation that has ended, or does not exist any more: it cannot do so itself.
func (s *scope) giveBackGrant(ctx context.Context) error {
	holder := s.grant.Holder
	if s.grant.IsFree() || holder == grant.BrokerManager {
		return nil
	}
	op := &v1beta1.CruiseControlOperation{}
	err := s.Reader.Get(ctx, client.ObjectKey{Namespace: s.cluster.Namespace, Name: holder}, op)
	switch {
	case apierrors.IsNotFound(err):
	case err != nil:
		return fmt.Errorf("reading operation %s: %w", holder, err)
	case op.Spec.ClusterRef.Name == s.cluster.Name && !op.Status.Phase.IsFinished():
		return nil
	}
	if err := grant.Release(ctx, grant.PastCache(s.Client, s.Reader), nameOf(s.cluster), holder); err != nil {
		return err
	}
	s.event(corev1.EventTypeNormal, "GrantReturned", "Release", "operation %s is over: others may disturb the cluster again", holder)
	return nil
}
