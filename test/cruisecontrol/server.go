package cruisecontrol

import (
	"context"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"time"

	"k8s.io/utils/clock"

	"koperator.dev/koperator/test/cruisecontrol/backend"
)

// Options of a Server.
type Options struct {
	Config Config
	Kafka  backend.Interface
	// Clock is the system's if nil.
	Clock clock.Clock
	// Listen makes listeners for Start, and again after each death: net.Listen if nil.
	Listen func(network, address string) (net.Listener, error)
	// Address to listen on; a free port of this machine if empty.
	Address string
	// Seed of what looks random: the order of JSON's members. The same seed gives the same answers.
	Seed uint64
}

// Server is the stand-in. It survives the deaths of the Cruise Control that it plays: what the test has arranged and recorded,
// and what was measured of Kafka. Its methods are safe for concurrent use.
//
// Its time is that of the clock, and things happen when somebody looks: a request, or Advance. Run looks all the time.
type Server struct {
	ctx    context.Context
	opts   Options
	clock  clock.Clock
	random *rand.Rand

	mu       sync.Mutex
	process  *process // nil while it is dead
	changed  chan struct{}
	samples  samples
	faults   []*Fault
	requests []Request
	log      io.Writer
	web      *http.Server
	address  string
	listens  bool // after Start
}

// New returns a Server that runs and listens nowhere yet. Requests to Kafka end with ctx.
func New(ctx context.Context, opts Options) *Server {
	if opts.Clock == nil {
		opts.Clock = clock.RealClock{}
	}
	if opts.Listen == nil {
		opts.Listen = net.Listen
	}
	s := &Server{
		ctx: ctx, opts: opts, clock: opts.Clock, random: rand.New(rand.NewPCG(opts.Seed, 146)), changed: make(chan struct{}), address: opts.Address,
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !opts.Config.NoSamples {
		s.samples.add(time.Time{}, s.clock.Now())
	}
	s.process = newProcess(s)
	return s
}

// Configure changes the configuration of a running Cruise Control, as a restart would, but at once and without its losses.
func (s *Server) Configure(change func(*Config)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.opts.Config)
}

// Advance lets everything happen that is due.
func (s *Server) Advance() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process != nil {
		s.process.advance()
	}
}

// Run lets things happen when they are due, until ctx ends.
func (s *Server) Run(ctx context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for ctx.Err() == nil {
		next := s.clock.Now().Add(time.Second)
		if p := s.process; p != nil {
			p.advance()
			next = p.next(next) // also if that was its end
		}
		s.pause(ctx, next)
	}
}

// pause lets others work until something changes, or until then.
func (s *Server) pause(ctx context.Context, until time.Time) {
	changed := s.changed
	timer := s.clock.NewTimer(max(until.Sub(s.clock.Now()), 0))
	s.mu.Unlock()
	select {
	case <-ctx.Done():
	case <-changed:
	case <-timer.C():
	}
	timer.Stop()
	s.mu.Lock()
}

// notify wakes those that wait for a change.
func (s *Server) notify() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// process is what dies when Cruise Control does.
type process struct {
	*Server
	now    time.Time
	events []event
	// terminating is since a SIGTERM; deadlocked if that came while replicas move.
	terminating, deadlocked bool

	tasks    tasks
	executor executor
	monitor  monitor
	board    board
	healing  map[string]bool
	// metadata is how it sees Kafka.
	metadata backend.Cluster
}

// event is something that happens at a time.
type event struct {
	at   time.Time
	what func()
}

func newProcess(s *Server) *process {
	p := &process{Server: s, now: s.clock.Now(), healing: map[string]bool{}}
	p.tasks.start(p)
	p.executor.start(p)
	p.monitor.start(p)
	p.refreshMetadata()
	return p
}

// after lets something happen later.
func (p *process) after(d time.Duration, what func()) {
	p.events = append(p.events, event{p.now.Add(d), what})
}

// every lets something happen again and again.
func (p *process) every(d time.Duration, what func()) {
	p.after(d, func() {
		what()
		p.every(d, what)
	})
}

// advance lets events happen in their order, each at its time.
func (p *process) advance() {
	now := p.clock.Now()
	happened := false
	for p.process == p {
		i := p.earliest()
		if i < 0 || p.events[i].at.After(now) {
			break
		}
		e := p.events[i]
		p.events = append(p.events[:i], p.events[i+1:]...)
		if e.at.After(p.now) {
			p.now = e.at
		}
		e.what()
		happened = true
	}
	if now.After(p.now) {
		p.now = now
	}
	if happened {
		p.notify()
	}
}

// earliest is the index of the next event, or -1.
func (p *process) earliest() int {
	first := -1
	for i, e := range p.events {
		if first < 0 || e.at.Before(p.events[first].at) {
			first = i
		}
	}
	return first
}

// next is when the next event is due, if that is before until.
func (p *process) next(until time.Time) time.Time {
	if i := p.earliest(); i >= 0 && p.events[i].at.Before(until) {
		return p.events[i].at
	}
	return until
}

// kafkaTimeout bounds a request to Kafka.
const kafkaTimeout = 5 * time.Second

// withKafka runs requests to Kafka.
func (p *process) withKafka(requests func(context.Context, backend.Interface) error) error {
	ctx, cancel := context.WithTimeout(p.ctx, kafkaTimeout)
	defer cancel()
	return requests(backend.WithNow(ctx, p.now), p.opts.Kafka)
}

// metadataMaxAge is how old Cruise Control's view of Kafka gets. It is written in its source.
const metadataMaxAge = 10 * time.Second

// refreshMetadata looks at Kafka, and again when that has grown old. What cannot be read stays as it was seen last.
func (p *process) refreshMetadata() {
	_ = p.withKafka(func(ctx context.Context, kafka backend.Interface) error {
		seen, err := kafka.Cluster(ctx)
		if err == nil {
			p.metadata = seen
		}
		return err
	})
	p.after(metadataMaxAge, p.refreshMetadata)
}
