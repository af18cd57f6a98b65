//go:build e2e

package e2e

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Without a certificate of the cluster's CA nobody is let in, at any port: neither without TLS, nor without a certificate,
// nor with one that has all the right names and was signed by somebody else.
func (o *orders) strangersGetInNowhere(t *testing.T) {
	admin, err := o.adminTLS(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	strangers := []struct {
		who    string
		config *tls.Config
	}{
		{"a client without TLS", nil},
		{"a client without a certificate", &tls.Config{InsecureSkipVerify: true}},
		{"a client with a certificate of a CA of its own", &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{forge(t, admin.Certificates[0])}}},
	}
	doors := map[string]bool{o.bootstrap(): true}
	for _, id := range ordersControllers {
		doors[o.address(id, controllerPort)] = true
	}
	for _, id := range ordersBrokers {
		doors[o.address(id, replicationPort)] = true
		doors[o.address(id, clientPort)] = true
	}
	refusals := map[string]int{}
	for _, door := range sorted(doors) {
		if err := knock(t, door, admin); err != nil {
			t.Errorf("the admin is refused at %s: %v", door, err)
		}
		for _, stranger := range strangers {
			err := knock(t, door, stranger.config)
			if err == nil {
				t.Errorf("%s gets in at %s", stranger.who, door)
				continue
			}
			refusals[fmt.Sprintf("%s is told: %v", stranger.who, err)]++
		}
	}
	for _, refusal := range sorted(refusals) {
		t.Logf("at %d ports, %s", refusals[refusal], refusal)
	}
	o.requireNoOtherDoors(t)
}

// knock sends the first request that every client of Kafka sends.
func knock(t *testing.T, address string, config *tls.Config) error {
	t.Helper()
	options := []kgo.Opt{kgo.SeedBrokers(address), kgo.RequestRetries(0), kgo.DialTimeout(5 * time.Second), kgo.DisableClientMetrics()}
	if config != nil {
		options = append(options, kgo.DialTLSConfig(config))
	}
	cl, err := kgo.NewClient(options...)
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patienceOfKafka)
	defer cancel()
	_, err = cl.SeedBrokers()[0].Request(ctx, kmsg.NewPtrApiVersionsRequest())
	return err
}

// forge makes a certificate with the names of another one, by a CA that has the name of the right one.
func forge(t *testing.T, original tls.Certificate) tls.Certificate {
	t.Helper()
	genuine, err := x509.ParseCertificate(original.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	authority := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: genuine.Issuer, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, NotBefore: genuine.NotBefore, NotAfter: genuine.NotAfter, SubjectKeyId: genuine.AuthorityKeyId,
	}
	copied := &x509.Certificate{
		SerialNumber: genuine.SerialNumber, Subject: genuine.Subject, DNSNames: genuine.DNSNames,
		KeyUsage: genuine.KeyUsage, ExtKeyUsage: genuine.ExtKeyUsage, NotBefore: genuine.NotBefore, NotAfter: genuine.NotAfter,
	}
	if genuine.Issuer.String() == "" {
		authority.Subject = pkix.Name{CommonName: "somebody else"}
	}
	authorityKey, key := newKey(t), newKey(t)
	signed, err := x509.CreateCertificate(rand.Reader, copied, authority, key.Public(), authorityKey)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{signed}, PrivateKey: key}
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// requireNoOtherDoors looks at which ports the Pods really listen.
func (o *orders) requireNoOtherDoors(t *testing.T) {
	t.Helper()
	for id, pod := range o.podList(t) {
		pids, err := kafkaRuns(pod.Name)
		if err != nil || len(pids) != 1 {
			t.Fatalf("wanted one Kafka process in Pod %s, found %v (%v)", pod.Name, pids, err)
		}
		open, err := listeningPorts(pids[0])
		if err != nil {
			t.Fatal(err)
		}
		wanted := []int{replicationPort, clientPort}
		if slices.Contains(ordersControllers, id) {
			wanted = []int{controllerPort}
		}
		if !slices.Equal(open, wanted) {
			t.Errorf("node %d listens on the ports %v, wanted %v", id, open, wanted)
		}
	}
}
