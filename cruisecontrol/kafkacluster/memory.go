package kafkacluster

import (
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/apis/machinery/apply"
	"koperator.dev/koperator/cruisecontrol/session"
)

// memory is what is known of one cluster between passes. A program that starts again with an empty one comes to the same
// decisions, some of them a few minutes later.
type memory struct {
	apply *apply.Applier

	// secrets are as they were read last.
	secrets secrets
	// topicsSeen is when Cruise Control's topics were last seen in Kafka.
	topicsSeen time.Time
	// describedAt is when Kafka was last described.
	describedAt time.Time
	// offlineSince is since when Kafka has reported replicas offline on brokers that serve.
	offlineSince time.Time
	// settled are brokers and disks that were seen with data.
	settled map[string]bool
	// answer is what Cruise Control last said without a failure.
	answer session.Snapshot
}

// secrets are what Cruise Control runs with.
type secrets struct {
	readAt time.Time
	api    *corev1.Secret
	// client is what it shows to brokers; nil if broker-manager has not made it yet.
	client map[string][]byte
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
	made := &memory{apply: apply.New(c, v1beta1.OwnerCruiseControl), settled: map[string]bool{}}
	m.byCluster[name] = made
	return made
}

func (m *memories) forget(name types.NamespacedName) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.byCluster, name)
}
