package kafka

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"
)

const (
	// defaultTimeout bounds one call of Admin when Config names no other time.
	defaultTimeout = 10 * time.Second
	// dialTimeout bounds one connection with its TLS handshake, so that a broker on a lost node leaves time for another.
	dialTimeout = 3 * time.Second
	// idleTimeout keeps connections from one pass to the next. It stays below Kafka's connections.max.idle.ms (10 min):
	// a connection that Kafka ends first is noticed only by the request that fails on it.
	idleTimeout = 9 * time.Minute
)

// Config says how one Kafka cluster is reached.
type Config struct {
	// Seeds are host:port of the REPLICATION listener of brokers. They matter for the first contact, and again after
	// nobody could be reached: in between, Kafka itself says who its brokers are.
	Seeds []string
	// Controllers are host:port of the CONTROLLER listener of controllers. Optional: they are asked for what brokers
	// cannot be asked for, because none answers or because it is a controller's own configuration.
	Controllers []string
	// CA, Certificate and Key are PEM, for mutual TLS. Plaintext is spoken only if all three are empty.
	CA, Certificate, Key []byte
	// ServerName is expected in the certificate of every node. Empty: the host that is dialled.
	ServerName string
	// Timeout bounds every call, retries included. Zero: 10 s.
	Timeout time.Duration
	// ClientID is shown in Kafka's request log and quotas. Empty: "koperator".
	ClientID string
	// Dialer replaces the TCP dialer below TLS, in tests. Nil: a net.Dialer.
	Dialer func(ctx context.Context, network, address string) (net.Conn, error)
}

// identity is equal for two configurations exactly if connections of one can serve the other: seeds are not part of it.
func (c Config) identity() [sha256.Size]byte {
	h := sha256.New()
	for _, part := range []string{string(c.CA), string(c.Certificate), string(c.Key), c.ServerName, c.ClientID, c.Timeout.String()} {
		fmt.Fprintf(h, "%d:%s", len(part), part)
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// withDefaults returns c with its optional fields filled and its slices its own.
func (c Config) withDefaults() Config {
	if c.Timeout <= 0 {
		c.Timeout = defaultTimeout
	}
	if c.ClientID == "" {
		c.ClientID = "koperator"
	}
	if c.Dialer == nil {
		c.Dialer = (&net.Dialer{}).DialContext
	}
	c.Seeds, c.Controllers = addresses(c.Seeds), addresses(c.Controllers)
	return c
}

// addresses returns a sorted copy without duplicates, so that two lists can be compared.
func addresses(list []string) []string {
	list = slices.Clone(list)
	slices.Sort(list)
	return slices.Compact(list)
}

// checkAddresses refuses what could never be dialled.
func checkAddresses(list []string) error {
	for _, a := range list {
		if host, port, err := net.SplitHostPort(a); err != nil || host == "" || port == "" {
			return fmt.Errorf("parsing address %q: want host:port", a)
		}
	}
	return nil
}

// tlsConfig returns nil for plaintext.
func (c Config) tlsConfig() (*tls.Config, error) {
	if len(c.CA) == 0 && len(c.Certificate) == 0 && len(c.Key) == 0 {
		return nil, nil
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(c.CA) {
		return nil, errors.New("reading CA: no certificate in PEM")
	}
	pair, err := tls.X509KeyPair(c.Certificate, c.Key)
	if err != nil {
		return nil, fmt.Errorf("reading client certificate: %w", err)
	}
	return &tls.Config{
		MinVersion:   tls.VersionTLS12,
		RootCAs:      roots,
		Certificates: []tls.Certificate{pair},
		ServerName:   c.ServerName,
	}, nil
}

// dialError is a connection that never came to be: whatever was to be sent over it was not sent.
type dialError struct {
	address string
	err     error
}

func (e *dialError) Error() string { return fmt.Sprintf("dialling %s: %v", e.address, e.err) }
func (e *dialError) Unwrap() error { return e.err }

// dialer returns the function that opens connections, TLS handshake included.
func dialer(cfg Config, conf *tls.Config) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, dialTimeout)
		defer cancel()
		conn, err := cfg.Dialer(ctx, network, address)
		if err != nil {
			return nil, &dialError{address, err}
		}
		if conf == nil {
			return conn, nil
		}
		secured, err := handshake(ctx, conn, conf, address)
		if err != nil {
			return nil, &dialError{address, errors.Join(err, conn.Close())}
		}
		return secured, nil
	}
}

// handshake makes conn a TLS connection to the host of address.
func handshake(ctx context.Context, conn net.Conn, conf *tls.Config, address string) (net.Conn, error) {
	conf = conf.Clone()
	if conf.ServerName == "" {
		conf.ServerName = address
		if i := strings.LastIndexByte(address, ':'); i >= 0 {
			conf.ServerName = strings.Trim(address[:i], "[]")
		}
	}
	secured := tls.Client(conn, conf)
	if err := secured.HandshakeContext(ctx); err != nil {
		return nil, fmt.Errorf("TLS handshake as %s: %w", conf.ServerName, err)
	}
	return secured, nil
}
