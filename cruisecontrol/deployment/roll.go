package deployment

import (
	"fmt"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

// Activity is what a restart of Cruise Control would disturb.
type Activity struct {
	// Runs tells whether a container of Cruise Control runs.
	Runs bool
	// Operation is the name of one that Cruise Control works for: see WorksFor.
	Operation string
	// Executes tells whether Cruise Control says that it executes a plan, whoever's; false if it does not answer.
	Executes bool
	// KafkaAnswers tells whether Kafka has been asked for reassignments, and Reassignments how many there are.
	KafkaAnswers  bool
	Reassignments int
}

// WorksFor tells whether Cruise Control plans or executes for an operation in a phase. An operation that waits for a person,
// or for Cruise Control to be ready, is no reason against a restart, which may be what it waits for.
func WorksFor(phase v1beta1.OperationPhase) bool {
	switch phase {
	case v1beta1.OperationProposing, v1beta1.OperationSubmitting, v1beta1.OperationExecuting, v1beta1.OperationStopping:
		return true
	}
	return false
}

// Wait is why something has to wait: a word for programs and a sentence for people.
type Wait struct {
	Reason  string
	Message string
}

// MayRoll tells whether Cruise Control may be restarted now. A restart forgets what is executed and undoes nothing of it:
// whatever moves is left alone until it is done. One that does not run has nothing to lose, and may be waiting for just
// this change. One that runs and does not answer is restarted once Kafka moves nothing.
func MayRoll(a Activity) (Wait, bool) {
	switch {
	case !a.Runs:
		return Wait{}, true
	case a.Operation != "":
		return Wait{"OperationInProgress", fmt.Sprintf("Cruise Control works for %s", a.Operation)}, false
	case a.Executes:
		return Wait{"Executing", "Cruise Control executes a plan"}, false
	case !a.KafkaAnswers:
		return Wait{"KafkaUnreachable", "Kafka cannot be asked what it moves"}, false
	case a.Reassignments > 0:
		return Wait{"Reassigning", fmt.Sprintf("Kafka moves %d partitions", a.Reassignments)}, false
	}
	return Wait{}, true
}
