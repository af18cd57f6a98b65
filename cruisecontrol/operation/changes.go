package operation

import (
	"encoding/binary"
	"hash/fnv"
	"maps"
	"slices"
	"sync"
	"time"

	"koperator.dev/koperator/apis/machinery/kafka"
)

// changes is when a cluster was last seen to change in a way that Cruise Control has to see before it plans: brokers that
// come, go, are fenced or serve again, and reassignments and executions that begin and end, whoever's they are.
type changes struct {
	mu        sync.Mutex
	kafka     uint64
	executing bool
	seenAt    time.Time
	at        time.Time
}

// unseen is how long nobody may have looked, for what is seen then to be no change.
const unseen = time.Minute

// see compares a cluster with what was last seen of it, and returns when it changed. What nobody watched may have changed.
func (c *changes) see(cluster *kafka.Cluster, executing *bool, now time.Time) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if cluster == nil && executing == nil {
		return c.at
	}
	changed := now.Sub(c.seenAt) > unseen
	c.seenAt = now
	if cluster != nil {
		signature := signatureOf(cluster)
		changed = changed || signature != c.kafka
		c.kafka = signature
	}
	if executing != nil {
		changed = changed || *executing != c.executing
		c.executing = *executing
	}
	if changed {
		c.at = now
	}
	return c.at
}

func signatureOf(cluster *kafka.Cluster) uint64 {
	h := fnv.New64a()
	number := func(n int32) { _ = binary.Write(h, binary.LittleEndian, n) }
	for _, id := range slices.Sorted(maps.Keys(cluster.Brokers)) {
		b := cluster.Brokers[id]
		number(id)
		_, _ = h.Write([]byte(b.Rack))
		if b.Fenced {
			number(-1)
		}
	}
	for i := range cluster.Reassignments {
		r := &cluster.Reassignments[i]
		_, _ = h.Write([]byte(r.Topic))
		number(r.Partition)
		for _, id := range r.Target() {
			number(id)
		}
	}
	return h.Sum64()
}
