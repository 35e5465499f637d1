package dedupe

import (
	"encoding/json"
	"fmt"
	"math"
	"math/bits"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
)

// FlapMode says how instability is measured.
type FlapMode uint8

// The modes.
const (
	// DecayFlap adds 1 for each change of state, and halves the sum with every half-life.
	DecayFlap FlapMode = iota

	// IcingaFlap is the formula of Icinga 2 since 2.8 (its documentation, "Check Flapping"): the share,
	// in percent, of the last 20 check results that changed the state, where the newest counts 1.18
	// and each one before it 0.02 less. It counts check results, so it says nothing about alerts that
	// are pushed on change; only Max ends it then.
	IcingaFlap
)

// String returns the mode as configuration names it.
func (m FlapMode) String() string { return [...]string{"decay", "icinga"}[m] }

const (
	icingaChecks = 20 // that Icinga remembers
	icingaOldest = 0.8
	icingaStep   = 0.02
)

// A flapRecord is what Flap keeps of an alert.
type flapRecord struct {
	Mode    FlapMode  `json:"mode,omitempty"` // that Score belongs to
	Firing  bool      `json:"firing,omitempty"`
	Score   float64   `json:"score"`           // at At
	At      time.Time `json:"at"`              // of the last change, or check result
	Checks  uint32    `json:"checks,omitzero"` // IcingaFlap: which of the last changed the state; bit 0 is the newest
	Changes int       `json:"changes,omitempty"`
	Since   time.Time `json:"since,omitzero"` // when it began to flap; zero if it does not
	Noted   time.Time `json:"noted,omitzero"` // when that was last told
	Notes   int       `json:"notes,omitempty"`
}

// score takes down an observation.
func (f *Flap) score(now time.Time, r *flapRecord, changed bool) {
	if f.opts.Mode == IcingaFlap {
		r.Checks = r.Checks << 1 & (1<<icingaChecks - 1)
		if changed {
			r.Checks |= 1
		}
		before := r.Score
		r.Score, r.At = icingaScore(r.Checks), now
		f.tally(r, before, changed)
		return
	}
	if !changed {
		return
	}
	if age := now.Sub(r.At); age > 0 {
		r.Score *= math.Exp2(-float64(age) / float64(f.opts.HalfLife))
		r.At = now
	}
	f.tally(r, r.Score, changed)
	r.Score++
}

// tally counts a change. Those before the alert was as good as steady do not belong to it.
func (f *Flap) tally(r *flapRecord, before float64, changed bool) {
	if !changed {
		return
	}
	if r.Since.IsZero() && before <= f.opts.Stop/2 {
		r.Changes = 0
	}
	r.Changes++
}

func icingaScore(checks uint32) float64 {
	sum := 0.0
	for rest := checks; rest != 0; rest &= rest - 1 {
		age := bits.TrailingZeros32(rest) // 0 is the newest
		sum += icingaOldest + icingaStep*float64(icingaChecks-1-age)
	}
	return 100 * sum / icingaChecks
}

// unstable says whether the score is high enough to begin to flap. Icinga wants more than its threshold.
func (f *Flap) unstable(r *flapRecord) bool {
	return r.Score > f.opts.Start || r.Score == f.opts.Start && f.opts.Mode == DecayFlap
}

// end is when an alert that flaps will have ceased to, if nothing changes, or an instant that is past.
func (f *Flap) end(now time.Time, r *flapRecord) time.Time {
	longest := r.Since.Add(f.opts.Max)
	calm := longest
	switch {
	case f.opts.Mode == IcingaFlap && r.Score <= f.opts.Stop:
		calm = now
	case f.opts.Mode == DecayFlap:
		calm = f.falls(r, f.opts.Stop)
	}
	if least := r.Since.Add(f.opts.Min); calm.Before(least) {
		calm = least
	}
	if longest.Before(calm) {
		return longest
	}
	return calm
}

// falls is when the score has fallen to a level, to the nanosecond above.
func (f *Flap) falls(r *flapRecord, level float64) time.Time {
	if r.Score <= level {
		return r.At
	}
	left := math.Log2(r.Score/level) * float64(f.opts.HalfLife)
	return r.At.Add(time.Duration(math.Ceil(min(left, float64(math.MaxInt64/2)))))
}

// faded is when nothing is lost by forgetting an alert that does not fire, or zero.
func (f *Flap) faded(r *flapRecord) time.Time {
	if f.opts.Mode == IcingaFlap {
		if r.Checks == 0 {
			return r.At.Add(time.Nanosecond)
		}
		return r.At.Add(icingaKeep)
	}
	return f.falls(r, f.opts.Stop/128)
}

// icingaKeep is how long an alert is remembered that is not checked any more.
const icingaKeep = 24 * time.Hour

// flapPart is the part of the rows that Flap keeps.
const flapPart = "flap"

// adopt makes a record that was kept fit: a score of another mode means nothing.
func (f *Flap) adopt(r *flapRecord) {
	if r.Mode != f.opts.Mode {
		r.Mode, r.Score, r.Checks = f.opts.Mode, 0, 0
	}
}

func (f *Flap) row(fp model.Fingerprint) alarm.Row {
	row := alarm.Row{Part: flapPart, Key: fp.String()}
	if r := f.records[fp]; r != nil {
		row.Value, _ = json.Marshal(r) // finite numbers and times of our own cannot fail
	}
	return row
}

func readFlap(row alarm.Row) (model.Fingerprint, *flapRecord, error) {
	fp, err := model.FingerprintFromString(row.Key)
	if err != nil {
		return 0, nil, fmt.Errorf("key is no fingerprint: %w", err)
	}
	var r flapRecord
	if err := json.Unmarshal(row.Value, &r); err != nil {
		return 0, nil, err
	}
	if r.Score < 0 || r.Score > 1e9 || r.Changes < 0 || r.Notes < 0 || r.Checks >= 1<<icingaChecks {
		return 0, nil, fmt.Errorf("it makes no sense: %s", row.Value)
	}
	return fp, &r, nil
}
