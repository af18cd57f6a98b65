package kafkafake_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"

	"koperator.dev/koperator/apis/machinery/kafka"
	"koperator.dev/koperator/apis/machinery/kafka/kafkafake"
)

func newCluster() *kafkafake.Kafka {
	k := kafkafake.New()
	k.AddBrokers(1, 2, 3)
	k.AddVoters(100, 101, 102)
	k.AddTopic("b", 2, []int32{1, 2, 3}, []int32{2, 3, 1})
	k.AddTopic("a", 1, []int32{3})
	return k
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func describe(t *testing.T, k *kafkafake.Kafka) kafka.Cluster {
	t.Helper()
	c, err := k.Describe(t.Context())
	must(t, err)
	return c
}

func TestDescribeGivesCopies(t *testing.T) {
	k := newCluster()
	c := describe(t, k)
	if len(c.Brokers) != 3 || len(c.Partitions) != 3 || c.Partitions[0].Topic != "a" {
		t.Errorf("got %+v", c)
	}
	c.Partitions[0].ISR[0], c.Partitions[0].Leader = 9, 9
	delete(c.Brokers, 1)
	if c = describe(t, k); len(c.Brokers) != 3 || c.Partitions[0].ISR[0] != 3 || c.Partitions[0].Leader != 3 {
		t.Errorf("the caller changed the cluster: %+v", c)
	}
}

func TestStopAndStart(t *testing.T) {
	k := newCluster()
	k.Stop(1)
	c := describe(t, k)
	if !c.Brokers[1].Fenced || !slices.Equal(c.Partitions[1].ISR, []int32{2, 3}) || c.Partitions[1].Leader != 2 {
		t.Errorf("got %+v", c)
	}
	if v := k.Violations(); len(v) != 0 {
		t.Errorf("got %v", v)
	}
	k.Crash(3) // the only replica of a-0 stays in its ISR, without a leader
	c = describe(t, k)
	if p := c.Partitions[0]; p.Leader != -1 || !slices.Equal(p.ISR, []int32{3}) {
		t.Errorf("got %+v", p)
	}
	if v := k.Violations(); len(v) != 0 {
		t.Errorf("a crash is nobody's fault: %v", v)
	}
	k.Start(3)
	k.Stop(2)
	if v := k.Violations(); len(v) != 2 || !strings.Contains(v[0], "stopping broker 2 takes b-0 below min.insync.replicas (1 of 2)") {
		t.Errorf("got %v", v)
	}
	k.Start(1)
	k.Start(2)
	must(t, k.ElectPreferredLeaders(t.Context()))
	for _, p := range describe(t, k).Partitions {
		if p.Leader != p.Replicas[0] || len(p.ISR) != len(p.Replicas) {
			t.Errorf("got %+v", p)
		}
	}
}

func TestVoters(t *testing.T) {
	k := newCluster()
	ctx := t.Context()
	voter := kafka.Voter{ID: 103, DirectoryID: kafkafake.DirectoryID(103), Host: "c", Port: 9090}
	if err := k.AddVoter(ctx, voter); !errors.Is(err, kerr.RequestTimedOut) {
		t.Errorf("not yet an observer: %v", err)
	}
	k.Edit(func(s *kafkafake.State) {
		s.Quorum.Observers = []kafka.QuorumReplica{{ID: 103, DirectoryID: voter.DirectoryID}}
	})
	must(t, k.AddVoter(ctx, voter))
	if err := k.AddVoter(ctx, voter); !errors.Is(err, kerr.DuplicateVoter) {
		t.Errorf("twice: %v", err)
	}
	if err := k.RemoveVoter(ctx, 100, voter.DirectoryID); !errors.Is(err, kerr.VoterNotFound) {
		t.Errorf("another directory: %v", err)
	}
	must(t, k.RemoveVoter(ctx, 100, kafkafake.DirectoryID(100)))
	q, err := k.Quorum(ctx)
	must(t, err)
	if q.Leader != 101 || len(q.Voters) != 3 || len(q.Observers) != 1 || q.Observers[0].ID != 100 {
		t.Errorf("got %+v", q)
	}
	k.Edit(func(s *kafkafake.State) { s.Quorum.Leader = -1 })
	if q, err := k.Quorum(ctx); err != nil || q.Leader != -1 || len(q.Voters) != 0 {
		t.Errorf("got %+v, %v", q, err)
	}
	if _, err := k.Describe(ctx); !errors.Is(err, kafka.ErrUnreachable) {
		t.Errorf("got %v", err)
	}
}

func TestConfigs(t *testing.T) {
	k := newCluster()
	ctx := t.Context()
	k.Edit(func(s *kafkafake.State) {
		s.Configs[1] = map[string]string{"leader.replication.throttled.rate": "1"}
	})
	must(t, k.AlterDynamicConfig(ctx, 1, map[string]string{"a": "1", "b": "2"}, nil))
	must(t, k.AlterDynamicConfig(ctx, 1, nil, []string{"a", "never.set"}))
	got, err := k.DynamicConfig(ctx, 1)
	if want := map[string]string{"leader.replication.throttled.rate": "1", "b": "2"}; err != nil || !maps.Equal(got, want) {
		t.Errorf("got %v, %v", got, err)
	}
	for name, call := range map[string]struct {
		node       int32
		key, value string
		want       error
	}{
		"read-only":                        {1, "log.dirs", "/x", kerr.InvalidRequest},
		"key store of no listener":         {1, "ssl.keystore.location", "/x", kerr.InvalidRequest},
		"min ISR of one broker":            {1, "min.insync.replicas", "1", kerr.InvalidConfig},
		"listener at the level of all":     {kafka.ClusterWide, "listener.name.x.ssl.keystore.location", "/x", kerr.InvalidRequest},
		"cordon at the level of all":       {kafka.ClusterWide, "cordoned.log.dirs", "*", kerr.InvalidRequest},
		"cordon of what is no log dir":     {1, "cordoned.log.dirs", "/x", kerr.InvalidRequest},
		"node that is not there":           {9, "a", "1", kafka.ErrUnreachable},
		"controller":                       {100, "a", "1", nil},
		"min ISR at the level of all":      {kafka.ClusterWide, "min.insync.replicas", "1", nil},
		"key store of a listener":          {1, "listener.name.x.ssl.keystore.location", "/x", nil},
		"name that nobody has ever heard":  {1, "made.up", "1", nil},
		"cordon of a log dir":              {1, "cordoned.log.dirs", "/var/lib/kafka/data", nil},
		"cordon of every log dir of one":   {2, "cordoned.log.dirs", "*", nil},
		"uncordoning, by the empty string": {3, "cordoned.log.dirs", "", nil},
	} {
		before, _ := k.DynamicConfig(ctx, call.node)
		err := k.AlterDynamicConfig(ctx, call.node, map[string]string{call.key: call.value, "too": "1"}, nil)
		if !errors.Is(err, call.want) {
			t.Errorf("%s: %v", name, err)
		}
		if after, _ := k.DynamicConfig(ctx, call.node); call.want != nil && !maps.Equal(before, after) {
			t.Errorf("%s: refused, but done in part: %v", name, after)
		}
	}
	dirs, err := k.LogDirs(ctx, []int32{1, 2, 3})
	must(t, err)
	if !dirs[1][0].Cordoned || !dirs[2][0].Cordoned || dirs[3][0].Cordoned {
		t.Errorf("got %v", dirs)
	}
	must(t, k.AlterDynamicConfig(ctx, 1, nil, []string{"cordoned.log.dirs"}))
	if dirs, _ := k.LogDirs(ctx, []int32{1}); dirs[1][0].Cordoned {
		t.Errorf("got %v", dirs)
	}
}

// A broker that was restarted without a log directory that is cordoned refuses every change but the end of the cordon.
func TestCordonOfADirectoryThatIsGone(t *testing.T) {
	k := newCluster()
	must(t, k.AlterDynamicConfig(t.Context(), 1, map[string]string{"cordoned.log.dirs": "/var/lib/kafka/data"}, nil))
	k.Edit(func(s *kafkafake.State) { s.LogDirs[1] = []kafka.LogDir{{Path: "/var/lib/kafka/other"}} })
	if err := k.AlterDynamicConfig(t.Context(), 1, map[string]string{"a": "1"}, nil); !errors.Is(err, kerr.InvalidRequest) {
		t.Errorf("got %v", err)
	}
	must(t, k.AlterDynamicConfig(t.Context(), 1, map[string]string{"a": "1"}, []string{"cordoned.log.dirs"}))
}

func TestClusterMinISR(t *testing.T) {
	k := newCluster()
	if err := k.AlterDynamicConfig(t.Context(), kafka.ClusterWide, nil, []string{"min.insync.replicas"}); !errors.Is(err, kerr.InvalidConfig) {
		t.Errorf("removing it: %v", err)
	}
}

func TestUnregister(t *testing.T) {
	k := newCluster()
	ctx := t.Context()
	k.AddBrokers(4)
	must(t, k.UnregisterBroker(ctx, 4))
	k.Stop(1)
	must(t, k.UnregisterBroker(ctx, 1))
	if err := k.UnregisterBroker(ctx, 1); !errors.Is(err, kerr.BrokerIDNotRegistered) {
		t.Errorf("got %v", err)
	}
	want := []string{"broker 4 is unregistered while it is live", "broker 1 is unregistered while it is a replica of b-0"}
	if got := k.Violations(); !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

func TestLogDirsOfStoppedBroker(t *testing.T) {
	k := newCluster()
	k.Stop(2)
	dirs, err := k.LogDirs(t.Context(), []int32{1, 2})
	if !errors.Is(err, kafka.ErrUnreachable) || len(dirs) != 1 || dirs[1][0].Replicas != 2 {
		t.Errorf("got %v, %v", dirs, err)
	}
}

func TestFaults(t *testing.T) {
	k := newCluster()
	ctx := t.Context()
	mine := errors.New("mine")
	set := func(value string) error {
		return k.AlterDynamicConfig(ctx, 1, map[string]string{"a": value}, nil)
	}
	k.Inject(kafkafake.Fault{Method: "AlterDynamicConfig", Call: 2, Err: mine})
	must(t, set("1"))
	if err := set("2"); !errors.Is(err, mine) {
		t.Errorf("got %v", err)
	}
	if c, _ := k.DynamicConfig(ctx, 1); c["a"] != "1" {
		t.Errorf("the failed call had an effect: %v", c)
	}
	must(t, set("3"))
	k.ClearFaults()
	k.Inject(kafkafake.Fault{Call: 1, AfterEffect: true})
	if err := set("4"); !errors.Is(err, kafka.ErrUnreachable) {
		t.Errorf("got %v", err)
	}
	if c, _ := k.DynamicConfig(ctx, 1); c["a"] != "4" {
		t.Errorf("only the answer was to be lost: %v", c)
	}
	k.Inject(kafkafake.Fault{Method: "Describe"})
	for range 3 {
		if _, err := k.Describe(ctx); !errors.Is(err, kafka.ErrUnreachable) {
			t.Errorf("got %v", err)
		}
	}
	k.ClearFaults()
	k.SetDown(true)
	if _, err := k.Quorum(ctx); !errors.Is(err, kafka.ErrUnreachable) {
		t.Errorf("got %v", err)
	}
	k.SetDown(false)
	done, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := k.Quorum(done); !errors.Is(err, kafka.ErrUnreachable) || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	k.Close()
	if _, err := k.Quorum(ctx); !errors.Is(err, kafka.ErrUnreachable) || !k.Closed() {
		t.Errorf("got %v", err)
	}
}

func TestCalls(t *testing.T) {
	k := newCluster()
	ctx := t.Context()
	describe(t, k)
	must(t, k.AlterDynamicConfig(ctx, 1, map[string]string{"b": "2", "a": "1"}, []string{"d", "c"}))
	must(t, k.AlterDynamicConfig(ctx, kafka.ClusterWide, map[string]string{"a": "1"}, nil))
	_ = k.UnregisterBroker(ctx, 9)
	want := []string{
		"AlterDynamicConfig(1 a=1 b=2 -c -d)",
		"AlterDynamicConfig(cluster a=1)",
		"UnregisterBroker(9): " + kerr.BrokerIDNotRegistered.Error(),
	}
	if got := k.Changes(); !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	if calls := k.Calls(); len(calls) != 4 || calls[0].Method != "Describe" {
		t.Errorf("got %v", calls)
	}
	k.ResetCalls()
	if len(k.Calls()) != 0 {
		t.Error("calls are not forgotten")
	}
}

func TestConcurrentUse(t *testing.T) {
	k := newCluster()
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			_ = k.AlterDynamicConfig(t.Context(), 1, map[string]string{fmt.Sprint(i): "1"}, nil)
			_, _ = k.Describe(t.Context())
			k.Stop(int32(i%3 + 1))
			k.Start(int32(i%3 + 1))
			_ = k.Calls()
		})
	}
	wg.Wait()
	if c, err := k.DynamicConfig(t.Context(), 1); err != nil || len(c) != 20 {
		t.Errorf("got %v, %v", c, err)
	}
}
