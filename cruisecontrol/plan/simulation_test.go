package plan

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/apis/machinery/kafka"
)

const (
	diskA = "/var/lib/kafka/a"
	diskB = "/var/lib/kafka/b"
)

// simulation is a cluster, with a broker-manager, a Kafka and a Cruise Control that are as simple as can be.
type simulation struct {
	now     time.Time
	cluster *v1beta1.KafkaCluster
	kafka   kafka.Cluster
	// dirs are the replicas in each log directory of a broker, dead ones -1.
	dirs       map[int32]map[string]int
	operations []*v1beta1.CruiseControlOperation
	// seen are the operations as a cache shows them that lags behind.
	seen         []*v1beta1.CruiseControlOperation
	lags         bool
	reachable    bool
	offlineSince time.Time
	describedAt  time.Time
	settled      map[string]bool
	uids         int
	// slow brokers do not get ready; failing operations fail.
	slow    map[int32]bool
	failing bool
	idle    bool
	// filled counts the operations that filled one life.
	filled map[string]int
	rand   *rand.Rand
	mended bool
}

func newSimulation(brokers ...int32) *simulation {
	s := &simulation{
		now: time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC), reachable: true,
		kafka: kafka.Cluster{Brokers: map[int32]kafka.Broker{}}, dirs: map[int32]map[string]int{},
		settled: map[string]bool{}, slow: map[int32]bool{}, filled: map[string]int{},
	}
	s.cluster = &v1beta1.KafkaCluster{ObjectMeta: metav1.ObjectMeta{Name: "orders", Namespace: "shop", UID: "kc-1", Generation: 1}}
	s.cluster.Spec.CruiseControl = &v1beta1.CruiseControl{Automation: &v1beta1.Automation{}}
	s.cluster.Spec.BrokerGroups = []v1beta1.BrokerGroup{
		{Name: "controllers", Roles: []v1beta1.Role{v1beta1.RoleController}, Storage: []v1beta1.Storage{{Path: diskA}}},
		{Name: "default", Roles: []v1beta1.Role{v1beta1.RoleBroker}, Storage: []v1beta1.Storage{{Path: diskA}}},
	}
	s.cluster.Spec.Brokers = []v1beta1.Broker{{ID: 0, Group: "controllers"}}
	for _, id := range brokers {
		s.cluster.Spec.Brokers = append(s.cluster.Spec.Brokers, v1beta1.Broker{ID: id, Group: "default"})
	}
	return s
}

// running is a cluster whose brokers have been there for long.
func running(brokers ...int32) *simulation {
	s := newSimulation(brokers...)
	for range 6 {
		s.manage()
	}
	s.now = s.now.Add(time.Hour)
	return s
}

func (s *simulation) uid(kind string) string { s.uids++; return fmt.Sprintf("%s%d", kind, s.uids) }

func (s *simulation) edit(change func(spec *v1beta1.KafkaClusterSpec)) {
	change(&s.cluster.Spec)
	s.cluster.Generation++
}

func (s *simulation) addBroker(ids ...int32) {
	s.edit(func(spec *v1beta1.KafkaClusterSpec) {
		for _, id := range ids {
			spec.Brokers = append(spec.Brokers, v1beta1.Broker{ID: id, Group: "default"})
		}
	})
}

func (s *simulation) dropBroker(ids ...int32) {
	s.edit(func(spec *v1beta1.KafkaClusterSpec) {
		spec.Brokers = slices.DeleteFunc(spec.Brokers, func(b v1beta1.Broker) bool { return slices.Contains(ids, b.ID) })
	})
}

func (s *simulation) setDisks(paths ...string) {
	s.edit(func(spec *v1beta1.KafkaClusterSpec) {
		spec.BrokerGroups[1].Storage = nil
		for _, path := range paths {
			spec.BrokerGroups[1].Storage = append(spec.BrokerGroups[1].Storage, v1beta1.Storage{Path: path})
		}
	})
}

// addTopic gives each partition its replicas on the brokers that have the fewest.
func (s *simulation) addTopic(name string, partitions, rf int) {
	for i := range partitions {
		var replicas []int32
		for range rf {
			if id := s.leastLoaded(replicas); id >= 0 {
				replicas = append(replicas, id)
				s.place(id, 1)
			}
		}
		s.kafka.Partitions = append(s.kafka.Partitions, kafka.Partition{Topic: name, Partition: int32(i), Replicas: replicas})
	}
}

// leastLoaded is the broker that serves with the fewest replicas, first of the spec; -1 for none.
func (s *simulation) leastLoaded(except []int32) int32 {
	best, fewest := int32(-1), 1<<30
	for _, broker := range s.cluster.Spec.Brokers {
		known, ok := s.kafka.Brokers[broker.ID]
		if !ok || known.Fenced || slices.Contains(except, broker.ID) {
			continue
		}
		if count := s.count(broker.ID); count < fewest {
			best, fewest = broker.ID, count
		}
	}
	return best
}

func (s *simulation) count(id int32) int {
	count := 0
	for _, p := range s.kafka.Partitions {
		if slices.Contains(p.Replicas, id) {
			count++
		}
	}
	return count
}

// place puts replicas into the log directory of a broker that has the fewest, or takes them from one that has some.
func (s *simulation) place(id int32, change int) {
	best := ""
	for _, path := range []string{diskA, diskB} {
		count, ok := s.dirs[id][path]
		switch {
		case !ok || count < 0 || change < 0 && count == 0:
		case best == "" || change > 0 && count < s.dirs[id][best]:
			best = path
		}
	}
	if best != "" {
		s.dirs[id][best] += change
	}
}

// move moves a replica from one broker to another, and tells whether it could.
func (s *simulation) move(from, to int32) bool {
	for i := range s.kafka.Partitions {
		p := &s.kafka.Partitions[i]
		at := slices.Index(p.Replicas, from)
		if at < 0 || slices.Contains(p.Replicas, to) {
			continue
		}
		p.Replicas = slices.Clone(p.Replicas)
		p.Replicas[at] = to
		p.Offline = slices.DeleteFunc(slices.Clone(p.Offline), func(id int32) bool { return id == from })
		s.place(from, -1)
		s.place(to, 1)
		return true
	}
	return false
}

// manage is a pass of broker-manager.
func (s *simulation) manage() {
	status := &s.cluster.Status
	status.ObservedGeneration = s.cluster.Generation
	paths := pathsOf(&s.cluster.Spec)
	for _, id := range slices.Sorted(maps.Keys(paths)) {
		wanted := paths[id]
		at := slices.IndexFunc(status.Brokers, func(b v1beta1.BrokerStatus) bool { return b.ID == id })
		if at < 0 {
			status.Brokers = append(status.Brokers, v1beta1.BrokerStatus{ID: id, Phase: v1beta1.BrokerPending, Incarnation: s.uid("life")})
			s.setHealthy(&status.Brokers[len(status.Brokers)-1], false)
			continue
		}
		s.bringUp(&status.Brokers[at])
		s.manageDisks(&status.Brokers[at], wanted)
	}
	slices.SortFunc(status.Brokers, func(a, b v1beta1.BrokerStatus) int { return int(a.ID - b.ID) })
	status.Brokers = slices.DeleteFunc(status.Brokers, func(b v1beta1.BrokerStatus) bool {
		_, stays := paths[b.ID]
		if stays || s.count(b.ID) > 0 || !s.reachable {
			return false
		}
		delete(s.kafka.Brokers, b.ID)
		delete(s.dirs, b.ID)
		return true
	})
	for i := range status.Brokers {
		if _, stays := paths[status.Brokers[i].ID]; !stays {
			status.Brokers[i].Phase = v1beta1.BrokerDraining
		}
	}
}

func (s *simulation) bringUp(broker *v1beta1.BrokerStatus) {
	switch {
	case broker.Phase == v1beta1.BrokerRunning && s.slow[broker.ID], broker.Phase == v1beta1.BrokerDraining && s.slow[broker.ID]:
		broker.Phase = v1beta1.BrokerJoining
		s.setHealthy(broker, false)
		s.kafka.Brokers[broker.ID] = kafka.Broker{ID: broker.ID, Fenced: true}
	case broker.Phase == v1beta1.BrokerPending:
		broker.Phase = v1beta1.BrokerJoining
	case broker.Phase != v1beta1.BrokerRunning && !s.slow[broker.ID]:
		broker.Phase = v1beta1.BrokerRunning
		s.setHealthy(broker, true)
		s.kafka.Brokers[broker.ID] = kafka.Broker{ID: broker.ID}
		if s.dirs[broker.ID] == nil {
			s.dirs[broker.ID] = map[string]int{}
		}
	}
}

func (s *simulation) setHealthy(broker *v1beta1.BrokerStatus, healthy bool) {
	status := metav1.ConditionFalse
	if healthy {
		status = metav1.ConditionTrue
	}
	meta.SetStatusCondition(&broker.Conditions, metav1.Condition{
		Type: v1beta1.ConditionBrokerHealthy, Status: status, Reason: "Test", LastTransitionTime: metav1.NewTime(s.now),
	})
}

func (s *simulation) manageDisks(broker *v1beta1.BrokerStatus, wanted []string) {
	dirs := s.dirs[broker.ID]
	if broker.Phase != v1beta1.BrokerRunning {
		return
	}
	for _, path := range wanted {
		if _, ok := dirs[path]; !ok {
			dirs[path] = 0
		}
		if !slices.ContainsFunc(broker.Volumes, func(v v1beta1.VolumeStatus) bool { return v.Path == path }) {
			broker.Volumes = append(broker.Volumes, v1beta1.VolumeStatus{Path: path, Incarnation: s.uid("disk")})
		}
	}
	broker.Volumes = slices.DeleteFunc(broker.Volumes, func(v v1beta1.VolumeStatus) bool {
		if slices.Contains(wanted, v.Path) || dirs[v.Path] > 0 {
			return false
		}
		delete(dirs, v.Path)
		return true
	})
	for i := range broker.Volumes {
		broker.Volumes[i].Phase = v1beta1.VolumeActive
		if !slices.Contains(wanted, broker.Volumes[i].Path) {
			broker.Volumes[i].Phase = v1beta1.VolumeDraining
		}
	}
}

// control is a pass of Cruise Control: one operation at a time, a few movements in each pass.
func (s *simulation) control() {
	s.operations = slices.DeleteFunc(s.operations, func(op *v1beta1.CruiseControlOperation) bool { return op.DeletionTimestamp != nil })
	for _, op := range s.operations {
		if op.Spec.Cancel && !op.Status.Phase.IsFinished() {
			op.Status.Phase = v1beta1.OperationCancelled
		}
	}
	for _, op := range s.operations {
		if op.Status.Phase.IsFinished() || op.Spec.Suspend {
			continue
		}
		if !s.idle {
			s.execute(op)
		}
		return
	}
}

func (s *simulation) execute(op *v1beta1.CruiseControlOperation) {
	switch {
	case op.Status.Phase == "":
		op.Status.Phase = v1beta1.OperationQueued
	case s.failing:
		op.Status.Phase = v1beta1.OperationFailed
		op.Status.Task = &v1beta1.OperationTask{ErrorMessage: "[RackAwareGoal] Insufficient number of racks"}
	case op.Status.Phase == v1beta1.OperationQueued:
		op.Status.Phase = v1beta1.OperationExecuting
	case s.moveSome(op):
		op.Status.Progress = &v1beta1.OperationProgress{PartitionsFinished: 1}
	case op.Spec.Type == v1beta1.RemoveBrokers && slices.ContainsFunc(op.Spec.Brokers, func(id int32) bool { return s.count(id) > 0 }):
		op.Status.Phase = v1beta1.OperationFailed
		op.Status.Task = &v1beta1.OperationTask{ErrorMessage: "[RackAwareGoal] Insufficient number of racks"}
	default:
		op.Status.Phase = v1beta1.OperationSucceeded
	}
}

// moveSome tells whether there was anything to move.
func (s *simulation) moveSome(op *v1beta1.CruiseControlOperation) bool {
	moved := 0
	for moved < 4 && s.moveOne(op) {
		moved++
	}
	return moved > 0
}

func (s *simulation) moveOne(op *v1beta1.CruiseControlOperation) bool {
	switch op.Spec.Type {
	case v1beta1.RemoveBrokers:
		for _, id := range op.Spec.Brokers {
			for except := slices.Clone(op.Spec.Brokers); ; {
				to := s.leastLoaded(except)
				if to < 0 {
					break
				}
				if s.move(id, to) {
					return true
				}
				except = append(except, to)
			}
		}
	case v1beta1.AddBrokers:
		for _, id := range op.Spec.Brokers {
			for _, from := range slices.Sorted(maps.Keys(s.kafka.Brokers)) {
				if _, known := s.kafka.Brokers[id]; known && s.count(from) > s.count(id)+1 && s.move(from, id) {
					return true
				}
			}
		}
	case v1beta1.RemoveDisks:
		for _, d := range op.Spec.Disks {
			for _, path := range d.Paths {
				if s.moveBetween(d.Broker, path, otherDisk(path)) {
					return true
				}
			}
		}
	case v1beta1.RebalanceDisks:
		for _, id := range slices.Sorted(maps.Keys(s.dirs)) {
			if dirs := s.dirs[id]; dirs[diskA] > dirs[diskB]+1 && s.moveBetween(id, diskA, diskB) {
				return true
			}
		}
	case v1beta1.FixOfflineReplicas:
		for _, p := range s.kafka.Partitions {
			for _, id := range p.Offline {
				for _, to := range slices.Sorted(maps.Keys(s.kafka.Brokers)) {
					if s.move(id, to) {
						return true
					}
				}
			}
		}
	}
	return false
}

func otherDisk(path string) string {
	if path == diskA {
		return diskB
	}
	return diskA
}

func (s *simulation) moveBetween(id int32, from, to string) bool {
	dirs := s.dirs[id]
	if _, ok := dirs[to]; !ok || dirs[from] <= 0 || dirs[to] < 0 {
		return false
	}
	dirs[from]--
	dirs[to]++
	return true
}

func (s *simulation) facts() Facts {
	f := Facts{Cluster: s.cluster.DeepCopy(), OfflineSince: s.offlineSince, Settled: s.settled, Now: s.now}
	if !s.lags {
		s.seen = nil
		for _, op := range s.operations {
			s.seen = append(s.seen, op.DeepCopy())
		}
	}
	f.Operations = s.seen
	questions := QuestionsOf(f)
	if !s.reachable || !questions.Kafka && s.now.Sub(s.describedAt) < time.Minute {
		return f
	}
	s.describedAt = s.now
	f.Kafka = &s.kafka
	f.LogDirs = map[int32][]kafka.LogDir{}
	for _, id := range questions.LogDirs {
		if s.kafka.Brokers[id].Fenced {
			continue
		}
		for path, count := range s.dirs[id] {
			dir := kafka.LogDir{Path: v1beta1.LogDir(path), Replicas: max(count, 0)}
			if count < 0 {
				dir.Err = kerr.KafkaStorageError
			}
			f.LogDirs[id] = append(f.LogDirs[id], dir)
		}
	}
	return f
}

// obey plans and does what the plan says, and tells if that must never be done.
func (s *simulation) obey() (Plan, error) {
	f := s.facts()
	switch {
	case f.Kafka == nil:
	case !HasOffline(f):
		s.offlineSince = time.Time{}
	case s.offlineSince.IsZero():
		s.offlineSince = s.now
	}
	f.OfflineSince = s.offlineSince
	plan := Of(f)
	if again := Of(f); describe(again) != describe(plan) {
		return plan, errors.New("the same facts lead to another plan")
	}
	for _, life := range plan.Settled {
		s.settled[life] = true
	}
	for _, life := range plan.Unsettled {
		delete(s.settled, life)
	}
	for _, c := range plan.Create {
		if s.lags {
			break // operations are made only when the cache shows all that there are
		}
		if err := s.create(c.Operation, plan.Withdraw); err != nil {
			return plan, err
		}
	}
	for _, w := range plan.Withdraw {
		if err := s.withdraw(w); err != nil {
			return plan, err
		}
	}
	for _, op := range plan.Forget {
		if op.Labels[v1beta1.LabelOrigin] != v1beta1.OriginPlanner || !op.Status.Phase.IsFinished() {
			return plan, fmt.Errorf("%s is deleted", op.Name)
		}
		s.remove(op.Name)
	}
	return plan, nil
}

func (s *simulation) find(name string) *v1beta1.CruiseControlOperation {
	for _, op := range s.operations {
		if op.Name == name {
			return op
		}
	}
	return nil
}

func (s *simulation) remove(name string) {
	s.operations = slices.DeleteFunc(s.operations, func(op *v1beta1.CruiseControlOperation) bool { return op.Name == name })
}

func (s *simulation) create(op *v1beta1.CruiseControlOperation, withdrawn []Withdrawal) error {
	if s.find(op.Name) != nil {
		return nil // AlreadyExists: the cache lags
	}
	if len(op.Name) > maxName {
		return fmt.Errorf("the name %s is too long", op.Name)
	}
	for _, id := range op.Spec.Brokers {
		_, inSpec := pathsOf(&s.cluster.Spec)[id]
		switch {
		case op.Spec.Type == v1beta1.RemoveBrokers && (inSpec || s.count(id) == 0):
			return fmt.Errorf("broker %d is emptied, and stays or is empty", id)
		case op.Spec.Type == v1beta1.AddBrokers && !inSpec:
			return fmt.Errorf("broker %d is filled, and leaves", id)
		}
	}
	targets := targetsOf(op)
	for _, other := range s.operations {
		isWithdrawn := slices.ContainsFunc(withdrawn, func(w Withdrawal) bool { return w.Operation.Name == other.Name })
		if other.Spec.Type != op.Spec.Type || other.Status.Phase.IsFinished() || other.Spec.Cancel || other.DeletionTimestamp != nil || isWithdrawn {
			continue
		}
		for _, t := range targets {
			if placesOf(targetsOf(other))[t.place()] {
				return fmt.Errorf("%s does what %s does already", op.Name, other.Name)
			}
		}
	}
	for _, t := range targets {
		if op.Spec.Type == v1beta1.AddBrokers || op.Spec.Type == v1beta1.RebalanceDisks {
			s.filled[t.String()]++
		}
	}
	made := op.DeepCopy()
	made.UID, made.CreationTimestamp = types.UID(s.uid("op")), metav1.NewTime(s.now)
	s.operations = append(s.operations, made)
	return nil
}

func (s *simulation) withdraw(w Withdrawal) error {
	op := s.find(w.Operation.Name)
	switch {
	case op == nil:
		return nil // deleted meanwhile
	case op.Labels[v1beta1.LabelOrigin] != v1beta1.OriginPlanner:
		return fmt.Errorf("%s, which a person made, is withdrawn", op.Name)
	case w.Delete:
		for _, t := range targetsOf(op) {
			s.filled[t.String()]--
		}
		s.remove(op.Name)
	default:
		for _, t := range targetsOf(op) {
			s.filled[t.String()]--
		}
		op.Spec.Cancel = true
		op.Annotations[v1beta1.AnnotationWithdrawn] = w.Why
	}
	return nil
}

// person makes an operation as a person does.
func (s *simulation) person(name string, kind v1beta1.OperationType, brokers ...int32) *v1beta1.CruiseControlOperation {
	op := &v1beta1.CruiseControlOperation{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "shop", UID: types.UID(s.uid("op")), CreationTimestamp: metav1.NewTime(s.now)},
		Spec:       v1beta1.CruiseControlOperationSpec{ClusterRef: v1beta1.ClusterReference{Name: "orders"}, Type: kind, Brokers: brokers},
	}
	s.operations = append(s.operations, op)
	return op
}

func describe(plan Plan) string {
	var lines []string
	for _, c := range plan.Create {
		lines = append(lines, fmt.Sprintf("create %s: %s.", c.Operation.Name, c.Why))
	}
	for _, w := range plan.Withdraw {
		verb := "cancel"
		if w.Delete {
			verb = "delete"
		}
		lines = append(lines, fmt.Sprintf("%s %s: %s.", verb, w.Operation.Name, w.Why))
	}
	for _, op := range plan.Forget {
		lines = append(lines, fmt.Sprintf("forget %s.", op.Name))
	}
	for _, w := range plan.Waits {
		lines = append(lines, fmt.Sprintf("data is not placed, %s: %s.", w.Code, w.Message))
	}
	return strings.Join(lines, "\n")
}

// Pass implements stories.Simulation.
func (s *simulation) Pass() error {
	if s.mended {
		s.letGo()
	}
	s.lags = s.rand != nil && !s.mended && s.rand.IntN(4) == 0
	if _, err := s.obey(); err != nil {
		return err
	}
	s.step()
	for life, count := range s.filled {
		if count > 1 {
			return fmt.Errorf("%s is filled %d times", life, count)
		}
	}
	return nil
}

func (s *simulation) step() {
	s.now = s.now.Add(20 * time.Second)
	s.control()
	s.manage()
}

// letGo does what waits ask a person for.
func (s *simulation) letGo() {
	for _, op := range slices.Clone(s.operations) {
		if s.isStuck(op) {
			s.remove(op.Name)
			clear(s.filled) // a person wants them again
		}
		op.Spec.Suspend = false
	}
}

// isStuck: it failed, a person cancelled it, or it emptied by hand what stays.
func (s *simulation) isStuck(op *v1beta1.CruiseControlOperation) bool {
	_, withdrawn := op.Annotations[v1beta1.AnnotationWithdrawn]
	switch op.Status.Phase {
	case v1beta1.OperationFailed:
		return true
	case v1beta1.OperationCancelled:
		return !withdrawn
	case v1beta1.OperationSucceeded:
		return op.Spec.Type == v1beta1.RemoveBrokers && op.Labels == nil
	}
	return false
}

// Disturb implements stories.Simulation.
func (s *simulation) Disturb() {
	r := s.rand
	id := int32(100 + r.IntN(6))
	_, inSpec := pathsOf(&s.cluster.Spec)[id]
	switch r.IntN(16) {
	case 0, 1, 2:
		if inSpec && len(pathsOf(&s.cluster.Spec)) > 3 {
			s.dropBroker(id)
		} else if !inSpec {
			s.addBroker(id)
		}
	case 3:
		s.slow[id] = !s.slow[id]
	case 4:
		s.failing = !s.failing
	case 5:
		s.reachable = !s.reachable
	case 6:
		s.addTopic(s.uid("topic"), 1+r.IntN(3), 2)
	case 7:
		s.setDisks([][]string{{diskA}, {diskB}, {diskA, diskB}}[r.IntN(3)]...)
	case 8:
		s.idle = !s.idle
	case 9:
		if len(s.operations) > 0 {
			s.remove(s.operations[r.IntN(len(s.operations))].Name)
			clear(s.filled) // a person wants them again
		}
	case 10:
		if len(s.operations) > 0 {
			s.operations[r.IntN(len(s.operations))].Spec.Cancel = true
		}
	case 11:
		if len(s.operations) > 0 {
			op := s.operations[r.IntN(len(s.operations))]
			op.Spec.Suspend = !op.Spec.Suspend
		}
	case 12:
		kind := []v1beta1.OperationType{v1beta1.AddBrokers, v1beta1.RemoveBrokers}[r.IntN(2)]
		s.person(s.uid("person"), kind, id)
	case 13:
		s.breakDisk(id)
	case 14:
		s.cluster.Status = v1beta1.KafkaClusterStatus{Brokers: s.withoutLives()}
	case 15:
		s.now = s.now.Add(time.Minute)
	}
}

// withoutLives is a status that was lost and is written again, with what broker-manager does not know at once left out.
func (s *simulation) withoutLives() []v1beta1.BrokerStatus {
	brokers := s.cluster.DeepCopy().Status.Brokers
	for i := range brokers {
		brokers[i].Conditions = nil
	}
	return brokers
}

// breakDisk makes the first disk of a broker fail.
func (s *simulation) breakDisk(id int32) {
	if s.dirs[id][diskA] <= 0 || s.kafka.Brokers[id].Fenced {
		return
	}
	lost := s.dirs[id][diskA]
	s.dirs[id][diskA] = -1
	for i := range s.kafka.Partitions {
		p := &s.kafka.Partitions[i]
		if lost > 0 && slices.Contains(p.Replicas, id) {
			p.Offline = append(slices.Clone(p.Offline), id)
			lost--
		}
	}
}

// Mend implements stories.Simulation.
func (s *simulation) Mend() {
	s.mended, s.reachable, s.failing, s.idle = true, true, false, false
	s.slow = map[int32]bool{}
	for _, dirs := range s.dirs { // disks that failed come back
		for path, count := range dirs {
			dirs[path] = max(count, 0)
		}
	}
	for i := range s.kafka.Partitions {
		s.kafka.Partitions[i].Offline = nil
	}
	for id := range s.dirs {
		s.recount(id)
	}
}

// recount puts all replicas of a broker into its log directories again.
func (s *simulation) recount(id int32) {
	placed := 0
	for _, count := range s.dirs[id] {
		placed += count
	}
	for range s.count(id) - placed {
		s.place(id, 1)
	}
}

// IsOver implements stories.Simulation.
func (s *simulation) IsOver() bool {
	plan := Of(s.askedFacts())
	return len(plan.Create)+len(plan.Withdraw)+len(plan.Waits) == 0
}

// askedFacts are the facts as they are, with Kafka's answer.
func (s *simulation) askedFacts() Facts {
	asked := s.describedAt
	defer func() { s.describedAt = asked }()
	s.lags, s.describedAt = false, time.Time{}
	return s.facts()
}

// String implements stories.Simulation.
func (s *simulation) String() string {
	text := describe(Of(s.askedFacts()))
	for _, op := range s.operations {
		text += fmt.Sprintf("\n%s %s %s %s", op.Name, op.Status.Phase, op.Annotations[v1beta1.AnnotationTargets], op.Labels)
	}
	return fmt.Sprintf("%s\n%+v\n%+v", text, s.kafka.Brokers, s.dirs)
}

func off() *bool { return ptr.To(false) }
