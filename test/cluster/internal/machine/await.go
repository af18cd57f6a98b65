package machine

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"strings"
	"time"
)

const awaitInterval = 50 * time.Millisecond

// probeClient does not check certificates: it only wants to know whether somebody answers.
var probeClient = &http.Client{
	Timeout:   2 * time.Second,
	Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}},
}

// await returns when the address answers or the context ends.
func await(ctx context.Context, address string) {
	for !answers(ctx, address) {
		select {
		case <-ctx.Done():
			return
		case <-time.After(awaitInterval):
		}
	}
}

func answers(ctx context.Context, address string) bool {
	if strings.HasPrefix(address, "https:") {
		return answersHTTP(ctx, address)
	}
	network, target, _ := strings.Cut(address, ":")
	conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, network, target)
	if err != nil {
		return false
	}
	return conn.Close() == nil
}

func answersHTTP(ctx context.Context, url string) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	response, err := probeClient.Do(request)
	if err != nil {
		return false
	}
	response.Body.Close()
	return response.StatusCode == http.StatusOK
}
