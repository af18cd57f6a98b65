package machine

import (
	"testing"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

// An operation without anything to say has no summary: the API server refuses one without fields where there was one.
func TestNoEmptySummary(t *testing.T) {
	op := &v1beta1.CruiseControlOperation{Status: v1beta1.CruiseControlOperationStatus{
		Phase: v1beta1.OperationSettling, Summary: &v1beta1.OperationSummary{Message: "waits"},
	}}
	m := &machine{Facts: Facts{Operation: op}, status: op.Status.DeepCopy()}
	m.to(v1beta1.OperationProposing)
	if s := m.summary(); s != nil {
		t.Errorf("got %+v", s)
	}
	m.say("Cruise Control makes the plan")
	if s := m.summary(); s == nil || s.Message != "Cruise Control makes the plan" {
		t.Errorf("got %+v", s)
	}
}
