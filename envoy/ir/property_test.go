package ir

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
)

// TestUnrelatedBrokersStay adds, removes and moves brokers at random, and wants every other broker as it was: what
// proxies are told of it must not change. Each time the facts come in another order.
func TestUnrelatedBrokersStay(t *testing.T) {
	for seed := range uint64(50) {
		random := rand.New(rand.NewPCG(seed, 0))
		kc := grouped(cluster(external("hosts", 9094, sni()), external("ports", 9095, ports())))
		facts := Facts{Revision: 1, Ports: map[string]map[int32]int32{"ports": {}}}
		before := brokersOf(Build(kc, facts))
		for range 40 {
			id := change(random, &facts)
			random.Shuffle(len(facts.Brokers), func(i, j int) { facts.Brokers[i], facts.Brokers[j] = facts.Brokers[j], facts.Brokers[i] })
			fleets := Build(kc, facts)
			after := brokersOf(fleets)
			for key, broker := range before {
				if key.id != id && !reflect.DeepEqual(broker, after[key]) {
					t.Fatalf("seed %d: broker %d changed: %v became %v because of %d", seed, key.id, broker, after[key], id)
				}
			}
			before = after
			slices.Reverse(facts.Brokers)
			if again := Build(kc, facts); !reflect.DeepEqual(again, fleets) {
				t.Fatalf("seed %d: another order gives\n%+v\nand not\n%+v", seed, again, fleets)
			}
		}
	}
}

// change adds a broker, or removes or restarts one, and returns its id.
func change(random *rand.Rand, facts *Facts) int32 {
	id := random.Int32N(30)
	at := slices.IndexFunc(facts.Brokers, func(b BrokerFact) bool { return b.ID == id })
	if at < 0 {
		facts.Brokers = append(facts.Brokers, ready(id, string("abc"[random.IntN(3)])))
		facts.Ports["ports"][id] = 10000 + id
		return id
	}
	switch random.IntN(3) {
	case 0:
		facts.Brokers = slices.Delete(facts.Brokers, at, at+1)
		delete(facts.Ports["ports"], id)
	case 1:
		facts.Brokers[at].PodIP, facts.Brokers[at].Ready = "", false
	default:
		facts.Brokers[at].PodIP, facts.Brokers[at].Ready = address(random.Int32N(1000)), true
	}
	return id
}

type brokerIn struct {
	group, listener string
	id              int32
}

func brokersOf(fleets []Fleet) map[brokerIn]Broker {
	all := map[brokerIn]Broker{}
	for _, fleet := range fleets {
		for _, listener := range fleet.Listeners {
			for _, broker := range listener.Brokers {
				all[brokerIn{fleet.Group, listener.Name, broker.ID}] = broker
			}
		}
	}
	return all
}
