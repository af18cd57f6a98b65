package operation

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	kafkaac "koperator.dev/koperator/apis/kafka/v1beta1/applyconfiguration/kafka/v1beta1"
)

// need says when a status is worth writing.
type need bool

const (
	// ifNeeded writes what people or another process have to know, and mere progress from time to time.
	ifNeeded need = false
	// always writes: what follows rests on it.
	always need = true
)

// progressEvery is how often mere progress is written, below a percent.
const progressEvery = 30 * time.Second

// writeStatus writes what was decided, unless it is what is written already.
func (s *scope) writeStatus(ctx context.Context, n need) error {
	before, after := &s.written, &s.op().Status
	setMetrics(s.op())
	if equality.Semantic.DeepEqual(before, after) || n == ifNeeded && isMereProgress(before, after) && s.sinceWritten() < progressEvery {
		return nil
	}
	wanted := &kafkaac.CruiseControlOperationStatusApplyConfiguration{}
	if err := convert(after, wanted); err != nil {
		return err
	}
	ac := kafkaac.CruiseControlOperation(s.op().Name, s.op().Namespace).WithUID(s.op().UID).WithStatus(wanted)
	if n == always {
		// If anybody has changed the operation since it was read, cancelled it say, that has to be looked at first.
		ac.WithResourceVersion(s.op().ResourceVersion)
	}
	if err := s.applier.Status(ctx, ac); err != nil {
		return err
	}
	known := s.memory.of(s.op())
	known.writtenAt = s.clock.Now()
	if ac.ResourceVersion != nil {
		s.op().ResourceVersion, known.version = *ac.ResourceVersion, *ac.ResourceVersion
	}
	s.announce(before, after)
	s.written = *after.DeepCopy()
	return nil
}

// isMereProgress tells whether two statuses differ only in how far the execution is, and by less than a percent.
func isMereProgress(before, after *v1beta1.CruiseControlOperationStatus) bool {
	if before.Progress == nil || after.Progress == nil || before.Progress.Percent != after.Progress.Percent || before.Progress.Phase != after.Progress.Phase {
		return false
	}
	a, b := before.DeepCopy(), after.DeepCopy()
	a.Progress, a.Summary, b.Progress, b.Summary = nil, nil, nil, nil
	return equality.Semantic.DeepEqual(a, b)
}

// convert turns an API type into its apply configuration, which has the same JSON.
func convert(from, to any) error {
	body, err := json.Marshal(from)
	if err != nil {
		return fmt.Errorf("marshalling: %w", err)
	}
	if err := json.Unmarshal(body, to); err != nil {
		return fmt.Errorf("unmarshalling: %w", err)
	}
	return nil
}
