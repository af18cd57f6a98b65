package objects

import (
	corev1 "k8s.io/api/core/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
)

// AuthorityKey is the certificate of envoy-manager's authority in the Secret of a fleet.
const AuthorityKey = "ca.crt"

// Secret holds the key and certificate that a fleet's proxies show to envoy-manager.
func (f Fleet) Secret(certificate, key, authority []byte) *corev1ac.SecretApplyConfiguration {
	return corev1ac.Secret(SecretName(f.Name()), f.Cluster.Namespace).
		WithLabels(f.labels()).
		WithOwnerReferences(f.ownerReference()).
		WithType(corev1.SecretTypeTLS).
		WithData(map[string][]byte{
			corev1.TLSCertKey:       certificate,
			corev1.TLSPrivateKeyKey: key,
			AuthorityKey:            authority,
		})
}
