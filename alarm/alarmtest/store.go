package alarmtest

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
)

// A Lease says who may commit. It is time-bound where the database is shared, and bound to the
// process where it is not.
type Lease interface {
	// Acquire takes the lease and returns a generation that is higher than any before, or an error
	// at once if somebody else holds it.
	Acquire(ctx context.Context) (generation int64, err error)

	// Renew says until when the lease is surely held; the zero time means for as long as the
	// process lives. It returns alarm.ErrLeaseLost if it is not held any more.
	Renew(ctx context.Context, generation int64) (until time.Time, err error)

	// Release gives the lease back.
	Release(ctx context.Context, generation int64) error
}

// An Archive is the history as a whole.
type Archive interface {
	// Records returns what was recorded after the record with this ID, in the order of the commits.
	Records(ctx context.Context, after int64, limit int) ([]alarm.Record, error)

	// Prune deletes at most limit records that are older than before, and says how many.
	Prune(ctx context.Context, before time.Time, limit int) (int, error)
}

// An Installation is what a database knows of itself.
type Installation interface {
	// InstanceID is made once and never changes.
	InstanceID(ctx context.Context) (string, error)

	// Import commits a plan once: later calls for the same thing return false.
	Import(ctx context.Context, generation int64, what string, p *alarm.Plan) (bool, error)

	// Imported says whether that has happened.
	Imported(ctx context.Context, what string) (bool, error)
}

// A Database is what ExerciseStore exercises.
type Database interface {
	alarm.Store
	alarm.Historian
	Lease
	Archive
	Installation
	io.Closer
}

// ExerciseStore runs the conformance suite. fresh makes an empty database and returns a function
// that opens it, again and again: the suite closes what it opened before it opens it anew.
func ExerciseStore(t *testing.T, fresh func(t *testing.T) (open func(t *testing.T) Database)) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, *fixture)
	}{
		{"Empty", exerciseEmpty},
		{"RoundTrip", exerciseRoundTrip},
		{"Zero values", exerciseZero},
		{"Hostile text", exerciseHostile},
		{"Replace and delete", exerciseReplace},
		{"Removal wins", exerciseRemovalWins},
		{"Rows in order", exerciseRowOrder},
		{"Order", exerciseOrder},
		{"Idempotence", exerciseIdempotence},
		{"Atomicity", exerciseAtomicity},
		{"Generation", exerciseGeneration},
		{"History", exerciseHistory},
		{"History range", exerciseHistoryRange},
		{"Prune", exercisePrune},
		{"Prune everything", exercisePruneEverything},
		{"Import", exerciseImport},
		{"Readers", exerciseReaders},
		{"Random plans", exerciseRandom},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := &fixture{t: t, open: fresh(t), now: epoch}
			f.reopen()
			t.Cleanup(func() { assert.NoError(t, f.db.Close()) })
			test.run(t, f)
		})
	}
}

// epoch is when all tests begin.
var epoch = time.Date(2026, time.March, 4, 5, 6, 7, 89, time.UTC)

// A fixture is an open database, whose lease is held.
type fixture struct {
	t          *testing.T
	open       func(*testing.T) Database
	db         Database
	generation int64
	now        time.Time
}

// reopen closes the database and opens it again.
func (f *fixture) reopen() {
	if f.db != nil {
		require.NoError(f.t, f.db.Close())
	}
	f.db = f.open(f.t)
	var err error
	f.generation, err = f.db.Acquire(f.t.Context())
	require.NoError(f.t, err)
}

// commit commits p a second after the last plan.
func (f *fixture) commit(p *alarm.Plan) {
	f.t.Helper()
	f.now = f.now.Add(time.Second)
	p.At = f.now
	require.NoError(f.t, f.db.Commit(f.t.Context(), f.generation, p))
}

func (f *fixture) load() *alarm.Stored {
	f.t.Helper()
	s, err := f.db.Load(f.t.Context())
	require.NoError(f.t, err)
	return s
}

func (f *fixture) records() []alarm.Record {
	f.t.Helper()
	r, err := f.db.Records(f.t.Context(), 0, 0)
	require.NoError(f.t, err)
	return r
}

func exerciseEmpty(t *testing.T, f *fixture) {
	assert.Equal(t, &alarm.Stored{}, f.load())
	assert.Empty(t, f.records())
	f.commit(&alarm.Plan{})
	assert.Equal(t, &alarm.Stored{}, f.load())
	assert.Empty(t, f.records(), "an empty plan is no news")
}

func exerciseRoundTrip(t *testing.T, f *fixture) {
	p := fullPlan()
	requireFull(t, "Plan", p, removalOf(p))
	f.commit(p)
	want := storedOf(p)
	assertStored(t, want, f.load())
	f.reopen()
	assertStored(t, want, f.load())
}

func exerciseZero(t *testing.T, f *fixture) {
	p := &alarm.Plan{
		Inputs:   []alarm.Change{{Alert: alertOf(alarm.Alert{Labels: model.LabelSet{"a": "b"}})}},
		Silences: []*alarm.Silence{{ID: "s"}},
		Add:      []alarm.Intention{{ID: 1}},
		Exclude:  []alarm.Verdict{{Fingerprint: 1, Suppressions: []alarm.Suppression{{Fingerprint: 1}}}},
		Groups:   []alarm.GroupState{{Group: &alarm.Group{}}},
		Told:     []alarm.Told{{}},
		Rows:     []alarm.Row{{Value: []byte{}}},
	}
	f.commit(p)
	assertStored(t, storedOf(p), f.load())

	local := time.FixedZone("far away", 13*3600)
	at := epoch.In(local)
	f.commit(&alarm.Plan{Inputs: []alarm.Change{{Alert: &alarm.Alert{Labels: model.LabelSet{"zone": "other"}, StartsAt: at}}}})
	for _, a := range f.load().Alerts {
		if a.Labels["zone"] == "other" {
			assert.True(t, epoch.Equal(a.StartsAt), "%v", a.StartsAt)
		}
	}
}

func exerciseHostile(t *testing.T, f *fixture) {
	var all alarm.Stored
	for i, text := range hostileTexts() {
		p := hostilePlan(int64(i+1), text)
		f.commit(p)
		merge(&all, storedOf(p))
	}
	assertStored(t, &all, f.load())
	f.reopen()
	assertStored(t, &all, f.load())
	for _, r := range f.records() {
		assert.True(t, json.Valid(r.Body), "record %d: %q", r.ID, r.Body)
	}
}

func exerciseReplace(t *testing.T, f *fixture) {
	old, replaced := fullPlan(), changedPlan()
	f.commit(old)
	f.commit(replaced)
	assertStored(t, storedOf(replaced), f.load())
	f.commit(removalOf(replaced))
	assert.Equal(t, &alarm.Stored{}, f.load())
	f.reopen()
	assert.Equal(t, &alarm.Stored{}, f.load())
	f.commit(old)
	assertStored(t, storedOf(old), f.load())
}

// exerciseRemovalWins commits plans that set something and remove it.
func exerciseRemovalWins(t *testing.T, f *fixture) {
	p := fullPlan()
	gone := removalOf(p)
	p.Forgotten, p.RemovedSilences, p.EndedGroups = gone.Forgotten, gone.RemovedSilences, gone.EndedGroups
	p.DroppedTold, p.Outcomes = gone.DroppedTold, gone.Outcomes
	f.commit(p)
	assertStored(t, &alarm.Stored{Rows: p.Rows}, f.load())
}

func exerciseRowOrder(t *testing.T, f *fixture) {
	set := func(key, value string) alarm.Row { return alarm.Row{Part: "p", Key: key, Value: []byte(value)} }
	removed := func(part, key string) alarm.Row { return alarm.Row{Part: part, Key: key} }
	f.commit(&alarm.Plan{Rows: []alarm.Row{
		set("kept", "1"), set("gone", "1"), removed("p", "gone"), set("back", "1"), removed("p", "back"),
		set("kept", "2"), set("back", ""), removed("q", "never"),
	}})
	assertStored(t, &alarm.Stored{Rows: []alarm.Row{set("back", ""), set("kept", "2")}}, f.load())
}

func exerciseIdempotence(t *testing.T, f *fixture) {
	p := fullPlan()
	f.commit(p)
	f.commit(p)
	assertStored(t, storedOf(p), f.load())
	gone := removalOf(p)
	f.commit(gone)
	f.commit(gone)
	assert.Equal(t, &alarm.Stored{}, f.load())
}

// exerciseAtomicity interrupts a commit at each point at which it looks at its context.
func exerciseAtomicity(t *testing.T, f *fixture) {
	f.commit(fullPlan())
	before, records := f.load(), len(f.records())
	next := changedPlan()
	next.At = f.now
	for n := 0; ; n++ {
		require.Less(t, n, 10_000, "a commit looks at its context this often")
		ctx := &fragileContext{Context: t.Context(), left: n}
		err := f.db.Commit(ctx, f.generation, next)
		if err == nil {
			break
		}
		require.ErrorIs(t, err, context.Canceled)
		assertStored(t, before, f.load())
		require.Len(t, f.records(), records, "interrupted at %d", n)
	}
	assertStored(t, storedOf(next), f.load())
	require.Greater(t, len(f.records()), records)
}

// A fragileContext is cancelled after it was looked at a number of times.
type fragileContext struct {
	context.Context //nolint:containedctx // it is a context itself, around another

	mu   sync.Mutex // guards left
	left int
}

func (c *fragileContext) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.left--; c.left < 0 {
		return context.Canceled
	}
	return nil
}

func (c *fragileContext) Done() <-chan struct{} {
	if c.Err() == nil {
		return nil
	}
	done := make(chan struct{})
	close(done)
	return done
}

func exerciseGeneration(t *testing.T, f *fixture) {
	ctx := t.Context()
	p := fullPlan()
	p.At = f.now
	first := f.generation
	for _, wrong := range []int64{first - 1, first + 1, -1} {
		require.ErrorIs(t, f.db.Commit(ctx, wrong, p), alarm.ErrLeaseLost)
	}
	assert.Equal(t, &alarm.Stored{}, f.load())
	assert.Empty(t, f.records())
	_, err := f.db.Renew(ctx, first)
	require.NoError(t, err)

	second, err := f.db.Acquire(ctx)
	require.NoError(t, err)
	require.Greater(t, second, first)
	_, err = f.db.Renew(ctx, first)
	require.ErrorIs(t, err, alarm.ErrLeaseLost)
	require.ErrorIs(t, f.db.Release(ctx, first), alarm.ErrLeaseLost)
	require.ErrorIs(t, f.db.Commit(ctx, first, p), alarm.ErrLeaseLost, "a late leader")
	require.NoError(t, f.db.Commit(ctx, second, p))
	assertStored(t, storedOf(p), f.load())

	require.NoError(t, f.db.Release(ctx, second))
	require.ErrorIs(t, f.db.Commit(ctx, second, changedPlan()), alarm.ErrLeaseLost)
	f.reopen()
	require.Greater(t, f.generation, second, "it is kept")
	assertStored(t, storedOf(p), f.load())
	f.commit(changedPlan())
	assertStored(t, storedOf(changedPlan()), f.load())
}

func exerciseImport(t *testing.T, f *fixture) {
	ctx := t.Context()
	id, err := f.db.InstanceID(ctx)
	require.NoError(t, err)
	require.NotEmpty(t, id)
	p := fullPlan()
	p.At = f.now

	done, err := f.db.Import(ctx, f.generation+1, "files", p)
	require.ErrorIs(t, err, alarm.ErrLeaseLost)
	assert.False(t, done)
	imported, err := f.db.Imported(ctx, "files")
	require.NoError(t, err)
	assert.False(t, imported, "the plan was refused, and the mark with it")

	done, err = f.db.Import(ctx, f.generation, "files", p)
	require.NoError(t, err)
	assert.True(t, done)
	f.reopen()
	done, err = f.db.Import(ctx, f.generation, "files", changedPlan())
	require.NoError(t, err)
	assert.False(t, done)
	assertStored(t, storedOf(p), f.load())
	for what, want := range map[string]bool{"files": true, "others": false} {
		imported, err := f.db.Imported(ctx, what)
		require.NoError(t, err)
		assert.Equal(t, want, imported, what)
	}
	again, err := f.db.InstanceID(ctx)
	require.NoError(t, err)
	assert.Equal(t, id, again)
}

// exerciseReaders reads while plans are committed that each write one value into several tables.
func exerciseReaders(t *testing.T, f *fixture) {
	mark := func(n int) *alarm.Plan {
		text := string(rune('A' + n%26))
		return &alarm.Plan{
			Inputs:   []alarm.Change{{Kind: alarm.Changed, Alert: alertOf(alarm.Alert{Labels: model.LabelSet{"a": "b"}, GeneratorURL: text})}},
			Silences: []*alarm.Silence{{ID: "s", Comment: text}},
			Rows:     []alarm.Row{{Part: "p", Key: "k", Value: []byte(text)}},
		}
	}
	f.commit(mark(0))
	stop := make(chan struct{})
	read := make(chan error, 2)
	for range cap(read) {
		go func() { read <- readWhole(f.db, stop) }()
	}
	for n := range 100 {
		f.commit(mark(n))
	}
	close(stop)
	for range cap(read) {
		assert.NoError(t, <-read)
	}
}

// readWhole loads until stop is closed, and fails if it sees half of a plan.
func readWhole(db Database, stop chan struct{}) error {
	for {
		s, err := db.Load(context.Background())
		if err != nil {
			return err
		}
		seen := []string{s.Alerts[0].GeneratorURL, s.Silences[0].Comment, string(s.Rows[0].Value)}
		if len(slices.Compact(seen)) != 1 {
			return errors.New("half of a plan was visible")
		}
		select {
		case <-stop:
			return nil
		default:
		}
	}
}
