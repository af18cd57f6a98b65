// Package kafkafake is a Kafka cluster in memory behind kafka.Admin, for the tests of planners and controllers. It keeps
// the rules of Kafka that a controller can get wrong, records every call, and can be made to fail at each of them.
package kafkafake

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"

	"koperator.dev/koperator/apis/machinery/kafka"
)

// State is what the fake cluster is made of. Tests change it with Edit.
type State struct {
	kafka.Cluster
	Quorum kafka.Quorum
	// LogDirs by broker. What is in them is as the test sets it: it does not follow Partitions.
	LogDirs map[int32][]kafka.LogDir
	// Configs are the dynamic properties by node, and by kafka.ClusterWide.
	Configs map[int32]map[string]string
	// TopicConfigs are the properties that are set on topics.
	TopicConfigs map[string]map[string]string
	// Voters are not needed for anything but AddVoter: the endpoints that were told to it.
	Voters map[int32]kafka.Voter
}

// Fault makes calls fail.
type Fault struct {
	// Method whose calls fail. Empty: every method.
	Method string
	// Call is which of these calls fails, from 1, counted since the fault was injected. Zero: each.
	Call int
	// Err is what the caller gets. Nil: kafka.ErrUnreachable.
	Err error
	// AfterEffect lets the call have its effect and loses only the answer.
	AfterEffect bool
}

type fault struct {
	Fault
	seen int
}

// Call is one call of a method of kafka.Admin.
type Call struct {
	Method string
	// Args are the arguments as a person would write them.
	Args string
	// Err is what the caller got.
	Err error
}

// String is the call as a line of a story.
func (c Call) String() string {
	line := c.Method + "(" + c.Args + ")"
	if c.Err != nil {
		line += ": " + c.Err.Error()
	}
	return line
}

// IsChange says whether the call changes Kafka.
func (c Call) IsChange() bool {
	switch c.Method {
	case "Describe", "Quorum", "LogDirs", "DynamicConfig", "TopicConfigs", "Close":
		return false
	}
	return true
}

// Kafka is the fake. Several Admins can share one through Admin.
type Kafka struct {
	mu         sync.Mutex
	state      State
	closed     bool
	down       bool
	calls      []Call
	faults     []*fault
	violations []string
}

var _ kafka.Admin = (*Kafka)(nil)

// New returns an empty cluster without brokers.
func New() *Kafka {
	k := &Kafka{}
	k.state = State{
		Cluster:      kafka.Cluster{ID: "fakeclusteridfakeclust", Brokers: map[int32]kafka.Broker{}},
		Quorum:       kafka.Quorum{Leader: -1},
		LogDirs:      map[int32][]kafka.LogDir{},
		Configs:      map[int32]map[string]string{},
		TopicConfigs: map[string]map[string]string{},
		Voters:       map[int32]kafka.Voter{},
	}
	return k
}

// Edit changes the cluster as the world would. The maps are never nil before edit.
func (k *Kafka) Edit(edit func(*State)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	edit(&k.state)
}

// AddBrokers registers unfenced brokers, each with one empty log directory.
func (k *Kafka) AddBrokers(ids ...int32) {
	k.Edit(func(s *State) {
		for _, id := range ids {
			s.Brokers[id] = kafka.Broker{ID: id}
			s.LogDirs[id] = []kafka.LogDir{{Path: "/var/lib/kafka/data"}}
		}
	})
}

// AddTopic adds a topic whose partitions have these replicas, all in sync, the first one leading.
func (k *Kafka) AddTopic(name string, minISR int, replicas ...[]int32) {
	k.Edit(func(s *State) {
		for i, r := range replicas {
			s.Partitions = append(s.Partitions, kafka.Partition{
				Topic: name, Partition: int32(i), Leader: r[0], Replicas: slices.Clone(r), ISR: slices.Clone(r), MinISR: minISR,
			})
			for _, id := range r {
				if dirs := s.LogDirs[id]; len(dirs) > 0 {
					dirs[0].Replicas++
					dirs[0].Partitions = append(dirs[0].Partitions, kafka.TopicPartition{Topic: name, Partition: int32(i)})
				}
			}
		}
		sortPartitions(s.Partitions)
	})
}

// AddVoters makes a quorum whose voters have caught up, led by the first one.
func (k *Kafka) AddVoters(ids ...int32) {
	k.Edit(func(s *State) {
		for _, id := range ids {
			if s.Quorum.Leader < 0 {
				s.Quorum.Leader = id
			}
			s.Quorum.Voters = append(s.Quorum.Voters, kafka.QuorumReplica{ID: id, DirectoryID: DirectoryID(id)})
		}
	})
}

// DirectoryID is a directory id in Kafka's form that belongs to a node in tests.
func DirectoryID(id int32) string { return fmt.Sprintf("dir%018dA", id) }

// Stop stops a broker as a controller does that deletes its Pod: it is fenced and leaves every ISR. That a partition gets
// below min.insync.replicas by it is a violation.
func (k *Kafka) Stop(id int32) { k.stop(id, true) }

// Crash is Stop without blame: the broker went down by itself.
func (k *Kafka) Crash(id int32) { k.stop(id, false) }

func (k *Kafka) stop(id int32, planned bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for i := range k.state.Partitions {
		p := &k.state.Partitions[i]
		if !slices.Contains(p.ISR, id) {
			continue
		}
		if planned && len(p.ISR) >= p.MinISR && len(p.ISR)-1 < p.MinISR {
			k.violate("stopping broker %d takes %s-%d below min.insync.replicas (%d of %d)", id, p.Topic, p.Partition, len(p.ISR)-1, p.MinISR)
		}
		shrinkISR(p, id)
	}
	if b, ok := k.state.Brokers[id]; ok {
		b.Fenced = true
		k.state.Brokers[id] = b
	}
}

// shrinkISR takes a broker out of the ISR. Kafka keeps the last one as the only replica that may lead again.
func shrinkISR(p *kafka.Partition, id int32) {
	if len(p.ISR) > 1 {
		p.ISR = slices.DeleteFunc(slices.Clone(p.ISR), func(r int32) bool { return r == id })
	}
	if p.Leader != id {
		return
	}
	p.Leader = -1
	if !slices.Contains(p.ISR, id) {
		p.Leader = p.ISR[0]
	}
}

// Start is the end of Stop and of Crash: the broker is unfenced and in sync again. It leads only what has no leader.
func (k *Kafka) Start(id int32) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.state.Brokers[id] = kafka.Broker{ID: id, Rack: k.state.Brokers[id].Rack}
	for i := range k.state.Partitions {
		p := &k.state.Partitions[i]
		if !slices.Contains(p.Replicas, id) {
			continue
		}
		if !slices.Contains(p.ISR, id) {
			p.ISR = append(slices.Clone(p.ISR), id)
		}
		if p.Leader < 0 {
			p.Leader = id
		}
	}
}

// SetDown makes every call fail with kafka.ErrUnreachable, or ends that.
func (k *Kafka) SetDown(down bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.down = down
}

// Inject adds faults. The first that matches a call decides.
func (k *Kafka) Inject(faults ...Fault) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, f := range faults {
		k.faults = append(k.faults, &fault{Fault: f})
	}
}

// ClearFaults removes all faults.
func (k *Kafka) ClearFaults() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.faults = nil
}

// Calls returns all calls in their order.
func (k *Kafka) Calls() []Call {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.calls)
}

// Changes returns the calls that change Kafka, as lines.
func (k *Kafka) Changes() []string {
	var lines []string
	for _, c := range k.Calls() {
		if c.IsChange() {
			lines = append(lines, c.String())
		}
	}
	return lines
}

// ResetCalls forgets the calls so far.
func (k *Kafka) ResetCalls() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.calls = nil
}

// Violations returns what was asked of Kafka that a controller must never ask, though Kafka allows it.
func (k *Kafka) Violations() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.violations)
}

// Closed says whether Close was called.
func (k *Kafka) Closed() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.closed
}

// violate records a violation. k.mu is held.
func (k *Kafka) violate(format string, args ...any) {
	k.violations = append(k.violations, fmt.Sprintf(format, args...))
}

// call records a call and runs effect, unless a fault comes first. k.mu is held during effect.
func (k *Kafka) call(ctx context.Context, method, args string, effect func() error) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	err := k.refusal(ctx)
	f := k.match(method)
	switch {
	case err != nil:
	case f == nil:
		err = effect()
	default:
		if f.AfterEffect {
			// Only the answer is lost: what Kafka made of the call is for the caller to find out.
			_ = effect()
		}
		err = cmp.Or(f.Err, kafka.ErrUnreachable)
	}
	k.calls = append(k.calls, Call{Method: method, Args: args, Err: err})
	return err
}

// refusal is why nothing can be asked at all.
func (k *Kafka) refusal(ctx context.Context) error {
	switch {
	case k.closed:
		return fmt.Errorf("%w: client closed", kafka.ErrUnreachable)
	case ctx.Err() != nil:
		return fmt.Errorf("%w: %w", kafka.ErrUnreachable, ctx.Err())
	case k.down:
		return kafka.ErrUnreachable
	}
	return nil
}

// match counts the call in every fault that it concerns and returns the first that is due.
func (k *Kafka) match(method string) *fault {
	var due *fault
	for _, f := range k.faults {
		if f.Method != "" && f.Method != method {
			continue
		}
		f.seen++
		if due == nil && (f.Call == 0 || f.Call == f.seen) {
			due = f
		}
	}
	return due
}

// Describe implements kafka.Admin.
func (k *Kafka) Describe(ctx context.Context) (kafka.Cluster, error) {
	var cluster kafka.Cluster
	err := k.call(ctx, "Describe", "", func() error {
		if !k.anyServing() || k.state.Quorum.Leader < 0 && len(k.state.Quorum.Voters) > 0 {
			return kafka.ErrUnreachable
		}
		cluster = k.state.Cluster
		cluster.Brokers = maps.Clone(cluster.Brokers)
		cluster.Partitions = slices.Clone(cluster.Partitions)
		for i := range cluster.Partitions {
			p := &cluster.Partitions[i]
			p.Replicas, p.ISR = slices.Clone(p.Replicas), slices.Clone(p.ISR)
		}
		cluster.Reassignments = slices.Clone(cluster.Reassignments)
		sortPartitions(cluster.Partitions)
		return nil
	})
	return cluster, err
}

func sortPartitions(partitions []kafka.Partition) {
	slices.SortFunc(partitions, func(a, b kafka.Partition) int {
		return cmp.Or(strings.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
}

func (k *Kafka) anyServing() bool {
	for _, b := range k.state.Brokers {
		if !b.Fenced {
			return true
		}
	}
	return false
}

// serving says whether the broker can be asked.
func (k *Kafka) serving(id int32) bool {
	b, ok := k.state.Brokers[id]
	return ok && !b.Fenced
}

// Quorum implements kafka.Admin.
func (k *Kafka) Quorum(ctx context.Context) (kafka.Quorum, error) {
	var quorum kafka.Quorum
	err := k.call(ctx, "Quorum", "", func() error {
		quorum = k.state.Quorum
		quorum.Voters, quorum.Observers = slices.Clone(quorum.Voters), slices.Clone(quorum.Observers)
		if quorum.Leader < 0 {
			// Only the leader knows who votes.
			quorum.Voters, quorum.Observers = nil, nil
		}
		return nil
	})
	return quorum, err
}

// LogDirs implements kafka.Admin.
func (k *Kafka) LogDirs(ctx context.Context, brokers []int32) (map[int32][]kafka.LogDir, error) {
	dirs := map[int32][]kafka.LogDir{}
	err := k.call(ctx, "LogDirs", joined(brokers), func() error {
		var errs []error
		for _, id := range brokers {
			if k.serving(id) {
				dirs[id] = slices.Clone(k.state.LogDirs[id])
			} else {
				errs = append(errs, fmt.Errorf("describing log dirs of broker %d: %w", id, kafka.ErrUnreachable))
			}
		}
		return errors.Join(errs...)
	})
	return dirs, err
}

// UnregisterBroker implements kafka.Admin. Kafka obeys in any case; for a broker that is not fenced or has replicas it is a
// violation.
func (k *Kafka) UnregisterBroker(ctx context.Context, id int32) error {
	return k.call(ctx, "UnregisterBroker", fmt.Sprint(id), func() error {
		b, ok := k.state.Brokers[id]
		if !ok {
			return kerr.BrokerIDNotRegistered
		}
		if !b.Fenced {
			k.violate("broker %d is unregistered while it is live", id)
		}
		for _, p := range k.state.Partitions {
			if slices.Contains(p.Replicas, id) {
				k.violate("broker %d is unregistered while it is a replica of %s-%d", id, p.Topic, p.Partition)
				break
			}
		}
		delete(k.state.Brokers, id)
		return nil
	})
}

// ElectPreferredLeaders implements kafka.Admin.
func (k *Kafka) ElectPreferredLeaders(ctx context.Context) error {
	return k.call(ctx, "ElectPreferredLeaders", "", func() error {
		if !k.anyServing() {
			return kafka.ErrUnreachable
		}
		for i := range k.state.Partitions {
			p := &k.state.Partitions[i]
			if preferred := p.Replicas[0]; slices.Contains(p.ISR, preferred) && k.serving(preferred) {
				p.Leader = preferred
			}
		}
		return nil
	})
}

// Close implements kafka.Admin. Calls fail afterwards.
func (k *Kafka) Close() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.closed = true
	k.calls = append(k.calls, Call{Method: "Close"})
}

func joined(ids []int32) string {
	parts := make([]string, len(ids))
	for i, id := range ids {
		parts[i] = fmt.Sprint(id)
	}
	return strings.Join(parts, " ")
}
