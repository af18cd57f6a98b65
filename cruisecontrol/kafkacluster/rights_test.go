package kafkacluster

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/apis/machinery/grant"
)

// user is who cruisecontrol-manager is with the rights that it is installed with.
type user struct {
	*world
	name string
}

// withRightsOnly makes cruisecontrol-manager one that has the generated rights and no others. The ones to Secrets it has
// nowhere yet.
func (w *world) withRightsOnly() user {
	w.Helper()
	u := user{w, w.namespace + "-user"}
	for _, role := range readRoles(w) {
		if strings.HasSuffix(role.Name, "-secrets") {
			u.create(&rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: u.name + "-secrets"}, Rules: role.Rules})
			continue
		}
		u.create(&rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: u.name}, Rules: role.Rules})
		u.create(&rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: u.name}, RoleRef: u.ref(u.name), Subjects: u.subjects()})
	}
	config := rest.CopyConfig(apiServer)
	config.Impersonate = rest.ImpersonationConfig{UserName: u.name, Groups: []string{"system:authenticated"}}
	c, err := client.New(config, client.Options{Scheme: scheme()})
	w.must(err)
	w.as = c
	w.restart()
	return u
}

func (u user) create(obj client.Object) {
	u.Helper()
	u.must(u.client.Create(u, obj))
}

func (u user) ref(name string) rbacv1.RoleRef {
	return rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: name}
}

func (u user) subjects() []rbacv1.Subject {
	return []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: u.name}}
}

// allowSecrets is what a user does for each namespace with KafkaClusters.
func (u user) allowSecrets() {
	u.Helper()
	u.create(&rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "secrets", Namespace: u.namespace}, RoleRef: u.ref(u.name + "-secrets"), Subjects: u.subjects()})
}

func readRoles(w *world) []rbacv1.ClusterRole {
	w.Helper()
	text, err := os.ReadFile("../../config/rbac/cruisecontrol-manager/role.yaml")
	w.must(err)
	var roles []rbacv1.ClusterRole
	for _, document := range bytes.Split(text, []byte("\n---\n")) {
		parsed := rbacv1.ClusterRole{}
		w.must(yaml.Unmarshal(document, &parsed))
		if parsed.Kind == "ClusterRole" {
			roles = append(roles, parsed)
		}
	}
	return roles
}

// The generated rights are enough for everything that a pass does, and the one thing that a user has to do is said until it is
// done.
func TestRightsAreEnough(t *testing.T) {
	w := newWorld(t)
	u := w.withRightsOnly()
	w.must(w.client.Create(w, w.orders()))
	w.playBrokers()
	w.kafka.AddTopic("orders", 1, []int32{100, 101}, []int32{101, 102}, []int32{102, 100}, []int32{100, 102})
	w.pass()
	w.requireCondition(v1beta1.ConditionCruiseControlReady, metav1.ConditionFalse, reasonForbidden,
		fmt.Sprintf("cruisecontrol-manager has no right to the Secrets of namespace %s: bind its role for secrets there", w.namespace))

	u.allowSecrets()
	w.lives(3)
	w.clock.Step(2 * time.Second) // it loads samples
	w.live()
	w.requireCondition(v1beta1.ConditionCruiseControlReady, metav1.ConditionTrue, reasonReady, "")

	w.edit(dropBroker(102))
	w.live()
	w.run()
	w.take(w.operations()[0].Name)
	w.edit(addBroker(102))
	w.live() // cancels it
	w.end()
	w.live() // gives its grant back
	w.edit(dropBroker(101))
	w.live()
	w.edit(addBroker(101))
	w.live() // deletes the operation
	w.edit(func(spec *v1beta1.KafkaClusterSpec) { spec.CruiseControl = nil })
	w.lives(2)
	if operations := w.operations(); len(operations) != 1 || !operations[0].Spec.Cancel {
		t.Errorf("there are %+v", operations)
	}
	if held, err := grant.Read(w, w.client, nameOf(w.cluster())); err != nil || !held.IsFree() {
		t.Errorf("the grant is %+v, %v", held, err)
	}
	if w.exists(name, &appsv1.Deployment{}) || w.exists(v1beta1.CruiseControlAPISecretName(orders), &corev1.Secret{}) {
		t.Error("something is left")
	}
	if err := w.reconciler.Client.List(w, &corev1.SecretList{}, client.InNamespace(w.namespace)); err == nil {
		t.Error("all Secrets of the namespace can be listed")
	}
}
