package operation

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/cruisecontrol/operation/machine"
	"koperator.dev/koperator/cruisecontrol/session"
)

// scope is one pass over one operation.
type scope struct {
	*Reconciler
	facts   machine.Facts
	cluster *v1beta1.KafkaCluster
	session *session.Session
	// written is the status as it is in the API server.
	written v1beta1.CruiseControlOperationStatus
}

func (s *scope) op() *v1beta1.CruiseControlOperation { return s.facts.Operation }

func (s *scope) clusterName() types.NamespacedName { return clusterOf(s.op()) }

func clusterOf(op *v1beta1.CruiseControlOperation) types.NamespacedName {
	return types.NamespacedName{Namespace: op.Namespace, Name: op.Spec.ClusterRef.Name}
}

// memory is what earlier passes of this process found out. All of it can be lost.
type memory struct {
	mu         sync.Mutex
	operations map[types.NamespacedName]*remembered
	clusters   map[types.NamespacedName]*changes
}

// remembered is what is known of an operation.
type remembered struct {
	uid     types.UID
	cluster types.NamespacedName
	// version is that of our last write: a cache that is older is not believed.
	version string
	// record is what is kept, if read says that it was read.
	record *machine.Record
	read   bool
	// parts are the ConfigMaps that hold it.
	parts []string
	// granted says that the operation has the grant of its cluster.
	granted bool
	// writtenAt is when status was last written.
	writtenAt time.Time
}

func newMemory() memory {
	return memory{operations: map[types.NamespacedName]*remembered{}, clusters: map[types.NamespacedName]*changes{}}
}

// of is what is known of an operation, or of none of that UID yet.
func (m *memory) of(op *v1beta1.CruiseControlOperation) *remembered {
	m.mu.Lock()
	defer m.mu.Unlock()
	name := client.ObjectKeyFromObject(op)
	known := m.operations[name]
	if known == nil || known.uid != op.UID {
		known = &remembered{uid: op.UID, cluster: clusterOf(op)}
		m.operations[name] = known
	}
	return known
}

func (m *memory) version(name types.NamespacedName) (string, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	known := m.operations[name]
	if known == nil {
		return "", false
	}
	return known.version, known.version != ""
}

func (m *memory) forget(name types.NamespacedName) *remembered {
	m.mu.Lock()
	defer m.mu.Unlock()
	known := m.operations[name]
	delete(m.operations, name)
	return known
}

func (m *memory) cluster(name types.NamespacedName) *changes {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.clusters[name] == nil {
		m.clusters[name] = &changes{}
	}
	return m.clusters[name]
}
