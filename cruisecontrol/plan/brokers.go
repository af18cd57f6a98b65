package plan

import (
	"fmt"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

// removeBrokers empties brokers that leave, dead ones too.
func (p *planner) removeBrokers() {
	var targets []target
	for _, t := range p.draining() {
		if p.replicas[t.broker] > 0 {
			targets = append(targets, t)
		}
	}
	p.fulfil(wish{
		kind: v1beta1.RemoveBrokers, targets: targets, why: "no longer in the spec, still holding replicas",
		automatic: p.automation().RemoveBrokers, field: "removeBrokers", isRepeated: true,
	})
}

// addBrokers fills brokers that are new, and those that were put back when they had been emptied in part.
func (p *planner) addBrokers() {
	var targets []target
	for _, id := range p.brokerIDs() {
		t, runs := p.running(id)
		if !runs || !p.serves(id) || p.isBeingEmptied(v1beta1.RemoveBrokers, t) {
			continue
		}
		if t.undo = p.undo(v1beta1.AddBrokers, t); t.undo != "" || p.isUnfilled(t) {
			targets = append(targets, t)
		}
	}
	p.fulfil(wish{
		kind: v1beta1.AddBrokers, targets: targets, why: "waiting for data",
		automatic: p.automation().AddBrokers, field: "addBrokers", hold: p.holdForArrivals,
	})
}

// isBeingEmptied: somebody moves everything off it just now, or is to stop with it.
func (p *planner) isBeingEmptied(kind v1beta1.OperationType, t target) bool {
	for _, op := range p.operations {
		if !op.isFinished() && op.does(kind, t) {
			return true
		}
	}
	return false
}

// isUnfilled tells whether a broker is new, and not filled yet.
func (p *planner) isUnfilled(t target) bool {
	last := p.last(v1beta1.AddBrokers, t)
	switch {
	case last != nil:
		return last.withdrawn // for another broker's sake
	case p.isFirstSpec() || !p.isNearlyEmpty(t.broker):
		return false
	}
	if by := p.emptiedByHand(t); by != nil {
		p.wait(CodeEmptiedByHand, "operation %s has moved all replicas off %s; to move data onto it again, delete that operation, or create %s",
			by.Name, named([]target{t}), p.hint(v1beta1.AddBrokers, []target{t}))
		return false
	}
	return true
}

// isFirstSpec: the spec is as the cluster was created with it, so no broker was added. A cluster that begins has few topics, or
// none, and Kafka itself spreads those that come.
func (p *planner) isFirstSpec() bool { return p.Cluster.Generation <= 1 }

// emptiedByHand is the operation of a person's that emptied a broker that stays.
func (p *planner) emptiedByHand(t target) *operation {
	for _, op := range p.operations {
		if !op.ours && op.Status.Phase == v1beta1.OperationSucceeded && op.does(v1beta1.RemoveBrokers, t) {
			return op
		}
	}
	return nil
}

func (p *planner) automation() v1beta1.Automation {
	if cc := p.Cluster.Spec.CruiseControl; cc != nil && cc.Automation != nil {
		return *cc.Automation
	}
	return v1beta1.Automation{}
}

// fixOfflineReplicas makes the replicas of failed disks again elsewhere. Those of brokers that are down come back with them.
func (p *planner) fixOfflineReplicas() {
	targets := p.offline()
	if len(targets) == 0 {
		return
	}
	since := p.OfflineSince
	if since.IsZero() {
		since = p.Now
	}
	hold := func() (code, message string) {
		left := since.Add(offlineFor).Sub(p.Now)
		if left <= 0 {
			return "", ""
		}
		p.again(left)
		return CodeOffline, fmt.Sprintf("they are made again elsewhere if the disk is not back %s after it failed", offlineFor)
	}
	p.fulfil(wish{
		kind: v1beta1.FixOfflineReplicas, targets: targets, why: "holding replicas that are offline, on a disk that has failed",
		automatic: p.automation().FixOfflineReplicas, field: "fixOfflineReplicas", isRepeated: true, hold: hold,
	})
}

// offline are the brokers that stay and serve, and have replicas that do not.
func (p *planner) offline() []target {
	found := map[int32]bool{}
	for i := range p.Kafka.Partitions {
		for _, id := range p.Kafka.Partitions[i].Offline {
			found[id] = p.serves(id)
		}
	}
	var targets []target
	for _, id := range p.brokerIDs() {
		if !found[id] {
			continue
		}
		t := target{broker: id}
		if broker := p.status[id]; broker != nil {
			t.incarnation = broker.Incarnation
		}
		targets = append(targets, t)
	}
	return targets
}

// HasOffline tells whether Kafka reports replicas offline on brokers that stay and serve.
func HasOffline(f Facts) bool { return f.Kafka != nil && len(newPlanner(f).offline()) > 0 }
