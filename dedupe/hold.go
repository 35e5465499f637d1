package dedupe

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
)

var _ alarm.Suppressor = (*Hold)(nil)

// HoldOptions configures a Hold. The zero value holds nothing.
type HoldOptions struct {
	// Severities say how severe an alert is.
	Severities alarm.Severities

	// For is how long the first page of an alert waits, by the name of its severity. Severities that
	// are not named, and alerts without one, are not held.
	For map[string]time.Duration

	// Promote is how many swallowed transients within Within are told as one alert. Defaults to 3;
	// less than zero tells none.
	Promote int

	// Within is how long transients count, and after how long without another the alert that stands
	// for them ends. Defaults to 1 h.
	Within time.Duration

	// Swallowed, if set, is called for each transient of which nobody is told.
	Swallowed func(Swallower)
}

// HoldName is the name of a Hold, and what its alerts are raised by.
const HoldName = string(alarm.ReasonHold)

// Hold is the Suppressor that lets the first page of an alert wait, for many are gone at once. An
// alert that fires and ends within its hold was a transient: it is swallowed, and counted. Some of them within
// a while are told as one alert, which Hold raises: it has the labels of the original and one more,
// transient="true", so that it takes the same routes and silences; it stays open, counts in place,
// and ends when a while has passed without another, or when the original outlasts its hold and speaks
// for itself. An alert that was told, or released, is never held again while it fires.
type Hold struct {
	opts   HoldOptions
	alerts map[model.Fingerprint]*transient // held, or lately swallowed
	raised map[model.Fingerprint]model.Fingerprint
	due    agenda[model.Fingerprint]
	loaded bool // and not yet judged anything
}

// NewHold returns a Hold that continues from what is stored; nil is nothing.
func NewHold(stored *alarm.Stored, o HoldOptions) (*Hold, error) {
	o.Promote, o.Within = cmp.Or(o.Promote, 3), cmp.Or(o.Within, time.Hour)
	if o.Within < 0 {
		return nil, errors.New("hold: a duration is less than zero")
	}
	for name, d := range o.For {
		if d < 0 {
			return nil, fmt.Errorf("hold: severity %q waits less than no time", name)
		}
	}
	h := &Hold{
		opts: o, alerts: map[model.Fingerprint]*transient{}, raised: map[model.Fingerprint]model.Fingerprint{}, loaded: true,
	}
	if stored == nil {
		return h, nil
	}
	for _, row := range stored.Rows {
		if row.Part != HoldName || row.Value == nil {
			continue
		}
		if err := h.load(row); err != nil {
			return nil, fmt.Errorf("hold: row %q: %w", row.Key, err)
		}
	}
	return h, nil
}

// Name returns "hold".
func (*Hold) Name() string { return HoldName }

// Judge holds the alerts that began to fire, and releases those whose time has come.
func (h *Hold) Judge(now time.Time, v alarm.View) alarm.Judgement {
	j := &holding{Hold: h, now: now, told: v.Told, touched: map[model.Fingerprint]bool{}}
	first := h.loaded
	if first {
		h.loaded = false
		j.reclaim(v.Changes)
	}
	for _, c := range v.Changes {
		fp := c.Alert.Fingerprint()
		switch {
		case c.Alert.RaisedBy == HoldName:
			j.judged = append(j.judged, fp) // that of another life, or our own from the last call: no reasons
		case c.Alert.State == alarm.Firing:
			j.fires(fp, c.Alert)
		default:
			j.ends(fp, c.Alert)
		}
	}
	for _, fp := range h.due.due(now) {
		j.pass(fp)
	}
	return j.judgement()
}

// after is how long the first page of an alert waits.
func (h *Hold) after(a *alarm.Alert) time.Duration {
	if a.RaisedBy == HoldName || a.RaisedBy == FloodName {
		return 0 // what they stand for has waited
	}
	s, ok := h.opts.Severities.Of(a.Labels)
	if !ok {
		return 0
	}
	return h.opts.For[s.Name]
}

// A holding is one call of Judge.
type holding struct {
	*Hold
	now     time.Time
	told    func(model.Fingerprint) bool
	judged  []model.Fingerprint
	reasons []alarm.Suppression
	raising []alarm.Change
	touched map[model.Fingerprint]bool // transients that changed
}

// fires takes in an alert that fires.
func (j *holding) fires(fp model.Fingerprint, a *alarm.Alert) {
	j.judged = append(j.judged, fp)
	t, wait := j.alerts[fp], j.after(a)
	if t != nil && t.Spared {
		if t.Fired == a.Fired && j.now.Before(t.Until) {
			return
		}
		t.free()
		j.touched[fp] = true
	}
	if t != nil && t.held() {
		for range min(a.Fired-t.Fired, 100) { // it ended and began anew between two looks
			j.swallow(fp, t, a)
		}
		if t.Fired != a.Fired {
			t.Fired = a.Fired
			j.touched[fp] = true
		}
	}
	since := a.Occurrences().Since
	if since.IsZero() || since.After(j.now) {
		since = j.now
	}
	if t != nil && t.held() {
		since = t.Since
	}
	until := since.Add(wait)
	if !until.After(j.now) {
		j.release(fp, t)
		return
	}
	if t == nil {
		t = &transient{}
		j.alerts[fp] = t
	}
	if !t.held() && j.told != nil && j.told(fp) {
		j.release(fp, t)
		t.Since, t.Until, t.Fired, t.Spared = since, until, a.Fired, true
		return
	}
	if !t.held() || !t.Until.Equal(until) {
		t.Since, t.Until, t.Fired = since, until, a.Fired
		j.touched[fp] = true
	}
	s, _ := j.opts.Severities.Of(a.Labels)
	j.reasons = append(j.reasons, alarm.Suppression{
		Fingerprint: fp, Reason: alarm.ReasonHold, By: s.Name, Since: since, Until: until,
		Note: fmt.Sprintf("it may be transient: the first page of severity %s waits %s", s.Name, wait),
	})
}

// ends takes in an alert that does not fire any more.
func (j *holding) ends(fp model.Fingerprint, a *alarm.Alert) {
	j.judged = append(j.judged, fp)
	t := j.alerts[fp]
	if t == nil || t.Until.IsZero() {
		return
	}
	held := t.held()
	t.free()
	j.touched[fp] = true
	if held {
		j.swallow(fp, t, a)
	}
}

// release lets an alert be told. It speaks for itself from now on: what was raised in its place ends.
func (j *holding) release(fp model.Fingerprint, t *transient) {
	if t == nil {
		return
	}
	t.free()
	j.touched[fp] = true
	j.close(t)
	t.Swallowed = nil
}

// swallow counts a transient, and raises an alert when it is one of many.
func (j *holding) swallow(fp model.Fingerprint, t *transient, a *alarm.Alert) {
	j.touched[fp] = true
	if j.opts.Swallowed != nil {
		j.opts.Swallowed(ByHold)
	}
	j.expire(t)
	if t.Count > 0 {
		t.Count++
		t.Last = j.now
		j.recount(t)
		return
	}
	t.Swallowed = append(t.lately(j.now, j.opts.Within), j.now)
	if j.opts.Promote > 0 && len(t.Swallowed) >= j.opts.Promote {
		j.promote(fp, t, a)
	}
}

// pass lets time pass for one alert: it outlasted its hold, or was swallowed long enough ago.
func (j *holding) pass(fp model.Fingerprint) {
	t := j.alerts[fp]
	j.touched[fp] = true
	if !t.Until.IsZero() && !j.now.Before(t.Until) {
		j.judged = append(j.judged, fp)
		j.release(fp, t)
	}
	j.expire(t)
	t.Swallowed = t.lately(j.now, j.opts.Within)
}

// expire ends the alert that was raised if the last transient is long enough ago.
func (j *holding) expire(t *transient) {
	if t.Count > 0 && !j.now.Before(t.Last.Add(j.opts.Within)) {
		j.close(t)
	}
}

// judgement puts together what was decided, with rows for what changed.
func (j *holding) judgement() alarm.Judgement {
	var rows []alarm.Row
	for _, fp := range slices.Sorted(maps.Keys(j.touched)) {
		t := j.alerts[fp]
		if t.empty() {
			delete(j.alerts, fp)
		}
		j.due.set(fp, t.next(j.opts.Within))
		rows = append(rows, j.row(fp))
	}
	slices.Sort(j.judged)
	slices.SortFunc(j.reasons, func(a, b alarm.Suppression) int { return cmp.Compare(a.Fingerprint, b.Fingerprint) })
	return alarm.Judgement{
		Judged: slices.Compact(j.judged), Reasons: j.reasons, Raised: lastOfEach(j.raising), Rows: rows, Next: j.due.next(),
	}
}
