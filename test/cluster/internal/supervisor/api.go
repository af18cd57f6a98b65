package supervisor

import (
	"fmt"
	"time"
)

// Status is all that the supervisor knows about its cluster.
type Status struct {
	// PID is the supervisor's own.
	PID int
	// Started is what was done to start the cluster, and is being done.
	Started []Step
	// Ready is set once all of it is done.
	Ready bool
	// Failure says why it could not be.
	Failure string `json:",omitempty"`

	Machines []Machine
}

// Step of the start.
type Step struct {
	What, Usual  string
	Begun, Ended time.Time
}

// Machine is the control plane or a node.
type Machine struct {
	Name string
	// Off is a machine whose power is cut.
	Off bool `json:",omitempty"`
	// Cut is a machine that is off the network.
	Cut bool `json:",omitempty"`
	// InitPID is the process whose namespaces are the machine's.
	InitPID    int `json:",omitempty"`
	Components []Component
}

// Component is a program that has to run.
type Component struct {
	Name string
	// PID is as the machine itself sees it, and zero until the program is started.
	PID int `json:",omitempty"`
	// Ended says how the program ended, which it never should.
	Ended string `json:",omitempty"`
	Log   string
}

// Ended are the components that ended by themselves.
func (s Status) Ended() []Component {
	var ended []Component
	for _, m := range s.Machines {
		for _, c := range m.Components {
			if c.Ended != "" && !m.Off {
				ended = append(ended, c)
			}
		}
	}
	return ended
}

// RunningMachine finds a machine that is on.
func (s Status) RunningMachine(name string) (Machine, error) {
	for _, m := range s.Machines {
		if m.Name == name && !m.Off {
			return m, nil
		}
	}
	return Machine{}, fmt.Errorf("%s is not running", name)
}

// Fault is something that a node can suffer.
type Fault string

// Faults, and what undoes them.
const (
	Kill      Fault = "kill"
	Cut       Fault = "cut"
	Heal      Fault = "heal"
	LoseDisks Fault = "lose-disks"
)
