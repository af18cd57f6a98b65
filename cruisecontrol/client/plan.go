package client

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
)

// Plan is what Cruise Control would do, or does.
type Plan struct {
	Summary     Summary       `json:"summary"`
	GoalSummary []GoalSummary `json:"goalSummary"`
	// LoadBeforeOptimization is nil for plans of RemoveDisks.
	LoadBeforeOptimization *Load `json:"loadBeforeOptimization"`
	LoadAfterOptimization  *Load `json:"loadAfterOptimization"`
	// Proposals in no order. They name brokers and no log dirs: moves between the disks of one broker are only counted.
	Proposals []Proposal `json:"proposals"`
}

// Summary counts what a plan does. The execution's own counts differ: it counts changes of order too.
type Summary struct {
	NumReplicaMovements            int      `json:"numReplicaMovements"`
	DataToMoveMB                   int64    `json:"dataToMoveMB"`
	NumIntraBrokerReplicaMovements int      `json:"numIntraBrokerReplicaMovements"`
	IntraBrokerDataToMoveMB        int64    `json:"intraBrokerDataToMoveMB"`
	NumLeaderMovements             int      `json:"numLeaderMovements"`
	RecentWindows                  int      `json:"recentWindows"`
	MonitoredPartitionsPercentage  Float    `json:"monitoredPartitionsPercentage"`
	ExcludedTopics                 []string `json:"excludedTopics"`
	ExcludedBrokersForReplicaMove  []int32  `json:"excludedBrokersForReplicaMove"`
	ExcludedBrokersForLeadership   []int32  `json:"excludedBrokersForLeadership"`
	OnDemandBalancednessBefore     Float    `json:"onDemandBalancednessScoreBefore"`
	OnDemandBalancednessAfter      Float    `json:"onDemandBalancednessScoreAfter"`
	// ProvisionStatus is UNDER_PROVISIONED, RIGHT_SIZED, OVER_PROVISIONED or UNDECIDED.
	ProvisionStatus         string `json:"provisionStatus"`
	ProvisionRecommendation string `json:"provisionRecommendation"`
}

// GoalStatus is what a plan does for a goal.
type GoalStatus string

const (
	GoalViolated GoalStatus = "VIOLATED"
	GoalFixed    GoalStatus = "FIXED"
	GoalNoAction GoalStatus = "NO-ACTION"
)

// GoalSummary is one goal of a plan.
type GoalSummary struct {
	Goal               Goal       `json:"goal"`
	Status             GoalStatus `json:"status"`
	OptimizationTimeMs int64      `json:"optimizationTimeMs"`
	// ClusterModelStats describe the cluster as it would be after this goal.
	ClusterModelStats ClusterModelStats `json:"clusterModelStats"`
}

// ClusterModelStats describe a cluster.
type ClusterModelStats struct {
	Metadata struct {
		Brokers  int `json:"brokers"`
		Replicas int `json:"replicas"`
		Topics   int `json:"topics"`
	} `json:"metadata"`
	// Statistics by AVG, MAX, MIN and STD, then by what is measured: disk, replicas, leaderReplicas.
	Statistics map[string]map[string]Float `json:"statistics"`
}

// Proposal changes the replicas of one partition, or their order, of which the first one leads.
type Proposal struct {
	TopicPartition TopicPartition `json:"topicPartition"`
	OldLeader      int32          `json:"oldLeader"`
	OldReplicas    []int32        `json:"oldReplicas"`
	NewReplicas    []int32        `json:"newReplicas"`
}

// TopicPartition names a partition.
type TopicPartition struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
}

func (a TopicPartition) compare(b TopicPartition) int {
	return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
}

// IsEmpty tells whether a plan does nothing. Right after a change that proves nothing: Cruise Control's view is up to ten
// seconds old.
func (p *Plan) IsEmpty() bool {
	s := p.Summary
	return s.NumReplicaMovements == 0 && s.NumIntraBrokerReplicaMovements == 0 && s.NumLeaderMovements == 0 && len(p.Proposals) == 0
}

// ViolatedGoals are those that the plan does not meet, sorted.
func (p *Plan) ViolatedGoals() []Goal {
	var goals []Goal
	for _, g := range p.GoalSummary {
		if g.Status == GoalViolated {
			goals = append(goals, g.Goal)
		}
	}
	slices.Sort(goals)
	return goals
}

// SortedProposals returns the proposals by topic and partition.
func (p *Plan) SortedProposals() []Proposal {
	return slices.SortedFunc(slices.Values(p.Proposals), func(a, b Proposal) int {
		return a.TopicPartition.compare(b.TopicPartition)
	})
}

// Hash is equal for plans that do the same: where each partition goes, and how many moves of each kind there are. The loads,
// the sizes and the order of the answer are not part of it.
func (p *Plan) Hash() string {
	h := sha256.New()
	s := p.Summary
	fmt.Fprintf(h, "plan 1 %d %d %d\n", s.NumReplicaMovements, s.NumIntraBrokerReplicaMovements, s.NumLeaderMovements)
	for _, proposal := range p.SortedProposals() {
		fmt.Fprintf(h, "%q %d %d\n", proposal.TopicPartition.Topic, proposal.TopicPartition.Partition, proposal.NewReplicas)
	}
	return hex.EncodeToString(h.Sum(nil))
}
