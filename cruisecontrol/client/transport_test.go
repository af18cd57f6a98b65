package client

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// hangUp closes the connection without an answer, as a process does that dies.
func hangUp(w http.ResponseWriter, _ *http.Request) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		panic(err)
	}
	_ = conn.(*net.TCPConn).SetLinger(0)
	_ = conn.Close()
}

func reads(ctx context.Context, c Client) map[string]error {
	return map[string]error{
		"state":               second(c.State(ctx, StateParameters{})),
		"kafka_cluster_state": second(c.KafkaClusterState(ctx, KafkaClusterStateParameters{})),
		"load":                second(c.Load(ctx, LoadParameters{})),
		"proposals":           second(c.Proposals(ctx, ProposalsParameters{})),
		"user_tasks":          second(c.UserTasks(ctx, UserTasksParameters{})),
	}
}

func changes(ctx context.Context, c Client) map[string]error {
	disks := LogDirs{1: {"/a"}}
	return map[string]error{
		"rebalance":               second(c.Rebalance(ctx, Execute("r"), RebalanceParameters{})),
		"add_broker":              second(c.AddBroker(ctx, DryRun("r"), AddBrokerParameters{BrokerIDs: []int32{1}})),
		"remove_broker":           second(c.RemoveBroker(ctx, Execute("r"), RemoveBrokerParameters{BrokerIDs: []int32{1}})),
		"demote_broker":           second(c.DemoteBroker(ctx, Execute("r"), DemoteBrokerParameters{BrokerIDs: []int32{1}})),
		"fix_offline_replicas":    second(c.FixOfflineReplicas(ctx, Execute("r"), FixOfflineReplicasParameters{})),
		"topic_configuration":     second(c.TopicConfiguration(ctx, Execute("r"), TopicConfigurationParameters{TopicByReplicationFactor: map[int]string{1: "a"}})),
		"remove_disks":            second(c.RemoveDisks(ctx, Execute("r"), RemoveDisksParameters{disks})),
		"stop_proposal_execution": c.StopProposalExecution(ctx, "r"),
		"pause_sampling":          c.PauseSampling(ctx, "r"),
		"resume_sampling":         c.ResumeSampling(ctx, "r"),
		"admin":                   second(c.Admin(ctx, "r", AdminParameters{DropRecentlyRemovedBrokers: []int32{1}})),
	}
}

// Whatever a lost answer may have started is not started again; a read is.
func TestLostAnswers(t *testing.T) {
	var counts sync.Map
	s := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		n, _ := counts.LoadOrStore(r.URL.Path, new(atomic.Int32))
		n.(*atomic.Int32).Add(1)
		hangUp(w, r)
	})
	c := newClient(t, s.URL)
	sent := func(endpoint string) int32 {
		n, ok := counts.Load("/kafkacruisecontrol/" + endpoint)
		if !ok {
			return 0
		}
		return n.(*atomic.Int32).Load()
	}
	for endpoint, err := range changes(t.Context(), c) {
		var e *Error
		if !errors.As(err, &e) || e.Class != Unreachable || e.NotRegistered() || sent(endpoint) != 1 {
			t.Errorf("%s was sent %d times: %v", endpoint, sent(endpoint), err)
		}
	}
	for endpoint, err := range reads(t.Context(), c) {
		if !errors.Is(err, Unreachable) || sent(endpoint) != 1+maxRepeats {
			t.Errorf("%s was sent %d times: %v", endpoint, sent(endpoint), err)
		}
	}
}

func TestReadsAreRepeated(t *testing.T) {
	var n atomic.Int32
	s := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1) == 1 {
			hangUp(w, r)
			return
		}
		says(200, `{"ExecutorState":{"state":"NO_TASK_IN_PROGRESS"}}`)(w, r)
	})
	a, err := newClient(t, s.URL).State(t.Context(), StateParameters{})
	if err != nil || a.Result.Executor.Phase != NoTaskInProgress || n.Load() != 2 {
		t.Errorf("%+v, %v after %d", a, err, n.Load())
	}
}

// Nobody is listening: nothing was sent.
func TestRefusedConnections(t *testing.T) {
	s := newServer(t, says(200, "{}"))
	s.Close()
	c := newClient(t, s.URL)
	for endpoint, err := range changes(t.Context(), c) {
		var e *Error
		if !errors.As(err, &e) || e.Class != Unreachable || !e.NotRegistered() || e.HTTPStatus != 0 {
			t.Errorf("%s: %v", endpoint, err)
		}
		var op *net.OpError
		if !errors.As(err, &op) || strings.Contains(err.Error(), "reason=") {
			t.Errorf("%s: %v", endpoint, err)
		}
	}
}

// pipes connects a client with what a test does to each connection, inside a synctest bubble.
func pipes(serve func(net.Conn)) func(*Config) {
	return func(cfg *Config) {
		cfg.Dialer = func(context.Context, string, string) (net.Conn, error) {
			client, server := net.Pipe()
			go serve(server)
			return client, nil
		}
	}
}

// Every call ends in time, whether Cruise Control says nothing at all or stops in the middle.
func TestHangs(t *testing.T) {
	for name, begin := range map[string]string{
		"no answer":   "",
		"half a head": "HTTP/1.1 200 OK\r\nContent-Le",
		"half a body": "HTTP/1.1 200 OK\r\nUser-Task-ID: 1-2-3\r\nContent-Length: 100\r\n\r\n{",
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			c := newClient(t, "http://cc:9090", pipes(func(conn net.Conn) {
				if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
					_, _ = io.WriteString(conn, begin)
				}
				<-ctx.Done()
				_ = conn.Close()
			}))
			start := time.Now()
			_, err := c.Rebalance(ctx, Execute("r"), RebalanceParameters{})
			var e *Error
			if !errors.As(err, &e) || e.Class != Unreachable || e.NotRegistered() || !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != defaultTimeout {
				t.Errorf("%s: %v after %v", name, err, time.Since(start))
			}
			if name == "half a body" && e.UserTaskID != "1-2-3" {
				t.Errorf("the task's id was in the head, and is lost: %+v", e)
			}
			start = time.Now()
			if _, err := c.KafkaClusterState(ctx, KafkaClusterStateParameters{}); !errors.Is(err, Unreachable) || time.Since(start) > defaultClusterStateTimeout {
				t.Errorf("%s: %v after %v", name, err, time.Since(start))
			}
		})
	}
}

func TestCallerGivesUp(t *testing.T) {
	release := make(chan struct{})
	s := newServer(t, func(http.ResponseWriter, *http.Request) { <-release })
	defer close(release)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := newClient(t, s.URL).State(ctx, StateParameters{}); !errors.Is(err, Unreachable) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

// A POST never meets what an earlier answer left on its connection.
func TestChangesHaveTheirOwnConnections(t *testing.T) {
	var connections atomic.Int32
	s := httptest.NewUnstartedServer(says(200, "{}"))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	s.Start()
	defer s.Close()
	c := newClient(t, s.URL)
	for range 3 {
		_, _ = c.State(t.Context(), StateParameters{})
	}
	if n := connections.Load(); n != 1 {
		t.Errorf("%d connections for reads", n)
	}
	for range 3 {
		_ = c.PauseSampling(t.Context(), "r")
	}
	if n := connections.Load(); n != 4 {
		t.Errorf("%d connections", n)
	}
}

// A cookie would make Cruise Control answer with an earlier result.
func TestNoCookies(t *testing.T) {
	s := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "JSESSIONID", Value: "x", Path: "/"})
		says(200, "{}")(w, r)
	})
	c := newClient(t, s.URL)
	for range 2 {
		_, _ = c.State(t.Context(), StateParameters{})
		_ = c.PauseSampling(t.Context(), "r")
	}
	for _, r := range s.requests() {
		if r.header.Get("Cookie") != "" {
			t.Errorf("%s had a cookie", r.path)
		}
	}
}

func TestTooLong(t *testing.T) {
	s := newServer(t, says(200, `{"x":"`+strings.Repeat("x", 1000)+`"}`))
	_, err := newClient(t, s.URL, func(c *Config) { c.MaxBody = 1000 }).Rebalance(t.Context(), Execute("r"), RebalanceParameters{})
	var e *Error
	if !errors.As(err, &e) || e.Class != BrokenAnswer || e.UserTaskID == "" {
		t.Errorf("got %v", err)
	}
}

// Credentials are asked for each time, so that new ones are used at once, and stay out of errors.
func TestCredentials(t *testing.T) {
	s := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "operator" || password != "new secret" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		says(200, "{}")(w, r)
	})
	password := "old secret"
	var failure error
	c := newClient(t, s.URL, func(c *Config) {
		c.Credentials = func(context.Context) (string, string, error) { return "operator", password, failure }
	})
	_, err := c.State(t.Context(), StateParameters{})
	if !errors.Is(err, Unauthorized) || strings.Contains(err.Error(), "secret") {
		t.Errorf("got %v", err)
	}
	password = "new secret"
	if _, err := c.State(t.Context(), StateParameters{}); err != nil {
		t.Error(err)
	}
	failure = errors.New("no such Secret")
	n := len(s.requests())
	var e *Error
	if _, err := c.State(t.Context(), StateParameters{}); !errors.As(err, &e) || e.Class != Unauthorized || !e.NotRegistered() || !errors.Is(err, failure) || len(s.requests()) != n {
		t.Errorf("got %v", err)
	}
}

func TestTLS(t *testing.T) {
	s := httptest.NewUnstartedServer(says(200, "{}"))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	s.StartTLS()
	defer s.Close()
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	trusting := func(c *Config) { c.CA = authority }
	if _, err := newClient(t, s.URL, trusting).State(t.Context(), StateParameters{}); err != nil {
		t.Error(err)
	}
	_, err := newClient(t, s.URL).State(t.Context(), StateParameters{})
	var unknown x509.UnknownAuthorityError
	if !errors.Is(err, Unreachable) || !errors.As(err, &unknown) {
		t.Errorf("got %v", err)
	}
	var e *Error
	_, err = newClient(t, s.URL, trusting, func(c *Config) { c.ServerName = "other" }).Rebalance(t.Context(), Execute("r"), RebalanceParameters{})
	if !errors.As(err, &e) || e.Class != Unreachable || !e.NotRegistered() {
		t.Errorf("got %v", err)
	}
}

func TestNewRefusesWhatNoTimeHeals(t *testing.T) {
	for name, cfg := range map[string]Config{
		"no URL":                    {},
		"no scheme":                 {URL: "cc:9090"},
		"another scheme":            {URL: "ftp://cc"},
		"credentials in URL":        {URL: "http://a:b@cc"},
		"query in URL":              {URL: "http://cc?x=y"},
		"a CA that is none":         {URL: "https://cc", CA: []byte("x")},
		"a certificate that is not": {URL: "https://cc", Certificate: []byte("x"), Key: []byte("x")},
	} {
		if _, err := New(cfg); err == nil || errors.Is(err, Unreachable) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestBaseURL(t *testing.T) {
	for in, want := range map[string]string{
		"http://cc:9090":                      "http://cc:9090/kafkacruisecontrol",
		"https://cc:9090/":                    "https://cc:9090/kafkacruisecontrol",
		"http://cc/proxy/kafkacruisecontrol/": "http://cc/proxy/kafkacruisecontrol",
	} {
		if got, err := baseURL(in); got != want {
			t.Errorf("%s is %s, %v", in, got, err)
		}
	}
}

func TestReadBody(t *testing.T) {
	for limit, want := range map[int64]bool{2: true, 3: false, 4: false} {
		if read, more, err := readBody(bytes.NewReader([]byte("abc")), limit); more != want || err != nil || len(read) > int(limit) {
			t.Errorf("%d: %s, %v, %v", limit, read, more, err)
		}
	}
}
