package dedupe

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
)

// A transient is what Hold keeps of one alert: its row.
type transient struct {
	Since time.Time `json:"since,omitzero"` // when it began to be held, or spared; zero if it is neither
	Until time.Time `json:"until,omitzero"`
	Fired int       `json:"fired,omitempty"` // how often it had fired then

	// Spared says that its hold is waived, because it was told already when this occurrence began. It
	// stays waived if that is closed there.
	Spared bool `json:"spared,omitempty"`

	Swallowed []time.Time `json:"swallowed,omitempty"` // when it was swallowed, as far as that counts

	// What follows is there while an alert is raised in its place.
	Count  int               `json:"count,omitempty"`
	Last   time.Time         `json:"last,omitzero"`    // when it was last swallowed
	Raised model.Fingerprint `json:"raised,omitempty"` // the alert
	alert  *alarm.Alert      // as it was last raised
}

func (t *transient) held() bool { return !t.Until.IsZero() && !t.Spared }

func (t *transient) empty() bool { return t.Until.IsZero() && t.Count == 0 && len(t.Swallowed) == 0 }

// free ends that it is held, or spared.
func (t *transient) free() { t.Since, t.Until, t.Spared = time.Time{}, time.Time{}, false }

// lately are the transients that still count.
func (t *transient) lately(now time.Time, within time.Duration) []time.Time {
	return slices.DeleteFunc(t.Swallowed, func(at time.Time) bool { return !now.Before(at.Add(within)) })
}

// next is when time alone changes something, or zero.
func (t *transient) next(within time.Duration) time.Time {
	var next time.Time
	consider := func(at time.Time) {
		if next.IsZero() || at.Before(next) {
			next = at
		}
	}
	if !t.Until.IsZero() {
		consider(t.Until)
	}
	if t.Count > 0 {
		consider(t.Last.Add(within))
	} else if len(t.Swallowed) > 0 {
		consider(t.Swallowed[0].Add(within))
	}
	return next
}

// The labels and annotations that Hold adds to an alert that stands for transients.
const (
	TransientLabel       model.LabelName = "transient"  // "true"
	TransientsAnnotation model.LabelName = "transients" // how many there were
)

// setBack sees to it that nothing was taken down later than now, as when the clock was set back since, and
// says whether anything was.
func (t *transient) setBack(now time.Time) bool {
	changed := t.Last.After(now)
	t.Last = notAfter(now, t.Last)
	if t.Since.After(now) {
		t.Since, t.Until, changed = now, t.Until.Add(now.Sub(t.Since)), true
	}
	for i, at := range t.Swallowed {
		changed = changed || at.After(now)
		t.Swallowed[i] = notAfter(now, at)
	}
	return changed
}

// promote raises an alert in place of one that was swallowed too often.
func (j *holding) promote(fp model.Fingerprint, t *transient, a *alarm.Alert) {
	began := t.Swallowed[0]
	raised := alarm.Alert{
		Labels: a.Labels.Clone(), Annotations: a.Annotations, GeneratorURL: a.GeneratorURL, State: alarm.Firing,
		StartsAt: began, UpdatedAt: j.now, RaisedBy: HoldName, FirstSeen: began, Fired: 1,
	}
	raised.Labels[TransientLabel] = "true"
	if a.Labels[TransientLabel] == "true" { // a word of theirs: ours must be another alert
		raised.Labels[TransientLabel] = "repeated"
	}
	raised = raised.WithFingerprint()
	t.Count, t.Last, t.Raised = len(t.Swallowed), j.now, raised.Fingerprint()
	t.Swallowed = nil
	j.raised[t.Raised] = fp
	j.raise(alarm.Appeared, t, raised)
}

// recount brings the alert that was raised up to date.
func (j *holding) recount(t *transient) {
	if t.alert != nil {
		j.raise(alarm.Changed, t, *t.alert)
	}
}

// raise hands out the alert of a transient with its present count.
func (j *holding) raise(kind alarm.ChangeKind, t *transient, a alarm.Alert) {
	a.UpdatedAt = t.Last
	a.Counts = &alarm.Counts{Since: a.FirstSeen, Transients: t.Count}
	summary := plainSummary(a.Annotations)
	a.Annotations = maps.Clone(a.Annotations)
	if a.Annotations == nil {
		a.Annotations = model.LabelSet{}
	}
	a.Annotations[TransientsAnnotation] = model.LabelValue(strconv.Itoa(t.Count))
	o := a.Occurrences()
	a.Annotations["summary"] = model.LabelValue(o.Note())
	if summary != "" {
		a.Annotations["summary"] = model.LabelValue(summary + transientSep + o.Note())
	}
	t.alert = &a
	j.raising = append(j.raising, alarm.Change{Kind: kind, Alert: &a})
}

// close ends the alert that was raised.
func (j *holding) close(t *transient) {
	if t.Count == 0 {
		return
	}
	if t.alert != nil {
		a := *t.alert
		a.State, a.EndsAt = alarm.Resolved, j.now
		a.Counts = &alarm.Counts{
			Since: a.FirstSeen, Ended: j.now, Firing: j.now.Sub(a.FirstSeen), Transients: t.Count,
		}
		j.raising = append(j.raising, alarm.Change{Kind: alarm.Ended, Alert: &a})
	}
	delete(j.raised, t.Raised)
	t.Count, t.Last, t.Raised, t.alert = 0, time.Time{}, 0, nil
}

// reclaim takes in, at the first call, the alerts that were raised before; ends those for which there
// is no cause any more; and gives up on what was held and is not known any more.
func (j *holding) reclaim(changes []alarm.Change) {
	known := map[model.Fingerprint]bool{}
	for _, c := range changes {
		a := c.Alert
		known[a.Fingerprint()] = true
		if a.RaisedBy != HoldName || a.State == alarm.Resolved {
			continue
		}
		if of, ok := j.raised[a.Fingerprint()]; ok {
			j.alerts[of].alert = a
			continue
		}
		gone := *a
		gone.State, gone.EndsAt = alarm.Resolved, j.now
		j.raising = append(j.raising, alarm.Change{Kind: alarm.Ended, Alert: &gone})
	}
	for _, fp := range slices.Sorted(maps.Keys(j.alerts)) {
		t := j.alerts[fp]
		if t.setBack(j.now) {
			j.touched[fp] = true
		}
		if !t.Until.IsZero() && !known[fp] {
			t.free()
			j.touched[fp] = true
		}
		if t.Count > 0 && t.alert == nil { // it is not known any more
			j.close(t)
			j.touched[fp] = true
		}
	}
}

// load takes in one row.
func (h *Hold) load(row alarm.Row) error {
	fp, err := model.FingerprintFromString(row.Key)
	if err != nil {
		return fmt.Errorf("key is no fingerprint: %w", err)
	}
	var t transient
	if err := json.Unmarshal(row.Value, &t); err != nil {
		return err
	}
	if t.Count < 0 || t.Count > 0 && t.Raised == 0 {
		return fmt.Errorf("it makes no sense: %s", row.Value)
	}
	h.alerts[fp] = &t
	if t.Count > 0 {
		h.raised[t.Raised] = fp
	}
	h.due.set(fp, t.next(h.opts.Within))
	return nil
}

// row is what is to be kept of an alert.
func (h *Hold) row(fp model.Fingerprint) alarm.Row {
	row := alarm.Row{Part: HoldName, Key: fp.String()}
	if t := h.alerts[fp]; t != nil {
		row.Value, _ = json.Marshal(t) // numbers, and times of our own, cannot fail
	}
	return row
}

const transientSep = " — "

// plainSummary is the summary that the original has.
func plainSummary(annotations model.LabelSet) string {
	summary := string(annotations["summary"])
	if _, ours := annotations[TransientsAnnotation]; !ours {
		return summary
	}
	return summary[:max(0, strings.LastIndex(summary, transientSep))]
}

// lastOfEach sorts changes by fingerprint and keeps the last of each.
func lastOfEach(changes []alarm.Change) []alarm.Change {
	slices.SortStableFunc(changes, func(a, b alarm.Change) int {
		return cmp.Compare(a.Alert.Fingerprint(), b.Alert.Fingerprint())
	})
	var last []alarm.Change
	for _, c := range changes {
		if n := len(last) - 1; n >= 0 && last[n].Alert.Fingerprint() == c.Alert.Fingerprint() {
			if c.Kind == alarm.Changed {
				c.Kind = last[n].Kind // it appeared in this cycle
			}
			last[n] = c
			continue
		}
		last = append(last, c)
	}
	return last
}
