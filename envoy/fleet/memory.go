package fleet

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/apis/machinery/apply"
)

// verifiedFor is how long a Secret counts as seen, which only a request can tell. A change of what is wanted asks at once.
const verifiedFor = 10 * time.Minute

// memory is what is known of one cluster between passes. All of it only saves requests: a program that starts again with
// an empty one comes to the same decisions.
type memory struct {
	apply *apply.Applier

	verified map[string]verified
	// statusWritten is when status was last written.
	statusWritten time.Time
	// unsettled is since when proxies have been given time to answer, before it is told that they have not.
	unsettled time.Time
	// pendingSince is when a proxy was first seen that has not accepted something of a listener.
	pendingSince map[string]time.Time
}

// verified says that what hash stands for was seen in place.
type verified struct {
	hash  string
	until time.Time
}

func (m *memory) isVerified(what, hash string, now time.Time) bool {
	v, ok := m.verified[what]
	return ok && v.hash == hash && now.Before(v.until)
}

func (m *memory) setVerified(what, hash string, now time.Time) {
	m.verified[what] = verified{hash: hash, until: now.Add(verifiedFor)}
}

// memories holds the memory of each cluster. One cluster is never reconciled twice at the same time, so that a memory
// itself needs no lock.
type memories struct {
	mu        sync.Mutex
	byCluster map[types.NamespacedName]*memory
}

func (m *memories) of(name types.NamespacedName, c client.Client) *memory {
	m.mu.Lock()
	defer m.mu.Unlock()
	if known := m.byCluster[name]; known != nil {
		return known
	}
	if m.byCluster == nil {
		m.byCluster = map[types.NamespacedName]*memory{}
	}
	made := &memory{apply: apply.New(c, v1beta1.OwnerEnvoy), verified: map[string]verified{}, pendingSince: map[string]time.Time{}}
	m.byCluster[name] = made
	return made
}

func (m *memories) forget(name types.NamespacedName) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.byCluster, name)
}
