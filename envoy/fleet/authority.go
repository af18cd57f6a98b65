package fleet

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/apis/machinery/pki"
)

// AuthoritySecret is the Secret with envoy-manager's own authority, in its own namespace.
const AuthoritySecret = "envoy-manager-ca"

// How often the authority is looked at: Secrets are not watched, because that would need the right to read all of them.
const (
	whileMissing = 2 * time.Second
	whileThere   = time.Minute
)

// errNoAuthority means that the leader has not made the authority yet.
var errNoAuthority = fmt.Errorf("there is no Secret %s yet: the replica that leads makes it", AuthoritySecret)

// +kubebuilder:rbac:groups="",namespace=koperator-system,resources=secrets,resourceNames=envoy-manager-ca,verbs=get
// +kubebuilder:rbac:groups="",namespace=koperator-system,resources=secrets,verbs=create

// Authority issues the certificates of the connection between proxies and envoy-manager. Every replica reads it, and issues
// a certificate of its own for the server, which nobody else sees.
type Authority struct {
	client    client.Client
	clock     clock.Clock
	namespace string
	host      string

	mu        sync.Mutex
	authority *pki.Authority
	// former is the authority before this one, if it was exchanged: proxies hold its certificates for a while.
	former []byte
	leaf   pki.Leaf
}

// NewAuthority makes an Authority for a server that proxies reach at host.
func NewAuthority(c client.Client, clock clock.Clock, namespace, host string) *Authority {
	return &Authority{client: c, clock: clock, namespace: namespace, host: host}
}

// Start keeps the authority as the Secret has it, on every replica.
func (a *Authority) Start(ctx context.Context) error {
	return a.repeat(ctx, a.Refresh)
}

// NeedLeaderElection is false: every replica serves.
func (a *Authority) NeedLeaderElection() bool { return false }

// Maker makes the authority if there is none, on the replica that leads.
type Maker struct{ *Authority }

// Start makes the authority.
func (m Maker) Start(ctx context.Context) error { return m.repeat(ctx, m.Make) }

// NeedLeaderElection is true: two would make two.
func (m Maker) NeedLeaderElection() bool { return true }

func (a *Authority) repeat(ctx context.Context, step func(context.Context) error) error {
	for {
		pause := whileThere
		if err := step(ctx); err != nil {
			pause = whileMissing
			if !errors.Is(err, errNoAuthority) && ctx.Err() == nil {
				log.FromContext(ctx).Error(err, "Keeping the authority")
			}
		}
		select {
		case <-a.clock.After(pause):
		case <-ctx.Done():
			return nil
		}
	}
}

// Refresh reads the authority, and renews the server's certificate when it is due.
func (a *Authority) Refresh(ctx context.Context) error {
	secret, err := a.read(ctx)
	if err != nil {
		return err
	}
	if secret == nil {
		return a.renew(a.current())
	}
	authority, err := pki.ParseAuthority(secret.Data[corev1.TLSCertKey], secret.Data[corev1.TLSPrivateKeyKey])
	if err != nil {
		return fmt.Errorf("reading secret %s: %w", AuthoritySecret, err)
	}
	return a.renew(&authority)
}

// Make makes the authority if there is none. One that is there and cannot be read is never replaced. One that was deleted is
// put back, unless its time is over.
func (a *Authority) Make(ctx context.Context) error {
	secret, err := a.read(ctx)
	if err != nil || secret != nil {
		return err
	}
	authority := a.current()
	if authority == nil || pki.CheckAuthority(authority.CertificatePEM, authority.KeyPEM, a.clock.Now()) != "" {
		made, err := pki.NewAuthority("envoy-manager", a.clock.Now(), rand.Reader)
		if err != nil {
			return fmt.Errorf("making the authority: %w", err)
		}
		authority = &made
	}
	// Created and not applied: if somebody else was faster, theirs it is.
	err = a.client.Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: AuthoritySecret, Namespace: a.namespace, Labels: map[string]string{v1beta1.LabelManagedBy: "koperator"}},
		Type:       corev1.SecretTypeTLS,
		Data:       map[string][]byte{corev1.TLSCertKey: authority.CertificatePEM, corev1.TLSPrivateKeyKey: authority.KeyPEM},
	})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("creating secret %s: %w", AuthoritySecret, err)
	}
	return a.Refresh(ctx)
}

func (a *Authority) read(ctx context.Context) (*corev1.Secret, error) {
	secret := &corev1.Secret{}
	err := a.client.Get(ctx, client.ObjectKey{Namespace: a.namespace, Name: AuthoritySecret}, secret)
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("reading secret %s: %w", AuthoritySecret, err)
	}
	return secret, nil
}

func (a *Authority) current() *pki.Authority {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.authority
}

// renew takes an authority, and issues the server's certificate if the one there is does not fit.
func (a *Authority) renew(authority *pki.Authority) error {
	if authority == nil {
		return errNoAuthority
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.authority != nil && !bytes.Equal(a.authority.CertificatePEM, authority.CertificatePEM) {
		a.former = a.authority.CertificatePEM
	}
	a.authority = authority
	setAuthorityMetric(authority.CertificatePEM)
	request := pki.Request{CommonName: "envoy-manager", DNSNames: []string{a.host}, Server: true}
	if pki.Check(a.leaf, *authority, request, a.clock.Now()) == "" {
		return nil
	}
	leaf, err := authority.Issue(request, a.clock.Now(), rand.Reader)
	if err != nil {
		return fmt.Errorf("issuing the server's certificate: %w", err)
	}
	a.leaf = leaf
	return nil
}

// TLS is the server's certificate, and whom it trusts.
func (a *Authority) TLS() (tls.Certificate, *x509.CertPool, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.authority == nil {
		return tls.Certificate{}, nil, errNoAuthority
	}
	certificate, err := tls.X509KeyPair(a.leaf.CertificatePEM, a.leaf.KeyPEM)
	if err != nil {
		return tls.Certificate{}, nil, fmt.Errorf("reading the server's certificate: %w", err)
	}
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM(a.authority.CertificatePEM)
	trusted.AppendCertsFromPEM(a.former)
	return certificate, trusted, nil
}

// Ready is a readiness check: a replica without certificates cannot serve.
func (a *Authority) Ready(*http.Request) error {
	_, _, err := a.TLS()
	return err
}
