package cruisecontrol

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"koperator.dev/koperator/test/cruisecontrol/backend"
	"koperator.dev/koperator/test/cruisecontrol/internal/planner"
)

// phase is what the executor does.
type phase string

const (
	idle         phase = "NO_TASK_IN_PROGRESS"
	generating   phase = "GENERATING_PROPOSALS_FOR_EXECUTION"
	initializing phase = "INITIALIZING_PROPOSAL_EXECUTION"
	starting     phase = "STARTING_EXECUTION"
	interBroker  phase = "INTER_BROKER_REPLICA_MOVEMENT_TASK_IN_PROGRESS"
	intraBroker  phase = "INTRA_BROKER_REPLICA_MOVEMENT_TASK_IN_PROGRESS"
	leadership   phase = "LEADER_MOVEMENT_TASK_IN_PROGRESS"
	stopping     phase = "STOPPING_EXECUTION"
)

// movementState is what becomes of one movement.
type movementState string

const (
	pending    movementState = "PENDING"
	inProgress movementState = "IN_PROGRESS"
	aborting   movementState = "ABORTING"
	aborted    movementState = "ABORTED"
	dead       movementState = "DEAD"
	done       movementState = "COMPLETED"
)

// movement is one thing that an execution does.
type movement struct {
	id       int
	proposal planner.Proposal
	disk     planner.DiskMove
	state    movementState
}

func (m *movement) finished() bool { return m.state == done || m.state == dead || m.state == aborted }

// movements are those of one phase.
type movements []*movement

func (m movements) in(state movementState) movements {
	return slices.DeleteFunc(slices.Clone(m), func(x *movement) bool { return x.state != state })
}

func (m movements) finished() movements {
	return slices.DeleteFunc(slices.Clone(m), func(x *movement) bool { return !x.finished() })
}

// executor moves what plans say. It looks at what it moves from time to time, and is deaf in between.
type executor struct {
	p     *process
	phase phase
	o     *operation
	// run tells the events of one execution from those of an earlier one.
	run      int
	interval time.Duration

	inter, intra, leaders movements
	// shown are copies as of the last look.
	shown map[phase]movements

	// stop has been asked for; abandoned if the movements that are under way are to be left as they are.
	stop, abandoned bool
	// sleeping is in the middle of setting or removing a throttle, when nothing is heard.
	sleeping bool
	// resting is how many movements are finished that the throttle was removed for.
	resting int
	// stoppedFrom is the phase that is being stopped.
	stoppedFrom phase

	// since the beginning of this process.
	removed, demoted map[int32]time.Time
	perBroker        int
	executions       int
}

func (x *executor) start(p *process) {
	*x = executor{p: p, phase: idle, removed: map[int32]time.Time{}, demoted: map[int32]time.Time{}}
}

// moving tells whether there is an execution, during which partitions are not measured.
func (x *executor) moving() bool {
	return x.phase == interBroker || x.phase == intraBroker || x.phase == leadership || x.phase == stopping
}

// after lets something happen to this execution, if it is still there then. A deadlocked process does nothing any more.
func (x *executor) after(d time.Duration, what func()) {
	run := x.run
	x.p.after(d, func() {
		if x.run == run && !x.p.deadlocked {
			what()
		}
	})
}

// generate keeps others from executing anything while a plan is made.
func (x *executor) generate(o *operation) {
	x.run++
	x.phase, x.o, x.stop, x.abandoned, x.sleeping = generating, o, false, false, false
}

// release ends that without an execution.
func (x *executor) release(o *operation) {
	if x.o == o {
		x.phase, x.o = idle, nil
	}
}

// initialize prepares an execution. Until it begins, a stop is forgotten.
func (x *executor) initialize(o *operation, pl *plan) {
	if x.o != o {
		return // stopped by somebody who had it replaced
	}
	x.phase = initializing
	wait := x.p.opts.Config.InitializingTime
	if late := x.p.consume(FaultCompletedBeforeExecution, o.endpoint); late != nil {
		wait = late.Duration
	}
	x.after(wait, func() { x.begin(pl) })
}

// begin starts an execution.
func (x *executor) begin(pl *plan) {
	o := x.o
	x.phase, x.stop, x.resting, x.shown = starting, false, 0, map[phase]movements{}
	x.interval = x.p.opts.Config.ExecutionProgressCheckInterval
	if o.checkInterval != nil {
		x.interval = time.Duration(*o.checkInterval) * time.Millisecond
	}
	x.perBroker = o.perBroker
	if x.perBroker == 0 {
		x.perBroker = x.p.opts.Config.ConcurrentPartitionMovementsPerBroker
	}
	x.remember(o)
	if o.task != nil {
		x.p.tasks.beginExecution(o.task)
	}
	x.inter, x.intra, x.leaders = x.movementsOf(pl)
	if x.p.opts.Config.AutoStopExternalAgent {
		x.p.cancelAll()
	}
	x.enter(interBroker)
}

// remember keeps whom plans are to exclude later, whatever becomes of this one.
func (x *executor) remember(o *operation) {
	for _, id := range o.brokers {
		switch o.endpoint {
		case "REMOVE_BROKER":
			x.removed[id] = x.p.now
		case "DEMOTE_BROKER":
			x.demoted[id] = x.p.now
		case "ADD_BROKER":
			delete(x.removed, id)
			delete(x.demoted, id)
		}
	}
}

// recentlyRemoved are the removed brokers, without those that are named again.
func (x *executor) recentlyRemoved(except []int32) []int32 {
	var ids []int32
	for id, at := range x.removed {
		if !slices.Contains(except, id) && x.p.now.Before(at.Add(x.p.opts.Config.RemovalHistoryRetention)) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

func (x *executor) recentlyDemoted() []int32 { return slices.Sorted(maps.Keys(x.demoted)) }

// movementsOf divides a plan into phases. What changes the order of replicas only is a movement between brokers too.
func (x *executor) movementsOf(pl *plan) (inter, intra, leaders movements) {
	x.executions++
	for _, proposal := range pl.proposals {
		inter = append(inter, &movement{id: len(inter), proposal: proposal, state: pending})
		if proposal.MovesLeader() {
			leaders = append(leaders, &movement{id: len(leaders), proposal: proposal, state: pending})
		}
	}
	for _, move := range pl.disks {
		intra = append(intra, &movement{id: len(intra), disk: move, state: pending})
	}
	return inter, intra, leaders
}

// enter begins a phase, or the next one if there is nothing to do in it.
func (x *executor) enter(next phase) {
	x.phase = next
	switch {
	case next == interBroker && len(x.inter) > 0:
		x.moveBetweenBrokers()
	case next == intraBroker && len(x.intra) > 0:
		x.moveBetweenDisks()
	case next == leadership && len(x.leaders) > 0:
		x.moveLeaders()
	case next == interBroker:
		x.enter(intraBroker)
	case next == intraBroker:
		x.enter(leadership)
	default:
		x.finish(completed)
	}
	x.show()
	x.p.monitor.update()
}

// show copies what the state says.
func (x *executor) show() {
	if x.shown == nil {
		return
	}
	for phase, list := range map[phase]movements{interBroker: x.inter, intraBroker: x.intra, leadership: x.leaders} {
		copied := make(movements, len(list))
		for i, m := range list {
			c := *m
			copied[i] = &c
		}
		x.shown[phase] = copied
	}
}

// finish ends an execution.
func (x *executor) finish(as status) {
	if x.o != nil && x.o.task != nil {
		x.p.tasks.endExecution(as)
	}
	x.run++
	x.phase, x.o, x.stop, x.sleeping, x.shown = idle, nil, false, false, nil
	x.p.monitor.update()
	x.p.notify()
}

// moveBetweenBrokers begins as many movements as may be under way, and looks at them later.
func (x *executor) moveBetweenBrokers() {
	batch := x.nextBatch()
	if len(batch) > 0 && x.o.throttle != nil {
		x.throttle(batch, func() { x.reassign(batch) })
		return
	}
	x.reassign(batch)
}

func (x *executor) reassign(batch movements) {
	replicas := map[backend.TopicPartition][]int32{}
	for _, m := range batch {
		m.state = inProgress
		replicas[m.proposal.TopicPartition] = m.proposal.NewReplicas
	}
	if len(replicas) > 0 {
		_ = x.p.withKafka(func(ctx context.Context, kafka backend.Interface) error { return kafka.Reassign(ctx, replicas) })
	}
	x.show()
	x.after(x.interval, x.checkInter)
}

// nextBatch are the pending movements that there is room for.
func (x *executor) nextBatch() movements {
	busy := map[int32]int{}
	under := x.inter.in(inProgress)
	for _, m := range under {
		count(busy, m.proposal)
	}
	most := x.o.inCluster
	if most == 0 {
		most = x.p.opts.Config.MaxClusterPartitionMovements
	}
	var batch movements
	for _, m := range x.inter.in(pending) {
		if len(under)+len(batch) >= most || !x.hasRoom(busy, m.proposal) {
			continue
		}
		count(busy, m.proposal)
		batch = append(batch, m)
	}
	return batch
}

// involved are the brokers that send or receive something.
func involved(p planner.Proposal) []int32 {
	if !p.Moves() {
		return nil
	}
	ids := p.Added()
	for _, id := range p.OldReplicas {
		if !slices.Contains(p.NewReplicas, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

func count(busy map[int32]int, p planner.Proposal) {
	for _, id := range involved(p) {
		busy[id]++
	}
}

func (x *executor) hasRoom(busy map[int32]int, p planner.Proposal) bool {
	return !slices.ContainsFunc(involved(p), func(id int32) bool { return busy[id] >= x.perBroker })
}

// checkInter looks at what moves between brokers.
func (x *executor) checkInter() {
	cluster, reassigning, err := x.look()
	if err != nil {
		x.after(x.interval, x.checkInter)
		return
	}
	died := false
	for _, m := range x.inter.in(inProgress) {
		switch {
		case lostBroker(cluster, m.proposal):
			m.state, died = dead, true
		case arrived(cluster, reassigning, m.proposal):
			m.state = done
		}
	}
	x.show()
	switch {
	case died: // the partition goes on being reassigned
		x.cancel()
		x.finish(completedWithError)
	case x.stop:
		x.cancel()
		x.stopped(interBroker)
	case len(x.inter.finished()) == len(x.inter):
		x.rest(func() { x.enter(intraBroker) })
	default:
		x.rest(x.moveBetweenBrokers)
	}
}

// rest removes the throttle of what has arrived, if there is one.
func (x *executor) rest(then func()) {
	if finished := len(x.inter.finished()); x.o.throttle != nil && finished > x.resting {
		x.resting = finished
		x.unthrottle(then)
		return
	}
	then()
}

func (x *executor) look() (cluster backend.Cluster, reassigning map[backend.TopicPartition]backend.Reassignment, err error) {
	err = x.p.withKafka(func(ctx context.Context, kafka backend.Interface) error {
		if cluster, err = kafka.Cluster(ctx); err == nil {
			reassigning, err = kafka.Reassignments(ctx)
		}
		return err
	})
	return cluster, reassigning, err
}

// lostBroker tells whether a broker that is to have a replica has died, also one that has it already.
func lostBroker(cluster backend.Cluster, p planner.Proposal) bool {
	return slices.ContainsFunc(p.NewReplicas, func(id int32) bool {
		_, alive := cluster.Brokers[id]
		return !alive
	})
}

func arrived(cluster backend.Cluster, reassigning map[backend.TopicPartition]backend.Reassignment, p planner.Proposal) bool {
	if _, moving := reassigning[p.TopicPartition]; moving {
		return false
	}
	i, found := slices.BinarySearchFunc(cluster.Partitions, p.TopicPartition, func(q backend.Partition, tp backend.TopicPartition) int {
		return q.TopicPartition.Compare(tp)
	})
	return !found || sameSet(cluster.Partitions[i].Replicas, p.NewReplicas)
}

func sameSet(a, b []int32) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// cancel brings back what is under way between brokers, but not what is dead already.
func (x *executor) cancel() {
	cancelled := map[backend.TopicPartition][]int32{}
	for _, m := range x.inter.in(inProgress) {
		m.state = dead
		cancelled[m.proposal.TopicPartition] = nil
	}
	if len(cancelled) > 0 {
		_ = x.p.withKafka(func(ctx context.Context, kafka backend.Interface) error { return kafka.Reassign(ctx, cancelled) })
	}
}

// stopped waits, visibly stopping, for what cannot be cancelled, and ends.
func (x *executor) stopped(from phase) {
	x.phase, x.stoppedFrom = stopping, from
	x.show()
	if slow := x.p.consume(FaultSlowRollback, x.o.endpoint); slow != nil {
		x.after(slow.Duration, func() { x.stopped(from) })
		return
	}
	if len(x.intra.in(inProgress)) > 0 {
		x.after(x.interval, x.checkIntra)
		return
	}
	x.finish(completedWithError)
}

// moveBetweenDisks begins as many movements between disks as may be under way.
func (x *executor) moveBetweenDisks() {
	most := x.o.intra
	if most == 0 {
		most = x.p.opts.Config.ConcurrentIntraBrokerPartitionMovements
	}
	busy := map[int32]int{}
	for _, m := range x.intra.in(inProgress) {
		busy[m.disk.Broker]++
	}
	for _, m := range x.intra.in(pending) {
		if busy[m.disk.Broker] >= most {
			continue
		}
		busy[m.disk.Broker]++
		m.state = inProgress
		if err := x.moveDisk(m.disk); err != nil {
			m.state = dead
		}
	}
	x.after(x.interval, x.checkIntra)
}

func (x *executor) moveDisk(move planner.DiskMove) error {
	return x.p.withKafka(func(ctx context.Context, kafka backend.Interface) error {
		return kafka.MoveReplicas(ctx, move.Broker, map[backend.TopicPartition]string{move.TopicPartition: move.To})
	})
}

// checkIntra looks at what moves between disks, also while stopping: that cannot be cancelled.
func (x *executor) checkIntra() {
	cluster, _, err := x.look()
	if err != nil {
		x.after(x.interval, x.checkIntra)
		return
	}
	for _, m := range x.intra.in(inProgress) {
		m.state = diskState(cluster, m.disk)
	}
	x.show()
	switch {
	case x.stop || x.phase == stopping:
		x.stopped(intraBroker)
	case len(x.intra.finished()) == len(x.intra):
		x.enter(leadership)
	default:
		x.moveBetweenDisks()
	}
}

func diskState(cluster backend.Cluster, move planner.DiskMove) movementState {
	b, alive := cluster.Brokers[move.Broker]
	if !alive {
		return dead
	}
	for _, d := range b.LogDirs {
		if d.Path != move.To {
			continue
		}
		if _, here := d.Replicas[move.TopicPartition]; here {
			return done
		}
		if d.Dead {
			return dead
		}
	}
	return inProgress
}

// moveLeaders elects the first replicas.
func (x *executor) moveLeaders() {
	var partitions []backend.TopicPartition
	for _, m := range x.leaders {
		m.state = inProgress
		partitions = append(partitions, m.proposal.TopicPartition)
	}
	_ = x.p.withKafka(func(ctx context.Context, kafka backend.Interface) error {
		return kafka.ElectPreferredLeaders(ctx, partitions)
	})
	began := x.p.now
	x.after(x.interval, func() { x.checkLeaders(began) })
}

// leaderTimeout is leader.movement.timeout.ms: one that does not move in time fails nothing.
const leaderTimeout = 3 * time.Minute

func (x *executor) checkLeaders(began time.Time) {
	cluster, _, err := x.look()
	leaders := map[backend.TopicPartition]int32{}
	for _, partition := range cluster.Partitions {
		leaders[partition.TopicPartition] = partition.Leader
	}
	for _, m := range x.leaders.in(inProgress) {
		_, alive := cluster.Brokers[m.proposal.NewReplicas[0]]
		switch {
		case err == nil && leaders[m.proposal.TopicPartition] == m.proposal.NewReplicas[0]:
			m.state = done
		case x.stop, err == nil && !alive, x.p.now.Sub(began) >= leaderTimeout:
			m.state = dead
		}
	}
	x.show()
	switch {
	case x.stop:
		x.finish(completedWithError)
	case len(x.leaders.finished()) == len(x.leaders):
		x.finish(completed)
	default:
		x.after(x.interval, func() { x.checkLeaders(began) })
	}
}

// requestStop notes that somebody wants a stop. It is heard at the next look, and forgotten where there is none.
func (x *executor) requestStop() {
	if x.phase == idle {
		return
	}
	x.stop = true
}

// abandon stops at once what stop_ongoing_execution replaces.
func (x *executor) abandon() {
	x.cancel()
	x.finish(completedWithError)
}

// shutDown is what a process does with an execution that it can stop when it ends.
func (x *executor) shutDown() {
	if x.phase != idle {
		x.finish(completedWithError)
	}
}

// anomaly is the one that is being healed.
func (x *executor) anomaly() string {
	if x.o == nil || x.o.selfHealing == "" {
		return "None"
	}
	return x.o.selfHealing
}

// externalAgent is the error for partitions that somebody else reassigns.
func (p *process) externalAgent() error {
	var names []string
	err := p.withKafka(func(ctx context.Context, kafka backend.Interface) error {
		reassigning, err := kafka.Reassignments(ctx)
		for _, tp := range slices.SortedFunc(maps.Keys(reassigning), backend.TopicPartition.Compare) {
			names = append(names, fmt.Sprintf("%s-%d", tp.Topic, tp.Partition))
		}
		return err
	})
	if err != nil {
		return errText("java.util.concurrent.TimeoutException: Failed to retrieve if there are already ongoing partition reassignments.")
	}
	if len(names) == 0 {
		return nil
	}
	return errText("java.lang.IllegalStateException: Cannot execute new proposals while there are ongoing partition reassignments initiated by external agent: [%s].", strings.Join(names, ", "))
}

// cancelAll cancels every reassignment of the cluster, whoever began it.
func (p *process) cancelAll() {
	_ = p.withKafka(func(ctx context.Context, kafka backend.Interface) error {
		reassigning, err := kafka.Reassignments(ctx)
		cancelled := map[backend.TopicPartition][]int32{}
		for tp := range reassigning {
			cancelled[tp] = nil
		}
		if err == nil && len(cancelled) > 0 {
			err = kafka.Reassign(ctx, cancelled)
		}
		return err
	})
}
