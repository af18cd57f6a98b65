package rollout

import (
	"slices"
	"strings"
	"testing"
	"time"

	"koperator.dev/koperator/apis/machinery/kafka"
)

// healthy is a cluster of three controllers and four brokers in which nothing needs a restart.
func healthy() Facts {
	f := Facts{KafkaKnown: true, FetchTimeout: 2 * time.Second, Quorum: &kafka.Quorum{Leader: 0}}
	for id := range int32(3) {
		f.Nodes = append(f.Nodes, Node{ID: id, Controller: true, Ready: true})
		f.Quorum.Voters = append(f.Quorum.Voters, kafka.QuorumReplica{ID: id})
	}
	for id := int32(100); id < 104; id++ {
		f.Nodes = append(f.Nodes, Node{ID: id, Broker: true, Ready: true, Known: true})
	}
	return f
}

func (f *Facts) node(id int32) *Node {
	i := slices.IndexFunc(f.Nodes, func(n Node) bool { return n.ID == id })
	return &f.Nodes[i]
}

func (f *Facts) partition(leader int32, minISR int, replicas, isr []int32) {
	f.Partitions = append(f.Partitions, kafka.Partition{Topic: "t", Partition: int32(len(f.Partitions)), Leader: leader, MinISR: minISR, Replicas: replicas, ISR: isr})
}

// list is shorter than []int32.
func list(ids ...int32) []int32 { return ids }

// Each case is about node 100, or the one named, which needs a restart. want is the code of its wait, or "" for its
// restart.
var cases = []struct {
	name  string
	node  int32
	given func(*Facts)
	want  string
}{
	{name: "a partition keeps min.insync.replicas", given: func(f *Facts) {
		f.partition(100, 2, list(100, 101, 102), list(100, 101, 102))
	}},
	{name: "a partition would fall below min.insync.replicas", want: WaitMinInSyncReplicas, given: func(f *Facts) {
		f.node(102).Broken = true // so that nobody waits for it to catch up
		f.partition(100, 2, list(100, 101, 102), list(100, 101))
	}},
	{name: "min.insync.replicas of zero still keeps one", want: WaitMinInSyncReplicas, given: func(f *Facts) {
		f.node(101).Broken = true
		f.partition(100, 0, list(100, 101), list(100))
	}},
	{name: "a partition is below min.insync.replicas already and needs this broker", want: WaitMinInSyncReplicas, given: func(f *Facts) {
		f.node(101).Broken, f.node(102).Broken = true, true
		f.partition(100, 2, list(100, 101, 102), list(100))
	}},
	{name: "a partition is below min.insync.replicas already and has nothing of this broker", given: func(f *Facts) {
		f.node(102).Broken = true
		f.partition(101, 2, list(100, 101, 102), list(101))
	}},
	{name: "replication factor 1", given: func(f *Facts) {
		f.partition(100, 1, list(100), list(100))
	}},
	{name: "replication factor below min.insync.replicas", given: func(f *Facts) {
		f.partition(100, 2, list(100), list(100))
	}},
	{name: "replication factor is min.insync.replicas, and one replica is missing", want: WaitMinInSyncReplicas, given: func(f *Facts) {
		f.node(101).Broken = true
		f.partition(100, 2, list(100, 101), list(100))
	}},
	{name: "replication factor 1, being moved", want: WaitMinInSyncReplicas, given: func(f *Facts) {
		f.node(101).Broken = true
		f.partition(100, 1, list(100, 101), list(100))
	}},
	{name: "an in-sync replica whose Pod is gone does not count", want: WaitMinInSyncReplicas, given: func(f *Facts) {
		*f.node(101) = Node{ID: 101, Broker: true, Stopped: true, Broken: true, Known: true}
		f.partition(100, 2, list(100, 101, 102), list(100, 101, 102))
	}},
	{name: "an in-sync replica that Kafka has fenced does not count", want: WaitMinInSyncReplicas, given: func(f *Facts) {
		f.node(101).Fenced = true
		f.partition(100, 2, list(100, 101, 102), list(100, 101, 102))
	}},
	{name: "an in-sync replica that is no node of ours counts", given: func(f *Facts) {
		f.partition(100, 1, list(100, 7), list(100, 7))
	}},
	{name: "a leaderless partition, in sync with this broker", want: WaitNoLeader, given: func(f *Facts) {
		f.partition(-1, 1, list(100), list(100))
	}},
	{name: "a leaderless partition without anybody in sync", want: WaitNoLeader, given: func(f *Facts) {
		f.node(100).Broken, f.node(101).Broken = true, true
		f.partition(-1, 2, list(100, 101), nil)
	}},
	{name: "a leaderless partition that is in sync with another broker", given: func(f *Facts) {
		*f.node(101) = Node{ID: 101, Broker: true, Stopped: true, Broken: true, Known: true, Fenced: true}
		f.partition(-1, 1, list(100, 101), list(101))
	}},
	{name: "a leaderless partition of a fenced broker, whose restart brings it back", given: func(f *Facts) {
		f.node(100).Fenced = true
		f.partition(-1, 1, list(100), list(100))
	}},
	{name: "a leaderless partition of a broker that Kafka has forgotten", given: func(f *Facts) {
		f.node(100).Known = false
		f.partition(-1, 1, list(100), list(100))
	}},
	{name: "another broker catches up", want: WaitCatchingUp, given: func(f *Facts) {
		f.partition(101, 1, list(101, 102), list(101))
	}},
	{name: "another broker catches up and needs a restart itself", given: func(f *Facts) {
		f.node(102).Reason, f.node(102).Stopping = "new image", true
		f.node(102).Broken = true
		f.partition(101, 1, list(101, 102), list(101))
	}},
	{name: "another broker has a failed log directory", given: func(f *Facts) {
		f.node(102).Broken = true
		f.partition(101, 1, list(101, 102), list(101))
	}},
	{name: "another broker is fenced, and no partition needs it", given: func(f *Facts) {
		f.node(102).Fenced = true
		f.partition(101, 1, list(101, 102), list(101))
	}},
	{name: "another broker is not reached from outside yet", want: WaitExternalAccess, given: func(f *Facts) {
		f.node(101).Unreached = "2 proxies do not know its address yet"
	}},
	{name: "another broker is not reached from outside and needs a restart itself", given: func(f *Facts) {
		f.node(101).Unreached, f.node(101).Reason = "2 proxies do not know its address yet", "new image"
	}},
	{name: "another broker is not reached from outside and is fenced, too", given: func(f *Facts) {
		f.node(101).Unreached, f.node(101).Fenced = "2 proxies do not know its address yet", true
	}},
	{name: "the addresses of brokers are not settled", want: WaitExternalAccess, given: func(f *Facts) {
		f.Unsettled = "envoy-manager has not looked at the present spec yet"
	}},
	{name: "another broker has no Pod", want: WaitRestartInProgress, given: func(f *Facts) {
		f.node(102).Ready, f.node(102).Stopped = false, true
	}},
	{name: "another broker has no Node for its Pod", want: WaitRestartInProgress, given: func(f *Facts) {
		f.node(102).Ready, f.node(102).Stopped, f.node(102).Restarting = false, true, true
	}},
	{name: "another broker crash-loops", given: func(f *Facts) {
		f.node(102).Ready, f.node(102).Stopped, f.node(102).Restarting, f.node(102).Broken = false, true, true, true
	}},
	{name: "another broker stops", want: WaitRestartInProgress, given: func(f *Facts) {
		f.node(102).Ready, f.node(102).Stopping = false, true
	}},
	{name: "another broker hangs in termination on a lost Node", given: func(f *Facts) {
		f.node(102).Ready, f.node(102).Stopping, f.node(102).Broken = false, true, true
	}},
	{name: "another broker starts", want: WaitRestartInProgress, given: func(f *Facts) {
		f.node(102).Ready, f.node(102).Restarting = false, true
	}},
	{name: "another broker was started again in place", given: func(f *Facts) {
		f.node(102).Ready = false
	}},
	{name: "a controller starts", want: WaitRestartInProgress, given: func(f *Facts) {
		f.node(1).Ready, f.node(1).Restarting = false, true
	}},
	{name: "a broker that is not ready", want: WaitJoining, given: func(f *Facts) {
		f.node(100).Ready = false
	}},
	{name: "a broker that stops already", want: WaitStopping, given: func(f *Facts) {
		f.node(100).Stopping = true
	}},
	{name: "a broker that stops and has no process any more", want: WaitStopping, given: func(f *Facts) {
		f.node(100).Stopping, f.node(100).Stopped = true, true
	}},
	{name: "the quorum is unknown", want: WaitNoQuorumLeader, given: func(f *Facts) { f.Quorum = nil }},
	{name: "the quorum has no leader", want: WaitNoQuorumLeader, given: func(f *Facts) { f.Quorum.Leader = -1 }},
	{name: "Kafka is unreachable", want: WaitKafkaUnreachable, given: func(f *Facts) { f.KafkaKnown = false }},
	{name: "a controller needs a restart too", want: WaitControllersFirst, given: func(f *Facts) { f.node(1).Reason = "new image" }},
	{name: "a controller that starts needs a restart too", want: WaitControllersFirst, given: func(f *Facts) {
		f.node(1).Reason, f.node(1).Ready = "new image", false
	}},
	{name: "a broken controller needs a restart too", given: func(f *Facts) {
		f.node(1).Reason, f.node(1).Ready, f.node(1).Broken = "new image", false, true
	}},
	{name: "a controller waits for one that lags", want: WaitControllersFirst, given: func(f *Facts) {
		f.node(1).Reason = "new image"
		f.Quorum.Voters[2].CaughtUpAgo = time.Minute
	}},
	{name: "a controller waits for one that is broken", given: func(f *Facts) {
		f.node(1).Reason = "new image"
		f.node(2).Ready, f.node(2).Broken = false, true
	}},
	{name: "a controller, while a broker catches up", node: 1, given: func(f *Facts) {
		f.partition(101, 1, list(101, 102), list(101))
	}},
	{name: "a controller, while another lags", node: 1, want: WaitQuorumMajority, given: func(f *Facts) {
		f.Quorum.Voters[2].CaughtUpAgo = 2*time.Second + 1
	}},
	{name: "a controller, while another has never caught up", node: 1, want: WaitQuorumMajority, given: func(f *Facts) {
		f.Quorum.Voters[2].CaughtUpAgo = -1
	}},
	{name: "a controller, while another is just within the fetch timeout", node: 1, given: func(f *Facts) {
		f.Quorum.Voters[2].CaughtUpAgo = 2 * time.Second
	}},
	{name: "a controller, while another has just lost its Pod", node: 1, want: WaitQuorumMajority, given: func(f *Facts) {
		f.node(2).Ready, f.node(2).Broken = false, true
	}},
	{name: "a controller that lags itself", node: 1, given: func(f *Facts) {
		f.Quorum.Voters[1].CaughtUpAgo = time.Minute
	}},
	{name: "a controller that does not vote, while voters lag", node: 3, given: func(f *Facts) {
		f.Nodes = append(f.Nodes, Node{ID: 3, Controller: true, Ready: true})
		f.Quorum.Voters[1].CaughtUpAgo, f.Quorum.Voters[2].CaughtUpAgo = time.Minute, time.Minute
	}},
	{name: "one of two voters, of three controllers", node: 1, want: WaitQuorumMajority, given: func(f *Facts) {
		f.Quorum.Voters = f.Quorum.Voters[:2]
	}},
	{name: "the active controller, while another starts to need a restart", node: 0, want: WaitActiveControllerLast, given: func(f *Facts) {
		f.node(2).Reason = "new image"
	}},
	{name: "a combined node that a partition needs", node: 1, want: WaitMinInSyncReplicas, given: func(f *Facts) {
		f.node(1).Broker, f.node(1).Known = true, true
		f.node(101).Broken = true
		f.partition(1, 1, list(1, 101), list(1))
	}},
	{name: "a combined node that the quorum needs", node: 1, want: WaitQuorumMajority, given: func(f *Facts) {
		f.node(1).Broker, f.node(1).Known = true, true
		f.Quorum.Voters[2].CaughtUpAgo = time.Minute
	}},
	{name: "a broker with a large id", node: 2000000000, want: WaitMinInSyncReplicas, given: func(f *Facts) {
		f.Nodes = append(f.Nodes, Node{ID: 2000000000, Broker: true, Ready: true, Known: true})
		f.node(101).Broken = true
		f.partition(2000000000, 1, list(2000000000, 101), list(2000000000))
	}},
}

func TestNext(t *testing.T) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if c.node == 0 && c.want != WaitActiveControllerLast {
				c.node = 100
			}
			facts := healthy()
			c.given(&facts)
			facts.node(c.node).Reason = "new image"
			plan := Next(facts)
			if err := ruleBroken(facts, plan); err != nil {
				t.Error(err)
			}
			restarted := plan.Restart != nil && plan.Restart.ID == c.node
			if restarted != (c.want == "") {
				t.Errorf("restarted: %t; plan: %+v", restarted, plan)
			}
			for _, w := range plan.Waits {
				if w.ID == c.node && w.Code != c.want {
					t.Errorf("waits for %s (%s), want %q", w.Code, w.Message, c.want)
				}
			}
		})
	}
}

func TestRepairsWaitForNothing(t *testing.T) {
	facts := healthy()
	facts.KafkaKnown, facts.Quorum = false, nil
	for _, id := range list(103, 101, 1) {
		facts.node(id).Ready, facts.node(id).Stopped, facts.node(id).Reason = false, true, "corrected"
	}
	facts.node(100).Ready, facts.node(100).Stopping = false, true
	plan := Next(facts)
	if got := len(plan.Repairs); got != 3 || plan.Repairs[0].ID != 1 || plan.Repairs[2].ID != 103 {
		t.Errorf("repairs %+v, want those of 1, 101 and 103", plan.Repairs)
	}
}

func TestMessageNamesPartitionAndISR(t *testing.T) {
	facts := healthy()
	facts.node(102).Broken = true
	facts.node(100).Reason = "new image"
	facts.partition(100, 1, list(100), list(100))
	facts.partition(100, 2, list(100, 101, 102), list(100, 101))
	facts.partition(100, 2, list(100, 101, 102), list(100, 101))
	plan := Next(facts)
	for _, part := range []string{"t-1", "replicas 100,101,102", "in sync 100,101", "1 more", "min.insync.replicas is 2"} {
		if len(plan.Waits) != 1 || !strings.Contains(plan.Waits[0].Message, part) {
			t.Errorf("waits %+v do not say %q", plan.Waits, part)
		}
	}
}

func TestUnprotectedPartitionsAreCounted(t *testing.T) {
	facts := healthy()
	for range 5 {
		facts.partition(100, 1, list(100), list(100))
	}
	facts.partition(101, 1, list(101), list(101))
	facts.partition(100, 2, list(100, 101), list(100, 101))
	facts.partition(103, 1, list(103), list(103)) // needs no restart
	facts.node(100).Reason, facts.node(101).Reason = "new image", "new image"
	plan := Next(facts)
	if plan.Restart == nil || plan.Restart.ID != 100 || plan.Restart.Unprotected != 6 {
		t.Errorf("restart %+v, want 100 with 6 partitions that cannot be kept", plan.Restart)
	}
	if plan.Unprotected != 7 || !slices.Equal(plan.UnprotectedExamples, []string{"t-0", "t-1", "t-2"}) {
		t.Errorf("%d partitions, such as %v; want 7, such as t-0, t-1, t-2", plan.Unprotected, plan.UnprotectedExamples)
	}
}

func TestNextLeavesItsFactsAlone(t *testing.T) {
	facts, same := largeCluster(false), largeCluster(false)
	Next(facts)
	if !slices.Equal(facts.Nodes, same.Nodes) {
		t.Error("the nodes were changed")
	}
	for i := range facts.Partitions {
		if !slices.Equal(facts.Partitions[i].ISR, same.Partitions[i].ISR) {
			t.Fatal("a partition was changed")
		}
	}
}
