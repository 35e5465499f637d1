package opsgenietest

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

const (
	listDefault = 20
	listMost    = 100
	listWindow  = 20000
)

// list answers one page of alerts.
func (s *Server) list(c *call) reply {
	matched, refused := s.matched(c)
	if refused != nil {
		return *refused
	}
	limitName := "limit"
	if c.ops {
		limitName = "size"
	}
	offset := number(c.query("offset"), 0)
	limit := min(max(number(c.query(limitName), listDefault), 1), listMost)
	if offset < 0 || offset+limit > listWindow {
		return invalid("offset", "Sum of offset and limit should be lower than 20000")
	}
	order := func(a, b *Alert) int { return a.CreatedAt.Compare(b.CreatedAt) }
	if c.query("order") != "asc" {
		slices.Reverse(matched)
		order = func(a, b *Alert) int { return b.CreatedAt.Compare(a.CreatedAt) }
	}
	if !slices.IsSortedFunc(matched, order) {
		slices.SortStableFunc(matched, order)
	}
	from, to := min(offset, len(matched)), min(offset+limit, len(matched))
	items := []any{}
	for _, a := range matched[from:to] {
		items = append(items, s.json(a, false))
	}
	at := func(offset int) string {
		q := url.Values{"query": {c.query("query")}, "offset": {strconv.Itoa(offset)}, limitName: {strconv.Itoa(limit)}, "order": {c.query("order")}}
		return "https://" + strings.Join(c.path, "/") + "?" + q.Encode()
	}
	links := map[string]string{"first": at(0), "last": at(max(0, len(matched)-1) / limit * limit)}
	if to < len(matched) {
		links["next"] = at(offset + limit)
	}
	if c.ops {
		return ok(map[string]any{"values": items, "count": len(matched), "links": links})
	}
	return ok(map[string]any{"data": items, "paging": links, "took": .001})
}

func (s *Server) count(c *call) reply {
	matched, refused := s.matched(c)
	if refused != nil {
		return *refused
	}
	return ok(map[string]any{"data": map[string]any{"count": len(matched)}, "took": .001})
}

// matched returns what a query finds, as far as the search index knows.
func (s *Server) matched(c *call) ([]*Alert, *reply) {
	want, err := parseQuery(c.query("query"))
	if err != nil {
		refused := invalid("query", err.Error())
		refused.status = http.StatusUnprocessableEntity
		return nil, &refused
	}
	var all []*Alert
	if s.opts.Quirks.BlindSearch {
		return nil, nil
	}
	for _, a := range s.alerts {
		shown, ok := s.indexed(a, c.now)
		if !ok {
			continue
		}
		if want(shown) || (s.opts.Quirks.LooseSearch && shown.Status == "open") {
			all = append(all, shown)
		}
	}
	return all, nil
}

func number(text string, otherwise int) int {
	if n, err := strconv.Atoi(text); err == nil {
		return n
	}
	return otherwise
}
