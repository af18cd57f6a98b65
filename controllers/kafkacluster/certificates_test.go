package kafkacluster

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

func (w *world) deleteSecret(name string) {
	w.Helper()
	w.must(w.client.Delete(w, get(w, name, &corev1.Secret{})))
}

// While nodes run that trust the cluster's CA, it is never replaced: they would not talk to those that start later.
func TestLostAuthorityIsNotReplaced(t *testing.T) {
	w := newWorld(t)
	w.started()
	authority := get(w, "orders-ca", &corev1.Secret{}).Data[corev1.TLSCertKey]
	w.deleteSecret("orders-ca")
	w.clock.SetTime(w.clock.Now().Add(2 * verifiedFor))
	w.pass("orders")
	if string(get(w, "orders-ca", &corev1.Secret{}).Data[corev1.TLSCertKey]) != string(authority) {
		t.Fatal("a running broker-manager, which has the authority in memory, made another one")
	}

	w.deleteSecret("orders-ca")
	w.restart()
	if _, err := w.tryPass("orders"); err == nil || !strings.Contains(err.Error(), "restore it") {
		t.Fatalf("the pass does not say that the authority is to be restored: %v", err)
	}
	if w.exists("orders-ca", &corev1.Secret{}) {
		t.Fatal("another authority was made while nodes run that trust the first one")
	}
	blocked := w.cluster("orders").Status.BlockedBy
	if !slices.ContainsFunc(blocked, func(b v1beta1.BlockedBy) bool { return strings.Contains(b.Message, "restore it") }) {
		t.Errorf("status does not say what to do: %+v", blocked)
	}
}

// A node's Secret that was deleted or damaged is made again, signed by the same authority, and restarts nothing.
func TestLostCertificateIsIssuedAgain(t *testing.T) {
	w := newWorld(t)
	w.started()
	pods := w.pods()
	w.deleteSecret("orders-100-tls")
	damaged := get(w, "orders-101-tls", &corev1.Secret{})
	damaged.Data[corev1.TLSCertKey] = []byte("no certificate")
	w.must(w.client.Update(w, damaged))
	w.clock.SetTime(w.clock.Now().Add(2 * verifiedFor))
	w.pass("orders")
	for _, name := range []string{"orders-100-tls", "orders-101-tls"} {
		data := get(w, name, &corev1.Secret{}).Data
		if !strings.Contains(string(data[corev1.TLSCertKey]), "BEGIN CERTIFICATE") || !strings.Contains(string(data["keystore.pem"]), "PRIVATE KEY") {
			t.Errorf("%s has no certificate", name)
		}
	}
	for name, uid := range w.pods() {
		if pods[name] != uid {
			t.Errorf("%s was restarted", name)
		}
	}
}

// Keys are in Secrets only.
func TestNoKeyOutsideSecrets(t *testing.T) {
	w := newWorld(t)
	w.started()
	for _, list := range []client.ObjectList{&corev1.PodList{}, &corev1.ConfigMapList{}, &v1beta1.KafkaClusterList{}} {
		w.must(w.client.List(w, list, client.InNamespace(w.namespace)))
		w.must(eachItem(list, func(obj client.Object) {
			text := map[string]any{}
			w.must(convert(obj, &text))
			if strings.Contains(strings.ToUpper(fmt.Sprint(text)), "PRIVATE KEY") {
				t.Errorf("%s holds a private key", objectKey(obj))
			}
		}))
	}
}
