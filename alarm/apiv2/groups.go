package apiv2

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
)

func (a *API) getGroups(w http.ResponseWriter, r *http.Request) error {
	q, err := parseQuery(r.URL.Query(), a.engine.Receivers())
	if err != nil {
		return err
	}
	groups, err := a.engine.GroupsMatching(r.Context(), q.narrow())
	if err != nil {
		return fmt.Errorf("read groups: %w", err)
	}
	out := newStream(w)
	defer out.close()
	until := time.Now().Add(lasting)
	out.list(func(next func()) bool {
		for i := range groups {
			g := &groups[i]
			if !q.muted && len(g.MutedBy) > 0 || !q.reaches([]string{g.Group.Receiver}) {
				continue
			}
			entries := entriesOf(g, q)
			if len(entries) == 0 {
				continue
			}
			next()
			if !out.group(g, entries, q, until) {
				return false
			}
		}
		return true
	})
	return nil
}

// group writes one group. It is false when the client is gone.
func (s *stream) group(g *alarm.GroupReading, entries []*entry, q *query, until time.Time) bool {
	s.b = append(s.b, `{"alerts":[`...)
	for i := range entries {
		if i > 0 {
			s.b = append(s.b, ',')
		}
		e := entries[i]
		s.b = s.shaper.appendAlert(s.b, e.reading.Alert, e.status, q.among(e.reading.Receivers), until)
		if !s.flushed() {
			return false
		}
	}
	s.b = append(s.b, `],"labels":`...)
	s.b = appendLabels(s.b, g.Group.Labels, asIs)
	s.b = append(s.b, `,"receiver":{"name":`...)
	s.b = appendString(s.b, g.Group.Receiver, asIs)
	s.b = append(s.b, `},"routeLabels":`...)
	s.b = appendLabels(s.b, g.Group.RouteLabels, asIs)
	s.b = append(s.b, '}')
	return s.flushed()
}

// An entry is an alert of a group with what it is sorted by.
type entry struct {
	reading                  *alarm.Reading
	status                   status
	job, instance            model.LabelValue
	withoutJob, withoutPlace bool
	pairs                    []pair // sorted; made when first needed
}

// entriesOf returns the alerts of a group that are asked for, in the order of Alertmanager's
// messages: by job, by instance, and then by all labels. They are valid until the next call, for all
// groups share their room.
func entriesOf(g *alarm.GroupReading, q *query) []*entry {
	entries := slices.Grow(q.entries[:0], len(g.Alerts))
	for i := range g.Alerts {
		if i%ahead == 0 {
			q.warmed += warm(g.Alerts[i:min(i+ahead, len(g.Alerts))])
		}
		r := &g.Alerts[i]
		s := statusOfReading(r, g.MutedBy)
		judged := s
		if len(g.MutedBy) > 0 {
			judged = statusOfReading(r, nil) // that its group is muted does not make it less active
		}
		if !q.wants(r.Alert, judged) {
			continue
		}
		e := entry{reading: r, status: s}
		var ok bool
		e.job, ok = r.Alert.Labels["job"]
		e.withoutJob = !ok
		e.instance, ok = r.Alert.Labels["instance"]
		e.withoutPlace = !ok
		entries = append(entries, e)
	}
	order := slices.Grow(q.order[:0], len(entries))
	for i := range entries {
		order = append(order, &entries[i])
	}
	q.entries, q.order = entries, order
	slices.SortFunc(order, compareEntries)
	return order
}

func compareEntries(a, b *entry) int {
	if a.withoutJob != b.withoutJob {
		return first(b.withoutJob)
	}
	if c := strings.Compare(string(a.job), string(b.job)); c != 0 {
		return c
	}
	if a.withoutPlace != b.withoutPlace {
		return first(b.withoutPlace)
	}
	if c := strings.Compare(string(a.instance), string(b.instance)); c != 0 {
		return c
	}
	return a.compareLabels(b)
}

// first is -1 if the left one comes first.
func first(left bool) int {
	if left {
		return -1
	}
	return 1
}

// compareLabels is the order of model.LabelSet.Before: fewer labels first; then the set that lacks
// the smallest name that only one of them has, unless a value differs before.
func (e *entry) compareLabels(o *entry) int {
	a, b := e.sorted(), o.sorted()
	if c := cmp.Compare(len(a), len(b)); c != 0 {
		return c
	}
	for i := range a {
		if c := strings.Compare(a[i].name, b[i].name); c != 0 {
			return -c
		}
		if c := strings.Compare(a[i].value, b[i].value); c != 0 {
			return c
		}
	}
	return 0
}

func (e *entry) sorted() []pair {
	if e.pairs == nil {
		e.pairs = sortedPairs(make([]pair, 0, len(e.reading.Alert.Labels)), e.reading.Alert.Labels)
	}
	return e.pairs
}
