// Package pki makes the certificates and kubeconfigs of a cluster.
package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// A local cluster does not live long enough to renew anything.
const validity = 10 * 365 * 24 * time.Hour

// Authority signs the certificates of a cluster. Its files are in a folder: ca.crt, ca.key, and NAME.crt and NAME.key
// of all that it signed.
type Authority struct {
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// Identity is what a certificate is for.
type Identity struct {
	// File is the name of its files.
	File string
	// User and Group are who Kubernetes takes the holder for.
	User, Group string
	// Hosts are names and addresses that the holder serves at.
	Hosts []string
}

// NewAuthority makes a new one.
func NewAuthority(dir string) (*Authority, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "koperator-local-cluster"},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(validity),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign | x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true,
		IsCA:                  true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	a := &Authority{dir: dir, cert: cert, key: key}
	return a, a.write("ca", der, key)
}

// CertFile is the path of a certificate.
func (a *Authority) CertFile(name string) string { return filepath.Join(a.dir, name+".crt") }

// KeyFile is the path of a certificate's key.
func (a *Authority) KeyFile(name string) string { return filepath.Join(a.dir, name+".key") }

// Issue signs a certificate that serves both as a server's and as a client's.
func (a *Authority) Issue(id Identity) error {
	key, err := newKey()
	if err != nil {
		return err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return err
	}
	der, err := x509.CreateCertificate(rand.Reader, template(id, serial), a.cert, key.Public(), a.key)
	if err != nil {
		return fmt.Errorf("signing the certificate of %s: %w", id.User, err)
	}
	return a.write(id.File, der, key)
}

func template(id Identity, serial *big.Int) *x509.Certificate {
	t := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: id.User},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(validity),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if id.Group != "" {
		t.Subject.Organization = []string{id.Group}
	}
	for _, host := range id.Hosts {
		if ip := net.ParseIP(host); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else {
			t.DNSNames = append(t.DNSNames, host)
		}
	}
	return t
}

// IssueKeyPair makes a bare key pair, NAME.pub and NAME.key: service account tokens are signed without a certificate.
func (a *Authority) IssueKeyPair(name string) error {
	key, err := newKey()
	if err != nil {
		return err
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return err
	}
	if err := a.writeKey(name, key); err != nil {
		return err
	}
	return writePEM(filepath.Join(a.dir, name+".pub"), "PUBLIC KEY", public)
}

func (a *Authority) write(name string, cert []byte, key *ecdsa.PrivateKey) error {
	if err := a.writeKey(name, key); err != nil {
		return err
	}
	return writePEM(a.CertFile(name), "CERTIFICATE", cert)
}

func (a *Authority) writeKey(name string, key *ecdsa.PrivateKey) error {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	return writePEM(a.KeyFile(name), "EC PRIVATE KEY", der)
}

func writePEM(file, kind string, der []byte) error {
	return os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}

func newKey() (*ecdsa.PrivateKey, error) {
	return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
}
