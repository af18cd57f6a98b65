package loadbalancer

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"koperator.dev/koperator/test/cluster/internal/layout"
)

const (
	checkTimeout = time.Second
	// failuresToLeave spares a node that is only slow for a moment.
	failuresToLeave = 2
)

// health knows which nodes serve what. It is used by one goroutine.
type health struct {
	client   *http.Client
	failures map[target]int
}

// target is a health check of a node.
type target struct {
	node layout.Node
	port int32
}

func newHealth(dial func(ctx context.Context, network, address string) (net.Conn, error)) *health {
	return &health{
		client: &http.Client{
			Timeout: checkTimeout,
			// A connection for each check: one that is kept hides that a node is gone for a while.
			Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true},
		},
		failures: map[target]int{},
	}
}

// check asks all nodes at all ports, and forgets other ports.
func (h *health) check(ctx context.Context, ports map[int32]bool) {
	var (
		mu     sync.Mutex
		checks sync.WaitGroup
	)
	now := map[target]int{}
	for port := range ports {
		for _, n := range layout.AllNodes() {
			checks.Go(func() {
				ok := h.ask(ctx, n, port)
				mu.Lock()
				defer mu.Unlock()
				now[target{n, port}] = h.next(target{n, port}, ok)
			})
		}
	}
	checks.Wait()
	h.failures = now
}

// next counts failures in a row. What was never seen working does not get the benefit of the doubt.
func (h *health) next(t target, ok bool) int {
	if ok {
		return 0
	}
	if failures, known := h.failures[t]; known {
		return failures + 1
	}
	return failuresToLeave
}

func (h *health) ask(ctx context.Context, node layout.Node, port int32) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://%s:%d/healthz", node.IP(), port), nil)
	if err != nil {
		return false
	}
	response, err := h.client.Do(request)
	if err != nil {
		return false
	}
	response.Body.Close()
	return response.StatusCode == http.StatusOK
}

func (h *health) healthy(node layout.Node, port int32) bool {
	failures, known := h.failures[target{node, port}]
	return known && failures < failuresToLeave
}
