package plan

import (
	"maps"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/apis/machinery/kafka"
)

// planner is one plan in the making.
type planner struct {
	Facts
	// paths are the disks of each broker of the spec; nodes that are no brokers are not in it.
	paths  map[int32][]string
	status map[int32]*v1beta1.BrokerStatus
	// dirs are the log directories of the brokers that have answered, by path.
	dirs       map[int32]map[string]*kafka.LogDir
	operations []*operation
	// replicas count all replicas by broker, data those of topics that are no internal ones.
	replicas, data map[int32]int
	plan           Plan
	// kept are operations that are needed, by name.
	kept map[string]bool
}

func newPlanner(f Facts) *planner {
	p := &planner{
		Facts: f, paths: pathsOf(&f.Cluster.Spec), status: map[int32]*v1beta1.BrokerStatus{}, dirs: map[int32]map[string]*kafka.LogDir{},
		operations: operationsOf(f.Cluster, f.Operations), replicas: map[int32]int{}, data: map[int32]int{}, kept: map[string]bool{},
	}
	for i := range f.Cluster.Status.Brokers {
		broker := &f.Cluster.Status.Brokers[i]
		p.status[broker.ID] = broker
	}
	for id, dirs := range f.LogDirs {
		p.dirs[id] = make(map[string]*kafka.LogDir, len(dirs))
		for i := range dirs {
			p.dirs[id][dirs[i].Path] = &dirs[i]
		}
	}
	if f.Kafka != nil {
		p.count(f.Kafka.Partitions)
	}
	return p
}

// pathsOf are the disks of each broker of the spec.
func pathsOf(spec *v1beta1.KafkaClusterSpec) map[int32][]string {
	groups := map[string]*v1beta1.BrokerGroup{}
	for i := range spec.BrokerGroups {
		groups[spec.BrokerGroups[i].Name] = &spec.BrokerGroups[i]
	}
	paths := map[int32][]string{}
	for _, broker := range spec.Brokers {
		group := groups[broker.Group]
		if group == nil || !slices.Contains(group.Roles, v1beta1.RoleBroker) {
			continue
		}
		for _, storage := range slices.Concat(group.Storage, broker.Storage) {
			if !slices.Contains(paths[broker.ID], storage.Path) {
				paths[broker.ID] = append(paths[broker.ID], storage.Path)
			}
		}
	}
	return paths
}

// count counts the replicas of each broker.
func (p *planner) count(partitions []kafka.Partition) {
	for i := range partitions {
		for _, id := range partitions[i].Replicas {
			p.replicas[id]++
			if !isInternal(partitions[i].Topic) {
				p.data[id]++
			}
		}
	}
}

// isInternal tells whether a topic belongs to Kafka or Cruise Control. They come with the first clients of a cluster, not with
// its data.
func isInternal(topic string) bool { return strings.HasPrefix(topic, "__") }

// brokerIDs are the brokers of the spec, sorted.
func (p *planner) brokerIDs() []int32 { return slices.Sorted(maps.Keys(p.paths)) }

// inSpec tells whether the spec has a broker, or a disk of one.
func (p *planner) inSpec(t target) bool {
	paths, ok := p.paths[t.broker]
	return ok && (t.path == "" || slices.Contains(paths, t.path))
}

// draining are the brokers that the spec does not have any more and that broker-manager says are to be emptied.
func (p *planner) draining() []target {
	var targets []target
	for i := range p.Cluster.Status.Brokers {
		broker := &p.Cluster.Status.Brokers[i]
		t := target{broker: broker.ID, incarnation: broker.Incarnation}
		if broker.Phase == v1beta1.BrokerDraining && !p.inSpec(t) {
			targets = append(targets, t)
		}
	}
	sortTargets(targets)
	return targets
}

// disks are those of the brokers of the spec that are in this phase.
func (p *planner) disks(phase v1beta1.VolumePhase) []target {
	var targets []target
	for _, id := range p.brokerIDs() {
		if p.status[id] == nil {
			continue
		}
		for _, volume := range p.status[id].Volumes {
			t := target{broker: id, path: volume.Path, incarnation: volume.Incarnation}
			if volume.Phase == phase && p.inSpec(t) == (phase == v1beta1.VolumeActive) {
				targets = append(targets, t)
			}
		}
	}
	sortTargets(targets)
	return targets
}

// running is a broker of the spec that is a member of the cluster in this life.
func (p *planner) running(id int32) (target, bool) {
	broker := p.status[id]
	if broker == nil || broker.Phase != v1beta1.BrokerRunning || broker.Incarnation == "" {
		return target{}, false
	}
	return target{broker: id, incarnation: broker.Incarnation}, true
}

// serves tells whether Kafka counts a broker among the living.
func (p *planner) serves(id int32) bool {
	broker, ok := p.Kafka.Brokers[id]
	return ok && !broker.Fenced
}

// isLiving tells whether a broker or disk that an operation was made for is still the one that it was made for, as far as
// anybody knows.
func (p *planner) isLiving(t target) bool {
	if !p.inSpec(t) {
		return false
	}
	incarnation := ""
	if broker := p.status[t.broker]; broker != nil {
		incarnation = broker.Incarnation
		if t.path != "" {
			incarnation = ""
			for _, volume := range broker.Volumes {
				if volume.Path == t.path {
					incarnation = volume.Incarnation
				}
			}
		}
	}
	return incarnation == "" || incarnation == t.incarnation
}

// arriving are brokers of the spec that are not there and can be expected in a moment.
func (p *planner) arriving() []target {
	var targets []target
	for _, id := range p.brokerIDs() {
		broker := p.status[id]
		if broker == nil {
			// broker-manager has not seen the spec yet. Once it has, it says what becomes of the broker.
			if p.Cluster.Status.ObservedGeneration < p.Cluster.Generation {
				targets = append(targets, target{broker: id})
			}
			continue
		}
		switch broker.Phase {
		case v1beta1.BrokerPending, v1beta1.BrokerJoining, v1beta1.BrokerRestarting:
		default:
			continue
		}
		healthy := meta.FindStatusCondition(broker.Conditions, v1beta1.ConditionBrokerHealthy)
		if healthy == nil || healthy.Status != metav1.ConditionFalse {
			continue
		}
		if left := healthy.LastTransitionTime.Add(patience).Sub(p.Now); left > 0 {
			p.again(left)
			targets = append(targets, target{broker: id})
		}
	}
	return targets
}

// again asks for another look after a while.
func (p *planner) again(after time.Duration) {
	if p.plan.Again == 0 || after < p.plan.Again {
		p.plan.Again = after
	}
}

// isNearlyEmpty tells whether a broker holds less than a tenth of what the others hold: topics that are created while it
// joins put a few replicas on it. With fewer replicas than brokers there is nothing to spread. One that holds its share of
// the internal topics is not new: its data was moved to others on purpose.
func (p *planner) isNearlyEmpty(id int32) bool {
	data, replicas := p.ofOthers(id)
	count := len(p.paths) - 1
	return data+p.data[id] >= len(p.paths) && isFew(p.data[id], data, count) && isFew(p.replicas[id], replicas, count)
}

// ofOthers counts what the other brokers of the spec hold: without internal topics, and with them.
func (p *planner) ofOthers(id int32) (data, replicas int) {
	for other := range p.paths {
		if other != id {
			data += p.data[other]
			replicas += p.replicas[other]
		}
	}
	return data, replicas
}

// isFew tells whether a number is less than a tenth of the mean of count others.
func isFew(number, others, count int) bool { return 10*number*count < others }
