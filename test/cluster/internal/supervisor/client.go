package supervisor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"strings"

	"golang.org/x/sys/unix"

	"koperator.dev/koperator/test/cluster/internal/layout"
)

// ErrNotRunning says that no supervisor answers.
var ErrNotRunning = errors.New("the cluster is not running")

// Client talks to the supervisor of a cluster, from any network namespace.
type Client struct {
	http *http.Client
}

// NewClient returns the client of a cluster.
func NewClient(cluster layout.Cluster) Client {
	return newClient(cluster.Socket())
}

func newClient(socket string) Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}
	return Client{http: &http.Client{Transport: &http.Transport{DialContext: dial}}}
}

// Status asks for the status.
func (c Client) Status(ctx context.Context) (Status, error) {
	var status Status
	body, err := c.do(ctx, http.MethodGet, "/status")
	if err != nil {
		return status, err
	}
	return status, json.Unmarshal(body, &status)
}

// Inflict makes a node suffer a fault, and returns when it does.
func (c Client) Inflict(ctx context.Context, node layout.Node, fault Fault) error {
	_, err := c.do(ctx, http.MethodPost, fmt.Sprintf("/nodes/%d/%s", node.Number, fault))
	return err
}

func (c Client) do(ctx context.Context, method, path string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, "http://supervisor"+path, nil)
	if err != nil {
		return nil, err
	}
	response, err := c.http.Do(request)
	if isGone(err) {
		return nil, ErrNotRunning
	}
	if err != nil {
		return nil, fmt.Errorf("asking the cluster's supervisor: %w", err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, fmt.Errorf("reading the supervisor's answer: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		return nil, errors.New(strings.TrimSpace(string(body)))
	}
	return body, nil
}

// isGone tells whether there is no supervisor, or it is just being killed.
func isGone(err error) bool {
	for _, gone := range []error{fs.ErrNotExist, unix.ECONNREFUSED, unix.ECONNRESET, io.EOF} {
		if errors.Is(err, gone) {
			return true
		}
	}
	return false
}
