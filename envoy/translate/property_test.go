package translate

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/envoy/ir"
)

// TestUnrelatedResourcesStay adds, removes and moves brokers at random, with both kinds of listeners, and wants the bytes
// of everything that belongs to other brokers as they were, whatever the order of the facts.
func TestUnrelatedResourcesStay(t *testing.T) {
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 0))
		kc, facts := sized(v1beta1.ExternalSNI, 0)
		ports, _ := sized(v1beta1.ExternalPortPerBroker, 0)
		kc.Spec.Listeners = append(kc.Spec.Listeners, ports.Spec.Listeners[0])
		kc.Spec.Listeners[1].Name, kc.Spec.Listeners[1].Port = "ports", 9095
		for i := range kc.Spec.Listeners {
			kc.Spec.Listeners[i].External.AccessLog = true // a map, of all things, whose order differs each time
		}
		facts.Ports = map[string]map[int32]int32{"ports": {}}
		fleet := ir.Build(kc, facts)[0]
		before := mustTranslate(t, fleet)
		for range 40 {
			id := changeBroker(random, &facts)
			next := ir.Build(kc, facts)[0]
			after := mustTranslate(t, next)
			expectUpdate(t, fleet, before, next, after)
			fleet = next
			expectSame(t, before, after, id)
			expectOwnPorts(t, after)
			random.Shuffle(len(facts.Brokers), func(i, j int) { facts.Brokers[i], facts.Brokers[j] = facts.Brokers[j], facts.Brokers[i] })
			if mustTranslate(t, ir.Build(kc, facts)[0]).Hash() != after.Hash() {
				t.Error("another order of the facts gives other bytes")
			}
			if t.Failed() {
				t.Fatalf("seed %d, broker %d", seed, id)
			}
			before = after
		}
	}
}

// expectUpdate wants the same from an earlier state as from none, also when something is changed that concerns all brokers.
func expectUpdate(t *testing.T, before ir.Fleet, made *Resources, next ir.Fleet, want *Resources) {
	t.Helper()
	if updated, err := Update(before, made, next); err != nil || updated.Hash() != want.Hash() {
		t.Errorf("updated: %v; other bytes than from nothing", err)
	}
	for name, change := range map[string]func(*ir.Fleet){
		"keepalive": func(f *ir.Fleet) { f.Listeners[0].Keepalive.Time++; f.Listeners[1].Keepalive.Time++ },
		"limits":    func(f *ir.Fleet) { f.Listeners[0].MaxConnections, f.Listeners[1].MaxConnections = 7, 7 },
		"the name":  func(f *ir.Fleet) { f.Cluster = "other" },
	} {
		changed := next
		changed.Listeners = slices.Clone(next.Listeners)
		change(&changed)
		updated, err := Update(next, want, changed)
		if err != nil || updated.Hash() != mustTranslate(t, changed).Hash() {
			t.Errorf("updated after a change of %s: %v; other bytes than from nothing", name, err)
		}
	}
}

// changeBroker adds a broker, or removes or restarts one, and returns its id.
func changeBroker(random *rand.Rand, facts *ir.Facts) int32 {
	id := random.Int32N(20)
	at := slices.IndexFunc(facts.Brokers, func(b ir.BrokerFact) bool { return b.ID == id })
	if at < 0 {
		facts.Brokers = append(facts.Brokers, ir.BrokerFact{ID: id})
		facts.Ports["ports"][id] = 10000 + id
		return id
	}
	broker := &facts.Brokers[at]
	switch random.IntN(4) {
	case 0:
		facts.Brokers = slices.Delete(facts.Brokers, at, at+1)
		delete(facts.Ports["ports"], id)
	case 1:
		broker.PodIP, broker.Ready = "", false
	case 2:
		broker.PodIP, broker.Ready = podIP(random.Int32N(1000)), false
	default:
		broker.PodIP, broker.Ready = podIP(random.Int32N(1000)), true
	}
	return id
}

// expectSame compares what is in both, but for what belongs to the broker, and the endpoints that clients start from.
func expectSame(t *testing.T, before, after *Resources, id int32) {
	t.Helper()
	var related []ResourceName
	for _, listener := range []string{"public", "ports"} {
		related = slices.Concat(related, before.OfBroker(listener, id), after.OfBroker(listener, id))
	}
	related = append(related,
		ResourceName{TypeEndpoint, serviceOf(t, after, "kafka/orders/public/bootstrap.orders.example.com")},
		ResourceName{TypeEndpoint, serviceOf(t, after, "kafka/orders/ports/bootstrap")})
	for _, name := range before.Names() {
		if slices.Contains(related, name) {
			continue
		}
		if now := after.Get(name); now == nil || !bytes.Equal(now.Bytes, before.Get(name).Bytes) || now.Hash != before.Get(name).Hash {
			t.Errorf("%s has changed", name)
		}
	}
	for _, name := range after.Names() {
		if !slices.Contains(related, name) && before.Get(name) == nil {
			t.Errorf("%s is new", name)
		}
	}
}

func expectOwnPorts(t *testing.T, resources *Resources) {
	t.Helper()
	owners := map[uint32]string{}
	for name, resource := range resources.Of(TypeListener) {
		port := resource.Message.(*listenerv3.Listener).GetAddress().GetSocketAddress().GetPortValue()
		if other, ok := owners[port]; ok {
			t.Errorf("%s and %s have the port %d", name, other, port)
		}
		owners[port] = name
	}
}
