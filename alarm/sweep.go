package alarm

import (
	"cmp"
	"slices"
	"time"

	"github.com/prometheus/common/model"
)

// sweepEvery bounds how often the engine looks for what nobody needs any more.
const sweepEvery = 30 * time.Second

// sweep forgets resolved alerts that everybody knows of, expired silences past their retention, and
// what was told of groups that are long gone.
func (e *Engine) sweep(now time.Time) {
	if now.Before(e.sweepNext) {
		return
	}
	e.sweepNext = now.Add(sweepEvery)
	e.sweepAlerts(now)
	e.sweepSilences(now)
	e.sweepTold(now)
	e.sweepDead(now)
	e.labels.age(now)
}

func (e *Engine) sweepAlerts(now time.Time) {
	var gone []model.Fingerprint
	kept := e.resolved[:0]
	for _, en := range e.resolved {
		switch {
		case e.alerts[en.fingerprint] != en || en.alert.State != Resolved || len(en.groups) > 0:
			// It fires again; it will come back to this list when it has ended.
		case now.Sub(en.ended) < e.opts.Keep:
			kept = append(kept, en)
		default:
			gone = append(gone, en.fingerprint)
			e.plan.Forgotten = append(e.plan.Forgotten, en.alert)
			e.forget(en)
		}
	}
	clear(e.resolved[len(kept):])
	e.resolved = kept
	if len(gone) > 0 {
		slices.Sort(gone)
		slices.SortFunc(e.plan.Forgotten, byFingerprint)
		e.keepRows(e.parts.Presence.Forget(gone))
	}
}

func (e *Engine) sweepSilences(now time.Time) {
	var removed []SilenceChange
	for id, s := range e.silences {
		if now.Sub(s.EndsAt) > e.opts.Retention {
			e.plan.RemovedSilences = append(e.plan.RemovedSilences, id)
			removed = append(removed, SilenceChange{Silence: s, Removed: true})
		}
	}
	if len(removed) == 0 {
		return
	}
	slices.Sort(e.plan.RemovedSilences)
	slices.SortFunc(removed, func(a, b SilenceChange) int { return cmp.Compare(a.Silence.ID, b.Silence.ID) })
	for _, c := range removed {
		delete(e.silences, c.Silence.ID)
	}
	e.judge(now, nil, removed)
}

func (e *Engine) sweepTold(now time.Time) {
	for key, t := range e.told {
		if len(e.channels[key]) == 0 && (t.idle() || now.Sub(t.At) > e.opts.Retention) && e.open[key] == nil {
			delete(e.told, key)
			e.plan.DroppedTold = append(e.plan.DroppedTold, key)
		}
	}
	slices.SortFunc(e.plan.DroppedTold, compareKeys)
}
