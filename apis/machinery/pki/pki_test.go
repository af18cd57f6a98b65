package pki

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

var start = time.Date(2026, 2, 3, 4, 5, 6, 789, time.UTC)

var server = Request{CommonName: "orders-101", DNSNames: []string{"orders-101.orders-brokers.kafka.svc", "localhost"}, Server: true, Client: true}

var client = Request{CommonName: "koperator", Client: true}

func newAuthority(t testing.TB) Authority {
	t.Helper()
	authority, err := NewAuthority("orders-ca", start, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return authority
}

func issue(t testing.TB, authority Authority, request Request, now time.Time) Leaf {
	t.Helper()
	leaf, err := authority.Issue(request, now, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return leaf
}

func TestAuthority(t *testing.T) {
	c := newAuthority(t).certificate
	if !c.IsCA || c.MaxPathLen != 0 || !c.MaxPathLenZero {
		t.Errorf("CA %t, path length %d; want an authority of leaves alone", c.IsCA, c.MaxPathLen)
	}
	if c.KeyUsage != x509.KeyUsageCertSign|x509.KeyUsageCRLSign {
		t.Errorf("key usage %b", c.KeyUsage)
	}
	if key, ok := c.PublicKey.(*ecdsa.PublicKey); !ok || key.Curve != elliptic.P256() {
		t.Errorf("key %T, want ECDSA P-256", c.PublicKey)
	}
	if years := c.NotAfter.Sub(start).Hours() / 24 / 365; years < 9.99 || years > 10.01 {
		t.Errorf("valid for %.2f years, want 10", years)
	}
}

func TestLeaf(t *testing.T) {
	authority := newAuthority(t)
	leaf := issue(t, authority, server, start)
	c, err := parseCertificate(leaf.CertificatePEM)
	if err != nil {
		t.Fatal(err)
	}
	// Java prints a name from its end (RFC 2253), as Go does.
	if got := c.Subject.String(); got != "CN=orders-101,O=koperator" {
		t.Errorf("Kafka would print %q", got)
	}
	if c.IsCA || c.KeyUsage != x509.KeyUsageDigitalSignature {
		t.Errorf("CA %t, key usage %b", c.IsCA, c.KeyUsage)
	}
	if before := start.Sub(c.NotBefore); before < time.Minute || before > 10*time.Minute {
		t.Errorf("valid from %s before its issue, want a few minutes", before)
	}
	if left := c.NotAfter.Sub(start); left < 364*24*time.Hour || left > 366*24*time.Hour {
		t.Errorf("valid for %s, want a year", left)
	}
	block, rest := pem.Decode(leaf.KeystorePEM())
	if block == nil || block.Type != "PRIVATE KEY" {
		t.Fatalf("the key store starts with %+v, want the key", block)
	}
	if _, err := x509.ParsePKCS8PrivateKey(block.Bytes); err != nil {
		t.Errorf("the key is no PKCS#8 key: %v", err)
	}
	if !bytes.Equal(rest, leaf.CertificatePEM) {
		t.Error("the key store does not end with the certificate")
	}
	if again := issue(t, authority, server, start.Add(time.Hour)); !bytes.Equal(c.RawSubject, mustParse(t, again).RawSubject) {
		t.Error("the subject has changed; Kafka would refuse to reload it")
	}
}

func mustParse(t *testing.T, leaf Leaf) *x509.Certificate {
	t.Helper()
	c, err := parseCertificate(leaf.CertificatePEM)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestSerialNumbers(t *testing.T) {
	authority := newAuthority(t)
	seen := map[string]bool{}
	longest := 0
	for range 50 {
		serial := mustParse(t, issue(t, authority, client, start)).SerialNumber
		if seen[serial.String()] {
			t.Fatal("a serial number was used twice")
		}
		seen[serial.String()] = true
		longest = max(longest, serial.BitLen())
	}
	if longest <= 120 || longest > 128 {
		t.Errorf("serial numbers have up to %d bits, want 128", longest)
	}
}

func TestLeafNeverOutlivesItsAuthority(t *testing.T) {
	authority := newAuthority(t)
	now := authority.certificate.NotAfter.Add(-24 * time.Hour)
	leaf := issue(t, authority, client, now)
	if got := mustParse(t, leaf).NotAfter; !got.Equal(authority.certificate.NotAfter) {
		t.Errorf("the leaf ends at %s, its authority at %s", got, authority.certificate.NotAfter)
	}
	if reason := Check(leaf, authority, client, now.Add(23*time.Hour)); reason != "" {
		t.Errorf("%s: a new leaf would live no longer", reason)
	}
}

func TestIssueRefuses(t *testing.T) {
	authority := newAuthority(t)
	for name, c := range map[string]struct {
		authority Authority
		request   Request
		now       time.Time
		rand      io.Reader
	}{
		"an empty authority":   {Authority{}, client, start, rand.Reader},
		"an expired authority": {authority, client, authority.certificate.NotAfter, rand.Reader},
		"no name":              {authority, Request{Client: true}, start, rand.Reader},
		"no use":               {authority, Request{CommonName: "x"}, start, rand.Reader},
		"a server without DNS": {authority, Request{CommonName: "x", Server: true}, start, rand.Reader},
		"negative validity":    {authority, Request{CommonName: "x", Client: true, Validity: -1}, start, rand.Reader},
		"no randomness":        {authority, client, start, iotest.ErrReader(errors.New("none"))},
		"bad randomness":       {authority, client, start, bytes.NewReader(make([]byte, 64))},
	} {
		if _, err := c.authority.Issue(c.request, c.now, c.rand); err == nil {
			t.Errorf("%s: issued", name)
		}
	}
	if _, err := NewAuthority("", start, rand.Reader); err == nil {
		t.Error("an authority without a name was made")
	}
}

func TestParseAuthority(t *testing.T) {
	authority := newAuthority(t)
	read, err := ParseAuthority(authority.CertificatePEM, authority.KeyPEM)
	if err != nil {
		t.Fatal(err)
	}
	if reason := Check(issue(t, read, server, start), authority, server, start); reason != "" {
		t.Errorf("%s: what a read authority issues is not accepted", reason)
	}
	leaf, other := issue(t, authority, client, start), newAuthority(t)
	for name, pair := range map[string][2][]byte{
		"nothing":           {nil, nil},
		"no key":            {authority.CertificatePEM, nil},
		"a foreign key":     {authority.CertificatePEM, other.KeyPEM},
		"a leaf":            {leaf.CertificatePEM, leaf.KeyPEM},
		"two authorities":   {append(slices.Clone(authority.CertificatePEM), other.CertificatePEM...), authority.KeyPEM},
		"the wrong way":     {authority.KeyPEM, authority.CertificatePEM},
		"a cut certificate": {authority.CertificatePEM[:len(authority.CertificatePEM)/2], authority.KeyPEM},
	} {
		if _, err := ParseAuthority(pair[0], pair[1]); err == nil {
			t.Errorf("%s: read", name)
		} else if strings.Contains(err.Error(), "BEGIN") {
			t.Errorf("%s: the error shows what was read: %v", name, err)
		}
	}
}

func TestCheck(t *testing.T) {
	authority, other := newAuthority(t), newAuthority(t)
	leaf := issue(t, authority, server, start)
	year := LeafValidity
	proxy := server
	proxy.IPAddresses = []netip.Addr{netip.MustParseAddr("::ffff:198.51.100.1"), netip.MustParseAddr("2001:db8::1")}
	proxy.URIs = []string{"spiffe://koperator/ns/kafka/fleet/orders-envoy"}
	with := func(change func(*Request)) Request {
		r := server
		r.DNSNames = slices.Clone(r.DNSNames)
		change(&r)
		return r
	}
	for name, c := range map[string]struct {
		leaf      Leaf
		authority Authority
		request   Request
		now       time.Time
		want      Reason
	}{
		"as issued":                {leaf, authority, server, start, ""},
		"names in another order":   {leaf, authority, with(func(r *Request) { slices.Reverse(r.DNSNames) }), start, ""},
		"nothing":                  {Leaf{}, authority, server, start, Missing},
		"no key":                   {Leaf{CertificatePEM: leaf.CertificatePEM}, authority, server, start, Missing},
		"no certificate":           {Leaf{KeyPEM: leaf.KeyPEM}, authority, server, start, Missing},
		"garbage":                  {Leaf{CertificatePEM: []byte("x"), KeyPEM: leaf.KeyPEM}, authority, server, start, Unparsable},
		"garbage key":              {Leaf{CertificatePEM: leaf.CertificatePEM, KeyPEM: []byte("x")}, authority, server, start, Unparsable},
		"key of another leaf":      {Leaf{CertificatePEM: leaf.CertificatePEM, KeyPEM: other.KeyPEM}, authority, server, start, KeyMismatch},
		"another authority":        {leaf, other, server, start, WrongAuthority},
		"no authority":             {leaf, Authority{}, server, start, WrongAuthority},
		"another subject":          {leaf, authority, with(func(r *Request) { r.CommonName = "orders-102" }), start, SubjectDiffers},
		"one name more":            {leaf, authority, with(func(r *Request) { r.DNSNames = append(r.DNSNames, "x") }), start, NamesDiffer},
		"one name less":            {leaf, authority, with(func(r *Request) { r.DNSNames = r.DNSNames[:1] }), start, NamesDiffer},
		"an IP address more":       {leaf, authority, with(func(r *Request) { r.IPAddresses = []netip.Addr{netip.MustParseAddr("198.51.100.1")} }), start, NamesDiffer},
		"a URI more":               {leaf, authority, with(func(r *Request) { r.URIs = []string{"spiffe://koperator/x"} }), start, NamesDiffer},
		"addresses and URIs":       {issue(t, authority, proxy, start), authority, proxy, start, ""},
		"without its addresses":    {issue(t, authority, proxy, start), authority, server, start, NamesDiffer},
		"server alone":             {leaf, authority, with(func(r *Request) { r.Client = false }), start, UsageDiffers},
		"client alone":             {leaf, authority, with(func(r *Request) { r.Server = false }), start, UsageDiffers},
		"within the skew":          {leaf, authority, server, start.Add(-4 * time.Minute), ""},
		"not yet valid":            {leaf, authority, server, start.Add(-time.Hour), NotYetValid},
		"just over a third left":   {leaf, authority, server, start.Add(year * 66 / 100), ""},
		"less than a third left":   {leaf, authority, server, start.Add(year * 67 / 100), RenewalDue},
		"expired":                  {leaf, authority, server, start.Add(year), Expired},
		"renewed after two thirds": {issue(t, authority, server, start.Add(year*67/100)), authority, server, start.Add(year), ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Check(c.leaf, c.authority, c.request, c.now); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

// Two authorities of one name, as in a rotation, are told apart.
func TestWrongAuthorityOfTheSameName(t *testing.T) {
	a, b := newAuthority(t), newAuthority(t)
	if !bytes.Equal(a.certificate.RawSubject, b.certificate.RawSubject) {
		t.Fatal("the authorities have different names")
	}
	if got := Check(issue(t, a, client, start), b, client, start); got != WrongAuthority {
		t.Errorf("%q, want %q", got, WrongAuthority)
	}
}

func TestCheckAuthority(t *testing.T) {
	a, b := newAuthority(t), newAuthority(t)
	leaf := issue(t, a, client, start)
	for name, c := range map[string]struct {
		cert, key []byte
		now       time.Time
		want      Reason
	}{
		"as made":                {a.CertificatePEM, a.KeyPEM, start, ""},
		"nothing":                {nil, nil, start, Missing},
		"half, without the key":  {a.CertificatePEM, nil, start, Unparsable},
		"half, the key alone":    {nil, a.KeyPEM, start, Unparsable},
		"garbage":                {[]byte("x"), []byte("y"), start, Unparsable},
		"another's key":          {a.CertificatePEM, b.KeyPEM, start, KeyMismatch},
		"a leaf":                 {leaf.CertificatePEM, leaf.KeyPEM, start, NotAuthority},
		"not yet valid":          {a.CertificatePEM, a.KeyPEM, start.Add(-time.Hour), NotYetValid},
		"less than a third left": {a.CertificatePEM, a.KeyPEM, start.Add(AuthorityValidity / 100 * 67), RenewalDue},
		"expired":                {a.CertificatePEM, a.KeyPEM, start.Add(AuthorityValidity), Expired},
	} {
		t.Run(name, func(t *testing.T) {
			if got := CheckAuthority(c.cert, c.key, c.now); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func TestEveryReasonHasAMessage(t *testing.T) {
	for _, r := range []Reason{
		Missing, Unparsable, KeyMismatch, NotAuthority, WrongAuthority, SubjectDiffers, NamesDiffer, UsageDiffers, NotYetValid, Expired, RenewalDue,
	} {
		if r.Message() == string(r) {
			t.Errorf("%s has no message", r)
		}
	}
}

// handshake lets a client and a server meet, each with its leaf, both trusting one authority.
func handshake(t *testing.T, trusted Authority, serverLeaf, clientLeaf Leaf, serverName string) error {
	t.Helper()
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(trusted.CertificatePEM) {
		t.Fatal("the authority cannot be trusted")
	}
	config := func(leaf Leaf) *tls.Config {
		// The key store is all that Kafka gets, so it is all that is used here.
		pair, err := tls.X509KeyPair(leaf.KeystorePEM(), leaf.KeystorePEM())
		if err != nil {
			t.Fatal(err)
		}
		return &tls.Config{
			Certificates: []tls.Certificate{pair}, RootCAs: pool, ClientCAs: pool, ServerName: serverName,
			ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS13, Time: func() time.Time { return start },
		}
	}
	near, far := net.Pipe()
	defer func() { _ = near.Close() }()
	served := make(chan error, 1)
	go func() {
		defer func() { _ = far.Close() }()
		conn := tls.Server(far, config(serverLeaf))
		err := conn.Handshake()
		if err == nil {
			_, err = conn.Write([]byte("x"))
		}
		served <- err
	}()
	conn := tls.Client(near, config(clientLeaf))
	err := conn.Handshake()
	if err == nil {
		_, err = io.ReadFull(conn, make([]byte, 1)) // in TLS 1.3 a client learns of its refusal only here
	}
	_ = near.Close()
	return errors.Join(err, <-served)
}

func TestHandshake(t *testing.T) {
	authority, foreign := newAuthority(t), newAuthority(t)
	node, admin := issue(t, authority, server, start), issue(t, authority, client, start)
	for name, c := range map[string]struct {
		server, client Leaf
		serverName     string
		refused        bool
	}{
		"a client and a node":             {node, admin, "localhost", false},
		"two nodes":                       {node, node, server.DNSNames[0], false},
		"a client of another authority":   {node, issue(t, foreign, client, start), "localhost", true},
		"a server of another authority":   {issue(t, foreign, server, start), admin, "localhost", true},
		"a server of another name":        {node, admin, "orders-102.orders-brokers.kafka.svc", true},
		"a client's leaf as a server's":   {issue(t, authority, Request{CommonName: "x", DNSNames: []string{"localhost"}, Client: true}, start), admin, "localhost", true},
		"a server's leaf as a client's":   {node, issue(t, authority, Request{CommonName: "x", DNSNames: []string{"localhost"}, Server: true}, start), "localhost", true},
		"an expired client":               {node, issue(t, authority, client, start.Add(-2*LeafValidity)), "localhost", true},
		"a leaf that a leaf has signed":   {node, signedByLeaf(t, admin), "localhost", true},
		"a client that signed for itself": {node, selfSigned(t), "localhost", true},
	} {
		t.Run(name, func(t *testing.T) {
			if err := handshake(t, authority, c.server, c.client, c.serverName); (err != nil) != c.refused {
				t.Errorf("refused: %t, want %t: %v", err != nil, c.refused, err)
			}
		})
	}
}

// signedByLeaf misuses a leaf as an authority.
func signedByLeaf(t *testing.T, leaf Leaf) Leaf {
	t.Helper()
	certificate, key, err := parsePair(leaf.CertificatePEM, leaf.KeyPEM)
	if err != nil {
		t.Fatal(err)
	}
	forged := issue(t, Authority{certificate: certificate, key: key}, client, start)
	forged.CertificatePEM = append(forged.CertificatePEM, leaf.CertificatePEM...)
	return forged
}

func selfSigned(t *testing.T) Leaf {
	t.Helper()
	authority := newAuthority(t)
	return Leaf{CertificatePEM: authority.CertificatePEM, KeyPEM: authority.KeyPEM}
}

// Whatever is found in a Secret, it is read or refused.
func FuzzParse(f *testing.F) {
	authority, err := NewAuthority("ca", start, rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	leaf, err := authority.Issue(server, start, rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(authority.CertificatePEM, authority.KeyPEM)
	f.Add(leaf.CertificatePEM, leaf.KeyPEM)
	f.Add(leaf.KeystorePEM(), leaf.KeystorePEM())
	f.Add([]byte("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"), []byte("-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n"))
	f.Add([]byte{}, []byte{})
	f.Fuzz(func(t *testing.T, certPEM, keyPEM []byte) {
		parsed, err := ParseAuthority(certPEM, keyPEM)
		if err == nil {
			if _, err := parsed.Issue(client, parsed.certificate.NotBefore, rand.Reader); err != nil {
				t.Logf("an authority that was read issues nothing: %v", err)
			}
		}
		if reason := CheckAuthority(certPEM, keyPEM, start); (reason == "" || reason == Expired || reason == NotYetValid || reason == RenewalDue) != (err == nil) {
			t.Errorf("reason %q, error %v", reason, err)
		}
		Check(Leaf{CertificatePEM: certPEM, KeyPEM: keyPEM}, authority, server, start)
	})
}

// FuzzDER reaches the parsers behind the PEM blocks.
func FuzzDER(f *testing.F) {
	authority, err := NewAuthority("ca", start, rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	certificate, _ := pem.Decode(authority.CertificatePEM)
	key, _ := pem.Decode(authority.KeyPEM)
	f.Add(certificate.Bytes, key.Bytes)
	f.Fuzz(func(_ *testing.T, cert, key []byte) {
		certPEM, keyPEM := encodePEM(certificateBlock, cert), encodePEM(keyBlock, key)
		CheckAuthority(certPEM, keyPEM, start)
		Check(Leaf{CertificatePEM: certPEM, KeyPEM: keyPEM}, authority, server, start)
	})
}
