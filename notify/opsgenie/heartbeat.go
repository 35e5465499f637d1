package opsgenie

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// A HeartbeatSpec says what a heartbeat is to be.
type HeartbeatSpec struct {
	Name        string
	Description string

	// Interval is how long the service waits for a ping before it raises an alert: whole minutes, at
	// least one. Two to three times the interval of the pings bridges a lost one. Defaults to 3 min.
	Interval time.Duration

	// Message, Tags and Priority are those of the alert. Default to the service's.
	Message  string
	Tags     []string
	Priority string

	// OwnerTeam is the name of the team that is told. JSM takes Options.Operations.TeamID instead.
	OwnerTeam string
}

// A Heartbeat is what the service says of one.
type Heartbeat struct {
	Name     string
	Enabled  bool
	Expired  bool // the service waits for a ping, and has raised its alert
	LastPing time.Time
}

// heartbeatJSON is a heartbeat in either service's form.
type heartbeatJSON struct {
	Name         string  `json:"name"`
	Enabled      bool    `json:"enabled"`
	Expired      bool    `json:"expired"`
	Status       string  `json:"status"`
	LastPingTime instant `json:"lastPingTime"`
}

func (h *heartbeatJSON) heartbeat() Heartbeat {
	out := Heartbeat{Name: h.Name, Enabled: h.Enabled, Expired: h.Expired, LastPing: h.LastPingTime.Time}
	switch strings.ToLower(h.Status) { // JSM's
	case "responsive", "pending":
		out.Enabled = true
	case "unresponsive":
		out.Enabled, out.Expired = true, true
	case "off":
		out.Enabled = false
	}
	return out
}

// heartbeatCall is a request about one heartbeat, or, in JSM, about those of a team.
func (c *Client) heartbeatCall(method, name, action string, body any) (call, error) {
	if c.opts.Backend == Opsgenie {
		path := "/v2/heartbeats"
		if name != "" {
			path += "/" + url.PathEscape(name)
		}
		return call{method: method, path: path + action, body: body, domain: domainHeartbeat}, nil
	}
	if !c.opts.operations() {
		return call{}, ErrNoOperations
	}
	if c.opts.Operations.TeamID == "" {
		return call{}, errors.New("JSM's heartbeats belong to a team: Options.Operations.TeamID is missing")
	}
	k := call{
		method: method, ops: true, body: body, domain: domainHeartbeat,
		path: "/v1/teams/" + url.PathEscape(c.opts.Operations.TeamID) + "/heartbeats" + action,
	}
	if name != "" {
		k.query = url.Values{"name": {name}}
	}
	return k, nil
}

// Heartbeat returns what the service knows of a heartbeat. ErrNoHeartbeat: it knows none.
func (c *Client) Heartbeat(ctx context.Context, name string) (Heartbeat, error) {
	wrap := func(err error) error { return fmt.Errorf("read heartbeat %q: %w", name, err) }
	k, err := c.heartbeatCall(http.MethodGet, name, "", nil)
	if err != nil {
		return Heartbeat{}, wrap(err)
	}
	a, err := c.do(ctx, k)
	if status(err) == http.StatusNotFound {
		return Heartbeat{}, wrap(ErrNoHeartbeat)
	}
	if err != nil {
		return Heartbeat{}, wrap(err)
	}
	h, err := parseHeartbeat(a, name)
	if err != nil {
		return Heartbeat{}, wrap(err)
	}
	return h, nil
}

// parseHeartbeat reads {data: {...}}, or finds the name in {values: [...]}.
func parseHeartbeat(a answer, name string) (Heartbeat, error) {
	var body struct {
		Data   *heartbeatJSON   `json:"data"`
		Values *[]heartbeatJSON `json:"values"`
	}
	if err := a.decode(&body); err != nil {
		return Heartbeat{}, err
	}
	switch {
	case body.Data != nil:
		return body.Data.heartbeat(), nil
	case body.Values == nil:
		return Heartbeat{}, errors.New("neither data nor values in the answer")
	}
	for _, h := range *body.Values {
		if h.Name == name {
			return h.heartbeat(), nil
		}
	}
	return Heartbeat{}, ErrNoHeartbeat
}

// Ping sends one heartbeat. The service accepts it whether or not the heartbeat exists: only
// [Client.Heartbeat] tells.
func (c *Client) Ping(ctx context.Context, name string) error {
	method := http.MethodPost
	if c.opts.Backend != Opsgenie {
		method = http.MethodGet
	}
	k, err := c.heartbeatCall(method, name, "/ping", nil)
	if err == nil {
		_, err = c.do(ctx, k)
	}
	if err != nil {
		return fmt.Errorf("ping heartbeat %q: %w", name, err)
	}
	return nil
}

// EnsureHeartbeat verifies that a heartbeat exists and is switched on. If create is true it makes or
// enables one that is not, and pings it, which starts its clock; otherwise that is an error.
func (c *Client) EnsureHeartbeat(ctx context.Context, spec HeartbeatSpec, create bool) error {
	h, err := c.Heartbeat(ctx, spec.Name)
	switch {
	case err == nil && h.Enabled:
		return nil
	case err != nil && !errors.Is(err, ErrNoHeartbeat):
		return err
	case !create && err != nil:
		return err
	case !create:
		return fmt.Errorf("heartbeat %q is switched off: enable it", spec.Name)
	case err != nil:
		err = c.createHeartbeat(ctx, spec)
	default:
		err = c.enableHeartbeat(ctx, spec.Name)
	}
	if err != nil {
		return err
	}
	return c.Ping(ctx, spec.Name)
}

func (c *Client) createHeartbeat(ctx context.Context, spec HeartbeatSpec) error {
	interval, unit := heartbeatInterval(spec.Interval)
	body := map[string]any{"name": spec.Name, "interval": interval, "intervalUnit": unit, "enabled": true}
	set := func(key, value string) {
		if value != "" {
			body[key] = value
		}
	}
	set("description", cut(spec.Description, 10000))
	set("alertMessage", cut(spec.Message, limitMessage))
	set("alertPriority", spec.Priority)
	if tags, _ := cutList(spec.Tags, limitTags, limitTag); len(tags) > 0 {
		body["alertTags"] = tags
	}
	if spec.OwnerTeam != "" && c.opts.Backend == Opsgenie {
		body["ownerTeam"] = map[string]string{"name": spec.OwnerTeam}
	}
	k, err := c.heartbeatCall(http.MethodPost, "", "", body)
	if err == nil {
		_, err = c.do(ctx, k)
	}
	if err != nil {
		return fmt.Errorf("create heartbeat %q: %w", spec.Name, err)
	}
	return nil
}

func (c *Client) enableHeartbeat(ctx context.Context, name string) error {
	method, action, body := http.MethodPost, "/enable", any(nil)
	if c.opts.Backend != Opsgenie {
		method, action, body = http.MethodPatch, "", map[string]any{"enabled": true}
	}
	k, err := c.heartbeatCall(method, name, action, body)
	if err == nil {
		_, err = c.do(ctx, k)
	}
	if err != nil {
		return fmt.Errorf("enable heartbeat %q: %w", name, err)
	}
	return nil
}

// heartbeatInterval returns an interval in the largest unit that it is a multiple of, rounded up to
// whole minutes.
func heartbeatInterval(d time.Duration) (int, string) {
	if d <= 0 {
		d = 3 * time.Minute
	}
	minutes := int((d + time.Minute - 1) / time.Minute)
	switch {
	case minutes%(24*60) == 0:
		return minutes / (24 * 60), "days"
	case minutes%60 == 0:
		return minutes / 60, "hours"
	}
	return minutes, "minutes"
}

// A HeartbeatSender pings one heartbeat, and verifies that it exists at first and then once an hour.
// Package heartbeat takes it as a Sender. One goroutine uses it.
type HeartbeatSender struct {
	client   *Client
	spec     HeartbeatSpec
	create   bool
	verified time.Time
}

// HeartbeatSender returns a sender for a heartbeat, which it makes if create is true.
func (c *Client) HeartbeatSender(spec HeartbeatSpec, create bool) *HeartbeatSender {
	return &HeartbeatSender{client: c, spec: spec, create: create}
}

// Send pings. ErrNoHeartbeat means that the ping would have gone nowhere. A service that does not let
// us look, as it does with keys that may only ping, is pinged all the same.
func (s *HeartbeatSender) Send(ctx context.Context) error {
	if now := time.Now(); s.verified.IsZero() || now.Sub(s.verified) >= time.Hour {
		err := s.client.EnsureHeartbeat(ctx, s.spec, s.create)
		switch code := status(err); {
		case err == nil, code == http.StatusForbidden && s.client.opts.Backend == Opsgenie:
			s.verified = now
		case errors.Is(err, ErrNoHeartbeat) || s.verified.IsZero():
			return err
		}
	}
	return s.client.Ping(ctx, s.spec.Name)
}
