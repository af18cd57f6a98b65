package kafkacluster

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/controllers/internal/desired"
	"koperator.dev/koperator/controllers/internal/quorum"
)

// changeQuorum makes the voters those that the spec wants, one change at a time (KIP-853).
func (s *scope) changeQuorum(ctx context.Context) error {
	if s.quorum == nil {
		return nil
	}
	if !s.established && s.quorum.Leader >= 0 {
		// The first start is over. It is written on the claims before anything else can be decided on it.
		s.established = true
		s.event(corev1.EventTypeNormal, "QuorumEstablished", "Start", "the first start is over: controller %d leads %d voters", s.quorum.Leader, len(s.quorum.Voters))
		return s.claimVolumes(ctx)
	}
	plan := quorum.Next(quorum.Facts{Established: s.established, Wanted: s.wantedVoters(), Quorum: s.quorum})
	for _, w := range plan.Waits {
		s.wait("quorum", w.Code, "%s", w.Message)
	}
	if plan.Remove != nil && !s.isReplaced(plan.Remove.ID) {
		if granted, err := s.takeGrant(ctx, "quorum"); err != nil || !granted {
			return err
		}
	}
	switch {
	case plan.Add != nil:
		if err := s.admin.AddVoter(ctx, *plan.Add); err != nil {
			return fmt.Errorf("adding voter %d: %w", plan.Add.ID, err)
		}
		s.event(corev1.EventTypeNormal, "VoterAdded", "Quorum", "controller %d votes now: %s", plan.Add.ID, plan.Reason)
	case plan.Remove != nil:
		if err := s.admin.RemoveVoter(ctx, plan.Remove.ID, plan.Remove.DirectoryID); err != nil {
			return fmt.Errorf("removing voter %d: %w", plan.Remove.ID, err)
		}
		s.event(corev1.EventTypeNormal, "VoterRemoved", "Quorum", "controller %d votes no more: %s", plan.Remove.ID, plan.Reason)
	}
	return nil
}

// isReplaced tells a voter that goes because its node has a new disk and votes with that from then on. To repair the quorum
// waits for nobody. Nor does a voter that is added: it takes nothing away.
func (s *scope) isReplaced(id int32) bool {
	m := s.member(id)
	return m != nil && !m.leaving()
}

func (s *scope) wantedVoters() []quorum.Controller {
	var wanted []quorum.Controller
	for _, m := range s.members {
		if m.controller && !m.leaving() {
			wanted = append(wanted, quorum.Controller{
				ID: m.id, Host: v1beta1.BrokerHost(s.cluster.Namespace, s.cluster.Name, m.id), Port: desired.ControllerPort, Ready: isReady(m.pod),
			})
		}
	}
	return wanted
}
