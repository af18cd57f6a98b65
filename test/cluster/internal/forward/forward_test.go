package forward

import (
	"context"
	"io"
	"net"
	"testing"
)

func TestServe(t *testing.T) {
	listen := func() net.Listener {
		t.Helper()
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		return l
	}
	server, way := listen(), listen()
	go func() {
		conn, err := server.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		// It answers once the request has ended: the end of one direction must arrive while the other is open.
		request, _ := io.ReadAll(conn)
		_, _ = conn.Write(append([]byte("answer to "), request...))
	}()
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	go Serve(t.Context(), way, dial, server.Addr().String())

	client, err := net.Dial("tcp", way.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := client.Write([]byte("question")); err != nil {
		t.Fatal(err)
	}
	if err := client.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(client); err != nil || string(got) != "answer to question" {
		t.Errorf("got %q, %v", got, err)
	}
}
