package pki

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"testing"

	"k8s.io/client-go/tools/clientcmd"
)

func TestIssue(t *testing.T) {
	a, err := NewAuthority(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	id := Identity{File: "node1", User: "system:node:node1", Group: "system:nodes", Hosts: []string{"node1", "203.0.113.21"}}
	if err := a.Issue(id); err != nil {
		t.Fatal(err)
	}
	pair, err := tls.LoadX509KeyPair(a.CertFile("node1"), a.KeyFile("node1"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(a.cert)
	for _, host := range id.Hosts {
		if _, err := pair.Leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: host}); err != nil {
			t.Errorf("as a server at %s: %v", host, err)
		}
	}
	if _, err := pair.Leaf.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
		t.Errorf("as a client: %v", err)
	}
	if s := pair.Leaf.Subject; s.CommonName != id.User || len(s.Organization) != 1 || s.Organization[0] != id.Group {
		t.Errorf("got subject %s", s)
	}
	info, err := os.Stat(a.KeyFile("node1"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got mode %v, %v", info.Mode(), err)
	}
}

func TestWriteKubeconfig(t *testing.T) {
	dir := t.TempDir()
	a, err := NewAuthority(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Issue(Identity{File: "admin", User: "admin", Group: "system:masters"}); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "kubeconfig")
	if err := a.WriteKubeconfig(file, "probe", "https://127.0.0.1:1234", "admin"); err != nil {
		t.Fatal(err)
	}
	config, err := clientcmd.BuildConfigFromFlags("", file)
	if err != nil {
		t.Fatal(err)
	}
	if config.Host != "https://127.0.0.1:1234" || len(config.CertData) == 0 || len(config.CAData) == 0 {
		t.Errorf("got %+v", config)
	}
}
