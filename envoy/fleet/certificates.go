package fleet

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"koperator.dev/koperator/apis/machinery/pki"
	"koperator.dev/koperator/envoy/fleet/objects"
	"koperator.dev/koperator/envoy/xds"
)

// Secrets are read by name and never listed: nobody has to be given the right to read all of them. These rights are
// granted for each namespace that has a KafkaCluster (config/rbac).
// +kubebuilder:rbac:groups="",roleName=koperator-envoy-manager-secrets,resources=secrets,verbs=get;create;patch;delete

// issueCertificates makes the certificate of each fleet, and makes again those that do not fit any more.
func (s *scope) issueCertificates(ctx context.Context) error {
	if len(s.fleets) == 0 {
		return nil
	}
	authority := s.Authority.current()
	if authority == nil {
		return errNoAuthority
	}
	var failures []error
	for _, fleet := range s.fleets {
		failures = append(failures, s.ensureCertificate(ctx, fleet, authority))
	}
	return errors.Join(failures...)
}

func (s *scope) ensureCertificate(ctx context.Context, fleet objects.Fleet, authority *pki.Authority) error {
	name := objects.SecretName(fleet.Name())
	// The fleet that a proxy may ask for is in the URI: the name is the same for all.
	request := pki.Request{CommonName: "envoy", URIs: []string{xds.FleetURI(fleet.Key())}, Client: true}
	hash := fmt.Sprintf("%v %x", request, authority.CertificatePEM)
	if s.memory.isVerified(name, hash, s.now) {
		return nil
	}
	secret, err := s.secret(ctx, name)
	if err != nil {
		return err
	}
	leaf := pki.Leaf{}
	var existing client.Object
	if secret != nil {
		leaf, existing = pki.Leaf{CertificatePEM: secret.Data[corev1.TLSCertKey], KeyPEM: secret.Data[corev1.TLSPrivateKeyKey]}, secret
	}
	reason := pki.Check(leaf, *authority, request, s.now)
	if reason != "" {
		if leaf, err = authority.Issue(request, s.now, rand.Reader); err != nil {
			return fmt.Errorf("issuing %s: %w", name, err)
		}
	}
	if _, err := s.memory.apply.Apply(ctx, fleet.Secret(leaf.CertificatePEM, leaf.KeyPEM, authority.CertificatePEM), existing); err != nil {
		return s.explain(err)
	}
	if reason != "" {
		s.event(corev1.EventTypeNormal, "CertificateIssued", "Secure", "the proxies' certificate in Secret %s was issued: %s", name, reason)
	}
	s.memory.setVerified(name, hash, s.now)
	return nil
}

func (s *scope) secret(ctx context.Context, name string) (*corev1.Secret, error) {
	secret := &corev1.Secret{}
	err := s.Client.Get(ctx, client.ObjectKey{Namespace: s.cluster.Namespace, Name: name}, secret)
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, s.explain(fmt.Errorf("reading secret %s: %w", name, err))
	}
	return secret, nil
}

// deleteCertificate deletes the certificate of a fleet that is no longer wanted. Where that is not allowed any more, it goes
// with the KafkaCluster.
func (s *scope) deleteCertificate(ctx context.Context, fleet string) error {
	secret := &corev1.Secret{}
	secret.Namespace, secret.Name = s.cluster.Namespace, objects.SecretName(fleet)
	if err := s.Client.Delete(ctx, secret); err != nil && !apierrors.IsNotFound(err) && !apierrors.IsForbidden(err) {
		return fmt.Errorf("deleting secret %s: %w", secret.Name, err)
	}
	delete(s.memory.verified, secret.Name)
	return nil
}

// explain says what to do where rights are missing.
func (s *scope) explain(err error) error {
	if !apierrors.IsForbidden(err) {
		return err
	}
	return withReason(reasonForbidden, fmt.Errorf("envoy-manager has no right to the Secrets of namespace %s: bind its role for secrets there (config/namespaces): %w", s.cluster.Namespace, err))
}

// reasoned is an error whose reason is worth a word of its own in the condition.
type reasoned struct {
	reason string
	error
}

func withReason(reason string, err error) error { return reasoned{reason, err} }

func (r reasoned) Unwrap() error { return r.error }
