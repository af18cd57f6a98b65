// Package stories is what the tests of the planners share: stories that are kept as golden files, and simulated clusters
// that anything may happen to.
package stories

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

var update = flag.Bool("update", false, "write the stories again")

// Compare compares a story with testdata/NAME.story.
func Compare(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name+".story")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the story has changed; if it should, run the test with -update and review it.\n--- got\n%s\n--- want\n%s", got, want)
	}
}

// Simulation is a cluster in the hands of a planner.
type Simulation interface {
	// Pass lets the planner plan, holds the plan against what must never happen, does what it says, and lets time pass.
	Pass() error
	// Disturb lets something happen that the planner has not planned.
	Disturb()
	// Mend puts everything right that is no matter of the planner, for good.
	Mend()
	// IsOver tells whether the planner has nothing left to do.
	IsOver() bool
	// String is what to look at when that is never so.
	fmt.Stringer
}

// How long simulations are disturbed, and how many passes later they must have come to an end.
const (
	disturbed = 60
	longest   = 1000
)

// Random disturbs as many simulations as it is told, mends them, and waits for their end. The seed of one that breaks a
// rule is in the message, and gives the same one again.
func Random(t *testing.T, count int, begin func(*rand.Rand) Simulation) {
	t.Helper()
	if testing.Short() {
		count /= 10
	}
	for seed := range count {
		r := rand.New(rand.NewPCG(uint64(seed), 1))
		s := begin(r)
		for pass := range disturbed {
			if r.IntN(4) == 0 {
				s.Disturb()
			}
			if err := s.Pass(); err != nil {
				t.Fatalf("seed %d, pass %d: %v", seed, pass, err)
			}
		}
		s.Mend()
		for pass := 0; !s.IsOver(); pass++ {
			if err := s.Pass(); err != nil {
				t.Fatalf("seed %d, pass %d after mending: %v", seed, pass, err)
			}
			if pass > longest {
				t.Fatalf("seed %d does not end: %s", seed, s)
			}
		}
	}
}
