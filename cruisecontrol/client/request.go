package client

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v4"
	"github.com/go-resty/resty/v2"
)

const userTaskIDHeader = "User-Task-ID"

// request is one call of Cruise Control.
type request struct {
	method     string
	endpoint   string
	parameters *parameters
	// task is continued, if there is one.
	task TaskID
	// json is the body of a POST that has one.
	json    []byte
	timeout time.Duration // zero: that of most calls
}

// get makes a request that is safe to repeat: what a lost answer leaves behind is a task that nobody asks for.
func get(endpoint string, p *parameters) request {
	return request{method: http.MethodGet, endpoint: endpoint, parameters: p}
}

// post makes a request that changes something, or plans to.
func post(endpoint string, p *parameters) request {
	return request{method: http.MethodPost, endpoint: endpoint, parameters: p}
}

// answer is what came back, whole.
type answer struct {
	status int
	task   TaskID
	body   []byte
}

// send sends a request and returns its answer, or an *Error for one that says that it failed.
func (c *client) send(ctx context.Context, r request) (answer, error) {
	if err := r.check(); err != nil {
		return answer{}, r.failed(InvalidSpec, err, true)
	}
	setDefault(&r.timeout, c.cfg.Timeout)
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	if r.method == http.MethodPost {
		return c.sendOnce(ctx, r)
	}
	return c.sendRepeatedly(ctx, r)
}

// sendRepeatedly sends a read until it has an answer, or patience ends.
func (c *client) sendRepeatedly(ctx context.Context, r request) (answer, error) {
	var a answer
	var err error
	_ = backoff.RetryNotifyWithTimer(func() error {
		a, err = c.sendOnce(ctx, r)
		if !errors.Is(err, Unreachable) {
			return nil
		}
		return err
	}, c.patience(ctx), nil, &timer{clock: c.cfg.Clock})
	return a, err // and not what backoff makes of it, which is the context's error where that ended it
}

// check refuses what cannot be sent as it is meant.
func (r request) check() error {
	_, form := r.parameters.encode("/" + r.endpoint)
	if form != nil && (r.method == http.MethodGet || r.json != nil) {
		r.parameters.refuse("parameters", "longer than %d bytes", maxURI)
	}
	return r.parameters.err
}

const (
	// maxRepeats of a read that found nobody: a restart takes longer, and is waited for by asking again later.
	maxRepeats   = 2
	firstRepeat  = 200 * time.Millisecond
	longestPause = 2 * time.Second
)

// patience is how long a read is repeated.
func (c *client) patience(ctx context.Context) backoff.BackOff {
	b := backoff.NewExponentialBackOff(backoff.WithClockProvider(c.cfg.Clock), backoff.WithInitialInterval(firstRepeat),
		backoff.WithMaxInterval(longestPause), backoff.WithMaxElapsedTime(0))
	return backoff.WithContext(backoff.WithMaxRetries(b, maxRepeats), ctx)
}

// sendOnce sends a request once and reads its answer.
func (c *client) sendOnce(ctx context.Context, r request) (answer, error) {
	var sent atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { sent.Store(true) }})
	req, uri, err := c.prepare(ctx, r)
	if err != nil {
		return answer{}, r.failed(Unauthorized, err, true)
	}
	resp, err := req.Execute(r.method, uri)
	if err != nil {
		return answer{}, r.failed(Unreachable, err, !sent.Load())
	}
	raw := resp.RawResponse
	defer raw.Body.Close()
	a := answer{status: raw.StatusCode, task: TaskID(raw.Header.Get(userTaskIDHeader))}
	var more bool
	if a.body, more, err = readBody(raw.Body, c.cfg.MaxBody); err != nil {
		return a, r.broken(Unreachable, a, err.Error(), err)
	}
	if more {
		return a, r.broken(BrokenAnswer, a, "the answer is too long", nil)
	}
	return a, r.refused(a)
}

// prepare makes resty's request, and its address.
func (c *client) prepare(ctx context.Context, r request) (*resty.Request, string, error) {
	rc := c.reads
	if r.method == http.MethodPost {
		rc = c.changes
	}
	req := rc.R().SetContext(ctx)
	if r.task != "" {
		req.SetHeader(userTaskIDHeader, string(r.task))
	}
	if c.cfg.Credentials != nil {
		user, password, err := c.cfg.Credentials(ctx)
		if err != nil {
			return nil, "", err
		}
		req.SetBasicAuth(user, password)
	}
	query, form := r.parameters.encode("/" + r.endpoint)
	switch {
	case r.json != nil:
		req.SetHeader("Content-Type", "application/json").SetBody(r.json)
	case form != nil:
		req.SetFormDataFromValues(form)
	}
	return req, "/" + r.endpoint + "?" + query, nil
}

// failed is a request without an answer.
func (r request) failed(class Class, cause error, unsent bool) *Error {
	var sending *url.Error
	if errors.As(cause, &sending) {
		cause = sending.Err // without the address, which is long and says nothing new
	}
	return &Error{Class: class, Message: cause.Error(), endpoint: r.endpoint, cause: cause, unsent: unsent}
}

// broken is an answer that could not be read to its end.
func (r request) broken(class Class, a answer, message string, cause error) *Error {
	return &Error{Class: class, Message: message, HTTPStatus: a.status, UserTaskID: a.task, endpoint: r.endpoint, cause: cause}
}

// readBody reads at most limit bytes, and says whether there are more.
func readBody(body io.Reader, limit int64) (read []byte, more bool, err error) {
	read, err = io.ReadAll(io.LimitReader(body, limit+1))
	if int64(len(read)) > limit {
		return read[:limit], true, err
	}
	return read, false, err
}
