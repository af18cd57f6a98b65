// Package storage decides how a disk leaves a broker without a replica being lost. It is pure: facts in, the next step with
// its reason out. No step remembers another, and no disk waits for another one.
package storage

// Action is what to do with a disk now.
type Action string

const (
	// Keep leaves the disk in Kafka's configuration and in the Pod.
	Keep Action = "Keep"
	// LeaveOut makes the next Pod of the broker one without the disk: there is proof that Kafka has nothing on it.
	LeaveOut Action = "LeaveOut"
	// Wait does nothing now, and does not give the disk back to Kafka either.
	Wait Action = "Wait"
	// DeleteClaim deletes its PersistentVolumeClaim: the broker runs without it and has all that it should have.
	DeleteClaim Action = "DeleteClaim"
)

// Codes of a Step.
const (
	// CodeMetadataLog: the node's metadata log is on the disk.
	CodeMetadataLog = "MetadataLog"
	// CodeKafkaUnreachable: Kafka could not be asked.
	CodeKafkaUnreachable = "KafkaUnreachable"
	// CodeLogDirsUnknown: the broker has not said what is in its log directories.
	CodeLogDirsUnknown = "LogDirsUnknown"
	// CodeReplicas: Kafka has replicas on the disk, or may be about to make one there.
	CodeReplicas = "Replicas"
	// CodeDiskFailed: Kafka cannot read the disk, and replicas of the broker are missing elsewhere.
	CodeDiskFailed = "DiskFailed"
	// CodeNotCordoned: Kafka may still place replicas on the disk.
	CodeNotCordoned = "NotCordoned"
	// CodeRestart: the broker has to be restarted without the disk.
	CodeRestart = "Restart"
	// CodeNotRunning: the broker does not run without the disk yet.
	CodeNotRunning = "NotRunning"
	// CodeEmpty: Kafka has nothing on it.
	CodeEmpty = "Empty"
)

// Facts are what is known of a disk that the spec no longer has. The zero value of each fact is the careful one.
type Facts struct {
	Broker int32
	// Metadata: the node's metadata log is on the disk.
	Metadata bool

	// Mounted: the broker's Pod has the disk.
	Mounted bool
	// Released: a Pod that had the disk was stopped on the proof that Kafka has nothing on it, and no other Pod had it since.
	Released bool

	// KafkaKnown: brokers and partitions were described in this pass.
	KafkaKnown bool
	// LogDirsKnown: the broker, which runs, has answered DescribeLogDirs in this pass.
	LogDirsKnown bool
	// LogDir: the disk's log directory is among those that it answered.
	LogDir bool
	// Failed is Kafka's error about that directory; empty when it can be read.
	Failed string
	// Replicas in that directory, future ones included.
	Replicas int
	// Missing is the number of replicas that Kafka has assigned to the broker and that are in none of its other log
	// directories that can be read.
	Missing int

	// CanCordon: Kafka can be told not to place anything on the disk (4.3 and later).
	CanCordon bool
	// Cordoned: the broker says that it was told.
	Cordoned bool
}

// Step is what to do now, and why.
type Step struct {
	Action Action
	// Code is the reason as one word.
	Code string
	// Message is the reason as a sentence; empty when there is nothing to wait for.
	Message string
}

// Removing tells whether the disk is empty and is being taken away. Before that, it drains.
func (s Step) Removing() bool { return s.Action != Keep }
