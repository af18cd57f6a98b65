//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// traffic is a producer that never stops: it writes numbered records with acks=all, and remembers which ones Kafka has
// acknowledged. None of those may ever be missing.
type traffic struct {
	topic  string
	client *kgo.Client
	stop   context.CancelFunc
	done   chan struct{}

	mu     sync.Mutex
	acked  map[int]bool
	failed error
	// worst is the longest time that one record waited for its acknowledgement, and worstAt when it was sent.
	worst   time.Duration
	worstAt time.Time
}

const betweenRecords = 10 * time.Millisecond

// startTraffic writes to a topic, a hundred records a second, until the traffic is ended.
func (c *cluster) startTraffic(t *testing.T, topic string) *traffic {
	t.Helper()
	return c.startTrafficThrough(t, topic, c.seeds(t)...)
}

// startTrafficThrough does so by a listener that is found at seeds.
func (c *cluster) startTrafficThrough(t *testing.T, topic string, seeds ...string) *traffic {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	tr := &traffic{
		topic: topic, stop: stop, done: make(chan struct{}), acked: map[int]bool{},
		client: c.dialAt(t, seeds, kgo.DefaultProduceTopic(topic), kgo.RequiredAcks(kgo.AllISRAcks()), kgo.ProducerLinger(0),
			kgo.RecordPartitioner(kgo.RoundRobinPartitioner())),
	}
	t.Cleanup(stop)
	go tr.produce(ctx)
	tr.waitForMore(t, 30*time.Second, "before the story begins")
	tr.mu.Lock()
	tr.worst = 0 // The first record also waits for connections.
	tr.mu.Unlock()
	return tr
}

func (tr *traffic) produce(ctx context.Context) {
	defer close(tr.done)
	ticker := time.NewTicker(betweenRecords)
	defer ticker.Stop()
	for number := 0; ; number++ {
		sent := time.Now()
		// Not with ctx: what has been sent is waited for.
		tr.client.Produce(context.Background(), kgo.StringRecord(strconv.Itoa(number)), func(_ *kgo.Record, err error) {
			tr.acknowledged(number, sent, err)
		})
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func (tr *traffic) acknowledged(number int, sent time.Time, err error) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if err != nil {
		tr.failed = errors.Join(tr.failed, fmt.Errorf("record %d: %w", number, err))
		return
	}
	tr.acked[number] = true
	if waited := time.Since(sent); waited > tr.worst {
		tr.worst, tr.worstAt = waited, sent
	}
}

func (tr *traffic) count() int {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return len(tr.acked)
}

// waitForMore waits until a hundred more records are acknowledged: Kafka serves now, and not only a moment ago.
func (tr *traffic) waitForMore(t *testing.T, patience time.Duration, when string) time.Duration {
	t.Helper()
	begin := tr.count()
	return waitFor(t, patience, "records to be acknowledged "+when, func(context.Context) (string, bool) {
		more := tr.count() - begin
		return fmt.Sprintf("%d more records", more), more >= 100
	})
}

// end stops the producer and reads everything back. It returns the longest time that a record waited.
func (tr *traffic) end(t *testing.T, c *cluster) time.Duration {
	t.Helper()
	tr.stop()
	<-tr.done
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := tr.client.Flush(ctx); err != nil {
		t.Errorf("records were still not acknowledged a minute later: %v", err)
	}
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if tr.failed != nil {
		t.Errorf("records were refused: %v", tr.failed)
	}
	requireAll(t, tr.topic, sorted(tr.acked), c.readAll(t, tr.topic))
	t.Logf("%d records acknowledged and read back; the longest wait of one was %s, sent %s ago", len(tr.acked), seconds(tr.worst), seconds(time.Since(tr.worstAt)))
	return tr.worst
}

// requireAll fails if an acknowledged record is not there.
func requireAll(t *testing.T, topic string, acknowledged []int, found map[int]int) {
	t.Helper()
	var lost []int
	for _, number := range acknowledged {
		if found[number] == 0 {
			lost = append(lost, number)
		}
	}
	if len(lost) > 0 {
		t.Errorf("%d of %d acknowledged records of %s are LOST: %v", len(lost), len(acknowledged), topic, lost[:min(20, len(lost))])
	}
}

// readAll reads a topic from its beginning to its end and counts how often each number is in it.
func (c *cluster) readAll(t *testing.T, topic string) map[int]int {
	t.Helper()
	cl := c.dial(t, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(200*time.Millisecond))
	defer cl.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	left := endOffsets(ctx, t, cl, topic)
	found := map[int]int{}
	for len(left) > 0 {
		fetches := cl.PollFetches(ctx)
		if err := ctx.Err(); err != nil {
			t.Fatalf("reading %s: %v; partitions still to be read: %v, errors: %v", topic, err, left, fetches.Errors())
		}
		fetches.EachRecord(func(r *kgo.Record) {
			number, err := strconv.Atoi(string(r.Value))
			if err != nil {
				t.Errorf("reading %s: %v", topic, err)
			}
			found[number]++
			if r.Offset+1 >= left[r.Partition] {
				delete(left, r.Partition)
			}
		})
	}
	return found
}

// endOffsets are the ends of all partitions that hold anything. They are asked for until every partition has a leader.
func endOffsets(ctx context.Context, t *testing.T, cl *kgo.Client, topic string) map[int32]int64 {
	t.Helper()
	ends := map[int32]int64{}
	_, err := await(ctx, time.Minute, "the ends of "+topic, func(ctx context.Context) (string, bool) {
		offsets, err := kadm.NewClient(cl).ListEndOffsets(ctx, topic)
		if err = errors.Join(err, offsets.Error()); err != nil {
			return err.Error(), false
		}
		offsets.Each(func(o kadm.ListedOffset) {
			if o.Offset > 0 {
				ends[o.Partition] = o.Offset
			}
		})
		return "", true
	}, t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	return ends
}

// ledger is what was written when a cluster was new.
type ledger struct {
	topic   string
	numbers []int
}

// keepLedger writes records that must be there whenever they are looked for.
func (c *cluster) keepLedger(t *testing.T, partitions int32, replicas int16) {
	t.Helper()
	c.ledger = &ledger{topic: "ledger"}
	cl := c.dial(t, kgo.DefaultProduceTopic(c.ledger.topic), kgo.RequiredAcks(kgo.AllISRAcks()))
	spreadTopic(t, cl, c.ledger.topic, partitions, replicas)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var records []*kgo.Record
	for number := range 300 {
		c.ledger.numbers = append(c.ledger.numbers, number)
		records = append(records, kgo.StringRecord(strconv.Itoa(number)))
	}
	if err := cl.ProduceSync(ctx, records...).FirstErr(); err != nil {
		t.Fatalf("writing to %s: %v", c.ledger.topic, err)
	}
}

// verify reads the ledger.
func (l *ledger) verify(t *testing.T, c *cluster) {
	t.Helper()
	if l == nil {
		return
	}
	found := c.readAll(t, l.topic)
	requireAll(t, l.topic, l.numbers, found)
	if len(found) != len(l.numbers) {
		t.Errorf("%s holds %d records, and %d were written", l.topic, len(found), len(l.numbers))
	}
}
