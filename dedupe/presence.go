package dedupe

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
)

var _ alarm.Presence = (*Presence)(nil)

// Options configures a Presence. The zero value works.
type Options struct {
	// ResolveTimeout is how long a pushed alert lasts whose end was not given, and how long those
	// that fired before a restart last at least. Defaults to 5 m.
	ResolveTimeout time.Duration

	// StartupGrace is how long after the start a source may be unread before it is stale. Defaults
	// to 2 m.
	StartupGrace time.Duration

	// MaxStale ends what a source reported when it has been stale for so long. Zero holds it without
	// limit.
	MaxStale time.Duration

	// MaxStaleOf is MaxStale for single sources.
	MaxStaleOf map[string]time.Duration

	// Expect says how often sources that push are heard at least. One that has been silent for longer
	// is stale: what it pushed is held, though EndsAt may have passed, and gets ResolveTimeout anew
	// when it is heard again. Others are never missed.
	Expect map[string]time.Duration

	// Sources names the sources that deliver whole snapshots. Whole snapshots of others are ignored,
	// and what others reported before ends at the first Observe: that a source was taken out of the
	// configuration is a decision, not silence. Sources that push need no name here, for EndsAt ends
	// what they reported. Nil takes whole snapshots from anybody.
	Sources []string

	// ReplicaLabels are left out of every alert, so that what two replicas report is one alert.
	// Defaults to none.
	ReplicaLabels []model.LabelName

	// PerAlertnameLimit bounds how many alerts of one name are active at a time; more are dropped.
	// Zero is without limit.
	PerAlertnameLimit int

	// Limited, if set, is called with the name of each alert that was dropped.
	Limited func(alertname string)

	// Linger keeps an alert up for so long after its sources resolved it, so that fire, resolve, fire
	// is one occurrence. Defaults to none.
	Linger time.Duration

	// Flap, if set, keeps an alert up while it flaps. Defaults to none.
	Flap *FlapOptions

	// Swallowed, if set, is called for each change of state of which nobody is told.
	Swallowed func(Swallower)

	// Remember is of how many alerts the counts are kept after they were forgotten, and RememberFor for
	// how long. Default to 10,000 and 30 days; less than zero keeps none.
	Remember    int
	RememberFor time.Duration
}

// Presence merges what the sources say. See the package documentation for its rules.
type Presence struct {
	opts    Options
	started time.Time
	alerts  map[model.Fingerprint]*entry
	sources []*source // sorted by name
	due     deadlines
	active  map[string]int // by alert name; only kept if there is a limit
	touched []*entry       // those with a draft
	flap    *Flap          // nil: nothing flaps
	past    past           // counts of alerts that were forgotten
}

// NewPresence returns a Presence that continues from what is stored.
func NewPresence(now time.Time, stored *alarm.Stored, o Options) (*Presence, error) {
	if o.ResolveTimeout < 0 || o.StartupGrace < 0 || o.MaxStale < 0 || o.PerAlertnameLimit < 0 || o.Linger < 0 {
		return nil, errors.New("presence: a duration or limit is less than zero")
	}
	o.ResolveTimeout = cmp.Or(o.ResolveTimeout, 5*time.Minute)
	o.StartupGrace = cmp.Or(o.StartupGrace, 2*time.Minute)
	o.Remember, o.RememberFor = cmp.Or(o.Remember, 10_000), cmp.Or(o.RememberFor, 30*24*time.Hour)
	p := &Presence{opts: o, started: now, alerts: map[model.Fingerprint]*entry{}, active: map[string]int{}}
	if o.Flap != nil {
		f, err := NewFlap(*o.Flap)
		if err != nil {
			return nil, fmt.Errorf("presence: %w", err)
		}
		f.touched = map[model.Fingerprint]bool{}
		p.flap = f
	}
	for _, name := range o.Sources {
		p.source(name)
	}
	for name := range o.Expect { // the order does not show: they are kept sorted
		p.source(name)
	}
	if stored == nil {
		return p, nil
	}
	p.alerts = make(map[model.Fingerprint]*entry, len(stored.Alerts))
	for _, a := range stored.Alerts {
		if a.RaisedBy != "" {
			continue // its suppressor's business
		}
		if p.alerts[a.Fingerprint()] != nil {
			return nil, fmt.Errorf("presence: alert %s is stored twice", a.Fingerprint())
		}
		p.restore(now, a, stored.Restarted)
	}
	if err := p.restoreSources(now, stored); err != nil {
		return nil, fmt.Errorf("presence: %w", err)
	}
	if err := p.restoreRows(now, stored.Rows); err != nil {
		return nil, fmt.Errorf("presence: %w", err)
	}
	return p, nil
}

// restoreRows takes in what flapped, and the counts of what was forgotten.
func (p *Presence) restoreRows(now time.Time, rows []alarm.Row) error {
	if p.flap != nil {
		if err := p.flap.Load(rows); err != nil {
			return err
		}
		p.flap.setBack(now)
	}
	return p.past.load(now, &p.opts, rows)
}

// restore takes in one alert as it was stored.
func (p *Presence) restore(now time.Time, a *alarm.Alert, restarted bool) {
	e := &entry{fingerprint: a.Fingerprint(), alert: a, up: reportedUp(a)}
	p.alerts[e.fingerprint] = e
	live, due := false, int64(0)
	for i := range a.Reports {
		r := &a.Reports[i]
		src := p.source(r.Source)
		src.know(r, restarted)
		renewed := now.Add(p.opts.ResolveTimeout)
		if restarted && r.UpdatedAt.After(now) {
			r = p.setBack(now, e, r)
		}
		if restarted && r.Partial && a.State != alarm.Resolved && r.State != alarm.Resolved && r.EndsAt.Before(renewed) {
			// Resends are not written, so the true end may be later than what is stored.
			r = &p.draft(e).Reports[i]
			r.EndsAt, r.Timeout = renewed, true
		}
		if !active(r, now) {
			continue
		}
		live = true
		src.alerts[e.fingerprint] = src.seq
		if restarted && !r.Partial && r.State == alarm.Firing {
			src.doubt(e.fingerprint)
		}
		if ends := nanos(r.EndsAt); r.Partial && (due == 0 || ends < due) {
			due = ends
		}
	}
	if due != 0 {
		p.due.push(now, e, due)
	}
	if live {
		p.count(e, a.Name())
	}
	if !live && a.State != alarm.Resolved || !e.up && a.State == alarm.Firing {
		p.draft(e) // nobody reports it any more: it ends at the first Observe, or is kept up for a while
	}
}

// setBack takes in a report of which the source was heard later than now: the clock was set back since. An
// end that was given explicitly stands.
func (p *Presence) setBack(now time.Time, e *entry, r *alarm.Report) *alarm.Report {
	end := now
	if r.State != alarm.Resolved {
		end = now.Add(p.opts.ResolveTimeout)
	}
	if r.State != alarm.Resolved && !r.Timeout || !r.EndsAt.After(end) || e.alert.State == alarm.Resolved {
		return r
	}
	r = find(p.draft(e).Reports, r.Source)
	r.EndsAt = end
	return r
}

// Observe takes the snapshots that arrived and returns what changed. Snapshots of different sources
// give the same result in any order; those of one source are taken in theirs.
func (p *Presence) Observe(now time.Time, snapshots []alarm.Snapshot) ([]alarm.Change, []alarm.Row, time.Time) {
	ordered := p.ordered(snapshots)
	rows := p.standing(now, ordered)
	p.expire(now)
	for _, s := range ordered {
		switch src := p.source(s.Source); {
		case s.Err != nil: // everything is held
		case s.Partial:
			p.push(now, src, s)
		default:
			p.read(now, src, s)
		}
	}
	p.checkFlaps(now, ordered)
	changes := p.settle(now)
	return changes, append(rows, p.rows()...), p.next(now)
}

// rows returns what is to be persisted since it was called last.
func (p *Presence) rows() []alarm.Row {
	rows := p.past.changed()
	if p.flap != nil {
		rows = append(rows, p.flap.changed()...)
	}
	return rows
}

// ordered returns the snapshots that count, sorted by source.
func (p *Presence) ordered(snapshots []alarm.Snapshot) []*alarm.Snapshot {
	ordered := make([]*alarm.Snapshot, 0, len(snapshots))
	for i := range snapshots {
		if s := &snapshots[i]; s.Partial || p.listed(s.Source) {
			ordered = append(ordered, withoutReplicas(s, p.opts.ReplicaLabels))
		}
	}
	slices.SortStableFunc(ordered, func(a, b *alarm.Snapshot) int { return cmp.Compare(a.Source, b.Source) })
	return ordered
}

func (p *Presence) listed(source string) bool {
	return p.opts.Sources == nil || slices.Contains(p.opts.Sources, source)
}

// push takes in a partial snapshot.
func (p *Presence) push(now time.Time, src *source, s *alarm.Snapshot) {
	at := spokenAt(now, s)
	for i := range s.Alerts {
		in := &s.Alerts[i]
		r := pushed(now, at, in, p.opts.ResolveTimeout)
		r.Source = src.name
		fp := in.Fingerprint()
		e := p.alerts[fp]
		if r.State != alarm.Resolved && !p.admit(e, in) {
			continue
		}
		if e == nil {
			e = p.add(fp, in)
		}
		newest := true
		if old := find(p.draft(e).Reports, src.name); old != nil && old.Partial {
			if !r.StartsAt.Before(old.EndsAt) {
				e.ended = nanos(old.EndsAt)
			}
			r, newest = merge(now, *old, r)
		}
		p.put(now, src, e, r)
		if newest && p.leads(now, e.draft, src.name) {
			describe(e.draft, in)
		}
	}
}

// read takes in a whole snapshot.
func (p *Presence) read(now time.Time, src *source, s *alarm.Snapshot) {
	at := spokenAt(now, s)
	src.seq++
	for i := len(s.Alerts) - 1; i >= 0; i-- { // from the end: of duplicates, the last counts
		in := &s.Alerts[i]
		fp := in.Fingerprint()
		e := p.alerts[fp]
		if in.State == alarm.Resolved || src.alerts[fp] == src.seq || !p.admit(e, in) {
			continue
		}
		if e == nil {
			e = p.add(fp, in)
		}
		r := alarm.Report{Source: src.name, State: in.State, StartsAt: in.StartsAt, UpdatedAt: at}
		if r.StartsAt.IsZero() {
			r.StartsAt = at
		}
		if src.doubts(fp, in) {
			r.State = alarm.Firing // and has its old start, below
		}
		if old := find(p.draft(e).Reports, src.name); old != nil && active(old, now) && old.State == r.State {
			r.StartsAt = earlier(old.StartsAt, r.StartsAt)
		}
		p.put(now, src, e, r)
		if p.leads(now, e.draft, src.name) {
			describe(e.draft, in)
		}
	}
	unknown := unknowns(s.Unknowns)
	for fp, seq := range src.alerts { // the order does not show: each alert is settled by itself
		if seq == src.seq {
			continue
		}
		e := p.alerts[fp]
		if unknown(e.labels()) {
			src.alerts[fp] = src.seq
			continue
		}
		delete(src.doubted, fp)
		r := *find(p.draft(e).Reports, src.name)
		r.State, r.EndsAt, r.UpdatedAt, r.Timeout, r.Partial = alarm.Resolved, at, at, false, false
		p.put(now, src, e, r)
	}
}

// spokenAt is when the source spoke: no later than now, whatever its clock says.
func spokenAt(now time.Time, s *alarm.Snapshot) time.Time {
	if s.At.IsZero() || s.At.After(now) {
		return now
	}
	return s.At
}

// Forget drops resolved alerts. What still fires, or is not known, is left as it is.
func (p *Presence) Forget(fingerprints []model.Fingerprint) []alarm.Row {
	for _, fp := range fingerprints {
		e := p.alerts[fp]
		if e == nil || e.draft != nil || e.alert.State != alarm.Resolved {
			continue
		}
		for _, r := range e.alert.Reports {
			if r.State == alarm.Pending {
				delete(p.source(r.Source).alerts, fp)
			}
		}
		p.uncount(e, e.alert.Name())
		p.past.add(&p.opts, fp, e.alert.Occurrences())
		p.drop(e)
	}
	return p.rows()
}

// Sources says how each source stands, sorted by name.
func (p *Presence) Sources(now time.Time) []alarm.SourceStatus {
	all := make([]alarm.SourceStatus, 0, len(p.sources))
	for _, s := range p.sources {
		if s.removed {
			continue
		}
		all = append(all, alarm.SourceStatus{
			Name: s.name, LastSuccess: s.succeeded, Stale: s.stale(now), Err: s.err, Alerts: len(s.alerts),
		})
	}
	return all
}

// next is the earliest deadline. It may be one that an alert had before it was sent again: then
// nothing comes of the next call, which costs less than to look for the true one each time.
func (p *Presence) next(now time.Time) time.Time {
	next := p.due.first()
	if p.flap != nil {
		if t := p.flap.Next(); !t.IsZero() && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	for _, s := range p.sources {
		if t := s.next(now); !t.IsZero() && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	return next
}
