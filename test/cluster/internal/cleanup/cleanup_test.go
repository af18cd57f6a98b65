package cleanup

import (
	"slices"
	"testing"
)

func TestMountsBelow(t *testing.T) {
	const mounts = `proc /proc proc rw 0 0
/dev/vda /var/lib/koperator/clusters/a/volumes ext4 rw 0 0
volume /var/lib/koperator/clusters/a/volumes/node1/pvc-1 tmpfs rw 0 0
volume /var/lib/koperator/clusters/ab/volumes/node1/pvc-1 tmpfs rw 0 0
`
	got := mountsBelow(mounts, "/var/lib/koperator/clusters/a")
	want := []string{"/var/lib/koperator/clusters/a/volumes", "/var/lib/koperator/clusters/a/volumes/node1/pvc-1"}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestInGroup(t *testing.T) {
	const groups = "9:memory:/koperator/a/node1/kubepods/besteffort/pod1\n1:name=systemd:/\n0::/user.slice\n"
	for group, want := range map[string]bool{
		"/koperator/a":       true,
		"/koperator/a/node1": true,
		"/koperator/a/node2": false,
		"/koperator":         true,
		"/kop":               false,
		"/user.slice":        true,
	} {
		if got := inGroup(groups, group); got != want {
			t.Errorf("%s: got %t, want %t", group, got, want)
		}
	}
}
