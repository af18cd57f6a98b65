package kafkacluster

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/version"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/apis/machinery/kafka"
)

// cordonedLogDirs are the log directories that Kafka places no new replica in (KIP-1066). Only brokers of Kafka 4.3 and
// later know it, and only with the metadata.version of 4.3.
const cordonedLogDirs = "cordoned.log.dirs"

var firstWithCordon = version.MustParseGeneric("4.3.0")

// withCordon is what the spec wants to be set for a broker, and the cordon: of all disks of a broker that leaves, else of
// those that leave. A directory stays cordoned while the broker is restarted without it; until the cordon is taken away,
// right after, the broker ignores its own dynamic properties.
func (m *member) withCordon() map[string]string {
	properties := map[string]string{}
	if m.node != nil {
		maps.Copy(properties, m.node.DynamicConfig)
	}
	if !m.canCordon() {
		return properties
	}
	if m.leaving() {
		properties[cordonedLogDirs] = "*"
		return properties
	}
	var dirs []string
	for _, path := range m.extraPaths() {
		if path != m.metadataPath() && hasDisk(m.pod, m.claims[path].Name) {
			dirs = append(dirs, v1beta1.LogDir(path))
		}
	}
	if len(dirs) > 0 {
		properties[cordonedLogDirs] = strings.Join(dirs, ",")
	}
	return properties
}

// canCordon tells whether the broker's Kafka knows how to, as far as is known.
func (m *member) canCordon() bool {
	if m.pod == nil || m.uncordonable {
		return false
	}
	runs, err := version.ParseGeneric(m.pod.Labels[v1beta1.LabelVersion])
	return err == nil && runs.AtLeast(firstWithCordon)
}

// cordon takes the cordon out of what is to be set and sets it. That Kafka refuses it, because its metadata.version is
// older, hinders nothing else.
func (s *scope) cordon(ctx context.Context, level int32, set map[string]string) (refused bool, err error) {
	value, wanted := set[cordonedLogDirs]
	if !wanted {
		return false, nil
	}
	delete(set, cordonedLogDirs)
	m := s.member(level)
	err = s.admin.AlterDynamicConfig(ctx, level, map[string]string{cordonedLogDirs: value}, nil)
	switch {
	case errors.Is(err, kafka.ErrUnreachable):
		return false, fmt.Errorf("cordoning %s: %w", m.title(), err)
	case err != nil:
		m.uncordonable = true
		s.wait("cordon of "+m.title(), "CordonRefused", "Kafka may go on placing replicas on %s: %v", value, err)
		return true, nil
	}
	s.event(corev1.EventTypeNormal, "Cordoned", "Remove", "%s: Kafka places no new replicas in %s", m.title(), value)
	return false, nil
}
