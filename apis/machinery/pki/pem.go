package pki

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
)

// Types of PEM blocks.
const (
	certificateBlock = "CERTIFICATE"
	keyBlock         = "PRIVATE KEY" // PKCS#8: the one form that Kafka reads
)

// errKeyMismatch means that a key and a certificate do not belong together.
var errKeyMismatch = errors.New("the key is not the certificate's")

func encodePEM(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// decodePEM reads the one block that data must consist of.
func decodePEM(kind string, data []byte) ([]byte, error) {
	block, rest := pem.Decode(data)
	switch {
	case block == nil:
		return nil, fmt.Errorf("found no PEM block, want one %s", kind)
	case block.Type != kind:
		return nil, fmt.Errorf("found the PEM block %q, want %s", block.Type, kind)
	case len(bytes.TrimSpace(rest)) > 0:
		return nil, fmt.Errorf("found more than one PEM block %s", kind)
	}
	return block.Bytes, nil
}

func parseCertificate(certPEM []byte) (*x509.Certificate, error) {
	der, err := decodePEM(certificateBlock, certPEM)
	if err != nil {
		return nil, fmt.Errorf("reading certificate: %w", err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("parsing certificate: %w", err)
	}
	return certificate, nil
}

func parseKey(keyPEM []byte) (crypto.Signer, error) {
	der, err := decodePEM(keyBlock, keyPEM)
	if err != nil {
		return nil, fmt.Errorf("reading key: %w", err)
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, errors.New("parsing key: it is no PKCS#8 key") // no detail: it would be one of a key
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("parsing key: a %T cannot sign", key)
	}
	return signer, nil
}

// parsePair reads a certificate and its key.
func parsePair(certPEM, keyPEM []byte) (*x509.Certificate, crypto.Signer, error) {
	certificate, err := parseCertificate(certPEM)
	if err != nil {
		return nil, nil, err
	}
	key, err := parseKey(keyPEM)
	if err != nil {
		return nil, nil, err
	}
	if !belongsTo(key, certificate) {
		return nil, nil, errKeyMismatch
	}
	return certificate, key, nil
}

func belongsTo(key crypto.Signer, certificate *x509.Certificate) bool {
	public, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	return ok && public.Equal(certificate.PublicKey)
}
