//go:build e2e

package e2e

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// connections are clients outside the Kubernetes cluster: one that writes, one that reads, and for each broker and
// listener a few that keep a connection of their own open and speak all the time.
type connections struct {
	*shop
	traffic *traffic
	reader  *reader
	probes  []*probe
	stop    context.CancelFunc
	done    sync.WaitGroup
}

const probesPerBroker = 2

// watchConnections connects clients to brokers, on both listeners, with a topic whose partitions they lead.
func (s *shop) watchConnections(t *testing.T, topic string, ids ...int32) *connections {
	t.Helper()
	all := []int32{100, 101, 102}
	var assignments [][]int32
	for i, id := range ids {
		replicas := []int32{id}
		for j := range all {
			if other := all[(i+j)%len(all)]; other != id && len(replicas) < 3 {
				replicas = append(replicas, other)
			}
		}
		assignments = append(assignments, replicas)
	}
	createTopic(t, s.dial(t), topic, assignments...)
	config, err := s.adminTLS(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	t.Cleanup(stop)
	bootstrap := s.external(t, sniListener).Bootstrap
	c := &connections{shop: s, stop: stop}
	c.traffic = s.startTrafficThrough(t, topic, bootstrap)
	c.reader = readAlong(ctx, s.dialAt(t, []string{s.external(t, portListener).Bootstrap}, kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(200*time.Millisecond)))
	for _, listener := range []string{sniListener, portListener} {
		for _, id := range ids {
			b := externalBrokerOf(s.external(t, listener), id)
			for range probesPerBroker {
				p := &probe{listener: listener, broker: id, host: b.Host, address: net.JoinHostPort(b.Host, strconv.Itoa(int(b.Port))), config: config}
				c.probes = append(c.probes, p)
				c.done.Add(1)
				go func() { defer c.done.Done(); p.run(ctx) }()
			}
		}
	}
	waitFor(t, 30*time.Second, "clients to be connected", c.allSpeak)
	return c
}

// of are the probes of some brokers; of all without any.
func (c *connections) of(ids ...int32) []*probe {
	return slices.DeleteFunc(slices.Clone(c.probes), func(p *probe) bool { return len(ids) > 0 && !slices.Contains(ids, p.broker) })
}

// allSpeak looks whether every client gets answers.
func (c *connections) allSpeak(context.Context) (string, bool) {
	var silent []string
	for _, p := range c.probes {
		if state := p.look(); !state.open || state.answers == 0 {
			silent = append(silent, fmt.Sprintf("broker %d on %s: %s", p.broker, p.listener, state.problem))
		}
	}
	return strings.Join(silent, "; "), len(silent) == 0
}

// requireStill fails if one of the connections to these brokers was ever closed.
func (c *connections) requireStill(t *testing.T, when string, ids ...int32) {
	t.Helper()
	for _, p := range c.of(ids...) {
		if state := p.look(); !state.open || state.connects != 1 {
			t.Errorf("%s: the connection to broker %d on %s did not stay: connected %d times, %s", when, p.broker, p.listener, state.connects, state.problem)
		}
	}
}

// requireAgain waits until every client gets new answers.
func (c *connections) requireAgain(t *testing.T, patience time.Duration, when string) {
	t.Helper()
	before := map[*probe]int{}
	for _, p := range c.probes {
		before[p] = p.look().answers
	}
	took := waitFor(t, patience, "all clients to get answers after "+when, func(context.Context) (string, bool) {
		for _, p := range c.probes {
			if state := p.look(); !state.open || state.answers < before[p]+10 {
				return fmt.Sprintf("broker %d on %s: %s", p.broker, p.listener, state.problem), false
			}
		}
		return "", true
	})
	t.Logf("%s: all clients were served again after %s, and had to connect again at most %d times", when, seconds(took), c.reconnects())
}

// reconnects is how often the unluckiest client had to connect again.
func (c *connections) reconnects() int {
	worst := 0
	for _, p := range c.probes {
		worst = max(worst, p.look().connects-1)
	}
	return worst
}

// waitClosed waits until every client of a broker knows that its connection is dead.
func (c *connections) waitClosed(t *testing.T, patience time.Duration, id int32) time.Duration {
	t.Helper()
	return waitFor(t, patience, fmt.Sprintf("the clients of broker %d to notice", id), func(context.Context) (string, bool) {
		unaware := 0
		for _, p := range c.of(id) {
			if state := p.look(); state.open && state.connects == 1 {
				unaware++
			}
		}
		return fmt.Sprintf("%d do not know yet", unaware), unaware == 0
	})
}

// end lets all clients go and fails if an acknowledged record was not read by the one that reads.
func (c *connections) end(t *testing.T) {
	t.Helper()
	c.traffic.end(t, c.cluster)
	waitFor(t, time.Minute, "the reader to have read everything", func(context.Context) (string, bool) {
		missing := c.reader.missing(c.traffic)
		return fmt.Sprintf("%d records are missing", missing), missing == 0
	})
	c.stop()
	c.done.Wait()
}

// reader reads a topic all the time.
type reader struct {
	mu    sync.Mutex
	found map[int]bool
}

func readAlong(ctx context.Context, cl *kgo.Client) *reader {
	r := &reader{found: map[int]bool{}}
	go func() {
		for ctx.Err() == nil {
			cl.PollFetches(ctx).EachRecord(func(record *kgo.Record) {
				if number, err := strconv.Atoi(string(record.Value)); err == nil {
					r.mu.Lock()
					r.found[number] = true
					r.mu.Unlock()
				}
			})
		}
	}()
	return r
}

func (r *reader) missing(tr *traffic) int {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	missing := 0
	for number := range tr.acked {
		if !r.found[number] {
			missing++
		}
	}
	return missing
}

// probe keeps one connection to one broker and asks it for its versions, ten times a second. When the connection ends it
// makes another.
type probe struct {
	listener string
	broker   int32
	host     string
	address  string
	config   *tls.Config

	mu    sync.Mutex
	state probeState
}

type probeState struct {
	open     bool
	connects int
	answers  int
	problem  string
}

func (p *probe) look() probeState {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state
}

func (p *probe) update(change func(*probeState)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(&p.state)
}

func (p *probe) run(ctx context.Context) {
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for ctx.Err() == nil {
		err := p.connect(ctx, ticker.C)
		p.update(func(s *probeState) { s.open, s.problem = false, fmt.Sprint(err) })
		select {
		case <-ticker.C:
		case <-ctx.Done():
		}
	}
}

// connect speaks until the connection ends.
func (p *probe) connect(ctx context.Context, tick <-chan time.Time) error {
	config := p.config.Clone()
	config.ServerName = p.host
	dialer := tls.Dialer{NetDialer: &net.Dialer{Timeout: 5 * time.Second}, Config: config}
	conn, err := dialer.DialContext(ctx, "tcp", p.address)
	if err != nil {
		return err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	for first := true; ; first = false {
		if err := roundTrip(conn); err != nil {
			return err
		}
		p.update(func(s *probeState) {
			if first {
				s.connects++
			}
			s.open, s.problem = true, ""
			s.answers++
		})
		select {
		case <-tick:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// roundTrip sends a request and reads the answer, however long that takes: that the peer is dead is for others to find out.
func roundTrip(conn net.Conn) error {
	request := kmsg.NewPtrApiVersionsRequest()
	if _, err := conn.Write(kmsg.NewRequestFormatter(kmsg.FormatterClientID("probe")).AppendRequest(nil, request, 1)); err != nil {
		return err
	}
	var size [4]byte
	if _, err := io.ReadFull(conn, size[:]); err != nil {
		return err
	}
	_, err := io.CopyN(io.Discard, conn, int64(binary.BigEndian.Uint32(size[:])))
	return err
}
