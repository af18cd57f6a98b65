// Package clients are clients of Kafka by three makers, to be run outside the Kubernetes cluster: franz-go, librdkafka
// (kcat) and Kafka's own console tools. Each writes lines to a topic and reads them again, over mutual TLS.
package clients

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Client writes and reads lines.
type Client struct {
	Name string
	// Produce writes each line to topic as a record.
	Produce func(ctx context.Context, bootstrap, topic string, lines []string) error
	// Consume reads topic from its beginning until it has count records.
	Consume func(ctx context.Context, bootstrap, topic string, count int) ([]string, error)
}

// Identity is what a client proves who it is with, and whom it trusts: the content of a Secret of Koperator, by its keys.
type Identity map[string][]byte

// TLS is the identity for programs in Go.
func (i Identity) TLS() (*tls.Config, error) {
	pair, err := tls.X509KeyPair(i["tls.crt"], i["tls.key"])
	if err != nil {
		return nil, fmt.Errorf("reading the certificate: %w", err)
	}
	authority := x509.NewCertPool()
	if !authority.AppendCertsFromPEM(i["ca.crt"]) {
		return nil, errors.New("ca.crt holds no certificate")
	}
	return &tls.Config{RootCAs: authority, Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}, nil
}

// New makes all clients. They keep files in dir, and kafkaHome is a folder with what is in Kafka's image.
func New(identity Identity, dir, kafkaHome string) ([]Client, error) {
	config, err := identity.TLS()
	if err != nil {
		return nil, err
	}
	for name, content := range identity {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			return nil, fmt.Errorf("writing the certificate: %w", err)
		}
	}
	properties := fmt.Sprintf("security.protocol=SSL\nssl.keystore.type=PEM\nssl.keystore.location=%[1]s/keystore.pem\n"+
		"ssl.truststore.type=PEM\nssl.truststore.location=%[1]s/ca.crt\n", dir)
	if err := os.WriteFile(filepath.Join(dir, "client.properties"), []byte(properties), 0o600); err != nil {
		return nil, fmt.Errorf("writing the client's properties: %w", err)
	}
	franz, console, kcat := franz{config}, console{dir, kafkaHome}, kcat{dir}
	return []Client{
		{"franz-go", franz.produce, franz.consume},
		{"kcat", kcat.produce, kcat.consume},
		{"Kafka's console tools", console.produce, console.consume},
	}, nil
}

type franz struct{ config *tls.Config }

func (f franz) dial(bootstrap string, options ...kgo.Opt) (*kgo.Client, error) {
	return kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(bootstrap), kgo.DialTLSConfig(f.config), kgo.UnknownTopicRetries(-1), kgo.DisableClientMetrics(),
	}, options...)...)
}

func (f franz) produce(ctx context.Context, bootstrap, topic string, lines []string) error {
	cl, err := f.dial(bootstrap, kgo.DefaultProduceTopic(topic), kgo.RecordPartitioner(kgo.RoundRobinPartitioner()))
	if err != nil {
		return err
	}
	defer cl.Close()
	var records []*kgo.Record
	for _, line := range lines {
		records = append(records, kgo.StringRecord(line))
	}
	return cl.ProduceSync(ctx, records...).FirstErr()
}

func (f franz) consume(ctx context.Context, bootstrap, topic string, count int) ([]string, error) {
	cl, err := f.dial(bootstrap, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	var lines []string
	for len(lines) < count {
		fetches := cl.PollFetches(ctx)
		if err := ctx.Err(); err != nil {
			return lines, fmt.Errorf("after %d of %d records: %w %v", len(lines), count, err, fetches.Errors())
		}
		fetches.EachRecord(func(r *kgo.Record) { lines = append(lines, string(r.Value)) })
	}
	return lines, nil
}

type kcat struct{ dir string }

func (k kcat) run(ctx context.Context, input, bootstrap, topic string, args ...string) (string, error) {
	return run(ctx, input, "kcat", append([]string{"-b", bootstrap, "-t", topic, "-X", "security.protocol=ssl",
		"-X", "ssl.ca.location=" + k.dir + "/ca.crt", "-X", "ssl.certificate.location=" + k.dir + "/tls.crt",
		"-X", "ssl.key.location=" + k.dir + "/tls.key", "-X", "ssl.endpoint.identification.algorithm=https"}, args...)...)
}

func (k kcat) produce(ctx context.Context, bootstrap, topic string, lines []string) error {
	_, err := k.run(ctx, strings.Join(lines, "\n")+"\n", bootstrap, topic, "-P")
	return err
}

func (k kcat) consume(ctx context.Context, bootstrap, topic string, _ int) ([]string, error) {
	output, err := k.run(ctx, "", bootstrap, topic, "-C", "-e", "-q", "-o", "beginning")
	return strings.Fields(output), err
}

type console struct{ dir, kafkaHome string }

// run runs a tool with the Java and the libraries of Kafka's image, as its scripts would.
func (c console) run(ctx context.Context, input, tool string, args ...string) (string, error) {
	java, kafka := filepath.Join(c.kafkaHome, "opt", "java", "openjdk", "bin", "java"), filepath.Join(c.kafkaHome, "opt", "kafka")
	return run(ctx, input, java, append([]string{"-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
		"-Dlog4j2.configurationFile=" + kafka + "/config/tools-log4j2.yaml", "-cp", kafka + "/libs/*",
		"org.apache.kafka.tools." + tool, "--command-config", c.dir + "/client.properties"}, args...)...)
}

func (c console) produce(ctx context.Context, bootstrap, topic string, lines []string) error {
	_, err := c.run(ctx, strings.Join(lines, "\n")+"\n", "ConsoleProducer", "--bootstrap-server", bootstrap, "--topic", topic)
	return err
}

func (c console) consume(ctx context.Context, bootstrap, topic string, count int) ([]string, error) {
	output, err := c.run(ctx, "", "consumer.ConsoleConsumer", "--bootstrap-server", bootstrap, "--topic", topic, "--from-beginning", "--max-messages", fmt.Sprint(count))
	return strings.Fields(output), err
}

func run(ctx context.Context, input, program string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stdin = strings.NewReader(input)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	output, err := cmd.Output()
	if err != nil {
		return string(output), fmt.Errorf("%s %s: %w\n%s", program, strings.Join(args, " "), err, stderr.String())
	}
	return string(output), nil
}
