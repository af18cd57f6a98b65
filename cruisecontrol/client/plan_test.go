package client

import (
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
)

const somePlan = `{"version":1,
 "summary":{"numReplicaMovements":2,"dataToMoveMB":18231,"numIntraBrokerReplicaMovements":0,"intraBrokerDataToMoveMB":0,"numLeaderMovements":7,"recentWindows":5,
  "monitoredPartitionsPercentage":100.0,"excludedTopics":["x"],"excludedBrokersForReplicaMove":[3],"excludedBrokersForLeadership":[],"onDemandBalancednessScoreBefore":78.4,
  "onDemandBalancednessScoreAfter":93.1,"provisionStatus":"RIGHT_SIZED","provisionRecommendation":""},
 "goalSummary":[
  {"goal":"RackAwareGoal","status":"NO-ACTION","optimizationTimeMs":12,"clusterModelStats":{"metadata":{"brokers":3,"replicas":300,"topics":12},"statistics":{"AVG":{"cpu":1.2,"disk":512.1}}}},
  {"goal":"DiskUsageDistributionGoal","status":"VIOLATED","optimizationTimeMs":1},{"goal":"CpuCapacityGoal","status":"VIOLATED","optimizationTimeMs":1}],
 "loadAfterOptimization":{"hosts":[{"Host":"b0","Rack":"a","DiskMB":512.0,"Replicas":100}],"brokers":[{"Broker":0,"BrokerState":"ALIVE","Host":"b0","DiskPct":5.1,"Leaders":33}]},
 "proposals":[{"topicPartition":{"hash":4700,"partition":3,"topic":"t2"},"oldLeader":1,"oldReplicas":[1,3,2],"newReplicas":[3,1,2]},
  {"topicPartition":{"hash":4701,"partition":10,"topic":"t1"},"oldLeader":1,"oldReplicas":[1],"newReplicas":[2]},
  {"topicPartition":{"hash":4702,"partition":9,"topic":"t1"},"oldLeader":1,"oldReplicas":[1],"newReplicas":[2]}]}`

func parsePlan(t *testing.T, body string) *Plan {
	t.Helper()
	p := &Plan{}
	if err := json.Unmarshal([]byte(body), p); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPlan(t *testing.T) {
	p := parsePlan(t, somePlan)
	if s := p.Summary; s.DataToMoveMB != 18231 || s.OnDemandBalancednessAfter != 93.1 || s.ExcludedBrokersForReplicaMove[0] != 3 || s.ProvisionStatus != "RIGHT_SIZED" {
		t.Errorf("got %+v", s)
	}
	if got := p.ViolatedGoals(); !reflect.DeepEqual(got, []Goal{"CpuCapacityGoal", "DiskUsageDistributionGoal"}) {
		t.Errorf("got %v", got)
	}
	if g := p.GoalSummary[0]; g.ClusterModelStats.Metadata.Replicas != 300 || g.ClusterModelStats.Statistics["AVG"]["disk"] != 512.1 {
		t.Errorf("got %+v", g)
	}
	if l := p.LoadAfterOptimization; l.Hosts[0].DiskMB != 512 || l.Brokers[0].Leaders != 33 || p.LoadBeforeOptimization != nil {
		t.Errorf("got %+v", l)
	}
	got := p.SortedProposals()
	if got[0].TopicPartition != (TopicPartition{"t1", 9}) || got[1].TopicPartition != (TopicPartition{"t1", 10}) || !slices.Equal(got[2].NewReplicas, []int32{3, 1, 2}) {
		t.Errorf("got %+v", got)
	}
	if p.IsEmpty() || !(&Plan{}).IsEmpty() {
		t.Error("IsEmpty is wrong")
	}
}

// The hash is of what a plan does, not of how the answer is ordered or what it measures.
func TestHash(t *testing.T) {
	const approved = "c9c5ddef0a83db5991840db38d0e7460a810b47968fa26959f61172a840857cd"
	p := parsePlan(t, somePlan)
	if p.Hash() != approved {
		t.Errorf("the hash of a plan is %s now: no plan that was approved before is the same any more", p.Hash())
	}
	same := parsePlan(t, somePlan)
	rand.Shuffle(len(same.Proposals), func(i, j int) { same.Proposals[i], same.Proposals[j] = same.Proposals[j], same.Proposals[i] })
	same.Summary.DataToMoveMB++
	same.Summary.OnDemandBalancednessBefore++
	same.Proposals[0].OldLeader++
	if same.Hash() != p.Hash() {
		t.Error("plans that do the same have different hashes")
	}
	for name, change := range map[string]func(*Plan){
		"a partition less":     func(p *Plan) { p.Proposals = p.Proposals[1:] },
		"another order":        func(p *Plan) { slices.Reverse(p.Proposals[0].NewReplicas) },
		"another topic":        func(p *Plan) { p.Proposals[0].TopicPartition.Topic = "t3" },
		"another partition":    func(p *Plan) { p.Proposals[0].TopicPartition.Partition++ },
		"more leaders":         func(p *Plan) { p.Summary.NumLeaderMovements++ },
		"more moves of disks":  func(p *Plan) { p.Summary.NumIntraBrokerReplicaMovements++ },
		"a broker more":        func(p *Plan) { p.Proposals[1].NewReplicas = []int32{2, 3} },
		"a broker that is two": func(p *Plan) { p.Proposals[1].NewReplicas = []int32{23} },
	} {
		other := parsePlan(t, somePlan)
		change(other)
		if other.Hash() == p.Hash() {
			t.Errorf("%s: the same hash", name)
		}
	}
}
