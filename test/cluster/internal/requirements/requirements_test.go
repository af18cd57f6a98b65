package requirements

import (
	"slices"
	"testing"
)

func TestPackages(t *testing.T) {
	wanted := []requirement{
		{paths: []string{"nft"}, debian: "nftables"},
		{paths: []string{"/a/bridge", "/b/bridge"}, debian: "plugins"},
		{paths: []string{"gcc"}, debian: "gcc"},
	}
	have := func(path string) bool { return path == "/b/bridge" || path == "gcc" }
	if got := packages(wanted, have); !slices.Equal(got, []string{"nftables"}) {
		t.Errorf("got %v", got)
	}
}
