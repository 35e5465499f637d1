package dedupe

import (
	"cmp"
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
)

// An entry is one alert as Presence knows it.
type entry struct {
	fingerprint model.Fingerprint
	alert       *alarm.Alert // as it was handed out; nil until then
	due, queued int64        // when a report ends, and its place among the deadlines; 0: none
	awaited     *source      // that may be dead: its report ran out, and it was not heard since
	awaiting    int64        // from when on
	counted     bool         // in Presence.active
	up          bool         // a report said, when it was last settled, that it fires

	// What follows is made by one Observe.
	spoken  bool         // a source says, for itself, that it has ended
	unheard bool         // it ends because its source is not heard any more
	draft   *alarm.Alert // what becomes of the alert; nil if nothing touched it
	by      string       // who changed it
	ended   int64        // when the occurrence ended that was replaced by another; 0: none was
}

func (e *entry) labels() model.LabelSet {
	if e.alert != nil {
		return e.alert.Labels
	}
	return e.draft.Labels
}

// add makes an entry for an alert that is not known.
func (p *Presence) add(fp model.Fingerprint, in *alarm.Alert) *entry {
	fresh := alarm.Alert{
		Labels: in.Labels, Annotations: in.Annotations, GeneratorURL: in.GeneratorURL,
	}.WithFingerprint()
	e := &entry{fingerprint: fp, draft: &fresh}
	p.alerts[fp] = e
	p.touched = append(p.touched, e)
	return e
}

// drop removes an entry. Its place among the deadlines leads nowhere from then on.
func (p *Presence) drop(e *entry) {
	delete(p.alerts, e.fingerprint)
	e.alert, e.due = nil, 0
}

// draft returns what this Observe makes of an alert, to be modified.
func (p *Presence) draft(e *entry) *alarm.Alert {
	if e.draft != nil {
		return e.draft
	}
	p.touched = append(p.touched, e)
	if len(e.alert.Reports) == 1 { // nearly always; one allocation instead of two
		d := &struct {
			alert   alarm.Alert
			reports [1]alarm.Report
		}{*e.alert, [1]alarm.Report{e.alert.Reports[0]}}
		d.alert.Reports = d.reports[:]
		e.draft = &d.alert
		return e.draft
	}
	d := *e.alert
	d.Reports = slices.Clone(d.Reports)
	e.draft = &d
	return e.draft
}

// put sets what a source says of an alert, and notes who changed it.
func (p *Presence) put(now time.Time, src *source, e *entry, r alarm.Report) {
	old := find(e.draft.Reports, src.name)
	was := old != nil && active(old, now)
	if old == nil || old.State != r.State || e.by == "" {
		e.by = src.name
	}
	if old != nil && old.State == alarm.Firing && r.State != alarm.Firing {
		e.spoken = true
	}
	if e.awaited == src {
		e.awaited = nil
	}
	if old != nil {
		*old = r
	} else {
		e.draft.Reports = insert(e.draft.Reports, r)
	}
	switch is := active(&r, now); {
	case is && (!was || !r.Partial):
		src.alerts[e.fingerprint] = src.seq
		p.count(e, e.draft.Name())
	case was && !is:
		delete(src.alerts, e.fingerprint)
		p.uncountIfOver(now, e)
	}
}

// leads says whether the annotations of an alert are those of this source: it is the first, by
// name, that reports the alert and is not stale; or nobody else reports it.
func (p *Presence) leads(now time.Time, a *alarm.Alert, source string) bool {
	if len(a.Reports) == 1 {
		return true
	}
	own := active(find(a.Reports, source), now)
	for i := range a.Reports {
		r := &a.Reports[i]
		if r.Source == source || !active(r, now) || p.source(r.Source).stale(now) {
			continue
		}
		if !own || r.Source < source {
			return false
		}
	}
	return true
}

// describe takes over the prose. Label sets of equal content are kept, so that memory is shared.
func describe(a *alarm.Alert, in *alarm.Alert) {
	if !sameLabels(a.Annotations, in.Annotations) {
		a.Annotations = in.Annotations
	}
	if a.GeneratorURL != in.GeneratorURL {
		a.GeneratorURL = in.GeneratorURL
	}
}

func sameLabels(a, b model.LabelSet) bool {
	return len(a) == len(b) && (reflect.ValueOf(a).Pointer() == reflect.ValueOf(b).Pointer() || maps.Equal(a, b))
}

// expire marks the alerts of which a report has reached its end.
func (p *Presence) expire(now time.Time) {
	for p.due.reached(now) {
		e := p.due.pop()
		if e.due == 0 {
			continue
		}
		if e.due > nanos(now) {
			p.due.push(now, e, e.due)
			continue
		}
		e.due = 0
		a := p.draft(e)
		for i := range a.Reports {
			r := &a.Reports[i]
			if r.State == alarm.Resolved || active(r, now) {
				continue
			}
			src := p.source(r.Source)
			if _, counted := src.alerts[e.fingerprint]; !counted {
				continue // it ran out before
			}
			if end := p.holdUntil(now, e, src, r); !end.IsZero() {
				r.EndsAt, r.Timeout = end, true
				continue
			}
			e.unheard = e.unheard || src.staleTooLong(now)
			delete(src.alerts, e.fingerprint)
		}
		p.uncountIfOver(now, e)
	}
}

// pendingAtStale says whether a source that was read, and is stale, last said that the alert is
// pending: what another has pushed since may be true there as well.
func (p *Presence) pendingAtStale(now time.Time, e *entry) bool {
	return slices.ContainsFunc(e.draft.Reports, func(r alarm.Report) bool {
		src := p.source(r.Source)
		return !r.Partial && r.State == alarm.Pending && src.stale(now) && !src.staleTooLong(now)
	})
}

// holdUntil says until when a report that runs out is kept, for its sender's silence is not recovery,
// or zero if it ends. The end counts if the sender was heard after it. Until it was, or is missed,
// nobody knows.
func (p *Presence) holdUntil(now time.Time, e *entry, src *source, r *alarm.Report) time.Time {
	switch {
	case p.pendingAtStale(now, e):
		return now.Add(p.opts.ResolveTimeout)
	case src.expect == 0 || src.staleTooLong(now):
		return time.Time{}
	case src.silent(now):
		return now.Add(p.opts.ResolveTimeout)
	case src.succeeded.After(r.EndsAt) || (e.awaited == src && nanos(src.succeeded) > e.awaiting):
		return time.Time{}
	default:
		e.awaited, e.awaiting = src, nanos(now)
		return src.missed()
	}
}

// admit says whether an alert may be active: it is so already, or there is room.
func (p *Presence) admit(e *entry, in *alarm.Alert) bool {
	if p.opts.PerAlertnameLimit == 0 || e != nil && e.counted || p.active[in.Name()] < p.opts.PerAlertnameLimit {
		return true
	}
	if p.opts.Limited != nil {
		p.opts.Limited(in.Name())
	}
	return false
}

func (p *Presence) count(e *entry, name string) {
	if p.opts.PerAlertnameLimit > 0 && !e.counted {
		e.counted = true
		p.active[name]++
	}
}

func (p *Presence) uncount(e *entry, name string) {
	if !e.counted {
		return
	}
	e.counted = false
	if p.active[name]--; p.active[name] == 0 {
		delete(p.active, name)
	}
}

func (p *Presence) uncountIfOver(now time.Time, e *entry) {
	if e.counted && !slices.ContainsFunc(e.draft.Reports, func(r alarm.Report) bool { return active(&r, now) }) {
		p.uncount(e, e.draft.Name())
	}
}

func byFingerprint(a, b *entry) int { return cmp.Compare(a.fingerprint, b.fingerprint) }
