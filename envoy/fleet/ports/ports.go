// Package ports allocates ports of the proxies to brokers: facts in, a plan out. A broker keeps its port for its life,
// because clients and Kafka were told it.
package ports

import (
	"cmp"
	"maps"
	"slices"
)

// Listener is one listener whose brokers have a port each.
type Listener struct {
	Name string
	// First and Count are the range that its ports are from.
	First, Count int32
	// Status and Services are what was allocated before, by broker, in two places so that one of them can be lost.
	Status, Services map[int32]int32
}

// Plan is who has which port from now on.
type Plan struct {
	// Ports are by listener and broker.
	Ports map[string]map[int32]int32
	// Without are the brokers that a listener has no port for, sorted.
	Without map[string][]int32
	// Held means that some of them get one in the next step: ports that were given up in this step are not given to others
	// in it, because a proxy that is told of both at once may refuse them.
	Held bool
}

// Allocate plans the ports of all listeners of a cluster together, because a proxy can listen on a port only once. taken are
// ports that no broker can have.
func Allocate(listeners []Listener, brokers []int32, taken []int32) Plan {
	p := &planner{
		plan:    Plan{Ports: map[string]map[int32]int32{}, Without: map[string][]int32{}},
		brokers: slices.Sorted(slices.Values(brokers)),
		used:    map[int32]bool{},
		held:    map[int32]bool{},
	}
	for _, port := range taken {
		p.used[port] = true
	}
	listeners = slices.SortedFunc(slices.Values(listeners), func(a, b Listener) int { return cmp.Compare(a.Name, b.Name) })
	for _, l := range listeners {
		p.plan.Ports[l.Name] = map[int32]int32{}
		p.keep(l, l.Status)
	}
	// What only a Service remembers comes second: it never takes what status has given to another.
	for _, l := range listeners {
		p.keep(l, l.Services)
	}
	for _, l := range listeners {
		p.hold(l)
	}
	for _, l := range listeners {
		p.give(l)
	}
	return p.plan
}

type planner struct {
	plan    Plan
	brokers []int32
	used    map[int32]bool
	held    map[int32]bool
}

// keep lets brokers have what they had, as far as it is in the range.
func (p *planner) keep(l Listener, before map[int32]int32) {
	ports := p.plan.Ports[l.Name]
	for _, id := range p.brokers {
		port := before[id]
		if _, has := ports[id]; has || !l.contains(port) || p.used[port] {
			continue
		}
		ports[id] = port
		p.used[port] = true
	}
}

// hold remembers the ports that are given up: by brokers that are gone, or because the range has changed.
func (p *planner) hold(l Listener) {
	for _, before := range []map[int32]int32{l.Status, l.Services} {
		for port := range maps.Values(before) {
			if !p.used[port] {
				p.held[port] = true
			}
		}
	}
}

// give gives the lowest free ports to the brokers that have none, in the order of their ids.
func (p *planner) give(l Listener) {
	next := l.First
	for _, id := range p.brokers {
		if _, has := p.plan.Ports[l.Name][id]; has {
			continue
		}
		for l.contains(next) && (p.used[next] || p.held[next]) {
			next++
		}
		if !l.contains(next) {
			p.plan.Without[l.Name] = append(p.plan.Without[l.Name], id)
			p.plan.Held = p.plan.Held || p.holdsAny(l)
			continue
		}
		p.plan.Ports[l.Name][id] = next
		p.used[next] = true
	}
}

func (p *planner) holdsAny(l Listener) bool {
	for port := range p.held {
		if l.contains(port) {
			return true
		}
	}
	return false
}

func (l Listener) contains(port int32) bool { return port >= l.First && port < l.First+l.Count }
