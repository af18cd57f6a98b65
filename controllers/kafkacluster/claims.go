package kafkacluster

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/controllers/internal/desired"
)

// claimVolumes makes and grows the claim of every disk. Nothing here deletes one.
func (s *scope) claimVolumes(ctx context.Context) error {
	var failures []error
	for _, m := range s.members {
		if m.foreign != "" {
			continue
		}
		for _, path := range m.paths() {
			if err := s.claimVolume(ctx, m, path); err != nil {
				failures = append(failures, fmt.Errorf("%s of %s: %w", path, m.title(), err))
			}
		}
	}
	return errors.Join(failures...)
}

func (s *scope) claimVolume(ctx context.Context, m *member, path string) error {
	claim, err := s.existingClaim(ctx, m, path)
	if err != nil {
		return err
	}
	if claim != nil && !claim.DeletionTimestamp.IsZero() {
		if !m.inSpec(path) {
			return nil
		}
		s.wait(fmt.Sprintf("%s of %s", path, m.title()), "ClaimTerminating", "claim %s is being deleted; a new one is made when it is gone", claim.Name)
		return nil
	}
	wanted := desired.Claim(s.cluster, s.claimInput(m, path, claim))
	_, err = s.memory.apply.Apply(ctx, wanted, claim)
	return err
}

// existingClaim looks again, past the cache, before a claim is made: what is written on a claim of the first start must
// never be written over by somebody who has not seen it.
func (s *scope) existingClaim(ctx context.Context, m *member, path string) (*corev1.PersistentVolumeClaim, error) {
	if claim := m.claims[path]; claim != nil {
		return claim, nil
	}
	claim := &corev1.PersistentVolumeClaim{}
	err := s.reader.Get(ctx, client.ObjectKey{Namespace: s.cluster.Namespace, Name: desired.ClaimName(s.cluster.Name, m.id, path)}, claim)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading claim: %w", err)
	}
	if claim.Labels[v1beta1.LabelCluster] != s.cluster.Name {
		return nil, fmt.Errorf("claim %s exists and belongs to somebody else: it has no label %s=%s", claim.Name, v1beta1.LabelCluster, s.cluster.Name)
	}
	return claim, nil
}

// claimInput asks for what the spec wants, and never for less than the claim has: one that somebody else has grown is
// left at its size.
func (s *scope) claimInput(m *member, path string, claim *corev1.PersistentVolumeClaim) desired.ClaimInput {
	input := desired.ClaimInput{ID: m.id, Roles: m.roles(), Path: path, ClusterID: s.clusterID, QuorumEstablished: s.established}
	if m.controller {
		input.InitialControllers = s.initialControllers
	}
	if m.node != nil {
		for _, storage := range m.node.Storage {
			if storage.Path == path {
				input.Size, input.StorageClassName = storage.Size, storage.StorageClassName
			}
		}
	}
	if claim != nil {
		input.StorageClassName = claim.Spec.StorageClassName
		if has := claim.Spec.Resources.Requests[corev1.ResourceStorage]; has.Cmp(input.Size) > 0 {
			input.Size = has
		}
		if voters := claim.Annotations[v1beta1.AnnotationInitialControllers]; voters != "" {
			input.InitialControllers = voters
		}
		if claim.Annotations[v1beta1.AnnotationQuorumEstablished] == "true" {
			input.QuorumEstablished = true
		}
	}
	return input
}
