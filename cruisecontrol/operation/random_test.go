package operation

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/test/cruisecontrol"
)

// Whatever goes wrong, in whatever order: operations end, succeed once the world lets them, are sent once for each attempt, and
// leave nothing behind.
func TestRandom(t *testing.T) {
	seeds := uint64(6)
	if os.Getenv("KOPERATOR_TEST_FULL") != "" {
		seeds = 200
	}
	for seed := range seeds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			inBubble(t, func(w *world) { w.randomStory(rand.New(rand.NewPCG(seed, 1))) }, func(c *cruisecontrol.Config) {
				c.PlanningTime = time.Duration(seed%4) * 3 * time.Second
			})
		})
	}
}

// randomStory makes some operations while things go wrong, and lets the world heal.
func (w *world) randomStory(r *rand.Rand) {
	w.Helper()
	w.slow()
	names := []string{"a", "b", "c"}
	for _, name := range names {
		w.operation(name, randomSpec(r))
		for range 1 + r.IntN(3) {
			time.Sleep(time.Duration(r.IntN(180)) * time.Second)
			w.trouble(r, name)
		}
	}
	w.heal()
	for _, name := range names {
		w.until(name+" ends", 24*time.Hour, func() bool { return w.op(name).Status.Phase.IsFinished() })
		if s := w.op(name).Status; s.Phase == v1beta1.OperationFailed && s.Retries < 6 {
			w.Errorf("%s failed: %s", name, w.describe())
		}
	}
	w.until("all is given back", 10*time.Minute, func() bool {
		return !slices.ContainsFunc(names, func(name string) bool { return len(w.op(name).Finalizers) > 0 || w.op(name).Status.Throttle != nil })
	})
	w.clean()
	if w.Failed() {
		w.Log(w.describe())
	}
}

func randomSpec(r *rand.Rand) v1beta1.CruiseControlOperationSpec {
	specs := []v1beta1.CruiseControlOperationSpec{
		{Type: v1beta1.AddBrokers, Brokers: []int32{3}},
		{Type: v1beta1.RemoveBrokers, Brokers: []int32{0}},
		{Type: v1beta1.Rebalance},
		{Type: v1beta1.RebalanceDisks},
		{Type: v1beta1.DemoteBrokers, Brokers: []int32{1}},
		{Type: v1beta1.RemoveDisks, Disks: []v1beta1.BrokerDisks{{Broker: 1, Paths: []string{"/b"}}}},
		{Type: v1beta1.ChangeReplicationFactor, Topics: []v1beta1.TopicReplication{{Pattern: "t", ReplicationFactor: 2}}},
		{Type: v1beta1.FixOfflineReplicas},
	}
	spec := specs[r.IntN(len(specs))]
	if r.IntN(2) == 0 && spec.Type != v1beta1.DemoteBrokers && spec.Type != v1beta1.RemoveDisks && spec.Type != v1beta1.RebalanceDisks {
		throttled(&spec)
	}
	return spec
}

// trouble is something that goes wrong.
func (w *world) trouble(r *rand.Rand, name string) {
	w.Helper()
	kinds := []cruisecontrol.FaultKind{
		cruisecontrol.FaultResetBefore, cruisecontrol.FaultResetAfter, cruisecontrol.FaultSlow, cruisecontrol.FaultHang, cruisecontrol.FaultSlowRollback,
		cruisecontrol.FaultCompletedBeforeExecution,
	}
	pause := time.Duration(5+r.IntN(60)) * time.Second
	switch r.IntN(6) {
	case 0:
		w.killCruiseControl(pause)
	case 1:
		w.killManager()
		time.Sleep(pause)
		w.startManager()
	case 2:
		w.loseStatus(name)
	case 3:
		id := int32(r.IntN(4))
		w.kafka.StopBroker(w, id)
		time.Sleep(pause)
		w.kafka.StartBroker(w, id)
	case 4:
		w.cc.Inject(cruisecontrol.Fault{Kind: kinds[r.IntN(len(kinds))], Times: 1 + r.IntN(3), Duration: pause})
	case 5:
		w.faults.mu.Lock()
		w.faults.at, w.faults.after, w.faults.crash = len(w.faults.names)+1+r.IntN(20), r.IntN(2) == 0, r.IntN(2) == 0
		w.faults.mu.Unlock()
	}
}

// heal ends all trouble.
func (w *world) heal() {
	w.Helper()
	w.cc.Heal()
	if !w.cc.Alive() {
		w.killCruiseControl(time.Second)
	}
}
