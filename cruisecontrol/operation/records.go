package operation

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/apis/machinery/kafka"
	"koperator.dev/koperator/cruisecontrol/operation/machine"
)

// +kubebuilder:rbac:groups="",resources=configmaps,verbs=get;create;patch;delete

// The record of an operation is a ConfigMap that goes with it: record.json for people and programs, and the plan, compressed.
// What does not fit into one ConfigMap is in further ones, named after their content, which are written before.
const (
	recordKey = "record.json"
	planKey   = "plan.json.gz"
	// partSize keeps a ConfigMap below its limit of 1 MiB.
	partSize = 900 << 10
	// maxParts bounds what is kept: beyond it, where replicas come from is left out.
	maxParts = 8
)

// recordFile is what record.json holds.
type recordFile struct {
	Attempt        int32                  `json:"attempt"`
	Retries        int32                  `json:"retries,omitempty"`
	Restarts       int32                  `json:"restarts,omitempty"`
	Hash           string                 `json:"hash,omitempty"`
	ApprovedAs     string                 `json:"approvedAs,omitempty"`
	Destinations   []int32                `json:"destinations,omitempty"`
	IncludeRemoved bool                   `json:"includeRemoved,omitempty"`
	Throttle       *throttleFile          `json:"throttle,omitempty"`
	Finished       v1beta1.OperationPhase `json:"finished,omitempty"`
	Message        string                 `json:"message,omitempty"`
	Parts          []string               `json:"parts,omitempty"`
}

type throttleFile struct {
	Rate    int64    `json:"rate"`
	Brokers []int32  `json:"brokers"`
	Topics  []string `json:"topics"`
}

// planFile is where partitions go: by topic, each with its number, its replicas before, and after.
type planFile map[string][]moveFile

type moveFile struct {
	Partition int32   `json:"p"`
	Old       []int32 `json:"old,omitempty"`
	New       []int32 `json:"new"`
}

// readRecord reads the record, once in the life of this process: nobody else writes it.
func (s *scope) readRecord(ctx context.Context, known *remembered) error {
	if !known.read {
		record, parts, err := s.fetchRecord(ctx)
		if err != nil {
			return err
		}
		known.record, known.parts, known.read = record, parts, true
	}
	s.facts.Record = known.record
	return nil
}

func (s *scope) fetchRecord(ctx context.Context) (*machine.Record, []string, error) {
	head := &corev1.ConfigMap{}
	err := s.reader.Get(ctx, s.objectName(machine.RecordName(s.op().UID)), head)
	if apierrors.IsNotFound(err) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("reading the record: %w", err)
	}
	var file recordFile
	if err := json.Unmarshal([]byte(head.Data[recordKey]), &file); err != nil {
		return nil, nil, fmt.Errorf("reading the record in ConfigMap %s: %w", head.Name, err)
	}
	plan := head.BinaryData[planKey]
	for _, name := range file.Parts {
		part := &corev1.ConfigMap{}
		if err := s.reader.Get(ctx, s.objectName(name), part); err != nil {
			return nil, nil, fmt.Errorf("reading a part of the record: %w", err)
		}
		plan = append(plan, part.BinaryData[planKey]...)
	}
	moves, err := unpack(plan)
	if err != nil {
		return nil, nil, fmt.Errorf("reading the plan in ConfigMap %s: %w", head.Name, err)
	}
	return file.record(moves), file.Parts, nil
}

func (s *scope) objectName(name string) types.NamespacedName {
	return types.NamespacedName{Namespace: s.op().Namespace, Name: name}
}

// keepRecord writes it: what the head leads to first.
func (s *scope) keepRecord(ctx context.Context, record machine.Record) error {
	plan, err := pack(record.Moves)
	if err != nil {
		return fmt.Errorf("packing the plan: %w", err)
	}
	known := s.memory.of(s.op())
	file := fileOf(&record)
	first, rest := plan[:min(len(plan), partSize)], plan[min(len(plan), partSize):]
	for part := range slices.Chunk(rest, partSize) {
		name := fmt.Sprintf("%s-%s", machine.RecordName(s.op().UID), shortHash(part))
		file.Parts = append(file.Parts, name)
		if err := s.applyConfigMap(ctx, name, nil, part); err != nil {
			return err
		}
	}
	head, err := json.MarshalIndent(file, "", "  ")
	if err != nil {
		return fmt.Errorf("marshalling the record: %w", err)
	}
	if err := s.applyConfigMap(ctx, machine.RecordName(s.op().UID), map[string]string{recordKey: string(head)}, first); err != nil {
		return err
	}
	old := known.parts
	known.record, known.parts, known.read = &record, file.Parts, true
	s.facts.Record = known.record
	return s.dropParts(ctx, old, file.Parts)
}

func (s *scope) applyConfigMap(ctx context.Context, name string, data map[string]string, plan []byte) error {
	cm := corev1ac.ConfigMap(name, s.op().Namespace).
		WithLabels(map[string]string{v1beta1.LabelCluster: s.op().Spec.ClusterRef.Name}).
		WithOwnerReferences(metav1ac.OwnerReference().WithAPIVersion(v1beta1.GroupVersion.String()).WithKind("CruiseControlOperation").
			WithName(s.op().Name).WithUID(s.op().UID).WithController(true).WithBlockOwnerDeletion(true))
	if data != nil {
		cm.WithData(data)
	}
	if len(plan) > 0 {
		cm.WithBinaryData(map[string][]byte{planKey: plan})
	}
	_, err := s.applier.Apply(ctx, cm, nil)
	return err
}

// dropParts deletes parts that nothing leads to any more.
func (s *scope) dropParts(ctx context.Context, old, wanted []string) error {
	for _, name := range old {
		if slices.Contains(wanted, name) {
			continue
		}
		part := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: s.op().Namespace, Name: name}}
		if err := s.client.Delete(ctx, part); client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("deleting a part of an older record: %w", err)
		}
	}
	return nil
}

func fileOf(r *machine.Record) recordFile {
	file := recordFile{
		Attempt: r.Attempt, Retries: r.Retries, Restarts: r.Restarts, Hash: r.Hash, ApprovedAs: r.ApprovedAs, Destinations: r.Destinations,
		IncludeRemoved: r.IncludeRemoved, Finished: r.Finished, Message: r.Message,
	}
	if r.Throttle != nil {
		file.Throttle = &throttleFile{r.Throttle.Rate, r.Throttle.Brokers, r.Throttle.Topics}
	}
	return file
}

func (f *recordFile) record(moves []machine.Move) *machine.Record {
	r := &machine.Record{
		Attempt: f.Attempt, Retries: f.Retries, Restarts: f.Restarts, Hash: f.Hash, ApprovedAs: f.ApprovedAs, Moves: moves, Destinations: f.Destinations,
		IncludeRemoved: f.IncludeRemoved, Finished: f.Finished, Message: f.Message,
	}
	if f.Throttle != nil {
		r.Throttle = &machine.Throttle{Rate: f.Throttle.Rate, Brokers: f.Throttle.Brokers, Topics: f.Throttle.Topics}
	}
	return r
}

// pack compresses a plan. One that is too large is kept without where replicas come from: to clean up, nobody has to know that.
func pack(moves []machine.Move) ([]byte, error) {
	if len(moves) == 0 {
		return nil, nil
	}
	packed, err := packed(moves, true)
	if err == nil && len(packed) > maxParts*partSize {
		return packedWithoutOld(moves)
	}
	return packed, err
}

func packedWithoutOld(moves []machine.Move) ([]byte, error) { return packed(moves, false) }

func packed(moves []machine.Move, withOld bool) ([]byte, error) {
	file := planFile{}
	for i := range moves {
		move := moveFile{Partition: moves[i].Partition, New: moves[i].New}
		if withOld {
			move.Old = moves[i].Old
		}
		file[moves[i].Topic] = append(file[moves[i].Topic], move)
	}
	var out bytes.Buffer
	writer := gzip.NewWriter(&out)
	err := errors.Join(json.NewEncoder(writer).Encode(file), writer.Close())
	return out.Bytes(), err
}

// unpack is the inverse of pack.
func unpack(plan []byte) ([]machine.Move, error) {
	if len(plan) == 0 {
		return nil, nil
	}
	reader, err := gzip.NewReader(bytes.NewReader(plan))
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(reader)
	if err != nil {
		return nil, err
	}
	file := planFile{}
	if err := json.Unmarshal(text, &file); err != nil {
		return nil, err
	}
	var moves []machine.Move
	for topic, list := range file {
		for _, move := range list {
			moves = append(moves, machine.Move{TopicPartition: kafka.TopicPartition{Topic: topic, Partition: move.Partition}, Old: move.Old, New: move.New})
		}
	}
	slices.SortFunc(moves, func(a, b machine.Move) int { return a.Compare(b.TopicPartition) })
	return moves, nil
}

func shortHash(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:5])
}
