package dedupe

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
)

// A source is what is known of one source.
type source struct {
	name      string
	pushed    bool          // it never delivered a whole snapshot
	read      bool          // it spoke since the start
	succeeded time.Time     // when it last spoke
	err       error         // why it failed, if the last thing it delivered was an error
	excused   time.Time     // until when it may be unread
	expect    time.Duration // it pushes at least so often; zero if nobody knows
	maxStale  time.Duration // after so long its alerts are not held any more; zero is never
	since     time.Time     // from when on it is stale, as its row says; zero if it has none
	removed   bool          // it is not in the configuration any more
	alerts    map[model.Fingerprint]uint64
	seq       uint64                          // of its last whole snapshot; alerts has those in which an alert was last reported
	doubted   map[model.Fingerprint]time.Time // see doubt
}

// source returns the source of that name, which is made if there is none.
func (p *Presence) source(name string) *source {
	i, ok := slices.BinarySearchFunc(p.sources, name, func(s *source, name string) int { return cmp.Compare(s.name, name) })
	if !ok {
		s := &source{
			name: name, pushed: true, excused: p.started.Add(p.opts.StartupGrace), alerts: map[model.Fingerprint]uint64{},
		}
		s.expect, s.maxStale = p.opts.Expect[name], p.opts.MaxStale
		if d, ok := p.opts.MaxStaleOf[name]; ok {
			s.maxStale = d
		}
		if p.opts.Sources != nil && slices.Contains(p.opts.Sources, name) {
			s.pushed = false
		}
		p.sources = slices.Insert(p.sources, i, s)
	}
	return p.sources[i]
}

// stale says whether what the source reported is only held.
func (s *source) stale(now time.Time) bool {
	return s.err != nil || !s.pushed && !s.read && !now.Before(s.excused) || s.silent(now)
}

// silent says whether a source that pushes was not heard for longer than is expected.
func (s *source) silent(now time.Time) bool {
	return s.expect > 0 && !now.Before(s.missed())
}

// missed is when a source that pushes becomes silent, unless it is heard before.
func (s *source) missed() time.Time {
	if !s.read && s.succeeded.Add(s.expect).Before(s.excused) {
		return s.excused
	}
	return s.succeeded.Add(s.expect)
}

func (s *source) staleTooLong(now time.Time) bool {
	return s.maxStale > 0 && !s.since.IsZero() && !now.Before(s.since.Add(s.maxStale))
}

// next is when time alone changes how the source stands, or zero.
func (s *source) next(now time.Time) time.Time {
	if over := s.since.Add(s.maxStale); !s.since.IsZero() && s.maxStale > 0 && over.After(now) {
		return over
	}
	if s.expect > 0 && s.err == nil && !s.silent(now) {
		return s.missed()
	}
	if s.err == nil && !s.pushed && !s.read && now.Before(s.excused) {
		return s.excused
	}
	return time.Time{}
}

// standing brings the standing of all sources up to date before any report is judged, so that the
// order of their names does not matter.
func (p *Presence) standing(now time.Time, snapshots []*alarm.Snapshot) []alarm.Row {
	for _, s := range snapshots {
		src := p.source(s.Source)
		if src.err = s.Err; s.Err != nil {
			continue
		}
		if src.silent(now) {
			p.renew(now, src)
		}
		src.read, src.succeeded = true, spokenAt(now, s)
		src.pushed = src.pushed && s.Partial
	}
	var rows []alarm.Row
	for _, src := range p.sources {
		stale := src.stale(now) && !src.removed
		if stale && src.since.IsZero() {
			src.since = now
			rows = append(rows, src.row())
		} else if !stale && !src.since.IsZero() {
			src.since = time.Time{}
			rows = append(rows, alarm.Row{Part: rowPart, Key: src.name})
		}
		if src.removed || stale && src.staleTooLong(now) {
			p.end(now, src)
		}
		if src.removed && len(src.alerts) > 0 {
			src.removed, src.pushed = false, true // what it pushed has an end of its own
		}
	}
	p.sources = slices.DeleteFunc(p.sources, func(s *source) bool { return s.removed })
	return rows
}

// renew gives what a source pushed that is heard again the time to be sent again.
func (p *Presence) renew(now time.Time, src *source) {
	for fp := range src.alerts { // the order does not show: each alert is settled by itself
		r := find(p.draft(p.alerts[fp]).Reports, src.name)
		if end := now.Add(p.opts.ResolveTimeout); r.Partial && r.State != alarm.Resolved && r.EndsAt.Before(end) {
			r.EndsAt, r.Timeout = end, true
		}
	}
}

// end ends everything that was read from a source.
func (p *Presence) end(now time.Time, src *source) {
	for fp := range src.alerts { // the order does not show: each alert is settled by itself
		e := p.alerts[fp]
		r := find(p.draft(e).Reports, src.name)
		if r.Partial {
			continue
		}
		r.State, r.EndsAt = alarm.Resolved, now
		e.unheard = true
		delete(src.alerts, fp)
		p.uncountIfOver(now, e)
		if src.removed {
			e.by = src.name
		}
	}
}

// rowPart is the part of the rows that say which sources are stale.
const rowPart = "source"

type standing struct {
	Since time.Time `json:"since"`
	Err   string    `json:"err,omitempty"`
}

func (s *source) row() alarm.Row {
	st := standing{Since: s.since}
	if s.err != nil {
		st.Err = s.err.Error()
	}
	value, err := json.Marshal(st)
	if err != nil { // a year beyond 9999; any row says that the source is stale
		value = []byte("{}")
	}
	return alarm.Row{Part: rowPart, Key: s.name, Value: value}
}

// know takes in a report of the source as it was stored.
func (s *source) know(r *alarm.Report, restarted bool) {
	s.pushed = s.pushed && r.Partial
	if !restarted && r.UpdatedAt.After(s.succeeded) {
		s.succeeded = r.UpdatedAt
	}
}

// restoreSources takes in which sources were stale, and marks those that are gone.
func (p *Presence) restoreSources(now time.Time, stored *alarm.Stored) error {
	for _, row := range stored.Rows {
		if row.Part != rowPart {
			continue
		}
		var st standing
		if err := json.Unmarshal(row.Value, &st); err != nil {
			return fmt.Errorf("row of source %q: %w", row.Key, err)
		}
		src := p.source(row.Key)
		src.since = st.Since
		if stored.Restarted || st.Since.IsZero() {
			src.since = now // our own absence does not count
		}
		if st.Err != "" {
			src.err = errors.New(st.Err)
		} else if !stored.Restarted && src.expect == 0 {
			src.pushed, src.excused = false, now
		}
	}
	for _, src := range p.sources {
		src.removed = !p.listed(src.name) && src.expect == 0 && (!src.pushed || !src.since.IsZero())
	}
	return nil
}
