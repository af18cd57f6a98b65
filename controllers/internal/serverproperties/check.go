package serverproperties

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Problem is a property that Kafka or Koperator would refuse, and what to do instead.
type Problem struct {
	Key     string
	Message string
}

func (p Problem) String() string { return p.Key + ": " + p.Message }

// Level is where a dynamic property is set.
type Level int

const (
	// ClusterLevel is the default of all brokers: spec.dynamicConfig.
	ClusterLevel Level = iota
	// BrokerLevel is one broker: dynamicConfig of a group or of a broker.
	BrokerLevel
)

// clusterOnly are dynamic properties that Kafka refuses for one broker.
var clusterOnly = map[string]string{
	"min.insync.replicas": "Kafka refuses it for one broker while eligible leader replicas are enabled (KIP-966): move it to spec.dynamicConfig",
}

// CheckConfig finds what the schema cannot refuse in a config: properties that are Koperator's, and values that would end
// Kafka at its start. Problems are sorted by key.
func CheckConfig(config map[string]string) []Problem {
	return check(config, func(string) string { return "" })
}

// CheckReporter finds properties in a config that are Koperator's while it brings Cruise Control's metrics reporter.
func CheckReporter(config map[string]string) []Problem {
	var problems []Problem
	for _, key := range slices.Sorted(maps.Keys(config)) {
		if ReporterOwned(key) {
			problems = append(problems, Problem{key, "it is set by Koperator from spec.cruiseControl.metricsReporter: remove it"})
		}
	}
	return problems
}

// CheckDynamicConfig finds what the schema cannot refuse in a dynamicConfig.
func CheckDynamicConfig(config map[string]string, level Level) []Problem {
	return check(config, func(key string) string { return dynamicProblem(key, level) })
}

func dynamicProblem(key string, level Level) string {
	scope := Classify(key)
	switch {
	case scope == ReadOnly:
		return key + " is read-only: move it to config"
	case scope == PerBroker && level == ClusterLevel:
		return key + " can be set for single brokers only: move it to the dynamicConfig of groups or brokers"
	case level == BrokerLevel && clusterOnly[key] != "":
		return clusterOnly[key]
	}
	return ""
}

// Warnings finds what is accepted and may still be a mistake: names that Kafka 4.3 does not have.
func Warnings(config map[string]string) []Problem {
	var problems []Problem
	for _, key := range slices.Sorted(maps.Keys(config)) {
		if Classify(key) == Unknown && !strings.HasPrefix(key, ReporterPrefix) {
			problems = append(problems, Problem{key, "Kafka 4.3 has no property of this name; it is passed on as it is, for plugins"})
		}
	}
	return problems
}

func check(config map[string]string, refuse func(key string) string) []Problem {
	var problems []Problem
	for _, key := range slices.Sorted(maps.Keys(config)) {
		if message := problemOf(key, config[key], refuse); message != "" {
			problems = append(problems, Problem{key, message})
		}
	}
	return problems
}

// problemOf names the first thing that is wrong with a property; empty when nothing is.
func problemOf(key, value string, refuse func(key string) string) string {
	if field, owned := Owned(key); owned {
		return fmt.Sprintf("it is set by Koperator from %s: remove it", field)
	}
	if message := refuse(key); message != "" {
		return message
	}
	base, _ := withoutListener(key)
	if d, ok := lookup(base); ok {
		return d.refuses(value)
	}
	return ""
}
