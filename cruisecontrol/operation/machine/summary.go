package machine

import (
	"fmt"
	"time"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

// summary is the operation in a line; nil if there is nothing to say. An object without fields would be refused: applied over
// one that has some, it becomes null.
func (m *machine) summary() *v1beta1.OperationSummary {
	if s := m.describeSummary(); *s != (v1beta1.OperationSummary{}) {
		return s
	}
	return nil
}

func (m *machine) describeSummary() *v1beta1.OperationSummary {
	message := m.message
	if message == "" && m.status.Summary != nil && m.status.Phase == m.Operation.Status.Phase {
		message = m.status.Summary.Message
	}
	s := &v1beta1.OperationSummary{Message: shortened(message, maxSummary)}
	p := m.status.Progress
	if p == nil {
		if m.status.Phase == v1beta1.OperationSucceeded {
			s.Progress = "100%"
		}
		return s
	}
	s.Progress = fmt.Sprintf("%d%%", p.Percent)
	if p.DataTotal > 0 {
		s.Moved = moved(p.DataMoved, p.DataTotal)
	}
	if p.ETASeconds != nil && !m.status.Phase.IsFinished() && m.status.Phase == v1beta1.OperationExecuting {
		s.ETA = roughly(time.Duration(*p.ETASeconds) * time.Second)
	}
	return s
}

// moved is data of all data, such as 5.0/17.8 GiB.
func moved(part, whole int64) string {
	unit, name := float64(1<<30), "GiB"
	if whole < 1<<30 {
		unit, name = float64(1<<20), "MiB"
	}
	return fmt.Sprintf("%.1f/%.1f %s", float64(part)/unit, float64(whole)/unit, name)
}

// roughly is a duration for people.
func roughly(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh%dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%dd%dh", int(d.Hours())/24, int(d.Hours())%24)
}
