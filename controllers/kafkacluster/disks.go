package kafkacluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/apis/machinery/kafka"
	"koperator.dev/koperator/controllers/internal/desired"
	"koperator.dev/koperator/controllers/internal/storage"
)

// removeDisks takes the next step for each disk that the spec no longer has. To leave out a log directory that holds
// replicas loses those that have no other copy, without a word from Kafka: a disk stays in Kafka's configuration, and
// mounted, until Kafka is found to have nothing on it.
//
// What a Pod is made with is decided by the claims alone: one that a disk was proven empty for is marked when the Pod that
// had it is stopped, and not before, so that a Pod that is lost in between comes back with all that it may need.
func (s *scope) removeDisks(ctx context.Context) error {
	dirs := s.logDirsOf(ctx, "removal of disks", func(m *member) bool { return !m.leaving() && len(m.removedPaths()) > 0 })
	var failures []error
	for _, m := range s.members {
		if m.leaving() || m.foreign != "" {
			continue
		}
		for _, path := range m.removedPaths() {
			if err := s.removeDisk(ctx, m, path, dirs[m.id]); err != nil {
				failures = append(failures, fmt.Errorf("%s of %s: %w", path, m.title(), err))
			}
		}
		if len(m.emptied) > 0 && m.wanted != nil {
			failures = append(failures, s.drawUp(m))
		}
	}
	return errors.Join(failures...)
}

func (s *scope) removeDisk(ctx context.Context, m *member, path string, dirs []kafka.LogDir) error {
	claim := m.claims[path]
	if claim.Annotations[v1beta1.AnnotationReleased] != "" && !m.isReleased(path) {
		return s.markReleased(ctx, claim, "") // another Pod has had the disk since
	}
	step := storage.Next(s.diskFacts(m, path, dirs))
	if step.Message != "" {
		s.wait(fmt.Sprintf("removal of %s of %s", path, m.title()), step.Code, "%s", step.Message)
	}
	switch step.Action {
	case storage.LeaveOut:
		m.emptied = append(m.emptied, path)
	case storage.DeleteClaim:
		m.emptied = append(m.emptied, path)
		if claim.DeletionTimestamp.IsZero() {
			return s.deleteClaim(ctx, m, path)
		}
	case storage.Keep, storage.Wait:
	}
	return nil
}

// diskFacts are what is known of a disk. dirs are nil if the broker has not answered.
func (s *scope) diskFacts(m *member, path string, dirs []kafka.LogDir) storage.Facts {
	facts := storage.Facts{
		Broker:       m.id,
		Metadata:     path == m.metadataPath(),
		Mounted:      hasDisk(m.pod, m.claims[path].Name),
		Released:     m.isReleased(path),
		KafkaKnown:   s.kafkaCluster != nil,
		LogDirsKnown: dirs != nil,
		CanCordon:    m.canCordon(),
	}
	if !facts.KafkaKnown || !facts.LogDirsKnown {
		return facts
	}
	for _, dir := range dirs {
		if dir.Path != v1beta1.LogDir(path) {
			continue
		}
		facts.LogDir, facts.Replicas, facts.Cordoned = true, dir.Replicas, dir.Cordoned
		if dir.Err != nil {
			facts.Failed = dir.Err.Error()
		}
	}
	facts.Missing = s.missingReplicas(m.id, v1beta1.LogDir(path), dirs)
	return facts
}

// missingReplicas counts the replicas that are assigned to a broker and in none of its log directories but one.
func (s *scope) missingReplicas(id int32, except string, dirs []kafka.LogDir) int {
	found := map[kafka.TopicPartition]bool{}
	for _, dir := range dirs {
		if dir.Path == except || dir.Err != nil {
			continue
		}
		for _, partition := range dir.Partitions {
			found[partition] = true
		}
	}
	missing := 0
	for i := range s.kafkaCluster.Partitions {
		p := &s.kafkaCluster.Partitions[i]
		if slices.Contains(p.Replicas, id) && !found[kafka.TopicPartition{Topic: p.Topic, Partition: p.Partition}] {
			missing++
		}
	}
	return missing
}

// stillEmpty asks once more, just before the broker is stopped, whether the disks that it is restarted without are empty.
func (s *scope) stillEmpty(ctx context.Context, m *member) (bool, error) {
	if len(m.emptied) == 0 {
		return true, nil
	}
	dirs, err := s.admin.LogDirs(ctx, []int32{m.id})
	if err != nil {
		return false, fmt.Errorf("looking at the disks of %s once more: %w", m.title(), err)
	}
	for _, path := range m.emptied {
		if step := storage.Next(s.diskFacts(m, path, dirs[m.id])); step.Action == storage.Keep {
			s.wait("restart of "+m.title(), step.Code, "%s: %s", path, step.Message)
			return false, nil
		}
	}
	return true, nil
}

// releaseDisks marks the claims of the disks that were empty when the Pod that had them was stopped.
func (s *scope) releaseDisks(ctx context.Context, m *member) error {
	for _, path := range m.emptied {
		if m.pod == nil || !hasDisk(m.pod, m.claims[path].Name) {
			continue
		}
		if err := s.markReleased(ctx, m.claims[path], m.pod.UID); err != nil {
			return err
		}
	}
	return nil
}

func (s *scope) markReleased(ctx context.Context, claim *corev1.PersistentVolumeClaim, pod types.UID) error {
	value := any(pod)
	if pod == "" {
		value = nil
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"uid": claim.UID, "annotations": map[string]any{v1beta1.AnnotationReleased: value},
	}})
	if err != nil {
		return fmt.Errorf("marshalling: %w", err)
	}
	marked := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: claim.Namespace, Name: claim.Name}}
	if err := s.client.Patch(ctx, marked, client.RawPatch(types.MergePatchType, patch)); err != nil {
		return fmt.Errorf("marking claim %s: %w", claim.Name, err)
	}
	return nil
}

// claimsLag looks, past the cache, whether a disk that the node's next Pod would have was released a moment ago.
func (s *scope) claimsLag(ctx context.Context, m *member) (bool, error) {
	for _, path := range m.extraPaths() {
		if m.isLeftOut(path) {
			continue
		}
		claim := &corev1.PersistentVolumeClaim{}
		err := s.reader.Get(ctx, client.ObjectKeyFromObject(m.claims[path]), claim)
		if err != nil && !apierrors.IsNotFound(err) {
			return false, fmt.Errorf("reading claim: %w", err)
		}
		if err != nil || claim.Annotations[v1beta1.AnnotationReleased] != m.claims[path].Annotations[v1beta1.AnnotationReleased] {
			return true, nil
		}
	}
	return false, nil
}

// disks are those of the node's next Pod.
func (m *member) disks() desired.Disks {
	disks := desired.Disks{Metadata: m.metadataPath()}
	for _, path := range m.extraPaths() {
		if !m.isLeftOut(path) {
			disks.Extra = append(disks.Extra, path)
		}
	}
	for _, path := range m.removedPaths() {
		if m.inSpec(path) {
			disks.Missing = append(disks.Missing, path)
		}
	}
	return disks
}

// mountedPaths are the disks of the node's next Pod.
func (m *member) mountedPaths() []string {
	if m.leaving() {
		return m.paths()
	}
	return m.disks().Paths(m.node)
}

// removedPaths are the disks that the spec no longer has, and those that it has again after they were released: these are
// deleted as well, so that the path gets a blank one.
func (m *member) removedPaths() []string {
	removed := m.extraPaths()
	if m.node == nil {
		return removed
	}
	for _, disk := range m.node.Storage {
		if m.isReleased(disk.Path) {
			removed = append(removed, disk.Path)
		}
	}
	return removed
}

// isLeftOut tells whether the node's next Pod is made without a disk that the spec no longer has.
func (m *member) isLeftOut(path string) bool {
	claim := m.claims[path]
	return m.isReleased(path) || slices.Contains(m.emptied, path) || !claim.DeletionTimestamp.IsZero() && !hasDisk(m.pod, claim.Name)
}

// isReleased tells whether Kafka had nothing on a disk when the Pod that had it was stopped, and no other Pod has had it
// since.
func (m *member) isReleased(path string) bool {
	claim := m.claims[path]
	if claim == nil || claim.Annotations[v1beta1.AnnotationReleased] == "" {
		return false
	}
	return !hasDisk(m.pod, claim.Name) || string(m.pod.UID) == claim.Annotations[v1beta1.AnnotationReleased]
}

// metadataPath is the disk that the node's metadata log is on. It stays there, also if the spec puts another disk first.
func (m *member) metadataPath() string {
	if m.config != nil {
		if path := desired.MetadataPath(m.config.Data); m.claims[path] != nil {
			return path
		}
	}
	if paths := m.paths(); len(paths) > 0 {
		return paths[0]
	}
	return ""
}

// hasDisk tells whether a Pod has a claim.
func hasDisk(pod *corev1.Pod, claim string) bool {
	return pod != nil && slices.ContainsFunc(pod.Spec.Volumes, func(v corev1.Volume) bool {
		return v.PersistentVolumeClaim != nil && v.PersistentVolumeClaim.ClaimName == claim
	})
}
