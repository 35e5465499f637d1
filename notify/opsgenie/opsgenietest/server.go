package opsgenietest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// The paths under which a JSM server answers.
const (
	PathIntegration = "/jsm/ops/integration"
	PathOperations  = "/jsm/ops/api"
)

// Options configures a Server. The zero value is a quick Opsgenie.
type Options struct {
	// JSM makes it JSM Operations: integration events below PathIntegration, the Operations API below
	// PathOperations. Otherwise it is Opsgenie's API, at the root.
	JSM bool

	// Key is the integration key that is accepted. Defaults to key.
	Key string

	// CloudID, Email, Token and TeamID are JSM's. Default to cloud, ops@example.org, token and team.
	CloudID, Email, Token, TeamID string

	// Delay is how long an accepted request waits until it is done.
	Delay time.Duration

	// IndexLag is how long lists lag behind.
	IndexLag time.Duration

	// AlertsPerMinute, SearchesPerMinute and HeartbeatsPerMinute bound the requests of a domain. Zero
	// means no bound.
	AlertsPerMinute, SearchesPerMinute, HeartbeatsPerMinute int

	// NoHeartbeats is a plan without them, PingOnly a key that may only ping, WriteOnly one that may
	// not read.
	NoHeartbeats, PingOnly, WriteOnly bool

	Quirks Quirks
}

// Quirks are answers to questions that the services' documentation leaves open. The zero value is
// what is more likely.
type Quirks struct {
	SwapOrder     bool          // of the requests that are due, the last is done first
	PlainQueue    bool          // a queued request's 404 does not name the queue (JSM may do so)
	NoStatus      bool          // JSM's integration API has no request status
	RewriteAlias  string        // goes before every alias, as an integration may be configured to do
	CutSilently   bool          // what is too long is cut rather than refused
	SyncNotFound  bool          // an act on what is not open is answered 404 at once
	ClosedText    string        // the status text of an act on what is not open
	RetryAfter    bool          // a 429 says Retry-After
	Delayed       bool          // over the limit requests are served and marked THROTTLED, not refused
	LooseSearch   bool          // a list returns everything that is open, whatever the query
	BlindSearch   bool          // a list returns nothing, as if the query were spelled wrong
	KeepsExpired  bool          // the alert of an expired heartbeat stays open at the next ping
	ForgetsStatus time.Duration // the outcome of a request can be asked for only so long
	NoCloseReport bool          // a closed alert does not say who closed it
}

// A Server is a fake service.
type Server struct {
	opts Options

	mu         sync.Mutex // guards what follows
	alerts     []*alert   // in the order of creation
	open       map[string]*alert
	queue      []*work
	results    map[string]result
	heartbeats []*Heartbeat
	faults     []*Fault
	requests   []Request
	buckets    map[string]*rate.Limiter
	serial     int
}

// A Request is one that arrived.
type Request struct {
	At     time.Time
	Method string
	Path   string // escaped
	Query  string
	Body   string
	Status int // zero: no answer
}

// New returns a server without alerts.
func New(opts Options) *Server {
	for field, value := range map[*string]string{
		&opts.Key: "key", &opts.CloudID: "cloud", &opts.Email: "ops@example.org", &opts.Token: "token",
		&opts.TeamID: "team", &opts.Quirks.ClosedText: "Alert does not exist",
	} {
		if *field == "" {
			*field = value
		}
	}
	s := &Server{opts: opts, open: map[string]*alert{}, results: map[string]result{}, buckets: map[string]*rate.Limiter{}}
	for domain, n := range map[string]int{"alert": opts.AlertsPerMinute, "search": opts.SearchesPerMinute, "heartbeat": opts.HeartbeatsPerMinute} {
		if n > 0 {
			s.buckets[domain] = rate.NewLimiter(rate.Limit(n)/60, n)
		}
	}
	return s
}

// Client returns an HTTP client that reaches the server without a socket, at whatever host.
func (s *Server) Client() *http.Client { return &http.Client{Transport: s} }

// Requests returns what arrived since the start, or since Forget.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Request(nil), s.requests...)
}

// Forget empties the list of requests.
func (s *Server) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = nil
}

// A reply is what a request is answered.
type reply struct {
	status int
	header http.Header
	body   any
}

// ok, fail and accepted make replies.
func ok(body any) reply { return reply{status: http.StatusOK, body: body} }

func fail(status int, message string) reply {
	return reply{status: status, body: map[string]any{"message": message, "took": .001}}
}

func invalid(field, reason string) reply {
	return reply{status: http.StatusUnprocessableEntity, body: map[string]any{
		"message": "Request body is not processable. Please check the errors.", "errors": map[string]string{field: reason}, "took": .001,
	}}
}

// A call is one request, taken apart.
type call struct {
	now    time.Time
	method string
	path   []string // below the API's base, unescaped
	query  func(string) string
	body   []byte
	ops    bool   // at JSM's Operations API
	later  string // fail with this status when it is done
	lost   bool   // accept it, and forget it
}

// serve answers a request. It holds the lock; what follows from a fault is the caller's.
func (s *Server) serve(r *http.Request, body []byte) (reply, *Fault, int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	s.settle(now)
	s.requests = append(s.requests, Request{At: now, Method: r.Method, Path: r.URL.EscapedPath(), Query: r.URL.RawQuery, Body: string(body)})
	n := len(s.requests) - 1
	f := s.fault(r)
	if f != nil && !f.Kind.does() {
		s.requests[n].Status = f.Status
		return reply{status: f.Status, header: f.Header, body: json.RawMessage(f.text())}, f, n
	}
	c := call{now: now, method: r.Method, query: r.URL.Query().Get, body: body}
	if f != nil && f.Kind == FailLater {
		c.later = f.Outcome
	}
	c.lost = f != nil && f.Kind == Forget
	answer := s.route(&c, r)
	if fields, ok := answer.body.(map[string]any); ok && fields["requestId"] == nil && !c.ops {
		s.serial++
		fields["requestId"] = fmt.Sprintf("answer-%d", s.serial)
	}
	s.requests[n].Status = answer.status
	s.settle(now)
	return answer, f, n
}

// route finds the API, checks who asks and how often, and hands the call on.
func (s *Server) route(c *call, r *http.Request) reply {
	path := r.URL.EscapedPath()
	var base string
	if s.opts.JSM {
		base = PathIntegration
		if strings.HasPrefix(path, PathOperations+"/") {
			base, c.ops = PathOperations+"/"+s.opts.CloudID, true
		}
	}
	rest, found := strings.CutPrefix(path, base+"/")
	if !found {
		return fail(http.StatusNotFound, "no such cloud or API")
	}
	for _, part := range strings.Split(strings.TrimSuffix(rest, "/"), "/") {
		c.path = append(c.path, unescape(part))
	}
	if refused, ok := s.authorize(c, r); !ok {
		return refused
	}
	limited, slow := s.throttle(c)
	if slow && !s.opts.Quirks.Delayed {
		return limited
	}
	answer := s.dispatch(c)
	if slow {
		answer.header = limited.header
	}
	return answer
}

func (s *Server) dispatch(c *call) reply {
	version, parts := c.path[0], c.path[1:]
	if len(parts) == 0 || (version != "v2" && !c.ops) || (version != "v1" && c.ops) {
		return fail(http.StatusNotFound, "no such path")
	}
	switch {
	case parts[0] == "alerts":
		return s.alertsAPI(c, parts[1:])
	case parts[0] == "heartbeats" && !s.opts.JSM:
		return s.heartbeatsAPI(c, parts[1:])
	case parts[0] == "teams" && c.ops && len(parts) >= 3 && parts[1] == s.opts.TeamID && parts[2] == "heartbeats":
		return s.teamHeartbeatsAPI(c, parts[3:])
	case parts[0] == "request-limits" && !s.opts.JSM:
		return s.limitsAPI()
	}
	return fail(http.StatusNotFound, "no such path")
}

// authorize checks the credential.
func (s *Server) authorize(c *call, r *http.Request) (reply, bool) {
	good := r.Header.Get("Authorization") == "GenieKey "+s.opts.Key
	if c.ops {
		email, token, basic := r.BasicAuth()
		good = basic && email == s.opts.Email && token == s.opts.Token || r.Header.Get("Authorization") == "Bearer "+s.opts.Token
	}
	if !good {
		return fail(http.StatusUnauthorized, "Could not authenticate"), false
	}
	forbidden := s.opts.WriteOnly && c.method == http.MethodGet
	if !forbidden || c.path[len(c.path)-1] == "ping" {
		return reply{}, true
	}
	if c.ops {
		return fail(http.StatusUnauthorized, "Unauthorized; scope does not match"), false
	}
	return reply{status: http.StatusForbidden, body: map[string]any{"message": "You are not authorized", "code": 40301, "took": .001}}, false
}

// throttle takes a token, and says so if there is none.
func (s *Server) throttle(c *call) (reply, bool) {
	domain := "alert"
	switch {
	case strings.Contains(strings.Join(c.path, "/"), "heartbeats"):
		domain = "heartbeat"
	case c.method == http.MethodGet && c.path[len(c.path)-1] == "alerts":
		domain = "search"
	}
	bucket := s.buckets[domain]
	if bucket == nil || bucket.AllowN(c.now, 1) {
		return reply{}, false
	}
	header := http.Header{}
	header.Set("X-RateLimit-State", "THROTTLED")
	header.Set("X-RateLimit-Reason", "ACCOUNT")
	header.Set("X-RateLimit-Period-In-Sec", "1")
	if s.opts.Quirks.RetryAfter {
		header.Set("Retry-After", "2")
	}
	refused := fail(http.StatusTooManyRequests, "You are making too many requests! To avoid service interruption, please reduce the number of requests.")
	refused.header = header
	return refused, true
}

func (s *Server) limitsAPI() reply {
	var all []any
	for _, domain := range []string{"alert", "search", "heartbeat"} {
		if b := s.buckets[domain]; b != nil {
			all = append(all, map[string]any{"domain": domain, "limits": []any{map[string]any{"periodInSeconds": 60, "limit": b.Burst()}}})
		}
	}
	return ok(map[string]any{"data": map[string]any{"rateLimits": all}, "took": .001})
}

// ServeHTTP answers over a socket.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		return
	}
	answer, f, n := s.serve(r, body)
	if f != nil && f.Kind.hangs() {
		s.unanswered(n)
		<-r.Context().Done()
	}
	if f != nil && f.Kind.silent() {
		s.unanswered(n)
		panic(http.ErrAbortHandler)
	}
	text := answer.write(w.Header())
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	w.WriteHeader(answer.status)
	if f != nil && f.Kind.breaks() {
		_, _ = w.Write(text[:len(text)/2])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	_, _ = w.Write(text)
}

func (s *Server) unanswered(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n < len(s.requests) {
		s.requests[n].Status = 0
	}
}

// write sets the header and returns the body.
func (a reply) write(h http.Header) []byte {
	for name, values := range a.header {
		h[name] = values
	}
	if h.Get("X-RateLimit-State") == "" {
		h.Set("X-RateLimit-State", "OK")
	}
	h.Set("Content-Type", "application/json")
	text, err := json.Marshal(a.body)
	if err != nil {
		text = []byte("not JSON: " + err.Error()) // the body of a fault may be anything
		if raw, is := a.body.(json.RawMessage); is {
			text = raw
		}
	}
	return text
}
