package alarm_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/alarmtest"
	"github.com/tocsin/tocsin/alarm/matcher"
	"github.com/tocsin/tocsin/alarm/route"
)

// TestRandomHistories lets random things happen and holds the engine to what must never happen:
// what is open at the remote in the end is what fires (if we opened it, we close it), whatever
// crashes, refusals, silences, reloads and failures of store and sources lie between; nothing that
// fires is untold without a reason; and nobody is told twice of what they know.
func TestRandomHistories(t *testing.T) { histories(t, 700, 120, happen) }

// happen has the acts happen in a new world, and returns what should not have been, and before it what
// had happened.
func happen(t *testing.T, seed uint64, acts []act) []string {
	var wrong []string
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, seed)
		defer func() { w.end() }()
		for _, a := range acts {
			w.rng = rand.New(rand.NewPCG(a.dice, 2))
			w.step(a.kind)
		}
		w.rng = rand.New(rand.NewPCG(seed, 3))
		w.settle()
		if len(w.wrong) > 0 {
			wrong = slices.Concat(w.log, w.deliveries, w.wrong)
		}
	})
	return wrong
}

// A world is an engine, a remote that it tells, and what really fires.
type world struct {
	t       *testing.T
	rng     *rand.Rand
	store   *alarmtest.Store
	builds  []alarm.Build
	current alarm.Build
	engine  *alarm.Engine
	end     func()
	log     []string
	wrong   []string  // what should not be
	failing bool      // the store
	trouble time.Time // when it last changed, or the engine was restarted

	mu         sync.Mutex                                        // guards the fields below
	remote     *rand.Rand                                        // what the remote does
	refuse     float64                                           // the share of deliveries that the remote refuses
	open       map[alarm.IntentionKey]map[model.Fingerprint]bool // a remote tells groups apart
	pushed     map[model.Fingerprint]alarm.Alert                 // what the sender says to fire
	pulled     map[model.Fingerprint]alarm.Alert                 // what the pulled source says to fire
	deliveries []string
}

func newWorld(t *testing.T, seed uint64) *world {
	byName := []model.LabelName{model.AlertNameLabel}
	webhook := []alarm.IntegrationSpec{{Name: "webhook[0]", SendResolved: true}}
	a, b := alarm.ReceiverSpec{Name: "a", Integrations: webhook}, alarm.ReceiverSpec{Name: "b", Integrations: webhook}
	w := &world{
		t: t, remote: rand.New(rand.NewPCG(seed, 2)), store: alarmtest.NewStore(),
		open: map[alarm.IntentionKey]map[model.Fingerprint]bool{}, pushed: map[model.Fingerprint]alarm.Alert{}, pulled: map[model.Fingerprint]alarm.Alert{},
		builds: []alarm.Build{
			build(route.Route{Receiver: "a", GroupBy: byName}, nil, a, b),
			build(route.Route{Receiver: "a", GroupBy: byName, Routes: []route.Route{{Receiver: "b", Matchers: matcher.MustParse(`n="1"`)}}}, nil, a, b),
			build(route.Route{Receiver: "b", GroupBy: byName, Routes: []route.Route{{Receiver: "a", Continue: true, Matchers: matcher.MustParse(`n="2"`)}, {}}}, nil, a, b),
		},
	}
	w.current = w.builds[0]
	w.start()
	return w
}

func (w *world) start() {
	offers := make(chan []alarm.Intention, 10000)
	e, err := alarm.NewEngine(alarm.EngineOptions{Store: w.store, Build: w.current, Offer: func(in []alarm.Intention) { offers <- in }})
	require.NoError(w.t, err)
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
					wg.Go(func() { w.deliver(ctx, e, in) })
				}
			}
		}
	})
	w.engine, w.end = e, func() { cancel(); wg.Wait() }
	synctest.Wait()
}

// deliver is a remote that takes its time, refuses, and remembers what it was told.
func (w *world) deliver(ctx context.Context, e *alarm.Engine, in alarm.Intention) {
	o := alarm.Outcome{ID: in.ID, Key: in.Key}
	d, err := e.Render(time.Now(), in)
	for ; err != nil; d, err = e.Render(time.Now(), in) {
		if !pause(ctx, time.Second) {
			return
		}
	}
	o.Unsent = d == nil
	if d != nil {
		w.mu.Lock()
		took := time.Duration(w.remote.IntN(3)) * time.Second
		bad := w.remote.Float64() < w.refuse
		w.mu.Unlock()
		if took > 0 {
			select {
			case <-time.After(took):
			case <-ctx.Done():
			}
		}
		if ctx.Err() != nil {
			return // killed in flight: the remote never saw it
		}
		if bad {
			o.Err, o.Uncertain = errors.New("503"), in.Uncertain
			w.mu.Lock()
			w.deliveries = append(w.deliveries, fmt.Sprintf("%s %s refused, uncertain=%t", time.Now().Format("15:04:05"), d.Key, in.Uncertain))
			w.mu.Unlock()
		} else {
			o.Told = d.Told
			w.told(d)
		}
	}
	o.At = time.Now()
	for e.Done(ctx, o) != nil && ctx.Err() == nil {
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
		}
	}
}

func (w *world) told(d *alarm.Delivery) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range d.Alerts {
		w.deliveries = append(w.deliveries, fmt.Sprintf("%s %s %s %s %s resolved=%t (%s)", time.Now().Format("15:04:05"), d.Key, d.Action, d.Alerts[i].Fingerprint(), d.Alerts[i].Labels, !d.Alerts[i].EndsAt.IsZero(), d.Reason))
	}
	open := w.open[d.Key]
	if open == nil {
		open = map[model.Fingerprint]bool{}
		w.open[d.Key] = open
	}
	for i := range d.Alerts {
		fp := d.Alerts[i].Fingerprint()
		if d.Alerts[i].EndsAt.IsZero() {
			open[fp] = true
		} else {
			delete(open, fp)
		}
	}
}

func (w *world) step(n int) {
	now := time.Now()
	switch {
	case n < 30:
		w.push(w.alert(now), now)
	case n < 45:
		w.resolve(now)
	case n < 60:
		w.pull(now)
	case n < 65:
		w.submit(alarm.Input{Snapshots: []alarm.Snapshot{{Source: "pull", At: now, Err: errors.New("refused")}}}, "source fails")
	case n < 72:
		id := fmt.Sprint("s", w.rng.IntN(4))
		s := &alarm.Silence{ID: id, Matchers: matcher.MustParse(fmt.Sprintf(`n="%d"`, w.rng.IntN(4))), StartsAt: now, EndsAt: now.Add(time.Duration(w.rng.IntN(600)) * time.Second), UpdatedAt: now}
		w.submit(alarm.Input{Silences: []*alarm.Silence{s}}, "silence "+s.Matchers.String())
	case n < 75:
		w.note("restart")
		w.trouble = now
		w.end()
		w.start()
	case n < 78:
		// What a remote accepted in the instant of a crash, or while the store was away, is told
		// again by the route that told it. Only if that route is gone by then is it never closed.
		if w.failing || now.Sub(w.trouble) < time.Minute {
			return
		}
		next := w.builds[w.rng.IntN(len(w.builds))]
		err := w.engine.Reload(context.Background(), next, "")
		w.note("reload: %v", err)
		if err == nil {
			w.current = next
		}
		time.Sleep(10 * time.Second)
	case n < 80:
		w.mu.Lock()
		w.refuse = []float64{0, 0.3, 1}[w.rng.IntN(3)]
		w.note("the remote refuses %v", w.refuse)
		w.mu.Unlock()
	case n < 83:
		if w.rng.IntN(2) == 0 {
			w.fail(errors.New("disk full"))
		} else {
			w.fail(nil)
		}
	default:
		time.Sleep(time.Duration(w.rng.IntN(120)) * time.Second)
	}
	synctest.Wait()
}

// fail makes commits fail, or work again.
func (w *world) fail(err error) {
	w.failing, w.trouble = err != nil, time.Now()
	w.note("commits: %v", err)
	w.store.Inject(func(op alarmtest.Op) error {
		if op == alarmtest.OpCommit {
			return err
		}
		return nil
	})
}

func (w *world) note(format string, args ...any) {
	w.log = append(w.log, time.Now().Format("15:04:05 ")+fmt.Sprintf(format, args...))
}

func (w *world) fault(format string, args ...any) {
	w.wrong = append(w.wrong, fmt.Sprintf(format, args...))
}

func (w *world) submit(in alarm.Input, what string) bool {
	err := w.engine.Submit(context.Background(), in)
	w.note("%s: %v", what, err)
	return err == nil
}

func (w *world) alert(now time.Time) alarm.Alert {
	names := []string{"ClusterDown", "Disk", "Cpu"}
	ls := model.LabelSet{
		"alertname": model.LabelValue(names[w.rng.IntN(len(names))]),
		"n":         model.LabelValue(fmt.Sprint(w.rng.IntN(4))),
		"cluster":   model.LabelValue(fmt.Sprint(w.rng.IntN(2))),
	}
	return alarm.Alert{Labels: ls, StartsAt: now, EndsAt: now.Add(1000 * time.Hour), UpdatedAt: now}
}

func (w *world) push(a alarm.Alert, now time.Time) {
	if w.submit(alarm.Input{Snapshots: []alarm.Snapshot{{Source: "push", At: now, Partial: true, Alerts: []alarm.Alert{a}}}}, "push "+a.Fingerprint().String()+a.Labels.String()) {
		w.pushed[a.Fingerprint()] = a
	}
}

func (w *world) resolve(now time.Time) {
	fps := slices.Sorted(maps.Keys(w.pushed))
	if len(fps) == 0 {
		return
	}
	a := w.pushed[fps[w.rng.IntN(len(fps))]]
	a.EndsAt, a.UpdatedAt = now, now
	if w.submit(alarm.Input{Snapshots: []alarm.Snapshot{{Source: "push", At: now, Partial: true, Alerts: []alarm.Alert{a}}}}, "resolve "+a.Fingerprint().String()+a.Labels.String()) {
		delete(w.pushed, a.Fingerprint())
	}
}

// pull reads the other source, in which alerts come and go.
func (w *world) pull(now time.Time) {
	next := maps.Clone(w.pulled)
	if a := w.alert(now); w.rng.IntN(2) == 0 {
		a.EndsAt = time.Time{}
		next[a.Fingerprint()] = a
	} else {
		delete(next, a.Fingerprint())
	}
	s := alarm.Snapshot{Source: "pull", At: now}
	for _, fp := range slices.Sorted(maps.Keys(next)) {
		s.Alerts = append(s.Alerts, next[fp])
	}
	if w.submit(alarm.Input{Snapshots: []alarm.Snapshot{s}}, fmt.Sprintf("pull %v", slices.Sorted(maps.Keys(next)))) {
		w.pulled = next
	}
}

// settle lets everything heal and checks what must hold then.
func (w *world) settle() {
	w.fail(nil)
	w.mu.Lock()
	w.refuse = 0
	w.mu.Unlock()
	time.Sleep(15 * time.Second) // the engine tries the store again
	w.pull(time.Now())           // a stale source would not outvote the sender
	time.Sleep(20 * time.Minute) // longer than any silence, flush and retry
	synctest.Wait()
	w.note("settled")

	// Everything that fires is told, or withheld for a reason.
	firing := map[model.Fingerprint]bool{}
	for fp := range w.pushed {
		firing[fp] = true
	}
	for fp := range w.pulled {
		firing[fp] = true
	}
	readings, err := w.engine.Alerts(context.Background())
	require.NoError(w.t, err)
	known := map[model.Fingerprint]bool{}
	for _, r := range readings {
		fp := r.Alert.Fingerprint()
		known[fp] = true
		for _, receiver := range r.Receivers {
			if !w.openAt(receiver, fp) && !r.Verdict.Withheld() {
				w.fault("%s fires, is not withheld, and %s was not told", r.Alert.Labels, receiver)
			}
		}
	}
	if !maps.Equal(firing, known) {
		w.fault("what fires is %v, and should be %v", known, firing)
	}
	// Everything that is open there fires.
	for key, open := range w.open {
		for fp := range open {
			if !firing[fp] {
				w.fault("%s is open at %s and does not fire", fp, key)
			}
		}
	}
}

// openAt says whether a receiver was told in any group that the alert fires, and not there that it ended.
func (w *world) openAt(receiver string, fp model.Fingerprint) bool {
	for key, open := range w.open {
		if key.Receiver == receiver && open[fp] {
			return true
		}
	}
	return false
}
