package supervisor

import (
	"testing"

	"koperator.dev/koperator/test/cluster/internal/machine"
)

func TestEndedComponents(t *testing.T) {
	m := newStatus(machine.Spec{Hostname: "node1", Components: []machine.Component{{Name: "kubelet"}, {Name: "containerd"}}})
	m.record(machine.Event{Component: "kubelet", PID: 7})
	s := Status{Machines: []Machine{m}}
	if ended := s.Ended(); len(ended) != 0 {
		t.Errorf("nothing has ended, got %+v", ended)
	}

	s.Machines[0].record(machine.Event{Component: "kubelet", Ended: "exit status 1"})
	if ended := s.Ended(); len(ended) != 1 || ended[0].Name != "kubelet" || ended[0].Ended != "exit status 1" {
		t.Errorf("got %+v", ended)
	}
	if _, err := s.RunningMachine("node1"); err != nil {
		t.Error(err)
	}

	s.Machines[0].Off = true
	if ended := s.Ended(); len(ended) != 0 {
		t.Errorf("what ends with its machine is no failure, got %+v", ended)
	}
	if _, err := s.RunningMachine("node1"); err == nil {
		t.Error("a machine that is off runs")
	}
}
