package kafka

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestDescribe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeCluster(t, 3, kfake.SeedTopics(3, "b", "a"))
		f.answer(kmsg.DescribeCluster.Int16(), withFencedBroker)
		f.answer(kmsg.ListPartitionReassignments.Int16(), withReassignments)
		cluster, err := f.admin().Describe(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		wantBrokers := map[int32]Broker{0: {ID: 0, Rack: "x"}, 7: {ID: 7, Fenced: true}}
		if cluster.ID != "fakecluster" || len(cluster.Reassignments) != 3 || !reflect.DeepEqual(cluster.Brokers, wantBrokers) {
			t.Errorf("got %+v", cluster)
		}
		if len(cluster.Partitions) != 6 {
			t.Fatalf("%d partitions", len(cluster.Partitions))
		}
		for i, p := range cluster.Partitions {
			want := f.PartitionInfo([]string{"a", "a", "a", "b", "b", "b"}[i], int32(i%3))
			if p.Topic != []string{"a", "b"}[i/3] || p.Partition != int32(i%3) || p.Leader != want.Leader || p.MinISR != 1 || !slices.Contains(p.ISR, p.Leader) {
				t.Errorf("%d: got %+v", i, p)
			}
		}
		for _, s := range f.sent(kmsg.DescribeCluster) {
			if req := s.req.(*kmsg.DescribeClusterRequest); !req.IncludeFencedBrokers || req.Version < 2 {
				t.Errorf("sent %+v", req)
			}
		}
	})
}

func withFencedBroker(_ int32, req kmsg.Request) (kmsg.Response, error) {
	resp := req.ResponseKind().(*kmsg.DescribeClusterResponse)
	resp.ClusterID = "fakecluster"
	alive, fenced := kmsg.NewDescribeClusterResponseBroker(), kmsg.NewDescribeClusterResponseBroker()
	alive.Rack = kmsg.StringPtr("x")
	fenced.NodeID, fenced.IsFenced = 7, true
	resp.Brokers = append(resp.Brokers, alive, fenced)
	return resp, nil
}

func withReassignments(_ int32, req kmsg.Request) (kmsg.Response, error) {
	resp := req.ResponseKind().(*kmsg.ListPartitionReassignmentsResponse)
	for _, n := range []int{1, 2} {
		topic := kmsg.NewListPartitionReassignmentsResponseTopic()
		topic.Partitions = make([]kmsg.ListPartitionReassignmentsResponseTopicPartition, n)
		resp.Topics = append(resp.Topics, topic)
	}
	return resp, nil
}

func TestDescribeStaysWithOneBroker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeCluster(t, 5, kfake.SeedTopics(1, "a"))
		admin := f.admin()
		mustDescribe(t, admin)
		before := f.dials.Load()
		for range 20 {
			time.Sleep(5 * time.Minute)
			f.forget()
			mustDescribe(t, admin)
		}
		if opened := f.dials.Load() - before; opened > 1 { // franz-go looks around once an hour
			t.Errorf("%d connections in an idle hour and a half", opened)
		}
		if n := len(f.sent(kmsg.Metadata)); n != 1 {
			t.Errorf("%d metadata requests in one pass", n)
		}
	})
}

func mustDescribe(t *testing.T, admin Admin) Cluster {
	t.Helper()
	cluster, err := admin.Describe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return cluster
}

func TestMinISRIsCached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeCluster(t, 1, kfake.SeedTopics(1, "a", "b"))
		admin := f.admin()
		// asked returns the topics whose config was read during one Describe.
		asked := func() []string {
			f.forget()
			mustDescribe(t, admin)
			var names []string
			for _, s := range f.sent(kmsg.DescribeConfigs) {
				for _, r := range s.req.(*kmsg.DescribeConfigsRequest).Resources {
					names = append(names, r.ResourceName)
				}
			}
			slices.Sort(names)
			return names
		}
		want := func(what string, names ...string) {
			t.Helper()
			if got := asked(); !slices.Equal(got, names) {
				t.Errorf("%s: read %v, want %v", what, got, names)
			}
		}
		want("first", "a", "b")
		want("again")
		must(t, f.CreateTopic("c", 1, map[string]string{"min.insync.replicas": "2"}))
		want("a new topic", "c")
		if got := mustDescribe(t, admin).Partitions[2]; got.Topic != "c" || got.MinISR != 2 {
			t.Errorf("got %+v", got)
		}
		must(t, f.DeleteTopic("c"))
		must(t, f.CreateTopic("c", 1, nil))
		want("created again", "c")
		must(t, f.DeleteTopic("c"))
		want("deleted")
		time.Sleep(minISRAge)
		want("a minute later", "a", "b")
		must(t, admin.AlterDynamicConfig(t.Context(), ClusterWide, map[string]string{"min.insync.replicas": "2"}, nil))
		want("the default was changed", "a", "b")
		if got := mustDescribe(t, admin).Partitions[0].MinISR; got != 2 {
			t.Errorf("min ISR %d", got)
		}
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestMinISRIsReadInBatches(t *testing.T) {
	topics := make([]kmsg.MetadataResponseTopic, 2*minISRBatch+1)
	for i := range topics {
		topics[i].Topic = kmsg.StringPtr(string(rune('a' + i)))
	}
	var cache minISRCache
	values, due := cache.lookup(topics, time.Now())
	if len(values) != 0 || len(slices.Collect(slices.Chunk(due, minISRBatch))) != 3 {
		t.Errorf("%d values, %d due", len(values), len(due))
	}
}

// A topic that is deleted between the answers is left out; any other failure is one of Describe.
func TestDescribeWhileTopicIsDeleted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeCluster(t, 1, kfake.SeedTopics(1, "a", "gone"))
		code := kerr.UnknownTopicOrPartition.Code
		f.answer(kmsg.DescribeConfigs.Int16(), func(_ int32, req kmsg.Request) (kmsg.Response, error) {
			resp := req.ResponseKind().(*kmsg.DescribeConfigsResponse)
			for _, r := range req.(*kmsg.DescribeConfigsRequest).Resources {
				out := kmsg.NewDescribeConfigsResponseResource()
				out.ResourceName = r.ResourceName
				if r.ResourceName == "gone" {
					out.ErrorCode = code
				} else {
					c := kmsg.NewDescribeConfigsResponseResourceConfig()
					c.Name, c.Value = minISRKey, kmsg.StringPtr("3")
					out.Configs = append(out.Configs, c)
				}
				resp.Resources = append(resp.Resources, out)
			}
			return resp, nil
		})
		admin := f.admin()
		if got := mustDescribe(t, admin).Partitions; len(got) != 1 || got[0].Topic != "a" || got[0].MinISR != 3 {
			t.Errorf("got %+v", got)
		}
		code = kerr.TopicAuthorizationFailed.Code
		if _, err := admin.Describe(t.Context()); !errors.Is(err, kerr.TopicAuthorizationFailed) || errors.Is(err, ErrUnreachable) {
			t.Errorf("got %v", err)
		}
	})
}

// A broker that is cut off from the controllers describes the past.
func TestDescribeShunsStaleBrokers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeCluster(t, 3, kfake.SeedTopics(1, "a"))
		stale := []int32{0, 1}
		f.answer(kmsg.DescribeQuorum.Int16(), func(_ int32, req kmsg.Request) (kmsg.Response, error) {
			now := time.Now().UnixMilli()
			var observers []kmsg.DescribeQuorumResponseTopicPartitionReplicaState
			for id := range int32(3) {
				caughtUp := now
				if slices.Contains(stale, id) {
					caughtUp -= 2 * staleAfter.Milliseconds()
				}
				observers = append(observers, replicaState(id, 5, caughtUp))
			}
			return quorumResponse(req, 100, []kmsg.DescribeQuorumResponseTopicPartitionReplicaState{replicaState(100, 5, now)}, observers), nil
		})
		admin := f.admin()
		for range 10 {
			f.forget()
			mustDescribe(t, admin)
			for _, s := range f.sent(kmsg.DescribeCluster) {
				if s.node != 2 {
					t.Fatalf("broker %d was believed", s.node)
				}
			}
		}
		stale = []int32{0, 1, 2}
		if _, err := admin.Describe(t.Context()); !errors.Is(err, ErrUnreachable) || !errors.Is(err, errStale) {
			t.Errorf("got %v", err)
		}
	})
}

// Without an active controller a broker still answers Metadata, but nobody knows whether it is true.
func TestDescribeWithoutController(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeCluster(t, 3)
		f.answer(kmsg.DescribeQuorum.Int16(), func(int32, kmsg.Request) (kmsg.Response, error) { return nil, errSilence })
		start := time.Now()
		_, err := f.admin().Describe(t.Context())
		if took := time.Since(start); !errors.Is(err, ErrUnreachable) || took > defaultTimeout {
			t.Errorf("got %v after %v", err, took)
		}
	})
}

func TestDescribeHonoursItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeCluster(t, 1)
		f.answer(kmsg.Metadata.Int16(), func(int32, kmsg.Request) (kmsg.Response, error) { return nil, errSilence })
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		_, err := f.admin().Describe(ctx)
		if took := time.Since(start); !errors.Is(err, ErrUnreachable) || took > time.Second {
			t.Errorf("got %v after %v", err, took)
		}
	})
}
