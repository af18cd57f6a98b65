package plan

import (
	"slices"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

// questions are what has to be asked. Brokers and disks that were seen with data, or were filled in this life, are in
// question no more.
func (p *planner) questions() Questions {
	q := Questions{Kafka: len(p.draining()) > 0 || !p.OfflineSince.IsZero()}
	for _, id := range p.brokerIDs() {
		if t, runs := p.running(id); runs && p.isInQuestion(v1beta1.AddBrokers, t) {
			q.Kafka = q.Kafka || !p.isFirstSpec() || p.undo(v1beta1.AddBrokers, t) != ""
		}
	}
	for _, t := range p.disks(v1beta1.VolumeDraining) {
		q.ask(t.broker)
	}
	for _, t := range p.disks(v1beta1.VolumeActive) {
		_, runs := p.running(t.broker)
		if runs && t.incarnation != "" && !p.isOnlyDisk(t) && p.isInQuestion(v1beta1.RebalanceDisks, t) {
			q.ask(t.broker)
		}
	}
	return q
}

func (q *Questions) ask(broker int32) {
	q.Kafka = true
	if !slices.Contains(q.LogDirs, broker) {
		q.LogDirs = append(q.LogDirs, broker)
	}
}

// isInQuestion tells whether a broker or disk may have to be filled.
func (p *planner) isInQuestion(kind v1beta1.OperationType, t target) bool {
	if p.undo(kind, t) != "" {
		return true
	}
	if last := p.last(kind, t); last != nil {
		return last.withdrawn
	}
	return !p.Settled[t.life().String()]
}

// settle notes which brokers and disks hold data.
func (p *planner) settle() {
	for _, id := range p.brokerIDs() {
		if t, runs := p.running(id); runs {
			p.note(t, p.data[id] > 0 && !p.isNearlyEmpty(id))
		}
	}
	for _, t := range p.disks(v1beta1.VolumeActive) {
		if dir, _ := p.dirOf(t); dir != nil && t.incarnation != "" {
			p.note(t, dir.Replicas > 0 && !p.isNearlyEmptyDisk(t))
		}
	}
}

func (p *planner) note(t target, settled bool) {
	if settled {
		p.plan.Settled = append(p.plan.Settled, t.life().String())
	} else {
		p.plan.Unsettled = append(p.plan.Unsettled, t.life().String())
	}
}
