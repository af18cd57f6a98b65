package deployment

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"software.sslmate.com/src/go-pkcs12"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/apis/machinery/pki"
)

// Keys of the Secret of the REST API, besides username and password, which are cruisecontrol-manager's, and the leaf of
// kubernetes.io/tls that Cruise Control shows.
const (
	// APIKeystoreKey is the leaf as Cruise Control reads it, KeystorePasswordKey its password.
	APIKeystoreKey      = "keystore.p12"
	KeystorePasswordKey = "keystore-password"
	// CredentialsKey is the file with Cruise Control's users.
	CredentialsKey = "credentials"
	// authorityCertificateKey and authorityKeyKey are who signs the leaf. Nobody mounts them.
	authorityCertificateKey = "authority.crt"
	authorityKeyKey         = "authority.key"
)

// Keys of the Secrets of clients of Kafka, which broker-manager makes; authorityKey is in that of the REST API too: who
// connects trusts it.
const (
	keystoreKey  = "keystore.pem"
	authorityKey = "ca.crt"
)

const (
	userName = "koperator"
	// passwordBytes are the random bytes of a password.
	passwordBytes = 24
)

// APISecret is the Secret with what the REST API is secured with.
func APISecret(kc *v1beta1.KafkaCluster, data map[string][]byte) *corev1ac.SecretApplyConfiguration {
	if !IsManaged(kc) {
		return nil
	}
	return corev1ac.Secret(v1beta1.CruiseControlAPISecretName(kc.Name), kc.Namespace).
		WithLabels(labels(kc)).
		WithOwnerReferences(ownerReference(kc)).
		WithType(corev1.SecretTypeOpaque).
		WithData(data)
}

// APISecretData is what the Secret should hold, made from what it holds. What is good stays as it is: a Secret that is
// complete comes back unchanged.
func APISecretData(kc *v1beta1.KafkaCluster, have map[string][]byte, now time.Time, random io.Reader) (map[string][]byte, error) {
	data := maps.Clone(have)
	if data == nil {
		data = map[string][]byte{}
	}
	if err := setCredentials(data, random); err != nil {
		return nil, fmt.Errorf("making credentials: %w", err)
	}
	authority, err := setAuthority(kc, data, now, random)
	if err != nil {
		return nil, fmt.Errorf("making the authority of the REST API: %w", err)
	}
	if err := setLeaf(kc, data, authority, now, random); err != nil {
		return nil, fmt.Errorf("making the certificate of the REST API: %w", err)
	}
	return data, nil
}

// setCredentials makes passwords where there are none, and writes the file of users for Jetty's HashLoginService.
func setCredentials(data map[string][]byte, random io.Reader) error {
	data[corev1.BasicAuthUsernameKey] = []byte(userName)
	for _, key := range []string{corev1.BasicAuthPasswordKey, KeystorePasswordKey} {
		if len(data[key]) > 0 {
			continue
		}
		secret := make([]byte, passwordBytes)
		if _, err := io.ReadFull(random, secret); err != nil {
			return err
		}
		data[key] = []byte(base64.RawURLEncoding.EncodeToString(secret))
		delete(data, APIKeystoreKey)
	}
	data[CredentialsKey] = fmt.Appendf(nil, "%s: %s,ADMIN\n", userName, data[corev1.BasicAuthPasswordKey])
	return nil
}

// setAuthority makes an authority where there is none that is good. Cruise Control shows a leaf of the last one until it is
// restarted, and has to be trusted until then, to be asked whether it may be.
func setAuthority(kc *v1beta1.KafkaCluster, data map[string][]byte, now time.Time, random io.Reader) (pki.Authority, error) {
	if pki.CheckAuthority(data[authorityCertificateKey], data[authorityKeyKey], now) == "" {
		return pki.ParseAuthority(data[authorityCertificateKey], data[authorityKeyKey])
	}
	authority, err := pki.NewAuthority(kc.Name+" Cruise Control", now, random)
	if err != nil {
		return pki.Authority{}, err
	}
	data[authorityKey] = slices.Concat(authority.CertificatePEM, data[authorityCertificateKey])
	data[authorityCertificateKey], data[authorityKeyKey] = authority.CertificatePEM, authority.KeyPEM
	return authority, nil
}

func setLeaf(kc *v1beta1.KafkaCluster, data map[string][]byte, authority pki.Authority, now time.Time, random io.Reader) error {
	request := pki.Request{CommonName: v1beta1.CruiseControlName(kc.Name), DNSNames: hostNames(kc), Server: true}
	leaf := pki.Leaf{CertificatePEM: data[corev1.TLSCertKey], KeyPEM: data[corev1.TLSPrivateKeyKey]}
	if pki.Check(leaf, authority, request, now) == "" && len(data[APIKeystoreKey]) > 0 {
		return nil
	}
	leaf, err := authority.Issue(request, now, random)
	if err != nil {
		return err
	}
	keystore, err := pkcs12Of(leaf, string(data[KeystorePasswordKey]), random)
	if err != nil {
		return err
	}
	data[corev1.TLSCertKey], data[corev1.TLSPrivateKeyKey], data[APIKeystoreKey] = leaf.CertificatePEM, leaf.KeyPEM, keystore
	return nil
}

// hostNames are the ways to write the name of the Service.
func hostNames(kc *v1beta1.KafkaCluster) []string {
	name := v1beta1.CruiseControlName(kc.Name)
	return []string{name, name + "." + kc.Namespace, name + "." + kc.Namespace + ".svc", name + "." + kc.Namespace + ".svc.cluster.local"}
}

// pkcs12Of is a leaf in the one format of key stores that Jetty reads with a password.
func pkcs12Of(leaf pki.Leaf, password string, random io.Reader) ([]byte, error) {
	certificate, _ := pem.Decode(leaf.CertificatePEM)
	key, _ := pem.Decode(leaf.KeyPEM)
	if certificate == nil || key == nil {
		return nil, errors.New("the leaf is not in PEM")
	}
	parsedCertificate, err := x509.ParseCertificate(certificate.Bytes)
	if err != nil {
		return nil, fmt.Errorf("parsing certificate: %w", err)
	}
	parsedKey, err := x509.ParsePKCS8PrivateKey(key.Bytes)
	if err != nil {
		return nil, errors.New("parsing key: it is no PKCS#8 key")
	}
	return pkcs12.Modern.WithRand(random).Encode(parsedKey, parsedCertificate, nil, password)
}

// HashSecrets tells apart what Cruise Control has read of its Secrets: that of its client certificate, which broker-manager
// makes, and that of the REST API.
func HashSecrets(client, api map[string][]byte) string {
	return hashOf(map[string][]byte{
		"kafka/" + keystoreKey:       client[keystoreKey],
		"kafka/" + authorityKey:      client[authorityKey],
		"api/" + APIKeystoreKey:      api[APIKeystoreKey],
		"api/" + KeystorePasswordKey: api[KeystorePasswordKey],
		"api/" + CredentialsKey:      api[CredentialsKey],
	})
}
