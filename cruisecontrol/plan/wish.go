package plan

import (
	"slices"

	"k8s.io/utils/ptr"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

// wish is what one kind of operation should do now.
type wish struct {
	kind    v1beta1.OperationType
	targets []target
	// why, for an Event; what is wrong, for a wait.
	why string
	// automatic is whether Koperator makes such operations, and field the name of the switch.
	automatic *bool
	field     string
	// isRepeated: it is wanted until Kafka says that it is done, and not once for each life.
	isRepeated bool
	// hold says why to wait with a new operation; empty for not to.
	hold func() (code, message string)
}

// fulfil makes one operation for all targets that no other takes care of.
func (p *planner) fulfil(w wish) {
	var left []target
	for _, t := range w.targets {
		if op := p.covering(w.kind, t); op != nil {
			p.report(op)
		} else {
			left = append(left, t)
		}
	}
	if w.isRepeated {
		left = p.withoutFailed(w, left)
	}
	if len(left) == 0 {
		return
	}
	if w.hold != nil {
		if code, message := w.hold(); code != "" {
			p.wait(code, "%s %s; %s", named(left), w.why, message)
			return
		}
	}
	if !ptr.Deref(w.automatic, true) {
		p.wait(CodeAutomationOff, "%s %s, and automation.%s is off; to do it, create %s", named(left), w.why, w.field, p.hint(w.kind, left))
		return
	}
	p.create(w, left)
}

// withoutFailed leaves out what an operation was made for that failed, or that a person cancelled: it would fail again. Once
// it is about less than it was, another one may succeed.
func (p *planner) withoutFailed(w wish, targets []target) []target {
	wanted, blocks := livesOf(w.targets), map[*operation]bool{}
	return slices.DeleteFunc(targets, func(t target) bool {
		last := p.last(w.kind, t)
		if last == nil || last.withdrawn || last.Status.Phase == v1beta1.OperationSucceeded {
			return false
		}
		if _, known := blocks[last]; !known {
			blocks[last] = last.isWithin(wanted)
			p.reportBlocking(last, blocks[last])
		}
		return blocks[last]
	})
}

// isWithin tells whether all that it was made for is still wanted.
func (o *operation) isWithin(wanted map[target]string) bool {
	for life := range o.lives {
		if _, is := wanted[life]; !is {
			return false
		}
	}
	return true
}

func (p *planner) reportBlocking(op *operation, blocks bool) {
	switch {
	case !blocks:
	case op.isFinished():
		p.waitFailed(op)
	default:
		p.report(op)
	}
}

// holdForArrivals waits for brokers that are about to come: one operation is for all of them.
func (p *planner) holdForArrivals() (code, message string) {
	if arriving := p.arriving(); len(arriving) > 0 {
		return CodeArriving, "first " + named(arriving) + " should be there"
	}
	return "", ""
}
