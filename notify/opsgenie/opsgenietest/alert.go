package opsgenietest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// An Alert is one alert as the server holds it.
type Alert struct {
	ID, TinyID, Alias   string
	Message             string
	Description         string
	Entity, Source      string
	Priority            string
	Status              string // open or closed
	Owner               string
	Tags                []string
	Details             map[string]string
	Actions             []string
	Responders          []map[string]string
	VisibleTo           []map[string]string
	Notes               []string // that of the create and of the close among them
	Acknowledged        bool
	AcknowledgedBy      string
	ClosedBy            string
	Count               int // stops at 100
	Creates             int // does not
	CreatedAt           time.Time
	UpdatedAt           time.Time
	LastOccurredAt      time.Time
	ClosedAt            time.Time
	AcknowledgedAt      time.Time
	IntegrationID, User string
}

// alert is an Alert with the versions that lists may still show.
type alert struct {
	Alert
	versions []version
}

type version struct {
	at    time.Time
	alert Alert
}

// copied returns an Alert that shares nothing.
func (a *Alert) copied() Alert {
	c := *a
	c.Tags, c.Actions, c.Notes = slices.Clone(a.Tags), slices.Clone(a.Actions), slices.Clone(a.Notes)
	c.Details = maps.Clone(a.Details)
	c.Responders, c.VisibleTo = slices.Clone(a.Responders), slices.Clone(a.VisibleTo)
	return c
}

// touch takes note that an alert changed.
func (s *Server) touch(a *alert, now time.Time) {
	a.UpdatedAt = now
	if s.opts.IndexLag <= 0 {
		return
	}
	for len(a.versions) > 1 && a.versions[1].at.Before(now.Add(-s.opts.IndexLag)) {
		a.versions = a.versions[1:]
	}
	a.versions = append(a.versions, version{now, a.copied()})
}

// indexed returns an alert as lists show it, or false: not yet.
func (s *Server) indexed(a *alert, now time.Time) (*Alert, bool) {
	if s.opts.IndexLag <= 0 {
		return &a.Alert, true
	}
	var latest *Alert
	for i := range a.versions {
		if !a.versions[i].at.After(now.Add(-s.opts.IndexLag)) {
			latest = &a.versions[i].alert
		}
	}
	return latest, latest != nil
}

// Alerts returns every alert, in the order of creation.
func (s *Server) Alerts() []Alert { return s.look(func(*Alert) bool { return true }) }

// Open returns the open alerts, in the order of creation.
func (s *Server) Open() []Alert { return s.look(func(a *Alert) bool { return a.Status == "open" }) }

func (s *Server) look(want func(*Alert) bool) []Alert {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle(time.Now())
	var all []Alert
	for _, a := range s.alerts {
		if want(&a.Alert) {
			all = append(all, a.copied())
		}
	}
	return all
}

// Find returns the open alert of an alias.
func (s *Server) Find(alias string) (Alert, bool) {
	found := s.look(func(a *Alert) bool { return a.Status == "open" && a.Alias == alias })
	if len(found) == 0 {
		return Alert{}, false
	}
	return found[0], true
}

// Close closes the open alert of an alias, as a person does. It returns false if there is none.
func (s *Server) Close(alias, by string) bool {
	return s.person(alias, func(a *alert, now time.Time) { s.close(a, by, now) })
}

// Acknowledge acknowledges the open alert of an alias, as a person does.
func (s *Server) Acknowledge(alias, by string) bool {
	return s.person(alias, func(a *alert, now time.Time) {
		a.Acknowledged, a.AcknowledgedBy, a.AcknowledgedAt, a.Owner = true, by, now, by
	})
}

// Unacknowledge takes the acknowledgement back, as a person does.
func (s *Server) Unacknowledge(alias string) bool {
	return s.person(alias, func(a *alert, _ time.Time) { a.Acknowledged, a.AcknowledgedBy, a.Owner = false, "", "" })
}

// Put opens an alert as some other sender does. ID, status, count and times are the server's, unless
// CreatedAt is given.
func (s *Server) Put(a Alert) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	s.settle(now)
	created := a.CreatedAt
	n := s.add(&a, now)
	if !created.IsZero() {
		n.CreatedAt = created
	}
}

func (s *Server) person(alias string, do func(*alert, time.Time)) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	s.settle(now)
	a := s.open[alias]
	if a == nil {
		return false
	}
	do(a, now)
	s.touch(a, now)
	return true
}

// add opens an alert, or counts it if its alias is open.
func (s *Server) add(a *Alert, now time.Time) *alert {
	if a.Alias == "" {
		s.serial++
		a.Alias = fmt.Sprintf("made-%d", s.serial)
	}
	if known := s.open[a.Alias]; known != nil {
		known.Creates++
		known.Count = min(known.Count+1, 100)
		known.LastOccurredAt = now
		s.touch(known, now)
		return known
	}
	s.serial++
	n := &alert{Alert: a.copied()}
	n.ID = fmt.Sprintf("%08d-0000-4000-8000-000000000000-%d", s.serial, now.UnixMilli())
	n.TinyID = fmt.Sprint(s.serial)
	n.Status, n.Count, n.Creates = "open", 1, 1
	n.CreatedAt, n.LastOccurredAt = now, now
	if n.Priority == "" {
		n.Priority = "P3"
	}
	s.alerts = append(s.alerts, n)
	s.open[n.Alias] = n
	s.touch(n, now)
	return n
}

func (s *Server) close(a *alert, by string, now time.Time) {
	a.Status, a.ClosedAt, a.ClosedBy = "closed", now, by
	delete(s.open, a.Alias)
	s.touch(a, now)
}

// find returns the alert that an identifier names.
func (s *Server) find(identifier, kind string) *alert {
	if kind == "alias" {
		return s.open[identifier]
	}
	for _, a := range s.alerts {
		if (kind == "tiny" && a.TinyID == identifier) || (kind != "tiny" && a.ID == identifier) {
			return a
		}
	}
	return nil
}

// json is an alert as lists show it, or, with everything, as it is read by itself.
func (s *Server) json(a *Alert, everything bool) map[string]any {
	stamp := func(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
	report := map[string]any{}
	if !a.AcknowledgedAt.IsZero() {
		report["ackTime"], report["acknowledgedBy"] = a.AcknowledgedAt.Sub(a.CreatedAt).Milliseconds(), a.AcknowledgedBy
	}
	if a.Status == "closed" && !s.opts.Quirks.NoCloseReport {
		report["closeTime"], report["closedBy"] = a.ClosedAt.Sub(a.CreatedAt).Milliseconds(), a.ClosedBy
	}
	out := map[string]any{
		"id": a.ID, "tinyId": a.TinyID, "alias": a.Alias, "message": a.Message, "status": a.Status,
		"acknowledged": a.Acknowledged, "isSeen": a.Acknowledged, "tags": a.Tags, "snoozed": false,
		"count": a.Count, "lastOccurredAt": stamp(a.LastOccurredAt), "createdAt": stamp(a.CreatedAt),
		"updatedAt": stamp(a.UpdatedAt), "source": a.Source, "owner": a.Owner, "priority": a.Priority,
		"responders": a.Responders, "report": report,
		"integration": map[string]string{"id": "integration", "name": "tocsin", "type": "API"},
	}
	if everything {
		out["actions"], out["entity"], out["description"] = a.Actions, a.Entity, a.Description
		if s.opts.JSM {
			out["extraProperties"] = a.Details
		} else {
			out["details"] = a.Details
		}
	}
	return out
}

// A work is an accepted request that is not done yet.
type work struct {
	id     string
	action string
	due    time.Time
	later  string // it fails with this
	do     func(now time.Time) (status string, a *alert)
}

// A result is what became of a request. An empty status is a success.
type result struct {
	action, failed, alertID, alias string
	at                             time.Time
}

// accept queues a write and answers 202, or 200 at the Operations API.
func (s *Server) accept(c *call, action string, do func(now time.Time) (string, *alert)) reply {
	s.serial++
	w := &work{id: fmt.Sprintf("request-%d", s.serial), action: action, due: c.now.Add(s.opts.Delay), later: c.later, do: do}
	if !c.lost {
		s.queue = append(s.queue, w)
	}
	answer := reply{status: 202, body: map[string]any{"result": "Request will be processed", "took": .001, "requestId": w.id}}
	if c.ops {
		answer.status = 200
	}
	return answer
}

// settle does what is due, and lets heartbeats expire.
func (s *Server) settle(now time.Time) {
	var due, rest []*work
	for _, w := range s.queue {
		if w.due.After(now) {
			rest = append(rest, w)
		} else {
			due = append(due, w)
		}
	}
	s.queue = rest
	if s.opts.Quirks.SwapOrder {
		slices.Reverse(due)
	}
	for _, w := range due {
		r := result{action: w.action, at: w.due, failed: w.later}
		if w.later == "" {
			status, a := w.do(w.due)
			r.failed = status
			if a != nil {
				r.alertID, r.alias = a.ID, a.Alias
			}
		}
		s.results[w.id] = r
	}
	for _, h := range s.heartbeats {
		s.expire(h, now)
	}
}

// without returns items less some.
func without(items []string, gone ...string) []string {
	return slices.DeleteFunc(slices.Clone(items), func(item string) bool { return slices.Contains(gone, item) })
}

func list(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, ",")
}
