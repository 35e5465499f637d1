package dedupe

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
)

// past holds the counts of alerts that were forgotten, the latest of them, so that one that comes back
// each week is known to.
type past struct {
	known   map[model.Fingerprint]memory
	ages    agenda[model.Fingerprint] // by when they ended
	touched map[model.Fingerprint]bool
}

// A memory is what is kept of an alert that was forgotten.
type memory struct {
	FirstSeen time.Time `json:"firstSeen"`
	Fired     int       `json:"fired"`
	alarm.Counts
}

// add remembers an alert that is about to be forgotten.
func (p *past) add(o *Options, fp model.Fingerprint, seen alarm.Occurrences) {
	if o.Remember < 0 || o.RememberFor < 0 || seen.Fired == 0 {
		return
	}
	m := memory{FirstSeen: seen.FirstSeen, Fired: seen.Fired, Counts: seen.Counts}
	m.Flapping = nil
	p.put(fp, m)
	p.touch(fp)
	p.bound(m.Ended, o)
}

func (p *past) put(fp model.Fingerprint, m memory) {
	if p.known == nil {
		p.known = map[model.Fingerprint]memory{}
	}
	p.known[fp] = m
	p.ages.set(fp, m.Ended)
}

// bound drops what is too old, and the oldest of what is too many.
func (p *past) bound(now time.Time, o *Options) {
	for first, ok := p.ages.first(); ok && (len(p.known) > o.Remember || now.Sub(first.at) > o.RememberFor); first, ok = p.ages.first() {
		p.drop(first.key)
	}
}

func (p *past) drop(fp model.Fingerprint) {
	delete(p.known, fp)
	p.ages.set(fp, time.Time{})
	p.touch(fp)
}

func (p *past) touch(fp model.Fingerprint) {
	if p.touched == nil {
		p.touched = map[model.Fingerprint]bool{}
	}
	p.touched[fp] = true
}

// recall gives an alert that is new, but was known once, the counts that it had.
func (p *Presence) recall(e *entry) {
	if len(p.past.known) == 0 {
		return
	}
	m, ok := p.past.known[e.fingerprint]
	if !ok {
		return
	}
	p.past.drop(e.fingerprint)
	a := e.draft
	a.FirstSeen = m.FirstSeen
	a.Fired += m.Fired
	counts := m.Counts
	a.Counts = &counts
}

// pastPart is the part of the rows of alerts that were forgotten.
const pastPart = "occurrences"

// changed returns rows for what changed since the last call, sorted by key.
func (p *past) changed() []alarm.Row {
	if len(p.touched) == 0 {
		return nil
	}
	fps := make([]model.Fingerprint, 0, len(p.touched))
	for fp := range p.touched {
		fps = append(fps, fp)
	}
	slices.Sort(fps)
	rows := make([]alarm.Row, 0, len(fps))
	for _, fp := range fps {
		row := alarm.Row{Part: pastPart, Key: fp.String()}
		if m, ok := p.known[fp]; ok {
			row.Value, _ = json.Marshal(m) // numbers, and times of our own, cannot fail
		}
		rows = append(rows, row)
	}
	clear(p.touched)
	return rows
}

// load takes in what was kept.
func (p *past) load(now time.Time, o *Options, rows []alarm.Row) error {
	for _, row := range rows {
		if row.Part != pastPart || row.Value == nil {
			continue
		}
		fp, err := model.FingerprintFromString(row.Key)
		if err != nil {
			return fmt.Errorf("occurrences: key %q is no fingerprint: %w", row.Key, err)
		}
		var m memory
		if err := json.Unmarshal(row.Value, &m); err != nil {
			return fmt.Errorf("occurrences of %s: %w", row.Key, err)
		}
		p.put(fp, m)
	}
	p.bound(now, o)
	return nil
}
