package translate

import (
	"maps"
	"path/filepath"
	"testing"
)

// released are the hashes of the listeners of testdata/stability.yaml, for each revision of the templates.
//
// A CHANGE HERE CLOSES THE CONNECTIONS OF EVERY CLIENT OF EVERY CLUSTER when Koperator is upgraded: Envoy drains a
// listener whose bytes change. Make a new revision of the templates instead, and let the old one make what it made.
// go test -update does not touch this, and nor should you once a revision is released.
var released = map[int32]map[string]string{
	1: {
		"kafka/orders-envoy/sni-9094-hosts":     "9a015041521f8ee68060610d56adbf33ea3d70138d4b7b71a8f916fe3ea55243",
		"kafka/orders-envoy/sni-9095-hosts-all": "316812ceba03d5dc7a3792e88e270ca3a98788871a7d4cb279f388aeeabdb817",
		"kafka/orders/ports-all/bootstrap":      "b26b9c94634beed60b92a521a1ca650b056346c3039adc2032ef265cdfdbaf73",
		"kafka/orders/ports-all/broker-1":       "5f0d6fb316085e37aff99f970b3140d20e853d8400842eaac7cd700dbc0ae68f",
		"kafka/orders/ports/bootstrap":          "e9e5f866a3961b0fd5e69564c5d8999b399223a9e7f93775dff8b52a66f82f2f",
		"kafka/orders/ports/broker-1":           "d749e3f8ec52a7056a044deacb0f1949cf2f71f07cc5628e378d8167930a7326",
	},
}

func TestListenersStay(t *testing.T) {
	fleet := readFleets(t, filepath.Join("testdata", "stability.yaml"))[0]
	for revision := int32(1); revision <= LatestRevision; revision++ {
		fleet.Revision = revision
		got := map[string]string{}
		for name, resource := range mustTranslate(t, fleet).Of(TypeListener) {
			got[name] = resource.Hash
		}
		if !maps.Equal(got, released[revision]) {
			t.Errorf("revision %d: listeners have changed, see the comment on released: %q", revision, got)
		}
	}
}
