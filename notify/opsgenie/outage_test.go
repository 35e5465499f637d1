package opsgenie_test

import (
	"context"
	"fmt"
	"path"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/alarmtest"
	"github.com/tocsin/tocsin/alarm/route"
	"github.com/tocsin/tocsin/dedupe"
	"github.com/tocsin/tocsin/notify"
	"github.com/tocsin/tocsin/notify/opsgenie/opsgenietest"
)

// A whole is an engine, a deliverer, a client and a fake service, without a socket between them.
type whole struct {
	*rig
	engine *alarm.Engine
	firing map[string]bool
}

// newWhole runs everything until stop is called.
func newWhole(t *testing.T, r *rig) (w *whole, stop func()) {
	t.Helper()
	w = &whole{rig: r, firing: map[string]bool{}}
	build := func(now time.Time, s *alarm.Stored) (alarm.Parts, error) {
		presence, err := dedupe.NewPresence(now, s, dedupe.Options{Sources: []string{"lab"}})
		if err != nil {
			return alarm.Parts{}, err
		}
		tree, err := route.New(route.Route{Receiver: "ops"}, nil)
		return alarm.Parts{Presence: presence, Router: tree, Receivers: []alarm.ReceiverSpec{
			{Name: "ops", Integrations: []alarm.IntegrationSpec{{Name: "incidents[0]", SendResolved: true, Level: true}}},
		}}, err
	}
	var deliverer *notify.Deliverer
	engine, err := alarm.NewEngine(alarm.EngineOptions{
		Store: alarmtest.NewStore(), Build: build, Offer: func(in []alarm.Intention) { deliverer.Offer(in) },
	})
	require.NoError(t, err)
	w.engine = engine
	deliverer, err = notify.New(engine, notify.Receivers{
		"ops": {{Name: "incidents[0]", Receiver: r.client, Timeout: notify.UntilDeadline}},
	}, notify.Options{Workers: 1})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { assert.NoError(t, engine.Run(ctx)) })
	wg.Go(func() { assert.NoError(t, deliverer.Run(ctx)) })
	return w, func() { cancel(); wg.Wait() }
}

func named(name string) model.LabelSet { return model.LabelSet{"alertname": model.LabelValue(name)} }

func names(kind string, n int) (all []string) {
	for i := range n {
		all = append(all, fmt.Sprintf("%s%03d", kind, i))
	}
	return all
}

// change has alerts begin and end.
func (w *whole) change(begin, end []string) {
	w.t.Helper()
	for _, name := range begin {
		w.firing[name] = true
	}
	for _, name := range end {
		delete(w.firing, name)
	}
	s := alarm.Snapshot{Source: "lab"}
	for name := range w.firing { // the order means nothing to the engine
		s.Firing(named(name))
	}
	require.NoError(w.t, w.engine.Submit(w.t.Context(), alarm.Input{Snapshots: []alarm.Snapshot{s}}))
}

// incidents are those that an alert ever had.
func (w *whole) incidents(name string) (all []opsgenietest.Alert) {
	for _, a := range w.server.Alerts() {
		if path.Base(a.Alias) == named(name).Fingerprint().String() {
			all = append(all, a)
		}
	}
	return all
}

// The service is away for two hours. Afterwards what is open there is what fires, the oldest was opened
// first, and of what came and went meanwhile nobody hears.
func TestTwoHoursWithoutTheService(t *testing.T) {
	for name, fault := range map[string]opsgenietest.Fault{
		"no connection": {Kind: opsgenietest.Lose},
		"503":           {Kind: opsgenietest.Refuse},
		"no answer":     {Kind: opsgenietest.Hang},
	} {
		t.Run(name, func(t *testing.T) {
			everywhere(t, opsgenietest.Options{}, func(t *testing.T, r *rig) {
				w, stop := newWhole(t, r)
				defer stop()
				w.withoutTheService(fault)
			})
		})
	}
}

func (w *whole) withoutTheService(fault opsgenietest.Fault) {
	t := w.t
	steady, ending, blinking := names("steady", 10), names("ending", 10), names("blinking", 10)
	w.change(slices.Concat(steady, ending, blinking), nil)
	time.Sleep(5 * time.Minute)
	require.Len(t, w.server.Open(), 30)

	w.server.Inject(fault)
	came, fresh := names("came", 120), names("new", 20)
	for minute := range 120 {
		w.change(came[minute:minute+1], nil)
		switch {
		case minute == 20:
			w.change(nil, slices.Concat(ending, blinking))
		case minute == 50:
			w.change(blinking, nil)
		case minute%6 == 1:
			w.change(fresh[minute/6:minute/6+1], nil)
		}
		time.Sleep(time.Minute)
		w.change(nil, came[minute:minute+1])
	}
	w.server.Forget()
	w.server.Heal()
	time.Sleep(5 * time.Minute)

	open, want := map[string]bool{}, map[string]bool{}
	for _, a := range w.server.Open() {
		open[path.Base(a.Alias)] = true
	}
	for name := range w.firing {
		want[named(name).Fingerprint().String()] = true
	}
	assert.Equal(t, want, open)
	for _, name := range came {
		assert.Empty(t, w.incidents(name), "it came and went")
	}
	for _, name := range slices.Concat(steady, ending, blinking, fresh) {
		assert.Len(t, w.incidents(name), 1, name)
	}
	w.inOrder(fresh)
	writes := 0
	for _, req := range w.server.Requests() {
		if req.Method != "GET" && req.Status/100 == 2 {
			writes++
		}
	}
	if fault.Kind == opsgenietest.Hang { // what came and went may have been taken: its end is told, to be sure
		writes = min(writes, len(fresh)+len(ending))
	}
	assert.Equal(t, len(fresh)+len(ending), writes, "what is new, and what has ended")
}

// inOrder says whether the incidents were opened in the order of their alerts, but for the one whose turn
// it was when the service came back.
func (w *whole) inOrder(names []string) {
	w.t.Helper()
	var opened []time.Time
	for _, name := range names {
		for _, a := range w.incidents(name) {
			opened = append(opened, a.CreatedAt)
		}
	}
	disorder := 0
	for i := 1; i < len(opened); i++ {
		if opened[i].Before(opened[i-1]) {
			disorder++
		}
	}
	assert.LessOrEqual(w.t, disorder, 1, "the oldest first: %v", opened)
}
