package xds

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"

	"koperator.dev/koperator/envoy/translate"
)

func snapshotOf(t *testing.T, resources Resources) *snapshot {
	t.Helper()
	s, err := newSnapshot(resources)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// responseOf sends resources as they are in a set, and removes those that are not in it.
func responseOf(nonce string, from set, names ...translate.ResourceName) *discovery.DeltaDiscoveryResponse {
	response := &discovery.DeltaDiscoveryResponse{Nonce: nonce}
	for _, name := range names {
		if resource := from[name]; resource != nil {
			response.Resources = append(response.Resources, &discovery.Resource{Name: name.Name, Version: resource.Hash})
		} else {
			response.RemovedResources = append(response.RemovedResources, name.Name)
		}
	}
	return response
}

// While a removal is under way, a resource that is wanted again is not there, whatever was accepted before.
func TestWhatIsInFlightIsNotAccepted(t *testing.T) {
	with, without := brokers(1, 2), brokers(2)
	tracker := newTracker(snapshotOf(t, with))
	accept := func(nonce string) {
		sent, _ := tracker.answered(nonce)
		tracker.accept(sent)
	}
	missing := func(when string, want ...translate.ResourceName) {
		t.Helper()
		if got, _ := tracker.missingNames(); !slices.Equal(got, want) {
			t.Errorf("%s: got %v missing, want %v", when, got, want)
		}
	}
	tracker.send(translate.TypeCluster, responseOf("1", with, clusterName(1), clusterName(2)))
	tracker.send(translate.TypeEndpoint, responseOf("2", with, endpointName(1), endpointName(2)))
	tracker.send(translate.TypeListener, responseOf("3", with, listenerName(1), listenerName(2)))
	accept("1")
	accept("2")
	accept("3")
	missing("all is accepted")

	change := func(from, to set) {
		next := snapshotOf(t, to)
		tracker.want(next, next.changedSince(snapshotOf(t, from)))
	}
	change(with, without)
	tracker.send(translate.TypeListener, responseOf("4", without, listenerName(1)))
	change(without, with)
	missing("its removal is under way", listenerName(1))
	accept("4")
	missing("it is removed", listenerName(1))
	tracker.send(translate.TypeListener, responseOf("5", with, listenerName(1)))
	accept("5")
	missing("it is sent again")

	// A rejected change leaves what was there before.
	moved := with.withEndpoint(1, "10.0.0.2")
	change(with, moved)
	tracker.send(translate.TypeEndpoint, responseOf("6", moved, endpointName(1)))
	change(moved, with)
	missing("a change is under way that is not wanted any more", endpointName(1))
	sent, _ := tracker.answered("6")
	tracker.reject(translate.TypeEndpoint, sent, "malformed IP address")
	missing("the change is rejected")
	if got := tracker.rejections(); len(got) != 0 {
		t.Errorf("got %v, want no rejection of what is not wanted", got)
	}

	// An answer that was given already, or that nobody asked for.
	if _, ok := tracker.answered("6"); ok {
		t.Error("a response can be answered twice")
	}
	// What a proxy no longer subscribes to, it forgets.
	tracker.ask(translate.TypeEndpoint, &discovery.DeltaDiscoveryRequest{ResourceNamesUnsubscribe: []string{e(2)}})
	missing("its endpoints are forgotten", endpointName(2))
}

func TestWhatIsToldOfAProxyIsBounded(t *testing.T) {
	var ids []int
	for id := range 200 {
		ids = append(ids, id)
	}
	many := brokers(ids...)
	tracker := newTracker(snapshotOf(t, many))
	if names, more := tracker.missingNames(); len(names) != maxMissing || !more || !slices.IsSortedFunc(names, compareNames) {
		t.Errorf("got %d names, more %t", len(names), more)
	}
	var text strings.Builder
	text.WriteString("Error adding/updating listener(s) ")
	names := slices.Collect(maps.Keys(many))
	names = slices.DeleteFunc(names, func(n translate.ResourceName) bool { return n.Type != translate.TypeListener })
	for _, name := range names {
		fmt.Fprintf(&text, "%s: %s\n", name.Name, strings.Repeat("x", 2*maxMessage))
	}
	tracker.send(translate.TypeListener, responseOf("1", many, names...))
	sent, _ := tracker.answered("1")
	tracker.reject(translate.TypeListener, sent, text.String())
	if open := tracker.open[translate.TypeListener]; len(open) != 0 {
		t.Errorf("got %d groups open, want all named", len(open))
	}
	got := tracker.rejections()
	if len(got) != maxRejections || len(got[0].Message) != maxMessage {
		t.Errorf("got %d rejections, the first of %d bytes", len(got), len(got[0].Message))
	}
}

// A text that Envoy has cut off does not say that the rest was applied: it is sent again, in halves.
func TestWhatATextLeavesOpenIsSentAgain(t *testing.T) {
	resources := brokers(1, 2, 3, 4)
	tracker := newTracker(snapshotOf(t, resources))
	all := func(string) bool { return true }
	answer := func(nonce, text string, names ...translate.ResourceName) {
		tracker.send(translate.TypeListener, responseOf(nonce, resources, names...))
		sent, _ := tracker.answered(nonce)
		if text == "" {
			tracker.accept(sent)
		} else {
			tracker.reject(translate.TypeListener, sent, text)
		}
	}
	next := func(want ...string) {
		t.Helper()
		if got := tracker.next(translate.TypeListener, all); !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	answer("1", "Error adding/updating listener(s) "+l(2)+": cannot bind...(truncated)", listenerName(1), listenerName(2), listenerName(3), listenerName(4), listenerName(5))
	next(l(1), l(3))
	answer("2", "", listenerName(1), listenerName(3))
	next(l(4), l(5))
	answer("3", "no", listenerName(4), listenerName(5))
	next(l(4))
	answer("4", "no", listenerName(4))
	next(l(5))
	// The removal of what is rejected does not begin again.
	answer("5", "no", listenerName(5))
	next()
	if got, want := tracker.rejections(), []Rejection{{"Listener " + l(2), "cannot bind...(truncated)"}, {"Listener " + l(4), "no"}}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}

	// Rejected bytes that are wanted again after others were, which may never have been sent.
	moved := resources.with(translate.TypeListener, l(4), listenerOn(l(4), 1))
	for _, to := range []set{moved, resources} {
		change := snapshotOf(t, to)
		tracker.want(change, change.changedSince(tracker.wanted))
	}
	next(l(4))
	answer("6", "no", listenerName(4))
	next()

	tracker.open[translate.TypeEndpoint] = [][]string{{e(1), e(2)}, {e(3)}}
	if got := tracker.next(translate.TypeEndpoint, func(name string) bool { return name == e(3) }); !slices.Equal(got, []string{e(3)}) {
		t.Errorf("got %q, want what the proxy is subscribed to", got)
	}
}

// fakeProxy has what a proxy has after what it was sent, if it rejects some of it.
type fakeProxy map[translate.ResourceName]string

// receive applies a response as Envoy does: it may reject some resources by name and apply the rest, or nothing at all.
func (p fakeProxy) receive(of translate.Type, response *discovery.DeltaDiscoveryResponse, random *rand.Rand) (text string) {
	if random.IntN(8) == 0 {
		return "Proto constraint validation failed"
	}
	for _, resource := range response.GetResources() {
		name := translate.ResourceName{Type: of, Name: resource.GetName()}
		if random.IntN(8) == 0 {
			text += name.Name + ": bad\n"
			continue
		}
		p[name] = resource.GetVersion()
	}
	for _, name := range response.GetRemovedResources() {
		delete(p, translate.ResourceName{Type: of, Name: name})
	}
	if text == "" {
		return ""
	}
	return "Error adding/updating listener(s) " + text
}

// Whatever is published, sent, answered late, accepted and rejected: what is not missing, the proxy has.
func TestWhatIsNotMissingTheProxyHas(t *testing.T) {
	for seed := range uint64(100) {
		random := rand.New(rand.NewPCG(seed, 1))
		has, current := fakeProxy{}, set{}
		tracker := newTracker(snapshotOf(t, current))
		type answer struct{ nonce, text string }
		var answers []answer
		for step := range 100 {
			switch random.IntN(3) {
			case 0:
				id := random.IntN(5)
				next := current.withBroker(id, fmt.Sprintf("10.0.0.%d", random.IntN(3)))
				if random.IntN(3) == 0 {
					next = current.withoutBroker(id)
				}
				to := snapshotOf(t, next)
				tracker.want(to, to.changedSince(snapshotOf(t, current)))
				current = next
			case 1:
				names := []translate.ResourceName{listenerName(random.IntN(5)), listenerName(random.IntN(5)), listenerName(random.IntN(5))}
				slices.SortFunc(names, compareNames)
				names = slices.Compact(names)
				response := responseOf(fmt.Sprint(step), current, names...)
				tracker.send(translate.TypeListener, response)
				answers = append(answers, answer{response.GetNonce(), has.receive(translate.TypeListener, response, random)})
			case 2:
				if len(answers) == 0 {
					continue
				}
				sent, _ := tracker.answered(answers[0].nonce)
				if answers[0].text == "" {
					tracker.accept(sent)
				} else {
					tracker.reject(translate.TypeListener, sent, answers[0].text)
				}
				answers = answers[1:]
			}
			for name, resource := range current {
				if _, missing := tracker.missing[name]; !missing && has[name] != resource.Hash {
					t.Fatalf("seed %d, step %d: %s counts as accepted, and the proxy has %.8q, not %.8q", seed, step, name, has[name], resource.Hash)
				}
			}
			for name := range tracker.rejected {
				if _, missing := tracker.missing[name]; current[name] == nil || !missing && tracker.accepted[name] != current[name].Hash {
					t.Fatalf("seed %d, step %d: %s is rejected, and not wanted or accepted", seed, step, name)
				}
			}
		}
	}
}
