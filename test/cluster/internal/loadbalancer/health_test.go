package loadbalancer

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"koperator.dev/koperator/test/cluster/internal/layout"
)

func TestHealth(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	healthy := map[string]bool{}
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", func(http.ResponseWriter, *http.Request) {})
	server.Config.Handler = mux
	h := newHealth(func(ctx context.Context, _, address string) (net.Conn, error) {
		if !healthy[strings.TrimSuffix(address, ":10256")] {
			return nil, errors.New("no route to host")
		}
		return new(net.Dialer).DialContext(ctx, "tcp", server.Listener.Addr().String())
	})
	n := layout.AllNodes()[0]
	for i, step := range []struct{ up, want bool }{
		{false, false}, // Never seen: not used.
		{true, true},
		{false, true}, // Once is no proof.
		{false, false},
		{false, false},
		{true, true},
	} {
		healthy[n.IP()] = step.up
		h.check(t.Context(), map[int32]bool{proxyHealthPort: true})
		if got := h.healthy(n, proxyHealthPort); got != step.want {
			t.Errorf("check %d: got %t, want %t", i, got, step.want)
		}
	}
	h.check(t.Context(), map[int32]bool{})
	if h.healthy(n, proxyHealthPort) {
		t.Error("a port that nobody asks for any more is healthy")
	}
}
