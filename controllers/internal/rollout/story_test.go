package rollout

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"koperator.dev/koperator/apis/machinery/stories"
)

// story is a rollout as sentences.
type story struct {
	*simulation
	t    *testing.T
	text strings.Builder
	pass int
	last string
}

// longest is the number of passes after which a story counts as one that never ends.
const longest = 200

func (s *story) tell(format string, args ...any) {
	fmt.Fprintf(&s.text, format+"\n", args...)
}

// passes lets the given number of passes happen.
func (s *story) passes(n int) {
	for range n {
		s.onePass()
	}
}

// toTheEnd lets passes happen until no node needs a restart and all are back.
func (s *story) toTheEnd() {
	s.t.Helper()
	for range longest {
		if s.isOver() {
			s.tell("The rollout is over after %d passes.", s.pass)
			return
		}
		s.onePass()
	}
	s.t.Errorf("the rollout does not end")
}

// untilStuck lets passes happen until nothing changes any more.
func (s *story) untilStuck() {
	for range longest {
		before := s.pass
		text := s.text.Len()
		s.passes(8)
		if s.text.Len() == text {
			s.tell("Nothing else happens.")
			s.pass = before
			return
		}
	}
	s.t.Errorf("the rollout goes on and on")
}

func (s *story) isOver() bool {
	for _, n := range s.nodes {
		if n.reason != "" || n.state != running || len(n.catchUp) > 0 || n.caughtUpAgo > 0 {
			return false
		}
	}
	return true
}

func (s *story) onePass() {
	s.pass++
	facts := s.facts()
	plan := Next(facts)
	if err := ruleBroken(facts, plan); err != nil {
		s.t.Errorf("pass %d: %v", s.pass, err)
	}
	s.report(plan)
	for _, step := range plan.Repairs {
		s.restart(step.ID)
	}
	if plan.Restart != nil {
		s.restart(plan.Restart.ID)
	}
	for _, news := range s.step() {
		s.tell("          %s.", news)
	}
}

// report writes a plan, unless it is that of the pass before.
func (s *story) report(plan Plan) {
	text := s.describe(plan)
	if text != s.last && text != "" {
		s.tell("pass %3d: %s", s.pass, strings.ReplaceAll(text, "\n", "\n          "))
	}
	s.last = text
}

func (s *story) describe(plan Plan) string {
	var lines []string
	for _, step := range plan.Repairs {
		lines = append(lines, fmt.Sprintf("repair %s: %s.", s.node(step.ID).title(), step.Reason))
	}
	if step := plan.Restart; step != nil {
		lines = append(lines, fmt.Sprintf("restart %s: %s.", s.node(step.ID).title(), step.Reason))
	}
	if plan.QuorumUnprotected {
		lines = append(lines, "Nobody can keep the majority of the quorum meanwhile.")
	}
	lines = append(lines, s.describeWaits(plan.Waits)...)
	if plan.Restart != nil && plan.Restart.Unprotected > 0 {
		lines = append(lines, fmt.Sprintf("Nobody can keep %d of its partitions writable meanwhile (%d are still to come, such as %s).",
			plan.Restart.Unprotected, plan.Unprotected, strings.Join(plan.UnprotectedExamples, ", ")))
	}
	return strings.Join(lines, "\n")
}

// describeWaits puts those into one sentence that wait for the same.
func (s *story) describeWaits(waits []Wait) []string {
	var order []string
	who := map[string][]string{}
	for _, w := range waits {
		why := fmt.Sprintf("%s: %s", w.Code, w.Message)
		if who[why] == nil {
			order = append(order, why)
		}
		who[why] = append(who[why], s.node(w.ID).title())
	}
	var lines []string
	for _, why := range order {
		verb := "wait"
		if len(who[why]) == 1 {
			verb = "waits"
		}
		lines = append(lines, fmt.Sprintf("%s %s, %s.", strings.Join(who[why], ", "), verb, why))
	}
	return lines
}

// separate is a cluster of three controllers and three brokers.
func (s *story) separate() {
	s.addNodes(true, false, 0, 1, 2)
	s.addNodes(false, true, 100, 101, 102)
	s.tell("Given the controllers 0 (active), 1, 2 and the brokers 100, 101, 102.")
}

func (s *story) topic(name string, partitions, replicationFactor, minISR int, on ...int32) {
	s.tell("Given the topic %s: %d partitions on %v, replication factor %d, min.insync.replicas %d.", name, partitions, on, replicationFactor, minISR)
	s.addTopic(name, partitions, replicationFactor, minISR, on...)
}

func (s *story) everyNodeNeedsARestart() {
	s.tell("When every node needs a restart:")
	s.wantNewConfiguration()
}

var told = map[string]func(*story){
	"everything": func(s *story) {
		s.separate()
		s.topic("orders", 3, 3, 2, 100, 101, 102)
		s.everyNodeNeedsARestart()
		s.toTheEnd()
	},
	"nothing-to-do": func(s *story) {
		s.separate()
		s.topic("orders", 3, 3, 2, 100, 101, 102)
		s.passes(3)
		s.toTheEnd()
	},
	"active-controller-last": func(s *story) {
		s.separate()
		s.leader = 1
		s.tell("Given that controller 1 is the active one instead.")
		s.everyNodeNeedsARestart()
		s.toTheEnd()
	},
	"under-replicated-elsewhere": func(s *story) {
		s.addNodes(true, false, 0)
		s.addNodes(false, true, 100, 101, 102, 103, 104, 105)
		s.tell("Given the controller 0 and the brokers 100 to 105.")
		s.topic("orders", 1, 3, 2, 100, 101, 102)
		s.topic("invoices", 1, 3, 2, 103, 104, 105)
		s.tell("Given that broker 100 is broken for good: it crash-loops.")
		s.node(100).broken = true
		s.crash(100)
		s.passes(4)
		s.everyNodeNeedsARestart()
		s.untilStuck()
		s.tell("When broker 100 is mended:")
		s.node(100).broken = false
		s.node(100).state, s.node(100).timer = starting, 1
		s.toTheEnd()
	},
	"catching-up": func(s *story) {
		s.addNodes(true, false, 0)
		s.addNodes(false, true, 100, 101, 102, 103)
		s.tell("Given the controller 0 and the brokers 100 to 103.")
		s.topic("orders", 1, 3, 1, 100, 101, 102)
		s.topic("invoices", 1, 1, 1, 103)
		s.tell("When brokers 100 and 103 need a restart, and 102 was just restarted and catches up:")
		s.partitions[0].ISR = []int32{100, 101}
		s.node(102).catchUp[0] = 3
		s.node(100).reason, s.node(103).reason = "new image", "new image"
		s.toTheEnd()
	},
	"lagging-broker-needs-the-restart-itself": func(s *story) {
		s.separate()
		s.topic("orders", 1, 3, 2, 100, 101, 102)
		s.tell("When 102 cannot replicate because of its configuration, and all brokers need a restart to correct it:")
		s.partitions[0].ISR = []int32{100, 101}
		s.node(102).catchUp[0] = 1 << 20
		for _, id := range []int32{100, 101, 102} {
			s.node(id).reason = "replica.fetch.max.bytes corrected"
		}
		s.onePass()
		s.node(102).catchUp[0] = 2
		s.toTheEnd()
	},
	"reached-from-outside": func(s *story) {
		s.separate()
		s.topic("orders", 3, 3, 2, 100, 101, 102)
		s.tell("Given that clients outside reach the brokers through proxies, which know a broker three steps after it is back.")
		s.proxiesNeed, s.unsettled = 3, 4
		s.tell("When every node needs a restart, and envoy-manager has not looked at the present spec yet:")
		s.wantNewConfiguration()
		s.toTheEnd()
	},
	"replication-factor-1": func(s *story) {
		s.separate()
		s.topic("scratch", 9, 1, 1, 100, 101, 102)
		s.everyNodeNeedsARestart()
		s.toTheEnd()
	},
	"replication-factor-is-min-isr": func(s *story) {
		s.separate()
		s.topic("ledger", 3, 2, 2, 100, 101, 102)
		s.everyNodeNeedsARestart()
		s.passes(8)
		s.tell("When broker 102 crashes:")
		s.node(102).recovers = 4
		s.crash(102)
		s.toTheEnd()
	},
	"bad-property-then-corrected": func(s *story) {
		s.separate()
		s.topic("orders", 3, 3, 2, 100, 101, 102)
		s.tell("When all brokers need a restart, for a property that no broker starts with:")
		s.version++
		s.bad = map[int]func(*simNode) bool{s.version: func(n *simNode) bool { return n.broker }}
		for _, id := range []int32{100, 101, 102} {
			s.node(id).reason = "configuration 1 instead of 0"
		}
		s.untilStuck()
		s.tell("When the property is corrected:")
		s.version++
		for _, id := range []int32{100, 101, 102} {
			s.node(id).reason = fmt.Sprintf("configuration 2 instead of %d", s.node(id).version)
		}
		s.toTheEnd()
	},
	"bad-property-stops-the-rollout": func(s *story) {
		s.addNodes(true, false, 0)
		s.addNodes(false, true, 100, 101, 102, 103, 104, 105)
		s.isCautious = true
		s.tell("Given the controller 0 and the brokers 100 to 105.")
		s.tell("Given that a node counts as on its way back if it crash-loops just after its restart.")
		s.topic("scratch", 6, 1, 1, 100, 101, 102, 103, 104, 105)
		s.tell("When brokers need a restart, for a property that no broker starts with:")
		s.version++
		s.bad = map[int]func(*simNode) bool{s.version: func(n *simNode) bool { return n.broker }}
		for _, n := range s.nodes[1:] {
			n.reason = "configuration 1 instead of 0"
		}
		s.untilStuck()
	},
	"kafka-has-not-noticed": func(s *story) {
		s.separate()
		s.topic("orders", 1, 3, 2, 100, 101, 102)
		s.tell("When broker 100 has crashed a moment ago, and 101 and 102 need a restart:")
		s.crash(100)
		s.node(101).reason, s.node(102).reason = "new image", "new image"
		s.toTheEnd()
	},
	"kafka-not-reachable": func(s *story) {
		s.separate()
		s.topic("orders", 3, 3, 2, 100, 101, 102)
		s.reachable = false
		s.tell("When Kafka cannot be asked, broker 101 crash-loops, and every node needs a restart:")
		s.node(101).state = crashing
		s.leaves(s.node(101))
		s.wantNewConfiguration()
		s.untilStuck()
		s.tell("When Kafka can be asked again:")
		s.reachable = true
		s.toTheEnd()
	},
	"combined": func(s *story) {
		s.addNodes(true, true, 0, 1, 2)
		s.tell("Given the combined nodes 0 (active controller), 1, 2.")
		s.topic("orders", 3, 3, 2, 0, 1, 2)
		s.everyNodeNeedsARestart()
		s.toTheEnd()
	},
	"single-node": func(s *story) {
		s.addNodes(true, true, 0)
		s.tell("Given the combined node 0 alone.")
		s.topic("orders", 3, 1, 1, 0)
		s.everyNodeNeedsARestart()
		s.toTheEnd()
	},
	"two-controllers": func(s *story) {
		s.addNodes(true, false, 0, 1)
		s.addNodes(false, true, 100)
		s.tell("Given the controllers 0 (active) and 1 and the broker 100.")
		s.everyNodeNeedsARestart()
		s.toTheEnd()
	},
	"voter-lags": func(s *story) {
		s.separate()
		s.topic("orders", 3, 3, 2, 100, 101, 102)
		s.tell("When controller 2 lags, and all others need a restart:")
		s.node(2).stuck, s.node(2).caughtUpAgo = true, 42*time.Second
		s.wantNewConfiguration()
		s.node(2).reason = ""
		for range 3 {
			s.reportLagging(2)
		}
		s.tell("When controller 2 catches up:")
		s.node(2).stuck = false
		s.step()
		s.toTheEnd()
	},
	"broken-controller": func(s *story) {
		s.separate()
		s.topic("orders", 3, 3, 2, 100, 101, 102)
		s.tell("When controller 2 is broken for good, and all nodes need a restart:")
		s.node(2).broken = true
		s.node(2).state = crashing
		s.leaves(s.node(2))
		s.wantNewConfiguration()
		s.untilStuck()
	},
	"log-recovery": func(s *story) {
		s.separate()
		s.topic("orders", 3, 3, 1, 100, 101, 102)
		s.tell("When broker 100 has crashed and recovers its logs, and all brokers need a restart:")
		s.node(100).recovers = 4
		s.crash(100)
		for _, id := range []int32{100, 101, 102} {
			s.node(id).reason = "new image"
		}
		s.toTheEnd()
	},
}

// reportLagging is a pass in which a node is slow, not broken.
func (s *story) reportLagging(id int32) {
	s.pass++
	facts := s.facts()
	for i := range facts.Nodes {
		if facts.Nodes[i].ID == id {
			facts.Nodes[i].Broken = false
		}
	}
	plan := Next(facts)
	if plan.Restart != nil {
		s.t.Errorf("restarting %d on a quorum that lags", plan.Restart.ID)
	}
	s.report(plan)
}

func TestStories(t *testing.T) {
	for name, tell := range told {
		t.Run(name, func(t *testing.T) {
			s := &story{t: t, simulation: &simulation{reachable: true}}
			tell(s)
			stories.Compare(t, name, s.text.String())
		})
	}
}
