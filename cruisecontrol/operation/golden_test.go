package operation

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

var update = flag.Bool("update", false, "write the golden files in testdata anew")

// Stories as a reviewer reads them: each phase with what is said in it, and what is done to the world in between.
func TestGoldenStories(t *testing.T) {
	for name, story := range map[string]func(*world){
		"a broker is removed, throttled": func(w *world) {
			w.remove("down", throttled)
			w.phase("down", v1beta1.OperationSucceeded, time.Hour)
		},
		"cancelled while data moves": func(w *world) {
			w.remove("down", throttled)
			w.moving("down")
			w.edit("down", func(op *v1beta1.CruiseControlOperation) { op.Spec.Cancel = true })
			w.phase("down", v1beta1.OperationCancelled, time.Hour)
		},
		"Cruise Control dies while data moves": func(w *world) {
			w.remove("down")
			w.moving("down")
			w.killCruiseControl(30 * time.Second)
			w.phase("down", v1beta1.OperationSucceeded, time.Hour)
		},
		"approved by a person": func(w *world) {
			w.add("up", manual)
			w.phase("up", v1beta1.OperationAwaitingApproval, time.Hour)
			w.edit("up", func(op *v1beta1.CruiseControlOperation) {
				op.Spec.Approval.ApprovedProposal = op.Status.Proposal.Hash
			})
			w.phase("up", v1beta1.OperationSucceeded, time.Hour)
		},
		"no plan meets the goals": func(w *world) {
			w.operation("down", v1beta1.CruiseControlOperationSpec{Type: v1beta1.RemoveBrokers, Brokers: []int32{1}})
			w.phase("down", v1beta1.OperationFailed, time.Hour)
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(w *world) {
				w.slow()
				story(w)
				time.Sleep(10 * time.Second)
				w.clean()
				w.faults.mu.Lock()
				defer w.faults.mu.Unlock()
				compare(t, name, w.faults.told)
			})
		})
	}
}

var clockTime = regexp.MustCompile(`\d\d:\d\d:\d\d`)

// compare compares a story with its golden file. Times of day are no part of it, and what is done several times is said once.
func compare(t *testing.T, name string, told []string) {
	t.Helper()
	var b strings.Builder
	for i := 0; i < len(told); {
		n := 1
		for i+n < len(told) && told[i+n] == told[i] {
			n++
		}
		line := clockTime.ReplaceAllString(told[i], "HH:MM:SS")
		if n > 1 {
			line += fmt.Sprintf(" (%d times)", n)
		}
		fmt.Fprintln(&b, line)
		i += n
	}
	path := filepath.Join("testdata", strings.ReplaceAll(strings.ReplaceAll(name, ",", ""), " ", "-")+".txt")
	if *update {
		if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != b.String() {
		t.Errorf("the story is another one; `go test ./cruisecontrol/operation -update` writes it again. Got:\n%s", &b)
	}
}
