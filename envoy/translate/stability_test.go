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
		"kafka/orders-envoy/sni-9094-hosts":     "4744d9c59fc4bf1c2046a98c1e63e6aabd72e1842f0d7337d62f81a5f33bf17c",
		"kafka/orders-envoy/sni-9095-hosts-all": "316812ceba03d5dc7a3792e88e270ca3a98788871a7d4cb279f388aeeabdb817",
		"kafka/orders/ports-all/bootstrap":      "b26b9c94634beed60b92a521a1ca650b056346c3039adc2032ef265cdfdbaf73",
		"kafka/orders/ports-all/broker-1":       "5f0d6fb316085e37aff99f970b3140d20e853d8400842eaac7cd700dbc0ae68f",
		"kafka/orders/ports/bootstrap":          "ea4796cff875f99253b68e022da9ceb27fb9a6aa15e9cb21a3386c47b8c64b9f",
		"kafka/orders/ports/broker-1":           "0a1a3815a450a3fa1c1bf3991657310a1c9e9d82792df28081cb10605890df47",
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
