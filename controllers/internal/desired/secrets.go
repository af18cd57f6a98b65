package desired

import (
	corev1 "k8s.io/api/core/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

// Keys of the Secrets of nodes and clients, besides those of kubernetes.io/tls.
const (
	// AuthorityKey is the certificate of the cluster's authority.
	AuthorityKey = "ca.crt"
	// KeystoreKey is the private key followed by the certificate, as Kafka's PEM key store wants them.
	KeystoreKey = "keystore.pem"
)

// AuthoritySecret holds the cluster's authority with its key. It stays where the volumes stay, because clients of a
// cluster that is made again trust it.
func AuthoritySecret(kc *v1beta1.KafkaCluster, data map[string][]byte) *corev1ac.SecretApplyConfiguration {
	secret := corev1ac.Secret(AuthoritySecretName(kc.Name), kc.Namespace).
		WithLabels(ClusterLabels(kc)).
		WithType(corev1.SecretTypeTLS).
		WithData(data)
	if kc.Spec.VolumeDeletionPolicy == v1beta1.DeleteVolumes {
		secret.WithOwnerReferences(ownerReference(kc))
	}
	return secret
}

// LeafSecret holds the key and certificate of a node or a client.
func LeafSecret(kc *v1beta1.KafkaCluster, name string, certificate, key, keystore, authority []byte) *corev1ac.SecretApplyConfiguration {
	return corev1ac.Secret(name, kc.Namespace).
		WithLabels(ClusterLabels(kc)).
		WithOwnerReferences(ownerReference(kc)).
		WithType(corev1.SecretTypeTLS).
		WithData(map[string][]byte{
			corev1.TLSCertKey:       certificate,
			corev1.TLSPrivateKeyKey: key,
			KeystoreKey:             keystore,
			AuthorityKey:            authority,
		})
}
