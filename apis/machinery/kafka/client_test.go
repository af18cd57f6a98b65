package kafka

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestNewDoesNotConnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeCluster(t, 1)
		f.admin()
		time.Sleep(time.Minute)
		if n := f.dials.Load(); n != 0 {
			t.Errorf("%d connections", n)
		}
	})
}

func TestNewRefusesWhatNoTimeHeals(t *testing.T) {
	for name, cfg := range map[string]Config{
		"address without port": {Seeds: []string{"broker"}},
		"address without host": {Controllers: []string{":9090"}},
		"CA that is none":      {CA: []byte("x"), Certificate: []byte("x"), Key: []byte("x")},
	} {
		if _, err := New(cfg); err == nil || errors.Is(err, ErrUnreachable) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestUnreachable(t *testing.T) {
	for _, how := range []string{"refuses", "swallows"} {
		synctest.Test(t, func(t *testing.T) {
			f := newFakeCluster(t, 5)
			for _, a := range f.ListenAddrs() {
				f.down.Store(a, how)
			}
			admin := f.admin()
			for _, call := range everyCall(t, admin) {
				start := time.Now()
				err := call()
				if took := time.Since(start); !errors.Is(err, ErrUnreachable) || took > defaultTimeout {
					t.Errorf("%s: %v after %v", how, err, took)
				}
				if strings.Contains(err.Error(), "\n") {
					t.Errorf("more than a line: %v", err)
				}
			}
		})
	}
}

// everyCall is every method of admin.
func everyCall(t *testing.T, admin Admin) []func() error {
	ctx := t.Context()
	id := directoryID([16]byte{})
	return []func() error{
		func() error { _, err := admin.Describe(ctx); return err },
		func() error { _, err := admin.Quorum(ctx); return err },
		func() error { _, err := admin.LogDirs(ctx, []int32{0, 1}); return err },
		func() error { _, err := admin.DynamicConfig(ctx, ClusterWide); return err },
		func() error { _, err := admin.DynamicConfig(ctx, 1); return err },
		func() error { return admin.AlterDynamicConfig(ctx, ClusterWide, map[string]string{"a": "b"}, nil) },
		func() error { return admin.AlterDynamicConfig(ctx, 1, map[string]string{"a": "b"}, nil) },
		func() error { return admin.AddVoter(ctx, Voter{ID: 1, DirectoryID: id, Host: "h", Port: 1}) },
		func() error { return admin.RemoveVoter(ctx, 1, id) },
		func() error { return admin.UnregisterBroker(ctx, 1) },
		func() error { return admin.ElectPreferredLeaders(ctx) },
	}
}

func TestClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeCluster(t, 1)
		admin := f.admin()
		mustDescribe(t, admin)
		admin.Close()
		admin.Close()
		for i, call := range everyCall(t, admin) {
			if err := call(); !errors.Is(err, ErrUnreachable) {
				t.Errorf("%d: %v", i, err)
			}
		}
	})
}

func TestNobodyIsKnown(t *testing.T) {
	admin, err := New(Config{})
	must(t, err)
	defer admin.Close()
	for i, call := range everyCall(t, admin) {
		if err := call(); !errors.Is(err, ErrUnreachable) {
			t.Errorf("%d: %v", i, err)
		}
	}
}

// One broker that is gone, or hangs, does not keep the others from answering.
func TestOneBrokerIsLost(t *testing.T) {
	for _, how := range []string{"refuses", "swallows"} {
		synctest.Test(t, func(t *testing.T) {
			f := newFakeCluster(t, 3, kfake.SeedTopics(1, "a"))
			for _, a := range f.ListenAddrs() {
				f.down.Store(a, how)
				admin := f.admin()
				start := time.Now()
				if _, err := admin.Describe(t.Context()); err != nil {
					t.Errorf("without %s, which %s: %v after %v", a, how, err, time.Since(start))
				}
				f.down.Delete(a)
			}
		})
	}
}

func TestPreferredBrokerHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeCluster(t, 3, kfake.SeedTopics(1, "a"))
		admin := f.admin()
		mustDescribe(t, admin)
		preferred := f.sent(kmsg.DescribeCluster)[0].node
		f.answer(kmsg.DescribeCluster.Int16(), func(node int32, _ kmsg.Request) (kmsg.Response, error) {
			if node == preferred {
				return nil, errSilence
			}
			return nil, nil
		})
		start := time.Now()
		mustDescribe(t, admin)
		if took := time.Since(start); took > defaultTimeout/2+time.Second {
			t.Errorf("it took %v", took)
		}
		start = time.Now()
		mustDescribe(t, admin)
		if took := time.Since(start); took > time.Second {
			t.Errorf("the broker that hangs was asked again: %v", took)
		}
	})
}

// All brokers move: the addresses that Kafka told are dead, and the new seeds lead to the new ones.
func TestBrokersMove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeCluster(t, 3)
		old := f.ListenAddrs()
		admin := f.admin(func(c *Config) { c.Seeds = old[:1] })
		mustDescribe(t, admin)
		for id := range int32(3) {
			_, _, err := f.AddNode(10+id, 9191+int(id))
			must(t, err)
			must(t, f.RemoveNode(id))
			f.down.Store(old[id], "swallows")
		}
		f.answer(kmsg.DescribeQuorum.Int16(), func(_ int32, req kmsg.Request) (kmsg.Response, error) {
			now := time.Now().UnixMilli()
			return quorumResponse(req, 10, []kmsg.DescribeQuorumResponseTopicPartitionReplicaState{
				replicaState(10, 1, now), replicaState(11, 1, now), replicaState(12, 1, now),
			}, nil), nil
		})
		if _, err := admin.Describe(t.Context()); !errors.Is(err, ErrUnreachable) {
			t.Fatalf("got %v", err)
		}
		must(t, admin.(addressed).UpdateAddresses(f.ListenAddrs(), nil))
		for range 3 { // a call may spend its time on those that are gone
			if cluster, err := admin.Describe(t.Context()); err == nil {
				if _, ok := cluster.Brokers[10]; !ok {
					t.Errorf("got %+v", cluster)
				}
				return
			}
		}
		_, err := admin.Describe(t.Context())
		t.Errorf("the new brokers are not found: %v", err)
	})
}

// New seeds leave the connections to brokers alone.
func TestUpdateAddresses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeCluster(t, 3)
		admin := f.admin(func(c *Config) { c.Seeds = c.Seeds[:1] })
		mustDescribe(t, admin)
		before := f.dials.Load()
		must(t, admin.(addressed).UpdateAddresses(f.ListenAddrs()[1:], []string{"controller:9090"}))
		mustDescribe(t, admin)
		if after := f.dials.Load(); after != before {
			t.Errorf("%d connections were opened", after-before)
		}
		if err := admin.(addressed).UpdateAddresses([]string{"broker"}, nil); err == nil {
			t.Error("an address without port is accepted")
		}
	})
}

// A connection that broke while idle costs a read nothing, and a change is not done twice.
func TestBrokenConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeCluster(t, 1)
		admin := f.admin()
		mustDescribe(t, admin)
		broken := false
		breakOnce := func(int32, kmsg.Request) (kmsg.Response, error) {
			if broken {
				return nil, nil
			}
			broken = true
			return nil, io.EOF // kfake closes the connection
		}
		f.answer(kmsg.DescribeCluster.Int16(), breakOnce)
		mustDescribe(t, admin)
		f.forget()
		broken = false
		f.answer(kmsg.UnregisterBroker.Int16(), breakOnce)
		err := admin.UnregisterBroker(t.Context(), 3)
		if n := len(f.sent(kmsg.UnregisterBroker)); !errors.Is(err, ErrUnreachable) || n != 1 {
			t.Errorf("got %v, sent %d times", err, n)
		}
	})
}
