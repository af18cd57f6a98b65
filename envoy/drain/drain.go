// Package drain lets go of a proxy's clients before the proxy stops: it becomes unready, waits until the load balancer
// sends no new clients, then closes connections one after the other. It runs in the container of Envoy itself, as its
// preStop hook, and speaks with Envoy through the socket of its admin interface.
package drain

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"syscall"
	"time"

	"k8s.io/utils/clock"
)

const (
	// pollInterval is how often connections are counted, and reportInterval how often that is told.
	pollInterval   = 500 * time.Millisecond
	reportInterval = 5 * time.Second
)

// Options are how to drain.
type Options struct {
	// Socket is the file of Envoy's admin interface.
	Socket string
	// Deregistration is until the load balancer is sure to send no new clients.
	Deregistration time.Duration
	// Timeout is for closing connections. Idle ones are left when it is over: Envoy closes them when it ends.
	Timeout time.Duration
	Clock   clock.Clock
	// Out is told how it goes.
	Out io.Writer
}

// Run drains the proxy, and returns when its last client is gone, or when the time is over. To run it twice is harmless. A
// step that fails does not keep the next ones from being taken, because the proxy ends afterwards whatever happens.
func Run(ctx context.Context, o Options) error {
	d := drainer{Options: o, admin: newAdmin(o.Socket)}
	d.say("no longer ready; new clients are still served for %s", o.Deregistration)
	err := d.admin.post(ctx, "/healthcheck/fail")
	if isGone(err) {
		d.say("Envoy does not run: nothing to drain")
		return nil
	}
	failures := []error{err, d.wait(ctx, o.Deregistration)}
	d.say("closing connections, for at most %s", o.Timeout)
	// skip_exit, because Kubernetes ends the process. graceful, because it would refuse clients at once otherwise.
	failures = append(failures, d.admin.post(ctx, "/drain_listeners?graceful&skip_exit"))
	failures = append(failures, d.awaitLastClient(ctx))
	return ignoreGone(errors.Join(failures...))
}

type drainer struct {
	Options
	admin *admin
}

// awaitLastClient waits until no connection is left, but not for ever: nothing closes one that is idle.
func (d drainer) awaitLastClient(ctx context.Context) error {
	deadline, report := d.Clock.Now().Add(d.Timeout), d.Clock.Now()
	for {
		left, err := d.admin.connections(ctx)
		if err != nil {
			return err
		}
		now := d.Clock.Now()
		switch {
		case left == 0:
			d.say("all connections are closed")
			return nil
		case !now.Before(deadline):
			d.say("%d connections are left to the end of the process", left)
			return nil
		case !now.Before(report):
			d.say("%d connections are left", left)
			report = now.Add(reportInterval)
		}
		if err := d.wait(ctx, min(pollInterval, deadline.Sub(now))); err != nil {
			return err
		}
	}
}

func (d drainer) wait(ctx context.Context, duration time.Duration) error {
	if duration <= 0 {
		return nil
	}
	timer := d.Clock.NewTimer(duration)
	defer timer.Stop()
	select {
	case <-timer.C():
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// say writes a line beside those of Envoy. That nobody reads it is no reason to stop.
func (d drainer) say(format string, args ...any) {
	_, _ = fmt.Fprintf(d.Out, "[%s][drain] %s\n", d.Clock.Now().UTC().Format("2006-01-02 15:04:05.000"), fmt.Sprintf(format, args...))
}

// isGone means that Envoy has ended, or that it never began.
func isGone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED)
}

// ignoreGone takes the end of Envoy for that of the drain.
func ignoreGone(err error) error {
	if isGone(err) {
		return nil
	}
	return err
}
