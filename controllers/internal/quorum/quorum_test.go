package quorum

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"koperator.dev/koperator/apis/machinery/kafka"
	"koperator.dev/koperator/apis/machinery/stories"
)

// simulation is a metadata quorum: processes of controllers, and the voters that they have agreed on.
type simulation struct {
	wanted    []int32
	processes []*process
	voters    []kafka.QuorumReplica
	leader    int32
	reachable bool
	isStarted bool
	rand      *rand.Rand
}

// process is a controller that runs, or has run: its directory is known to the leader.
type process struct {
	id        int32
	directory string
	up        bool
	lag       int // steps until it is caught up
}

func newSimulation(ids ...int32) *simulation {
	s := &simulation{wanted: ids, reachable: true, isStarted: true}
	for _, id := range ids {
		s.start(id, "a", 0)
		s.voters = append(s.voters, kafka.QuorumReplica{ID: id, DirectoryID: "a"})
	}
	s.elect()
	return s
}

func (s *simulation) start(id int32, directory string, lag int) {
	s.processes = append(s.processes, &process{id: id, directory: directory, up: true, lag: lag})
}

func (s *simulation) process(id int32, directory string) *process {
	for _, p := range s.processes {
		if p.id == id && p.directory == directory {
			return p
		}
	}
	return nil
}

// running is the process of a controller, whatever its directory.
func (s *simulation) running(id int32) *process {
	for _, p := range s.processes {
		if p.id == id && p.up {
			return p
		}
	}
	return nil
}

func (s *simulation) elect() {
	up := 0
	first := int32(-1)
	for _, v := range s.voters {
		if p := s.process(v.ID, v.DirectoryID); p != nil && p.up {
			up++
			if first < 0 || v.ID == s.leader {
				first = v.ID
			}
		}
	}
	s.leader = -1
	if 2*up > len(s.voters) {
		s.leader = first
		s.running(first).lag = 0
	}
}

func (s *simulation) step() {
	s.elect()
	for _, p := range s.processes {
		if p.up && p.lag > 0 && s.leader >= 0 {
			p.lag--
		}
	}
}

func (s *simulation) facts() Facts {
	f := Facts{Established: s.isStarted, FetchTimeout: 2 * time.Second}
	for _, id := range s.wanted {
		f.Wanted = append(f.Wanted, Controller{ID: id, Host: fmt.Sprintf("c%d", id), Port: 9090, Ready: s.running(id) != nil})
	}
	if s.reachable {
		f.Quorum = s.quorum()
	}
	return f
}

func (s *simulation) quorum() *kafka.Quorum {
	q := &kafka.Quorum{Leader: s.leader}
	for _, v := range s.voters {
		p := s.process(v.ID, v.DirectoryID)
		q.Voters = append(q.Voters, replica(v.ID, v.DirectoryID, p))
	}
	for _, p := range s.processes {
		if !slices.ContainsFunc(s.voters, func(v kafka.QuorumReplica) bool { return v.ID == p.id && v.DirectoryID == p.directory }) {
			q.Observers = append(q.Observers, replica(p.id, p.directory, p))
		}
	}
	// A broker observes too.
	q.Observers = append(q.Observers, kafka.QuorumReplica{ID: 100, DirectoryID: "b"})
	return q
}

func replica(id int32, directory string, p *process) kafka.QuorumReplica {
	r := kafka.QuorumReplica{ID: id, DirectoryID: directory}
	switch {
	case p == nil || !p.up:
		r.Lag, r.CaughtUpAgo = 1000, time.Hour
	case p.lag > 0:
		r.Lag, r.CaughtUpAgo = int64(p.lag), -1
	}
	return r
}

// apply does what a plan says, as Kafka would: it refuses what it refuses.
func (s *simulation) apply(plan Plan) error {
	if plan.Add != nil {
		p := s.process(plan.Add.ID, plan.Add.DirectoryID)
		switch {
		case slices.ContainsFunc(s.voters, func(v kafka.QuorumReplica) bool { return v.ID == plan.Add.ID }):
			return errors.New("DUPLICATE_VOTER")
		case p == nil || !p.up || p.lag > 0:
			return errors.New("REQUEST_TIMED_OUT: lagging behind")
		}
		s.voters = append(s.voters, kafka.QuorumReplica{ID: p.id, DirectoryID: p.directory})
	}
	if plan.Remove != nil {
		before := len(s.voters)
		s.voters = slices.DeleteFunc(s.voters, func(v kafka.QuorumReplica) bool {
			return v.ID == plan.Remove.ID && v.DirectoryID == plan.Remove.DirectoryID
		})
		if len(s.voters) == before {
			return errors.New("VOTER_NOT_FOUND")
		}
	}
	return nil
}

// votersAlive counts the voters that run and are caught up.
func (s *simulation) votersAlive() int {
	alive := 0
	for _, v := range s.voters {
		if p := s.process(v.ID, v.DirectoryID); p != nil && p.up && p.lag == 0 {
			alive++
		}
	}
	return alive
}

// pass is one pass, held against what must never happen.
func (s *simulation) pass() (Plan, error) {
	facts := s.facts()
	plan := Next(facts)
	if plan.Add == nil && plan.Remove == nil {
		return plan, nil
	}
	switch {
	case plan.Add != nil && plan.Remove != nil:
		return plan, errors.New("two changes at once")
	case facts.Quorum == nil || facts.Quorum.Leader < 0 || !facts.Established:
		return plan, errors.New("a change of a quorum that cannot be asked, has no leader, or has not started")
	case plan.Reason == "":
		return plan, errors.New("a change without a reason")
	}
	before := len(s.voters)
	wantedVoters := s.wantedVoters()
	if err := s.apply(plan); err != nil {
		return plan, err
	}
	switch alive := s.votersAlive(); {
	case len(s.voters) == 0:
		return plan, errors.New("the last voter was removed")
	case 2*alive <= len(s.voters):
		return plan, fmt.Errorf("%d of %d voters are left", alive, len(s.voters))
	case s.wantedVoters() < wantedVoters && before != len(s.voters)+1:
		return plan, errors.New("a wanted voter was removed")
	}
	return plan, nil
}

// wantedVoters counts the voters that are wanted and run.
func (s *simulation) wantedVoters() int {
	count := 0
	for _, v := range s.voters {
		p := s.process(v.ID, v.DirectoryID)
		if slices.Contains(s.wanted, v.ID) && p != nil && p.up {
			count++
		}
	}
	return count
}

func (s *simulation) IsOver() bool {
	var have []int32
	for _, v := range s.voters {
		if p := s.process(v.ID, v.DirectoryID); p == nil || !p.up {
			return false
		}
		have = append(have, v.ID)
	}
	slices.Sort(have)
	return slices.Equal(have, slices.Sorted(slices.Values(s.wanted)))
}

// story is a change of the quorum as sentences.
type story struct {
	*simulation
	t    *testing.T
	text strings.Builder
	last string
}

func (s *story) tell(format string, args ...any) { fmt.Fprintf(&s.text, format+"\n", args...) }

func (s *story) passes(n int) {
	for range n {
		plan, err := s.pass()
		if err != nil {
			s.t.Error(err)
		}
		if text := describe(plan); text != s.last && text != "" {
			s.tell("%s", text)
			s.last = text
		}
		s.step()
	}
	s.tell("Then the voters are %s.", s.describeVoters())
}

func describe(plan Plan) string {
	var lines []string
	if plan.Add != nil {
		lines = append(lines, fmt.Sprintf("- Add voter %d with directory %s at %s:%d: %s.", plan.Add.ID, plan.Add.DirectoryID, plan.Add.Host, plan.Add.Port, plan.Reason))
	}
	if plan.Remove != nil {
		lines = append(lines, fmt.Sprintf("- Remove voter %d with directory %s: %s.", plan.Remove.ID, plan.Remove.DirectoryID, plan.Reason))
	}
	for _, w := range plan.Waits {
		lines = append(lines, fmt.Sprintf("- Wait (%s): %s.", w.Code, w.Message))
	}
	return strings.Join(lines, "\n")
}

func (s *story) describeVoters() string {
	voters := slices.Clone(s.voters)
	slices.SortFunc(voters, func(a, b kafka.QuorumReplica) int { return cmp.Compare(a.ID, b.ID) })
	var names []string
	for _, v := range voters {
		name := fmt.Sprintf("%d%s", v.ID, v.DirectoryID)
		if v.ID == s.leader {
			name += " (leader)"
		}
		names = append(names, name)
	}
	return strings.Join(names, ", ")
}

var told = map[string]func(*story){
	"nothing-to-do": func(s *story) {
		s.passes(3)
	},
	"first-start": func(s *story) {
		s.isStarted = false
		s.tell("Given that the first start is not over.")
		s.passes(2)
	},
	"grow": func(s *story) {
		s.tell("When the controllers 3 and 4 are added, and 4 takes a while to start:")
		s.wanted = []int32{0, 1, 2, 3, 4}
		s.start(3, "a", 2)
		s.passes(4)
		s.tell("When 4 has started:")
		s.start(4, "a", 1)
		s.passes(4)
	},
	"shrink": func(s *story) {
		s.tell("When the controllers 0 (leader) and 1 are taken out of the spec:")
		s.wanted = []int32{2}
		s.passes(5)
	},
	"replace-all": func(s *story) {
		s.tell("When the controllers 0, 1, 2 are replaced by 3, 4, 5:")
		s.wanted = []int32{3, 4, 5}
		for _, id := range s.wanted {
			s.start(id, "a", 1)
		}
		s.passes(12)
	},
	"replace-by-one-that-never-starts": func(s *story) {
		s.tell("When controller 2 is replaced by 3, which never starts:")
		s.wanted = []int32{0, 1, 3}
		s.passes(4)
	},
	"dead-voter-replaced-by-one-that-never-starts": func(s *story) {
		s.tell("When controller 2 dies and is replaced by 3, which does not start yet:")
		s.process(2, "a").up = false
		s.wanted = []int32{0, 1, 3}
		s.passes(3)
		s.tell("When 3 has started:")
		s.start(3, "a", 1)
		s.passes(3)
	},
	"lost-disk": func(s *story) {
		s.tell("When controller 1 loses its disk and starts with a blank one:")
		s.process(1, "a").up = false
		s.passes(1)
		s.start(1, "b", 2)
		s.passes(6)
	},
	"lost-leader-disk": func(s *story) {
		s.tell("When controller 0, the leader, loses its disk and starts with a blank one:")
		s.process(0, "a").up = false
		s.passes(1)
		s.start(0, "b", 2)
		s.passes(6)
	},
	"two-lost-disks": func(s *story) {
		s.tell("When controllers 1 and 2 lose their disks:")
		s.process(1, "a").up, s.process(2, "a").up = false, false
		s.start(1, "b", 1)
		s.start(2, "b", 1)
		s.step()
		s.passes(3)
	},
	"remove-while-another-is-down": func(s *story) {
		s.tell("When controller 1 is down, and 2 is taken out of the spec:")
		s.process(1, "a").up = false
		s.wanted = []int32{0, 1}
		s.passes(3)
		s.tell("When controller 1 is back:")
		s.process(1, "a").up = true
		s.passes(3)
	},
	"spec-without-controllers": func(s *story) {
		s.tell("When no controller is wanted:")
		s.wanted = nil
		s.passes(6)
	},
	"not-reachable": func(s *story) {
		s.tell("When the quorum cannot be asked, and 3 is added:")
		s.reachable = false
		s.wanted = []int32{0, 1, 2, 3}
		s.start(3, "a", 0)
		s.passes(2)
	},
}

func TestStories(t *testing.T) {
	for name, tell := range told {
		t.Run(name, func(t *testing.T) {
			s := &story{t: t, simulation: newSimulation(0, 1, 2)}
			s.tell("Given the voters %s. 0a is controller 0 with the directory a.", s.describeVoters())
			tell(s)
			stories.Compare(t, name, s.text.String())
		})
	}
}

// Disturb changes what is wanted, or lets a controller fail or come back. At most a minority of the voters is down.
func (s *simulation) Disturb() {
	r := s.rand
	id := int32(r.IntN(7))
	p := s.running(id)
	switch r.IntN(5) {
	case 0:
		if !slices.Contains(s.wanted, id) {
			s.wanted = append(s.wanted, id)
			if p == nil {
				s.start(id, fmt.Sprintf("new%d", r.Int32()), 1+r.IntN(4))
			}
		}
	case 1:
		if len(s.wanted) > 1 {
			s.wanted = slices.DeleteFunc(s.wanted, func(w int32) bool { return w == id })
		}
	case 2:
		if p != nil {
			p.up = false
		}
	case 3: // loses its disk
		if p != nil {
			p.up = false
			s.start(id, fmt.Sprintf("lost%d", r.Int32()), 1+r.IntN(4))
		}
	case 4:
		s.reachable = !s.reachable
	}
	if s.elect(); s.leader < 0 { // too much at once: nobody could plan around that
		for _, v := range s.voters {
			if p := s.running(v.ID); p != nil {
				p.up = false
			}
			s.process(v.ID, v.DirectoryID).up = true
		}
		s.elect()
	}
}

// Mend starts every controller that is down, with the directory that it had last.
func (s *simulation) Mend() {
	s.reachable = true
	for _, id := range []int32{0, 1, 2, 3, 4, 5, 6} {
		if s.running(id) != nil {
			continue
		}
		for _, p := range slices.Backward(s.processes) {
			if p.id == id {
				p.up, p.lag = true, 2
				break
			}
		}
	}
}

func (s *simulation) Pass() error {
	_, err := s.pass()
	s.step()
	return err
}

func (s *simulation) String() string {
	return fmt.Sprintf("the voters %+v never become %v: %+v", s.voters, s.wanted, Next(s.facts()).Waits)
}

func TestRandomQuorums(t *testing.T) {
	stories.Random(t, 3000, func(r *rand.Rand) stories.Simulation {
		s := newSimulation([]int32{0, 1, 2, 3, 4}[:1+r.IntN(5)]...)
		s.rand = r
		return s
	})
}

// A controller that was formatted again is known with its former directory for a while: the new one is added.
func TestFormerDirectoryIsNotAdded(t *testing.T) {
	for _, former := range []time.Duration{-1, 1500 * time.Millisecond, time.Hour} {
		facts := newSimulation(0, 1, 2).facts()
		facts.Wanted = append(facts.Wanted, Controller{ID: 3, Ready: true})
		facts.Quorum.Observers = []kafka.QuorumReplica{
			{ID: 3, DirectoryID: "old", CaughtUpAgo: former}, {ID: 3, DirectoryID: "new"},
		}
		if plan := Next(facts); plan.Add == nil || plan.Add.DirectoryID != "new" {
			t.Errorf("former directory caught up %s ago: %+v, want the new one added", former, plan)
		}
	}
}

// A live voter is never removed because something with its id observes.
func TestLiveVoterIsNotReplaced(t *testing.T) {
	facts := newSimulation(0, 1, 2).facts()
	facts.Quorum.Observers = append(facts.Quorum.Observers, kafka.QuorumReplica{ID: 1, DirectoryID: "old"})
	if plan := Next(facts); plan.Remove != nil {
		t.Errorf("removing voter %d, which lives", plan.Remove.ID)
	}
}

// A leader that was just elected knows nothing of its followers: none of them is dead for that.
func TestVoterIsNotDeadAfterAnElection(t *testing.T) {
	for _, ago := range []time.Duration{-1, 5 * time.Second} {
		facts := newSimulation(0, 1, 2).facts()
		facts.Wanted[2].ID = 3
		facts.Quorum.Voters[2].CaughtUpAgo = ago
		if plan := Next(facts); plan.Remove != nil {
			t.Errorf("caught up %s ago: voter %d is removed before another votes in its place", ago, plan.Remove.ID)
		}
	}
}

func TestLastVoterStays(t *testing.T) {
	facts := newSimulation(0).facts()
	facts.Wanted[0] = Controller{ID: 3}
	plan := Next(facts)
	if plan.Remove != nil || plan.Waits[0].Code != WaitLastVoter {
		t.Errorf("%+v, want the last voter to stay", plan)
	}
}

// The leader leads, whatever else is said of it.
func TestLeaderIsNotDead(t *testing.T) {
	facts := newSimulation(0, 1, 2).facts()
	facts.Wanted[0].ID = 3
	facts.Quorum.Voters[0].CaughtUpAgo = time.Hour
	if plan := Next(facts); plan.Remove != nil {
		t.Errorf("removing %+v before another votes in its place", plan.Remove)
	}
}

// A voter that the leader still lists among its observers has not lost its directory.
func TestVoterThatObservesToo(t *testing.T) {
	facts := newSimulation(0, 1, 2).facts()
	facts.Quorum.Voters[1].CaughtUpAgo = time.Hour
	facts.Quorum.Observers = []kafka.QuorumReplica{{ID: 1, DirectoryID: "a"}}
	if plan := Next(facts); plan.Remove != nil {
		t.Errorf("removing %+v, which has lost nothing", plan.Remove)
	}
}

// Of the voters that are left, those must be a majority that are caught up, not those that are there.
func TestNoChangeOfALaggingQuorum(t *testing.T) {
	for _, wanted := range [][]int32{{0, 1, 2, 3}, {0, 1}, {0, 2}} {
		facts := newSimulation(0, 1, 2).facts()
		facts.Wanted = nil
		for _, id := range wanted {
			facts.Wanted = append(facts.Wanted, Controller{ID: id, Ready: true})
		}
		facts.Quorum.Observers = []kafka.QuorumReplica{{ID: 3, DirectoryID: "a"}}
		facts.Quorum.Voters[1].CaughtUpAgo, facts.Quorum.Voters[2].CaughtUpAgo = 3*time.Second, 3*time.Second
		plan := Next(facts)
		if plan.Add != nil || plan.Remove != nil || len(plan.Waits) != 1 || plan.Waits[0].Code != WaitMajority {
			t.Errorf("wanted %v: %+v, want a wait for the majority", wanted, plan)
		}
	}
}

func TestDefaultFetchTimeout(t *testing.T) {
	facts := newSimulation(0, 1, 2).facts()
	facts.FetchTimeout = 0
	facts.Wanted = append(facts.Wanted, Controller{ID: 3, Ready: true})
	facts.Quorum.Observers = []kafka.QuorumReplica{{ID: 3, DirectoryID: "a", CaughtUpAgo: DefaultFetchTimeout}}
	if plan := Next(facts); plan.Add == nil {
		t.Errorf("voter 3 is not added: %+v", plan.Waits)
	}
	facts.Quorum.Observers[0].CaughtUpAgo++
	if plan := Next(facts); plan.Add != nil {
		t.Error("voter 3 is added, and lags")
	}
}
