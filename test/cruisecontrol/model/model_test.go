package model_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	clocktesting "k8s.io/utils/clock/testing"

	"koperator.dev/koperator/test/cruisecontrol/backend"
	"koperator.dev/koperator/test/cruisecontrol/model"
)

var first = backend.TopicPartition{Topic: "t"}

// newModel has brokers 0 to 2 in a rack each, with two disks, and a partition of 100 MB on 0 and 1.
func newModel(t *testing.T) (*clocktesting.FakeClock, *model.Model) {
	t.Helper()
	clock := clocktesting.NewFakeClock(time.Unix(0, 0))
	m := model.New(clock)
	m.Bandwidth = 10 << 20
	for id, rack := range []string{"a", "b", "c"} {
		m.AddBroker(t.Context(), int32(id), rack, "/a", "/b")
	}
	m.CreateTopic(t.Context(), "t", 100<<20, []int32{0, 1})
	return clock, m
}

func partition(t *testing.T, m *model.Model) backend.Partition {
	t.Helper()
	c, err := m.Cluster(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return c.Partitions[0]
}

func reassign(t *testing.T, m *model.Model, replicas ...int32) {
	t.Helper()
	if err := m.Reassign(t.Context(), map[backend.TopicPartition][]int32{first: replicas}); err != nil {
		t.Fatal(err)
	}
}

// Data takes time, and only then are the replicas others.
func TestReassign(t *testing.T) {
	clock, m := newModel(t)
	reassign(t, m, 2, 1)
	clock.Step(9 * time.Second)
	moving, _ := m.Reassignments(t.Context())
	if r := moving[first]; !slices.Equal(r.Replicas, []int32{2, 1, 0}) || !slices.Equal(r.Adding, []int32{2}) || !slices.Equal(r.Removing, []int32{0}) || !slices.Equal(r.Target(), []int32{2, 1}) {
		t.Errorf("got %+v", r)
	}
	if p := partition(t, m); p.Leader != 0 || slices.Contains(p.ISR, 2) {
		t.Errorf("got %+v", p)
	}
	clock.Step(time.Second)
	if p := partition(t, m); !slices.Equal(p.Replicas, []int32{2, 1}) || len(p.ISR) != 2 || p.Leader == 0 {
		t.Errorf("got %+v", p)
	}
	c, _ := m.Cluster(t.Context())
	for _, d := range c.Brokers[0].LogDirs {
		if len(d.Replicas) != 0 {
			t.Errorf("left behind: %+v", d)
		}
	}
}

func TestCancel(t *testing.T) {
	clock, m := newModel(t)
	reassign(t, m, 2)
	clock.Step(time.Second)
	reassign(t, m)
	if p := partition(t, m); !slices.Equal(p.Replicas, []int32{0, 1}) {
		t.Errorf("got %+v", p)
	}
	cancel := map[backend.TopicPartition][]int32{first: nil}
	if err := m.Reassign(t.Context(), cancel); !errors.Is(err, backend.ErrRefused) {
		t.Errorf("cancelled twice: %v", err)
	}
	// Nobody is left who has all the data: that would need an unclean election.
	reassign(t, m, 2)
	m.StopBroker(t.Context(), 0)
	m.StopBroker(t.Context(), 1)
	clock.Step(time.Minute)
	if err := m.Reassign(t.Context(), cancel); !errors.Is(err, backend.ErrRefused) {
		t.Errorf("got %v", err)
	}
}

// A broker that stops is noticed after its session, and its reassignments wait.
func TestStop(t *testing.T) {
	clock, m := newModel(t)
	reassign(t, m, 2, 1)
	m.StopBroker(t.Context(), 2)
	clock.Step(5 * time.Second)
	if c, _ := m.Cluster(t.Context()); len(c.Brokers) != 3 {
		t.Error("noticed at once")
	}
	clock.Step(time.Hour)
	if c, _ := m.Cluster(t.Context()); len(c.Brokers) != 2 {
		t.Error("not noticed")
	}
	if moving, _ := m.Reassignments(t.Context()); len(moving) != 1 {
		t.Error("data moved to a broker that does not run")
	}
	m.StartBroker(t.Context(), 2)
	clock.Step(10 * time.Second)
	if p := partition(t, m); !slices.Equal(p.Replicas, []int32{2, 1}) {
		t.Errorf("got %+v", p)
	}
}

func TestThrottle(t *testing.T) {
	clock, m := newModel(t)
	set := func(r backend.Resource, name, value string) {
		if err := m.AlterConfig(t.Context(), r, map[string]string{name: value}, nil); err != nil {
			t.Fatal(err)
		}
	}
	set(backend.Resource{Name: "2"}, backend.FollowerRate, "1048576")
	reassign(t, m, 2, 1)
	clock.Step(5 * time.Second) // a rate without replicas slows nothing down: half is done
	set(backend.Resource{Topic: true, Name: "t"}, backend.FollowerReplicas, "*")
	clock.Step(49 * time.Second)
	if moving, _ := m.Reassignments(t.Context()); len(moving) != 1 {
		t.Error("too fast")
	}
	clock.Step(2 * time.Second)
	if moving, _ := m.Reassignments(t.Context()); len(moving) != 0 {
		t.Error("too slow")
	}
}

func TestDisks(t *testing.T) {
	clock, m := newModel(t)
	c, _ := m.Cluster(t.Context())
	from, to := c.Brokers[0].LogDirs[0], c.Brokers[0].LogDirs[1]
	if len(to.Replicas) > 0 {
		from, to = to, from
	}
	move := func(dir string) error {
		return m.MoveReplicas(t.Context(), 0, map[backend.TopicPartition]string{first: dir})
	}
	if err := move(to.Path); err != nil {
		t.Fatal(err)
	}
	clock.Step(5 * time.Second)
	c, _ = m.Cluster(t.Context())
	if i := slices.IndexFunc(c.Brokers[0].LogDirs, func(d backend.LogDir) bool { return d.Path == to.Path }); c.Brokers[0].LogDirs[i].Future[first] != 50<<20 {
		t.Errorf("got %+v", c.Brokers[0].LogDirs)
	}
	clock.Step(5 * time.Second)
	m.FailDisk(t.Context(), 0, from.Path)
	if p := partition(t, m); len(p.Offline) != 0 {
		t.Errorf("it was not moved: %+v", p)
	}
	for _, dir := range []string{from.Path, "/c"} {
		if err := move(dir); !errors.Is(err, backend.ErrRefused) {
			t.Errorf("%s: %v", dir, err)
		}
	}
	m.FailDisk(t.Context(), 0, to.Path)
	if p := partition(t, m); !slices.Equal(p.Offline, []int32{0}) || p.Leader != 1 {
		t.Errorf("got %+v", p)
	}
}
