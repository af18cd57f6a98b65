package cruisecontrol

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"koperator.dev/koperator/test/cruisecontrol/internal/javajson"
)

const (
	pathPrefix   = "/kafkacruisecontrol"
	maxURI       = 8 << 10
	taskIDHeader = "User-Task-ID"
	sessionName  = "JSESSIONID"
	version      = "2.5.146"
)

// call is a request as it arrived.
type call struct {
	method, path string // path is as it was sent
	uri          string
	parameters   parameters
	body         []byte
	taskID       string
	session      string
	client       string
	user, secret string
	bearer       bool
	endpoint     *endpoint
	// newSession is made where Cruise Control looks for one.
	newSession string
}

func newCall(r *http.Request) *call {
	c := &call{method: r.Method, path: r.URL.Path, uri: r.RequestURI, taskID: r.Header.Get(taskIDHeader)}
	c.parameters = parseQuery(r.URL.RawQuery)
	c.body, _ = io.ReadAll(r.Body)
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		c.parameters = append(c.parameters, parseQuery(string(c.body))...)
		c.body = nil
	}
	if cookie, err := r.Cookie(sessionName); err == nil {
		c.session = cookie.Value
	}
	c.client, _, _ = net.SplitHostPort(r.RemoteAddr)
	c.user, c.secret, _ = r.BasicAuth()
	c.bearer = strings.HasPrefix(r.Header.Get("Authorization"), "Bearer ")
	return c
}

// parseQuery keeps the order.
func parseQuery(query string) parameters {
	var list parameters
	for part := range strings.SplitSeq(query, "&") {
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		name, _ = url.QueryUnescape(name)
		value, err := url.QueryUnescape(value)
		if err == nil {
			list = append(list, Parameter{name, value})
		}
	}
	return list
}

// pathInfo is what follows the prefix.
func (c *call) pathInfo() string { return strings.TrimPrefix(c.path, pathPrefix) }

func (c *call) wantsJSON() bool { return c.parameters.bool("json", false) }

// response is what is sent back.
type response struct {
	status  int
	body    string
	kind    string // content type
	headers map[string]string
	taskID  string
	session string
	// hangUp sends nothing and resets the connection; stray leaves bytes behind that do not belong to the answer.
	hangUp, stray bool
}

const (
	textHTML  = "text/html;charset=iso-8859-1"
	textPlain = "text/plain;charset=utf-8"
	textJSON  = "application/json;charset=utf-8"
)

// page is one of Jetty's.
func page(status int, title string) *response {
	return &response{status: status, kind: textHTML, body: fmt.Sprintf("<html>\n<head>\n<title>Error %d %s</title>\n</head>\n<body><h2>HTTP ERROR %d %[2]s</h2>\n</body>\n</html>\n", status, title, status)}
}

// said is an answer of Cruise Control's own, JSON or text as was asked for.
func (s *Server) said(status int, asJSON bool, value javajson.Object) *response {
	if !asJSON {
		return &response{status: status, kind: textPlain, body: fmt.Sprint(value)}
	}
	value["version"] = 1
	return &response{status: status, kind: textJSON, body: javajson.Marshal(value, s.random)}
}

// failed is an error of Cruise Control's own.
func (s *Server) failed(c *call, status int, trace bool, format string, args ...any) *response {
	message := fmt.Sprintf(format, args...)
	stack := ""
	if trace {
		stack = message + "\n\tat com.linkedin.kafka.cruisecontrol.KafkaCruiseControlRequestHandler.doGetOrPost(KafkaCruiseControlRequestHandler.java)\n"
	}
	if !c.wantsJSON() {
		return &response{status: status, kind: textPlain, body: message + "\n" + stack, stray: true}
	}
	r := s.said(status, true, javajson.Object{"errorMessage": message, "stackTrace": stack})
	r.stray = true
	return r
}

// write sends a response. The length is that of the characters, not of the bytes: of a body with others than ASCII, the end
// is not sent, or arrives where nobody expects it.
func (r *response) write(w http.ResponseWriter) {
	if r.hangUp {
		hangUp(w)
		return
	}
	length := utf8.RuneCountInString(r.body)
	header := w.Header()
	if r.kind != textHTML && r.status != http.StatusMethodNotAllowed {
		header.Set("Cruise-Control-Version", version)
		header["Cruise-Control-Commit_Id"] = []string{"stand-in"}
	}
	for name, value := range r.headers {
		header.Set(name, value)
	}
	if r.kind != "" {
		header.Set("Content-Type", r.kind)
	}
	if r.taskID != "" {
		header.Set(taskIDHeader, r.taskID)
	}
	if r.session != "" {
		header.Set("Set-Cookie", sessionName+"="+r.session+"; Path=/")
	}
	header.Set("Content-Length", strconv.Itoa(length))
	if r.stray && length < len(r.body) {
		writeAll(w, r.status, header, r.body)
		return
	}
	w.WriteHeader(r.status)
	_, _ = io.WriteString(w, r.body[:length])
}

// hangUp resets the connection.
func hangUp(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// lingering is how long a connection with stray bytes stays open.
const lingering = 30 * time.Second

// writeAll sends more than the length that it announces, and keeps the connection.
func writeAll(w http.ResponseWriter, status int, header http.Header, body string) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	var head bytes.Buffer
	fmt.Fprintf(&head, "HTTP/1.1 %d %s\r\n", status, http.StatusText(status))
	_ = header.Write(&head)
	head.WriteString("\r\n" + body)
	_, _ = conn.Write(head.Bytes())
	go func() {
		_ = conn.SetReadDeadline(time.Now().Add(lingering))
		_, _ = conn.Read(make([]byte, 1))
		_ = conn.Close()
	}()
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.answer(r.Context(), newCall(r)).write(w)
}

// answer plays Cruise Control for one request.
func (s *Server) answer(ctx context.Context, c *call) *response {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.process
	if p == nil {
		return &response{hangUp: true}
	}
	p.advance()
	i := s.record(p.now, c)
	resp := p.answerFaulty(ctx, c)
	s.recordAnswer(i, c, resp)
	return resp
}

// alive tells whether the process that was asked still runs, after a pause.
func (p *process) alive() bool { return p.process == p }

// wait pauses until something changes, or until then; false if there is nobody left to answer.
func (p *process) wait(ctx context.Context, until time.Time) bool {
	p.pause(ctx, p.next(until))
	if !p.alive() {
		return false
	}
	p.advance()
	return p.alive() && ctx.Err() == nil
}

// route finds what a request is for.
func (p *process) route(ctx context.Context, c *call) *response {
	switch {
	case len(c.uri) > maxURI:
		return page(http.StatusRequestURITooLong, "URI Too Long")
	case c.path != pathPrefix && !strings.HasPrefix(c.path, pathPrefix+"/"):
		return page(http.StatusNotFound, "Not Found")
	}
	if denied := p.authenticate(c); denied != nil {
		return denied
	}
	switch c.method {
	case http.MethodGet, http.MethodPost:
	case http.MethodOptions:
		return &response{status: http.StatusOK}
	case http.MethodHead:
		return p.failed(c, http.StatusBadRequest, true, "Bad HEAD request '%s' due to 'Unsupported request method: HEAD.'.", c.pathInfo())
	default:
		return &response{status: http.StatusMethodNotAllowed}
	}
	return p.dispatch(ctx, c)
}

// dispatch runs a request of a method that exists.
func (p *process) dispatch(ctx context.Context, c *call) *response {
	if c.endpoint = findEndpoint(c.method, c.path); c.endpoint == nil {
		return p.failed(c, http.StatusNotFound, false, "Unrecognized endpoint in request '%s'\nSupported %s endpoints: %s", c.pathInfo(), c.method, supported(c.method))
	}
	if denied := p.authorize(c); denied != nil {
		return denied
	}
	if p.terminating && c.method == http.MethodPost && p.deadlocked {
		for p.wait(ctx, p.now.Add(deadlockTime)) {
		}
		return &response{hangUp: true}
	}
	if p.opts.Config.TwoStepVerification && c.method == http.MethodPost {
		if parked := p.review(c); parked != nil {
			return parked
		}
	}
	if unknown := c.unknownParameters(); len(unknown) > 0 {
		return p.failed(c, http.StatusBadRequest, false, "Unrecognized endpoint parameters in %s %s request: [%s].", c.endpoint.name, c.method, strings.Join(unknown, ", "))
	}
	return p.run(ctx, c)
}

func (c *call) unknownParameters() []string {
	var unknown []string
	for _, param := range c.parameters {
		if !c.endpoint.knows(param.Name) && !slices.Contains(unknown, param.Name) {
			unknown = append(unknown, param.Name)
		}
	}
	slices.SortFunc(unknown, func(a, b string) int { return strings.Compare(strings.ToLower(a), strings.ToLower(b)) })
	return unknown
}

// run parses the parameters and hands over to the task manager.
func (p *process) run(ctx context.Context, c *call) *response {
	work, err := p.parse(c)
	if err != nil {
		return p.failed(c, http.StatusBadRequest, true, "%s", err)
	}
	if work.configError != "" {
		return p.failed(c, http.StatusForbidden, true, "Cannot process %s request '%s' due to: '%s'.", c.method, c.pathInfo(), work.configError)
	}
	t, err := p.tasks.getOrCreate(c, work)
	if err != nil {
		return p.failed(c, http.StatusInternalServerError, true, "Error processing %s request '%s' due to: '%s'.", c.method, c.pathInfo(), err)
	}
	resp := p.await(ctx, c, t)
	resp.taskID, resp.session = t.id, c.newSession
	return resp
}

// await waits for a task as long as a request may take.
func (p *process) await(ctx context.Context, c *call, t *task) *response {
	until := p.now.Add(p.opts.Config.MaxBlockTime)
	for !t.done {
		if !p.now.Before(until) {
			return p.said(http.StatusAccepted, c.wantsJSON(), javajson.Object{"progress": []any{t.progress(p.now)}})
		}
		if !p.wait(ctx, until) {
			return &response{hangUp: true}
		}
	}
	if t.failure != nil {
		return p.failed(c, http.StatusInternalServerError, true, "Error processing %s request '%s' due to: '%s'.", c.method, c.pathInfo(), t.failure)
	}
	return &response{status: http.StatusOK, kind: t.kind, body: t.result}
}
