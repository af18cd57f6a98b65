package pki

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"slices"
	"time"
)

// Reason says what is wrong with a certificate, as one word; empty if nothing is.
type Reason string

// Reasons of Check, in the order of its checks.
const (
	// Missing: there is no certificate, or no key.
	Missing Reason = "Missing"
	// Unparsable: the certificate or the key cannot be read.
	Unparsable Reason = "Unparsable"
	// KeyMismatch: the key is not the certificate's.
	KeyMismatch Reason = "KeyMismatch"
	// NotAuthority: the certificate may not sign others. Of an authority only.
	NotAuthority Reason = "NotAuthority"
	// WrongAuthority: another authority signed the certificate.
	WrongAuthority Reason = "WrongAuthority"
	// SubjectDiffers: the certificate speaks of somebody else.
	SubjectDiffers Reason = "SubjectDiffers"
	// NamesDiffer: the certificate has other DNS names than it should.
	NamesDiffer Reason = "NamesDiffer"
	// UsageDiffers: the certificate may be used for something else.
	UsageDiffers Reason = "UsageDiffers"
	// NotYetValid: the certificate becomes valid in the future: a clock was wrong.
	NotYetValid Reason = "NotYetValid"
	// Expired: the certificate is not valid any more.
	Expired Reason = "Expired"
	// RenewalDue: less than a third of the certificate's life is left.
	RenewalDue Reason = "RenewalDue"
)

// Message is the reason as a sentence about "the certificate".
func (r Reason) Message() string {
	switch r {
	case Missing:
		return "there is no certificate with its key yet"
	case Unparsable:
		return "the certificate or its key cannot be read"
	case KeyMismatch:
		return "the key does not belong to the certificate"
	case NotAuthority:
		return "the certificate is not one of an authority"
	case WrongAuthority:
		return "the certificate was not signed by the cluster's authority"
	case SubjectDiffers:
		return "the certificate has another subject"
	case NamesDiffer:
		return "the certificate does not have the DNS names that it should have"
	case UsageDiffers:
		return "the certificate may not be used for what it should be used for"
	case NotYetValid:
		return "the certificate is not valid yet"
	case Expired:
		return "the certificate has expired"
	case RenewalDue:
		return "less than a third of the certificate's life is left"
	}
	return string(r)
}

// subject is what the checks look at. certificate and key are nil until the check that reads them has passed.
type subject struct {
	certPEM, keyPEM []byte
	certificate     *x509.Certificate
	key             crypto.Signer

	authority Authority
	request   Request
	now       time.Time
}

// check is one thing that can be wrong. Each may rely on those before it in its chain.
type check func(*subject) Reason

var leafChecks = []check{
	isMissing,
	isUnparsable,
	hasForeignKey,
	hasWrongAuthority,
	hasOtherSubject,
	hasOtherNames,
	hasOtherUsage,
	isNotYetValid,
	isExpired,
	isLeafDue,
}

var authorityChecks = []check{
	isMissing,
	isUnparsable,
	hasForeignKey,
	isNoAuthority,
	isNotYetValid,
	isExpired,
	isAuthorityDue,
}

// Check says why a leaf must be issued again; empty if it is as requested. The leaf is issued again with the same
// request for every reason.
func Check(leaf Leaf, authority Authority, request Request, now time.Time) Reason {
	return run(leafChecks, &subject{
		certPEM: leaf.CertificatePEM, keyPEM: leaf.KeyPEM, authority: authority, request: request, now: now,
	})
}

// CheckAuthority says what is wrong with an authority; empty if nothing is.
//
// Only an authority that is Missing, and that nothing was ever issued by, may simply be made. For any other reason a new
// one would cut off everybody who trusts the old one: that is a rotation, or a person's decision. Half an authority is
// therefore not Missing but Unparsable.
func CheckAuthority(certPEM, keyPEM []byte, now time.Time) Reason {
	if (len(certPEM) == 0) != (len(keyPEM) == 0) {
		return Unparsable
	}
	return run(authorityChecks, &subject{certPEM: certPEM, keyPEM: keyPEM, now: now})
}

func run(checks []check, s *subject) Reason {
	for _, c := range checks {
		if reason := c(s); reason != "" {
			return reason
		}
	}
	return ""
}

// when is the reason if it applies.
func (r Reason) when(applies bool) Reason {
	if applies {
		return r
	}
	return ""
}

func isMissing(s *subject) Reason {
	return Missing.when(len(s.certPEM) == 0 || len(s.keyPEM) == 0)
}

func isUnparsable(s *subject) Reason {
	certificate, err := parseCertificate(s.certPEM)
	if err != nil {
		return Unparsable
	}
	key, err := parseKey(s.keyPEM)
	if err != nil {
		return Unparsable
	}
	s.certificate, s.key = certificate, key
	return ""
}

func hasForeignKey(s *subject) Reason {
	return KeyMismatch.when(!belongsTo(s.key, s.certificate))
}

func isNoAuthority(s *subject) Reason {
	return NotAuthority.when(!isAuthority(s.certificate))
}

func isAuthority(c *x509.Certificate) bool {
	return c.BasicConstraintsValid && c.IsCA && c.KeyUsage&x509.KeyUsageCertSign != 0
}

// hasWrongAuthority compares the name too: those who verify look the authority up by it.
func hasWrongAuthority(s *subject) Reason {
	authority := s.authority.certificate
	return WrongAuthority.when(authority == nil ||
		!bytes.Equal(s.certificate.RawIssuer, authority.RawSubject) ||
		s.certificate.CheckSignatureFrom(authority) != nil)
}

// hasOtherSubject compares what is encoded: Kafka compares the text, which depends on the order.
func hasOtherSubject(s *subject) Reason {
	want, err := asn1.Marshal(subjectOf(s.request.CommonName).ToRDNSequence())
	return SubjectDiffers.when(err != nil || !bytes.Equal(s.certificate.RawSubject, want))
}

func hasOtherNames(s *subject) Reason {
	c := s.certificate
	var addresses, uris, wantedAddresses []string
	for _, address := range c.IPAddresses {
		addresses = append(addresses, address.String())
	}
	for _, uri := range c.URIs {
		uris = append(uris, uri.String())
	}
	for _, address := range s.request.IPAddresses {
		wantedAddresses = append(wantedAddresses, address.Unmap().String())
	}
	return NamesDiffer.when(len(c.EmailAddresses) > 0 || !sameSet(c.DNSNames, s.request.DNSNames) ||
		!sameSet(addresses, wantedAddresses) || !sameSet(uris, s.request.URIs))
}

func hasOtherUsage(s *subject) Reason {
	c := s.certificate
	return UsageDiffers.when(c.IsCA || c.KeyUsage != x509.KeyUsageDigitalSignature ||
		len(c.UnknownExtKeyUsage) > 0 || !sameSet(c.ExtKeyUsage, s.request.extKeyUsage()))
}

func isNotYetValid(s *subject) Reason {
	return NotYetValid.when(s.now.Before(s.certificate.NotBefore))
}

func isExpired(s *subject) Reason {
	return Expired.when(!s.now.Before(s.certificate.NotAfter))
}

// isLeafDue asks for a new leaf only if that lives longer: one that ends with its authority would be renewed for ever.
func isLeafDue(s *subject) Reason {
	return RenewalDue.when(inLastThird(s.certificate, s.now) &&
		s.certificate.NotAfter.Before(s.authority.notAfter(s.request, s.now)))
}

func isAuthorityDue(s *subject) Reason {
	return RenewalDue.when(inLastThird(s.certificate, s.now))
}

func inLastThird(c *x509.Certificate, now time.Time) bool {
	return c.NotAfter.Sub(now) < c.NotAfter.Sub(c.NotBefore)/3
}

func sameSet[E ~int | ~string](a, b []E) bool {
	sorted := func(s []E) []E { return slices.Compact(slices.Sorted(slices.Values(s))) }
	return slices.Equal(sorted(a), sorted(b))
}
