package xds

import (
	"context"
	"slices"
	"sync"
)

// changes hands keys from those who must not wait to one who may be slow. A key that waits already is not added again.
type changes struct {
	out  chan string
	wake chan struct{}

	mu      sync.Mutex
	waiting []string
}

func newChanges() *changes {
	return &changes{out: make(chan string), wake: make(chan struct{}, 1)}
}

func (c *changes) add(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if slices.Contains(c.waiting, key) {
		return
	}
	c.waiting = append(c.waiting, key)
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

func (c *changes) take() (string, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.waiting) == 0 {
		return "", false
	}
	key := c.waiting[0]
	c.waiting = c.waiting[1:]
	return key, true
}

// run passes keys on until ctx ends.
func (c *changes) run(ctx context.Context) {
	for {
		key, ok := c.take()
		if !ok {
			select {
			case <-c.wake:
				continue
			case <-ctx.Done():
				return
			}
		}
		select {
		case c.out <- key:
		case <-ctx.Done():
			return
		}
	}
}
