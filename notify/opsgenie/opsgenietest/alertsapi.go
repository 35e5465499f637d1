package opsgenietest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"
	"unicode/utf8"
)

// alertsAPI answers what is below alerts.
func (s *Server) alertsAPI(c *call, parts []string) reply {
	read := c.method == http.MethodGet
	integration := s.opts.JSM && !c.ops
	switch {
	case len(parts) == 0 && c.method == http.MethodPost:
		return s.create(c)
	case len(parts) == 2 && parts[0] == "requests" && read:
		return s.status(c, parts[1])
	case integration && (read || len(parts) != 2 || !slices.Contains([]string{"acknowledge", "close", "notes"}, parts[1])):
		return fail(http.StatusNotFound, "no such path")
	case len(parts) == 0 && read:
		return s.list(c)
	case len(parts) == 1 && parts[0] == "count" && read && !c.ops:
		return s.count(c)
	case len(parts) == 1 && parts[0] == "alias" && c.ops && read:
		return s.get(s.open[c.query("alias")])
	case len(parts) == 1 && read:
		return s.get(s.find(parts[0], s.kind(c)))
	case len(parts) == 1 && c.method == http.MethodDelete:
		return s.act(c, parts[0], "Delete", func(a *alert, now time.Time) { s.close(a, "", now) })
	case len(parts) == 2 && c.ops:
		return s.opsAction(c, parts[0], parts[1])
	case len(parts) == 2:
		return s.action(c, parts[0], parts[1])
	}
	return fail(http.StatusNotFound, "no such path")
}

// kind is what an identifier is: at the Operations API always an id.
func (s *Server) kind(c *call) string {
	if c.ops {
		return "id"
	}
	return c.query("identifierType")
}

func (s *Server) get(a *alert) reply {
	if a == nil {
		return fail(http.StatusNotFound, "Alert does not exist")
	}
	body := s.json(&a.Alert, true)
	if s.opts.JSM {
		return ok(body)
	}
	return ok(map[string]any{"data": body, "took": .001})
}

// status answers what became of a request.
func (s *Server) status(c *call, id string) reply {
	q := s.opts.Quirks
	if s.opts.JSM && !c.ops && q.NoStatus {
		return fail(http.StatusNotFound, "no such path")
	}
	for _, w := range s.queue {
		if w.id == id {
			queued := fail(http.StatusNotFound, "Request not found. It might not be processed, yet.")
			if !s.opts.JSM || !q.PlainQueue {
				queued.header = http.Header{"X-Opsgenie-Errortype": {"RequestNotProcessed"}}
			}
			return queued
		}
	}
	r, known := s.results[id]
	if !known || (q.ForgetsStatus > 0 && c.now.Sub(r.at) > q.ForgetsStatus) {
		return fail(http.StatusNotFound, "Request not found")
	}
	status := r.failed
	if status == "" {
		status = map[string]string{"Create": "Created alert", "Close": "Closed alert"}[r.action]
		if status == "" {
			status = r.action + " done"
		}
	}
	body := map[string]any{
		"success": r.failed == "", "isSuccess": r.failed == "", "action": r.action, "status": status,
		"processedAt": r.at.UTC().Format(time.RFC3339Nano), "integrationId": "integration", "alertId": r.alertID, "alias": r.alias,
	}
	if c.ops {
		return ok(body)
	}
	return ok(map[string]any{"data": body, "took": .001})
}

// createBody is what a create may hold.
type createBody struct {
	Message, Alias, Description, Entity, Source, Priority, User, Note string

	Tags, Actions         []string
	Details               map[string]string
	ExtraProperties       map[string]string
	Responders, VisibleTo []map[string]string
}

func (s *Server) create(c *call) reply {
	var b createBody
	if json.Unmarshal(c.body, &b) != nil {
		return fail(http.StatusBadRequest, "Request body is not parsable")
	}
	if c.ops {
		b.Details = b.ExtraProperties
	}
	if refused, bad := s.check(&b, c.ops); bad {
		return refused
	}
	a := &Alert{
		Alias: b.Alias, Message: b.Message, Description: b.Description, Entity: b.Entity, Source: b.Source, Priority: b.Priority,
		Tags: b.Tags, Details: b.Details, Actions: b.Actions, Responders: b.Responders, VisibleTo: b.VisibleTo, User: b.User,
	}
	if a.Alias != "" {
		a.Alias = s.opts.Quirks.RewriteAlias + a.Alias
	}
	if b.Note != "" {
		a.Notes = []string{b.Note}
	}
	return s.accept(c, "Create", func(now time.Time) (string, *alert) { return "", s.add(a, now) })
}

// check refuses what the service refuses, or cuts it.
func (s *Server) check(b *createBody, ops bool) (reply, bool) {
	if b.Message == "" {
		return invalid("message", "Message can not be empty."), true
	}
	if b.Priority != "" && !slices.Contains([]string{"P1", "P2", "P3", "P4", "P5"}, b.Priority) {
		return invalid("priority", "Priority should be one of [P1,P2,P3,P4,P5]"), true
	}
	for _, f := range []struct {
		name  string
		value *string
		limit int
	}{
		{"message", &b.Message, 130},
		{"alias", &b.Alias, 512},
		{"description", &b.Description, 15000},
		{"entity", &b.Entity, 512},
		{"source", &b.Source, 100},
		{"user", &b.User, 100},
		{"note", &b.Note, 25000},
	} {
		if utf8.RuneCountInString(*f.value) <= f.limit {
			continue
		}
		if !s.opts.Quirks.CutSilently || f.name == "message" {
			return invalid(f.name, fmt.Sprintf("%s can not be longer than %d characters.", f.name, f.limit)), true
		}
		*f.value = string([]rune(*f.value)[:f.limit])
	}
	total := 0
	for k, v := range b.Details {
		total += utf8.RuneCountInString(k) + utf8.RuneCountInString(v)
	}
	switch {
	case total > 8000:
		return invalid("details", "details can not be longer than 8000 characters."), true
	case len(b.Tags) > 20 || slices.ContainsFunc(b.Tags, func(t string) bool { return utf8.RuneCountInString(t) > 50 }):
		return invalid("tags", "at most 20 tags of 50 characters"), true
	case len(b.Actions) > 10 || slices.ContainsFunc(b.Actions, func(t string) bool { return utf8.RuneCountInString(t) > 50 }):
		return invalid("actions", "at most 10 actions of 50 characters"), true
	case len(b.Responders) > 50 || len(b.VisibleTo) > 50:
		return invalid("responders", "at most 50"), true
	case ops && b.User != "":
		return invalid("user", "unknown property"), true
	}
	for _, r := range slices.Concat(b.Responders, b.VisibleTo) {
		if !slices.Contains([]string{"team", "user", "escalation", "schedule"}, r["type"]) {
			return invalid("responders#type", "type should be one of team, user, escalation, schedule"), true
		}
	}
	return reply{}, false
}

// actionBody is what an action may hold.
type actionBody struct {
	User, Source, Note, Message, Description, Priority, Owner string

	Tags, Keys      []string
	Details         map[string]string
	ExtraProperties map[string]string
}

// opsAction is an action of the Operations API, which has other verbs and names.
func (s *Server) opsAction(c *call, id, name string) reply {
	switch name {
	case "priority", "message", "description":
		if c.method != http.MethodPatch {
			return fail(http.StatusMethodNotAllowed, "use PATCH")
		}
		c.method = http.MethodPut
	case "extra-properties":
		name = "details"
	}
	return s.action(c, id, name)
}

// action queues an act on one alert.
func (s *Server) action(c *call, id, name string) reply {
	var b actionBody
	if len(c.body) > 0 && json.Unmarshal(c.body, &b) != nil {
		return fail(http.StatusBadRequest, "Request body is not parsable")
	}
	if c.ops {
		b.Details = b.ExtraProperties
	}
	if c.method == http.MethodDelete && !c.ops {
		b.Tags, b.Keys = list(c.query("tags")), list(c.query("keys"))
	}
	if utf8.RuneCountInString(b.Note) > 25000 {
		return invalid("note", "note can not be longer than 25000 characters.")
	}
	key := c.method + " " + name
	do := map[string]func(a *alert, now time.Time){
		"POST close":         func(a *alert, now time.Time) { s.close(a, b.User, now) },
		"POST acknowledge":   func(a *alert, now time.Time) { a.Acknowledged, a.AcknowledgedBy, a.AcknowledgedAt = true, b.User, now },
		"POST unacknowledge": func(a *alert, _ time.Time) { a.Acknowledged, a.AcknowledgedBy = false, "" },
		"POST notes":         func(*alert, time.Time) {},
		"POST tags":          func(a *alert, _ time.Time) { a.Tags = append(without(a.Tags, b.Tags...), b.Tags...) },
		"DELETE tags":        func(a *alert, _ time.Time) { a.Tags = without(a.Tags, b.Tags...) },
		"POST details": func(a *alert, _ time.Time) {
			if a.Details == nil {
				a.Details = map[string]string{}
			}
			maps.Copy(a.Details, b.Details)
		},
		"DELETE details": func(a *alert, _ time.Time) {
			for _, k := range b.Keys {
				delete(a.Details, k)
			}
		},
		"PUT priority":    func(a *alert, _ time.Time) { a.Priority = b.Priority },
		"PUT message":     func(a *alert, _ time.Time) { a.Message = b.Message },
		"PUT description": func(a *alert, _ time.Time) { a.Description = b.Description },
	}[key]
	if do == nil {
		return fail(http.StatusMethodNotAllowed, "no such action")
	}
	value := map[string]string{"PUT priority": b.Priority, "PUT message": b.Message, "PUT description": b.Description, "POST notes": b.Note}
	if v, needs := value[key]; needs && v == "" {
		return invalid(name, "can not be empty")
	}
	if name == "message" || name == "description" || name == "priority" {
		if refused, bad := s.check(&createBody{Message: cmp.Or(b.Message, "unchanged"), Description: b.Description, Priority: b.Priority}, false); bad {
			return refused
		}
	}
	word := map[string]string{"close": "Close", "acknowledge": "Acknowledge", "notes": "AddNote"}[name]
	if word == "" {
		word = "Update " + name
	}
	return s.act(c, id, word, func(a *alert, now time.Time) {
		do(a, now)
		if b.Note != "" {
			a.Notes = append(a.Notes, b.Note)
		}
	})
}

// act queues what changes an alert. What is not open cannot be changed, but for notes on what is
// closed and named by its id.
func (s *Server) act(c *call, id, word string, do func(*alert, time.Time)) reply {
	kind := s.kind(c)
	if s.opts.Quirks.SyncNotFound {
		if a := s.find(id, kind); a == nil || a.Status != "open" {
			return fail(http.StatusNotFound, s.opts.Quirks.ClosedText)
		}
	}
	return s.accept(c, word, func(now time.Time) (string, *alert) {
		a := s.find(id, kind)
		if a == nil || (a.Status != "open" && word != "AddNote") {
			return s.opts.Quirks.ClosedText, nil
		}
		do(a, now)
		s.touch(a, now)
		return "", a
	})
}
