package drain

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"time"
)

const (
	// callTime is how long Envoy may take for an answer: its main thread may be busy.
	callTime = 5 * time.Second
	// maxAnswer is more than a thousand listeners take.
	maxAnswer = 16 << 20
)

// admin is Envoy's admin interface.
type admin struct {
	http *http.Client
}

func newAdmin(socket string) *admin {
	dialer := &net.Dialer{}
	return &admin{http: &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", socket)
		},
	}}}
}

func (a *admin) post(ctx context.Context, path string) error {
	return a.call(ctx, http.MethodPost, path, func(io.Reader) error { return nil })
}

// activeConnections is a listener's number of connections. Those of single worker threads have a dot in the name, and are
// in the listener's own number.
var activeConnections = regexp.MustCompile(`^listener\.([^.]+)\.downstream_cx_active: ([0-9]+)$`)

// connections counts the connections of clients.
func (a *admin) connections(ctx context.Context) (int, error) {
	sum := 0
	err := a.call(ctx, http.MethodGet, `/stats?filter=downstream_cx_active$`, func(answer io.Reader) error {
		lines := bufio.NewScanner(answer)
		for lines.Scan() {
			match := activeConnections.FindStringSubmatch(lines.Text())
			if match == nil || match[1] == "admin" || match[1] == "ops" {
				continue
			}
			count, err := strconv.Atoi(match[2])
			if err != nil {
				return fmt.Errorf("counting connections: %w", err)
			}
			sum += count
		}
		return lines.Err()
	})
	return sum, err
}

func (a *admin) call(ctx context.Context, method, path string, read func(io.Reader) error) error {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, "http://envoy"+path, nil)
	if err != nil {
		return fmt.Errorf("asking Envoy for %s: %w", path, err)
	}
	answer, err := a.http.Do(request)
	if err != nil {
		return fmt.Errorf("asking Envoy for %s: %w", path, err)
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("asking Envoy for %s: it answers %s", path, answer.Status)
	}
	return read(io.LimitReader(answer.Body, maxAnswer))
}
