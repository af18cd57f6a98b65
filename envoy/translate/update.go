package translate

import (
	"fmt"
	"reflect"

	"koperator.dev/koperator/envoy/ir"
)

// Update is Translate for a fleet of which an earlier state is translated already: brokers that are as they were keep their
// resources. It comes to the same bytes.
func Update(before ir.Fleet, made *Resources, f ir.Fleet) (*Resources, error) {
	r, err := translate(f, func(s scope) former { return formerOf(before, made, s) })
	if err != nil {
		return nil, fmt.Errorf("fleet %s: %w", f.Key(), err)
	}
	return r, nil
}

// former is what the brokers of a listener were, and what they were made into. The zero value knows none.
type former struct {
	listener string
	brokers  map[int32]ir.Broker
	made     *Resources
}

// formerOf knows brokers as long as everything else that their resources are made from is the same.
func formerOf(before ir.Fleet, made *Resources, s scope) former {
	if !reflect.DeepEqual(withoutListeners(before), withoutListeners(s.fleet)) {
		return former{}
	}
	for _, listener := range before.Listeners {
		if !reflect.DeepEqual(withoutBrokers(listener), withoutBrokers(*s.Listener)) {
			continue
		}
		known := former{listener: s.Name, brokers: make(map[int32]ir.Broker, len(listener.Brokers)), made: made}
		for _, broker := range listener.Brokers {
			known.brokers[broker.ID] = broker
		}
		return known
	}
	return former{}
}

func withoutListeners(f ir.Fleet) ir.Fleet {
	f.Listeners, f.Problems = nil, nil
	return f
}

// withoutBrokers leaves out the endpoints that clients start from, too.
func withoutBrokers(l ir.Listener) ir.Listener {
	l.Brokers, l.Bootstrap = nil, nil
	return l
}

// resources are those of a broker, nil if it was not there or was another one.
func (k former) resources(broker ir.Broker) []*Resource {
	was, ok := k.brokers[broker.ID]
	if !ok || !reflect.DeepEqual(was, broker) {
		return nil
	}
	var resources []*Resource
	for _, name := range k.made.OfBroker(k.listener, broker.ID) {
		resources = append(resources, k.made.Get(name))
	}
	return resources
}
