package xds

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
)

// TLS returns the certificate of the server, and the authorities that issue those of the proxies. It is called for each
// handshake, so that both can change.
type TLS func() (tls.Certificate, *x509.CertPool, error)

// config lets nobody in without a certificate of our authorities. Sessions are not resumed: a resumed one would go
// on trusting an authority that is trusted no more.
func (t TLS) config() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			certificate, authorities, err := t()
			if err != nil {
				return nil, fmt.Errorf("reading certificates: %w", err)
			}
			return &tls.Config{
				MinVersion:             tls.VersionTLS13,
				Certificates:           []tls.Certificate{certificate},
				ClientAuth:             tls.RequireAndVerifyClientCert,
				ClientCAs:              authorities,
				SessionTicketsDisabled: true,
			}, nil
		},
	}
}
