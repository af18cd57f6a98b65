package xds

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"

	"koperator.dev/koperator/envoy/translate"
)

// ProxyAcks is what one proxy has accepted of what its fleet should have.
type ProxyAcks struct {
	// Node is the name of the proxy's Pod.
	Node string
	// Connected is false for a proxy whose stream has ended a moment ago: it goes on with what it has accepted, and comes
	// back within seconds, here or to another replica. There, Connected is true.
	Connected bool
	// Hash is that of the Resources it is compared with; empty if none were published yet.
	Hash string
	// Missing is what it should have and has not accepted, sorted. With MissingMore there is more of it.
	Missing     []translate.ResourceName
	MissingMore bool
	// Rejected is what it said it cannot apply, sorted.
	Rejected []Rejection
}

// Rejection is what a proxy says of a resource.
type Rejection struct {
	// Resource is a type and a name, or "(unnamed)" for the name where the proxy did not say which of several it means.
	Resource string
	// Message is Envoy's own.
	Message string
}

// fleet is what is known of all proxies that get the same resources.
type fleet struct {
	key string
	// publishing is held for a whole Publish: the last one wins, in the cache and here.
	publishing sync.Mutex

	mu        sync.Mutex
	wanted    *snapshot
	published bool
	proxies   []*proxy
}

// proxy is one stream of a proxy, or one that has ended a moment ago.
type proxy struct {
	*tracker
	node      string
	connected bool
	// changed is when there first was something that it has not accepted yet; zero without.
	changed time.Time
}

func newFleet(key string) *fleet {
	return &fleet{key: key, wanted: &snapshot{resources: translate.Empty()}}
}

// done is true when the last of a change has just been accepted.
func (p *proxy) done(now time.Time) (time.Duration, bool) {
	if p.changed.IsZero() || len(p.missing) > 0 {
		return 0, false
	}
	duration := now.Sub(p.changed)
	p.changed = time.Time{}
	return duration, true
}

// want says what the proxies should have from now on. It is false if they should already.
func (f *fleet) want(wanted *snapshot, now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.published && f.wanted.resources.Hash() == wanted.resources.Hash() {
		return false
	}
	changed := wanted.changedSince(f.wanted)
	f.wanted, f.published = wanted, true
	for _, p := range f.proxies {
		before := len(p.missing)
		p.want(wanted, changed)
		if before == 0 && len(p.missing) > 0 {
			p.changed = now
		}
	}
	return true
}

// join adds a stream.
func (f *fleet) join(node string) *proxy {
	f.mu.Lock()
	defer f.mu.Unlock()
	p := &proxy{tracker: newTracker(f.wanted), node: node, connected: true}
	f.proxies = append(f.proxies, p)
	return p
}

// disconnect keeps what is known of a proxy whose stream has ended, until forget.
func (f *fleet) disconnect(p *proxy) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p.connected = false
}

func (f *fleet) forget(p *proxy) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.proxies = slices.DeleteFunc(f.proxies, func(other *proxy) bool { return other == p })
}

func (f *fleet) streams() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	count := 0
	for _, p := range f.proxies {
		if p.connected {
			count++
		}
	}
	return count
}

// acks are sorted by node, one for each.
func (f *fleet) acks() []ProxyAcks {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []ProxyAcks
	for _, p := range f.latest() {
		missing, more := p.missingNames()
		all = append(all, ProxyAcks{
			Node: p.node, Connected: p.connected, Hash: f.wanted.resources.Hash(),
			Missing: missing, MissingMore: more, Rejected: p.rejections(),
		})
	}
	return all
}

// latest is the last stream of each node that tells what its proxy has.
func (f *fleet) latest() []*proxy {
	byNode := map[string]*proxy{}
	for _, p := range f.proxies {
		if p.settled() {
			byNode[p.node] = p
		}
	}
	return slices.SortedFunc(maps.Values(byNode), func(a, b *proxy) int { return cmp.Compare(a.node, b.node) })
}
