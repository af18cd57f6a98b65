//go:build e2e

package kafka_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"koperator.dev/koperator/apis/machinery/kafka"
)

// TestRealKafka drives every method of Admin against Kafka itself: one controller, then two, and two brokers. The steps
// build on one another.
func TestRealKafka(t *testing.T) {
	k := newRealKafka(t)
	k.addController(1000, true)
	k.addBroker(1, "a", 2)
	k.addBroker(2, "b", 1)
	for _, id := range []int32{1000, 1, 2} {
		k.start(id)
	}
	s := &story{t: t, k: k, ctx: t.Context()}
	s.cfg = kafka.Config{
		Seeds:       []string{k.nodes[1].address(), k.nodes[2].address()},
		Controllers: []string{k.nodes[1000].address()},
		CA:          k.ca.certPEM,
		Timeout:     5 * time.Second,
		Dialer:      s.dial,
	}
	client := k.ca.issue(t, "koperator")
	s.cfg.Certificate, s.cfg.Key = client.certPEM, client.keyPEM
	s.admin = s.newAdmin(s.cfg)
	s.plain = s.plainClient(client)

	for _, step := range []struct {
		name string
		run  func(*story, *testing.T)
	}{
		{"brokers and partitions", (*story).describes},
		{"a second look opens no connection", (*story).idles},
		{"min.insync.replicas in force", (*story).minISR},
		{"quorum", (*story).quorum},
		{"log directories", (*story).logDirs},
		{"dynamic config of a broker", (*story).brokerConfig},
		{"dynamic config of the cluster", (*story).clusterConfig},
		{"dynamic config of a controller", (*story).controllerConfig},
		{"config of topics", (*story).topicConfigs},
		{"TLS", (*story).tls},
		{"voters", (*story).voters},
		{"a broker that is fenced", (*story).fenced},
		{"preferred leaders", (*story).preferredLeaders},
		{"unregistering", (*story).unregisters},
		{"a log directory that is removed while it is cordoned", (*story).removesLogDir},
		{"a broker that hangs", (*story).hangs},
		{"without brokers", (*story).withoutBrokers},
		{"without controllers", (*story).withoutControllers},
		{"without anybody", (*story).withoutAnybody},
	} {
		if !t.Run(step.name, func(t *testing.T) { k.t = t; defer func() { k.t = s.t }(); step.run(s, t) }) {
			k.logs()
			return
		}
	}
}

type story struct {
	t     *testing.T
	k     *realKafka
	ctx   context.Context
	cfg   kafka.Config
	admin kafka.Admin
	plain *kadm.Client // somebody else
	dials atomic.Int32
}

func (s *story) dial(ctx context.Context, network, address string) (net.Conn, error) {
	s.dials.Add(1)
	return (&net.Dialer{}).DialContext(ctx, network, address)
}

func (s *story) newAdmin(cfg kafka.Config) kafka.Admin {
	s.t.Helper()
	admin, err := kafka.New(cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(admin.Close)
	return admin
}

func (s *story) plainClient(p pair) *kadm.Client {
	s.t.Helper()
	cert, err := tls.X509KeyPair(p.certPEM, p.keyPEM)
	if err != nil {
		s.t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(s.k.ca.certPEM)
	cl, err := kgo.NewClient(kgo.SeedBrokers(s.cfg.Seeds...), kgo.DialTLSConfig(&tls.Config{RootCAs: roots, Certificates: []tls.Certificate{cert}}))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(cl.Close)
	return kadm.NewClient(cl)
}

func must[T any](t *testing.T, value T, err error) T {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func (s *story) describe(t *testing.T) kafka.Cluster {
	t.Helper()
	cluster, err := s.admin.Describe(s.ctx)
	return must(t, cluster, err)
}

func partitionsOf(cluster kafka.Cluster, topic string) []kafka.Partition {
	var of []kafka.Partition
	for _, p := range cluster.Partitions {
		if p.Topic == topic {
			of = append(of, p)
		}
	}
	return of
}

func (s *story) describes(t *testing.T) {
	_, err := s.plain.CreateTopic(s.ctx, 3, 2, map[string]*string{"min.insync.replicas": kadm.StringPtr("2")}, "b")
	must(t, 0, err)
	_, err = s.plain.CreateTopic(s.ctx, 1, 2, nil, "a")
	must(t, 0, err)
	s.k.eventually("all are in sync", 20*time.Second, func() bool {
		c := s.describe(t)
		return len(c.Partitions) == 4 && !slices.ContainsFunc(c.Partitions, func(p kafka.Partition) bool { return len(p.ISR) != 2 || p.Leader < 0 })
	})
	c := s.describe(t)
	if c.ID != s.k.clusterID || len(c.Brokers) != 2 || c.Brokers[1] != (kafka.Broker{ID: 1, Rack: "a"}) || c.Brokers[2].Rack != "b" || len(c.Reassignments) != 0 {
		t.Errorf("got %+v", c)
	}
	if !slices.IsSortedFunc(c.Partitions, func(a, b kafka.Partition) int {
		return slices.Compare([]string{a.Topic, string('0' + a.Partition)}, []string{b.Topic, string('0' + b.Partition)})
	}) {
		t.Errorf("not sorted: %+v", c.Partitions)
	}
}

func (s *story) idles(t *testing.T) {
	s.describe(t)
	before := s.dials.Load()
	s.describe(t)
	must(t, 0, second(s.admin.Quorum(s.ctx)))
	must(t, 0, second(s.admin.DynamicConfig(s.ctx, kafka.ClusterWide)))
	if after := s.dials.Load(); after != before {
		t.Errorf("%d connections were opened", after-before)
	}
	t.Logf("%d connections so far", before)
}

func second[T any](_ T, err error) error { return err }

func (s *story) minISR(t *testing.T) {
	want := func(a, b int) {
		t.Helper()
		c := s.describe(t)
		if got := partitionsOf(c, "a")[0].MinISR; got != a {
			t.Errorf("topic a: min ISR %d, want %d", got, a)
		}
		if got := partitionsOf(c, "b")[0].MinISR; got != b {
			t.Errorf("topic b: min ISR %d, want %d", got, b)
		}
	}
	want(1, 2)
	must(t, 0, s.admin.AlterDynamicConfig(s.ctx, kafka.ClusterWide, map[string]string{"min.insync.replicas": "3"}, nil))
	s.k.eventually("brokers know the default", 10*time.Second, func() bool {
		admin, err := kafka.New(s.cfg)
		must(t, 0, err)
		defer admin.Close()
		c, err := admin.Describe(s.ctx)
		return partitionsOf(must(t, c, err), "a")[0].MinISR == 3
	})
	// With eligible leader replicas (KIP-966) Kafka keeps one default for all.
	err := s.admin.AlterDynamicConfig(s.ctx, kafka.ClusterWide, nil, []string{"min.insync.replicas"})
	if !errors.Is(err, kerr.InvalidConfig) {
		t.Errorf("deleting the cluster's min.insync.replicas: %v", err)
	}
	err = s.admin.AlterDynamicConfig(s.ctx, 1, map[string]string{"min.insync.replicas": "2"}, nil)
	if !errors.Is(err, kerr.InvalidConfig) || errors.Is(err, kafka.ErrUnreachable) {
		t.Errorf("got %v", err)
	}
	must(t, 0, s.admin.AlterDynamicConfig(s.ctx, kafka.ClusterWide, map[string]string{"min.insync.replicas": "1"}, nil))
}

func (s *story) quorum(t *testing.T) {
	q, err := s.admin.Quorum(s.ctx)
	must(t, q, err)
	t.Logf("%+v", q)
	want := kafka.QuorumReplica{ID: 1000, DirectoryID: s.directoryID(t, 1000)}
	if q.Leader != 1000 || len(q.Voters) != 1 || q.Voters[0] != want {
		t.Errorf("voters %+v, want %+v", q.Voters, want)
	}
	for _, o := range q.Observers {
		if o.DirectoryID != s.directoryID(t, o.ID) || o.CaughtUpAgo < 0 || o.CaughtUpAgo > 3*time.Second || o.Lag > 20 {
			t.Errorf("observer %+v", o)
		}
	}
	if len(q.Observers) != 2 {
		t.Errorf("observers %+v", q.Observers)
	}
}

func (s *story) directoryID(t *testing.T, id int32) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(s.k.nodes[id].dirs[0], "meta.properties"))
	must(t, 0, err)
	return string(regexp.MustCompile(`directory\.id=(\S+)`).FindSubmatch(b)[1])
}

func (s *story) logDirs(t *testing.T) {
	dirs, err := s.admin.LogDirs(s.ctx, []int32{1, 2})
	must(t, 0, err)
	t.Logf("%+v", dirs)
	replicas := 0
	for _, d := range dirs[1] {
		replicas += d.Replicas
		if d.Err != nil || d.Cordoned {
			t.Errorf("%+v", d)
		}
	}
	if len(dirs[1]) != 2 || len(dirs[2]) != 1 || replicas != 4 || dirs[2][0].Replicas != 4 {
		t.Errorf("got %+v", dirs)
	}
	path := s.k.nodes[1].dirs[1]
	must(t, 0, s.admin.AlterDynamicConfig(s.ctx, 1, map[string]string{"cordoned.log.dirs": path}, nil))
	s.k.eventually("the directory is cordoned", 10*time.Second, func() bool {
		dirs, err := s.admin.LogDirs(s.ctx, []int32{1})
		must(t, 0, err)
		return slices.ContainsFunc(dirs[1], func(d kafka.LogDir) bool { return d.Path == path && d.Cordoned })
	})
	must(t, 0, s.admin.AlterDynamicConfig(s.ctx, 1, nil, []string{"cordoned.log.dirs"}))
	err = s.admin.AlterDynamicConfig(s.ctx, 1, map[string]string{"cordoned.log.dirs": "/elsewhere"}, nil)
	if !errors.Is(err, kerr.InvalidRequest) {
		t.Errorf("cordoning an unknown directory: %v", err)
	}
}

func (s *story) brokerConfig(t *testing.T) {
	// Cruise Control's throttle, say.
	_, err := s.plain.AlterBrokerConfigs(s.ctx, []kadm.AlterConfig{
		{Op: kadm.SetConfig, Name: "leader.replication.throttled.rate", Value: kadm.StringPtr("1000000")},
		{Op: kadm.SetConfig, Name: "made.up", Value: kadm.StringPtr("secret")},
	}, 1)
	must(t, 0, err)
	must(t, 0, s.admin.AlterDynamicConfig(s.ctx, 1, map[string]string{"num.replica.fetchers": "2", "message.max.bytes": "2000000"}, nil))
	s.wantConfig(t, 1, map[string]string{
		"leader.replication.throttled.rate": "1000000", "num.replica.fetchers": "2", "message.max.bytes": "2000000", "made.up": kafka.Hidden,
	})
	must(t, 0, s.admin.AlterDynamicConfig(s.ctx, 1, map[string]string{"num.replica.fetchers": "1"}, []string{"message.max.bytes", "never.set"}))
	s.wantConfig(t, 1, map[string]string{"leader.replication.throttled.rate": "1000000", "num.replica.fetchers": "1", "made.up": kafka.Hidden})
	keystore := "listener.name.replication.ssl.keystore.location"
	must(t, 0, s.admin.AlterDynamicConfig(s.ctx, 1, map[string]string{keystore: filepath.Join(s.k.dir, "node-1.pem")}, nil))
	s.wantConfig(t, 1, map[string]string{
		"leader.replication.throttled.rate": "1000000", "num.replica.fetchers": "1", "made.up": kafka.Hidden, keystore: filepath.Join(s.k.dir, "node-1.pem"),
	})
	must(t, 0, s.admin.AlterDynamicConfig(s.ctx, 1, nil, []string{"num.replica.fetchers", "made.up", keystore, "leader.replication.throttled.rate"}))
	s.wantConfig(t, 1, map[string]string{})
	s.wantConfig(t, 2, map[string]string{})
	err = s.admin.AlterDynamicConfig(s.ctx, 1, map[string]string{"log.dirs": "/x", "num.replica.fetchers": "2"}, nil)
	if !errors.Is(err, kerr.InvalidRequest) || errors.Is(err, kafka.ErrUnreachable) {
		t.Errorf("a read-only property: %v", err)
	}
	s.wantConfig(t, 1, map[string]string{})
}

// wantConfig waits until the node itself says so: it learns of a change from the metadata log, after the answer.
func (s *story) wantConfig(t *testing.T, id int32, want map[string]string) {
	t.Helper()
	var got map[string]string
	deadline := time.Now().Add(10 * time.Second)
	for time.Now().Before(deadline) {
		config, err := s.admin.DynamicConfig(s.ctx, id)
		got = must(t, config, err)
		if mapsEqual(got, want) {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("config of %d: got %v, want %v", id, got, want)
}

func mapsEqual(a, b map[string]string) bool {
	if len(a) != len(b) {
		return false
	}
	for k, v := range a {
		if w, ok := b[k]; !ok || v != w {
			return false
		}
	}
	return true
}

func (s *story) clusterConfig(t *testing.T) {
	before, err := s.admin.DynamicConfig(s.ctx, kafka.ClusterWide)
	t.Logf("%v %v", before, err)
	must(t, 0, s.admin.AlterDynamicConfig(s.ctx, kafka.ClusterWide, map[string]string{"message.max.bytes": "3000000"}, nil))
	s.wantConfig(t, kafka.ClusterWide, map[string]string{"message.max.bytes": "3000000", "min.insync.replicas": "1"})
	s.wantConfig(t, 1, map[string]string{})
	must(t, 0, s.admin.AlterDynamicConfig(s.ctx, kafka.ClusterWide, nil, []string{"message.max.bytes"}))
	s.wantConfig(t, kafka.ClusterWide, map[string]string{"min.insync.replicas": "1"})
}

func (s *story) controllerConfig(t *testing.T) {
	keystore := "listener.name.controller.ssl.keystore.location"
	must(t, 0, s.admin.AlterDynamicConfig(s.ctx, 1000, map[string]string{keystore: filepath.Join(s.k.dir, "node-1000.pem")}, nil))
	s.wantConfig(t, 1000, map[string]string{keystore: filepath.Join(s.k.dir, "node-1000.pem")})
	must(t, 0, s.admin.AlterDynamicConfig(s.ctx, 1000, nil, []string{keystore}))
	s.wantConfig(t, 1000, map[string]string{})
}

func (s *story) tls(t *testing.T) {
	other := newAuthority(t, "other")
	stranger := other.issue(t, "stranger")
	for name, change := range map[string]func(*kafka.Config){
		"another CA is trusted":    func(c *kafka.Config) { c.CA = other.certPEM },
		"the client is a stranger": func(c *kafka.Config) { c.Certificate, c.Key = stranger.certPEM, stranger.keyPEM },
		"another name is expected": func(c *kafka.Config) { c.ServerName = "elsewhere" },
		"plaintext to TLS":         func(c *kafka.Config) { c.CA, c.Certificate, c.Key = nil, nil, nil },
	} {
		cfg := s.cfg
		change(&cfg)
		start := time.Now()
		_, err := s.newAdmin(cfg).Describe(s.ctx)
		t.Logf("%s: %v after %v", name, err, time.Since(start))
		if !errors.Is(err, kafka.ErrUnreachable) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func (s *story) voters(t *testing.T) {
	s.k.addController(1001, false)
	s.k.start(1001)
	voter := kafka.Voter{ID: 1001, DirectoryID: s.directoryID(t, 1001), Host: "127.0.0.1", Port: int32(s.k.nodes[1001].port)}
	s.k.eventually("the observer is seen and caught up", 20*time.Second, func() bool {
		q, err := s.admin.Quorum(s.ctx)
		must(t, q, err)
		i := slices.IndexFunc(q.Observers, func(o kafka.QuorumReplica) bool { return o.ID == 1001 })
		return i >= 0 && q.Observers[i].DirectoryID == voter.DirectoryID && q.Observers[i].CaughtUpAgo >= 0 && q.Observers[i].CaughtUpAgo < time.Second
	})
	wrong := voter
	wrong.DirectoryID = randomID()
	err := s.admin.AddVoter(s.ctx, wrong)
	t.Logf("another directory: %v", err)
	if !errors.Is(err, kerr.RequestTimedOut) || errors.Is(err, kafka.ErrUnreachable) {
		t.Errorf("got %v", err)
	}
	s.k.eventually("the voter is added", 30*time.Second, func() bool {
		err := s.admin.AddVoter(s.ctx, voter)
		t.Logf("adding: %v", err)
		return err == nil
	})
	if err := s.admin.AddVoter(s.ctx, voter); !errors.Is(err, kerr.DuplicateVoter) {
		t.Errorf("added twice: %v", err)
	}
	q, err := s.admin.Quorum(s.ctx)
	t.Logf("%+v", must(t, q, err))
	if len(q.Voters) != 2 {
		t.Errorf("voters: %+v", q.Voters)
	}
	s.removesVoter(t, voter)
}

// removesVoter asks the controllers alone: of two, one is not the leader.
func (s *story) removesVoter(t *testing.T, voter kafka.Voter) {
	cfg := s.cfg
	cfg.Seeds = nil
	cfg.Controllers = []string{s.k.nodes[1000].address(), s.k.nodes[1001].address()}
	admin := s.newAdmin(cfg)
	q, err := admin.Quorum(s.ctx)
	if must(t, q, err); q.Leader != 1000 || len(q.Voters) != 2 {
		t.Errorf("from the controllers: %+v", q)
	}
	if _, err := admin.Describe(s.ctx); !errors.Is(err, kafka.ErrUnreachable) {
		t.Errorf("describing without a broker: %v", err)
	}
	config, err := admin.DynamicConfig(s.ctx, 1001)
	if must(t, config, err); len(config) != 0 {
		t.Errorf("config of 1001: %v", config)
	}
	must(t, 0, admin.AlterDynamicConfig(s.ctx, 1001, map[string]string{"num.io.threads": "9"}, nil))
	must(t, 0, admin.AlterDynamicConfig(s.ctx, 1001, nil, []string{"num.io.threads"}))
	if err := s.admin.RemoveVoter(s.ctx, 1001, randomID()); !errors.Is(err, kerr.VoterNotFound) {
		t.Errorf("another directory: %v", err)
	}
	must(t, 0, admin.RemoveVoter(s.ctx, 1001, voter.DirectoryID))
	if err := s.admin.RemoveVoter(s.ctx, 1001, voter.DirectoryID); !errors.Is(err, kerr.VoterNotFound) {
		t.Errorf("removed twice: %v", err)
	}
	if err := s.admin.RemoveVoter(s.ctx, 1000, s.directoryID(t, 1000)); !errors.Is(err, kerr.VoterNotFound) {
		t.Errorf("removing the only voter: %v", err)
	}
	s.k.stop(1001, syscall.SIGTERM)
}

func (s *story) fenced(t *testing.T) {
	s.k.stop(2, syscall.SIGTERM)
	s.k.eventually("broker 2 is fenced", 20*time.Second, func() bool { return s.describe(t).Brokers[2].Fenced })
	c := s.describe(t)
	if b := c.Brokers[2]; b != (kafka.Broker{ID: 2, Fenced: true, Rack: "b"}) || c.Brokers[1].Fenced {
		t.Errorf("got %+v", c.Brokers)
	}
	for _, p := range c.Partitions {
		if !slices.Equal(p.ISR, []int32{1}) || p.Leader != 1 || len(p.Replicas) != 2 {
			t.Errorf("%+v", p)
		}
	}
	s.reassigns(t)
	start := time.Now()
	dirs, err := s.admin.LogDirs(s.ctx, []int32{1, 2})
	t.Logf("log directories: %v after %v", err, time.Since(start))
	if !errors.Is(err, kafka.ErrUnreachable) || len(dirs) != 1 || len(dirs[1]) != 2 {
		t.Errorf("got %v, %v", dirs, err)
	}
	// The active controller would take it, without looking whether the broker can start with it.
	s.bounded(t, "reading config of a fenced broker", func() error { return second(s.admin.DynamicConfig(s.ctx, 2)) })
	s.bounded(t, "altering a fenced broker", func() error {
		return s.admin.AlterDynamicConfig(s.ctx, 2, map[string]string{"num.replica.fetchers": "2"}, nil)
	})
}

// reassigns moves a partition to the broker that is fenced, which lasts, and cancels that.
func (s *story) reassigns(t *testing.T) {
	t.Helper()
	must(t, 0, s.admin.CreateTopic(s.ctx, kafka.NewTopic{Name: "c", Partitions: 2, ReplicationFactor: 1}))
	if err := s.admin.CreateTopic(s.ctx, kafka.NewTopic{Name: "c"}); !errors.Is(err, kerr.TopicAlreadyExists) {
		t.Errorf("created twice: %v", err)
	}
	var req kadm.AlterPartitionAssignmentsReq
	req.Assign("c", 0, []int32{2})
	resp, err := s.plain.AlterPartitionAssignments(s.ctx, req)
	must(t, 0, err)
	must(t, 0, resp.Error())
	c := s.describe(t)
	moving := kafka.TopicPartition{Topic: "c"}
	t.Logf("reassigning %+v: %+v", c.Reassignments, partitionsOf(c, "c"))
	if len(c.Reassignments) != 1 || c.Reassignments[0].TopicPartition != moving || !slices.Equal(c.Reassignments[0].Target(), []int32{2}) {
		t.Errorf("%+v are being reassigned", c.Reassignments)
	}
	if p := partitionsOf(c, "c")[0]; !slices.Equal(p.Offline, []int32{2}) {
		t.Errorf("the replica on the broker that is stopped is not offline: %+v", p)
	}
	// That of a partition that stays, and of one that does not exist, is no error.
	must(t, 0, s.admin.CancelReassignments(s.ctx, []kafka.TopicPartition{moving, {Topic: "c", Partition: 1}, {Topic: "gone"}}))
	c = s.describe(t)
	if p := partitionsOf(c, "c")[0]; len(c.Reassignments) != 0 || !slices.Equal(p.Replicas, []int32{1}) {
		t.Errorf("%+v are being reassigned, and the replicas are %v", c.Reassignments, p.Replicas)
	}
	_, err = s.plain.DeleteTopic(s.ctx, "c")
	must(t, 0, err)
	s.k.eventually("topic c is gone", 10*time.Second, func() bool { return len(partitionsOf(s.describe(t), "c")) == 0 })
}

// topicConfigs sets what Cruise Control's throttles are, beside a property of somebody else's.
func (s *story) topicConfigs(t *testing.T) {
	const throttled = "leader.replication.throttled.replicas"
	want := func(a, b map[string]string) {
		t.Helper()
		s.k.eventually("the topics have their properties", 10*time.Second, func() bool {
			got, err := s.admin.TopicConfigs(s.ctx, []string{"a", "b", "gone"})
			must(t, 0, err)
			return len(got) == 2 && mapsEqual(got["a"], a) && mapsEqual(got["b"], b)
		})
	}
	want(map[string]string{}, map[string]string{"min.insync.replicas": "2"})
	must(t, 0, s.admin.AlterTopicConfigs(s.ctx, map[string]kafka.ConfigChange{
		"a": {Set: map[string]string{throttled: "0:1,0:2"}}, "b": {Set: map[string]string{throttled: "*"}}, "gone": {Remove: []string{throttled}},
	}))
	want(map[string]string{throttled: "0:1,0:2"}, map[string]string{"min.insync.replicas": "2", throttled: "*"})
	must(t, 0, s.admin.AlterTopicConfigs(s.ctx, map[string]kafka.ConfigChange{"a": {Remove: []string{throttled}}, "b": {Remove: []string{throttled, "retention.ms"}}}))
	want(map[string]string{}, map[string]string{"min.insync.replicas": "2"})
	err := s.admin.AlterTopicConfigs(s.ctx, map[string]kafka.ConfigChange{"a": {Set: map[string]string{"retention.ms": "soon"}}})
	if !errors.Is(err, kerr.InvalidConfig) {
		t.Errorf("a value that is none: %v", err)
	}
}

func (s *story) preferredLeaders(t *testing.T) {
	must(t, 0, s.admin.ElectPreferredLeaders(s.ctx)) // those of broker 2 are not available
	s.k.start(2)
	s.k.eventually("broker 2 is in sync", 30*time.Second, func() bool {
		c := s.describe(t)
		return !c.Brokers[2].Fenced && !slices.ContainsFunc(c.Partitions, func(p kafka.Partition) bool { return len(p.ISR) != 2 })
	})
	must(t, 0, s.admin.ElectPreferredLeaders(s.ctx))
	s.k.eventually("the preferred replicas lead", 10*time.Second, func() bool {
		return !slices.ContainsFunc(s.describe(t).Partitions, func(p kafka.Partition) bool { return p.Leader != p.Replicas[0] })
	})
	must(t, 0, s.admin.ElectPreferredLeaders(s.ctx))
}

func (s *story) unregisters(t *testing.T) {
	s.k.stop(2, syscall.SIGTERM)
	s.k.eventually("broker 2 is fenced", 20*time.Second, func() bool { return s.describe(t).Brokers[2].Fenced })
	must(t, 0, s.admin.UnregisterBroker(s.ctx, 2))
	s.k.eventually("broker 2 is forgotten", 10*time.Second, func() bool { _, ok := s.describe(t).Brokers[2]; return !ok })
	if err := s.admin.UnregisterBroker(s.ctx, 2); !errors.Is(err, kerr.BrokerIDNotRegistered) {
		t.Errorf("unregistered twice: %v", err)
	}
	s.k.start(2)
	s.k.eventually("broker 2 is back", 30*time.Second, func() bool { b, ok := s.describe(t).Brokers[2]; return ok && !b.Fenced })
}

// removesLogDir restarts a broker without a log directory that is cordoned: it starts, and refuses to be configured until the
// cordon is taken away.
func (s *story) removesLogDir(t *testing.T) {
	n := s.k.nodes[1]
	gone := n.dirs[1]
	must(t, 0, s.admin.AlterDynamicConfig(s.ctx, 1, map[string]string{"cordoned.log.dirs": gone}, nil))
	s.k.eventually("the directory is cordoned", 10*time.Second, func() bool {
		dirs, err := s.admin.LogDirs(s.ctx, []int32{1})
		must(t, 0, err)
		return slices.ContainsFunc(dirs[1], func(d kafka.LogDir) bool { return d.Path == gone && d.Cordoned })
	})
	s.k.stop(1, syscall.SIGTERM)
	properties := string(readFile(t, n.props))
	must(t, 0, os.WriteFile(n.props, []byte(strings.Replace(properties, ","+gone, "", 1)), 0o600))
	s.k.start(1)
	s.k.eventually("all are in sync without it", 30*time.Second, func() bool {
		c := s.describe(t)
		return !c.Brokers[1].Fenced && !slices.ContainsFunc(c.Partitions, func(p kafka.Partition) bool { return len(p.ISR) != 2 })
	})
	dirs, err := s.admin.LogDirs(s.ctx, []int32{1})
	must(t, 0, err)
	if len(dirs[1]) != 1 || len(dirs[1][0].Partitions) != 4 || dirs[1][0].Replicas != 4 {
		t.Errorf("got %+v", dirs)
	}
	set := map[string]string{"num.replica.fetchers": "2"}
	if err := s.admin.AlterDynamicConfig(s.ctx, 1, set, nil); !errors.Is(err, kerr.InvalidRequest) {
		t.Errorf("configuring it: %v", err)
	}
	must(t, 0, s.admin.AlterDynamicConfig(s.ctx, 1, set, []string{"cordoned.log.dirs"}))
	s.wantConfig(t, 1, set)
	must(t, 0, s.admin.AlterDynamicConfig(s.ctx, 1, nil, []string{"num.replica.fetchers"}))
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	return must(t, content, err)
}

// hangs stops processes without ending them: TCP connects, nobody answers.
func (s *story) hangs(t *testing.T) {
	s.describe(t)
	for _, id := range []int32{1, 2} {
		s.k.signal(id, syscall.SIGSTOP)
		start := time.Now()
		c, err := s.admin.Describe(s.ctx)
		t.Logf("broker %d hangs: %v after %v", id, err, time.Since(start))
		if err != nil || len(c.Partitions) != 4 {
			t.Errorf("while broker %d hangs: %v", id, err)
		}
		s.k.signal(id, syscall.SIGCONT)
		s.k.eventually("both brokers are well", 30*time.Second, func() bool {
			c, err := s.admin.Describe(s.ctx)
			return err == nil && !c.Brokers[1].Fenced && !c.Brokers[2].Fenced
		})
	}
}

func (s *story) withoutBrokers(t *testing.T) {
	s.k.stop(1, syscall.SIGKILL)
	s.k.stop(2, syscall.SIGKILL)
	s.bounded(t, "describing", func() error { return second(s.admin.Describe(s.ctx)) })
	s.bounded(t, "reading config", func() error { return second(s.admin.DynamicConfig(s.ctx, 1)) })
	start := time.Now()
	q, err := s.admin.Quorum(s.ctx)
	t.Logf("quorum %+v after %v", must(t, q, err), time.Since(start))
	if q.Leader != 1000 {
		t.Errorf("got %+v", q)
	}
	s.k.start(1)
	s.k.eventually("broker 1 is back", 30*time.Second, func() bool { c, err := s.admin.Describe(s.ctx); return err == nil && !c.Brokers[1].Fenced })
}

// bounded wants ErrUnreachable in time.
func (s *story) bounded(t *testing.T, what string, call func() error) {
	t.Helper()
	start := time.Now()
	err := call()
	took := time.Since(start)
	t.Logf("%s: %v after %v", what, err, took)
	if !errors.Is(err, kafka.ErrUnreachable) || took > s.cfg.Timeout+time.Second {
		t.Errorf("%s: %v after %v", what, err, took)
	}
}

func (s *story) withoutControllers(t *testing.T) {
	s.k.signal(1000, syscall.SIGSTOP)
	s.bounded(t, "describing while the controller hangs", func() error { return second(s.admin.Describe(s.ctx)) })
	s.bounded(t, "asking for the quorum while the controller hangs", func() error { return second(s.admin.Quorum(s.ctx)) })
	s.k.signal(1000, syscall.SIGCONT)
	s.k.stop(1000, syscall.SIGKILL)
	s.bounded(t, "describing", func() error { return second(s.admin.Describe(s.ctx)) })
	s.bounded(t, "asking for the quorum", func() error { return second(s.admin.Quorum(s.ctx)) })
	s.bounded(t, "altering config", func() error {
		return s.admin.AlterDynamicConfig(s.ctx, 1, map[string]string{"num.replica.fetchers": "2"}, nil)
	})
	s.bounded(t, "electing", func() error { return s.admin.ElectPreferredLeaders(s.ctx) })
}

func (s *story) withoutAnybody(t *testing.T) {
	s.k.stop(1, syscall.SIGKILL)
	s.bounded(t, "describing", func() error { return second(s.admin.Describe(s.ctx)) })
	s.bounded(t, "asking for the quorum", func() error { return second(s.admin.Quorum(s.ctx)) })
	s.bounded(t, "unregistering", func() error { return s.admin.UnregisterBroker(s.ctx, 2) })
	s.bounded(t, "reading log directories", func() error { return second(s.admin.LogDirs(s.ctx, []int32{1, 2})) })
	s.admin.Close()
	s.bounded(t, "asking after Close", func() error { return second(s.admin.Describe(s.ctx)) })
}
