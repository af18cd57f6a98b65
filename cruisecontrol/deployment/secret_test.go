package deployment

import (
	"crypto/rand"
	"crypto/x509"
	"maps"
	"strings"
	"testing"
	"time"

	"software.sslmate.com/src/go-pkcs12"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

func secretData(t *testing.T, kc *v1beta1.KafkaCluster, have map[string][]byte, now time.Time) map[string][]byte {
	t.Helper()
	data, err := APISecretData(kc, have, now, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func equal(a, b map[string][]byte) bool {
	return maps.EqualFunc(a, b, func(x, y []byte) bool { return string(x) == string(y) })
}

// verify reads the key store as Cruise Control does, and checks its certificate as who connects does.
func verify(t *testing.T, shown, trusted map[string][]byte, now time.Time) error {
	t.Helper()
	_, leaf, err := pkcs12.Decode(shown[APIKeystoreKey], string(shown[KeystorePasswordKey]))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(trusted[authorityKey])
	_, err = leaf.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: now, DNSName: "orders-cruise-control.shop.svc"})
	return err
}

func TestAPISecret(t *testing.T) {
	kc, now := readCluster(t, "sample"), time.Date(2026, time.May, 1, 0, 0, 0, 0, time.UTC)
	first := secretData(t, kc, nil, now)
	if err := verify(t, first, first, now); err != nil {
		t.Error(err)
	}
	if got, want := string(first[CredentialsKey]), "koperator: "+string(first["password"])+",ADMIN\n"; got != want || len(first["password"]) < 20 {
		t.Errorf("credentials %q", got)
	}
	if again := secretData(t, kc, first, now.Add(24*time.Hour)); !equal(first, again) {
		t.Error("a Secret that is complete changes: Cruise Control would be restarted")
	}

	renewed := secretData(t, kc, first, now.Add(300*24*time.Hour))
	if string(renewed[APIKeystoreKey]) == string(first[APIKeystoreKey]) || string(renewed["password"]) != string(first["password"]) {
		t.Error("before its end the certificate is made anew, and nothing else")
	}
	if err := verify(t, first, renewed, now.Add(300*24*time.Hour)); err != nil {
		t.Errorf("until it is restarted, Cruise Control shows its old certificate: %v", err)
	}

	replaced := maps.Clone(first)
	delete(replaced, authorityKeyKey)
	replaced = secretData(t, kc, replaced, now)
	for name, shown := range map[string]map[string][]byte{"old": first, "new": replaced} {
		if err := verify(t, shown, replaced, now); err != nil {
			t.Errorf("the %s certificate is not trusted: %v", name, err)
		}
	}
	if HashSecrets(nil, first) == HashSecrets(nil, renewed) {
		t.Error("a new certificate restarts nothing")
	}
}

// Each password is a person's to change: what follows from it follows.
func TestPasswordsAreKept(t *testing.T) {
	kc, now := readCluster(t, "sample"), time.Date(2026, time.May, 1, 0, 0, 0, 0, time.UTC)
	data := secretData(t, kc, nil, now)
	data["password"] = []byte("mine")
	delete(data, KeystorePasswordKey)
	data = secretData(t, kc, data, now)
	if !strings.Contains(string(data[CredentialsKey]), "mine") || len(data[KeystorePasswordKey]) == 0 {
		t.Errorf("%s", data[CredentialsKey])
	}
	if err := verify(t, data, data, now); err != nil {
		t.Error(err)
	}
}
