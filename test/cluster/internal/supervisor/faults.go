package supervisor

import (
	"errors"
	"fmt"
	"log/slog"

	"koperator.dev/koperator/test/cluster/internal/cgroup"
	"koperator.dev/koperator/test/cluster/internal/layout"
	"koperator.dev/koperator/test/cluster/internal/machine"
	"koperator.dev/koperator/test/cluster/internal/node"
)

func (s *Supervisor) inflict(number string, fault Fault) error {
	parsed, err := layout.ParseNode(number)
	if err != nil {
		return err
	}
	n := node.Node{Cluster: s.cluster, Node: parsed}
	s.faults.Lock()
	defer s.faults.Unlock()
	if !s.isReady() {
		return errors.New("the cluster is still starting, or could not be started: see the command status")
	}
	slog.Info("Fault", "node", n.Name(), "fault", fault)
	if err := s.apply(n, fault); err != nil {
		return fmt.Errorf("%s %s: %w", fault, n.Name(), err)
	}
	return nil
}

func (s *Supervisor) apply(n node.Node, fault Fault) error {
	switch fault {
	case Kill:
		return s.kill(n)
	case Cut:
		return s.cut(n)
	case Heal:
		return s.heal(n)
	case LoseDisks:
		return s.loseDisks(n)
	}
	return fmt.Errorf("there is no fault %q", fault)
}

// kill cuts the power. The network goes first: a machine without power does not say good-bye, but the kernel would close
// the connections of processes that it ends.
func (s *Supervisor) kill(n node.Node) error {
	if s.machineStatus(n.Name()).Off {
		return nil
	}
	if err := s.fabric.CutNode(n.Node); err != nil {
		return err
	}
	s.update(n.Name(), func(m *Machine) { m.Off, m.Cut = true, false })
	if err := s.machine(n).Kill(); err != nil {
		return err
	}
	if err := s.fabric.DetachNode(n.Node); err != nil {
		return err
	}
	return cgroup.Remove(cgroup.NodePath(s.cluster, n.Node))
}

func (s *Supervisor) machine(n node.Node) *machine.Machine {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.machines[n.Name()]
}

func (s *Supervisor) cut(n node.Node) error {
	if s.machineStatus(n.Name()).Off {
		return errors.New("the node is off: it is on no network")
	}
	if err := s.fabric.CutNode(n.Node); err != nil {
		return err
	}
	s.update(n.Name(), func(m *Machine) { m.Cut = true })
	return nil
}

// heal undoes what kill or cut did.
func (s *Supervisor) heal(n node.Node) error {
	if !s.machineStatus(n.Name()).Off {
		if err := s.fabric.MendNode(n.Node); err != nil {
			return err
		}
		s.update(n.Name(), func(m *Machine) { m.Cut = false })
		return nil
	}
	// Nothing is there, unless an earlier try has failed half way.
	if err := s.fabric.DetachNode(n.Node); err != nil {
		return err
	}
	if err := s.fabric.AttachNode(n.Node); err != nil {
		return err
	}
	return s.startNode(n)
}

func (s *Supervisor) loseDisks(n node.Node) error {
	if s.machineStatus(n.Name()).Off {
		return s.disks.Blank(n.Name())
	}
	return s.disks.Empty(n.Name())
}

func (s *Supervisor) isReady() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.status.Ready
}
