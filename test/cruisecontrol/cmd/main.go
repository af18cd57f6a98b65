// Command cmd runs the stand-in for Cruise Control on a real Kafka cluster, whose replicas it moves. Never give it a cluster
// that anybody needs.
package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"koperator.dev/koperator/test/cruisecontrol"
	"koperator.dev/koperator/test/cruisecontrol/realkafka"
)

// options are the flags.
type options struct {
	listen, control, bootstrap          string
	properties, capacity, credentials   string
	kafkaCA, kafkaCertificate, kafkaKey string
	certificate, key                    string
	noSamples                           bool
	planning, loading                   time.Duration
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func parse() options {
	var o options
	flag.StringVar(&o.listen, "listen", ":9090", "address of Cruise Control's API")
	flag.StringVar(&o.control, "control", "", "address through which tests arrange faults and read requests; none if empty")
	flag.StringVar(&o.bootstrap, "bootstrap", "", "addresses of brokers, separated by commas")
	flag.StringVar(&o.kafkaCA, "kafka-ca", "", "file with who signs the brokers' certificates; without it plaintext is spoken")
	flag.StringVar(&o.kafkaCertificate, "kafka-certificate", "", "file with the certificate shown to brokers")
	flag.StringVar(&o.kafkaKey, "kafka-key", "", "file with its key")
	flag.StringVar(&o.certificate, "certificate", "", "file with the certificate of the API; without it HTTP is spoken")
	flag.StringVar(&o.key, "key", "", "file with its key")
	flag.StringVar(&o.properties, "properties", "", "cruisecontrol.properties")
	flag.StringVar(&o.capacity, "capacity", "", "capacity.json")
	flag.StringVar(&o.credentials, "credentials", "", "file with lines of `user: password,ROLE`")
	flag.BoolVar(&o.noSamples, "no-samples", false, "begin without anything measured")
	flag.DurationVar(&o.planning, "planning", 0, "how long a plan takes")
	flag.DurationVar(&o.loading, "loading", time.Second, "how long samples are loaded after a start")
	flag.Parse()
	return o
}

func run() error {
	o := parse()
	cfg, err := o.config()
	if err != nil {
		return err
	}
	kafkaTLS, err := o.kafkaTLS()
	if err != nil {
		return err
	}
	kafka, err := realkafka.New(strings.Split(o.bootstrap, ","), kafkaTLS)
	if err != nil {
		return err
	}
	defer kafka.Close()
	ctx := context.Background()
	s := cruisecontrol.New(ctx, cruisecontrol.Options{Config: cfg, Kafka: kafka, Address: o.listen, Listen: o.listener()})
	s.LogTo(os.Stdout)
	if _, err := s.Start(); err != nil {
		return err
	}
	go s.Run(ctx)
	failed := make(chan error, 1)
	if o.control != "" {
		go func() { failed <- http.ListenAndServe(o.control, s.Control()) }() //nolint:gosec // for tests
	}
	return untilTerminated(s, failed)
}

// untilTerminated ends as slowly as Cruise Control does.
func untilTerminated(s *cruisecontrol.Server, failed <-chan error) error {
	terminated := make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM, os.Interrupt)
	select {
	case err := <-failed:
		return err
	case <-terminated:
	}
	s.Terminate()
	for s.Alive() {
		time.Sleep(100 * time.Millisecond)
	}
	return nil
}

// config is Cruise Control's.
func (o options) config() (cruisecontrol.Config, error) {
	cfg := cruisecontrol.DefaultConfig()
	cfg.NoSamples, cfg.PlanningTime, cfg.LoadingTime = o.noSamples, o.planning, o.loading
	if o.properties != "" {
		file, err := os.Open(o.properties)
		if err != nil {
			return cfg, err
		}
		defer file.Close()
		if err := cfg.Properties(file); err != nil {
			return cfg, err
		}
	}
	if o.capacity != "" {
		content, err := os.ReadFile(o.capacity)
		if err != nil {
			return cfg, err
		}
		if cfg.Capacity, err = cruisecontrol.ParseCapacity(content); err != nil {
			return cfg, err
		}
	}
	var err error
	cfg.Users, err = users(o.credentials)
	return cfg, err
}

// users reads `operator: password,ADMIN` lines.
func users(path string) (map[string]cruisecontrol.User, error) {
	if path == "" {
		return nil, nil
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	found := map[string]cruisecontrol.User{}
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		name, rest, _ := strings.Cut(lines.Text(), ":")
		password, role, ok := strings.Cut(strings.TrimSpace(rest), ",")
		if !ok {
			continue
		}
		found[strings.TrimSpace(name)] = cruisecontrol.User{Password: password, Role: cruisecontrol.Role(strings.TrimSpace(role))}
	}
	return found, lines.Err()
}

// kafkaTLS is for the connections to brokers; nil for plaintext.
func (o options) kafkaTLS() (*tls.Config, error) {
	if o.kafkaCA == "" {
		return nil, nil
	}
	authority, err := os.ReadFile(o.kafkaCA)
	if err != nil {
		return nil, err
	}
	conf := &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12}
	if !conf.RootCAs.AppendCertsFromPEM(authority) {
		return nil, errors.New("reading CA: no certificate in PEM")
	}
	if o.kafkaCertificate != "" {
		pair, err := tls.LoadX509KeyPair(o.kafkaCertificate, o.kafkaKey)
		if err != nil {
			return nil, fmt.Errorf("reading certificate: %w", err)
		}
		conf.Certificates = []tls.Certificate{pair}
	}
	return conf, nil
}

// listener makes listeners of the API, which reads its certificate when it starts, as Cruise Control does.
func (o options) listener() func(network, address string) (net.Listener, error) {
	if o.certificate == "" {
		return nil
	}
	return func(network, address string) (net.Listener, error) {
		pair, err := tls.LoadX509KeyPair(o.certificate, o.key)
		if err != nil {
			return nil, fmt.Errorf("reading certificate: %w", err)
		}
		return tls.Listen(network, address, &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12})
	}
}
