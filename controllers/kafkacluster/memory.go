package kafkacluster

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/apis/machinery/apply"
	"koperator.dev/koperator/apis/machinery/pki"
)

// verifiedFor is how long something that only a request can tell (a Secret, a dynamic property) counts as seen. A change
// of what is wanted asks at once.
const verifiedFor = 10 * time.Minute

// memory is what is known of one cluster between passes. All of it only saves requests: a program that starts again with
// an empty one comes to the same decisions.
type memory struct {
	apply *apply.Applier

	authority *pki.Authority
	admin     *pki.Leaf
	verified  map[string]verified

	// elections counts those of preferred leaders since the last restart.
	elections int
	// fencedSince is when a broker that runs was first seen fenced.
	fencedSince map[int32]time.Time
	// unseen is a spec that envoy-manager has not looked at.
	unseen unseen
	// capacities are the sizes of the disks of nodes that cannot run.
	capacities map[int32]string
}

// unseen is a generation of the spec, and when a pass first saw it.
type unseen struct {
	generation int64
	since      time.Time
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
	made := &memory{apply: apply.New(c, v1beta1.OwnerBroker), verified: map[string]verified{}, fencedSince: map[int32]time.Time{}, capacities: map[int32]string{}}
	m.byCluster[name] = made
	return made
}

func (m *memories) forget(name types.NamespacedName) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.byCluster, name)
}
