package envoy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"

	"koperator.dev/koperator/envoy/xds"
)

// listener serves proxies. A manager starts it when its caches are complete, so that no proxy is told that something is gone
// which this replica merely has not heard of.
type listener struct {
	address      string
	server       *xds.Server
	certificates xds.TLS
	serving      atomic.Bool
}

// NeedLeaderElection is false: every replica serves.
func (l *listener) NeedLeaderElection() bool { return false }

// Start serves until ctx ends.
func (l *listener) Start(ctx context.Context) error {
	config := net.ListenConfig{}
	on, err := config.Listen(ctx, "tcp", l.address)
	if err != nil {
		return fmt.Errorf("listening for proxies: %w", err)
	}
	l.serving.Store(true)
	defer l.serving.Store(false)
	return l.server.Serve(ctx, on, l.certificates)
}

// ready is a readiness check: the Service leads no proxy to a replica that does not know everything yet.
func (l *listener) ready(*http.Request) error {
	if !l.serving.Load() {
		return errors.New("proxies are not served yet")
	}
	return nil
}
