package fleet

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

// user is who envoy-manager is with the rights that it is installed with.
type user struct {
	*world
	name string
}

// withRightsOnly makes the first replica one that has the generated rights and no others: those for the whole of
// Kubernetes, and those in its own namespace. The ones to Secrets it has nowhere yet.
func (w *world) withRightsOnly() user {
	w.Helper()
	u := user{w, w.system + "-user"}
	for _, role := range readRoles(w) {
		switch {
		case role.kind == "Role": // in the namespace of envoy-manager
			u.create(&rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Name: role.name, Namespace: w.system}, Rules: role.rules})
			u.bind(w.system, "Role", role.name)
		case strings.HasSuffix(role.name, "-secrets"):
			u.create(&rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: u.name + "-secrets"}, Rules: role.rules})
		default:
			u.create(&rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: u.name}, Rules: role.rules})
			u.create(&rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: u.name}, RoleRef: u.ref("ClusterRole", u.name), Subjects: u.subjects()})
		}
	}
	config := rest.CopyConfig(apiServer)
	config.Impersonate = rest.ImpersonationConfig{UserName: u.name, Groups: []string{"system:authenticated"}}
	c, err := client.New(config, client.Options{Scheme: scheme()})
	w.must(err)
	w.first = w.newReplica("first", c)
	return u
}

func (u user) create(obj client.Object) {
	u.Helper()
	u.must(u.client.Create(u, obj))
}

func (u user) ref(kind, name string) rbacv1.RoleRef {
	return rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: kind, Name: name}
}

func (u user) subjects() []rbacv1.Subject {
	return []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: u.name}}
}

func (u user) bind(namespace, kind, name string) {
	u.Helper()
	u.create(&rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace}, RoleRef: u.ref(kind, name), Subjects: u.subjects()})
}

// allowSecrets is what a user does for each namespace with KafkaClusters.
func (u user) allowSecrets() {
	u.Helper()
	u.bind(u.namespace, "ClusterRole", u.name+"-secrets")
}

type role struct {
	kind, name string
	rules      []rbacv1.PolicyRule
}

func readRoles(w *world) []role {
	w.Helper()
	text, err := os.ReadFile("../../config/rbac/envoy-manager/role.yaml")
	w.must(err)
	var roles []role
	for _, document := range bytes.Split(text, []byte("\n---\n")) {
		parsed := rbacv1.ClusterRole{}
		w.must(yaml.Unmarshal(document, &parsed))
		if parsed.Kind == "Role" && parsed.Namespace != "koperator-system" {
			w.Fatalf("the rights in namespace %s are not known to this test", parsed.Namespace)
		}
		roles = append(roles, role{parsed.Kind, parsed.Name, parsed.Rules})
	}
	if len(roles) != 3 {
		w.Fatalf("%d roles, want one for the whole of Kubernetes, one for Secrets, and one for the own namespace", len(roles))
	}
	return roles
}

// The generated rights are enough for everything that envoy-manager does, and the one thing that a user has to do is said
// until it is done.
func TestRightsAreEnough(t *testing.T) {
	w := newWorld(t)
	w.must(w.client.Delete(w, w.authoritySecret()))
	u := w.withRightsOnly()
	w.must(w.first.authority.Make(w))

	w.must(w.client.Create(w, w.orders()))
	if _, err := w.tryPass(orders); err == nil {
		t.Error("without rights to Secrets the pass succeeds")
	}
	w.requireCondition(v1beta1.ConditionExternalAccessReady, metav1.ConditionFalse, reasonForbidden,
		fmt.Sprintf("envoy-manager has no right to the Secrets of namespace %s: bind its role for secrets there", w.namespace))
	if w.exists("orders-envoy-tls", &corev1.Secret{}) || w.told(sni) == "" {
		t.Error("a Secret was made without the right to it, or everything waits for it")
	}

	u.allowSecrets()
	w.play(orders)
	w.requireCondition(v1beta1.ConditionExternalAccessReady, metav1.ConditionTrue, reasonAsWanted, "")

	w.edit(func(spec *v1beta1.KafkaClusterSpec) { spec.Envoy.Groups = []v1beta1.EnvoyGroup{{Name: "a"}} })
	w.play(orders)
	w.requireCondition(v1beta1.ConditionExternalAccessReady, metav1.ConditionTrue, reasonAsWanted, "")
	w.edit(func(spec *v1beta1.KafkaClusterSpec) { spec.Listeners = spec.Listeners[:1] })
	w.play(orders) // nobody else has said anything in status
	w.setBrokers(0, 100)
	w.play(orders)
	if len(w.cluster(orders).Status.Conditions) > 0 || w.exists("orders-envoy-a-tls", &corev1.Secret{}) {
		t.Error("something is left")
	}
	if err := w.first.leader.Client.List(w, &corev1.SecretList{}, client.InNamespace(w.namespace)); err == nil {
		t.Error("all Secrets of the namespace can be listed")
	}
}
