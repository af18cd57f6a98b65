package realkafka_test

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"testing"
	"time"

	clocktesting "k8s.io/utils/clock/testing"

	"koperator.dev/koperator/cruisecontrol/client"
	"koperator.dev/koperator/test/cruisecontrol"
	"koperator.dev/koperator/test/cruisecontrol/backend"
	"koperator.dev/koperator/test/cruisecontrol/fakekafka"
	"koperator.dev/koperator/test/cruisecontrol/model"
	"koperator.dev/koperator/test/cruisecontrol/realkafka"
)

// newKafka is a model, and the same through Kafka's protocol.
func newKafka(t *testing.T) (*clocktesting.FakeClock, *model.Model, *realkafka.Kafka) {
	t.Helper()
	clock := clocktesting.NewFakeClock(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC))
	m := model.New(clock)
	for id, rack := range []string{"a", "b", "c", "a"} {
		m.AddBroker(t.Context(), int32(id), rack, "/a", "/b")
	}
	m.CreateTopic(t.Context(), "t", 100<<20, []int32{2, 1, 0}, []int32{1, 0, 2}, []int32{0, 2, 1})
	fake, err := fakekafka.New(context.WithoutCancel(t.Context()), m, 4)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fake.Close)
	k, err := realkafka.New(fake.ListenAddrs(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	return clock, m, k
}

var first = backend.TopicPartition{Topic: "t", Partition: 0}

// All that is asked and told arrives: what the model says is the same through Kafka's protocol.
func TestThroughProtocol(t *testing.T) {
	clock, m, k := newKafka(t)
	ctx := t.Context()
	check := func(step string) {
		t.Helper()
		want, _ := m.Cluster(ctx)
		got, err := k.Cluster(ctx)
		for i := range want.Partitions {
			want.Partitions[i].MinISR = 1
		}
		for id, b := range want.Brokers {
			b.Host = got.Brokers[id].Host
			want.Brokers[id] = b
		}
		if err != nil || !reflect.DeepEqual(got.Partitions, want.Partitions) || !reflect.DeepEqual(got.Brokers, want.Brokers) {
			t.Errorf("%s: got  %+v, %v\nwant %+v", step, got, err, want)
		}
		wantMoving, _ := m.Reassignments(ctx)
		moving, err := k.Reassignments(ctx)
		if err != nil || !reflect.DeepEqual(moving, wantMoving) {
			t.Errorf("%s: got %+v, %v, want %+v", step, moving, err, wantMoving)
		}
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check("at first")
	must(k.Reassign(ctx, map[backend.TopicPartition][]int32{first: {3, 1, 2}}))
	check("reassigning")
	must(k.Reassign(ctx, map[backend.TopicPartition][]int32{first: nil, {Topic: "t", Partition: 1}: nil}))
	check("cancelled")
	must(k.Reassign(ctx, map[backend.TopicPartition][]int32{first: {1, 2, 0}}))
	must(k.ElectPreferredLeaders(ctx, []backend.TopicPartition{first}))
	must(k.ElectPreferredLeaders(ctx, nil))
	check("elected")
	if c, _ := m.Cluster(ctx); c.Partitions[0].Leader != 1 {
		t.Errorf("led by %d", c.Partitions[0].Leader)
	}
	c, _ := m.Cluster(ctx)
	to := "/a"
	if _, here := c.Brokers[0].LogDirs[0].Replicas[first]; here {
		to = "/b"
	}
	must(k.MoveReplicas(ctx, 0, map[backend.TopicPartition]string{first: to}))
	check("moving between disks")
	clock.Step(time.Minute)
	check("moved")
	m.FailDisk(ctx, 1, "/a")
	m.StopBroker(ctx, 2)
	clock.Step(time.Minute)
	check("a dead disk and a dead broker")
	if err := k.Reassign(ctx, map[backend.TopicPartition][]int32{first: {77}}); !errors.Is(err, backend.ErrRefused) {
		t.Errorf("got %v", err)
	}
	if err := k.MoveReplicas(ctx, 0, map[backend.TopicPartition]string{first: "/nowhere"}); !errors.Is(err, backend.ErrRefused) {
		t.Errorf("got %v", err)
	}
}

func TestConfigs(t *testing.T) {
	_, m, k := newKafka(t)
	ctx := t.Context()
	resources := []backend.Resource{{}, {Name: "1"}, {Topic: true, Name: "t"}}
	for _, r := range resources {
		if err := k.AlterConfig(ctx, r, map[string]string{backend.LeaderRate: "1", backend.FollowerRate: r.Name}, nil); err != nil {
			t.Fatal(err)
		}
		if err := k.AlterConfig(ctx, r, nil, []string{backend.LeaderRate}); err != nil {
			t.Fatal(err)
		}
	}
	if err := k.AlterConfig(ctx, resources[0], nil, nil); err != nil {
		t.Fatal(err)
	}
	for _, r := range resources {
		got, err := k.Config(ctx, r)
		if want := map[string]string{backend.FollowerRate: r.Name}; err != nil || !reflect.DeepEqual(got, want) || !reflect.DeepEqual(m.Configs(ctx)[r], want) {
			t.Errorf("%+v: got %v, %v", r, got, err)
		}
	}
	if _, err := k.Config(ctx, backend.Resource{Name: "x"}); err == nil {
		t.Error("a broker called x is accepted")
	}
}

// The stand-in drains a broker through Kafka's protocol.
func TestStandIn(t *testing.T) {
	clock, m, k := newKafka(t)
	cfg := cruisecontrol.DefaultConfig()
	cfg.MaxBlockTime = 0
	s := cruisecontrol.New(context.WithoutCancel(t.Context()), cruisecontrol.Options{Config: cfg, Kafka: k, Clock: clock})
	url, err := s.Start()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	c, err := client.New(client.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	clock.Step(2 * time.Second)
	p := client.RemoveBrokerParameters{BrokerIDs: []int32{0}, GoalParameters: client.GoalParameters{AllowCapacityEstimation: true}}
	a, err := c.RemoveBroker(t.Context(), client.Execute("a"), p)
	if err != nil || a.Result.Summary.NumReplicaMovements != 3 {
		t.Fatalf("got %+v, %v", a.Result, err)
	}
	for range 60 {
		clock.Step(time.Second)
		s.Advance()
	}
	cluster, _ := m.Cluster(t.Context())
	for _, partition := range cluster.Partitions {
		if slices.Contains(partition.Replicas, 0) || partition.Leader == 0 {
			t.Errorf("%+v is still on broker 0", partition)
		}
	}
	if left, err := s.Leftovers(t.Context()); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestUnreachable(t *testing.T) {
	k, err := realkafka.New([]string{"127.0.0.1:1"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	for _, err := range []error{
		func() error { _, err := k.Cluster(ctx); return err }(), func() error { _, err := k.Reassignments(ctx); return err }(),
		k.Reassign(ctx, map[backend.TopicPartition][]int32{first: nil}), k.AlterConfig(ctx, backend.Resource{}, map[string]string{"a": "b"}, nil),
	} {
		if err == nil {
			t.Error("nobody is there, and nothing fails")
		}
	}
}
