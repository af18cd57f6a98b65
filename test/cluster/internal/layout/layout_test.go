package layout

import (
	"strings"
	"testing"
)

func TestNew(t *testing.T) {
	for name, valid := range map[string]bool{
		"koperator": true, "a": true, "e2e-1": true,
		"": false, "-a": false, "1a": false, "A": false, "a/b": false, "..": false, strings.Repeat("a", 21): false,
	} {
		if _, err := New(name); (err == nil) != valid {
			t.Errorf("New(%q): got %v, want valid: %t", name, err, valid)
		}
	}
}

func TestSocketPathsAreShortEnough(t *testing.T) {
	longest, err := New(strings.Repeat("a", 20))
	if err != nil {
		t.Fatal(err)
	}
	// The longest path is that of a socket of the kubelet's, for device plugins.
	path := longest.Path("node3", "kubelet", "device-plugins", "kubelet.sock")
	if len(path) >= 108 {
		t.Errorf("%s has %d characters, and Unix sockets allow 107", path, len(path))
	}
}

func TestParseNode(t *testing.T) {
	for _, s := range []string{"2", "node2"} {
		n, err := ParseNode(s)
		if err != nil || n.Name() != "node2" || n.Zone() != "zone-b" || n.IP() != "203.0.113.22" || n.PodCIDR() != "198.18.2.0/24" {
			t.Errorf("ParseNode(%q): got %v, %v", s, n, err)
		}
	}
	for _, s := range []string{"", "0", "4", "node", "nodex", "-1"} {
		if _, err := ParseNode(s); err == nil {
			t.Errorf("ParseNode(%q) succeeded", s)
		}
	}
}

func TestNamespacesOfClustersDiffer(t *testing.T) {
	seen := map[string]string{}
	for _, name := range []string{"koperator", "probe"} {
		c := Cluster{Name: name}
		for _, m := range c.Machines() {
			if other, ok := seen[c.Namespace(m)]; ok {
				t.Errorf("namespace %s is that of %s and of %s", c.Namespace(m), other, name)
			}
			seen[c.Namespace(m)] = name
		}
	}
	if want := 2 * (Nodes + 2); len(seen) != want {
		t.Errorf("got %d namespaces, want %d", len(seen), want)
	}
}
