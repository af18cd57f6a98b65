package fleet

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"koperator.dev/koperator/apis/machinery/pki"
	"koperator.dev/koperator/envoy/fleet/objects"
)

func (w *world) authoritySecret() *corev1.Secret {
	w.Helper()
	secret := &corev1.Secret{}
	w.must(w.client.Get(w, client.ObjectKey{Namespace: w.system, Name: AuthoritySecret}, secret))
	return secret
}

// serves tells whether a replica's own certificate is one that proxies of the fleet trust, and the other way round.
func (w *world) serves(r *replica) error {
	w.Helper()
	certificate, trusted, err := r.authority.TLS()
	if err != nil {
		return err
	}
	data := get(w, "orders-envoy-tls", &corev1.Secret{}).Data
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(data[objects.AuthorityKey])
	server, err := x509.ParseCertificate(certificate.Certificate[0])
	w.must(err)
	_, err = server.Verify(x509.VerifyOptions{DNSName: "envoy-manager." + w.system + ".svc", Roots: pool, CurrentTime: w.clock.Now()})
	proxy := parseCertificate(w, data[corev1.TLSCertKey])
	_, other := proxy.Verify(x509.VerifyOptions{Roots: trusted, CurrentTime: w.clock.Now(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	return errors.Join(err, other)
}

// A replica that does not lead waits for the authority, and is not ready before it is there.
func TestReplicasShareOneAuthority(t *testing.T) {
	w := newWorld(t)
	if err := w.second.authority.Ready(nil); !errors.Is(err, errNoAuthority) {
		t.Fatalf("a replica without the authority says %v", err)
	}
	w.must(w.second.authority.Refresh(w))
	w.must(w.second.authority.Ready(nil))
	w.started()
	for _, r := range []*replica{w.first, w.second} {
		if err := w.serves(r); err != nil {
			t.Errorf("the %s replica: %v", r.name, err)
		}
	}
	if !(Maker{}).NeedLeaderElection() || w.first.authority.NeedLeaderElection() {
		t.Error("not exactly the one that makes the authority leads")
	}
}

// Without an authority nothing is issued, and that is said. Everything else goes on.
func TestNoAuthorityYet(t *testing.T) {
	w := newWorld(t)
	w.must(w.client.Delete(w, w.authoritySecret()))
	w.restartEmpty()
	w.must(w.client.Create(w, w.orders()))
	if _, err := w.tryPass(orders); !errors.Is(err, errNoAuthority) {
		t.Errorf("the pass says %v", err)
	}
	w.requireCondition("ExternalAccessReady", "False", reasonFailed, "there is no Secret envoy-manager-ca yet")
	if w.told(sni) == "" || !w.exists("orders-external-public", &corev1.Service{}) {
		t.Error("addresses wait for it")
	}
	w.must(w.first.authority.Make(w))
	w.play(orders)
	w.requireCondition("ExternalAccessReady", "True", reasonAsWanted, "")
}

// restartEmpty is a replica that finds no authority.
func (w *world) restartEmpty() { w.first = w.newReplica("first", w.recorded()) }

// An authority is never replaced: not by a second leader, not if it cannot be read, not if somebody deletes it.
func TestAuthorityIsNotReplaced(t *testing.T) {
	w := newWorld(t)
	w.started()
	before := w.authoritySecret().Data[corev1.TLSCertKey]
	w.must(w.second.authority.Make(w))
	if !bytes.Equal(w.authoritySecret().Data[corev1.TLSCertKey], before) {
		t.Fatal("another leader replaces it")
	}

	w.must(w.client.Delete(w, w.authoritySecret()))
	w.must(w.first.authority.Refresh(w)) // it goes on with the one it knows
	w.must(w.first.authority.Make(w))
	if !bytes.Equal(w.authoritySecret().Data[corev1.TLSCertKey], before) {
		t.Fatal("one that was deleted is not put back")
	}

	damaged := w.authoritySecret()
	damaged.Data[corev1.TLSCertKey] = []byte("no certificate")
	w.must(w.client.Update(w, damaged))
	if err := w.first.authority.Refresh(w); err == nil {
		t.Error("one that cannot be read is no error")
	}
	w.must(w.first.authority.Make(w))
	if !bytes.Equal(w.authoritySecret().Data[corev1.TLSCertKey], []byte("no certificate")) {
		t.Error("one that cannot be read is replaced")
	}
	w.must(w.serves(w.first)) // with the one it knows
}

// An authority whose time is over is made anew when somebody deletes it, and everybody gets to trust the new one.
func TestNewAuthorityAfterItsTime(t *testing.T) {
	w := newWorld(t)
	w.started()
	w.must(w.second.authority.Refresh(w))
	before := w.authoritySecret().Data[corev1.TLSCertKey]
	w.clock.Step(pki.AuthorityValidity * 9 / 10)
	w.must(w.client.Delete(w, w.authoritySecret()))
	w.must(w.first.authority.Make(w))
	if bytes.Equal(w.authoritySecret().Data[corev1.TLSCertKey], before) {
		t.Fatal("the old one is put back")
	}
	_, trusted, err := w.first.authority.TLS()
	w.must(err)
	proxy := parseCertificate(w, get(w, "orders-envoy-tls", &corev1.Secret{}).Data[corev1.TLSCertKey])
	if _, err := proxy.Verify(x509.VerifyOptions{Roots: trusted, CurrentTime: proxy.NotBefore, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
		t.Errorf("proxies with certificates of the old one are not let in any more: %v", err)
	}
	w.must(w.second.authority.Refresh(w))
	w.pass(orders)
	for _, r := range []*replica{w.first, w.second} {
		if err := w.serves(r); err != nil {
			t.Errorf("the %s replica: %v", r.name, err)
		}
	}
}

// Certificates are renewed before a third of their life is left, and no proxy is replaced for it.
func TestCertificatesAreRenewed(t *testing.T) {
	w := newWorld(t)
	w.started()
	w.must(w.second.authority.Refresh(w))
	before := get(w, "orders-envoy-tls", &corev1.Secret{}).Data[corev1.TLSCertKey]
	w.clock.Step(pki.LeafValidity/2 + verifiedFor)
	w.settle(orders)
	if !bytes.Equal(get(w, "orders-envoy-tls", &corev1.Secret{}).Data[corev1.TLSCertKey], before) {
		t.Error("a certificate in the middle of its life is renewed")
	}
	w.clock.Step(pki.LeafValidity / 5)
	w.must(w.first.authority.Refresh(w))
	w.must(w.second.authority.Refresh(w))
	w.settle(orders)
	if bytes.Equal(get(w, "orders-envoy-tls", &corev1.Secret{}).Data[corev1.TLSCertKey], before) {
		t.Error("a certificate with less than a third of its life left is not renewed")
	}
	w.clock.Step(pki.LeafValidity / 3)
	for _, r := range []*replica{w.first, w.second} {
		if err := w.serves(r); err != nil {
			t.Errorf("the %s replica: %v", r.name, err)
		}
	}
}

// A Secret that was deleted or damaged is made again.
func TestLostCertificateIsIssuedAgain(t *testing.T) {
	w := newWorld(t)
	w.started()
	for name, lose := range map[string]func(*corev1.Secret) error{
		"deleted": func(s *corev1.Secret) error { return w.client.Delete(w, s) },
		"damaged": func(s *corev1.Secret) error {
			s.Data[corev1.TLSPrivateKeyKey] = []byte("no key")
			return w.client.Update(w, s)
		},
		"without the authority": func(s *corev1.Secret) error {
			s.Data[objects.AuthorityKey] = nil
			return w.client.Update(w, s)
		},
	} {
		w.must(lose(get(w, "orders-envoy-tls", &corev1.Secret{})))
		w.clock.Step(verifiedFor)
		w.pass(orders)
		if err := w.serves(w.first); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestLoopsEndWithTheirContext(t *testing.T) {
	w := newWorld(t)
	ended := make(chan error, 2)
	ctx, cancel := context.WithCancel(w)
	go func() { ended <- w.first.authority.Start(ctx) }()
	go func() { ended <- Maker{w.second.authority}.Start(ctx) }()
	cancel()
	for range 2 {
		select {
		case err := <-ended:
			w.must(err)
		case <-time.After(10 * time.Second):
			t.Fatal("it does not end")
		}
	}
}
