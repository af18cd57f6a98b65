//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

// operationWatch sees the operations of a cluster that are made after it began, and remembers how they went.
type operationWatch struct {
	begin time.Time
	mu    sync.Mutex
	// old are operations of before.
	old map[types.UID]bool
	// seen are the others, as they were seen last; there are those that still exist. One that is deleted may be followed by one
	// of the same name.
	seen  map[types.UID]*v1beta1.CruiseControlOperation
	there map[types.UID]bool
	steps map[types.UID][]operationStep
}

// operationStep is what was seen of an operation at one time.
type operationStep struct {
	at      time.Duration
	phase   v1beta1.OperationPhase
	attempt int32
	percent int32
	message string
}

func (s operationStep) String() string {
	text := fmt.Sprintf("%s %s", seconds(s.at), s.phase)
	if s.phase == v1beta1.OperationExecuting {
		text += fmt.Sprintf(" %d %%", s.percent)
	}
	if s.message != "" {
		text += " (" + s.message + ")"
	}
	return text
}

// watchOperations begins to watch.
func (d *depot) watchOperations(t *testing.T) *operationWatch {
	t.Helper()
	w := &operationWatch{
		begin: time.Now(), old: map[types.UID]bool{}, there: map[types.UID]bool{},
		seen: map[types.UID]*v1beta1.CruiseControlOperation{}, steps: map[types.UID][]operationStep{},
	}
	list := &v1beta1.CruiseControlOperationList{}
	if err := kube.List(t.Context(), list, d.inNamespace()); err != nil {
		t.Fatalf("listing operations: %v", err)
	}
	for i := range list.Items {
		w.old[list.Items[i].UID] = true
	}
	ctx, stop := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() {
		for ticker := time.NewTicker(lookEvery / 2); ctx.Err() == nil; <-ticker.C {
			w.look(ctx, d.cluster)
		}
	})
	t.Cleanup(func() {
		stop()
		done.Wait()
		for _, uid := range sorted(w.steps) {
			t.Logf("%s: %v", w.seen[uid].Name, w.steps[uid])
		}
	})
	return w
}

func (w *operationWatch) look(ctx context.Context, c *cluster) {
	list := &v1beta1.CruiseControlOperationList{}
	if err := kube.List(ctx, list, c.inNamespace()); err != nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.there)
	for i := range list.Items {
		op := &list.Items[i]
		if w.old[op.UID] {
			continue
		}
		w.seen[op.UID], w.there[op.UID] = op, true
		step, steps := stepOf(op), w.steps[op.UID]
		step.at = time.Since(w.begin)
		if len(steps) == 0 || !steps[len(steps)-1].same(step) {
			w.steps[op.UID] = append(steps, step)
		}
	}
}

func (s operationStep) same(other operationStep) bool {
	s.at = other.at
	return s == other
}

func stepOf(op *v1beta1.CruiseControlOperation) operationStep {
	step := operationStep{phase: op.Status.Phase}
	if op.Status.Task != nil {
		step.attempt = op.Status.Task.Attempt
	}
	if op.Status.Progress != nil {
		step.percent = op.Status.Progress.Percent
	}
	if op.Status.Summary != nil {
		step.message = op.Status.Summary.Message
	}
	return step
}

// find finds an operation that is as wanted, and says what there is.
func (w *operationWatch) find(is func(*v1beta1.CruiseControlOperation) bool) (*v1beta1.CruiseControlOperation, string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var there []string
	for _, uid := range sorted(w.seen) {
		op := w.seen[uid]
		if is(op) {
			return op.DeepCopy(), ""
		}
		there = append(there, fmt.Sprintf("%s: %v", op.Name, stepOf(op)))
	}
	return nil, strings.Join(there, "; ")
}

// wait waits for an operation of a type that is as wanted.
func (w *operationWatch) wait(t *testing.T, patience time.Duration, kind v1beta1.OperationType, what string, is func(*v1beta1.CruiseControlOperation) bool) *v1beta1.CruiseControlOperation {
	t.Helper()
	var found *v1beta1.CruiseControlOperation
	waitFor(t, patience, fmt.Sprintf("an operation %s %s", kind, what), func(context.Context) (string, bool) {
		op, there := w.find(func(op *v1beta1.CruiseControlOperation) bool { return op.Spec.Type == kind && is(op) })
		found = op
		return there, op != nil
	})
	return found
}

// waitPhase waits for a phase of one operation.
func (w *operationWatch) waitPhase(t *testing.T, patience time.Duration, name string, phase v1beta1.OperationPhase) *v1beta1.CruiseControlOperation {
	t.Helper()
	var found *v1beta1.CruiseControlOperation
	waitFor(t, patience, fmt.Sprintf("%s to be %s", name, phase), func(context.Context) (string, bool) {
		op, there := w.find(func(op *v1beta1.CruiseControlOperation) bool { return op.Name == name && op.Status.Phase == phase })
		found = op
		return there, op != nil
	})
	return found
}

// waitGone waits until an operation does not exist any more.
func (w *operationWatch) waitGone(t *testing.T, patience time.Duration, op *v1beta1.CruiseControlOperation) {
	t.Helper()
	waitFor(t, patience, op.Name+" to be gone", func(context.Context) (string, bool) {
		w.mu.Lock()
		defer w.mu.Unlock()
		return fmt.Sprint(stepOf(w.seen[op.UID])), !w.there[op.UID]
	})
}

// only is the one operation of its type, which has succeeded.
func (w *operationWatch) only(t *testing.T, kind v1beta1.OperationType) *v1beta1.CruiseControlOperation {
	t.Helper()
	op := w.wait(t, 4*time.Minute, kind, "to succeed", func(op *v1beta1.CruiseControlOperation) bool {
		return op.Status.Phase == v1beta1.OperationSucceeded
	})
	another, _ := w.find(func(other *v1beta1.CruiseControlOperation) bool {
		return other.Spec.Type == kind && other.UID != op.UID
	})
	if another != nil {
		t.Errorf("there are two operations %s: %s and %s (%v)", kind, op.Name, another.Name, stepOf(another))
	}
	return op
}

// requireProgress fails if nobody could see how an operation went: its progress grew from something to 100 %.
func (w *operationWatch) requireProgress(t *testing.T, op *v1beta1.CruiseControlOperation) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	var percents []int32
	for _, step := range w.steps[op.UID] {
		if step.phase == v1beta1.OperationExecuting || step.phase == v1beta1.OperationSucceeded {
			percents = append(percents, step.percent)
		}
	}
	percents = slices.Compact(percents)
	if len(percents) < 3 || !slices.IsSorted(percents) || percents[len(percents)-1] != 100 {
		t.Errorf("%s: the progress was %v; wanted it to grow in steps to 100", op.Name, percents)
	}
}
