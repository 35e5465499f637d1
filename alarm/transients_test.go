package alarm_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/alarmtest"
	"github.com/tocsin/tocsin/alarm/route"
	"github.com/tocsin/tocsin/alarm/silence"
	"github.com/tocsin/tocsin/dedupe"
)

// transientsBuild is what `transients` and `flap` make in the server, with their defaults, before a
// receiver with a webhook and a level-triggered integration.
func transientsBuild(now time.Time, s *alarm.Stored) (alarm.Parts, error) {
	presence, err := dedupe.NewPresence(now, s, dedupe.Options{Flap: &dedupe.FlapOptions{}})
	if err != nil {
		return alarm.Parts{}, err
	}
	severities := alarm.Severities{Values: []alarm.Severity{{Name: "critical", Page: true}, {Name: "warning", Page: true}}}
	hold, err := dedupe.NewHold(s, dedupe.HoldOptions{Severities: severities, For: map[string]time.Duration{"warning": 30 * time.Second}})
	if err != nil {
		return alarm.Parts{}, err
	}
	tree, err := route.New(route.Route{Receiver: "a", GroupBy: []model.LabelName{model.AlertNameLabel}}, nil)
	return alarm.Parts{
		Presence: presence, Suppressors: []alarm.Suppressor{silence.NewSuppressor(now, s.Silences), hold},
		Router: tree, Receivers: realmReceivers()[:2],
	}, err
}

// oomKills has a process be killed ten times in an hour, each time for 20 s, and returns what was delivered,
// until long after.
func oomKills(t *testing.T, severity string) (delivered []*alarm.Delivery) {
	offers := make(chan []alarm.Intention, 1000)
	e, err := alarm.NewEngine(alarm.EngineOptions{Store: alarmtest.NewStore(), Build: transientsBuild, Offer: func(in []alarm.Intention) { offers <- in }})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { _ = e.Run(ctx) })
	wg.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case ins := <-offers:
				for _, in := range ins {
					o := alarm.Outcome{ID: in.ID, Key: in.Key, At: time.Now()}
					if d, err := e.Render(o.At, in); assert.NoError(t, err) && d != nil {
						delivered, o.Told = append(delivered, d), d.Told
					} else {
						o.Unsent = true
					}
					_ = e.Done(ctx, o)
				}
			}
		}
	})
	say := func(firing bool) {
		now := time.Now()
		a := alarm.Alert{Labels: model.LabelSet{"alertname": "OOMKilled", "severity": model.LabelValue(severity)}, StartsAt: now, UpdatedAt: now, EndsAt: now}
		if firing {
			a.EndsAt = now.Add(time.Hour)
		}
		require.NoError(t, e.Submit(ctx, alarm.Input{Snapshots: []alarm.Snapshot{{Source: "push", At: now, Partial: true, Alerts: []alarm.Alert{a}}}}))
		synctest.Wait()
	}
	for range 10 {
		say(true)
		time.Sleep(20 * time.Second)
		say(false)
		time.Sleep(5*time.Minute + 40*time.Second)
	}
	time.Sleep(8 * time.Hour)
	synctest.Wait()
	cancel()
	wg.Wait()
	return delivered
}

// TestOOMKills: of highest severity each kill would be a page. It is at most two, one note that says how
// often, and in the end nothing is open. With a hold it is one alert that says how often, and no more.
func TestOOMKills(t *testing.T) {
	for severity, most := range map[string]int{"critical": 2, "warning": 1} {
		t.Run(severity, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				pages, notes, open := map[string]int{}, map[string][]string{}, map[string]bool{}
				for _, d := range oomKills(t, severity) {
					at := d.Key.Integration
					if d.Action == alarm.Add {
						pages[at]++
					}
					for _, a := range d.Alerts {
						open[at+a.Fingerprint().String()] = a.EndsAt.IsZero()
						if note := strings.Join(d.Notes, " "); strings.Contains(note, "changes of state") {
							notes[at] = append(notes[at], note)
						}
					}
				}
				for _, at := range []string{"webhook[0]", "ops[0]"} {
					assert.LessOrEqual(t, pages[at], most, "pages by %s", at)
					assert.Positive(t, pages[at], "pages by %s", at)
				}
				for at, is := range open {
					assert.False(t, is, "%s is open", at)
				}
				assert.Len(t, notes["ops[0]"], 1, "notes that say how often")
			})
		})
	}
}
