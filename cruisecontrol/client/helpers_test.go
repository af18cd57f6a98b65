package client

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"k8s.io/utils/clock"
)

// received is a request that arrived at a test's server.
type received struct {
	method, path, contentType, body string
	query                           url.Values
	header                          http.Header
}

// server answers as a test wants and keeps what it was asked.
type server struct {
	*httptest.Server
	mu       sync.Mutex
	received []received
}

func newServer(t *testing.T, answer http.HandlerFunc) *server {
	t.Helper()
	s := &server{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		s.received = append(s.received, received{r.Method, r.URL.Path, r.Header.Get("Content-Type"), string(body), r.URL.Query(), r.Header})
		s.mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *server) requests() []received {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.received
}

// says answers with a status and a body, as Cruise Control does with a task.
func says(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json;charset=utf-8")
		w.Header().Set(userTaskIDHeader, "11111111-2222-3333-4444-555555555555")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// impatient is a clock on which pauses take no time.
type impatient struct{ clock.RealClock }

func (i impatient) NewTimer(time.Duration) clock.Timer {
	return impatientTimer{i.RealClock.NewTimer(0)}
}

type impatientTimer struct{ clock.Timer }

func (i impatientTimer) Reset(time.Duration) bool { return i.Timer.Reset(0) }

func newClient(t *testing.T, address string, change ...func(*Config)) Client {
	t.Helper()
	cfg := Config{URL: address, Clock: impatient{}}
	for _, c := range change {
		c(&cfg)
	}
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}
