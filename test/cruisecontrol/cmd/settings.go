package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"regexp"
	"strings"
	"time"

	"software.sslmate.com/src/go-pkcs12"

	"koperator.dev/koperator/apis/machinery/properties"
	"koperator.dev/koperator/test/cruisecontrol"
)

// Environment variables that Cruise Control does not have.
const (
	// controlVariable is the address through which tests arrange faults and read requests; there is none if it is empty.
	controlVariable = "CONTROL_ADDRESS"
	// planningVariable is how long a plan takes, loadingVariable how long samples are loaded after a start, such as 2s.
	planningVariable = "PLANNING_TIME"
	loadingVariable  = "LOADING_TIME"
	// noSamplesVariable is "true" to begin without anything measured.
	noSamplesVariable = "NO_SAMPLES"
)

// addOpens is the option of Java without which Cruise Control breaks lists of tasks.
const addOpens = "--add-opens=java.base/java.lang=ALL-UNNAMED"

// settings are what Cruise Control reads when it starts.
type settings struct {
	properties map[string]string
	config     cruisecontrol.Config
	control    string
}

// read reads cruisecontrol.properties and the files that it names.
func read(path string, getenv func(string) string) (*settings, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	s := &settings{config: cruisecontrol.DefaultConfig(), control: getenv(controlVariable)}
	if s.properties, err = properties.Parse(string(text)); err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	fillIn(s.properties, getenv)
	if err := s.config.Properties(s.properties); err != nil {
		return nil, err
	}
	s.config.AddOpens = strings.Contains(getenv("KAFKA_OPTS"), addOpens)
	s.config.NoSamples = getenv(noSamplesVariable) == "true"
	return s, errors.Join(
		duration(&s.config.PlanningTime, planningVariable, getenv),
		duration(&s.config.LoadingTime, loadingVariable, getenv),
		s.readCapacity(),
		s.readUsers())
}

var environmentVariable = regexp.MustCompile(`\$\{env:([A-Za-z0-9_]+)\}`)

// fillIn puts environment variables where Cruise Control does.
func fillIn(values map[string]string, getenv func(string) string) {
	for key, value := range values {
		values[key] = environmentVariable.ReplaceAllStringFunc(value, func(match string) string {
			return getenv(environmentVariable.FindStringSubmatch(match)[1])
		})
	}
}

func duration(field *time.Duration, variable string, getenv func(string) string) error {
	text := getenv(variable)
	if text == "" {
		return nil
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return fmt.Errorf("reading %s: %w", variable, err)
	}
	*field = d
	return nil
}

func (s *settings) readCapacity() error {
	content, err := os.ReadFile(s.properties["capacity.config.file"])
	if err != nil {
		return fmt.Errorf("reading capacity.config.file: %w", err)
	}
	s.config.Capacity, err = cruisecontrol.ParseCapacity(content)
	return err
}

// readUsers reads the users of Jetty's HashLoginService: `operator: password,ADMIN`.
func (s *settings) readUsers() error {
	if s.properties["webserver.security.enable"] != "true" {
		return nil
	}
	text, err := os.ReadFile(s.properties["webserver.auth.credentials.file"])
	if err != nil {
		return fmt.Errorf("reading webserver.auth.credentials.file: %w", err)
	}
	lines, err := properties.Parse(string(text))
	if err != nil {
		return fmt.Errorf("reading webserver.auth.credentials.file: %w", err)
	}
	s.config.Users = map[string]cruisecontrol.User{}
	for name, line := range lines {
		password, role, ok := strings.Cut(line, ",")
		if !ok {
			return fmt.Errorf("reading webserver.auth.credentials.file: %s has no role", name)
		}
		s.config.Users[name] = cruisecontrol.User{Password: password, Role: cruisecontrol.Role(strings.TrimSpace(role))}
	}
	return nil
}

// kafkaTLS is for the connections to brokers; nil for plaintext. The key store is in PEM, the key followed by its certificate.
func (s *settings) kafkaTLS() (*tls.Config, error) {
	if s.properties["security.protocol"] != "SSL" {
		return nil, nil
	}
	for _, store := range []string{"ssl.keystore.type", "ssl.truststore.type"} {
		if s.properties[store] != "PEM" {
			return nil, fmt.Errorf("%s is %q, and the stand-in reads PEM only", store, s.properties[store])
		}
	}
	trusted, err := os.ReadFile(s.properties["ssl.truststore.location"])
	if err != nil {
		return nil, fmt.Errorf("reading ssl.truststore.location: %w", err)
	}
	conf := &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12}
	if !conf.RootCAs.AppendCertsFromPEM(trusted) {
		return nil, errors.New("reading ssl.truststore.location: no certificate in PEM")
	}
	store, err := os.ReadFile(s.properties["ssl.keystore.location"])
	if err != nil {
		return nil, fmt.Errorf("reading ssl.keystore.location: %w", err)
	}
	pair, err := tls.X509KeyPair(store, store)
	if err != nil {
		return nil, fmt.Errorf("reading ssl.keystore.location: %w", err)
	}
	conf.Certificates = []tls.Certificate{pair}
	return conf, nil
}

func (s *settings) address() string {
	return net.JoinHostPort(s.properties["webserver.http.address"], s.properties["webserver.http.port"])
}

// listen makes a listener of the API. Its certificate is read when it starts, as Cruise Control does.
func (s *settings) listen(network, address string) (net.Listener, error) {
	if s.properties["webserver.ssl.enable"] != "true" {
		return net.Listen(network, address)
	}
	if kind := s.properties["webserver.ssl.keystore.type"]; kind != "PKCS12" {
		return nil, fmt.Errorf("webserver.ssl.keystore.type is %q, and the stand-in reads PKCS12 only", kind)
	}
	store, err := os.ReadFile(s.properties["webserver.ssl.keystore.location"])
	if err != nil {
		return nil, fmt.Errorf("reading webserver.ssl.keystore.location: %w", err)
	}
	key, certificate, err := pkcs12.Decode(store, s.properties["webserver.ssl.keystore.password"])
	if err != nil {
		return nil, fmt.Errorf("reading webserver.ssl.keystore.location: %w", err)
	}
	return tls.Listen(network, address, &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{certificate.Raw}, PrivateKey: key}}, MinVersion: tls.VersionTLS12,
	})
}
