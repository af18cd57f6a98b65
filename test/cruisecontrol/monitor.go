package cruisecontrol

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"koperator.dev/koperator/test/cruisecontrol/internal/javajson"
)

// interval is a time in which something was so.
type interval struct {
	from, to time.Time
}

// samplingPeriod is how often it is noted that measuring goes on.
const samplingPeriod = 5 * time.Second

// samples are the times in which Kafka's load was measured.
type samples []interval

func (s *samples) add(from, to time.Time) {
	*s = append(*s, interval{from, to})
}

// in tells whether anything was measured in a time.
func (s samples) in(from, to time.Time) bool {
	return slices.ContainsFunc(s, func(i interval) bool { return i.from.Before(to) && i.to.After(from) })
}

// monitor is Cruise Control's load monitor.
type monitor struct {
	p       *process
	started time.Time
	// since is when measuring began, or zero while nothing is measured.
	since time.Time
	// paused, and why it was or is no longer.
	paused bool
	reason string
}

func (m *monitor) start(p *process) {
	*m = monitor{p: p, started: p.now, reason: "N/A"}
	m.update()
	p.every(samplingPeriod, m.update)
}

func (m *monitor) loading() bool {
	return m.p.now.Before(m.started.Add(m.p.opts.Config.LoadingTime))
}

// measures tells whether partitions are measured now. They are not while replicas move, and not for any broker as long as the
// capacity of one is unknown.
func (m *monitor) measures() bool {
	return !m.loading() && !m.paused && !m.p.executor.moving() && m.unknownBroker() < 0
}

// unknownBroker is a broker without capacity, or -1.
func (m *monitor) unknownBroker() int32 {
	unknown := int32(-1)
	for id := range m.p.metadata.Brokers {
		if _, _, known := m.p.opts.Config.Capacity.of(id); !known && (unknown < 0 || id < unknown) {
			unknown = id
		}
	}
	return unknown
}

// update keeps what was measured since the last time.
func (m *monitor) update() {
	switch measures := m.measures(); {
	case measures && m.since.IsZero():
		m.since = m.p.now
	case measures:
		if len(m.p.samples) > 0 && m.p.samples[len(m.p.samples)-1].from.Equal(m.since) {
			m.p.samples[len(m.p.samples)-1].to = m.p.now
		} else {
			m.p.samples.add(m.since, m.p.now)
		}
	default:
		m.since = time.Time{}
	}
}

// stop keeps what was measured until a death.
func (m *monitor) stop() { m.update() }

// validWindows are those of the last ones that are over in which something was measured.
func (m *monitor) validWindows() int {
	window := m.p.opts.Config.PartitionMetricsWindow
	end := m.p.now.Truncate(window)
	valid := 0
	for range m.p.opts.Config.NumPartitionMetricsWindows {
		if m.p.samples.in(end.Add(-window), end) {
			valid++
		}
		end = end.Add(-window)
	}
	return valid
}

// wrapped is an exception as it comes out of a plan.
const wrapped = "com.linkedin.kafka.cruisecontrol.exception.KafkaCruiseControlException: "

// ready is why there can be no plan.
func (m *monitor) ready() error {
	if m.loading() {
		return errText("%sjava.lang.IllegalStateException: Unable to generate proposal since load monitor is in LOADING state.", wrapped)
	}
	if m.validWindows() == 0 {
		return errText("%s", wrapped+m.noWindow())
	}
	return nil
}

func (m *monitor) noWindow() string {
	return fmt.Sprintf("com.linkedin.cruisecontrol.exception.NotEnoughValidWindowsException: There is no window available in range [-1, %d] (index [1, -1]). Window index (current: 0, oldest: 0).",
		m.p.now.UnixMilli())
}

// capacityError is why the capacity of brokers cannot be told; estimation lets them have that of the entry "-1".
func (m *monitor) capacityError(estimation bool) error {
	for id := range m.p.metadata.Brokers {
		if _, estimated, known := m.p.opts.Config.Capacity.of(id); !known || estimated && !estimation {
			return errText("com.linkedin.kafka.cruisecontrol.exception.BrokerCapacityResolutionException: Unable to resolve capacity of broker %d. "+
				"Either (1) adding the default broker capacity (via adding capacity for broker -1 and allowing capacity estimation) or (2) adding missing broker's capacity in /config/capacity.json.", id)
		}
	}
	return nil
}

// pause ends measuring, resume begins it again.
func (m *monitor) pause(reason string) {
	m.paused, m.reason = true, reason
	m.update()
}

func (m *monitor) resume(reason string) {
	m.paused, m.reason = false, reason
	m.update()
}

// phase is the state's name. Sampling takes the first second of each minute.
func (m *monitor) phase() string {
	switch {
	case m.loading():
		return "LOADING"
	case m.paused:
		return "PAUSED"
	case m.p.now.Second() == 0:
		return "SAMPLING"
	}
	return "RUNNING"
}

// state is MonitorState.
func (m *monitor) state(verbose bool) javajson.Object {
	phase, windows := m.phase(), m.validWindows()
	state := javajson.Object{
		"state": phase, "trained": false, "trainingPct": 0.0, "numMonitoredWindows": windows, "numFlawedPartitions": 0,
		"numValidPartitions": 0, "numTotalPartitions": 0, "monitoringCoveragePct": 0.0,
	}
	switch phase {
	case "LOADING":
		state["numFlawedPartitions"] = -1
		state["loadingProgressPct"] = 100 * float64(m.p.now.Sub(m.started)) / float64(m.p.opts.Config.LoadingTime)
	case "RUNNING", "PAUSED":
		state["reasonOfLatestPauseOrResume"] = m.reason
	}
	if windows > 0 && phase != "LOADING" {
		n := len(m.p.metadata.Partitions)
		state["numValidPartitions"], state["numTotalPartitions"], state["monitoringCoveragePct"] = n, n, 100.0
	}
	if verbose {
		monitored := javajson.Object{}
		end := m.p.now.Truncate(m.p.opts.Config.PartitionMetricsWindow)
		for i := range windows {
			monitored[strconv.FormatInt(end.Add(-time.Duration(i)*m.p.opts.Config.PartitionMetricsWindow).UnixMilli(), 10)] = 1.0
		}
		state["monitoredWindows"] = monitored
	}
	return state
}
