package client

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"k8s.io/utils/clock"
)

const (
	// defaultTimeout bounds one call. It is above webserver.request.maxBlockTimeMs, after which Cruise Control answers with
	// its progress.
	defaultTimeout = 30 * time.Second
	// defaultClusterStateTimeout is for kafka_cluster_state, which waits up to ten seconds for the log dirs of each broker.
	defaultClusterStateTimeout = 60 * time.Second
	// defaultMaxBody bounds an answer. A verbose plan is about 150 bytes for each replica that moves.
	defaultMaxBody = 64 << 20
	// defaultCheckInterval is the default of min.execution.progress.check.interval.ms.
	defaultCheckInterval = 5 * time.Second
	dialTimeout          = 5 * time.Second
	// idleTimeout is below the 30 s after which Jetty ends an idle connection: a request must not meet that end.
	idleTimeout = 20 * time.Second
	// maxHeader bounds the headers of an answer.
	maxHeader = 64 << 10
)

// Config says how one Cruise Control is reached.
type Config struct {
	// URL is the address with the path of its API: https://cruise-control:9090/kafkacruisecontrol. Without a path, that
	// one is taken.
	URL string
	// CA is PEM: who signs Cruise Control's certificate. Empty: those that the system trusts.
	CA []byte
	// Certificate and Key are PEM, for mutual TLS, which a proxy in front of Cruise Control may ask for. Optional.
	Certificate, Key []byte
	// ServerName is expected in Cruise Control's certificate. Empty: the host of URL.
	ServerName string
	// Credentials are asked for before each request, so that a rotated Secret is used without a new Client. Nil: none.
	Credentials func(context.Context) (user, password string, err error)
	// Timeout bounds a call, repetitions included. Zero: 30 s.
	Timeout time.Duration
	// ClusterStateTimeout is Timeout for KafkaClusterState. Zero: 60 s.
	ClusterStateTimeout time.Duration
	// MaxBody is the longest answer that is read. Zero: 64 MiB.
	MaxBody int64
	// MinExecutionProgressCheckInterval is what Cruise Control has as min.execution.progress.check.interval.ms: it notices a
	// shorter interval only after planning, and never in a dry run. Zero: 5 s, its default.
	MinExecutionProgressCheckInterval time.Duration
	// UserAgent is shown in Cruise Control's access log. Empty: "koperator".
	UserAgent string
	// Clock measures the time between repetitions. Nil: the system's.
	Clock clock.Clock
	// Dialer replaces the TCP dialer below TLS, in tests. Nil: a net.Dialer.
	Dialer func(ctx context.Context, network, address string) (net.Conn, error)
}

// withDefaults returns c with its optional fields filled.
func (c Config) withDefaults() Config {
	setDefault(&c.Timeout, defaultTimeout)
	setDefault(&c.ClusterStateTimeout, defaultClusterStateTimeout)
	setDefault(&c.MaxBody, defaultMaxBody)
	setDefault(&c.MinExecutionProgressCheckInterval, defaultCheckInterval)
	setDefault(&c.UserAgent, "koperator")
	if c.Clock == nil {
		c.Clock = clock.RealClock{}
	}
	if c.Dialer == nil {
		c.Dialer = (&net.Dialer{Timeout: dialTimeout}).DialContext
	}
	return c
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// apiPath is webserver.api.urlprefix as it is shipped.
const apiPath = "/kafkacruisecontrol"

// baseURL checks an address and completes it.
func baseURL(address string) (string, error) {
	u, err := url.Parse(address)
	switch {
	case err != nil:
		return "", fmt.Errorf("parsing URL: %w", err)
	case u.Scheme != "http" && u.Scheme != "https", u.Host == "":
		return "", fmt.Errorf("parsing URL %q: want http(s)://host:port", address)
	case u.User != nil:
		return "", errors.New("parsing URL: it holds credentials, which belong into a Secret")
	case u.RawQuery != "" || u.Fragment != "":
		return "", fmt.Errorf("parsing URL %q: a query is not part of an address", address)
	}
	if strings.Trim(u.Path, "/") == "" {
		u.Path = apiPath
	}
	return strings.TrimRight(u.String(), "/"), nil
}

// tlsConfig is used for https.
func (c Config) tlsConfig() (*tls.Config, error) {
	conf := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: c.ServerName}
	if len(c.CA) > 0 {
		conf.RootCAs = x509.NewCertPool()
		if !conf.RootCAs.AppendCertsFromPEM(c.CA) {
			return nil, errors.New("reading CA: no certificate in PEM")
		}
	}
	if len(c.Certificate) > 0 || len(c.Key) > 0 {
		pair, err := tls.X509KeyPair(c.Certificate, c.Key)
		if err != nil {
			return nil, fmt.Errorf("reading client certificate: %w", err)
		}
		conf.Certificates = []tls.Certificate{pair}
	}
	return conf, nil
}

// transport goes straight to Cruise Control: a proxy of the environment is not meant for it, and would see the credentials.
func transport(c Config, conf *tls.Config) *http.Transport {
	return &http.Transport{
		DialContext:            c.Dialer,
		TLSClientConfig:        conf,
		TLSHandshakeTimeout:    dialTimeout,
		IdleConnTimeout:        idleTimeout,
		MaxIdleConnsPerHost:    2,
		MaxResponseHeaderBytes: maxHeader,
		DisableCompression:     true,
	}
}
