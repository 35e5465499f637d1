package dedupe

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
)

// FlapOptions configures a Flap. The zero value works.
type FlapOptions struct {
	// Mode says how instability is measured. Defaults to DecayFlap.
	Mode FlapMode

	// HalfLife is after how long a change of state counts half. IcingaFlap has no use for it. Defaults
	// to 15 m.
	HalfLife time.Duration

	// Start and Stop are the scores at which flapping begins and ends. Defaults to 3 and 1, in
	// IcingaFlap to 30 and 25 percent.
	Start, Stop float64

	// Min and Max bound how long an alert flaps. Defaults to 10 m and 6 h.
	Min, Max time.Duration

	// NoteEvery is after how long flapping is noted, at the next change of state. Each note doubles the
	// time to the one after it. Defaults to 30 m.
	NoteEvery time.Duration
}

// News is what an observation means to people.
type News uint8

// The kinds of news.
const (
	Steady      News = iota // not flapping: what was observed is as it seems
	FlapStarted             // too many changes: from now on they are no news
	Flapping                // still flapping: nothing to tell
	FlapNoted               // still flapping, and long enough to say so again: see [Flap.Changes]
	FlapEnded               // steady again: what was observed is the net state
)

// String returns the news in lower case.
func (n News) String() string {
	return [...]string{"steady", "flap started", "flapping", "flap noted", "flap ended"}[n]
}

// Flap tells whether a change of state is news, or one of too many. It holds nothing back: the first
// page of a steady alert is never delayed. A condition that was never observed counts as not firing,
// so the first time that it fires is a change. A Flap belongs to one goroutine at a time.
type Flap struct {
	opts    FlapOptions
	records map[model.Fingerprint]*flapRecord
	ends    agenda[model.Fingerprint] // when flapping ends by itself
	fades   agenda[model.Fingerprint] // when a record is worth nothing any more
	touched map[model.Fingerprint]bool
}

// NewFlap returns a Flap that has seen nothing.
func NewFlap(o FlapOptions) (*Flap, error) {
	start, stop := 3.0, 1.0
	if o.Mode == IcingaFlap {
		start, stop = 30, 25
	}
	o.Start, o.Stop = cmp.Or(o.Start, start), cmp.Or(o.Stop, stop)
	o.HalfLife = cmp.Or(o.HalfLife, 15*time.Minute)
	o.Min, o.Max = cmp.Or(o.Min, 10*time.Minute), cmp.Or(o.Max, 6*time.Hour)
	o.NoteEvery = cmp.Or(o.NoteEvery, 30*time.Minute)
	switch {
	case o.Mode > IcingaFlap:
		return nil, fmt.Errorf("flap: no mode %d", o.Mode)
	case o.HalfLife < 0 || o.Min < 0 || o.Max < 0 || o.NoteEvery < 0:
		return nil, errors.New("flap: a duration is less than zero")
	case !(o.Stop > 0 && o.Start > o.Stop) || math.IsInf(o.Start, 0): // NaN too
		return nil, fmt.Errorf("flap: flapping that starts at %v cannot stop at %v", o.Start, o.Stop)
	case o.Max < o.Min:
		return nil, fmt.Errorf("flap: at least %s is longer than at most %s", o.Min, o.Max)
	}
	f := &Flap{opts: o}
	f.reset()
	return f, nil
}

func (f *Flap) reset() {
	f.records = map[model.Fingerprint]*flapRecord{}
	f.ends, f.fades = agenda[model.Fingerprint]{}, agenda[model.Fingerprint]{}
}

// Observe takes down what is true of an alert now, and says what that means. Only changes of state
// move the score of DecayFlap, so it may be told as often as one likes; to IcingaFlap each call is
// one check result. Do not observe what a failed source says.
func (f *Flap) Observe(now time.Time, fp model.Fingerprint, firing bool) News {
	f.fade(now)
	r := f.records[fp]
	if r == nil {
		if !firing {
			return Steady
		}
		r = &flapRecord{Mode: f.opts.Mode}
		f.records[fp] = r
	}
	changed := firing != r.Firing
	r.Firing = firing
	f.score(now, r, changed)
	news := f.judge(now, r, changed)
	f.schedule(fp, r)
	if f.touched != nil && (changed || news != Steady || f.opts.Mode == IcingaFlap) {
		f.touched[fp] = true
	}
	return news
}

// judge decides what an observation means that was taken down.
func (f *Flap) judge(now time.Time, r *flapRecord, changed bool) News {
	switch {
	case r.Since.IsZero() && changed && f.unstable(r):
		r.Since, r.Notes, r.Noted = now, 0, now
		return FlapStarted
	case r.Since.IsZero():
		return Steady
	case !now.Before(f.end(now, r)):
		r.Since, r.Noted, r.Notes, r.Changes = time.Time{}, time.Time{}, 0, 0
		return FlapEnded
	case changed && !now.Before(r.Noted.Add(f.opts.NoteEvery<<min(r.Notes, 6))):
		r.Noted = now
		r.Notes++
		return FlapNoted
	default:
		return Flapping
	}
}

// schedule notes when the record changes by itself.
func (f *Flap) schedule(fp model.Fingerprint, r *flapRecord) {
	var ends, fades time.Time
	switch {
	case !r.Since.IsZero():
		ends = f.end(r.At, r)
	case !r.Firing:
		fades = f.faded(r)
	}
	f.ends.set(fp, ends)
	f.fades.set(fp, fades)
}

// fade drops the records that are worth nothing any more.
func (f *Flap) fade(now time.Time) {
	for _, fp := range f.fades.due(now) {
		f.drop(fp)
	}
}

// drop forgets an alert.
func (f *Flap) drop(fp model.Fingerprint) {
	if f.records[fp] == nil {
		return
	}
	delete(f.records, fp)
	f.ends.set(fp, time.Time{})
	f.fades.set(fp, time.Time{})
	if f.touched != nil {
		f.touched[fp] = true
	}
}

// Flapping says whether an alert flaps.
func (f *Flap) Flapping(fp model.Fingerprint) bool {
	r := f.records[fp]
	return r != nil && !r.Since.IsZero()
}

// Changes is how often an alert changed its state lately: since it last was as good as steady.
func (f *Flap) Changes(fp model.Fingerprint) int {
	if r := f.records[fp]; r != nil {
		return r.Changes
	}
	return 0
}

// Next is when an alert will have ceased to flap unless it changes, or zero: it is to be observed then.
func (f *Flap) Next() time.Time { return f.ends.next() }

// Due returns the alerts for which Next has come, sorted. Each is to be observed as it is.
func (f *Flap) Due(now time.Time) []model.Fingerprint {
	due := f.ends.due(now)
	for _, fp := range due { // until it is observed, it is due
		f.ends.set(fp, f.end(now, f.records[fp]))
	}
	return due
}

// State returns what to keep, sorted by key: see Load.
func (f *Flap) State() []alarm.Row {
	rows := make([]alarm.Row, 0, len(f.records))
	for _, fp := range slices.Sorted(maps.Keys(f.records)) {
		rows = append(rows, f.row(fp))
	}
	return rows
}

// Load replaces what was seen by what State returned. Rows of other parts are passed over. A row that
// cannot be read is an error, and leaves the Flap as it was.
func (f *Flap) Load(rows []alarm.Row) error {
	loaded := map[model.Fingerprint]*flapRecord{}
	for _, row := range rows {
		if row.Part != flapPart || row.Value == nil {
			continue
		}
		fp, r, err := readFlap(row)
		if err != nil {
			return fmt.Errorf("flap: row %q: %w", row.Key, err)
		}
		loaded[fp] = r
	}
	f.reset()
	f.records = loaded
	for fp, r := range loaded { // the order does not show
		f.adopt(r)
		f.schedule(fp, r)
	}
	return nil
}

// setBack sees to it that nothing was taken down later than now, as when the clock was set back since.
func (f *Flap) setBack(now time.Time) {
	for fp, r := range f.records { // the order does not show
		if !r.At.After(now) && !r.Since.After(now) && !r.Noted.After(now) {
			continue
		}
		r.At, r.Since, r.Noted = notAfter(now, r.At), notAfter(now, r.Since), notAfter(now, r.Noted)
		f.schedule(fp, r)
	}
}

// notAfter returns t, or now if that is earlier.
func notAfter(now, t time.Time) time.Time {
	if t.After(now) {
		return now
	}
	return t
}

// changed returns rows for what changed since the last call, sorted by key.
func (f *Flap) changed() []alarm.Row {
	if len(f.touched) == 0 {
		return nil
	}
	rows := make([]alarm.Row, 0, len(f.touched))
	for _, fp := range slices.Sorted(maps.Keys(f.touched)) {
		rows = append(rows, f.row(fp))
	}
	clear(f.touched)
	return rows
}
