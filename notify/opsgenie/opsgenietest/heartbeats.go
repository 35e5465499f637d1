package opsgenietest

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// A Heartbeat is one as the server holds it.
type Heartbeat struct {
	Name        string
	Description string
	Interval    time.Duration
	Enabled     bool
	Expired     bool
	LastPing    time.Time // zero: its clock has not started
	Message     string
	Priority    string
	Tags        []string
}

// Heartbeats returns all of them, in the order of creation.
func (s *Server) Heartbeats() []Heartbeat {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle(time.Now())
	var all []Heartbeat
	for _, h := range s.heartbeats {
		all = append(all, *h)
	}
	return all
}

// PutHeartbeat makes one, as an administrator does.
func (s *Server) PutHeartbeat(h Heartbeat) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heartbeats = append(s.heartbeats, &h)
}

func (s *Server) heartbeat(name string) *Heartbeat {
	for _, h := range s.heartbeats {
		if h.Name == name {
			return h
		}
	}
	return nil
}

// expire raises the alert of a heartbeat that was not pinged in time.
func (s *Server) expire(h *Heartbeat, now time.Time) {
	if !h.Enabled || h.Expired || h.LastPing.IsZero() || now.Before(h.LastPing.Add(h.Interval)) {
		return
	}
	h.Expired = true
	s.add(&Alert{
		Alias: heartbeatAlias(h), Message: cmp.Or(h.Message, h.Name+" is expired"), Tags: h.Tags,
		Priority: h.Priority, Source: "Heartbeat",
	}, h.LastPing.Add(h.Interval))
}

func heartbeatAlias(h *Heartbeat) string { return "heartbeat " + h.Name }

func (s *Server) ping(name string, now time.Time) reply {
	if h := s.heartbeat(name); h != nil && h.Enabled {
		h.LastPing = now
		if h.Expired && !s.opts.Quirks.KeepsExpired {
			if a := s.open[heartbeatAlias(h)]; a != nil {
				s.close(a, "System", now)
			}
		}
		h.Expired = false
	}
	return reply{status: http.StatusAccepted, body: map[string]any{"result": "PONG - Heartbeat received", "took": .001}}
}

// refusedHeartbeats is what plans and keys without the right are answered.
func (s *Server) refusedHeartbeats(ping bool) (reply, bool) {
	switch {
	case s.opts.NoHeartbeats:
		return fail(http.StatusPaymentRequired, "Heartbeat is not available in your plan"), true
	case s.opts.PingOnly && !ping && s.opts.JSM:
		return fail(http.StatusUnauthorized, "Unauthorized; scope does not match"), true
	case s.opts.PingOnly && !ping:
		return reply{status: http.StatusForbidden, body: map[string]any{"message": "You are not authorized", "code": 40301}}, true
	}
	return reply{}, false
}

// heartbeatsAPI answers what is below /v2/heartbeats.
func (s *Server) heartbeatsAPI(c *call, parts []string) reply {
	name, action := "", ""
	if len(parts) > 0 {
		name = parts[0]
	}
	if len(parts) > 1 {
		action = parts[1]
	}
	if refused, no := s.refusedHeartbeats(action == "ping"); no {
		return refused
	}
	h := s.heartbeat(name)
	switch {
	case action == "ping":
		return s.ping(name, c.now)
	case name == "" && c.method == http.MethodGet:
		var all []any
		for _, h := range s.heartbeats {
			all = append(all, s.heartbeatJSON(h))
		}
		return ok(map[string]any{"data": map[string]any{"heartbeats": all}, "took": .001})
	case name == "" && c.method == http.MethodPost:
		return s.createHeartbeat(c)
	case h == nil:
		return fail(http.StatusNotFound, "No heartbeat exists with name ["+name+"]")
	case action == "enable" || action == "disable":
		s.enable(h, action == "enable")
		return ok(map[string]any{"data": s.heartbeatJSON(h), "took": .001})
	case action == "" && c.method == http.MethodGet:
		return ok(map[string]any{"data": s.heartbeatJSON(h), "took": .001})
	case action == "" && c.method == http.MethodDelete:
		s.heartbeats = slices.DeleteFunc(s.heartbeats, func(other *Heartbeat) bool { return other == h })
		return ok(map[string]any{"data": s.heartbeatJSON(h), "took": .001})
	}
	return fail(http.StatusMethodNotAllowed, "no such action")
}

// teamHeartbeatsAPI answers what is below /v1/teams/{team}/heartbeats.
func (s *Server) teamHeartbeatsAPI(c *call, parts []string) reply {
	ping := len(parts) == 1 && parts[0] == "ping"
	if refused, no := s.refusedHeartbeats(ping); no {
		return refused
	}
	name := c.query("name")
	h := s.heartbeat(name)
	switch {
	case ping && c.method == http.MethodGet:
		return s.ping(name, c.now)
	case len(parts) > 0:
		return fail(http.StatusNotFound, "no such path")
	case c.method == http.MethodGet:
		values := []any{}
		for _, h := range s.heartbeats {
			if name == "" || strings.Contains(h.Name, name) {
				values = append(values, s.heartbeatJSON(h))
			}
		}
		return ok(map[string]any{"values": values, "links": map[string]string{}})
	case c.method == http.MethodPost:
		return s.createHeartbeat(c)
	case h == nil:
		return fail(http.StatusNotFound, "Heartbeat not found")
	case c.method == http.MethodPatch:
		var b struct{ Enabled *bool }
		if json.Unmarshal(c.body, &b) != nil {
			return fail(http.StatusBadRequest, "Request body is not parsable")
		}
		if b.Enabled != nil {
			s.enable(h, *b.Enabled)
		}
		return ok(s.heartbeatJSON(h))
	}
	return fail(http.StatusMethodNotAllowed, "no such action")
}

func (s *Server) enable(h *Heartbeat, on bool) {
	if on && !h.Enabled {
		h.LastPing, h.Expired = time.Time{}, false // its clock starts with a ping
	}
	h.Enabled = on
}

func (s *Server) createHeartbeat(c *call) reply {
	var b struct {
		Name, Description, IntervalUnit, AlertMessage, AlertPriority string

		Interval  int
		Enabled   *bool
		AlertTags []string
	}
	if json.Unmarshal(c.body, &b) != nil {
		return fail(http.StatusBadRequest, "Request body is not parsable")
	}
	unit := map[string]time.Duration{"minutes": time.Minute, "hours": time.Hour, "days": 24 * time.Hour}[b.IntervalUnit]
	switch {
	case b.Name == "" || utf8.RuneCountInString(b.Name) > 200:
		return invalid("name", "1 to 200 characters")
	case b.Interval < 1 || unit == 0:
		return invalid("interval", "at least 1, of minutes, hours or days")
	case b.Enabled == nil:
		return invalid("enabled", "required")
	case utf8.RuneCountInString(b.AlertMessage) > 130:
		return invalid("alertMessage", "at most 130 characters")
	case s.heartbeat(b.Name) != nil:
		return fail(http.StatusConflict, "Heartbeat with that name exists")
	}
	h := &Heartbeat{
		Name: b.Name, Description: b.Description, Interval: time.Duration(b.Interval) * unit, Enabled: *b.Enabled,
		Message: b.AlertMessage, Priority: cmp.Or(b.AlertPriority, "P3"), Tags: b.AlertTags,
	}
	s.heartbeats = append(s.heartbeats, h)
	if c.ops {
		return reply{status: http.StatusCreated, body: s.heartbeatJSON(h)}
	}
	return reply{status: http.StatusCreated, body: map[string]any{"data": s.heartbeatJSON(h), "took": .001}}
}

func (s *Server) heartbeatJSON(h *Heartbeat) map[string]any {
	out := map[string]any{"name": h.Name, "description": h.Description, "interval": int(h.Interval / time.Minute), "intervalUnit": "minutes"}
	if !s.opts.JSM {
		out["enabled"], out["expired"] = h.Enabled, h.Expired
		if !h.LastPing.IsZero() {
			out["lastPingTime"] = h.LastPing.UTC().Format(time.RFC3339)
		}
		return out
	}
	out["intervalUnit"], out["ownerTeamId"] = "Minutes", s.opts.TeamID
	switch {
	case !h.Enabled:
		out["status"] = "Off"
	case h.Expired:
		out["status"] = "Unresponsive"
	case h.LastPing.IsZero():
		out["status"] = "Pending"
	default:
		out["status"] = "Responsive"
	}
	return out
}
