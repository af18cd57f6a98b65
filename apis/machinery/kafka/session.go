package kafka

import (
	"context"
	"crypto/tls"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// session is one franz-go client of the brokers and what it learnt.
//
// franz-go spreads requests over all brokers, which opens a connection to each of them in time. A session therefore
// addresses brokers by id and stays with the one that answered last.
type session struct {
	cl       *kgo.Client
	attempts int // to discover brokers

	mu        sync.Mutex
	known     []kmsg.MetadataResponseBroker // by id: what franz-go knows
	preferred int32                         // the broker that answered last, or -1
}

// newClient makes a franz-go client that connects to nobody yet.
func newClient(cfg Config, conf *tls.Config, seeds []string) (*kgo.Client, error) {
	cl, err := kgo.NewClient(
		kgo.SeedBrokers(seeds...),
		kgo.ClientID(cfg.ClientID),
		kgo.Dialer(dialer(cfg, conf)),
		kgo.RequestTimeoutOverhead(cfg.Timeout),
		kgo.RetryTimeout(cfg.Timeout),
		kgo.RequestRetries(0), // other nodes are tried by session,
		kgo.ConnIdleTimeout(idleTimeout),
		// The background refresh opens connections of its own; Describe notices changes itself.
		kgo.MetadataMaxAge(maxMetadataAge),
		// KIP-714 would push this program's metrics to the brokers it manages.
		kgo.DisableClientMetrics(),
	)
	if err != nil {
		return nil, fmt.Errorf("creating client: %w", err)
	}
	return cl, nil
}

// discover asks whoever answers, seeds included, which brokers there are. With every attempt franz-go goes on to the next
// node.
func (s *session) discover(ctx context.Context) error {
	var err error
	for range max(s.attempts, 1) {
		if err = s.discoverOnce(ctx); err == nil || ctx.Err() != nil {
			break
		}
	}
	return err
}

func (s *session) discoverOnce(ctx context.Context) error {
	ctx, cancel := share(ctx)
	defer cancel()
	req := kmsg.NewPtrMetadataRequest()
	req.Topics = []kmsg.MetadataRequestTopic{} // none; nil would be all
	resp, err := s.cl.Request(ctx, req)        // unlike a request to one broker, franz-go learns from this one
	if err != nil {
		return fmt.Errorf("%w: %w", errDiscovering, err)
	}
	meta := resp.(*kmsg.MetadataResponse)
	if err := kafkaError(meta.ErrorCode, nil); err != nil {
		return fmt.Errorf("%w: %w", errDiscovering, err)
	}
	if len(meta.Brokers) == 0 {
		return fmt.Errorf("%w: none is serving", errDiscovering)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known = sortedBrokers(meta.Brokers)
	return nil
}

// established says whether the brokers were discovered.
func (s *session) established() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.known) > 0
}

// try runs fn with one broker after the other until one answers.
func (s *session) try(ctx context.Context, r repeat, fn func(context.Context, *session, broker) error) error {
	if !s.established() {
		if err := s.discover(ctx); err != nil {
			return err
		}
	}
	ids := s.order()
	var first error
	var failed int
	for _, id := range ids[:min(len(ids), maxAttempts)] {
		err := s.tryOne(ctx, r, id, fn)
		if err == nil {
			s.prefer(id)
			return nil
		}
		failed++
		if first == nil {
			first = err
		}
		if ctx.Err() != nil || !r.after(err) {
			first = err
			break
		}
	}
	return fmt.Errorf("%w (brokers tried: %d of %d)", first, failed, len(ids))
}

func (s *session) tryOne(ctx context.Context, r repeat, id int32, fn func(context.Context, *session, broker) error) error {
	if r == repeatAlways {
		var cancel context.CancelFunc
		ctx, cancel = share(ctx)
		defer cancel()
	}
	return fn(ctx, s, broker{id, s.cl, r})
}

// changed says whether the brokers differ from those that franz-go knows.
func (s *session) changed(brokers []kmsg.MetadataResponseBroker) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !slices.EqualFunc(s.known, sortedBrokers(brokers), func(a, b kmsg.MetadataResponseBroker) bool {
		return a.NodeID == b.NodeID && a.Host == b.Host && a.Port == b.Port
	})
}

func sortedBrokers(brokers []kmsg.MetadataResponseBroker) []kmsg.MetadataResponseBroker {
	brokers = slices.Clone(brokers)
	slices.SortFunc(brokers, func(a, b kmsg.MetadataResponseBroker) int { return int(a.NodeID) - int(b.NodeID) })
	return brokers
}

// knows says whether id was among the brokers of the last metadata.
func (s *session) knows(id int32) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.known, func(b kmsg.MetadataResponseBroker) bool { return b.NodeID == id })
}

// order returns the known brokers, the preferred one first and the others at random.
func (s *session) order() []int32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	ids := make([]int32, 0, len(s.known))
	for _, b := range s.known {
		ids = append(ids, b.NodeID)
	}
	rand.Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
	if i := slices.Index(ids, s.preferred); i > 0 {
		ids[0], ids[i] = ids[i], ids[0]
	}
	return ids
}

func (s *session) prefer(id int32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.preferred = id
}

// broker is one broker as a partner of requests.
type broker struct {
	id     int32
	cl     *kgo.Client
	repeat repeat
}

// request sends req to the broker and to nobody else.
func (b broker) request(ctx context.Context, req kmsg.Request) (kmsg.Response, error) {
	resp, err := requestFunc(b.cl.Broker(int(b.id)).Request).steady(b.repeat)(ctx, req)
	if err != nil {
		return nil, fmt.Errorf("asking broker %d: %w", b.id, err)
	}
	return resp, nil
}

// requestFunc sends a request to one node.
type requestFunc func(context.Context, kmsg.Request) (kmsg.Response, error)

// steady replaces, once, a connection that broke while it was idle, as every connection to a node that restarted: franz-go
// notices only when it writes to it. Then nobody knows whether the request was carried out.
func (f requestFunc) steady(r repeat) requestFunc {
	if r != repeatAlways {
		return f
	}
	return func(ctx context.Context, req kmsg.Request) (kmsg.Response, error) {
		resp, err := f(ctx, req)
		if ctx.Err() == nil && kgo.IsRetryableBrokerErr(err) {
			return f(ctx, req)
		}
		return resp, err
	}
}
