package planner

import (
	"errors"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"koperator.dev/koperator/test/cruisecontrol/backend"
)

// cluster has brokers 0, 1, ... in these racks, and one topic with these replicas, each of 100 MB.
func cluster(racks string, replicas ...[]int32) backend.Cluster {
	c := backend.Cluster{Brokers: map[int32]backend.Broker{}}
	for i, rack := range racks {
		c.Brokers[int32(i)] = backend.Broker{ID: int32(i), Rack: string(rack)}
	}
	for i, ids := range replicas {
		c.Partitions = append(c.Partitions, backend.Partition{
			TopicPartition: backend.TopicPartition{Topic: "t", Partition: int32(i)}, Leader: ids[0], Replicas: ids, ISR: ids, Bytes: 100 * MB,
		})
	}
	return c
}

func TestRemove(t *testing.T) {
	got, err := Make(Request{Cluster: cluster("abc"+"a", []int32{0, 1, 2}, []int32{1, 2, 0}), Remove: []int32{0}, RackAware: true})
	if err != nil || len(got) != 2 || !slices.Equal(got[0].NewReplicas, []int32{3, 1, 2}) || !slices.Equal(got[1].NewReplicas, []int32{1, 2, 3}) {
		t.Errorf("got %v, %v", got, err)
	}
	if !got[0].MovesLeader() || got[1].MovesLeader() || got[0].MBToMove() != 100 {
		t.Errorf("got %+v", got)
	}
}

func TestFailures(t *testing.T) {
	dead := cluster("ab", []int32{0, 1, 2})
	for want, r := range map[string]Request{
		"[RackAwareGoal] Insufficient number of racks to distribute each replica (Current: 2, Needed: 3).": {
			Cluster: cluster("abc", []int32{0, 1, 2}), Remove: []int32{0}, RackAware: true,
		},
		"Excluded rack ids cannot contain an empty rack id.": {Cluster: dead, RackAware: true},
		"from DEAD broker 2": {Cluster: dead},
		"[DiskCapacityGoal] Insufficient capacity for disk (Utilization 300.00, Allowed Capacity 240.00, Threshold: 0.80). Add at least 1 brokers with": {
			Cluster: cluster("abcc", []int32{0, 1, 2}), Remove: []int32{0}, CapacityMB: func(int32) float64 { return 100 },
		},
		"All brokers are dead in the cluster.": {Cluster: cluster("", []int32{0})},
	} {
		_, err := Make(r)
		var f *Failure
		if !errors.As(err, &f) || !strings.Contains(f.Error(), want) {
			t.Errorf("want %s\ngot  %v", want, err)
		}
	}
}

func TestDemote(t *testing.T) {
	c := cluster("ab", []int32{0, 1}, []int32{1, 0}, []int32{0})
	got, err := Make(Request{Cluster: c, Demote: []int32{0}})
	if err != nil || len(got) != 1 || !slices.Equal(got[0].NewReplicas, []int32{1, 0}) || got[0].Moves() {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestReplicationFactor(t *testing.T) {
	c := cluster("abc", []int32{0, 1}, []int32{1, 2})
	for factor, want := range map[int][]int32{3: {0, 1, 2}, 1: {0}} {
		got, err := Make(Request{Cluster: c, ReplicationFactor: map[string]int{"t": factor}, RackAware: true})
		if err != nil || len(got) != 2 || !slices.Equal(got[0].NewReplicas, want) || !got[0].Moves() {
			t.Errorf("%d: got %v, %v", factor, got, err)
		}
	}
}

// An order that changes is no movement of data, and comes beside those that are.
func TestEvenLeaders(t *testing.T) {
	c := cluster("abc", []int32{0, 1}, []int32{0, 1}, []int32{0, 2}, []int32{0, 2}, []int32{1, 2}, []int32{1, 2})
	got, err := Make(Request{Cluster: c, Even: true})
	leads := map[int32]int{}
	for i := range c.Partitions {
		c.Partitions[i].Leader = c.Partitions[i].Replicas[0]
	}
	for _, p := range got {
		if p.Moves() || !p.MovesLeader() || p.MBToMove() != 0 {
			t.Errorf("got %+v", p)
		}
		c.Partitions[p.Partition].Leader = p.NewReplicas[0]
	}
	for _, p := range c.Partitions {
		leads[p.Leader]++
	}
	if err != nil || leads[0] != 2 || leads[1] != 2 || leads[2] != 2 {
		t.Errorf("got %v, %v", leads, err)
	}
	if got, _ := Make(Request{Cluster: c, Even: true, ExcludedForLeadership: []int32{1, 2}}); len(got) != 0 {
		t.Errorf("got %v", got)
	}
}

func TestExcluded(t *testing.T) {
	c := cluster("abc", []int32{0}, []int32{0}, []int32{0}, []int32{0})
	if got, _ := Make(Request{Cluster: c, Even: true, ExcludedTopics: regexp.MustCompile("^t$")}); len(got) != 0 {
		t.Errorf("got %v", got)
	}
	got, _ := Make(Request{Cluster: c, Even: true, ExcludedForReplicas: []int32{1}})
	for _, p := range got {
		if slices.Contains(p.NewReplicas, 1) {
			t.Errorf("got %v", p)
		}
	}
	if len(got) != 2 {
		t.Errorf("got %v", got)
	}
}

// Whatever is asked for: no replica twice on a broker, none where it may not be, no rack shared without need, and a second
// plan changes nothing.
func TestInvariants(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		brokers, factor := 4+random.IntN(6), 1+random.IntN(3)
		racks := strings.Repeat("abc", 4)[:brokers]
		var replicas [][]int32
		for range 1 + random.IntN(30) {
			first := random.IntN(3) // replicas in three racks
			var ids []int32
			for i := range factor {
				ids = append(ids, int32((first+i)%3))
			}
			replicas = append(replicas, ids)
		}
		r := Request{Cluster: cluster(racks, replicas...), Even: random.IntN(2) == 0, RackAware: random.IntN(2) == 0, Add: []int32{3}}
		got, err := Make(r)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range got {
			seen, seenRacks := map[int32]bool{}, map[string]bool{}
			for _, id := range p.NewReplicas {
				seen[id], seenRacks[r.Cluster.Brokers[id].Rack] = true, true
			}
			if len(seen) != factor || len(seenRacks) != factor {
				t.Fatalf("%v of %s", p, racks)
			}
			r.Cluster.Partitions[p.Partition].Replicas, r.Cluster.Partitions[p.Partition].Leader = p.NewReplicas, p.NewReplicas[0]
		}
		if again, err := Make(r); err != nil || len(again) != 0 {
			t.Fatalf("again %v, %v", again, err)
		}
	}
}

func disks(replicas ...int) backend.Cluster {
	b := backend.Broker{ID: 7}
	for i, n := range replicas {
		d := backend.LogDir{Path: "/" + string(rune('a'+i)), Replicas: map[backend.TopicPartition]int64{}, Dead: n < 0}
		for j := range max(n, 0) {
			d.Replicas[backend.TopicPartition{Topic: d.Path, Partition: int32(j)}] = 10 * MB
		}
		b.LogDirs = append(b.LogDirs, d)
	}
	return backend.Cluster{Brokers: map[int32]backend.Broker{7: b}}
}

func TestDisks(t *testing.T) {
	moves, err := RemoveDisks(disks(4, 1, 1), map[int32][]string{7: {"/a"}}, nil)
	count := map[string]int{}
	for _, m := range moves {
		count[m.To]++
	}
	if err != nil || len(moves) != 4 || count["/b"] != 2 || count["/c"] != 2 {
		t.Errorf("got %v, %v", moves, err)
	}
	if moves, err := RemoveDisks(disks(-1, 1), map[int32][]string{7: {"/a"}}, nil); err != nil || len(moves) != 0 {
		t.Errorf("a dead disk: %v, %v", moves, err)
	}
	for want, remove := range map[string]map[int32][]string{
		"Invalid log dirs provided for broker 7":      {7: {"/a/"}},
		"No log dir remaining to move replicas to":    {7: {"/a", "/b"}},
		"Broker [8] does not exist.":                  {8: {"/a"}},
		"Not enough remaining capacity to move repli": {7: {"/b"}},
	} {
		if _, err := RemoveDisks(disks(1, 1), remove, func(int32, string) float64 { return 15 }); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	if moves := EvenDisks(disks(6, 0, -1)); len(moves) != 3 || moves[0].From != "/a" || moves[0].To != "/b" {
		t.Errorf("got %v", moves)
	}
}
