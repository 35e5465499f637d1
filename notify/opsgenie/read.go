package opsgenie

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/tocsin/tocsin/notify"
)

// pageSize is the most that one list returns, window the end of what offsets can reach.
const (
	pageSize = 100
	window   = 20000
)

// List returns everything that is open under our tag and instance, newest first. What the service's
// search returns besides is left out.
func (c *Client) List(ctx context.Context) ([]notify.Incident, error) {
	query := fmt.Sprintf("status: open AND tag: %q AND tag: %q", c.opts.Tag, c.instanceTag())
	all, err := c.search(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("list open incidents of %s: %w", c.opts.Instance, err)
	}
	kept := all[:0]
	for _, in := range all {
		if in.Ours && in.Open {
			kept = append(kept, in)
		}
	}
	return kept, nil
}

// ListAlertmanager returns the open incidents that Alertmanager's own integration made, or some other
// sender with aliases of the same form. Those of group keys that are known can be told apart by
// [AlertmanagerAlias].
func (c *Client) ListAlertmanager(ctx context.Context) ([]notify.Incident, error) {
	all, err := c.search(ctx, "status: open")
	if err != nil {
		return nil, fmt.Errorf("list open incidents of Alertmanager: %w", err)
	}
	kept := all[:0]
	for _, in := range all {
		if !in.Ours && in.Open && isAlertmanagerAlias(in.Alias) {
			kept = append(kept, in)
		}
	}
	return kept, nil
}

// search pages through a list. Beyond the window it goes on from the oldest that it saw.
func (c *Client) search(ctx context.Context, query string) ([]notify.Incident, error) {
	var all []notify.Incident
	seen := map[string]bool{}
	for within := query; ; {
		found, more, err := c.searchWindow(ctx, within)
		if err != nil {
			return nil, err
		}
		fresh := 0
		for _, in := range found {
			if !seen[in.ID] {
				seen[in.ID] = true
				all = append(all, in)
				fresh++
			}
		}
		if !more {
			return all, nil
		}
		if fresh == 0 {
			return nil, fmt.Errorf("more than %d incidents were created in one millisecond", len(found))
		}
		oldest := found[len(found)-1].CreatedAt
		within = query + " AND createdAt <= " + strconv.FormatInt(oldest.UnixMilli(), 10)
	}
}

// searchWindow pages through what offsets can reach, and says whether there is more.
func (c *Client) searchWindow(ctx context.Context, query string) (found []notify.Incident, more bool, err error) {
	for offset := 0; ; {
		k, ok := c.dialect.list(query, offset, pageSize)
		if !ok {
			return nil, false, ErrNoOperations
		}
		a, err := c.do(ctx, k)
		if err != nil {
			return nil, false, err
		}
		p, err := parsePage(a.body)
		if err != nil {
			return nil, false, err
		}
		for i := range p.items {
			found = append(found, c.incident(&p.items[i]))
		}
		offset += len(p.items)
		switch {
		case !p.more || len(p.items) == 0:
			return found, false, nil
		case offset+pageSize > window:
			return found, true, nil
		}
	}
}

// Read returns the open incident of an alias; if there is none, the one that data was kept for, which
// is closed then. Of what is gone only the alias is known.
func (c *Client) Read(ctx context.Context, alias string, data []byte) (notify.Incident, error) {
	kept, err := decodeTold(data)
	if err != nil {
		kept = told{}
	}
	lookup := alias
	if kept.known() {
		lookup = kept.Alias
	}
	in, err := c.open(ctx, ref{alias: lookup})
	if errors.Is(err, ErrNotOpen) && kept.ID != "" {
		k, _ := c.dialect.byID(kept.ID)
		in, err = c.get(ctx, k)
	}
	if errors.Is(err, ErrNotOpen) {
		return notify.Incident{Alias: alias, Ours: true}, nil
	}
	if err != nil {
		return notify.Incident{}, fmt.Errorf("read incident %s: %w", alias, err)
	}
	in.Alias = alias
	return in, nil
}

// Close closes an incident, with a note. It goes by the service's id, so that another one that was
// opened under the alias meanwhile stays.
func (c *Client) Close(ctx context.Context, in notify.Incident, note string) error {
	r := ref{id: in.ID}
	if in.ID == "" {
		r.alias = in.Alias
	}
	s := step{stepClose, c.dialect.close(r, c.opts.User, note)}
	key := in.Alias + " " + in.ID + " close"
	if _, err := c.perform(ctx, key, s, r); err != nil {
		return fmt.Errorf("close %s: %w", in.Alias, err)
	}
	c.forget(key)
	return nil
}

// open returns the open incident that a ref names, or ErrNotOpen.
func (c *Client) open(ctx context.Context, r ref) (notify.Incident, error) {
	k, ok := c.dialect.byAlias(r.alias)
	if r.alias == "" {
		k, ok = c.dialect.byID(r.id)
	}
	if !ok {
		return notify.Incident{}, ErrNoOperations
	}
	in, err := c.get(ctx, k)
	if err == nil && !in.Open {
		return in, ErrNotOpen
	}
	return in, err
}

func (c *Client) get(ctx context.Context, k call) (notify.Incident, error) {
	a, err := c.do(ctx, k)
	if status(err) == http.StatusNotFound {
		return notify.Incident{}, ErrNotOpen
	}
	if err != nil {
		return notify.Incident{}, err
	}
	item, err := parseItem(a.body)
	if err != nil {
		return notify.Incident{}, err
	}
	return c.incident(&item), nil
}

// An item is one alert of a list, in either service's form.
type item struct {
	ID           string   `json:"id"`
	Alias        string   `json:"alias"`
	Message      string   `json:"message"`
	Status       string   `json:"status"`
	Acknowledged bool     `json:"acknowledged"`
	Tags         []string `json:"tags"`
	Count        int      `json:"count"`
	CreatedAt    instant  `json:"createdAt"`
	UpdatedAt    instant  `json:"updatedAt"`
	Owner        string   `json:"owner"`
	Priority     string   `json:"priority"`
	Report       struct {
		CloseTime      int64  `json:"closeTime"` // milliseconds after creation
		AcknowledgedBy string `json:"acknowledgedBy"`
		ClosedBy       string `json:"closedBy"`
	} `json:"report"`
}

// incident returns an item as a plain value.
func (c *Client) incident(i *item) notify.Incident {
	in := notify.Incident{
		ID: i.ID, Alias: c.ourAlias(i.Alias), Open: i.Status == "open", Ours: c.ours(i.Alias, i.Tags),
		Message: i.Message, Priority: i.Priority, Tags: i.Tags, Owner: i.Owner, Count: i.Count,
		Acknowledged: i.Acknowledged, AcknowledgedBy: i.Report.AcknowledgedBy, ClosedBy: i.Report.ClosedBy,
		CreatedAt: i.CreatedAt.Time, UpdatedAt: i.UpdatedAt.Time,
	}
	if in.Acknowledged && in.AcknowledgedBy == "" {
		in.AcknowledgedBy = i.Owner
	}
	if !in.Open {
		in.ClosedAt = in.UpdatedAt
		if i.Report.CloseTime > 0 && !in.CreatedAt.IsZero() {
			in.ClosedAt = in.CreatedAt.Add(time.Duration(i.Report.CloseTime) * time.Millisecond)
		}
	}
	return in
}

type page struct {
	items []item
	more  bool
}

// parsePage reads a list: {data, paging: {next}}, or {values, links: {next}}.
func parsePage(body []byte) (page, error) {
	var p struct {
		Data   *[]item `json:"data"`
		Values *[]item `json:"values"`
		Paging struct{ Next string }
		Links  struct{ Next string }
	}
	if err := json.Unmarshal(body, &p); err != nil {
		return page{}, fmt.Errorf("list: %w", err)
	}
	switch {
	case p.Data != nil:
		return page{*p.Data, p.Paging.Next != ""}, nil
	case p.Values != nil:
		return page{*p.Values, p.Links.Next != ""}, nil
	}
	return page{}, errors.New("list: neither data nor values in the answer") // not an empty list: everything would look closed
}

// parseItem reads one alert, with an envelope or without.
func parseItem(body []byte) (item, error) {
	var enveloped struct {
		Data *item `json:"data"`
	}
	if err := json.Unmarshal(body, &enveloped); err != nil {
		return item{}, fmt.Errorf("incident: %w", err)
	}
	found := item{}
	if enveloped.Data != nil {
		found = *enveloped.Data
	} else if err := json.Unmarshal(body, &found); err != nil {
		return item{}, fmt.Errorf("incident: %w", err)
	}
	if found.ID == "" || found.Status == "" {
		return item{}, errors.New("incident: id or status is missing in the answer")
	}
	return found, nil
}

// An instant is a time as RFC 3339, or as milliseconds since 1970. What is neither is no time: a list
// is worth more than one of its times.
type instant struct{ time.Time }

// UnmarshalJSON reads it.
func (i *instant) UnmarshalJSON(b []byte) error {
	i.Time = time.Time{}
	var text string
	if json.Unmarshal(b, &text) == nil {
		if at, err := time.Parse(time.RFC3339Nano, text); err == nil {
			i.Time = at.UTC()
			return nil
		}
		b = []byte(text)
	}
	if ms, err := strconv.ParseInt(string(b), 10, 64); err == nil && ms > 0 {
		i.Time = time.UnixMilli(ms).UTC()
	}
	return nil
}
