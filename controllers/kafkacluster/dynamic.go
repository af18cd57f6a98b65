package kafkacluster

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"koperator.dev/koperator/apis/machinery/kafka"
	"koperator.dev/koperator/controllers/internal/desired"
	"koperator.dev/koperator/controllers/internal/serverproperties"
)

// ownedKeys are the names of the dynamic properties that are ours, by the level they are set at.
type ownedKeys map[int32][]string

// setDynamicProperties sets the dynamic properties of the cluster and of each broker through Kafka, by incremental
// changes of our own keys only: what others set (Cruise Control's throttles, say) is not touched.
//
// Which keys are ours is kept in a ConfigMap that is written before Kafka is told: after a crash in between, a key is
// known to be ours too early and never too late.
func (s *scope) setDynamicProperties(ctx context.Context) error {
	if s.kafkaCluster == nil {
		return nil
	}
	wanted := s.wantedDynamic()
	owned := s.recordedKeys()
	for level, properties := range wanted {
		owned[level] = union(owned[level], slices.Collect(maps.Keys(properties)))
	}
	if err := s.recordKeys(ctx, owned); err != nil {
		return err
	}
	var failures []error
	for level, properties := range wanted {
		if m := s.member(level); m != nil && m.leaving() {
			// Nobody knows what the spec wanted of it: what it was told before stays.
			failures = append(failures, s.setDynamic(ctx, level, properties, []string{cordonedLogDirs}))
			continue
		}
		if err := s.setDynamic(ctx, level, properties, owned[level]); err != nil {
			failures = append(failures, err)
			continue
		}
		owned[level] = sortedKeys(properties)
	}
	return errors.Join(append(failures, s.recordKeys(ctx, owned))...)
}

// wantedDynamic is what the spec wants of every level that can be set now. A broker that is not a member yet is set once
// it is, and one that is stopped, which Kafka may not have noticed, once it is back.
func (s *scope) wantedDynamic() map[int32]map[string]string {
	wanted := map[int32]map[string]string{kafka.ClusterWide: s.cluster.Spec.DynamicConfig}
	for _, m := range s.members {
		if m.broker && m.pod != nil && m.problem == "" && !s.isFenced(m) {
			wanted[m.id] = m.withCordon()
		}
	}
	return wanted
}

// setDynamic makes our keys of one level what the spec wants. What was seen in place is not asked for again for a while.
func (s *scope) setDynamic(ctx context.Context, level int32, wanted map[string]string, owned []string) error {
	if len(owned) == 0 {
		return nil
	}
	what, hash := "dynamic/"+levelName(level), fmt.Sprint(owned, wanted)
	if s.memory.isVerified(what, hash, s.now) {
		return nil
	}
	current, err := s.admin.DynamicConfig(ctx, level)
	if err != nil {
		return fmt.Errorf("reading dynamic properties of %s: %w", levelName(level), err)
	}
	set, remove := dynamicChanges(current, wanted, owned)
	if level == kafka.ClusterWide {
		set, remove = s.keepMinInSyncReplicas(current, set, remove)
	}
	// First, and alone: Kafka refuses every other change while a log directory is cordoned that it does not have any more.
	refused, err := s.cordon(ctx, level, set)
	if err != nil {
		return err
	}
	if len(set)+len(remove) > 0 {
		if err := s.admin.AlterDynamicConfig(ctx, level, set, remove); err != nil {
			return fmt.Errorf("setting dynamic properties of %s: %w", levelName(level), err)
		}
		s.event(corev1.EventTypeNormal, "DynamicConfigSet", "Configure", "%s: set %s; removed %s", levelName(level), sortedKeys(set), remove)
	}
	if !refused {
		s.memory.setVerified(what, hash, s.now)
	}
	return nil
}

// dynamicChanges compares what is set with what is wanted. A key that is not ours is never in the result.
func dynamicChanges(current, wanted map[string]string, owned []string) (set map[string]string, remove []string) {
	set = map[string]string{}
	for key, value := range wanted {
		if have, ok := current[key]; !ok || have != value {
			set[key] = value
		}
	}
	for _, key := range owned {
		_, isWanted := wanted[key]
		if _, isSet := current[key]; isSet && !isWanted {
			remove = append(remove, key)
		}
	}
	return set, remove
}

// recordedKeys are the keys that are known to be ours, of levels that still exist.
func (s *scope) recordedKeys() ownedKeys {
	recorded := ownedKeys{}
	config, ok := live[*corev1.ConfigMap](s, desired.DynamicConfigMapName(s.cluster.Name)).(*corev1.ConfigMap)
	if !ok {
		return recorded
	}
	for name, keys := range config.Data {
		if level, ok := parseLevel(name); ok && (level == kafka.ClusterWide || s.member(level) != nil) {
			recorded[level] = strings.Fields(keys)
		}
	}
	return recorded
}

const minInSyncReplicas = "min.insync.replicas"

// keepMinInSyncReplicas sets the property to what every broker starts with where it should be removed: Kafka refuses to
// remove it for the whole cluster while eligible leader replicas are enabled (KIP-966).
func (s *scope) keepMinInSyncReplicas(current, set map[string]string, remove []string) (map[string]string, []string) {
	at := slices.Index(remove, minInSyncReplicas)
	if at < 0 {
		return set, remove
	}
	for _, m := range s.members {
		if m.wanted == nil || !m.broker {
			continue
		}
		if value := serverproperties.Values(m.wanted.properties)[minInSyncReplicas]; value != "" && value != current[minInSyncReplicas] {
			set[minInSyncReplicas] = value
		}
		break
	}
	return set, slices.Delete(remove, at, at+1)
}

func (s *scope) recordKeys(ctx context.Context, owned ownedKeys) error {
	data := map[string]string{}
	for level, keys := range owned {
		if len(keys) > 0 {
			data[levelName(level)] = strings.Join(keys, "\n")
		}
	}
	name := desired.DynamicConfigMapName(s.cluster.Name)
	existing := live[*corev1.ConfigMap](s, name)
	if len(data) == 0 && existing == nil {
		return nil
	}
	_, err := s.memory.apply.Apply(ctx, desired.DynamicConfigMap(s.cluster, data), existing)
	return err
}

const clusterLevel = "cluster"

func levelName(level int32) string {
	if level == kafka.ClusterWide {
		return clusterLevel
	}
	return fmt.Sprintf("broker-%d", level)
}

func parseLevel(name string) (int32, bool) {
	if name == clusterLevel {
		return kafka.ClusterWide, true
	}
	id, err := strconv.ParseInt(strings.TrimPrefix(name, "broker-"), 10, 32)
	return int32(id), err == nil
}

func union(a, b []string) []string {
	all := append(slices.Clone(a), b...)
	slices.Sort(all)
	return slices.Compact(all)
}

func sortedKeys(properties map[string]string) []string {
	return slices.Sorted(maps.Keys(properties))
}
