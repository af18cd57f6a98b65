package kafka

import (
	"context"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// fakeCluster is kfake with what it lacks: the quorum, fenced brokers, reassignments. It lives in a synctest bubble.
type fakeCluster struct {
	*kfake.Cluster
	t     *testing.T
	net   kfake.VirtualNetwork
	dials atomic.Int32
	down  sync.Map // addresses that refuse connections

	mu       sync.Mutex
	requests []sent
	answers  map[int16]func(int32, kmsg.Request) (kmsg.Response, error)
}

// sent is a request that arrived.
type sent struct {
	node int32
	req  kmsg.Request
}

func newFakeCluster(t *testing.T, brokers int, opts ...kfake.Opt) *fakeCluster {
	t.Helper()
	f := &fakeCluster{t: t, answers: map[int16]func(int32, kmsg.Request) (kmsg.Response, error){}}
	ports := make([]int, brokers)
	for i := range ports {
		ports[i] = 9091 + i
	}
	f.Cluster = kfake.MustCluster(append([]kfake.Opt{
		kfake.NumBrokers(brokers), kfake.ListenFn(f.net.Listen), kfake.Ports(ports...), kfake.ClusterID("fakecluster"),
	}, opts...)...)
	t.Cleanup(f.Close)
	f.Control(f.control)
	f.answer(kmsg.ApiVersions.Int16(), everyVersion)
	f.answer(kmsg.DescribeQuorum.Int16(), f.freshQuorum)
	return f
}

// control records every request and answers those that a test wants to answer itself.
func (f *fakeCluster) control(req kmsg.Request) (kmsg.Response, error, bool) { //nolint:revive // kfake fixes the order
	f.KeepControl()
	node := f.CurrentNode()
	f.mu.Lock()
	f.requests = append(f.requests, sent{node, req})
	answer := f.answers[req.Key()]
	f.mu.Unlock()
	if answer == nil {
		return nil, nil, false
	}
	resp, err := answer(node, req)
	if resp == nil && err == nil {
		return nil, nil, false
	}
	if err == errSilence {
		return nil, nil, true
	}
	return resp, err, true
}

// errSilence makes a broker read a request and never answer.
var errSilence = fmt.Errorf("silence")

// answer lets tests answer requests; without a response and an error kfake does.
func (f *fakeCluster) answer(key int16, fn func(int32, kmsg.Request) (kmsg.Response, error)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answers[key] = fn
}

// sent returns the requests of one kind so far.
func (f *fakeCluster) sent(key kmsg.Key) []sent {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(f.requests), func(s sent) bool { return s.req.Key() != key.Int16() })
}

func (f *fakeCluster) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests = nil
}

func (f *fakeCluster) dial(ctx context.Context, network, address string) (net.Conn, error) {
	f.dials.Add(1)
	how, down := f.down.Load(address)
	if down && how == "refuses" {
		return nil, &net.OpError{Op: "dial", Net: network, Err: fmt.Errorf("connection refused")}
	}
	if down { // swallows everything, as a lost node does
		<-ctx.Done()
		return nil, &net.OpError{Op: "dial", Net: network, Err: ctx.Err()}
	}
	return f.net.DialContext(ctx, network, address)
}

func (f *fakeCluster) config() Config {
	return Config{Seeds: f.ListenAddrs(), Dialer: f.dial}
}

// admin is an Admin of all brokers.
func (f *fakeCluster) admin(change ...func(*Config)) Admin {
	f.t.Helper()
	cfg := f.config()
	for _, c := range change {
		c(&cfg)
	}
	admin, err := New(cfg)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(admin.Close)
	return admin
}

// everyVersion says that the broker knows every request.
func everyVersion(_ int32, req kmsg.Request) (kmsg.Response, error) {
	resp := req.ResponseKind().(*kmsg.ApiVersionsResponse)
	for key := range int16(kmsg.MaxKey + 1) {
		if r := kmsg.RequestForKey(key); r != nil {
			k := kmsg.NewApiVersionsResponseApiKey()
			k.ApiKey, k.MaxVersion = key, r.MaxVersion()
			resp.ApiKeys = append(resp.ApiKeys, k)
		}
	}
	return resp, nil
}

// freshQuorum has one controller, 100, and every broker as an observer that has caught up.
func (f *fakeCluster) freshQuorum(_ int32, req kmsg.Request) (kmsg.Response, error) {
	now := time.Now().UnixMilli()
	observers := []kmsg.DescribeQuorumResponseTopicPartitionReplicaState{}
	for id := range int32(len(f.ListenAddrs())) {
		observers = append(observers, replicaState(id, 100, now-200))
	}
	return quorumResponse(req, 100, []kmsg.DescribeQuorumResponseTopicPartitionReplicaState{replicaState(100, 100, now)}, observers), nil
}

func replicaState(id int32, end, caughtUp int64) kmsg.DescribeQuorumResponseTopicPartitionReplicaState {
	s := kmsg.NewDescribeQuorumResponseTopicPartitionReplicaState()
	s.ReplicaID, s.LogEndOffset, s.LastCaughtUpTimestamp, s.LastFetchTimestamp = id, end, caughtUp, caughtUp
	s.ReplicaDirectoryID[15] = byte(id)
	return s
}

func quorumResponse(req kmsg.Request, leader int32, voters, observers []kmsg.DescribeQuorumResponseTopicPartitionReplicaState) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.DescribeQuorumResponse)
	p := kmsg.NewDescribeQuorumResponseTopicPartition()
	p.LeaderID, p.CurrentVoters, p.Observers = leader, voters, observers
	topic := kmsg.NewDescribeQuorumResponseTopic()
	topic.Topic = metadataTopic
	topic.Partitions = append(topic.Partitions, p)
	resp.Topics = append(resp.Topics, topic)
	return resp
}

// notLeader is the answer of a controller that does not lead.
func notLeader(req kmsg.Request) kmsg.Response {
	resp := quorumResponse(req, -1, nil, nil).(*kmsg.DescribeQuorumResponse)
	resp.Topics[0].Partitions[0].ErrorCode = kerr.NotLeaderForPartition.Code
	return resp
}
