package kafka

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// closing is an Admin that knows whether it was closed, and which addresses it was told.
type closing struct {
	Admin
	mu                 sync.Mutex
	closed             bool
	seeds, controllers []string
}

func (c *closing) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
}

func (c *closing) isClosed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed
}

func (c *closing) UpdateAddresses(seeds, controllers []string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seeds, c.controllers = seeds, controllers
	return nil
}

func newPool() *Pool {
	return &Pool{New: func(Config) (Admin, error) { return &closing{}, nil }}
}

func get(t *testing.T, p *Pool, key string, cfg Config) *closing {
	t.Helper()
	admin, err := p.For(key, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return admin.(*closing)
}

func TestPoolSharesByCluster(t *testing.T) {
	p := newPool()
	defer p.Close()
	a := get(t, p, "ns/a", Config{Seeds: []string{"x:1"}})
	if get(t, p, "ns/b", Config{Seeds: []string{"x:1"}}) == a {
		t.Error("two clusters share an Admin")
	}
	again := get(t, p, "ns/a", Config{Seeds: []string{"y:1", "x:1"}, Controllers: []string{"c:1"}})
	if again != a || a.isClosed() {
		t.Error("other seeds made another Admin")
	}
	if fmt.Sprint(a.seeds, a.controllers) != "[x:1 y:1] [c:1]" {
		t.Errorf("it was told %v %v", a.seeds, a.controllers)
	}
}

func TestPoolReplacesByIdentity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool()
		defer p.Close()
		old := get(t, p, "a", Config{CA: []byte("1")})
		for name, cfg := range map[string]Config{
			"CA": {CA: []byte("2")}, "certificate": {CA: []byte("1"), Certificate: []byte("1")}, "key": {CA: []byte("1"), Key: []byte("1")}, "name": {CA: []byte("1"), ServerName: "x"},
		} {
			if get(t, p, "a", cfg) == old {
				t.Errorf("another %s made no other Admin", name)
			}
			get(t, p, "a", Config{CA: []byte("1")})
		}
		// Calls under way have their time.
		time.Sleep(defaultTimeout - time.Second)
		if old.isClosed() {
			t.Error("closed during a call")
		}
		time.Sleep(2 * time.Second)
		if !old.isClosed() {
			t.Error("the replaced Admin was never closed")
		}
	})
}

func TestPoolKeepsWhatItHasIfTheNewOneFails(t *testing.T) {
	p := &Pool{}
	defer p.Close()
	good, err := p.For("a", Config{Seeds: []string{"x:1"}})
	must(t, err)
	if _, err := p.For("a", Config{CA: []byte("none")}); err == nil {
		t.Error("a CA that is none is accepted")
	}
	if again, err := p.For("a", Config{Seeds: []string{"x:1"}}); err != nil || again != good {
		t.Errorf("got %v, %v", again, err)
	}
}

func TestPoolForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool()
		a, b := get(t, p, "a", Config{}), get(t, p, "b", Config{})
		retired := get(t, p, "c", Config{})
		get(t, p, "c", Config{CA: []byte("1")})
		p.Forget("a")
		p.Forget("never there")
		if !a.isClosed() || b.isClosed() {
			t.Errorf("closed: a %v, b %v", a.isClosed(), b.isClosed())
		}
		if get(t, p, "a", Config{}) == a {
			t.Error("a closed Admin is given out")
		}
		p.Close()
		p.Close()
		if !b.isClosed() || !retired.isClosed() {
			t.Errorf("closed: b %v, the replaced one %v", b.isClosed(), retired.isClosed())
		}
		if _, err := p.For("a", Config{}); !errors.Is(err, ErrUnreachable) {
			t.Errorf("got %v", err)
		}
	})
}

func TestPoolIsSafeForConcurrentUse(t *testing.T) {
	p := newPool()
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			key := fmt.Sprint(i % 5)
			_, _ = p.For(key, Config{CA: []byte{byte(i % 3)}, Timeout: time.Millisecond})
			if i%10 == 0 {
				p.Forget(key)
			}
		})
	}
	wg.Wait()
	p.Close()
}
