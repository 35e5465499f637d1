package alarmtest

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
)

// ErrInjected is an error for [Store.Inject] that means nothing in particular.
var ErrInjected = errors.New("injected")

// An Op is something that a Store is asked to do, and may fail at.
type Op string

// The operations of a Store. A failure at OpCommitted comes after the commit took effect: its
// answer got lost on the way.
const (
	OpLoad      Op = "load"
	OpCommit    Op = "commit"
	OpCommitted Op = "committed"
	OpHistory   Op = "history"
)

// A Store is an alarm.Store in memory that can fail on demand. It passes [ExerciseStore]. Unlike a
// database it lets anybody commit with generation 0 until somebody acquires the lease.
type Store struct {
	mu         sync.Mutex // guards the fields below
	inject     func(Op) error
	generation int64
	alerts     map[model.Fingerprint]*alarm.Alert
	verdicts   map[model.Fingerprint]alarm.Verdict
	silences   map[string]*alarm.Silence
	groups     map[string]alarm.GroupState
	told       map[alarm.IntentionKey]alarm.Told
	intentions map[int64]alarm.Intention
	rows       map[[2]string][]byte
	imported   map[string]bool
	records    []alarm.Record
	lastID     int64
	commits    int
}

var _ Database = (*Store)(nil)

// NewStore returns an empty store that works.
func NewStore() *Store {
	return &Store{
		inject:     func(Op) error { return nil },
		alerts:     map[model.Fingerprint]*alarm.Alert{},
		verdicts:   map[model.Fingerprint]alarm.Verdict{},
		silences:   map[string]*alarm.Silence{},
		groups:     map[string]alarm.GroupState{},
		told:       map[alarm.IntentionKey]alarm.Told{},
		intentions: map[int64]alarm.Intention{},
		rows:       map[[2]string][]byte{},
		imported:   map[string]bool{},
	}
}

// Fail makes every commit fail with err from now on. Nil makes everything work again.
func (s *Store) Fail(err error) {
	s.Inject(func(op Op) error {
		if op == OpCommit {
			return err
		}
		return nil
	})
}

// Inject asks f before each operation, and fails with what it returns. f is called by one goroutine
// at a time and must not call the store. Nil makes everything work again.
func (s *Store) Inject(f func(Op) error) {
	if f == nil {
		f = func(Op) error { return nil }
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inject = f
}

// OnCall returns a function for [Store.Inject] that fails the n-th time, counted from 0, that op is
// asked for, and only then.
func OnCall(op Op, n int, err error) func(Op) error {
	return func(asked Op) error {
		if asked != op {
			return nil
		}
		n--
		if n == -1 {
			return err
		}
		return nil
	}
}

// Commits says how many commits took effect.
func (s *Store) Commits() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.commits
}

// Load implements alarm.Store.
func (s *Store) Load(ctx context.Context) (*alarm.Stored, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.ask(ctx, OpLoad); err != nil {
		return nil, err
	}
	out := &alarm.Stored{
		Alerts:     sorted(s.alerts, cmp.Compare),
		Silences:   sorted(s.silences, cmp.Compare),
		Groups:     sorted(s.groups, cmp.Compare),
		Told:       sorted(s.told, compareKeys),
		Intentions: sorted(s.intentions, cmp.Compare),
		Verdicts:   sorted(s.verdicts, cmp.Compare),
	}
	keys := slices.SortedFunc(maps.Keys(s.rows), func(a, b [2]string) int { return slices.Compare(a[:], b[:]) })
	for _, k := range keys {
		out.Rows = append(out.Rows, alarm.Row{Part: k[0], Key: k[1], Value: s.rows[k]})
	}
	return out, nil
}

// sorted returns the values in the order of their keys.
func sorted[K comparable, V any](m map[K]V, compare func(a, b K) int) (out []V) {
	for _, k := range slices.SortedFunc(maps.Keys(m), compare) {
		out = append(out, m[k])
	}
	return out
}

func compareKeys(a, b alarm.IntentionKey) int {
	return cmp.Or(cmp.Compare(a.Receiver, b.Receiver), cmp.Compare(a.Integration, b.Integration), cmp.Compare(a.Group, b.Group))
}

func (s *Store) ask(ctx context.Context, op Op) error {
	if err := s.inject(op); err != nil {
		return err
	}
	return ctx.Err()
}

// Commit implements alarm.Store.
func (s *Store) Commit(ctx context.Context, generation int64, p *alarm.Plan) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.commit(ctx, generation, p)
}

func (s *Store) commit(ctx context.Context, generation int64, p *alarm.Plan) error {
	if err := s.ask(ctx, OpCommit); err != nil {
		return err
	}
	if generation != s.generation {
		return alarm.ErrLeaseLost
	}
	s.apply(p)
	for _, r := range records(p) {
		s.lastID++
		r.ID = s.lastID
		s.records = append(s.records, r)
	}
	s.commits++
	return s.inject(OpCommitted)
}

func (s *Store) apply(p *alarm.Plan) {
	for _, c := range p.Inputs {
		a := c.Alert.WithFingerprint()
		s.alerts[a.Fingerprint()] = &a
	}
	for _, v := range p.Exclude {
		s.verdicts[v.Fingerprint] = v
		if !v.Withheld() {
			delete(s.verdicts, v.Fingerprint)
		}
	}
	for _, a := range p.Forgotten {
		delete(s.alerts, a.Fingerprint())
		delete(s.verdicts, a.Fingerprint())
	}
	for _, sil := range p.Silences {
		s.silences[sil.ID] = sil
	}
	for _, id := range p.RemovedSilences {
		delete(s.silences, id)
	}
	for _, g := range p.Groups {
		s.groups[g.Group.ID()] = g
	}
	for _, id := range p.EndedGroups {
		delete(s.groups, id)
	}
	for _, t := range p.Told {
		s.told[t.Key] = t
	}
	for _, k := range p.DroppedTold {
		delete(s.told, k)
	}
	for _, in := range slices.Concat(p.Add, p.Update, p.Close) {
		s.intentions[in.ID] = in
	}
	for _, o := range p.Outcomes {
		delete(s.intentions, o.ID)
	}
	for _, r := range p.Rows {
		s.rows[[2]string{r.Part, r.Key}] = r.Value
		if r.Value == nil {
			delete(s.rows, [2]string{r.Part, r.Key})
		}
	}
}

// History implements alarm.Historian.
func (s *Store) History(ctx context.Context, fp model.Fingerprint, from, to time.Time, limit int) ([]alarm.Record, error) {
	all, err := s.search(ctx, 0, func(r *alarm.Record) bool {
		return fp != 0 && r.Fingerprint == fp && !r.At.Before(from) && !r.At.After(to)
	})
	if limit > 0 && len(all) > limit {
		all = all[len(all)-limit:]
	}
	return all, err
}

// Records implements Archive.
func (s *Store) Records(ctx context.Context, after int64, limit int) ([]alarm.Record, error) {
	return s.search(ctx, limit, func(r *alarm.Record) bool { return r.ID > after })
}

func (s *Store) search(ctx context.Context, limit int, match func(*alarm.Record) bool) (out []alarm.Record, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.ask(ctx, OpHistory); err != nil {
		return nil, err
	}
	for i := range s.records {
		if limit > 0 && len(out) == limit {
			break
		}
		if match(&s.records[i]) {
			out = append(out, s.records[i])
		}
	}
	return out, nil
}

// Prune implements Archive.
func (s *Store) Prune(ctx context.Context, before time.Time, limit int) (deleted int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.ask(ctx, OpHistory); err != nil {
		return 0, err
	}
	s.records = slices.DeleteFunc(s.records, func(r alarm.Record) bool {
		if deleted == limit || !r.At.Before(before) {
			return false
		}
		deleted++
		return true
	})
	return deleted, nil
}

// Acquire implements Lease. Nobody else ever holds it.
func (s *Store) Acquire(ctx context.Context) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.generation++
	return s.generation, ctx.Err()
}

// Renew implements Lease.
func (s *Store) Renew(_ context.Context, generation int64) (time.Time, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if generation != s.generation {
		return time.Time{}, alarm.ErrLeaseLost
	}
	return time.Time{}, nil
}

// Release implements Lease. The generation stays used.
func (s *Store) Release(ctx context.Context, generation int64) error {
	if _, err := s.Renew(ctx, generation); err != nil {
		return err
	}
	_, err := s.Acquire(ctx)
	return err
}

// InstanceID implements Installation.
func (s *Store) InstanceID(context.Context) (string, error) {
	return "memory", nil
}

// Import implements Installation.
func (s *Store) Import(ctx context.Context, generation int64, what string, p *alarm.Plan) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.imported[what] {
		return false, nil
	}
	if err := s.commit(ctx, generation, p); err != nil {
		return false, err
	}
	s.imported[what] = true
	return true, nil
}

// Imported implements Installation.
func (s *Store) Imported(_ context.Context, what string) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.imported[what], nil
}

// Close does nothing: what was committed is there when the store is used again.
func (s *Store) Close() error { return nil }
