// Package cruisecontrol is a stand-in for LinkedIn's Cruise Control: it speaks the protocol of version 2.5.146 and is not it.
//
// It is written for tests of a client and of an operator, against whom it takes the part of the real one with its bad manners:
// failures that are told apart by their text, metadata that is ten seconds old, tasks that are forgotten, slots that run out, a
// stop that is lost, reassignments and throttles that are left behind, a SIGTERM that hangs. Behind it is a Backend: a model
// of a Kafka cluster whose time can be set, or a real cluster whose replicas it really moves.
//
// What it is not: it measures no load and has no samples, so that CPU and network are numbers out of the air; it plans for racks and
// even counts of replicas only, whatever goals are named; it detects no anomalies; it has no access log, no user interface and no
// plain-text tables worth reading; rightsize, bootstrap, train and two goals of the Kafka assigner are names only. It must not
// be given a cluster that anybody needs.
package cruisecontrol
