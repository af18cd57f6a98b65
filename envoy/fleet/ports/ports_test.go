package ports

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files in testdata anew")

// world is what goes on from step to step: status and Services have what the last plan said.
type world struct {
	listeners []Listener
	brokers   []int32
	taken     []int32
	text      strings.Builder
}

func newWorld(brokers ...int32) *world {
	return &world{listeners: []Listener{{Name: "public", First: 9200, Count: 4}}, brokers: brokers, taken: []int32{9094, 19001}}
}

// step plans once, tells what came of it, and does it.
func (w *world) step(format string, args ...any) {
	plan := Allocate(w.listeners, w.brokers, w.taken)
	fmt.Fprintf(&w.text, "  %s:\n", fmt.Sprintf(format, args...))
	for i := range w.listeners {
		l := &w.listeners[i]
		ports := plan.Ports[l.Name]
		fmt.Fprintf(&w.text, "    %s:", l.Name)
		for _, id := range slices.Sorted(maps.Keys(ports)) {
			fmt.Fprintf(&w.text, " %d has %d", id, ports[id])
			if had := l.Status[id]; had != 0 && had != ports[id] {
				fmt.Fprintf(&w.text, " (it was %d)", had)
			}
			w.text.WriteString(";")
		}
		if without := plan.Without[l.Name]; len(without) > 0 {
			fmt.Fprintf(&w.text, " no port for %v, held: %v", without, plan.Held)
		}
		w.text.WriteString("\n")
		l.Status, l.Services = ports, ports
	}
}

func (w *world) loseStatus()   { w.each(func(l *Listener) { l.Status = nil }) }
func (w *world) loseServices() { w.each(func(l *Listener) { l.Services = nil }) }

func (w *world) each(change func(*Listener)) {
	for i := range w.listeners {
		change(&w.listeners[i])
	}
}

var stories = []struct {
	name string
	tell func() *world
}{
	{"sparse ids get ports in their order", func() *world {
		w := newWorld(1000000, 7, 300)
		w.step("three brokers")
		w.brokers = append(w.brokers, 42)
		w.step("broker 42 is added: nobody moves for it")
		return w
	}},
	{"a broker goes and another comes", func() *world {
		w := newWorld(1, 2, 3)
		w.step("three brokers")
		w.brokers = []int32{1, 3, 4}
		w.step("2 goes and 4 comes at once: 4 does not get the port of 2")
		w.brokers = append(w.brokers, 5)
		w.step("5 comes later: it does")
		return w
	}},
	{"the range is full", func() *world {
		w := newWorld(1, 2, 3, 4)
		w.step("four brokers, four ports")
		w.brokers = []int32{1, 2, 3, 5}
		w.step("4 goes and 5 comes at once: 5 waits for one step")
		w.step("the next step")
		w.brokers = append(w.brokers, 6, 7)
		w.step("more brokers than ports")
		return w
	}},
	{"the range grows, shrinks and moves", func() *world {
		w := newWorld(1, 2, 3, 4)
		w.step("four brokers, four ports")
		w.each(func(l *Listener) { l.Count = 8 })
		w.step("it grows: nothing changes")
		w.brokers = append(w.brokers, 5)
		w.step("another broker")
		w.each(func(l *Listener) { l.Count = 3 })
		w.step("it shrinks: those outside of it have to go")
		w.each(func(l *Listener) { l.First = 9202; l.Count = 8 })
		w.step("it moves: who can stays")
		return w
	}},
	{"what was allocated gets lost", func() *world {
		w := newWorld(1, 2, 3)
		w.step("three brokers")
		w.brokers = []int32{2, 3, 4}
		w.step("1 goes and 4 comes")
		w.loseStatus()
		w.step("status is lost")
		w.loseServices()
		w.step("the Services are lost")
		w.loseStatus()
		w.loseServices()
		w.step("both are lost: by id, as for new ones")
		return w
	}},
	{"status and Services contradict each other", func() *world {
		w := newWorld(1, 2)
		w.listeners[0].Status = map[int32]int32{1: 9201}
		w.listeners[0].Services = map[int32]int32{1: 9200, 2: 9201}
		w.step("status wins, and what a Service had for somebody else is not given away at once")
		w.listeners[0].Status = map[int32]int32{1: 9203, 2: 9203}
		w.step("two brokers with one port: the first has it")
		return w
	}},
	{"ports that are not for brokers", func() *world {
		w := newWorld(1, 2, 3)
		w.listeners[0].First = 9093
		w.step("the range holds the port of a listener")
		w.taken = append(w.taken, 9095)
		w.step("another listener takes the port of 2")
		return w
	}},
	{"two listeners with one range", func() *world {
		w := newWorld(1, 2)
		w.listeners = append(w.listeners, Listener{Name: "backup", First: 9200, Count: 8})
		w.step("each port once")
		w.listeners[1].Count = 3
		w.brokers = append(w.brokers, 3)
		w.step("a third broker")
		return w
	}},
}

// TestStories compares what happens with testdata/stories.txt. A broker whose port changes is restarted, and its clients
// have to find it again.
func TestStories(t *testing.T) {
	var all strings.Builder
	for _, story := range stories {
		fmt.Fprintf(&all, "%s\n%s\n", story.name, story.tell().text.String())
	}
	const golden = "testdata/stories.txt"
	if *update {
		if err := os.WriteFile(golden, []byte(all.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if all.String() != string(want) {
		t.Errorf("the stories differ; look at the difference after go test -update:\n%s", all.String())
	}
}

// Whatever happens: no port is given twice, nor to one broker in the step in which another gives it up, and a broker that
// has one in its range keeps it.
func TestRandomChanges(t *testing.T) {
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 1))
		listeners := []Listener{{Name: "a", First: 9200, Count: 12}, {Name: "b", First: 9206, Count: 12}}
		brokers := map[int32]bool{}
		for step := range 40 {
			for range random.IntN(4) {
				id := random.Int32N(16)
				brokers[id] = !brokers[id]
				if !brokers[id] {
					delete(brokers, id)
				}
			}
			if random.IntN(8) == 0 {
				listeners[random.IntN(2)].Count = 4 + random.Int32N(12)
			}
			plan := Allocate(listeners, slices.Collect(maps.Keys(brokers)), []int32{9203})
			checkPlan(t, fmt.Sprintf("seed %d, step %d", seed, step), listeners, brokers, plan)
			for i := range listeners {
				listeners[i].Status, listeners[i].Services = plan.Ports[listeners[i].Name], plan.Ports[listeners[i].Name]
				switch random.IntN(6) {
				case 0:
					listeners[i].Status = nil
				case 1:
					listeners[i].Services = nil
				}
			}
		}
	}
}

func checkPlan(t *testing.T, where string, listeners []Listener, brokers map[int32]bool, plan Plan) {
	t.Helper()
	owner := map[int32]string{9203: "somebody else"}
	before := map[int32]string{}
	for _, l := range listeners {
		for _, had := range []map[int32]int32{l.Services, l.Status} {
			for id, port := range had {
				before[port] = fmt.Sprint(l.Name, id)
			}
		}
	}
	for _, l := range listeners {
		if got := len(plan.Ports[l.Name]) + len(plan.Without[l.Name]); got != len(brokers) {
			t.Fatalf("%s: listener %s says something of %d brokers, and there are %d", where, l.Name, got, len(brokers))
		}
		for id, port := range plan.Ports[l.Name] {
			me := fmt.Sprint(l.Name, id)
			if other := owner[port]; other != "" {
				t.Fatalf("%s: port %d has %s and %s", where, port, other, me)
			}
			owner[port] = me
			if !l.contains(port) || !brokers[id] {
				t.Fatalf("%s: %s has port %d", where, me, port)
			}
			if had := before[port]; had != "" && had != me {
				t.Fatalf("%s: %s gets port %d in the step in which %s gives it up", where, me, port, had)
			}
			if had := l.Status[id]; had != 0 && had != port && l.contains(had) {
				t.Fatalf("%s: %s had %d and has %d", where, me, had, port)
			}
		}
	}
}
