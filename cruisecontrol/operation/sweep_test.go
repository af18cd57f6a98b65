package operation

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/utils/ptr"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

// sweepStory is a throttled removal: it takes the grant, sets and removes a throttle, moves data and is verified.
func (w *world) sweepStory() {
	w.Helper()
	w.remove("down", func(spec *v1beta1.CruiseControlOperationSpec) {
		spec.ReplicationThrottle = ptr.To(resource.MustParse("10Mi"))
	})
	w.phase("down", v1beta1.OperationSucceeded, 3*time.Hour)
	w.until("all is given back", time.Minute, func() bool { return len(w.op("down").Finalizers) == 0 })
	if n := w.replicas()[0]; n != 0 {
		w.Errorf("broker 0 has %d replicas", n)
	}
	w.clean()
}

// cancelStory is cancelled while data moves: reassignments, a throttle and Cruise Control's memory have to be cleaned.
func (w *world) cancelStory() {
	w.Helper()
	w.remove("down", func(spec *v1beta1.CruiseControlOperationSpec) {
		spec.ReplicationThrottle = ptr.To(resource.MustParse("10Mi"))
	})
	w.moving("down")
	w.edit("down", func(op *v1beta1.CruiseControlOperation) { op.Spec.Cancel = true })
	w.phase("down", v1beta1.OperationCancelled, time.Hour)
	w.until("all is given back", time.Minute, func() bool { return len(w.op("down").Finalizers) == 0 })
	if removed, _ := w.cc.Remembered(); len(removed) > 0 {
		w.Errorf("Cruise Control remembers %v", removed)
	}
	w.clean()
}

var sweepStories = map[string]func(*world){"removed": (*world).sweepStory, "cancelled": (*world).cancelStory}

// Whatever call is the last one before the program dies, or is done while its answer is lost in the crash: another one goes on
// and comes to the same end.
func TestCrashSweep(t *testing.T) { sweep(t, true) }

// Whatever call fails, or loses its answer: it ends in the same state.
func TestFaultSweep(t *testing.T) { sweep(t, false) }

func sweep(t *testing.T, crash bool) {
	for name, story := range sweepStories {
		var names []string
		inBubble(t, func(w *world) {
			story(w)
			names = w.faults.names
		})
		for _, at := range points(names) {
			for _, after := range []bool{false, true} {
				when := map[bool]string{false: "before", true: "after"}[after]
				t.Run(fmt.Sprintf("%s, %s call %d, %s", name, when, at, names[at-1]), func(t *testing.T) {
					inBubble(t, func(w *world) {
						w.faults.at, w.faults.after, w.faults.crash = at, after, crash
						story(w)
						if !w.faults.met {
							t.Error("the fault has not happened")
						}
					})
				})
			}
		}
	}
}

// points are the calls at which something goes wrong: all that change something, and of each question the first ones. The inner
// loop has some of them.
func points(names []string) []int {
	const most = 4
	stride := 9
	if os.Getenv("KOPERATOR_TEST_FULL") != "" {
		stride = 1
	}
	var at []int
	seen := map[string]int{}
	for i, name := range names {
		seen[name]++
		question := !strings.Contains(name, "POST") && !strings.Contains(name, "apply") && !strings.Contains(name, "Alter")
		if question && seen[name] > most || seen[name] > 2*most {
			continue
		}
		at = append(at, i+1)
	}
	var some []int
	for i := range at {
		if i%stride == 0 || strings.HasPrefix(names[at[i]-1], "POST") {
			some = append(some, at[i])
		}
	}
	return some
}
