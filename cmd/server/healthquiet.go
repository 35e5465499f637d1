package server

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/matcher"
	"github.com/tocsin/tocsin/alarm/silence"
	"github.com/tocsin/tocsin/cache"
	"github.com/tocsin/tocsin/cmd/internal/health"
	"github.com/tocsin/tocsin/discovery"
)

// quietLease is how long an activity silence outlasts the last time that its environment was seen idle: while
// nothing is known of it, or tocsin is down.
const quietLease = 24 * time.Hour

// idleSince is the annotation of an activity silence that says since when nobody uses the environment.
const idleSince = "idle_since"

// A quietPlan is what becomes of activity silences.
type quietPlan struct {
	since    map[cache.Key]time.Time // of environments that nobody uses
	silenced map[cache.Key]string    // by the ID of the silence
	edits    []*alarm.Silence
}

// planQuiet decides which environments are silenced.
//
//	idle for as long as asked    silenced; the silence is renewed long before it ends
//	idle, not for so long        counted
//	live                         heard again
//	not known                    as it was, until the silence runs out by itself
//	silenced, and a person ended that while it was idle: heard, until it was live in between
func planQuiet(now time.Time, all []discovery.Environment, before map[cache.Key]time.Time, silences []*alarm.Silence, after time.Duration) quietPlan {
	p := quietPlan{since: map[cache.Key]time.Time{}, silenced: map[cache.Key]string{}}
	active, ended := activitySilences(now, silences)
	for i := range all {
		e := &all[i]
		k := cache.Key{Cluster: e.Cluster, Namespace: e.Namespace}
		current := active[k]
		if e.Activity.Life == discovery.Live {
			if current != nil {
				if s := silence.Expire(now, current); s != nil {
					p.edits = append(p.edits, s)
				}
			}
			continue
		}
		since, counted := before[k]
		if current != nil && !counted {
			since, counted = sinceOf(current), true
		}
		if e.Activity.Life == discovery.Idle && !counted {
			since, counted = now, true
		}
		if !counted {
			continue
		}
		p.since[k] = since
		switch idle := e.Activity.Life == discovery.Idle; {
		case current != nil && idle && current.EndsAt.Sub(now) < quietLease/2:
			renewed := *current
			renewed.EndsAt, renewed.UpdatedAt = now.Add(quietLease), now
			p.edits = append(p.edits, &renewed)
			p.silenced[k] = current.ID
		case current != nil:
			p.silenced[k] = current.ID
		case idle && now.Sub(since) >= after && !ended[k].Equal(since):
			made := quietSilence(now, e, since)
			p.edits = append(p.edits, made)
			p.silenced[k] = made.ID
		}
	}
	return p
}

// activitySilences returns the silences that tocsin keeps, by environment: those in force, and since when an
// environment was idle of which a person ended one.
func activitySilences(now time.Time, silences []*alarm.Silence) (active map[cache.Key]*alarm.Silence, ended map[cache.Key]time.Time) {
	active, ended = map[cache.Key]*alarm.Silence{}, map[cache.Key]time.Time{}
	for _, s := range silences {
		if s.Kind != alarm.KindActivity {
			continue
		}
		k := cache.Key{Cluster: s.Scope.Cluster, Namespace: s.Scope.Environment}
		switch s.StateAt(now) {
		case alarm.SilenceActive:
			active[k] = s
		case alarm.SilenceExpired:
			if s.EndsAt.Sub(s.UpdatedAt) < quietLease/4 && sinceOf(s).After(ended[k]) {
				ended[k] = sinceOf(s)
			}
		}
	}
	return active, ended
}

func sinceOf(s *alarm.Silence) time.Time {
	if t, err := time.Parse(time.RFC3339Nano, s.Annotations[idleSince]); err == nil {
		return t
	}
	return s.StartsAt
}

func quietSilence(now time.Time, e *discovery.Environment, since time.Time) *alarm.Silence {
	return &alarm.Silence{
		ID: uuid.NewString(), Kind: alarm.KindActivity,
		Matchers: matcher.FromLabels(model.LabelSet{"cluster": model.LabelValue(e.Cluster), "namespace": model.LabelValue(e.Namespace)}),
		StartsAt: now, EndsAt: now.Add(quietLease), UpdatedAt: now,
		CreatedBy:   "tocsin",
		Comment:     fmt.Sprintf("Nobody uses environment %s since %s. It is heard again when somebody does.", e.Name, since.UTC().Format(time.RFC3339)),
		Scope:       alarm.Scope{Cluster: e.Cluster, Environment: e.Namespace},
		Annotations: map[string]string{idleSince: since.UTC().Format(time.RFC3339Nano)},
	}
}

// keepQuiet silences environments that nobody uses, and ends that for those that somebody uses again.
func (r *healthRun) keepQuiet(ctx context.Context, now time.Time, all []discovery.Environment) error {
	after := r.settings.Activity.IdleAfter
	if after == 0 {
		return endQuiet(ctx, r.silences, now)
	}
	now = now.UTC().Round(0)
	silences, err := r.silences.Silences(ctx)
	if err != nil {
		return fmt.Errorf("list silences: %w", err)
	}
	before := health.Quiet{}
	if q := r.quiet.Load(); q != nil {
		before = *q
	}
	p := planQuiet(now, all, before.Since, silences, after)
	if len(p.edits) > 0 {
		if err := r.silences.Submit(ctx, alarm.Input{Silences: p.edits}); err != nil {
			return fmt.Errorf("submit silences: %w", err)
		}
		r.log.Info("activity silences changed", "changes", len(p.edits), "silenced", len(p.silenced))
	}
	next := health.Quiet{Generation: before.Generation, Since: p.since, Silenced: p.silenced}
	if !equalMaps(next, before) {
		next.Generation++
	}
	r.quiet.Store(&next)
	return nil
}

func equalMaps(a, b health.Quiet) bool {
	if len(a.Since) != len(b.Since) || len(a.Silenced) != len(b.Silenced) {
		return false
	}
	for k, since := range a.Since {
		if other, ok := b.Since[k]; !ok || !other.Equal(since) || a.Silenced[k] != b.Silenced[k] {
			return false
		}
	}
	return true
}

// endQuiet ends every activity silence.
func endQuiet(ctx context.Context, silences healthSilences, now time.Time) error {
	now = now.UTC().Round(0)
	all, err := silences.Silences(ctx)
	if err != nil {
		return fmt.Errorf("list silences: %w", err)
	}
	var edits []*alarm.Silence
	for _, s := range all {
		if s.Kind != alarm.KindActivity || s.StateAt(now) == alarm.SilenceExpired {
			continue
		}
		if s = silence.Expire(now, s); s != nil {
			edits = append(edits, s)
		}
	}
	if len(edits) == 0 {
		return nil
	}
	return silences.Submit(ctx, alarm.Input{Silences: edits})
}
