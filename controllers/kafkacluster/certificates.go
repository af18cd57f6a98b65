package kafkacluster

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/apis/machinery/pki"
	"koperator.dev/koperator/controllers/internal/desired"
)

// Secrets are read by name and never listed: nobody has to be given the right to read all of them. These rights are
// granted for each namespace that has a KafkaCluster (config/rbac).
// +kubebuilder:rbac:groups="",roleName=koperator-broker-manager-secrets,resources=secrets,verbs=get;create;patch;delete

// issueCertificates makes the authority of the cluster and the certificate of each node and of our own client, and makes
// again those that do not fit any more.
func (s *scope) issueCertificates(ctx context.Context) error {
	if err := s.ensureAuthority(ctx); err != nil {
		return err
	}
	failures := []error{s.ensureAdmin(ctx), s.ensureCruiseControl(ctx)}
	for _, m := range s.members {
		if m.leaving() || m.pod == nil && m.awaits != "" {
			continue // it leaves with the one that it has, or gets one when all its addresses are known
		}
		_, err := s.ensureLeaf(ctx, desired.NodeSecretName(s.cluster.Name, m.id), s.nodeRequest(m), m.namesIncomplete)
		failures = append(failures, err)
	}
	return errors.Join(failures...)
}

// ensureAuthority reads the cluster's authority, or makes it if there is none. One that exists and cannot be read is
// never replaced: clients trust it.
func (s *scope) ensureAuthority(ctx context.Context) error {
	name := desired.AuthoritySecretName(s.cluster.Name)
	hash := string(s.cluster.Spec.VolumeDeletionPolicy) + string(s.cluster.UID)
	if s.memory.authority != nil && s.memory.isVerified(name, hash, s.now) {
		return nil
	}
	secret, err := s.secret(ctx, name)
	if err != nil {
		return err
	}
	authority, err := s.readAuthority(secret)
	if err != nil {
		return fmt.Errorf("reading secret %s: %w", name, err)
	}
	wanted := desired.AuthoritySecret(s.cluster, map[string][]byte{corev1.TLSCertKey: authority.CertificatePEM, corev1.TLSPrivateKeyKey: authority.KeyPEM})
	if err := s.applySecret(ctx, wanted, secret); err != nil {
		return err
	}
	s.memory.authority = authority
	s.memory.setVerified(name, hash, s.now)
	return nil
}

func (s *scope) readAuthority(secret *corev1.Secret) (*pki.Authority, error) {
	switch {
	case secret == nil && s.memory.authority != nil:
		return s.memory.authority, nil // somebody deleted it a moment ago
	case secret == nil && s.anyPod():
		return nil, errors.New("it is missing, and nodes run that trust this authority: restore it from a copy, or delete all Pods of the cluster to start it with a new authority, which clients have to trust then")
	case secret == nil:
		authority, err := pki.NewAuthority(s.cluster.Name, s.now, rand.Reader)
		s.event(corev1.EventTypeNormal, "AuthorityCreated", "Secure", "the cluster's certificate authority was made")
		return &authority, err
	}
	certificate, key := secret.Data[corev1.TLSCertKey], secret.Data[corev1.TLSPrivateKeyKey]
	if reason := pki.CheckAuthority(certificate, key, s.now); reason == pki.RenewalDue || reason == pki.Expired {
		s.event(corev1.EventTypeWarning, "AuthorityAges", "Secure", "the cluster's certificate authority in Secret %s: %s", secret.Name, reason.Message())
	}
	authority, err := pki.ParseAuthority(certificate, key)
	return &authority, err
}

func (s *scope) anyPod() bool {
	for _, m := range s.members {
		if m.pod != nil {
			return true
		}
	}
	return false
}

func (s *scope) ensureAdmin(ctx context.Context) error {
	leaf, err := s.ensureLeaf(ctx, desired.AdminSecretName(s.cluster.Name), pki.Request{CommonName: s.cluster.Name + "-admin", Client: true}, false)
	if leaf != nil {
		s.memory.admin = leaf
	}
	return err
}

// ensureCruiseControl makes the certificates that Cruise Control and cruisecontrol-manager show to brokers.
func (s *scope) ensureCruiseControl(ctx context.Context) error {
	if s.cluster.Spec.CruiseControl == nil {
		return nil
	}
	var failures []error
	for _, name := range []string{v1beta1.CruiseControlClientSecretName(s.cluster.Name), v1beta1.CruiseControlManagerSecretName(s.cluster.Name)} {
		_, err := s.ensureLeaf(ctx, name, pki.Request{CommonName: name, Client: true}, false)
		failures = append(failures, err)
	}
	return errors.Join(failures...)
}

func (s *scope) nodeRequest(m *member) pki.Request {
	return pki.Request{
		CommonName: desired.CertificateSubject(m.node),
		DNSNames:   desired.CertificateNames(s.cluster, m.node), IPAddresses: desired.CertificateAddresses(s.cluster, m.node),
		Server: true, Client: true, // nodes connect to one another
	}
}

// ensureLeaf makes a Secret hold a certificate that fits. keepNames is for a request that may lack some: those that the
// certificate has stay. The leaf is nil if it was seen to fit a while ago.
func (s *scope) ensureLeaf(ctx context.Context, name string, request pki.Request, keepNames bool) (*pki.Leaf, error) {
	hash := fmt.Sprintf("%v %x", request, s.memory.authority.CertificatePEM)
	if s.memory.isVerified(name, hash, s.now) {
		return nil, nil
	}
	secret, err := s.secret(ctx, name)
	if err != nil {
		return nil, err
	}
	leaf := pki.Leaf{}
	if secret != nil {
		leaf = pki.Leaf{CertificatePEM: secret.Data[corev1.TLSCertKey], KeyPEM: secret.Data[corev1.TLSPrivateKeyKey]}
	}
	if keepNames {
		addNames(&request, leaf)
	}
	if reason := pki.Check(leaf, *s.memory.authority, request, s.now); reason != "" {
		if leaf, err = s.memory.authority.Issue(request, s.now, rand.Reader); err != nil {
			return nil, fmt.Errorf("issuing %s: %w", name, err)
		}
		s.event(corev1.EventTypeNormal, "CertificateIssued", "Secure", "the certificate in Secret %s was issued: %s", name, reason)
	}
	wanted := desired.LeafSecret(s.cluster, name, leaf.CertificatePEM, leaf.KeyPEM, leaf.KeystorePEM(), s.memory.authority.CertificatePEM)
	if err := s.applySecret(ctx, wanted, secret); err != nil {
		return nil, err
	}
	s.memory.setVerified(name, hash, s.now)
	return &leaf, nil
}

// addNames adds the names of a certificate to a request. One that cannot be read has none.
func addNames(request *pki.Request, leaf pki.Leaf) {
	block, _ := pem.Decode(leaf.CertificatePEM)
	if block == nil {
		return
	}
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return
	}
	request.DNSNames = union(request.DNSNames, certificate.DNSNames)
	for _, ip := range certificate.IPAddresses {
		if address, ok := netip.AddrFromSlice(ip); ok && !slices.Contains(request.IPAddresses, address.Unmap()) {
			request.IPAddresses = append(request.IPAddresses, address.Unmap())
		}
	}
}

func (s *scope) secret(ctx context.Context, name string) (*corev1.Secret, error) {
	secret := &corev1.Secret{}
	err := s.reader.Get(ctx, client.ObjectKey{Namespace: s.cluster.Namespace, Name: name}, secret)
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case apierrors.IsForbidden(err):
		return nil, fmt.Errorf("broker-manager has no right to the Secrets of namespace %s: bind its role for secrets there (docs/tls.md): %w", s.cluster.Namespace, err)
	case err != nil:
		return nil, fmt.Errorf("reading secret %s: %w", name, err)
	}
	return secret, nil
}

func (s *scope) applySecret(ctx context.Context, wanted *corev1ac.SecretApplyConfiguration, existing *corev1.Secret) error {
	var live client.Object
	if existing != nil {
		live = existing
	}
	_, err := s.memory.apply.Apply(ctx, wanted, live)
	return err
}
