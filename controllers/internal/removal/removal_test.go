package removal

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"koperator.dev/koperator/apis/machinery/stories"
)

// simulation is one node that is leaving.
type simulation struct {
	controller, broker bool

	pod        podState
	timer      int // steps until the Pod's state changes
	cannotRun  bool
	claims     bool
	voter      bool
	registered bool
	fenced     bool
	assigned   int // partitions whose assignment names it
	onDisk     int // replicas on its disks
	reachable  bool
	silent     bool // it does not answer DescribeLogDirs
	last       bool

	// isMended: what is assigned to it is moved away, step by step.
	isMended bool
	rand     *rand.Rand
}

type podState int

const (
	none podState = iota
	starting
	running
	failed
	terminating
)

func newSimulation(controller, broker bool, replicas int) *simulation {
	return &simulation{
		controller: controller, broker: broker, pod: running, claims: true, voter: controller,
		registered: broker, assigned: replicas, onDisk: replicas, reachable: true,
	}
}

func (s *simulation) facts() Facts {
	f := Facts{
		ID: 7, Controller: s.controller, Broker: s.broker,
		PodExists: s.pod != none, PodTerminating: s.pod == terminating, PodStopped: s.pod == failed, ClaimsExist: s.claims,
	}
	if !s.reachable {
		return f
	}
	f.KafkaKnown, f.QuorumKnown = true, true
	f.Registered, f.Fenced = s.registered, s.registered && s.fenced
	f.Replicas, f.Voter, f.LastBroker = s.assigned, s.voter, s.last
	if s.pod == running && !s.silent {
		f.LogDirsKnown, f.LogDirReplicas = true, s.onDisk
	}
	return f
}

// apply does what a step says, and tells if that must never be done.
func (s *simulation) apply(step Step) error {
	switch step.Action {
	case Keep:
		if !s.claims && s.pod == none {
			return errors.New("a node without disks is run again")
		}
		if s.pod == none {
			s.pod, s.timer = starting, 2
		}
	case DeletePod:
		if s.assigned > 0 || s.voter || s.pod == running && s.onDisk > 0 {
			return errors.New("a Pod is deleted that is still needed")
		}
		s.pod, s.timer = terminating, 2
	case Unregister:
		if s.pod != none || !s.fenced || s.assigned > 0 {
			return errors.New("a broker is unregistered that is not stopped, fenced and empty")
		}
		s.registered, s.fenced = false, false
	case DeleteClaims:
		if s.pod != none || s.assigned > 0 || s.registered || s.voter || !s.reachable || s.last {
			return errors.New("claims are deleted without proof")
		}
		s.claims = false
	case Wait, Done:
	}
	return nil
}

// step lets time pass.
func (s *simulation) step() {
	if s.timer--; s.timer <= 0 {
		switch s.pod {
		case terminating:
			s.pod = none
		case starting:
			if s.pod = running; s.cannotRun {
				s.pod = failed
			}
		case none, running, failed:
		}
	}
	if s.pod == running && s.broker {
		s.registered, s.fenced = true, false
	}
	if s.pod != running && s.registered && s.timer < 0 {
		s.fenced = true
	}
	if s.pod == running {
		s.onDisk = min(s.onDisk, max(s.assigned, s.onDisk-1)) // what is not assigned any more is deleted
	}
}

// story is a removal as sentences.
type story struct {
	*simulation
	t    *testing.T
	text strings.Builder
	last string
}

func (s *story) tell(format string, args ...any) { fmt.Fprintf(&s.text, format+"\n", args...) }

func (s *story) passes(n int) {
	for range n {
		step := Next(s.facts())
		if err := s.apply(step); err != nil {
			s.t.Error(err)
		}
		if text := describe(step); text != s.last {
			s.tell("- %s", text)
			s.last = text
		}
		s.step()
	}
}

func describe(step Step) string {
	text := fmt.Sprintf("%s (%s)", step.Action, step.Code)
	if step.Message != "" {
		text += ": " + step.Message
	}
	return text + "."
}

var told = map[string]func(*story){
	"broker": func(s *story) {
		s.tell("Given a broker with 3 replicas that the spec no longer has.")
		s.passes(2)
		s.tell("When one replica has moved:")
		s.assigned, s.onDisk = 2, 2
		s.passes(2)
		s.tell("When all are assigned elsewhere, and the broker still deletes one:")
		s.assigned, s.onDisk = 0, 1
		s.passes(10)
	},
	"controller": func(s *story) {
		s.simulation = newSimulation(true, false, 0)
		s.tell("Given a controller that the spec no longer has.")
		s.passes(2)
		s.tell("When it votes no more:")
		s.voter = false
		s.passes(6)
	},
	"combined": func(s *story) {
		s.simulation = newSimulation(true, true, 2)
		s.tell("Given a combined node with 2 replicas that the spec no longer has.")
		s.passes(1)
		s.tell("When it votes no more:")
		s.voter = false
		s.passes(2)
		s.tell("When its replicas have moved:")
		s.assigned, s.onDisk = 0, 0
		s.passes(9)
	},
	"dead-broker": func(s *story) {
		s.tell("Given a broker with 3 replicas that cannot run any more.")
		s.pod, s.cannotRun = failed, true
		s.passes(1)
		s.tell("When all are assigned elsewhere, and Kafka has fenced it:")
		s.assigned, s.fenced, s.timer = 0, true, -1
		s.passes(6)
	},
	"dead-broker-not-fenced": func(s *story) {
		s.tell("Given an empty broker that has crashed a moment ago.")
		s.assigned, s.onDisk, s.pod, s.timer = 0, 0, failed, 1
		s.passes(1)
		s.passes(8)
	},
	"silent-broker": func(s *story) {
		s.tell("Given a broker that runs, is named in no assignment, and does not say what is in its log directories.")
		s.assigned, s.onDisk, s.silent = 0, 0, true
		s.passes(3)
	},
	"kafka-not-reachable": func(s *story) {
		s.tell("Given a broker that is empty, while Kafka cannot be asked.")
		s.assigned, s.onDisk, s.reachable = 0, 0, false
		s.passes(3)
		s.tell("When its Pod is evicted:")
		s.pod = none
		s.passes(3)
		s.tell("When Kafka can be asked again:")
		s.reachable = true
		s.passes(8)
	},
	"evicted-while-it-drains": func(s *story) {
		s.tell("Given a broker with 3 replicas whose Pod is evicted.")
		s.pod = none
		s.passes(5)
	},
	"replica-arrives-after-the-stop": func(s *story) {
		s.tell("Given an empty broker.")
		s.assigned, s.onDisk = 0, 0
		s.passes(2)
		s.tell("When somebody assigns a replica to it just then:")
		s.assigned = 1
		s.passes(4)
		s.tell("When the replica has moved away again:")
		s.assigned = 0
		s.passes(8)
	},
	"last-broker": func(s *story) {
		s.tell("Given the last broker, without a replica.")
		s.assigned, s.onDisk = 0, 0
		s.simulation.last = true
		s.passes(3)
	},
	"claims-deleted-by-somebody": func(s *story) {
		s.tell("Given a broker whose Pod and claims somebody has deleted, with 2 replicas.")
		s.pod, s.claims, s.timer = none, false, -1
		s.assigned = 2
		s.passes(2)
		s.tell("When Kafka has other replicas in their place:")
		s.assigned = 0
		s.passes(3)
	},
}

func TestStories(t *testing.T) {
	for name, tell := range told {
		t.Run(name, func(t *testing.T) {
			s := &story{t: t, simulation: newSimulation(false, true, 3)}
			tell(s)
			stories.Compare(t, name, s.text.String())
		})
	}
}

func (s *simulation) Disturb() {
	r := s.rand
	switch r.IntN(8) {
	case 0:
		s.pod = none
	case 1:
		if s.pod == running {
			s.pod, s.timer = failed, r.IntN(3)
		}
	case 2:
		s.cannotRun = !s.cannotRun
	case 3:
		s.reachable = !s.reachable
	case 4:
		if s.registered && s.claims { // Kafka assigns nothing to a broker that it does not know
			s.assigned++
			if s.pod == running {
				s.onDisk++
			}
		}
	case 5:
		s.assigned = max(0, s.assigned-1)
	case 6:
		s.silent = !s.silent
	case 7:
		s.voter = s.voter && r.IntN(2) == 0
	}
}

func (s *simulation) Pass() error {
	if s.isMended {
		s.assigned = max(0, s.assigned-1)
	}
	err := s.apply(Next(s.facts()))
	s.step()
	return err
}

func (s *simulation) Mend() { s.reachable, s.silent, s.voter, s.isMended = true, false, false, true }

func (s *simulation) IsOver() bool { return Next(s.facts()).Action == Done }

func (s *simulation) String() string { return fmt.Sprintf("%+v", Next(s.facts())) }

func TestRandomRemovals(t *testing.T) {
	stories.Random(t, 5000, func(r *rand.Rand) stories.Simulation {
		controller := r.IntN(3) == 0
		s := newSimulation(controller, !controller || r.IntN(2) == 0, 0)
		if s.broker {
			s.assigned = r.IntN(4)
			s.onDisk = s.assigned
		}
		s.rand = r
		return s
	})
}

// Every combination of facts: nothing is taken away without its proof, and every step has a reason.
func TestEveryCombinationOfFacts(t *testing.T) {
	for bits := range 1 << 15 {
		bit := func(n int) bool { return bits>>n&1 == 1 }
		f := Facts{
			ID: 7, Controller: bit(0), Broker: bit(1), PodExists: bit(2), PodTerminating: bit(2) && bit(3), PodStopped: bit(2) && bit(4),
			ClaimsExist: bit(5), KafkaKnown: bit(6), Registered: bit(7), Fenced: bit(8), LastBroker: bit(9),
			LogDirsKnown: bit(10), QuorumKnown: bit(11), Voter: bit(12),
		}
		if bit(13) {
			f.Replicas = 2
		}
		if bit(14) {
			f.LogDirReplicas = 3
		}
		step := Next(f)
		if err := unproven(f, step); err != nil {
			t.Fatalf("%+v: %+v: %v", f, step, err)
		}
		if step.Code == "" || (step.Action == Keep || step.Action == Wait) && step.Message == "" {
			t.Fatalf("%+v: %+v has no reason", f, step)
		}
	}
}

// unproven is rule 1 of the architecture, and what leads to it.
func unproven(f Facts, step Step) error {
	if step.Action == Keep || step.Action == Wait {
		return nil
	}
	switch {
	case f.Broker && (!f.KafkaKnown || f.Replicas > 0 || f.LogDirReplicas > 0 || f.LastBroker):
		return errors.New("Kafka was not asked, or has something on it")
	case f.Controller && (!f.QuorumKnown || f.Voter):
		return errors.New("the quorum was not asked, or counts on it")
	case step.Action == DeletePod && f.Broker && !f.LogDirsKnown && !(f.PodStopped && (f.Fenced || !f.Registered)):
		return errors.New("the broker was not asked, and is not dead")
	case step.Action != DeletePod && f.PodExists:
		return errors.New("its Pod still exists")
	case step.Action == Unregister && !f.Fenced:
		return errors.New("it is alive")
	case step.Action == DeleteClaims && f.Broker && f.Registered:
		return errors.New("Kafka still knows the broker, and could place a replica on it")
	case step.Action == Done && f.ClaimsExist:
		return errors.New("its claims still exist")
	}
	return nil
}
