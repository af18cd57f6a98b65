// Package pki makes and checks the certificates of a cluster: an authority (CA) for each cluster, and a leaf for each
// node and each client. It reads no clock and keeps nothing: time and randomness come from the caller.
package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/netip"
	"net/url"
	"time"
)

const (
	// AuthorityValidity is how long an authority is valid.
	AuthorityValidity = 10 * 365 * 24 * time.Hour
	// LeafValidity is how long a leaf is valid if its Request does not say.
	LeafValidity = 365 * 24 * time.Hour

	// clockSkew is how far the clocks of two machines may be apart: a certificate is valid from a little before its issue.
	clockSkew = 5 * time.Minute
	// organization is the O of every subject.
	organization = "koperator"
)

// Authority issues the certificates of one cluster.
type Authority struct {
	// CertificatePEM is what those hold who trust this authority.
	CertificatePEM []byte
	// KeyPEM is its private key (PKCS#8).
	KeyPEM []byte

	certificate *x509.Certificate
	key         crypto.Signer
}

// Request is what a leaf should be.
type Request struct {
	// CommonName makes the subject, which Kafka prints as CN=CommonName,O=koperator. It never changes in the life of a
	// node or a client: Kafka refuses to reload a certificate with another subject.
	CommonName string
	// DNSNames and IPAddresses are what a server is reached at.
	DNSNames    []string
	IPAddresses []netip.Addr
	// URIs name a client for a server that looks at more than the subject (SPIFFE).
	URIs []string
	// Server and Client are what the leaf may be used for, at least one of them.
	Server, Client bool
	// Validity is how long it is valid. Zero stands for LeafValidity. A leaf never outlives its authority.
	Validity time.Duration
}

// Leaf is the certificate of a node or a client, with its key.
type Leaf struct {
	CertificatePEM []byte
	// KeyPEM is its private key (PKCS#8).
	KeyPEM []byte
}

// KeystorePEM is the key followed by the certificate: a key store of ssl.keystore.type=PEM.
func (l Leaf) KeystorePEM() []byte {
	return append(append([]byte{}, l.KeyPEM...), l.CertificatePEM...)
}

// NewAuthority makes an authority whose subject is CN=commonName,O=koperator.
func NewAuthority(commonName string, now time.Time, rand io.Reader) (Authority, error) {
	if commonName == "" {
		return Authority{}, errors.New("an authority needs a common name")
	}
	template, err := newTemplate(commonName, now, AuthorityValidity, rand)
	if err != nil {
		return Authority{}, err
	}
	template.IsCA = true
	template.MaxPathLenZero = true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand)
	if err != nil {
		return Authority{}, fmt.Errorf("generating key: %w", err)
	}
	leaf, err := sign(template, template, key, key, rand)
	if err != nil {
		return Authority{}, err
	}
	return ParseAuthority(leaf.CertificatePEM, leaf.KeyPEM)
}

// ParseAuthority reads an authority that was made before. It does not say whether the authority is still valid: see
// CheckAuthority.
func ParseAuthority(certPEM, keyPEM []byte) (Authority, error) {
	certificate, key, err := parsePair(certPEM, keyPEM)
	if err != nil {
		return Authority{}, err
	}
	if !isAuthority(certificate) {
		return Authority{}, errors.New("the certificate is not one of an authority: it may not sign others")
	}
	return Authority{CertificatePEM: certPEM, KeyPEM: keyPEM, certificate: certificate, key: key}, nil
}

// Issue makes a leaf with a key of its own.
func (a Authority) Issue(request Request, now time.Time, rand io.Reader) (Leaf, error) {
	if err := a.canIssue(request, now); err != nil {
		return Leaf{}, err
	}
	template, err := newTemplate(request.CommonName, now, request.validity(), rand)
	if err != nil {
		return Leaf{}, err
	}
	template.NotAfter = a.notAfter(request, now)
	if err := nameTemplate(template, request); err != nil {
		return Leaf{}, err
	}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = request.extKeyUsage()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand)
	if err != nil {
		return Leaf{}, fmt.Errorf("generating key: %w", err)
	}
	return sign(template, a.certificate, key, a.key, rand)
}

func (a Authority) canIssue(request Request, now time.Time) error {
	switch {
	case a.certificate == nil || a.key == nil:
		return errors.New("the authority is empty")
	case !now.Before(a.certificate.NotAfter):
		return fmt.Errorf("the authority has expired at %s", a.certificate.NotAfter.Format(time.RFC3339))
	case request.CommonName == "":
		return errors.New("a leaf needs a common name")
	case !request.Server && !request.Client:
		return errors.New("a leaf needs a use: server, client or both")
	case request.Server && len(request.DNSNames)+len(request.IPAddresses) == 0:
		return errors.New("a server's leaf needs a DNS name or an IP address")
	case request.Validity < 0:
		return errors.New("a leaf cannot be valid for less than no time")
	}
	return nil
}

// notAfter is the end of a leaf that is issued now.
func (a Authority) notAfter(request Request, now time.Time) time.Time {
	end := now.Add(request.validity()).UTC().Truncate(time.Second)
	if end.After(a.certificate.NotAfter) {
		return a.certificate.NotAfter
	}
	return end
}

func (r Request) validity() time.Duration {
	if r.Validity == 0 {
		return LeafValidity
	}
	return r.Validity
}

func (r Request) extKeyUsage() []x509.ExtKeyUsage {
	var usage []x509.ExtKeyUsage
	if r.Server {
		usage = append(usage, x509.ExtKeyUsageServerAuth)
	}
	if r.Client {
		usage = append(usage, x509.ExtKeyUsageClientAuth)
	}
	return usage
}

// newTemplate is what all certificates have in common. The subject is encoded as O, then CN, so that Java, which prints
// it from its end (RFC 2253), prints CN first.
func newTemplate(commonName string, now time.Time, validity time.Duration, rand io.Reader) (*x509.Certificate, error) {
	serial, err := newSerialNumber(rand)
	if err != nil {
		return nil, err
	}
	return &x509.Certificate{
		SerialNumber:          serial,
		Subject:               subjectOf(commonName),
		NotBefore:             now.Add(-clockSkew).UTC().Truncate(time.Second),
		NotAfter:              now.Add(validity).UTC().Truncate(time.Second),
		BasicConstraintsValid: true,
	}, nil
}

func nameTemplate(template *x509.Certificate, request Request) error {
	template.DNSNames = request.DNSNames
	for _, address := range request.IPAddresses {
		template.IPAddresses = append(template.IPAddresses, address.AsSlice())
	}
	for _, text := range request.URIs {
		uri, err := url.Parse(text)
		if err != nil {
			return fmt.Errorf("naming a leaf: %w", err)
		}
		template.URIs = append(template.URIs, uri)
	}
	return nil
}

func subjectOf(commonName string) pkix.Name {
	return pkix.Name{Organization: []string{organization}, CommonName: commonName}
}

// newSerialNumber is a random number of 128 bits, which must be positive (RFC 5280).
func newSerialNumber(rand io.Reader) (*big.Int, error) {
	bytes := make([]byte, 16)
	if _, err := io.ReadFull(rand, bytes); err != nil {
		return nil, fmt.Errorf("reading randomness: %w", err)
	}
	serial := new(big.Int).SetBytes(bytes)
	if serial.Sign() == 0 {
		return nil, errors.New("reading randomness: all bits are zero")
	}
	return serial, nil
}

func sign(template, parent *x509.Certificate, key *ecdsa.PrivateKey, signer crypto.Signer, rand io.Reader) (Leaf, error) {
	der, err := x509.CreateCertificate(rand, template, parent, key.Public(), signer)
	if err != nil {
		return Leaf{}, fmt.Errorf("signing certificate: %w", err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return Leaf{}, fmt.Errorf("encoding key: %w", err)
	}
	return Leaf{CertificatePEM: encodePEM(certificateBlock, der), KeyPEM: encodePEM(keyBlock, pkcs8)}, nil
}
