package desired

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
)

func TestUUIDsAreKafkas(t *testing.T) {
	seen := map[string]bool{}
	for i := range 5000 {
		cluster := ClusterID(fmt.Sprint(i))
		for _, id := range []string{cluster, DirectoryID(cluster, 0), DirectoryID(cluster, 1)} {
			bytes, err := base64.RawURLEncoding.DecodeString(id)
			if err != nil || len(bytes) != 16 || strings.HasPrefix(id, "-") || seen[id] {
				t.Fatalf("%s: %v, or seen before", id, err)
			}
			seen[id] = true
		}
	}
}

func TestReservedUUIDs(t *testing.T) {
	uuid := make([]byte, 16)
	for last, want := range map[byte]bool{0: true, 1: true, 99: true, 100: false} {
		uuid[15] = last
		if isReservedUUID(uuid) != want {
			t.Errorf("%d: %t", last, !want)
		}
	}
	uuid[15], uuid[0] = 1, 1
	if isReservedUUID(uuid) {
		t.Error("only the first hundred are reserved")
	}
}

// The ids are written on disks: they must not differ in another version of Koperator.
func TestIDsNeverChange(t *testing.T) {
	if got := ClusterID("5f0c8f6e-7a86-4a0b-9f4e-2f6f4c7a7d10"); got != "9sVGNKl4REu2tH8kNY9pYg" {
		t.Errorf("got %s", got)
	}
	if got := DirectoryID("9sVGNKl4REu2tH8kNY9pYg", 2); got != "zpHBWzzHQc6Ns96fDNZ8Lg" {
		t.Errorf("got %s", got)
	}
}
