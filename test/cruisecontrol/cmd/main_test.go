package main

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/apis/machinery/pki"
	"koperator.dev/koperator/cruisecontrol/deployment"
	"koperator.dev/koperator/test/cruisecontrol"
	"koperator.dev/koperator/test/cruisecontrol/model"
)

// pod is what is mounted into Cruise Control's container, with its environment.
type pod struct {
	folder string
	env    map[string]string
	api    map[string][]byte
}

func (p pod) getenv(name string) string { return p.env[name] }

// newPod writes what Koperator makes of a KafkaCluster to where the container would have it.
func newPod(t *testing.T) pod {
	t.Helper()
	kc := &v1beta1.KafkaCluster{
		ObjectMeta: metav1.ObjectMeta{Name: "orders", Namespace: "shop"},
		Spec: v1beta1.KafkaClusterSpec{
			BrokerGroups: []v1beta1.BrokerGroup{{
				Name: "all", Roles: []v1beta1.Role{v1beta1.RoleBroker}, Storage: []v1beta1.Storage{{Path: "/a", Size: resource.MustParse("1Gi")}},
			}},
			Brokers:       []v1beta1.Broker{{ID: 1, Group: "all"}, {ID: 2, Group: "all"}},
			CruiseControl: &v1beta1.CruiseControl{Image: "stand-in"},
		},
	}
	api, err := deployment.APISecretData(kc, nil, time.Now(), rand.Reader)
	made, errPlan := deployment.Plan(kc, deployment.Input{})
	authority, errAuthority := pki.NewAuthority("Kafka", time.Now(), rand.Reader)
	if err := errors.Join(err, errPlan, errAuthority); err != nil {
		t.Fatal(err)
	}
	leaf, err := authority.Issue(pki.Request{CommonName: "cruise-control", Client: true}, time.Now(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p := pod{folder: t.TempDir(), env: map[string]string{}, api: api}
	for _, variable := range made.Deployment.Spec.Template.Spec.Containers[0].Env {
		if variable.Value != nil {
			p.env[*variable.Name] = *variable.Value
		} else {
			p.env[*variable.Name] = string(api[*variable.ValueFrom.SecretKeyRef.Key])
		}
	}
	for name, text := range made.ConfigMap.Data {
		text = strings.ReplaceAll(text, "/etc/cruise-control", p.folder)
		text = strings.Replace(text, "webserver.http.port=9090", "webserver.http.port=0", 1)
		p.write(t, "config/"+name, []byte(text))
	}
	p.write(t, "kafka/keystore.pem", leaf.KeystorePEM())
	p.write(t, "kafka/ca.crt", authority.CertificatePEM)
	for _, key := range []string{deployment.APIKeystoreKey, deployment.CredentialsKey} {
		p.write(t, "api/"+key, api[key])
	}
	return p
}

func (p pod) write(t *testing.T, name string, content []byte) {
	t.Helper()
	path := filepath.Join(p.folder, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, content, 0o600)); err != nil {
		t.Fatal(err)
	}
}

func (p pod) read() (*settings, error) {
	return read(filepath.Join(p.folder, "config", deployment.PropertiesKey), p.getenv)
}

// The stand-in starts from exactly what Koperator gives to Cruise Control.
func TestStartsFromWhatKoperatorWrites(t *testing.T) {
	p := newPod(t)
	s, err := p.read()
	if err != nil {
		t.Fatal(err)
	}
	if conf, err := s.kafkaTLS(); err != nil || conf == nil || len(conf.Certificates) != 1 {
		t.Errorf("TLS to Kafka: %v, %v", conf, err)
	}
	if s.properties["bootstrap.servers"] != "orders-bootstrap.shop.svc:9091" || !s.config.AddOpens || s.config.MaxActiveUserTasks != 25 || s.config.Capacity == nil {
		t.Errorf("got %+v", s)
	}
	server := cruisecontrol.New(t.Context(), cruisecontrol.Options{Config: s.config, Kafka: model.New(clock.RealClock{}), Address: s.address(), Listen: s.listen})
	address, err := server.Start()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	_, port, err := net.SplitHostPort(strings.TrimSuffix(strings.TrimPrefix(address, "http://"), "/kafkacruisecontrol"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(p.api["ca.crt"])
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "orders-cruise-control.shop.svc"}}
	defer transport.CloseIdleConnections()
	for password, want := range map[string]int{string(p.api[corev1.BasicAuthPasswordKey]): http.StatusOK, "wrong": http.StatusUnauthorized} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, fmt.Sprintf("https://127.0.0.1:%s/kafkacruisecontrol/user_tasks?json=true", port), nil)
		if err != nil {
			t.Fatal(err)
		}
		request.SetBasicAuth(string(p.api[corev1.BasicAuthUsernameKey]), password)
		response, err := (&http.Client{Transport: transport}).Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("got %s, want %d", response.Status, want)
		}
	}
}

// What Cruise Control would not start with, the stand-in does not start with either.
func TestRefusesToStart(t *testing.T) {
	for name, spoil := range map[string]func(pod){
		"without capacities":  func(p pod) { p.write(t, "config/"+deployment.CapacityKey, []byte("{")) },
		"without credentials": func(p pod) { _ = os.Remove(filepath.Join(p.folder, "api", deployment.CredentialsKey)) },
		"with a wrong time":   func(p pod) { p.env[planningVariable] = "soon" },
	} {
		p := newPod(t)
		spoil(p)
		if _, err := p.read(); err == nil {
			t.Errorf("it starts %s", name)
		}
	}
	p := newPod(t)
	p.env["KEYSTORE_PASSWORD"] = "wrong"
	s, err := p.read()
	if err != nil {
		t.Fatal(err)
	}
	if l, err := s.listen("tcp", "127.0.0.1:0"); err == nil {
		_ = l.Close()
		t.Error("it serves with a wrong password of its key store")
	}
}
