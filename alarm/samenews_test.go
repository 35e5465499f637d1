package alarm_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
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
)

// evaluationInterval is such that no evaluation and no flush fall into one instant, where either may
// come first.
const evaluationInterval = 7300 * time.Millisecond

// An evaluation is what a server of rules finds at one instant: since when each alert fires, and until
// when those did that have ended.
type evaluation struct {
	firing map[model.Fingerprint]alarm.Alert
	ended  map[model.Fingerprint]alarm.Alert
}

// TestPushAndPullAreTheSameNews has the same history of alerts lead to the same notifications at the
// same instants, whether they are pushed, asked for, or both, and also if some questions are in vain.
func TestPushAndPullAreTheSameNews(t *testing.T) {
	for seed := range uint64(30) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			push := newsOf(t, seed, func(_ *rand.Rand, at time.Time, e evaluation) []alarm.Snapshot {
				return []alarm.Snapshot{e.pushed(at)}
			})
			require.NotEmpty(t, push)
			pull := newsOf(t, seed, func(_ *rand.Rand, at time.Time, e evaluation) []alarm.Snapshot {
				return []alarm.Snapshot{e.pulled(at)}
			})
			assert.Equal(t, push, pull, "asked for")
			both := newsOf(t, seed, func(rng *rand.Rand, at time.Time, e evaluation) []alarm.Snapshot {
				s := []alarm.Snapshot{e.pushed(at), e.pulled(at)}
				rng.Shuffle(len(s), func(i, j int) { s[i], s[j] = s[j], s[i] })
				return s
			})
			assert.Equal(t, push, both, "both")
			vain := newsOf(t, seed, func(rng *rand.Rand, at time.Time, e evaluation) []alarm.Snapshot {
				asked := e.pulled(at)
				if rng.IntN(3) == 0 { // what is pushed next counts for more than what was read before
					asked = alarm.Snapshot{Source: "pull", At: at, Err: errors.New("refused")}
				}
				return []alarm.Snapshot{asked, e.pushed(at)}
			})
			assert.Equal(t, push, vain, "both, and some questions in vain")
		})
	}
}

// pushed is what vmalert pushes: all that fires, for four intervals, and again and again what has ended.
func (e evaluation) pushed(at time.Time) alarm.Snapshot {
	s := alarm.Snapshot{Source: "push", At: at, Partial: true}
	for _, fp := range slices.Sorted(maps.Keys(e.firing)) {
		a := e.firing[fp]
		a.EndsAt, a.UpdatedAt = at.Add(4*evaluationInterval), at
		s.Alerts = append(s.Alerts, a)
	}
	for _, fp := range slices.Sorted(maps.Keys(e.ended)) {
		s.Alerts = append(s.Alerts, e.ended[fp])
	}
	return s
}

// pulled is what vmalert lists: all that fires.
func (e evaluation) pulled(at time.Time) alarm.Snapshot {
	s := alarm.Snapshot{Source: "pull", At: at}
	for _, fp := range slices.Sorted(maps.Keys(e.firing)) {
		s.Alerts = append(s.Alerts, e.firing[fp])
	}
	return s
}

// newsOf lives through the history of a seed, of which tell says what the engine learns, and returns
// what a remote is told, and when.
func newsOf(t *testing.T, seed uint64, tell func(*rand.Rand, time.Time, evaluation) []alarm.Snapshot) []string {
	var news []string
	synctest.Test(t, func(t *testing.T) {
		r := newNewsroom(t)
		defer r.end()
		rng, luck := rand.New(rand.NewPCG(seed, 1)), rand.New(rand.NewPCG(seed, 2))
		e := evaluation{firing: map[model.Fingerprint]alarm.Alert{}, ended: map[model.Fingerprint]alarm.Alert{}}
		for range 80 {
			e.next(rng, time.Now())
			for _, s := range tell(luck, time.Now(), e) {
				require.NoError(t, r.engine.Submit(t.Context(), alarm.Input{Snapshots: []alarm.Snapshot{s}}))
			}
			time.Sleep(evaluationInterval)
		}
		news = r.news()
	})
	return news
}

// next lets alerts begin and end.
func (e evaluation) next(rng *rand.Rand, now time.Time) {
	for _, name := range []model.LabelValue{"Disk", "Cpu"} {
		for n := range 3 {
			if rng.IntN(8) > 0 {
				continue
			}
			a := alarm.Alert{Labels: model.LabelSet{"alertname": name, "n": model.LabelValue(fmt.Sprint(n))}, StartsAt: now}.WithFingerprint()
			fp := a.Fingerprint()
			if old, fires := e.firing[fp]; fires {
				old.EndsAt, old.UpdatedAt = now, now
				e.ended[fp] = old
				delete(e.firing, fp)
			} else {
				e.firing[fp] = a
				delete(e.ended, fp)
			}
		}
	}
}

// A newsroom is an engine whose remote takes everything at once and writes it down.
type newsroom struct {
	engine *alarm.Engine
	end    func()

	mu    sync.Mutex // guards lines
	lines []string
}

func newNewsroom(t *testing.T) *newsroom {
	t.Helper()
	return newNewsroomOn(t, alarmtest.NewStore())
}

// newNewsroomOn continues from what is stored.
func newNewsroomOn(t *testing.T, store alarm.Store) *newsroom {
	t.Helper()
	r := &newsroom{}
	offers := make(chan []alarm.Intention, 1000)
	receiver := alarm.ReceiverSpec{Name: "a", Integrations: []alarm.IntegrationSpec{{Name: "webhook[0]", SendResolved: true}}}
	engine, err := alarm.NewEngine(alarm.EngineOptions{
		Store: store, Offer: func(in []alarm.Intention) { offers <- in },
		Build: build(route.Route{Receiver: "a", GroupBy: []model.LabelName{model.AlertNameLabel}}, nil, receiver),
	})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	r.engine, r.end = engine, func() { cancel(); wg.Wait() }
	wg.Go(func() { _ = engine.Run(ctx) })
	wg.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case ins := <-offers:
				for _, in := range ins {
					r.deliver(ctx, in)
				}
			}
		}
	})
	return r
}

func (r *newsroom) deliver(ctx context.Context, in alarm.Intention) {
	o := alarm.Outcome{ID: in.ID, Key: in.Key, At: time.Now()}
	d, err := r.engine.Render(o.At, in)
	if err != nil {
		return // no commit fails but at the end
	}
	if o.Unsent = d == nil; d != nil {
		o.Told = d.Told
		words := make([]string, 0, len(d.Alerts))
		for i := range d.Alerts {
			state := "firing"
			if !d.Alerts[i].EndsAt.IsZero() {
				state = "resolved"
			}
			words = append(words, state+" "+d.Alerts[i].Labels.String())
		}
		slices.Sort(words)
		r.mu.Lock()
		r.lines = append(r.lines, fmt.Sprintf("%s %s: %s", o.At.Format("15:04:05.000"), d.Key.Group, strings.Join(words, ", ")))
		r.mu.Unlock()
	}
	_ = r.engine.Done(ctx, o) // it fails only at the end
}

// news are the lines, by time; what is told in one instant has no order.
func (r *newsroom) news() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Sorted(slices.Values(r.lines))
}
