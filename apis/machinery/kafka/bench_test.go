package kafka

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// BenchmarkDescribe is one idle pass over 100 brokers and 10,000 partitions. kfake is in the same process, so its own work
// is in the figures.
func BenchmarkDescribe(b *testing.B) {
	names := make([]string, 1000)
	for i := range names {
		names[i] = fmt.Sprintf("topic-%04d", i)
	}
	f := &fakeCluster{answers: map[int16]func(int32, kmsg.Request) (kmsg.Response, error){}}
	ports := make([]int, 100)
	for i := range ports {
		ports[i] = 9091 + i
	}
	f.Cluster = kfake.MustCluster(kfake.NumBrokers(100), kfake.ListenFn(f.net.Listen), kfake.Ports(ports...), kfake.SeedTopics(10, names...))
	defer f.Close()
	addresses := f.ListenAddrs()
	f.ControlKey(kmsg.ApiVersions.Int16(), func(req kmsg.Request) (kmsg.Response, error, bool) {
		f.KeepControl()
		resp, err := everyVersion(0, req)
		return resp, err, true
	})
	f.ControlKey(kmsg.DescribeQuorum.Int16(), func(req kmsg.Request) (kmsg.Response, error, bool) {
		f.KeepControl()
		now := time.Now().UnixMilli()
		var observers []kmsg.DescribeQuorumResponseTopicPartitionReplicaState
		for id := range int32(100) {
			observers = append(observers, replicaState(id, 1, now))
		}
		return quorumResponse(req, 100, []kmsg.DescribeQuorumResponseTopicPartitionReplicaState{replicaState(100, 1, now)}, observers), nil, true
	})
	admin, err := New(Config{Seeds: addresses, Dialer: f.dial})
	if err != nil {
		b.Fatal(err)
	}
	defer admin.Close()
	if _, err := admin.Describe(context.Background()); err != nil {
		b.Fatal(err)
	}
	opened := f.dials.Load()
	b.ReportAllocs()
	for b.Loop() {
		if c, err := admin.Describe(context.Background()); err != nil || len(c.Partitions) != 10_000 {
			b.Fatal(len(c.Partitions), err)
		}
	}
	b.ReportMetric(float64(f.dials.Load()-opened), "connections")
}

// BenchmarkMetadata is what this side does with the answer: decoding it and turning it into partitions.
func BenchmarkMetadata(b *testing.B) {
	for _, partitionCount := range []int{10_000, 100_000} {
		b.Run(fmt.Sprint(partitionCount), func(b *testing.B) {
			encoded, minISR := encodedMetadata(partitionCount / 10)
			b.ReportAllocs()
			b.SetBytes(int64(len(encoded)))
			for b.Loop() {
				resp := kmsg.NewPtrMetadataResponse()
				resp.Version = 13
				if err := resp.ReadFrom(encoded); err != nil {
					b.Fatal(err)
				}
				if all, err := partitions(resp.Topics, minISR); err != nil || len(all) != partitionCount {
					b.Fatal(len(all), err)
				}
			}
		})
	}
}

// encodedMetadata is the answer of a cluster whose topics have 10 partitions with 3 replicas each.
func encodedMetadata(topics int) ([]byte, map[string]int) {
	resp := kmsg.NewPtrMetadataResponse()
	resp.Version = 13
	minISR := map[string]int{}
	for i := range topics {
		t := kmsg.NewMetadataResponseTopic()
		t.Topic = kmsg.StringPtr(fmt.Sprintf("topic-%05d", i))
		minISR[*t.Topic] = 2
		for n := range int32(10) {
			p := kmsg.NewMetadataResponseTopicPartition()
			p.Partition, p.Leader = n, n
			p.Replicas = []int32{n, n + 1, n + 2}
			p.ISR = []int32{n, n + 1, n + 2}
			t.Partitions = append(t.Partitions, p)
		}
		resp.Topics = append(resp.Topics, t)
	}
	return resp.AppendTo(nil), minISR
}
