package xds

import (
	"cmp"
	"maps"
	"slices"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"

	"koperator.dev/koperator/envoy/translate"
)

// Bounds of what is told of one proxy.
const (
	maxMissing    = 64
	maxRejections = 16
)

// tracker knows what one proxy has accepted: from what it was sent on its stream, and what it answered.
//
// A proxy answers each response as a whole: it accepts all of it, or it rejects it with a text, and may have applied the
// most of it all the same.
type tracker struct {
	wanted *snapshot
	// accepted holds hashes.
	accepted map[translate.ResourceName]string
	// unanswered are responses by nonce, and inFlight counts the responses that a resource is in.
	unanswered map[string]response
	inFlight   map[translate.ResourceName]int
	rejected   map[translate.ResourceName]rejection
	missing    map[translate.ResourceName]struct{}
	asked      map[translate.Type]bool
	// open are groups of resources of which nobody knows which version the proxy has: each is sent again by itself. A
	// group that is rejected is halved, so that what is wrong is found, and everything else applied.
	open map[translate.Type][][]string
}

// response is what was sent: hashes, empty for what was removed.
type response map[translate.ResourceName]string

type rejection struct {
	hash, message string
	// unnamed: the proxy did not say which resource of several it means.
	unnamed bool
}

func newTracker(wanted *snapshot) *tracker {
	t := &tracker{
		wanted:     wanted,
		accepted:   map[translate.ResourceName]string{},
		unanswered: map[string]response{},
		inFlight:   map[translate.ResourceName]int{},
		rejected:   map[translate.ResourceName]rejection{},
		missing:    map[translate.ResourceName]struct{}{},
		asked:      map[translate.Type]bool{},
		open:       map[translate.Type][][]string{},
	}
	for _, of := range translate.Types {
		for name := range wanted.resources.Of(of) {
			t.missing[translate.ResourceName{Type: of, Name: name}] = struct{}{}
		}
	}
	return t
}

// want is a new snapshot, other than the last one in what has changed.
func (t *tracker) want(wanted *snapshot, changed []translate.ResourceName) {
	t.wanted = wanted
	for _, name := range changed {
		t.settle(name)
	}
}

// settle decides whether a resource is missing. What is in flight may replace what was accepted before.
func (t *tracker) settle(name translate.ResourceName) {
	wanted := t.wanted.hash(name)
	if wanted == "" || t.accepted[name] == wanted && t.inFlight[name] == 0 {
		delete(t.missing, name)
		t.missing = released(t.missing)
	} else {
		t.missing[name] = struct{}{}
	}
	if rejected, ok := t.rejected[name]; ok && rejected.hash != wanted {
		delete(t.rejected, name)
		// The rejected bytes may come back before anything else was sent in their place.
		t.open[name.Type] = append(t.open[name.Type], []string{name.Name})
	}
}

// ask is a request that answers nothing. The first one of a type tells what the proxy has from an earlier stream. What it
// is no longer subscribed to, it forgets.
func (t *tracker) ask(of translate.Type, request *discovery.DeltaDiscoveryRequest) {
	if !t.asked[of] {
		t.asked[of] = true
		for name, hash := range request.GetInitialResourceVersions() {
			resource := translate.ResourceName{Type: of, Name: name}
			t.accepted[resource] = t.shared(resource, hash)
			t.settle(resource)
		}
	}
	for _, name := range request.GetResourceNamesUnsubscribe() {
		resource := translate.ResourceName{Type: of, Name: name}
		delete(t.accepted, resource)
		t.settle(resource)
	}
}

// settled means that the proxy has told what it has from an earlier stream: it begins with clusters, and asks for
// endpoints only if it has clusters.
func (t *tracker) settled() bool {
	if !t.asked[translate.TypeListener] {
		return false
	}
	return t.asked[translate.TypeEndpoint] || !t.hasClusters()
}

func (t *tracker) hasClusters() bool {
	for name := range t.accepted {
		if name.Type == translate.TypeCluster {
			return true
		}
	}
	return false
}

func (t *tracker) send(of translate.Type, sent *discovery.DeltaDiscoveryResponse) {
	hashes := make(response, len(sent.GetResources())+len(sent.GetRemovedResources()))
	for _, resource := range sent.GetResources() {
		name := translate.ResourceName{Type: of, Name: resource.GetName()}
		hashes[name] = t.shared(name, resource.GetVersion())
	}
	for _, name := range sent.GetRemovedResources() {
		hashes[translate.ResourceName{Type: of, Name: name}] = ""
	}
	t.unanswered[sent.GetNonce()] = hashes
	t.close(of, hashes)
	for name := range hashes {
		t.inFlight[name]++
		t.settle(name)
	}
}

// shared is the hash in the one string that all proxies of the fleet can share.
func (t *tracker) shared(name translate.ResourceName, hash string) string {
	if wanted := t.wanted.hash(name); wanted == hash {
		return wanted
	}
	return hash
}

// released gives up the memory of a map that is empty: a map grows, and does not shrink.
func released[K comparable, V any](m map[K]V) map[K]V {
	if len(m) == 0 {
		return map[K]V{}
	}
	return m
}

// close takes what was just sent out of what is open.
func (t *tracker) close(of translate.Type, sent response) {
	if len(t.open[of]) == 0 {
		return
	}
	t.keepOpen(of, func(name string) bool {
		_, closed := sent[translate.ResourceName{Type: of, Name: name}]
		return !closed
	})
}

func (t *tracker) keepOpen(of translate.Type, keep func(name string) bool) {
	var groups [][]string
	for _, group := range t.open[of] {
		if left := slices.DeleteFunc(slices.Clone(group), func(name string) bool { return !keep(name) }); len(left) > 0 {
			groups = append(groups, left)
		}
	}
	t.open[of] = groups
}

// next is the group to be sent again now. What the proxy does not ask for any more needs no answer.
func (t *tracker) next(of translate.Type, subscribed func(name string) bool) []string {
	if len(t.open[of]) == 0 {
		return nil
	}
	t.keepOpen(of, subscribed)
	if len(t.open[of]) == 0 {
		return nil
	}
	return t.open[of][0]
}

// answered returns the response that a nonce belongs to, once.
func (t *tracker) answered(nonce string) (response, bool) {
	sent, ok := t.unanswered[nonce]
	delete(t.unanswered, nonce)
	for name := range sent {
		if t.inFlight[name]--; t.inFlight[name] == 0 {
			delete(t.inFlight, name)
		}
	}
	t.inFlight, t.unanswered = released(t.inFlight), released(t.unanswered)
	return sent, ok
}

// accept takes the answer that all of a response was applied.
func (t *tracker) accept(sent response) {
	for name, hash := range sent {
		t.acceptOne(name, hash)
	}
}

func (t *tracker) acceptOne(name translate.ResourceName, hash string) {
	if hash == "" {
		delete(t.accepted, name)
	} else {
		t.accepted[name] = hash
	}
	if t.rejected[name].hash == hash {
		delete(t.rejected, name)
	}
	t.settle(name)
}

// reject takes the answer that something in a response was not applied. What the text leaves open, the proxy may have
// applied or not, and gets again.
func (t *tracker) reject(of translate.Type, sent response, text string) {
	messages, complete := parseRejection(text, sent)
	var open []string
	for name, hash := range sent {
		message, named := messages[name.Name]
		switch {
		case named || len(sent) == 1:
			t.rejectOne(name, rejection{hash: hash, message: cmp.Or(message, bounded(text))})
		case complete:
			t.acceptOne(name, hash)
		default:
			open = append(open, name.Name)
			t.rejectOne(name, rejection{hash: hash, message: bounded(text), unnamed: true})
		}
	}
	t.halve(of, open)
}

func (t *tracker) rejectOne(name translate.ResourceName, rejected rejection) {
	if rejected.hash != "" {
		t.rejected[name] = rejected
	}
	t.settle(name)
}

func (t *tracker) halve(of translate.Type, open []string) {
	slices.Sort(open)
	half := len(open) / 2
	for _, group := range [][]string{open[:half], open[half:]} {
		if len(group) > 0 {
			t.open[of] = append(t.open[of], group)
		}
	}
}

// missingNames are sorted and bounded.
func (t *tracker) missingNames() (names []translate.ResourceName, more bool) {
	names = slices.SortedFunc(maps.Keys(t.missing), compareNames)
	if len(names) > maxMissing {
		return names[:maxMissing:maxMissing], true
	}
	return names, false
}

// rejections are sorted and bounded.
func (t *tracker) rejections() []Rejection {
	said := map[string]string{}
	// Of several texts about unnamed ones, the same is shown each time.
	for name, rejected := range t.rejected {
		resource := name.String()
		if rejected.unnamed {
			resource = string(name.Type) + " (unnamed)"
		}
		said[resource] = max(said[resource], rejected.message)
	}
	resources := slices.Sorted(maps.Keys(said))
	var all []Rejection
	for _, resource := range resources[:min(len(resources), maxRejections)] {
		all = append(all, Rejection{Resource: resource, Message: said[resource]})
	}
	return all
}

func compareNames(a, b translate.ResourceName) int {
	return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.Name, b.Name))
}
