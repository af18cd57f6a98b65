package kafka

import (
	"errors"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestQuorum(t *testing.T) {
	at := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	ago := func(d time.Duration) int64 { return at.Add(-d).UnixMilli() }
	p := kmsg.NewDescribeQuorumResponseTopicPartition()
	p.LeaderID = 2
	p.CurrentVoters = []kmsg.DescribeQuorumResponseTopicPartitionReplicaState{
		replicaState(1, 90, ago(3*time.Second)), replicaState(2, 100, ago(0)), replicaState(3, -1, -1),
	}
	p.Observers = []kmsg.DescribeQuorumResponseTopicPartitionReplicaState{replicaState(4, 101, ago(-time.Second))}
	// This program's clock is an hour late: it must not matter.
	got := newQuorum(p, at.Add(-time.Hour))
	id := func(i byte) string { return directoryID([16]byte{15: i}) }
	want := Quorum{
		Leader: 2,
		Voters: []QuorumReplica{
			{ID: 1, DirectoryID: id(1), Lag: 10, CaughtUpAgo: 3 * time.Second}, {ID: 2, DirectoryID: id(2)}, {ID: 3, DirectoryID: id(3), Lag: 101, CaughtUpAgo: -1},
		},
		Observers: []QuorumReplica{{ID: 4, DirectoryID: id(4)}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	// A leader that does not say the time.
	p.CurrentVoters[1].LastCaughtUpTimestamp, p.CurrentVoters[1].LastFetchTimestamp = -1, -1
	if got := newQuorum(p, at.Add(time.Minute)).Voters; got[0].CaughtUpAgo != 63*time.Second || got[1].CaughtUpAgo != 0 {
		t.Errorf("got %+v", got)
	}
}

func TestDirectoryID(t *testing.T) {
	const id = "mvhbAVZXTmaiS6qzpS_o-A"
	b, err := parseDirectoryID(id)
	if err != nil || directoryID(b) != id {
		t.Errorf("got %s, %v", directoryID(b), err)
	}
	for _, bad := range []string{"", "short", id + "AA", id[:21] + "=", "mvhbAVZXTmaiS6qzpS/o+A"} {
		if _, err := parseDirectoryID(bad); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}

// controllers makes the brokers of a fake cluster controllers: they know no Metadata, and one of them leads.
func controllers(f *fakeCluster, leader int32) {
	f.answer(kmsg.Metadata.Int16(), func(int32, kmsg.Request) (kmsg.Response, error) {
		return nil, errors.New("controllers know no metadata")
	})
	f.answer(kmsg.DescribeQuorum.Int16(), func(node int32, req kmsg.Request) (kmsg.Response, error) {
		if node != leader {
			return notLeader(req), nil
		}
		return quorumResponse(req, leader, []kmsg.DescribeQuorumResponseTopicPartitionReplicaState{replicaState(leader, 1, 1)}, nil), nil
	})
	f.answer(kmsg.DescribeCluster.Int16(), func(_ int32, req kmsg.Request) (kmsg.Response, error) {
		resp := req.ResponseKind().(*kmsg.DescribeClusterResponse)
		if req.(*kmsg.DescribeClusterRequest).EndpointType != controllerEndpoints {
			resp.ErrorCode = kerr.MismatchedEndpointType.Code
			return resp, nil
		}
		for id := range int32(len(f.ListenAddrs())) {
			b := kmsg.NewDescribeClusterResponseBroker()
			b.NodeID = id
			resp.Brokers = append(resp.Brokers, b)
		}
		return resp, nil
	})
}

func onlyControllers(c *Config) { c.Controllers, c.Seeds = c.Seeds, nil }

func TestControllersAreAskedWithoutBrokers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeCluster(t, 3)
		controllers(f, 1)
		for _, key := range []kmsg.Key{kmsg.AddRaftVoter, kmsg.RemoveRaftVoter, kmsg.UnregisterBroker} {
			f.answer(key.Int16(), func(_ int32, req kmsg.Request) (kmsg.Response, error) { return req.ResponseKind(), nil })
		}
		admin := f.admin(onlyControllers)
		q, err := admin.Quorum(t.Context())
		if err != nil || q.Leader != 1 {
			t.Errorf("got %+v, %v", q, err)
		}
		id := directoryID([16]byte{1, 2, 3})
		must(t, admin.AddVoter(t.Context(), Voter{ID: 5, DirectoryID: id, Host: "c-5", Port: 9090}))
		must(t, admin.RemoveVoter(t.Context(), 6, id))
		must(t, admin.UnregisterBroker(t.Context(), 7))
		for _, key := range []kmsg.Key{kmsg.AddRaftVoter, kmsg.RemoveRaftVoter, kmsg.UnregisterBroker} {
			if s := f.sent(key); len(s) != 1 || s[0].node != 1 {
				t.Errorf("%v was sent to %+v", key, s)
			}
		}
		if _, err := admin.Describe(t.Context()); !errors.Is(err, ErrUnreachable) {
			t.Errorf("describing: %v", err)
		}
	})
}

func TestNoLeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeCluster(t, 3)
		controllers(f, -5)
		admin := f.admin(onlyControllers)
		q, err := admin.Quorum(t.Context())
		if err != nil || q.Leader != -1 || len(q.Voters) != 0 {
			t.Errorf("got %+v, %v", q, err)
		}
		if err := admin.RemoveVoter(t.Context(), 1, directoryID([16]byte{})); !errors.Is(err, ErrUnreachable) {
			t.Errorf("got %v", err)
		}
		// The one that cannot be asked may lead.
		f.down.Store(f.ListenAddrs()[2], "refuses")
		if q, err := f.admin(onlyControllers).Quorum(t.Context()); !errors.Is(err, ErrUnreachable) {
			t.Errorf("got %+v, %v", q, err)
		}
	})
}

func TestVoterRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeCluster(t, 1)
		var code int16
		f.answer(kmsg.AddRaftVoter.Int16(), func(_ int32, req kmsg.Request) (kmsg.Response, error) {
			resp := req.ResponseKind().(*kmsg.AddRaftVoterResponse)
			resp.ErrorCode, resp.ErrorMessage = code, kmsg.StringPtr("because")
			return resp, nil
		})
		f.answer(kmsg.RemoveRaftVoter.Int16(), func(_ int32, req kmsg.Request) (kmsg.Response, error) {
			resp := req.ResponseKind().(*kmsg.RemoveRaftVoterResponse)
			resp.ErrorCode = code
			return resp, nil
		})
		admin := f.admin()
		uuid := [16]byte{1, 2, 3}
		voter := Voter{ID: 5, DirectoryID: directoryID(uuid), Host: "c-5", Port: 9090}
		must(t, admin.AddVoter(t.Context(), voter))
		add := f.sent(kmsg.AddRaftVoter)[0].req.(*kmsg.AddRaftVoterRequest)
		wantListener := kmsg.AddRaftVoterRequestListener{Name: "CONTROLLER", Host: "c-5", Port: 9090}
		if add.VoterID != 5 || add.VoterDirectoryID != uuid || !add.AckWhenCommitted || len(add.Listeners) != 1 || !reflect.DeepEqual(add.Listeners[0], wantListener) {
			t.Errorf("sent %+v", add)
		}
		if limit := time.Duration(add.TimeoutMillis) * time.Millisecond; limit <= 0 || limit >= defaultTimeout {
			t.Errorf("Kafka may take %v", limit)
		}
		must(t, admin.RemoveVoter(t.Context(), 5, voter.DirectoryID))
		remove := f.sent(kmsg.RemoveRaftVoter)[0].req.(*kmsg.RemoveRaftVoterRequest)
		if remove.VoterID != 5 || remove.VoterDirectoryID != uuid {
			t.Errorf("sent %+v", remove)
		}
		code = kerr.DuplicateVoter.Code
		if err := admin.AddVoter(t.Context(), voter); !errors.Is(err, kerr.DuplicateVoter) || errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), "because") {
			t.Errorf("got %v", err)
		}
		code = kerr.VoterNotFound.Code
		if err := admin.RemoveVoter(t.Context(), 5, voter.DirectoryID); !errors.Is(err, kerr.VoterNotFound) || errors.Is(err, ErrUnreachable) {
			t.Errorf("got %v", err)
		}
		if err := admin.RemoveVoter(t.Context(), 5, "x"); err == nil {
			t.Error("a directory id that is none is accepted")
		}
	})
}

func TestUnregisterBroker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeCluster(t, 1)
		f.answer(kmsg.UnregisterBroker.Int16(), func(_ int32, req kmsg.Request) (kmsg.Response, error) {
			resp := req.ResponseKind().(*kmsg.UnregisterBrokerResponse)
			if req.(*kmsg.UnregisterBrokerRequest).BrokerID != 7 {
				resp.ErrorCode = kerr.BrokerIDNotRegistered.Code
			}
			return resp, nil
		})
		admin := f.admin()
		must(t, admin.UnregisterBroker(t.Context(), 7))
		if err := admin.UnregisterBroker(t.Context(), 8); !errors.Is(err, kerr.BrokerIDNotRegistered) || errors.Is(err, ErrUnreachable) {
			t.Errorf("got %v", err)
		}
	})
}

func TestElectPreferredLeaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeCluster(t, 1)
		var codes []*kerr.Error
		f.answer(kmsg.ElectLeaders.Int16(), func(_ int32, req kmsg.Request) (kmsg.Response, error) {
			resp := req.ResponseKind().(*kmsg.ElectLeadersResponse)
			topic := kmsg.NewElectLeadersResponseTopic()
			topic.Topic = "a"
			for i, e := range codes {
				p := kmsg.NewElectLeadersResponseTopicPartition()
				p.Partition, p.ErrorCode = int32(i), e.Code
				topic.Partitions = append(topic.Partitions, p)
			}
			resp.Topics = append(resp.Topics, topic)
			return resp, nil
		})
		admin := f.admin()
		must(t, admin.ElectPreferredLeaders(t.Context()))
		if req := f.sent(kmsg.ElectLeaders)[0].req.(*kmsg.ElectLeadersRequest); req.Topics != nil || req.ElectionType != 0 {
			t.Errorf("sent %+v", req)
		}
		codes = []*kerr.Error{kerr.ElectionNotNeeded, kerr.PreferredLeaderNotAvailable}
		must(t, admin.ElectPreferredLeaders(t.Context()))
		codes = append(codes, kerr.ClusterAuthorizationFailed, kerr.UnknownServerError)
		err := admin.ElectPreferredLeaders(t.Context())
		if !errors.Is(err, kerr.ClusterAuthorizationFailed) || !strings.Contains(err.Error(), "a-2") || !strings.Contains(err.Error(), "1 partitions more") {
			t.Errorf("got %v", err)
		}
	})
}

func TestDynamicConfig(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeCluster(t, 3)
		entry := func(name string, value *string, source kmsg.ConfigSource) kmsg.DescribeConfigsResponseResourceConfig {
			c := kmsg.NewDescribeConfigsResponseResourceConfig()
			c.Name, c.Value, c.Source = name, value, source
			return c
		}
		f.answer(kmsg.DescribeConfigs.Int16(), func(_ int32, req kmsg.Request) (kmsg.Response, error) {
			resp := req.ResponseKind().(*kmsg.DescribeConfigsResponse)
			r := kmsg.NewDescribeConfigsResponseResource()
			r.Configs = append(r.Configs,
				entry("own", kmsg.StringPtr("1"), kmsg.ConfigSourceDynamicBrokerConfig),
				entry("password", nil, kmsg.ConfigSourceDynamicBrokerConfig),
				entry("default", kmsg.StringPtr("2"), kmsg.ConfigSourceDynamicDefaultBrokerConfig),
				entry("static", kmsg.StringPtr("3"), kmsg.ConfigSourceStaticBrokerConfig),
				entry("kafka", kmsg.StringPtr("4"), kmsg.ConfigSourceDefaultConfig),
			)
			resp.Resources = append(resp.Resources, r)
			return resp, nil
		})
		admin := f.admin()
		for node, want := range map[int32]map[string]string{2: {"own": "1", "password": Hidden}, ClusterWide: {"default": "2"}} {
			f.forget()
			got, err := admin.DynamicConfig(t.Context(), node)
			if err != nil || !maps.Equal(got, want) {
				t.Errorf("%d: got %v, %v", node, got, err)
			}
			s := f.sent(kmsg.DescribeConfigs)[0]
			if name := s.req.(*kmsg.DescribeConfigsRequest).Resources[0].ResourceName; name != map[int32]string{2: "2", ClusterWide: ""}[node] || node == 2 && s.node != 2 {
				t.Errorf("%q was sent to %d", name, s.node)
			}
		}
		start := time.Now()
		if _, err := admin.DynamicConfig(t.Context(), 9); !errors.Is(err, ErrUnreachable) || time.Since(start) > time.Second {
			t.Errorf("a broker that is not there: %v after %v", err, time.Since(start))
		}
	})
}

func TestAlterDynamicConfig(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeCluster(t, 3)
		admin := f.admin()
		must(t, admin.AlterDynamicConfig(t.Context(), ClusterWide, map[string]string{"compression.type": "lz4"}, nil))
		must(t, admin.AlterDynamicConfig(t.Context(), ClusterWide, map[string]string{"message.max.bytes": "1000"}, []string{"never.set"}))
		got, err := admin.DynamicConfig(t.Context(), 0) // kfake has one level only
		if want := map[string]string{"compression.type": "lz4", "message.max.bytes": "1000"}; err != nil || !maps.Equal(got, want) {
			t.Errorf("got %v, %v", got, err)
		}
		f.forget()
		must(t, admin.AlterDynamicConfig(t.Context(), 2, map[string]string{"b": "1", "a": ""}, []string{"d", "c"}))
		s := f.sent(kmsg.IncrementalAlterConfigs)
		r := s[0].req.(*kmsg.IncrementalAlterConfigsRequest).Resources[0]
		var ops []string
		for _, c := range r.Configs {
			ops = append(ops, c.Op.String()+" "+c.Name+"="+deref(c.Value))
		}
		if want := []string{"SET a=", "SET b=1", "DELETE c=", "DELETE d="}; len(s) != 1 || s[0].node != 2 || r.ResourceName != "2" || !slices.Equal(ops, want) {
			t.Errorf("sent %+v", s)
		}
		f.forget()
		must(t, admin.AlterDynamicConfig(t.Context(), 2, nil, nil))
		if len(f.sent(kmsg.IncrementalAlterConfigs)) != 0 || len(f.sent(kmsg.AlterConfigs)) != 0 {
			t.Error("nothing to alter, but something was sent")
		}
		f.answer(kmsg.IncrementalAlterConfigs.Int16(), func(_ int32, req kmsg.Request) (kmsg.Response, error) {
			resp := req.ResponseKind().(*kmsg.IncrementalAlterConfigsResponse)
			r := kmsg.NewIncrementalAlterConfigsResponseResource()
			r.ErrorCode = kerr.InvalidConfig.Code
			resp.Resources = append(resp.Resources, r)
			return resp, nil
		})
		if err := admin.AlterDynamicConfig(t.Context(), 1, map[string]string{"a": "1"}, nil); !errors.Is(err, kerr.InvalidConfig) || errors.Is(err, ErrUnreachable) {
			t.Errorf("got %v", err)
		}
	})
}

func TestControllerConfig(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeCluster(t, 3)
		controllers(f, 1)
		admin := f.admin(onlyControllers)
		must(t, admin.AlterDynamicConfig(t.Context(), 1, map[string]string{"compression.type": "lz4"}, nil))
		if s := f.sent(kmsg.IncrementalAlterConfigs); len(s) != 1 || s[0].node != 1 {
			t.Errorf("sent %+v", s)
		}
		f.answer(kmsg.IncrementalAlterConfigs.Int16(), func(node int32, req kmsg.Request) (kmsg.Response, error) {
			return req.ResponseKind(), nil
		})
		f.forget()
		must(t, admin.AlterDynamicConfig(t.Context(), 2, map[string]string{"x": "y"}, nil))
		if s := f.sent(kmsg.IncrementalAlterConfigs); len(s) != 1 || s[0].node != 1 {
			t.Errorf("another controller's config: sent %+v, want it at the active one", s)
		}
		// A node that is no controller is not altered behind its back.
		f.forget()
		if err := admin.AlterDynamicConfig(t.Context(), 9, map[string]string{"x": "y"}, nil); !errors.Is(err, ErrUnreachable) || len(f.sent(kmsg.IncrementalAlterConfigs)) != 0 {
			t.Errorf("got %v", err)
		}
		f.forget()
		if _, err := admin.DynamicConfig(t.Context(), 2); err != nil {
			t.Errorf("got %v", err)
		}
		if _, err := admin.DynamicConfig(t.Context(), 9); !errors.Is(err, ErrUnreachable) {
			t.Errorf("got %v", err)
		}
	})
}

func TestLogDirs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeCluster(t, 3)
		f.answer(kmsg.DescribeLogDirs.Int16(), func(node int32, req kmsg.Request) (kmsg.Response, error) {
			resp := req.ResponseKind().(*kmsg.DescribeLogDirsResponse)
			if req.(*kmsg.DescribeLogDirsRequest).Topics != nil {
				t.Error("not all topics were asked for")
			}
			switch node {
			case 1:
				return nil, io.EOF
			case 2:
				resp.ErrorCode = kerr.ClusterAuthorizationFailed.Code
				return resp, nil
			}
			topic := func(name string, sizes ...int64) kmsg.DescribeLogDirsResponseDirTopic {
				tt := kmsg.NewDescribeLogDirsResponseDirTopic()
				tt.Topic = name
				for i, size := range sizes {
					p := kmsg.NewDescribeLogDirsResponseDirTopicPartition()
					p.Partition, p.Size, p.IsFuture = int32(i), size, i == 1
					tt.Partitions = append(tt.Partitions, p)
				}
				return tt
			}
			good, bad := kmsg.NewDescribeLogDirsResponseDir(), kmsg.NewDescribeLogDirsResponseDir()
			good.Dir, good.IsCordoned = "/a", true
			good.Topics = append(good.Topics, topic("t", 10, 20), topic("u", 5), topic(metadataTopic, 100))
			bad.Dir, bad.ErrorCode = "/b", kerr.KafkaStorageError.Code
			resp.Dirs = append(resp.Dirs, good, bad)
			return resp, nil
		})
		got, err := f.admin().LogDirs(t.Context(), []int32{0, 1, 2, 9})
		want := map[int32][]LogDir{0: {{Path: "/a", Replicas: 3, Future: 1, Partitions: []TopicPartition{{"t", 0}, {"u", 0}}, Bytes: 35, Cordoned: true}, {Path: "/b", Err: kerr.KafkaStorageError}}}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v", got)
		}
		if !errors.Is(err, ErrUnreachable) || !errors.Is(err, kerr.ClusterAuthorizationFailed) {
			t.Errorf("got %v", err)
		}
		for _, part := range []string{"broker 1", "broker 2", "broker 9"} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s is not in %v", part, err)
			}
		}
	})
}
