package deployment

import (
	"slices"
	"strings"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

// Packages of the goals that Cruise Control is shipped with.
const (
	goalPackage     = "com.linkedin.kafka.cruisecontrol.analyzer.goals."
	assignerPackage = "com.linkedin.kafka.cruisecontrol.analyzer.kafkaassigner."
)

// Goals where the spec names none. A cluster whose partitions have more replicas than it has racks can have no plan with
// RackAwareGoal: whoever wants that names RackAwareDistributionGoal instead.
//
// Those about the network need to know what it carries. Those about CPU are for whoever names them: Cruise Control
// estimates what a partition costs from its bytes, and what it reads in a container of how busy a broker is depends on
// the machine, so that moving data for it would often make nothing better.
var (
	defaultHardGoals = []v1beta1.Goal{"RackAwareGoal", "ReplicaCapacityGoal", "DiskCapacityGoal"}
	networkHardGoals = []v1beta1.Goal{"NetworkInboundCapacityGoal", "NetworkOutboundCapacityGoal"}
	defaultSoftGoals = []v1beta1.Goal{
		"ReplicaDistributionGoal", "DiskUsageDistributionGoal", "TopicReplicaDistributionGoal", "LeaderReplicaDistributionGoal",
	}
	networkSoftGoals = []v1beta1.Goal{
		"PotentialNwOutGoal", "NetworkInboundUsageDistributionGoal", "NetworkOutboundUsageDistributionGoal", "LeaderBytesInDistributionGoal",
	}

	// otherGoals are those that an operation can name besides.
	otherGoals = []v1beta1.Goal{
		"RackAwareDistributionGoal", "MinTopicLeadersPerBrokerGoal", "CpuCapacityGoal", "CpuUsageDistributionGoal", "PreferredLeaderElectionGoal",
	}
	// hardKinds are goals that are hard where they are named, if the spec does not say which are.
	hardKinds = []v1beta1.Goal{
		"RackAwareGoal", "RackAwareDistributionGoal", "ReplicaCapacityGoal", "DiskCapacityGoal",
		"NetworkInboundCapacityGoal", "NetworkOutboundCapacityGoal", "CpuCapacityGoal",
	}
	// diskGoals are those between the disks of one broker.
	diskGoals = []v1beta1.Goal{"IntraBrokerDiskCapacityGoal", "IntraBrokerDiskUsageDistributionGoal"}
)

// goals are what the lists of Cruise Control hold: each later one is part of the one before.
type goals struct {
	supported, wanted, hard []v1beta1.Goal
	disk                    []v1beta1.Goal
}

func goalsOf(cc *v1beta1.CruiseControl) goals {
	g := goals{wanted: defaultGoals(cc), disk: diskGoals}
	if len(cc.Goals) > 0 {
		g.wanted = without(cc.Goals, isDiskGoal)
	}
	if named := slices.DeleteFunc(slices.Clone(cc.Goals), func(goal v1beta1.Goal) bool { return !isDiskGoal(goal) }); len(named) > 0 {
		g.disk = named
	}
	if g.hard = without(cc.HardGoals, isDiskGoal); len(g.hard) == 0 {
		g.hard = without(g.wanted, func(goal v1beta1.Goal) bool { return !slices.Contains(hardKinds, goal) })
	}
	// Cruise Control does not start with a hard goal that it does not want.
	g.wanted = union(without(g.hard, func(goal v1beta1.Goal) bool { return slices.Contains(g.wanted, goal) }), g.wanted)
	g.supported = union(g.wanted, defaultGoals(cc), otherGoals)
	return g
}

func defaultGoals(cc *v1beta1.CruiseControl) []v1beta1.Goal {
	if cc.NetworkCapacity == nil {
		return union(defaultHardGoals, defaultSoftGoals)
	}
	return union(defaultHardGoals, networkHardGoals, defaultSoftGoals, networkSoftGoals)
}

func isDiskGoal(goal v1beta1.Goal) bool { return strings.HasPrefix(string(goal), "IntraBroker") }

func without(list []v1beta1.Goal, unwanted func(v1beta1.Goal) bool) []v1beta1.Goal {
	return slices.DeleteFunc(slices.Clone(list), unwanted)
}

// union keeps the order, in which goals have their priority.
func union(lists ...[]v1beta1.Goal) []v1beta1.Goal {
	var all []v1beta1.Goal
	for _, goal := range slices.Concat(lists...) {
		if !slices.Contains(all, goal) {
			all = append(all, goal)
		}
	}
	return all
}

// classes are goals as Cruise Control's properties name them.
func classes(list []v1beta1.Goal) string {
	names := make([]string, len(list))
	for i, goal := range list {
		if names[i] = goalPackage + string(goal); strings.HasPrefix(string(goal), "KafkaAssigner") {
			names[i] = assignerPackage + string(goal)
		}
	}
	return strings.Join(names, ",")
}
