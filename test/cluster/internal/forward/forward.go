// Package forward carries connections from one network namespace into another.
package forward

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"sync"
)

// Dial connects to the other side.
type Dial func(ctx context.Context, network, address string) (net.Conn, error)

// Serve forwards every connection to the address, until the listener is closed.
func Serve(ctx context.Context, listener net.Listener, dial Dial, address string) {
	for {
		client, err := listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			slog.Error("Accepting a connection", "err", err)
			continue
		}
		go forward(ctx, client, dial, address)
	}
}

func forward(ctx context.Context, client net.Conn, dial Dial, address string) {
	defer client.Close()
	server, err := dial(ctx, "tcp", address)
	if err != nil {
		slog.Error("Forwarding a connection", "to", address, "err", err)
		return
	}
	defer server.Close()
	var both sync.WaitGroup
	both.Go(func() { pipe(server, client) })
	both.Go(func() { pipe(client, server) })
	both.Wait()
}

// pipe passes on the end of a stream, too: the other direction may go on.
func pipe(to, from net.Conn) {
	_, err := io.Copy(to, from)
	if half, ok := to.(interface{ CloseWrite() error }); ok && err == nil {
		err = half.CloseWrite()
	}
	if err != nil {
		to.Close()
		from.Close()
	}
}
