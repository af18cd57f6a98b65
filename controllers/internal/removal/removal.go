// Package removal decides how a node leaves the cluster without a replica being lost. It is pure:
// facts in, the next step with its reason out. No step remembers another: a program that crashed at any line comes to
// the same step again from the same facts.
package removal

// Action is what to do with a node now.
type Action string

const (
	// Keep runs the node as if the spec still had it: if it has no Pod, it gets one.
	Keep Action = "Keep"
	// DeletePod stops the node for good: Kafka has nothing on it.
	DeletePod Action = "DeletePod"
	// Wait does nothing now, and makes no Pod either.
	Wait Action = "Wait"
	// Unregister makes Kafka forget the broker. It is stopped and fenced.
	Unregister Action = "Unregister"
	// DeleteClaims deletes its PersistentVolumeClaims. There is proof that Kafka has nothing on them.
	DeleteClaims Action = "DeleteClaims"
	// Done: nothing of the node is left that holds data; what else it had (a ConfigMap, a Secret) can go.
	Done Action = "Done"
)

// Codes of a Step.
const (
	// CodeKafkaUnreachable: Kafka could not be asked what is on the broker.
	CodeKafkaUnreachable = "KafkaUnreachable"
	// CodeQuorumUnknown: the quorum could not be asked whether the controller votes.
	CodeQuorumUnknown = "QuorumUnknown"
	// CodeVoter: the controller still votes in the metadata quorum.
	CodeVoter = "Voter"
	// CodeReplicas: Kafka reports replicas on the broker.
	CodeReplicas = "Replicas"
	// CodeLastBroker: no other broker could take its place, or answer a question.
	CodeLastBroker = "LastBroker"
	// CodeLogDirsUnknown: the broker runs and has not said what is in its log directories.
	CodeLogDirsUnknown = "LogDirsUnknown"
	// CodeNotFenced: Kafka still counts the broker among the living.
	CodeNotFenced = "NotFenced"
	// CodeStopping: its Pod is terminating.
	CodeStopping = "Stopping"
	// CodeEmpty: Kafka has nothing on it.
	CodeEmpty = "Empty"
)

// Facts are what is known of a node that the spec no longer has. The zero value of each fact is the careful one.
type Facts struct {
	ID                 int32
	Controller, Broker bool

	// PodExists: it has a Pod, also one that is terminating.
	PodExists bool
	// PodTerminating: its Pod is on its way out.
	PodTerminating bool
	// PodStopped: no Kafka runs in its Pod and none will by itself: it failed, crash-loops or cannot be started. Such a
	// broker cannot be asked for its log directories.
	PodStopped bool
	// ClaimsExist: it has PersistentVolumeClaims.
	ClaimsExist bool

	// KafkaKnown: brokers and partitions were described in this pass.
	KafkaKnown bool
	// Registered and Fenced are what Kafka says of the broker.
	Registered, Fenced bool
	// Replicas is the number of partitions whose assignment names the broker, replicas being added or removed included.
	Replicas int
	// LastBroker: no other broker is registered and unfenced.
	LastBroker bool

	// LogDirsKnown: the broker itself has answered DescribeLogDirs in this pass. A log directory that it cannot read counts
	// as empty: nobody can ask what is in it, and the metadata decides alone, as it does for a broker that cannot run.
	LogDirsKnown bool
	// LogDirReplicas is the number of replicas in its log directories, future ones included.
	LogDirReplicas int

	// QuorumKnown: the quorum has a leader, which was asked in this pass.
	QuorumKnown bool
	// Voter: the quorum has a voter with this id, whatever its directory.
	Voter bool
}

// Step is what to do now, and why.
type Step struct {
	Action Action
	// Code is the reason as one word.
	Code string
	// Message is the reason as a sentence; empty when there is nothing to wait for.
	Message string
	// Replicas is the number of replicas that are still to be moved, as far as it is known.
	Replicas int
}

// Removing tells whether the node is past the point of no return: it is empty and is being taken away. Before that, the
// node drains.
func (s Step) Removing() bool { return s.Action != Keep }
