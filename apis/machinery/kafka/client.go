package kafka

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	// maxMetadataAge is the longest that franz-go allows.
	maxMetadataAge = time.Hour
	// maxAttempts is how many known brokers one call tries before it starts again from the seeds.
	maxAttempts = 4
	// minShare is the shortest time worth giving to one attempt.
	minShare = time.Second
)

var (
	errClosed        = fmt.Errorf("%w: client closed", ErrUnreachable)
	errNoBrokers     = fmt.Errorf("%w: no broker is known", ErrUnreachable)
	errNoControllers = fmt.Errorf("%w: no controller is known", ErrUnreachable)
)

// client is Admin on franz-go.
type client struct {
	cfg Config
	tls *tls.Config

	mu          sync.Mutex
	closed      bool
	seeds       []string
	controllers []string
	brokers     *session    // nil before the first call
	quorum      *kgo.Client // the controllers; nil before it is needed

	minISR minISRCache
}

var _ Admin = (*client)(nil)

// New returns an Admin that connects with the first call. It fails only for what no time will heal: certificates that
// cannot be read and addresses that are none.
func New(cfg Config) (Admin, error) {
	conf, err := cfg.tlsConfig()
	if err != nil {
		return nil, err
	}
	if err := errors.Join(checkAddresses(cfg.Seeds), checkAddresses(cfg.Controllers)); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	return &client{cfg: cfg, tls: conf, seeds: cfg.Seeds, controllers: cfg.Controllers}, nil
}

// Close ends all connections. Calls under way fail with ErrUnreachable, as do later ones.
func (c *client) Close() {
	c.mu.Lock()
	brokers, quorum := c.brokers, c.quorum
	c.closed, c.brokers, c.quorum = true, nil, nil
	c.mu.Unlock()
	if brokers != nil {
		brokers.cl.Close()
	}
	if quorum != nil {
		quorum.Close()
	}
}

// UpdateAddresses replaces the seeds and the controllers. Connections to brokers stay.
func (c *client) UpdateAddresses(seeds, controllers []string) error {
	if err := errors.Join(checkAddresses(seeds), checkAddresses(controllers)); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if seeds = addresses(seeds); !slices.Equal(seeds, c.seeds) {
		c.seeds = seeds
		if c.brokers != nil {
			if err := c.brokers.cl.UpdateSeedBrokers(seeds...); err != nil {
				return fmt.Errorf("updating seeds: %w", err)
			}
		}
	}
	if controllers = addresses(controllers); !slices.Equal(controllers, c.controllers) {
		c.controllers = controllers
		if c.quorum != nil {
			if err := c.quorum.UpdateSeedBrokers(controllers...); err != nil {
				return fmt.Errorf("updating controllers: %w", err)
			}
		}
	}
	return nil
}

// bounded returns ctx with the time of one call.
func (c *client) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, c.cfg.Timeout)
}

// share returns ctx with half of the time it has left, so that one node that hangs leaves time for another.
func share(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, max(time.Until(deadline)/2, minShare))
}

// current returns the session with the brokers, a new one if there is none.
func (c *client) current() (*session, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed:
		return nil, errClosed
	case c.brokers != nil:
		return c.brokers, nil
	case len(c.seeds) == 0:
		return nil, errNoBrokers
	}
	cl, err := newClient(c.cfg, c.tls, c.seeds)
	if err != nil {
		return nil, err
	}
	c.brokers = &session{cl: cl, preferred: -1, attempts: min(len(c.seeds), maxAttempts)}
	return c.brokers, nil
}

// abandon ends a session none of whose brokers can be reached, so that the next one starts from the seeds.
func (c *client) abandon(s *session) {
	c.mu.Lock()
	current := c.brokers == s
	if current {
		c.brokers = nil
	}
	c.mu.Unlock()
	if current {
		s.cl.Close()
	}
}

// repeat says when a request may go to another broker after it failed at one.
type repeat bool

const (
	// repeatAlways is for what may be done twice: every read, and changes that say the wanted state.
	repeatAlways repeat = true
	// repeatUnsent is for changes whose second execution gives another answer: they go on only if they were not sent.
	repeatUnsent repeat = false
)

// after says whether the next broker is to be tried after err: one that cannot be reached, or that cannot reach the
// controllers to which Kafka makes it forward most of our requests.
func (r repeat) after(err error) bool {
	if isAnswer(err) {
		return bool(r) && kerr.IsRetriable(err)
	}
	return bool(r) || notSent(err)
}

// onBroker runs fn with one broker after the other until one answers. If none of those known does, it starts again from the
// seeds: all brokers may have moved.
func (c *client) onBroker(ctx context.Context, r repeat, fn func(context.Context, *session, broker) error) error {
	s, err := c.current()
	if err != nil {
		return err
	}
	moved := s.established()
	err = s.try(ctx, r, fn)
	if moved && ctx.Err() == nil && err != nil && !isAnswer(err) && r.after(err) {
		c.abandon(s)
		if s, err = c.current(); err == nil {
			err = s.try(ctx, r, fn)
		}
	}
	return classified(err)
}

// ask sends a request to whichever broker answers. It is built anew for each: franz-go may still be writing one that was
// given up.
func (c *client) ask(ctx context.Context, r repeat, build func(context.Context) kmsg.Request) (kmsg.Response, error) {
	var resp kmsg.Response
	err := c.onBroker(ctx, r, func(ctx context.Context, _ *session, b broker) error {
		var err error
		resp, err = b.request(ctx, build(ctx))
		return err
	})
	return resp, err
}

// askBroker sends req, which may be done twice, to the broker with this id.
func (c *client) askBroker(ctx context.Context, id int32, req kmsg.Request) (kmsg.Response, error) {
	s, err := c.sessionWith(ctx, id)
	if err != nil {
		return nil, err
	}
	resp, err := broker{id, s.cl, repeatAlways}.request(ctx, req)
	return resp, classified(err)
}

// sessionWith returns a session that knows the broker.
func (c *client) sessionWith(ctx context.Context, id int32) (*session, error) {
	s, err := c.current()
	if err != nil {
		return nil, err
	}
	if s.knows(id) {
		return s, nil
	}
	if err := s.discover(ctx); err != nil {
		return nil, classified(err)
	}
	if !s.knows(id) {
		return nil, classified(fmt.Errorf("finding broker %d: %w", id, errUnknownBroker))
	}
	return s, nil
}
