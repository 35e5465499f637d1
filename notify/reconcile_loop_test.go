package notify_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/notify"
)

// both is a remote and a desk that a test sets.
type both struct {
	mu       sync.Mutex
	listed   []notify.Incident
	closed   map[string]notify.Incident
	believed []notify.Belief
	stale    bool
	err      error

	lists, reads int
	did          []string
}

func (b *both) List(context.Context) ([]notify.Incident, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lists++
	return slices.Clone(b.listed), b.err
}

func (b *both) Read(_ context.Context, alias string, _ []byte) (notify.Incident, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reads++
	for _, in := range b.listed {
		if in.Alias == alias {
			return in, b.err
		}
	}
	return b.closed[alias], b.err
}

func (b *both) Close(_ context.Context, in notify.Incident, note string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.did = append(b.did, "close "+in.Alias+": "+note)
	b.listed = slices.DeleteFunc(b.listed, func(l notify.Incident) bool { return l.ID == in.ID })
	return b.err
}

func (b *both) Beliefs(context.Context) ([]notify.Belief, bool, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.believed), !b.stale, nil
}

func (b *both) Apply(_ context.Context, steps []notify.Step) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range steps {
		b.did = append(b.did, s.Action.String()+" "+s.Alias)
		for i := range b.believed {
			switch have := &b.believed[i]; {
			case have.Alias != s.Alias:
			case s.Action == notify.StepReopen:
				have.ToldAt = time.Now()
				b.listed = append(b.listed, notify.Incident{ID: "new " + s.Alias, Alias: s.Alias, Open: true, Ours: true, CreatedAt: time.Now()})
			case s.Action == notify.StepAcknowledge:
				have.Acknowledged, have.AcknowledgedBy = s.Incident.Acknowledged, s.Incident.AcknowledgedBy
			}
		}
	}
	return nil
}

func (b *both) set(change func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change()
}

// took returns what was done since the last call.
func (b *both) took() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	did := b.did
	b.did = nil
	return did
}

func reconciling(t *testing.T, b *both, opts notify.ReconcilerOptions, do func(r *notify.Reconciler)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r, err := notify.NewReconciler(b, b, opts)
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- r.Run(ctx) }()
		synctest.Wait()
		do(r)
		cancel()
		require.NoError(t, <-done)
	})
}

func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestReconcilerClosesOrphans(t *testing.T) {
	b := &both{listed: []notify.Incident{{ID: "1", Alias: "a", Open: true, Ours: true}, {ID: "2", Alias: "b", Open: true}}, stale: true}
	registry := prometheus.NewPedanticRegistry()
	reconciling(t, b, notify.ReconcilerOptions{Registerer: registry}, func(r *notify.Reconciler) {
		pass(30 * time.Minute)
		assert.Empty(t, b.took(), "not while a source is stale")
		assert.Equal(t, 1, r.Status().Drift)
		b.set(func() { b.stale = false })
		pass(5 * time.Minute)
		assert.Equal(t, []string{"close a: Closed by tocsin: open here, but nothing fires for it."}, b.took())
		pass(5 * time.Minute)
		assert.Equal(t, 0, r.Status().Drift)
		assert.Len(t, b.listed, 1, "what is not ours stays")
		problems, err := testutil.GatherAndLint(registry)
		require.NoError(t, err)
		assert.Empty(t, problems)
	})
}

func TestReconcilerReopens(t *testing.T) {
	b := &both{closed: map[string]notify.Incident{"a": {Alias: "a", ClosedBy: "ann"}}}
	policy := notify.Policy{ReopenDefault: notify.Reopen{After: 10 * time.Minute}}
	reconciling(t, b, notify.ReconcilerOptions{Policy: policy}, func(r *notify.Reconciler) {
		b.set(func() { b.believed = []notify.Belief{{Alias: "a", Open: true, ToldAt: time.Now().Add(-time.Hour)}} })
		pass(5 * time.Minute) // found: closed since now, as far as anybody knows
		pass(9 * time.Minute)
		assert.Empty(t, b.took())
		assert.Equal(t, 1, b.reads, "read once, not at each interval")
		pass(2 * time.Minute)
		assert.Equal(t, []string{"reopen a"}, b.took())
		pass(time.Hour)
		assert.Empty(t, b.took())
		assert.Equal(t, 0, r.Status().Drift)
	})
}

func TestReconcilerHint(t *testing.T) {
	b := &both{closed: map[string]notify.Incident{}}
	reconciling(t, b, notify.ReconcilerOptions{}, func(r *notify.Reconciler) {
		b.set(func() {
			b.believed = []notify.Belief{{Alias: "a", Open: true, ToldAt: time.Now().Add(-time.Hour)}, {Alias: "b", Open: true, ToldAt: time.Now().Add(-time.Hour)}}
			b.listed = []notify.Incident{{ID: "1", Alias: "a", Open: true, Ours: true, Acknowledged: true, AcknowledgedBy: "bob"}, {ID: "2", Alias: "b", Open: true, Ours: true}}
		})
		lists := b.lists
		r.Hint("a")
		r.Hint("unknown")
		synctest.Wait()
		assert.Equal(t, []string{"acknowledge a"}, b.took(), "at once")
		b.set(func() { b.listed = b.listed[:1] })
		r.Hint("b")
		synctest.Wait()
		assert.Equal(t, []string{"reopen b"}, b.took())
		assert.Equal(t, lists, b.lists, "without a list")
	})
}

// Hints do not put off what a policy's delay counts from.
func TestReconcilerHintsKeepTheDelay(t *testing.T) {
	b := &both{closed: map[string]notify.Incident{}}
	policy := notify.Policy{ReopenDefault: notify.Reopen{After: 10 * time.Minute}}
	reconciling(t, b, notify.ReconcilerOptions{Policy: policy}, func(r *notify.Reconciler) {
		b.set(func() { b.believed = []notify.Belief{{Alias: "a", Open: true, ToldAt: time.Now().Add(-time.Hour)}} })
		for range 16 {
			r.Hint("a")
			pass(time.Minute)
		}
		assert.Equal(t, []string{"reopen a"}, b.took())
	})
}

func TestReconcilerFailures(t *testing.T) {
	b := &both{listed: []notify.Incident{{ID: "1", Alias: "a", Open: true, Ours: true}}, err: errors.New("503")}
	reconciling(t, b, notify.ReconcilerOptions{}, func(r *notify.Reconciler) {
		pass(20 * time.Minute)
		assert.Empty(t, b.took())
		assert.EqualError(t, r.Status().Err, "list what is open: 503")
		b.set(func() {
			b.err = &notify.ThrottledError{After: time.Hour, Err: errors.New("429")}
			b.lists = 0
		})
		pass(time.Hour)
		assert.Equal(t, 1, b.lists, "what asks to be left alone is")
		b.set(func() { b.err = nil })
		pass(10 * time.Minute)
		assert.Len(t, b.took(), 1)
		assert.NoError(t, r.Status().Err)
	})
}

func TestReconcilerApprove(t *testing.T) {
	b := &both{}
	for _, alias := range []string{"a", "b", "c"} {
		b.listed = append(b.listed, notify.Incident{ID: alias, Alias: alias, Open: true, Ours: true})
	}
	reconciling(t, b, notify.ReconcilerOptions{Policy: notify.Policy{GuardFloor: -1}}, func(r *notify.Reconciler) {
		pass(time.Hour)
		assert.Empty(t, b.took())
		assert.Contains(t, r.Status().Guarded, "3 of 3 open incidents would be closed")
		r.Approve()
		synctest.Wait()
		assert.Len(t, b.took(), 3)
	})
}

func TestNewReconcilerRefuses(t *testing.T) {
	_, err := notify.NewReconciler(&both{}, &both{}, notify.ReconcilerOptions{Policy: notify.Policy{
		GuardShare: 2, ReopenDefault: notify.Reopen{After: -1},
	}})
	assert.EqualError(t, err, "policy: guard share 2 is not between 0 and 1\nreopen after -1ns: must not be negative")
}
