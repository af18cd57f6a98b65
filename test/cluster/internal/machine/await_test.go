package machine

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"
)

func TestAnswers(t *testing.T) {
	status := http.StatusServiceUnavailable
	web := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
	defer web.Close()
	socket := filepath.Join(t.TempDir(), "s")
	unix, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close()
	check := func(address string, want bool) {
		t.Helper()
		if got := answers(t.Context(), address); got != want {
			t.Errorf("%s: got %t, want %t", address, got, want)
		}
	}
	check("unix:"+socket, true)
	check("unix:"+socket+"x", false)
	check("tcp:"+web.Listener.Addr().String(), true)
	check(web.URL, false)
	status = http.StatusOK
	check(web.URL, true)
}

func TestAwaitEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	await(ctx, "unix:"+filepath.Join(t.TempDir(), "never"))
	if ctx.Err() == nil {
		t.Error("what is not there answered")
	}
}
