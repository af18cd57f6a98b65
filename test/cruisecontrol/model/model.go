// Package model is a Kafka cluster without processes: brokers, racks, log dirs and partitions with their sizes, which move at
// a speed. Its time is a clock's, so that hours of moving take no time in a test.
//
// It is not Kafka: there are no records, no clients and no controllers, elections take no time, and what is in sync is so at once.
package model

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"k8s.io/utils/clock"

	"koperator.dev/koperator/test/cruisecontrol/backend"
)

// Model is the cluster. Its methods are safe for concurrent use.
type Model struct {
	// SessionTimeout is how long a stopped broker still looks alive (broker.session.timeout.ms). Set it first.
	SessionTimeout time.Duration
	// Bandwidth is how many bytes of one replica move in a second. Set it first.
	Bandwidth int64

	clock clock.PassiveClock

	mu         sync.Mutex
	now        time.Time
	brokers    map[int32]*broker
	partitions map[backend.TopicPartition]*partition
	configs    map[backend.Resource]map[string]string
}

type broker struct {
	rack string
	dirs map[string]*dir
	// stopped is when it was, zero while it runs.
	stopped time.Time
}

type dir struct {
	dead     bool
	replicas map[backend.TopicPartition]bool
	// moving are replicas that move in from another dir of the broker, with the bytes that are left.
	moving map[backend.TopicPartition]int64
}

type partition struct {
	replicas []int32
	isr      []int32
	leader   int32
	bytes    int64
	minISR   int
	// target of the reassignment that is under way, or nil; original is what a cancellation returns to.
	target, original []int32
	// left are the bytes that the added replicas still have to fetch.
	left int64
}

var _ backend.Interface = (*Model)(nil)

// New returns an empty cluster.
func New(c clock.PassiveClock) *Model {
	return &Model{
		SessionTimeout: 9 * time.Second, Bandwidth: 100 << 20, clock: c, now: c.Now(),
		brokers:    map[int32]*broker{},
		partitions: map[backend.TopicPartition]*partition{},
		configs:    map[backend.Resource]map[string]string{},
	}
}

// lock locks the model and lets the time pass that has passed.
func (m *Model) lock(ctx context.Context) func() {
	m.mu.Lock()
	now, ok := backend.Now(ctx)
	if !ok {
		now = m.clock.Now()
	}
	m.advance(now)
	return m.mu.Unlock
}

// AddBroker starts a broker with log dirs, blank ones, or one more dir for a broker that is there.
func (m *Model) AddBroker(ctx context.Context, id int32, rack string, dirs ...string) {
	defer m.lock(ctx)()
	b := m.brokers[id]
	if b == nil {
		b = &broker{dirs: map[string]*dir{}}
		m.brokers[id] = b
	}
	b.rack = rack
	for _, path := range dirs {
		if b.dirs[path] == nil {
			b.dirs[path] = &dir{replicas: map[backend.TopicPartition]bool{}, moving: map[backend.TopicPartition]int64{}}
		}
	}
}

// StopBroker ends a broker's process. The others notice after SessionTimeout.
func (m *Model) StopBroker(ctx context.Context, id int32) {
	defer m.lock(ctx)()
	m.brokers[id].stopped = m.now
}

// StartBroker starts it again, and its replicas are in sync at once.
func (m *Model) StartBroker(ctx context.Context, id int32) {
	defer m.lock(ctx)()
	m.brokers[id].stopped = time.Time{}
	m.elect()
}

// FailDisk makes a log dir of a broker unreadable.
func (m *Model) FailDisk(ctx context.Context, id int32, path string) {
	defer m.lock(ctx)()
	m.brokers[id].dirs[path].dead = true
	m.elect()
}

// CreateTopic makes a topic with these replicas, one list for each partition, each of so many bytes.
func (m *Model) CreateTopic(ctx context.Context, topic string, bytes int64, replicas ...[]int32) {
	defer m.lock(ctx)()
	for i, ids := range replicas {
		tp := backend.TopicPartition{Topic: topic, Partition: int32(i)}
		m.partitions[tp] = &partition{replicas: slices.Clone(ids), leader: -1, bytes: bytes, minISR: max(1, len(ids)-1)}
		for _, id := range ids {
			m.place(tp, id)
		}
	}
	m.elect()
}

// place puts a replica onto the log dir of a broker that has the fewest.
func (m *Model) place(tp backend.TopicPartition, id int32) {
	b := m.brokers[id]
	if b == nil || b.dirOf(tp) != nil {
		return
	}
	var best *dir
	for _, path := range slices.Sorted(maps.Keys(b.dirs)) {
		d := b.dirs[path]
		if !d.dead && (best == nil || len(d.replicas) < len(best.replicas)) {
			best = d
		}
	}
	if best != nil {
		best.replicas[tp] = true
	}
}

// dirOf returns the log dir that has a partition's replica.
func (b *broker) dirOf(tp backend.TopicPartition) *dir {
	for _, d := range b.dirs {
		if d.replicas[tp] {
			return d
		}
	}
	return nil
}

// alive tells whether the others count a broker as a member.
func (m *Model) alive(id int32) bool {
	b := m.brokers[id]
	return b != nil && (b.stopped.IsZero() || m.now.Before(b.stopped.Add(m.SessionTimeout)))
}

// runs tells whether a broker's process runs.
func (m *Model) runs(id int32) bool {
	b := m.brokers[id]
	return b != nil && b.stopped.IsZero()
}

// online tells whether a broker serves its replica of a partition.
func (m *Model) online(tp backend.TopicPartition, id int32) bool {
	if !m.alive(id) {
		return false
	}
	d := m.brokers[id].dirOf(tp)
	return d != nil && !d.dead
}

// elect brings ISR and leaders up to date.
func (m *Model) elect() {
	for tp, p := range m.partitions {
		var isr []int32
		for _, id := range p.replicas {
			if m.online(tp, id) && !p.fetching(id) {
				isr = append(isr, id)
			}
		}
		if len(isr) > 0 {
			p.isr = isr
		}
		if len(isr) == 0 {
			p.leader = -1
		} else if !slices.Contains(isr, p.leader) {
			p.leader = isr[0]
		}
	}
}

// fetching tells whether a replica is being added and has not all data yet.
func (p *partition) fetching(id int32) bool {
	return p.target != nil && !slices.Contains(p.original, id)
}

// advance lets time pass until now: data moves, and brokers that were stopped are noticed.
func (m *Model) advance(now time.Time) {
	passed := now.Sub(m.now)
	if passed <= 0 {
		return
	}
	m.now = now
	for tp, p := range m.partitions {
		m.fetch(tp, p, passed)
	}
	for id, b := range m.brokers {
		if m.runs(id) {
			m.moveBetweenDirs(b, passed)
		}
	}
	m.elect()
}

// fetch moves the data of one reassignment.
func (m *Model) fetch(tp backend.TopicPartition, p *partition, passed time.Duration) {
	if p.target == nil || p.leader < 0 || !m.runs(p.leader) {
		return
	}
	for _, id := range p.target {
		if !m.runs(id) || !m.online(tp, id) {
			return
		}
	}
	if p.left -= int64(passed.Seconds() * float64(m.rate(tp, p))); p.left <= 0 {
		m.complete(tp, p)
	}
}

// complete ends a reassignment.
func (m *Model) complete(tp backend.TopicPartition, p *partition) {
	old := p.replicas
	p.replicas, p.target, p.original, p.left = p.target, nil, nil, 0
	for _, id := range old {
		if !slices.Contains(p.replicas, id) {
			m.drop(tp, id)
		}
	}
}

// drop deletes a replica.
func (m *Model) drop(tp backend.TopicPartition, id int32) {
	if b := m.brokers[id]; b != nil {
		for _, d := range b.dirs {
			delete(d.replicas, tp)
			delete(d.moving, tp)
		}
	}
}

func (m *Model) moveBetweenDirs(b *broker, passed time.Duration) {
	for _, d := range b.dirs {
		for tp, left := range d.moving {
			if left -= int64(passed.Seconds() * float64(m.Bandwidth)); left > 0 {
				d.moving[tp] = left
				continue
			}
			delete(d.moving, tp)
			delete(b.dirOf(tp).replicas, tp)
			d.replicas[tp] = true
		}
	}
}

// refuse is the error of a request that Kafka would not carry out.
func refuse(format string, args ...any) error {
	return fmt.Errorf("%w: %s", backend.ErrRefused, fmt.Sprintf(format, args...))
}
