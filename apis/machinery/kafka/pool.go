package kafka

import (
	"crypto/sha256"
	"fmt"
	"sync"
	"time"
)

// Pool keeps one Admin per cluster, shared by all who ask that cluster. Its zero value is ready to use.
type Pool struct {
	// New makes an Admin. Nil: New of this package; tests put a fake here.
	New func(Config) (Admin, error)

	mu       sync.Mutex
	closed   bool
	clusters map[string]*pooled
	retiring map[*time.Timer]Admin
}

type pooled struct {
	admin    Admin
	identity [sha256.Size]byte
}

// addressed is an Admin whose addresses can change while its connections stay.
type addressed interface {
	UpdateAddresses(seeds, controllers []string) error
}

// For returns the Admin of a cluster. It is the same one, with its connections, as long as the certificates are the same:
// seeds and controllers that come and go are only noted. With new certificates it is a new one, and the old one is
// closed after the calls under way had their time.
func (p *Pool) For(key string, cfg Config) (Admin, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, errClosed
	}
	cfg = cfg.withDefaults()
	known, ok := p.clusters[key]
	if ok && known.identity == cfg.identity() {
		if a, ok := known.admin.(addressed); ok {
			if err := a.UpdateAddresses(cfg.Seeds, cfg.Controllers); err != nil {
				return nil, fmt.Errorf("connecting to %s: %w", key, err)
			}
		}
		return known.admin, nil
	}
	admin, err := p.create(cfg)
	if err != nil {
		return nil, fmt.Errorf("connecting to %s: %w", key, err)
	}
	if ok {
		p.retire(known.admin, cfg.Timeout)
	}
	if p.clusters == nil {
		p.clusters = map[string]*pooled{}
	}
	p.clusters[key] = &pooled{admin: admin, identity: cfg.identity()}
	return admin, nil
}

func (p *Pool) create(cfg Config) (Admin, error) {
	if p.New != nil {
		return p.New(cfg)
	}
	return New(cfg)
}

// retire closes admin when every call that has begun is over. p.mu is held.
func (p *Pool) retire(admin Admin, after time.Duration) {
	if p.retiring == nil {
		p.retiring = map[*time.Timer]Admin{}
	}
	var timer *time.Timer
	timer = time.AfterFunc(after, func() {
		p.mu.Lock()
		delete(p.retiring, timer)
		p.mu.Unlock()
		admin.Close()
	})
	p.retiring[timer] = admin
}

// Forget closes the Admin of a cluster that is gone.
func (p *Pool) Forget(key string) {
	p.mu.Lock()
	known, ok := p.clusters[key]
	delete(p.clusters, key)
	p.mu.Unlock()
	if ok {
		known.admin.Close()
	}
}

// Close closes every Admin. For fails afterwards.
func (p *Pool) Close() {
	p.mu.Lock()
	p.closed = true
	var admins []Admin
	for _, known := range p.clusters {
		admins = append(admins, known.admin)
	}
	for timer, admin := range p.retiring {
		if timer.Stop() {
			admins = append(admins, admin)
		}
	}
	p.clusters, p.retiring = nil, nil
	p.mu.Unlock()
	for _, admin := range admins {
		admin.Close()
	}
}
