package kafkacluster

import (
	"fmt"
	"sort"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/apis/machinery/grant"
	"koperator.dev/koperator/apis/machinery/kafka"
	"koperator.dev/koperator/controllers/internal/desired"
	"koperator.dev/koperator/controllers/internal/rollout"
)

// scope is one pass over one KafkaCluster: what it read, what it found out on its way, and what it will report.
type scope struct {
	*Reconciler
	cluster *v1beta1.KafkaCluster
	memory  *memory
	now     time.Time

	// Read at the start.
	members []*member
	objects map[string]client.Object
	nodes   map[string]*corev1.Node

	// clusterID, initialControllers and established are what the disks know of the first start of the cluster.
	clusterID          string
	initialControllers string
	established        bool

	// grant is who disturbs the cluster.
	grant grant.Grant
	// grantUsed is set once this pass has disturbed the cluster.
	grantUsed bool

	// Read from Kafka by askKafka; nil when it could not be asked.
	admin        kafka.Admin
	kafkaCluster *kafka.Cluster
	quorum       *kafka.Quorum
	kafkaErr     error

	// To be reported.
	plan     rollout.Plan
	problems []string
	warnings []string
	failures []error
	waits    []v1beta1.BlockedBy
}

// member is one node of the cluster: wanted by the spec, or leaving because the spec no longer has it.
type member struct {
	id         int32
	controller bool
	broker     bool

	// node is what the spec wants; nil for a member that is leaving.
	node *desired.Node
	// foreign is the id of another Kafka cluster that a disk of the member belongs to. This cluster cannot say what is on it.
	foreign string
	// problem says why the spec of this member cannot be used.
	problem string

	pod    *corev1.Pod
	config *corev1.ConfigMap
	claims map[string]*corev1.PersistentVolumeClaim // by path

	// awaits says what has to be allocated before it can be made what the spec wants: addresses for clients outside.
	awaits string
	// unaddressed are the listeners that it does not open, because they have no address for clients outside yet.
	unaddressed []string
	// namesIncomplete: not all host names that it should have a certificate for are known.
	namesIncomplete bool
	// wanted is what its Pod should be made from; nil for a member that is leaving, has a problem or awaits something.
	wanted *blueprint
	// restartReason is the first difference between what its Pod was made from and what it should be made from.
	restartReason string
	// removing is set once Kafka reports nothing on a leaving member any more.
	removing bool
	// emptied are the disks that are not in the spec any more and that Kafka was found to have nothing on in this pass.
	emptied []string
	// uncordonable: Kafka refuses to be told where to place nothing.
	uncordonable bool

	// phase and health are what assess makes of all this at the end of the pass.
	phase  v1beta1.BrokerPhase
	health verdict
}

func (s *scope) name() types.NamespacedName {
	return types.NamespacedName{Namespace: s.cluster.Namespace, Name: s.cluster.Name}
}

// wait reports that something waits, for what, in a word and in a sentence.
func (s *scope) wait(what, reason, format string, args ...any) {
	s.waits = append(s.waits, v1beta1.BlockedBy{What: what, Reason: reason, Message: fmt.Sprintf(format, args...)})
}

func (m *member) leaving() bool { return m.node == nil }

func isWanted(m *member) bool { return !m.leaving() }

func (m *member) title() string {
	if m.broker {
		return fmt.Sprintf("broker %d", m.id)
	}
	return fmt.Sprintf("controller %d", m.id)
}

func (m *member) runningHash() string {
	if m.pod == nil {
		return ""
	}
	return m.pod.Annotations[v1beta1.AnnotationIntent]
}

// inSpec tells whether the spec has a disk at path.
func (m *member) inSpec(path string) bool {
	if m.node == nil {
		return true // all disks of a leaving member stay until the member goes
	}
	for _, storage := range m.node.Storage {
		if storage.Path == path {
			return true
		}
	}
	return false
}

// paths are those of the spec, in its order, then those that only a claim knows.
func (m *member) paths() []string {
	var paths []string
	if m.node != nil {
		for _, storage := range m.node.Storage {
			paths = append(paths, storage.Path)
		}
	}
	return append(paths, m.extraPaths()...)
}

// extraPaths are the disks that only a claim knows, because the spec no longer has them.
func (m *member) extraPaths() []string {
	var extra []string
	for path := range m.claims {
		if m.node == nil || !m.inSpec(path) {
			extra = append(extra, path)
		}
	}
	sort.Strings(extra)
	return extra
}

func (m *member) roles() []v1beta1.Role {
	var roles []v1beta1.Role
	if m.broker {
		roles = append(roles, v1beta1.RoleBroker)
	}
	if m.controller {
		roles = append(roles, v1beta1.RoleController)
	}
	return roles
}
