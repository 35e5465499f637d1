package web

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/depgraph"
)

// A reading is all that the pages need to know of the engine, read at about one instant.
type reading struct {
	until    time.Time // how long it may be shown to others
	groups   []alarm.GroupReading
	alerts   []alarm.Reading // sorted by fingerprint
	silences map[string]*alarm.Silence
	explains map[model.Fingerprint]int // how many alerts each cause explains, those at the end of chains too
	graph    func() depgraph.Drawing   // made when it is first asked for
}

// find returns the alert with this fingerprint, or nil.
func (r *reading) find(fp model.Fingerprint) *alarm.Alert {
	if found := r.reading(fp); found != nil {
		return found.Alert
	}
	return nil
}

// reading is find with what is decided about the alert.
func (r *reading) reading(fp model.Fingerprint) *alarm.Reading {
	i, found := slices.BinarySearchFunc(r.alerts, fp, func(a alarm.Reading, fp model.Fingerprint) int {
		switch x := a.Alert.Fingerprint(); {
		case x < fp:
			return -1
		case x > fp:
			return 1
		default:
			return 0
		}
	})
	if !found {
		return nil
	}
	return &r.alerts[i]
}

// share is how many times as long as it took to make, and longest how long at most, a reading is
// shown to everybody who asks. So viewers together cost the engine at most a tenth of one CPU, and a
// small installation sees every page made afresh.
const (
	share   = 10
	longest = 3 * time.Second
)

// readings reads the engine for one viewer at a time and lets the others share what was read. It
// lets go of a reading when its time is over: at 100,000 alerts one holds many megabytes, for which
// nobody may ask again.
type readings struct {
	engine Reader
	turn   chan struct{} // held by who reads the engine
	last   *atomic.Pointer[reading]
}

func newReadings(engine Reader) readings {
	return readings{engine: engine, turn: make(chan struct{}, 1), last: new(atomic.Pointer[reading])}
}

// take returns a reading that is at most as old as share and longest say.
func (rs readings) take(ctx context.Context) (*reading, error) {
	select {
	case rs.turn <- struct{}{}:
		defer func() { <-rs.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if last := rs.last.Load(); last != nil && time.Now().Before(last.until) {
		return last, nil
	}
	fresh, err := read(ctx, rs.engine)
	if err != nil {
		return nil, err
	}
	rs.last.Store(fresh)
	time.AfterFunc(time.Until(fresh.until), func() { rs.last.CompareAndSwap(fresh, nil) })
	return fresh, nil
}

func read(ctx context.Context, engine Reader) (*reading, error) {
	began := time.Now()
	groups, err := engine.Groups(ctx)
	if err != nil {
		return nil, fmt.Errorf("read groups: %w", err)
	}
	alerts, err := engine.Alerts(ctx)
	if err != nil {
		return nil, fmt.Errorf("read alerts: %w", err)
	}
	silences, err := engine.Silences(ctx)
	if err != nil {
		return nil, fmt.Errorf("read silences: %w", err)
	}
	r := &reading{groups: groups, alerts: alerts, silences: make(map[string]*alarm.Silence, len(silences)), explains: countExplained(alerts)}
	r.graph = sync.OnceValue(func() depgraph.Drawing { return depgraph.Draw(alerts, graphNodes) })
	for _, s := range silences {
		r.silences[s.ID] = s
	}
	now := time.Now()
	r.until = now.Add(min(share*now.Sub(began), longest))
	return r, nil
}
