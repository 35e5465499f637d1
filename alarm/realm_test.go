package alarm_test

import (
	"cmp"
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
)

// TestRandomHistoriesOfAllParts is TestRandomHistories where everything that withholds and raises alerts is
// at work, before receivers of all kinds. Beside what must be true at the end, a restart and a reload
// of the same configuration must change no verdict at any time: that is how what is judged bit by bit,
// and remembered, compares with what is judged anew.
func TestRandomHistoriesOfAllParts(t *testing.T) {
	histories(t, 50, 160, func(t *testing.T, seed uint64, acts []act) (wrong []string) {
		r := playRealm(t, seed, acts, realmOptions{})
		if len(r.wrong) > 0 {
			wrong = slices.Concat(r.remotes.log, r.wrong)
		}
		return wrong
	})
}

// TestRandomHistoriesInAnyOrder has the same happen twice: once the sources that answer in one instant do
// so in the one order, and once in the other. All that is recorded must be the same.
func TestRandomHistoriesInAnyOrder(t *testing.T) {
	histories(t, 40, 160, func(t *testing.T, seed uint64, acts []act) (wrong []string) {
		r := playRealm(t, seed, acts, realmOptions{calm: true})
		other := playRealm(t, seed, acts, realmOptions{calm: true, reversed: true})
		for i := range min(len(r.recorded), len(other.recorded)) {
			if r.recorded[i] != other.recorded[i] {
				return append(r.remotes.log, "recorded was", r.recorded[i], "and in the other order", other.recorded[i])
			}
		}
		if a, b := len(r.recorded), len(other.recorded); a != b {
			wrong = append(r.remotes.log, fmt.Sprintf("%d lines were recorded, and in the other order %d", a, b))
		}
		return wrong
	})
}

type realmOptions struct {
	calm     bool // nothing fails, and the remotes answer at once
	reversed bool // the sources that answer together do so in the other order
}

func playRealm(t *testing.T, seed uint64, acts []act, o realmOptions) *realm {
	var r *realm
	synctest.Test(t, func(t *testing.T) {
		r = newRealm(t, seed, o)
		defer func() { r.end() }()
		for _, a := range acts {
			time.Sleep(time.Millisecond) // apart from all deadlines
			r.rng = rand.New(rand.NewPCG(a.dice, 2))
			r.step(a.kind)
			synctest.Wait()
		}
		r.rng = rand.New(rand.NewPCG(seed, 3))
		r.heal()
		r.check()
	})
	return r
}

// A realm is an engine with all its parts, the remotes that it tells, and what really fires.
type realm struct {
	realmOptions

	t       *testing.T
	rng     *rand.Rand
	store   *alarmtest.Store
	config  realmConfig
	engine  *alarm.Engine
	end     func()
	remotes *realmRemotes
	wrong   []string // what should not be

	fires     map[string]map[model.Fingerprint]alarm.Alert // by source
	failing   bool                                         // the store
	trouble   time.Time                                    // when that last changed, or the engine was restarted
	discarded map[alarm.IntentionKey]bool                  // dead letters that nobody wants to see
	recorded  []string                                     // all history, at the end of a calm realm
}

func newRealm(t *testing.T, seed uint64, o realmOptions) *realm {
	r := &realm{
		realmOptions: o, t: t, store: alarmtest.NewStore(), config: withEverything,
		remotes: &realmRemotes{seed: seed, calm: o.calm, open: map[alarm.IntentionKey]map[model.Fingerprint]bool{}},
		fires:   map[string]map[model.Fingerprint]alarm.Alert{"one": {}, "push": {}, "two": {}}, discarded: map[alarm.IntentionKey]bool{},
	}
	if seed%2 == 1 {
		r.config = realmConfig(seed / 2 % (withEverything + 1))
	}
	r.start()
	return r
}

func (r *realm) start() {
	offers := make(chan []alarm.Intention, 10000)
	e, err := alarm.NewEngine(alarm.EngineOptions{Store: r.store, Build: r.config.build, Offer: func(in []alarm.Intention) { offers <- in }})
	require.NoError(r.t, err)
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
					if r.calm {
						r.remotes.deliver(ctx, e, in)
						continue
					}
					wg.Go(func() { r.remotes.deliver(ctx, e, in) })
				}
			}
		}
	})
	r.engine, r.end = e, func() { cancel(); wg.Wait() }
	synctest.Wait()
}

func (r *realm) step(n int) {
	switch {
	case n < 30:
		r.change(true)
	case n < 50:
		r.change(false)
	case n < 55:
		source := []string{"one", "two"}[r.rng.IntN(2)]
		r.submit(alarm.Input{Snapshots: []alarm.Snapshot{{Source: source, At: time.Now(), Err: errors.New("refused")}}}, source+" fails")
	case n < 62:
		r.silence()
	case n < 66:
		r.restart()
	case n < 70:
		r.reload()
	case n < 73:
		r.remotes.mu.Lock()
		r.remotes.refuse = []float64{0, 0.3, 0.9}[r.rng.IntN(3)]
		r.remotes.mu.Unlock()
		r.trouble = time.Now()
		r.remotes.note("the remotes refuse %v", r.remotes.refuse)
	case n < 75 && !r.calm:
		r.fail(r.rng.IntN(2) == 0)
	case n < 80:
		r.somebody()
	case n < 82:
		r.obey()
	case n < 98:
		time.Sleep(time.Duration(r.rng.IntN(90)) * time.Second)
	default:
		time.Sleep(time.Duration(r.rng.IntN(20)) * time.Minute)
	}
}

func (r *realm) fault(format string, args ...any) {
	r.wrong = append(r.wrong, clock()+" "+fmt.Sprintf(format, args...))
}

func (r *realm) submit(in alarm.Input, what string) bool {
	err := r.engine.Submit(context.Background(), in)
	r.remotes.note("%s: %v", what, err)
	return err == nil
}

// alert is one of those that can fire.
func (r *realm) alert(now time.Time) alarm.Alert {
	pick := func(of ...string) model.LabelValue { return model.LabelValue(of[r.rng.IntN(len(of))]) }
	n := pick("0", "1", "2", "3")
	ls := model.LabelSet{
		"alertname": pick("ClusterDown", "Node", "Node", "Target", "Target", "Latency", "Disk", "Cpu"), "cluster": pick("0", "1"),
		"severity": pick("critical", "critical", "warning", "info"), "n": n,
	}
	switch ls["alertname"] {
	case "Node":
		ls["node"] = "h" + n
	case "Target", "Latency":
		ls["instance"] = "h" + n + ":9100"
	}
	return alarm.Alert{Labels: ls, StartsAt: now, EndsAt: now.Add(1000 * time.Hour), UpdatedAt: now}
}

// change has some alerts begin, or end, of which some sources speak in one instant.
func (r *realm) change(begin bool) {
	now := time.Now()
	next, pushed := map[string]map[model.Fingerprint]alarm.Alert{}, []alarm.Alert{}
	for range 1 + r.rng.IntN(5) {
		source := []string{"one", "push", "two"}[r.rng.IntN(3)]
		if next[source] == nil {
			next[source] = maps.Clone(r.fires[source])
		}
		a := r.alert(now)
		if !begin {
			known := slices.Sorted(maps.Keys(next[source]))
			if len(known) == 0 {
				continue
			}
			a = next[source][known[r.rng.IntN(len(known))]]
			a.EndsAt, a.UpdatedAt = now, now
			delete(next[source], a.Fingerprint())
		} else {
			next[source][a.Fingerprint()] = a
		}
		if source == "push" {
			pushed = slices.DeleteFunc(pushed, func(b alarm.Alert) bool { return b.Fingerprint() == a.Fingerprint() })
			pushed = append(pushed, a)
		}
	}
	r.answer(now, next, pushed)
}

// answer has the sources say what fires from now on.
func (r *realm) answer(now time.Time, next map[string]map[model.Fingerprint]alarm.Alert, pushed []alarm.Alert) {
	var in alarm.Input
	what := ""
	for _, source := range slices.Sorted(maps.Keys(next)) {
		s := alarm.Snapshot{Source: source, At: now, Partial: source == "push", Alerts: pushed}
		what += " " + source
		if !s.Partial {
			s.Alerts = nil
			for _, fp := range slices.Sorted(maps.Keys(next[source])) {
				a := next[source][fp]
				a.EndsAt = time.Time{}
				s.Alerts = append(s.Alerts, a)
			}
		}
		for _, a := range s.Alerts {
			ends := ""
			if a.EndsAt.Equal(now) {
				ends = "-"
			}
			what += fmt.Sprintf(" %s%s%s", ends, a.Fingerprint(), a.Labels)
		}
		in.Snapshots = append(in.Snapshots, s)
	}
	if r.reversed {
		slices.Reverse(in.Snapshots)
	}
	if r.submit(in, what) {
		maps.Copy(r.fires, next)
	}
}

// silence begins, prolongs or ends a silence or a window.
func (r *realm) silence() {
	now := time.Now()
	ms := []string{`n="%d"`, `cluster="%d"`, `alertname="Node",n="%d"`, `alertname=~"Node|Outage|ClusterDown",cluster="%d"`}
	s := &alarm.Silence{
		ID: fmt.Sprint("s", r.rng.IntN(4)), Matchers: matcher.MustParse(fmt.Sprintf(ms[r.rng.IntN(len(ms))], r.rng.IntN(2))),
		StartsAt: now, EndsAt: now.Add(time.Duration(r.rng.IntN(600)) * time.Second), UpdatedAt: now,
	}
	if r.rng.IntN(4) == 0 {
		s.EndsAt = now
	}
	if r.rng.IntN(2) == 0 {
		s.Kind, s.Grace, s.CloseOpen = alarm.KindWindow, time.Duration(r.rng.IntN(120))*time.Second, r.rng.IntN(2) == 0
	}
	r.submit(alarm.Input{Silences: []*alarm.Silence{s}}, fmt.Sprintf("%s %s %s for %s, grace %s, close %t", s.Kind, s.ID, s.Matchers, s.EndsAt.Sub(now), s.Grace, s.CloseOpen))
}

// restart kills the server and starts it again, at once or later. At once it says what it said before.
func (r *realm) restart() {
	before, comparable := r.verdicts()
	r.trouble = time.Now()
	r.end()
	if d := time.Duration(r.rng.IntN(60)) * time.Second; r.rng.IntN(2) == 0 {
		time.Sleep(d)
		comparable = false
	}
	r.remotes.note("restart")
	r.start()
	r.compare("a restart", before, comparable)
}

// reload replaces the configuration by another, or by itself.
func (r *realm) reload() {
	// What a remote accepted in the instant of a crash, or while the store was away, or though its answer
	// got lost, is told again by the route that told it. Only if that route is gone by then is it never
	// closed.
	if r.failing || r.remotes.refuse > 0 || time.Since(r.trouble) < 2*time.Minute {
		return
	}
	next := r.config
	if r.rng.IntN(2) == 0 {
		next ^= 1 << r.rng.IntN(7)
	}
	before, comparable := r.verdicts()
	err := r.engine.Reload(context.Background(), next.build, "")
	r.remotes.note("reload %07b: %v", next, err)
	if err == nil {
		r.compare("a reload", before, comparable && next == r.config)
		r.config = next
	}
	time.Sleep(10 * time.Second) // what is on its way to a group receiver arrives
}

// fail makes commits fail, or work again.
func (r *realm) fail(fails bool) {
	if r.failing = fails; r.failing {
		r.store.Fail(errors.New("disk full"))
	} else {
		r.store.Fail(nil)
	}
	r.trouble = time.Now()
	r.remotes.note("commits fail: %t", fails)
}

// somebody closes or acknowledges something at a remote. The reconciler learns of it.
func (r *realm) somebody() {
	var keys []alarm.IntentionKey
	r.remotes.mu.Lock()
	for key, open := range r.remotes.open {
		if key.Integration == "ops[0]" && len(open) > 0 {
			keys = append(keys, key)
		}
	}
	slices.SortFunc(keys, func(a, b alarm.IntentionKey) int { return cmp.Compare(a.String(), b.String()) })
	if len(keys) == 0 {
		r.remotes.mu.Unlock()
		return
	}
	c := alarm.RemoteChange{
		Key: keys[r.rng.IntN(len(keys))], At: time.Now(), By: "somebody",
		Kind: []alarm.RemoteKind{alarm.RemoteClosed, alarm.RemoteLeftClosed, alarm.RemoteAcknowledged}[r.rng.IntN(3)],
	}
	if c.Kind != alarm.RemoteAcknowledged {
		clear(r.remotes.open[c.Key])
	}
	r.remotes.mu.Unlock()
	r.submit(alarm.Input{Remotes: []alarm.RemoteChange{c}}, fmt.Sprintf("%s is %s", c.Key, c.Kind))
}

// obey has dead letters attempted again, or discarded.
func (r *realm) obey() {
	letters, err := r.engine.DeadLetters(context.Background())
	if err != nil || len(letters) == 0 {
		return
	}
	o := alarm.DeadOrder{Key: letters[r.rng.IntN(len(letters))].Key, Discard: r.rng.IntN(3) == 0}
	_, err = r.engine.Revive(context.Background(), o)
	r.remotes.note("dead letter %s, discard %t: %v", o.Key, o.Discard, err)
	if err == nil && o.Discard {
		r.discarded[o.Key] = true
	}
}
