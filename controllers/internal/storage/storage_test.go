package storage

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"koperator.dev/koperator/apis/machinery/stories"
)

// simulation is a broker with one disk that is leaving, beside disks that stay.
type simulation struct {
	pod      podState
	timer    int  // steps until the Pod's state changes
	mounted  bool // the Pod has the disk
	released bool // the claim says that the Pod without it can be made
	claim    bool

	onDisk    int // replicas on the disk
	elsewhere int // replicas of the broker that are assigned and on none of its disks yet
	failed    bool
	reachable bool
	silent    bool
	canCordon bool
	cordoned  bool

	lost bool // a replica was lost
	rand *rand.Rand
}

type podState int

const (
	none podState = iota
	starting
	running
	terminating
)

func newSimulation(replicas int) *simulation {
	return &simulation{pod: running, mounted: true, claim: true, onDisk: replicas, reachable: true, canCordon: true}
}

func (s *simulation) facts() Facts {
	f := Facts{Broker: 7, Mounted: s.pod != none && s.mounted, Released: s.isReleased(), KafkaKnown: s.reachable, CanCordon: s.canCordon}
	if !s.reachable || s.pod != running || s.silent {
		return f
	}
	f.LogDirsKnown, f.LogDir, f.Missing = true, s.mounted, s.elsewhere
	switch {
	case s.mounted && s.failed:
		f.Failed, f.Missing = "KAFKA_STORAGE_ERROR", s.elsewhere+s.onDisk
	case s.mounted:
		f.Replicas, f.Missing, f.Cordoned = s.onDisk, s.elsewhere+s.onDisk, s.cordoned
	}
	return f
}

// isReleased is what the caller makes of the mark on the claim.
func (s *simulation) isReleased() bool {
	return s.released && (s.pod == none || s.pod == terminating || !s.mounted)
}

// apply does what a step says. The gate lets a restart through now and then; asked is whether it does now.
func (s *simulation) apply(step Step, asked bool) error {
	switch step.Action {
	case LeaveOut:
		if s.onDisk > 0 || s.canCordon && !s.cordoned && !s.failed {
			return errors.New("a disk is left out that Kafka has, or may place, something on")
		}
		if asked && s.pod == running {
			s.pod, s.timer, s.released = terminating, 2, true
		}
	case DeleteClaim:
		if s.onDisk > 0 || s.mounted && s.pod != none || !s.reachable || s.pod != running {
			return errors.New("a claim is deleted without proof")
		}
		s.claim = false
	case Keep, Wait:
	}
	if s.pod == none { // repair waits for nothing
		s.mounted = s.claim && !s.released
		s.pod, s.timer = starting, 2
	}
	return nil
}

func (s *simulation) step() {
	if s.timer--; s.timer > 0 {
		return
	}
	switch s.pod {
	case terminating:
		s.pod = none
	case starting:
		s.pod = running
		s.lost = s.lost || !s.mounted && s.onDisk > 0
	case none, running:
	}
}

type story struct {
	*simulation
	t    *testing.T
	text strings.Builder
	last string
}

func (s *story) tell(format string, args ...any) { fmt.Fprintf(&s.text, format+"\n", args...) }

func (s *story) passes(n int) {
	for range n {
		if !s.claim {
			return
		}
		step := Next(s.facts())
		if err := s.apply(step, true); err != nil {
			s.t.Error(err)
		}
		text := fmt.Sprintf("%s (%s)", step.Action, step.Code)
		if step.Message != "" {
			text += ": " + step.Message
		}
		if text != s.last {
			s.tell("- %s.", text)
			s.last = text
		}
		s.step()
	}
}

var told = map[string]func(*story){
	"disk": func(s *story) {
		s.tell("Given a broker with 3 replicas on a disk that the spec no longer has.")
		s.passes(2)
		s.tell("When two of them have moved:")
		s.onDisk = 1
		s.passes(1)
		s.tell("When the last one is assigned to the broker's other disk, and is not there yet:")
		s.onDisk, s.elsewhere = 0, 1
		s.passes(1)
		s.tell("When it is there:")
		s.elsewhere = 0
		s.passes(2)
		s.tell("When the disk is cordoned:")
		s.cordoned = true
		s.passes(8)
	},
	"older-kafka": func(s *story) {
		s.tell("Given a broker of Kafka 4.2, which knows no cordon, with 3 replicas on a disk that the spec no longer has.")
		s.canCordon = false
		s.passes(1)
		s.tell("When they have moved:")
		s.onDisk = 0
		s.passes(8)
	},
	"dead-disk": func(s *story) {
		s.tell("Given a broker with 3 replicas on a disk that has died, and that the spec no longer has.")
		s.failed = true
		s.passes(2)
		s.tell("When they are made again elsewhere:")
		s.onDisk = 0
		s.passes(8)
	},
	"kafka-not-reachable": func(s *story) {
		s.tell("Given an empty and cordoned disk, while Kafka cannot be asked.")
		s.onDisk, s.cordoned, s.reachable = 0, true, false
		s.passes(2)
		s.tell("When the broker's Pod is lost just then:")
		s.pod = none
		s.passes(4)
		s.tell("When Kafka can be asked again:")
		s.reachable = true
		s.passes(2)
		s.tell("When it cannot be asked while the broker starts without the disk:")
		s.reachable = false
		s.passes(8)
		s.tell("When it can be asked again:")
		s.reachable = true
		s.passes(2)
	},
	"silent-broker": func(s *story) {
		s.tell("Given an empty disk of a broker that does not say what is in its log directories.")
		s.onDisk, s.silent = 0, true
		s.passes(3)
	},
	"claim-that-was-never-used": func(s *story) {
		s.tell("Given a disk that was added to the spec and removed again before the broker was restarted with it.")
		s.onDisk, s.mounted = 0, false
		s.passes(2)
	},
}

func TestStories(t *testing.T) {
	for name, tell := range told {
		t.Run(name, func(t *testing.T) {
			s := &story{t: t, simulation: newSimulation(3)}
			tell(s)
			stories.Compare(t, name, s.text.String())
		})
	}
}

func TestMetadataLogIsNeverRemoved(t *testing.T) {
	step := Next(Facts{Broker: 7, Metadata: true, Mounted: true, KafkaKnown: true, LogDirsKnown: true, LogDir: true})
	if step.Action != Keep || step.Code != CodeMetadataLog {
		t.Errorf("got %+v", step)
	}
}

func (s *simulation) Pass() error {
	err := s.apply(Next(s.facts()), s.rand.IntN(3) == 0)
	s.step()
	if s.lost {
		err = errors.Join(err, errors.New("a replica was lost"))
	}
	return err
}

func (s *simulation) Disturb() {
	switch s.rand.IntN(7) {
	case 0:
		s.pod = none
	case 1:
		s.reachable = !s.reachable
	case 2:
		s.silent = !s.silent
	case 3: // somebody moves a replica to the disk, cordoned or not
		if s.pod == running && s.mounted && !s.failed {
			s.onDisk++
		}
	case 4:
		s.onDisk = max(0, s.onDisk-1)
	case 5:
		s.elsewhere = s.rand.IntN(2)
	case 6:
		s.cordoned = !s.cordoned
	}
}

func (s *simulation) Mend() {
	s.reachable, s.silent, s.cordoned, s.onDisk, s.elsewhere = true, false, true, 0, 0
}

func (s *simulation) IsOver() bool { return !s.claim }

func (s *simulation) String() string { return fmt.Sprintf("%+v", Next(s.facts())) }

func TestRandomRemovals(t *testing.T) {
	stories.Random(t, 5000, func(r *rand.Rand) stories.Simulation {
		s := newSimulation(r.IntN(3))
		s.rand, s.canCordon, s.failed = r, r.IntN(2) == 0, r.IntN(4) == 0
		return s
	})
}

// Every combination of facts: nothing is taken away without its proof, and every step has a reason.
func TestEveryCombinationOfFacts(t *testing.T) {
	for bits := range 1 << 11 {
		bit := func(n int) bool { return bits>>n&1 == 1 }
		f := Facts{
			Broker: 7, Metadata: bit(0), Mounted: bit(1), Released: bit(2), KafkaKnown: bit(3), LogDirsKnown: bit(4), LogDir: bit(5),
			CanCordon: bit(6), Cordoned: bit(7),
		}
		if bit(8) {
			f.Failed = "KAFKA_STORAGE_ERROR"
		}
		if bit(9) {
			f.Replicas = 2
		}
		if bit(10) {
			f.Missing = 3
		}
		step := Next(f)
		if err := unproven(f, step); err != nil {
			t.Fatalf("%+v: %+v: %v", f, step, err)
		}
		if step.Code == "" || step.Action != DeleteClaim && step.Message == "" {
			t.Fatalf("%+v: %+v has no reason", f, step)
		}
	}
}

func unproven(f Facts, step Step) error {
	proven := f.KafkaKnown && f.LogDirsKnown && f.Missing == 0 && !f.Metadata
	switch {
	case step.Action == LeaveOut && !proven:
		return errors.New("Kafka or the broker was not asked, or it lacks a replica")
	case step.Action == LeaveOut && f.Failed == "" && f.Replicas > 0:
		return errors.New("there are replicas on it")
	case step.Action == LeaveOut && f.Failed == "" && f.CanCordon && !f.Cordoned:
		return errors.New("Kafka may place something on it")
	case step.Action == LeaveOut && f.Mounted && !f.LogDir:
		return errors.New("nobody knows what is on it")
	case step.Action == DeleteClaim && (!proven || f.Mounted || f.LogDir):
		return errors.New("the broker does not run without it, or lacks a replica")
	}
	return nil
}
