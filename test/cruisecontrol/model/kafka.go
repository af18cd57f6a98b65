package model

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"

	"koperator.dev/koperator/test/cruisecontrol/backend"
)

// Cluster implements backend.Interface.
func (m *Model) Cluster(ctx context.Context) (backend.Cluster, error) {
	defer m.lock(ctx)()
	c := backend.Cluster{Brokers: map[int32]backend.Broker{}}
	for id, b := range m.brokers {
		if m.alive(id) {
			c.Brokers[id] = m.describe(id, b)
		}
	}
	for _, tp := range slices.SortedFunc(maps.Keys(m.partitions), backend.TopicPartition.Compare) {
		c.Partitions = append(c.Partitions, m.describePartition(tp))
	}
	return c, nil
}

// Registered are all brokers, those that do not serve too.
func (m *Model) Registered(ctx context.Context) []int32 {
	defer m.lock(ctx)()
	return slices.Sorted(maps.Keys(m.brokers))
}

func (m *Model) describe(id int32, b *broker) backend.Broker {
	described := backend.Broker{ID: id, Host: "b" + strconv.Itoa(int(id)), Rack: b.rack}
	for _, path := range slices.Sorted(maps.Keys(b.dirs)) {
		d := b.dirs[path]
		dir := backend.LogDir{Path: path, Dead: d.dead}
		if !d.dead {
			dir.Replicas, dir.Future = map[backend.TopicPartition]int64{}, map[backend.TopicPartition]int64{}
			for tp := range d.replicas {
				dir.Replicas[tp] = m.partitions[tp].bytes
			}
			for tp, left := range d.moving {
				dir.Future[tp] = m.partitions[tp].bytes - left
			}
		}
		described.LogDirs = append(described.LogDirs, dir)
	}
	return described
}

func (m *Model) describePartition(tp backend.TopicPartition) backend.Partition {
	p := m.partitions[tp]
	described := backend.Partition{
		TopicPartition: tp, Leader: p.leader, Replicas: slices.Clone(p.replicas), ISR: slices.Clone(p.isr), MinISR: p.minISR, Bytes: p.bytes,
	}
	for _, id := range p.replicas {
		if !m.online(tp, id) {
			described.Offline = append(described.Offline, id)
		}
	}
	return described
}

// Reassignments implements backend.Interface.
func (m *Model) Reassignments(ctx context.Context) (map[backend.TopicPartition]backend.Reassignment, error) {
	defer m.lock(ctx)()
	all := map[backend.TopicPartition]backend.Reassignment{}
	for tp, p := range m.partitions {
		if p.target == nil {
			continue
		}
		r := backend.Reassignment{Replicas: slices.Clone(p.replicas)}
		for _, id := range p.replicas {
			if !slices.Contains(p.original, id) {
				r.Adding = append(r.Adding, id)
			}
			if !slices.Contains(p.target, id) {
				r.Removing = append(r.Removing, id)
			}
		}
		all[tp] = r
	}
	return all, nil
}

// Reassign implements backend.Interface. Like Kafka's, it does what it can and says what it refused.
func (m *Model) Reassign(ctx context.Context, replicas map[backend.TopicPartition][]int32) error {
	defer m.lock(ctx)()
	var refused []error
	for tp, target := range replicas {
		p := m.partitions[tp]
		switch {
		case p == nil:
			refused = append(refused, refuse("unknown partition %v", tp))
		case target == nil:
			refused = append(refused, m.cancel(tp, p))
		default:
			refused = append(refused, m.reassign(tp, p, target))
		}
	}
	m.elect()
	return errors.Join(refused...)
}

func (m *Model) reassign(tp backend.TopicPartition, p *partition, target []int32) error {
	for _, id := range target {
		if m.brokers[id] == nil {
			return refuse("broker %d of %v is not registered", id, tp)
		}
	}
	if p.target == nil {
		p.original = slices.Clone(p.replicas)
	}
	p.target = slices.Clone(target)
	added := slices.DeleteFunc(slices.Clone(target), func(id int32) bool { return slices.Contains(p.original, id) })
	p.replicas = slices.Concat(target, slices.DeleteFunc(slices.Clone(p.original), func(id int32) bool { return slices.Contains(target, id) }))
	p.left = 0
	if len(added) > 0 {
		p.left = p.bytes
	}
	for _, id := range added {
		m.place(tp, id)
	}
	if p.left == 0 {
		m.complete(tp, p)
	}
	return nil
}

// cancel brings back the replicas that a partition had. Without one of them in sync that would lose data.
func (m *Model) cancel(tp backend.TopicPartition, p *partition) error {
	if p.target == nil {
		return refuse("no reassignment of %v is in progress", tp)
	}
	if !slices.ContainsFunc(p.original, func(id int32) bool { return slices.Contains(p.isr, id) && m.online(tp, id) }) {
		return refuse("unable to revert partition assignment of %v", tp)
	}
	p.target = p.original
	m.complete(tp, p)
	return nil
}

// MoveReplicas implements backend.Interface.
func (m *Model) MoveReplicas(ctx context.Context, id int32, dirs map[backend.TopicPartition]string) error {
	defer m.lock(ctx)()
	b := m.brokers[id]
	if b == nil || !m.alive(id) {
		return refuse("broker %d does not serve", id)
	}
	for tp, path := range dirs {
		from, to := b.dirOf(tp), b.dirs[path]
		switch {
		case to == nil || to.dead:
			return refuse("broker %d has no log dir %s", id, path)
		case from == nil || from.dead:
			return refuse("broker %d has no replica of %v", id, tp)
		case from != to:
			to.moving[tp] = m.partitions[tp].bytes
		}
	}
	return nil
}

// ElectPreferredLeaders implements backend.Interface.
func (m *Model) ElectPreferredLeaders(ctx context.Context, partitions []backend.TopicPartition) error {
	defer m.lock(ctx)()
	for _, tp := range partitions {
		if p := m.partitions[tp]; p != nil && slices.Contains(p.isr, p.replicas[0]) {
			p.leader = p.replicas[0]
		}
	}
	return nil
}

// Config implements backend.Interface.
func (m *Model) Config(ctx context.Context, r backend.Resource) (map[string]string, error) {
	defer m.lock(ctx)()
	return maps.Clone(m.configs[r]), nil
}

// AlterConfig implements backend.Interface.
func (m *Model) AlterConfig(ctx context.Context, r backend.Resource, set map[string]string, remove []string) error {
	defer m.lock(ctx)()
	config := m.configs[r]
	if config == nil {
		config = map[string]string{}
		m.configs[r] = config
	}
	maps.Copy(config, set)
	for _, name := range remove {
		delete(config, name)
	}
	return nil
}

// Configs returns everything that is set, for tests that look for what was left behind.
func (m *Model) Configs(ctx context.Context) map[backend.Resource]map[string]string {
	defer m.lock(ctx)()
	all := map[backend.Resource]map[string]string{}
	for r, config := range m.configs {
		if len(config) > 0 {
			all[r] = maps.Clone(config)
		}
	}
	return all
}

// rate is how many bytes of a partition move in a second: Bandwidth, or what is throttled for one of its brokers.
func (m *Model) rate(tp backend.TopicPartition, p *partition) int64 {
	rate := m.Bandwidth
	topic := m.configs[backend.Resource{Topic: true, Name: tp.Topic}]
	if topic[backend.FollowerReplicas] == "" && topic[backend.LeaderReplicas] == "" {
		return rate
	}
	for _, id := range p.replicas {
		for _, name := range []string{backend.LeaderRate, backend.FollowerRate} {
			if throttled, ok := m.throttle(id, name); ok {
				rate = min(rate, throttled)
			}
		}
	}
	return rate
}

func (m *Model) throttle(id int32, name string) (int64, bool) {
	for _, r := range []backend.Resource{{Name: strconv.Itoa(int(id))}, {}} {
		if rate, err := strconv.ParseInt(m.configs[r][name], 10, 64); err == nil {
			return rate, true
		}
	}
	return 0, false
}
