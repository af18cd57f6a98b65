package acks

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/envoy/translate"
	"koperator.dev/koperator/envoy/xds"
)

// Tally counts the ready proxies of a fleet that have accepted what they should have.
type Tally struct {
	resources *translate.Resources
	// complete have accepted everything.
	complete int32
	// incomplete are the others of which it is known what they miss.
	incomplete []map[translate.ResourceName]bool
	rejected   map[string]*v1beta1.RejectedResource
}

// Count counts among the proxies that are ready. Reports are from different replicas. A proxy that is compared with anything
// else than resources counts as one that has accepted nothing: the replica that it is connected to lags behind, or is ahead.
func Count(resources *translate.Resources, ready []string, reports ...[]xds.ProxyAcks) *Tally {
	t := &Tally{resources: resources, rejected: map[string]*v1beta1.RejectedResource{}}
	known := map[string]xds.ProxyAcks{}
	for _, report := range reports {
		for _, acks := range report {
			if before, ok := known[acks.Node]; !ok || t.trust(acks) > t.trust(before) {
				known[acks.Node] = acks
			}
		}
	}
	for _, node := range ready {
		if acks, ok := known[node]; ok && acks.Hash == resources.Hash() {
			t.add(acks)
		}
	}
	return t
}

// trust is higher for the replica that a proxy is connected to, and then for one that has published the same as we.
func (t *Tally) trust(acks xds.ProxyAcks) int {
	trust := 0
	if acks.Connected {
		trust += 2
	}
	if acks.Hash == t.resources.Hash() {
		trust++
	}
	return trust
}

func (t *Tally) add(acks xds.ProxyAcks) {
	for _, rejection := range acks.Rejected {
		t.reject(rejection)
	}
	switch {
	case acks.MissingMore:
	case len(acks.Missing) == 0:
		t.complete++
	default:
		missing := map[translate.ResourceName]bool{}
		for _, name := range acks.Missing {
			missing[name] = true
		}
		t.incomplete = append(t.incomplete, missing)
	}
}

func (t *Tally) reject(rejection xds.Rejection) {
	resource := bounded(rejection.Resource, maxResource)
	if t.rejected[resource] == nil {
		t.rejected[resource] = &v1beta1.RejectedResource{Resource: resource}
	}
	entry := t.rejected[resource]
	entry.Proxies++
	// Envoy puts random spaces into some texts: of several, the same is shown each time.
	entry.Message = max(entry.Message, bounded(strings.ToValidUTF8(rejection.Message, ""), maxMessage))
}

// Bounds of the API.
const (
	maxResource   = 512
	maxMessage    = 1024
	maxRejections = 16
)

// Broker is the number of proxies that have accepted a broker on a listener.
func (t *Tally) Broker(listener string, id int32) int32 {
	return t.accepted(t.resources.OfBroker(listener, id))
}

// Listener is the number of proxies that have accepted everything of a listener.
func (t *Tally) Listener(listener string) int32 {
	return t.accepted(t.resources.OfListener(listener))
}

// accepted is 0 where there is nothing to accept: what is not served cannot be reached.
func (t *Tally) accepted(wanted []translate.ResourceName) int32 {
	if len(wanted) == 0 {
		return 0
	}
	count := t.complete
	for _, missing := range t.incomplete {
		if !slices.ContainsFunc(wanted, func(name translate.ResourceName) bool { return missing[name] }) {
			count++
		}
	}
	return count
}

// Rejected is what proxies reject of a listener, with those resources that they did not name; sorted and bounded.
func (t *Tally) Rejected(listener string) []v1beta1.RejectedResource {
	others := map[string]bool{}
	for _, name := range t.resources.Names() {
		others[name.String()] = true
	}
	for _, name := range t.resources.OfListener(listener) {
		delete(others, name.String())
	}
	var all []v1beta1.RejectedResource
	for _, resource := range slices.Sorted(maps.Keys(t.rejected)) {
		if !others[resource] && len(all) < maxRejections {
			all = append(all, *t.rejected[resource])
		}
	}
	return all
}

// Merge puts the rejections of several fleets together.
func Merge(fleets ...[]v1beta1.RejectedResource) []v1beta1.RejectedResource {
	merged := map[string]v1beta1.RejectedResource{}
	for _, rejected := range slices.Concat(fleets...) {
		rejected.Proxies += merged[rejected.Resource].Proxies
		rejected.Message = max(rejected.Message, merged[rejected.Resource].Message)
		merged[rejected.Resource] = rejected
	}
	all := slices.SortedFunc(maps.Values(merged), func(a, b v1beta1.RejectedResource) int { return cmp.Compare(a.Resource, b.Resource) })
	return all[:min(len(all), maxRejections)]
}

func bounded(text string, length int) string {
	if len(text) <= length {
		return text
	}
	return strings.ToValidUTF8(text[:length-3], "") + "..."
}
