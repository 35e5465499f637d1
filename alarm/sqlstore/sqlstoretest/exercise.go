package sqlstoretest

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/sqlstore"
)

// A Dialect is what ExerciseServer exercises.
type Dialect struct {
	// Start starts a server.
	Start func(t testing.TB, opts Options) *Server

	// Open opens a database as the server at name, with a lease of so long and so much patience.
	// Zero is the default.
	Open func(ctx context.Context, url, name string, ttl, timeout time.Duration) (*sqlstore.DB, error)

	// Exec runs a statement as any other program would.
	Exec func(t testing.TB, url, query string)
}

// ExerciseServer is the conformance suite of a database that several servers share: the lease, what
// becomes of commits when connections break, and what those who follow see.
func ExerciseServer(t *testing.T, d Dialect) {
	server := d.Start(t, Options{})
	n := 0
	for _, test := range []struct {
		name string
		run  func(*testing.T, *fixture)
	}{
		{"Lease", exerciseLease},
		{"Lease ends", exerciseLeaseEnds},
		{"Paused in a commit", exercisePaused},
		{"Clocks", exerciseClocks},
		{"Two at once", exerciseTwoAtOnce},
		{"Commit is cut", exerciseCut},
		{"Commit arrives late", exerciseLate},
		{"Lost commits", exerciseLostCommits},
		{"Follow", exerciseFollow},
		{"Export", func(t *testing.T, f *fixture) { ExerciseExport(t, f.open(f.url, "", 0, 0)) }},
		{"Newer schema", exerciseNewerSchema},
		{"Secrets", exerciseSecrets},
	} {
		t.Run(test.name, func(t *testing.T) {
			n++
			name := fmt.Sprintf("exercise%d", n)
			d.Exec(t, server.URL(""), "CREATE DATABASE "+name)
			test.run(t, &fixture{t: t, dialect: d, server: server, database: name, url: server.URL(name)})
		})
	}
	t.Run("Stopped", func(t *testing.T) { exerciseStopped(t, d, server) })
	t.Run("Crash", func(t *testing.T) { exerciseCrash(t, d) })
}

// A fixture is an empty database.
type fixture struct {
	t        *testing.T
	dialect  Dialect
	server   *Server
	database string
	url      string
}

// open opens the database for a test.
func (f *fixture) open(url, name string, ttl, timeout time.Duration) *sqlstore.DB {
	f.t.Helper()
	db, err := f.dialect.Open(f.t.Context(), url, name, ttl, timeout)
	require.NoError(f.t, err)
	f.t.Cleanup(func() { assert.NoError(f.t, db.Close()) })
	return db
}

func acquire(t *testing.T, db *sqlstore.DB) int64 {
	t.Helper()
	generation, err := db.Acquire(t.Context())
	require.NoError(t, err)
	return generation
}

// start is when all plans begin.
func start() time.Time { return time.Date(2026, time.January, 2, 3, 4, 5, 678_901_234, time.UTC) }

// numbered is a plan that writes into all tables, and into each of them its number.
func numbered(n int) *alarm.Plan {
	text := strconv.Itoa(n)
	group := &alarm.Group{RouteID: "{}", Key: "{}:{}", Receiver: text}
	key := alarm.IntentionKey{Receiver: "r", Integration: "i", Group: "g"}
	p := &alarm.Plan{
		At:       start().Add(time.Duration(n) * time.Second),
		Silences: []*alarm.Silence{{ID: "s", Comment: text}},
		Groups:   []alarm.GroupState{{Group: group}},
		Told:     []alarm.Told{{Key: key, Data: []byte(text)}},
		Add:      []alarm.Intention{{ID: 1, Key: key, GroupID: text}},
		Outcomes: []alarm.Outcome{{ID: 2, Key: key}},
		Rows:     []alarm.Row{{Part: "p", Key: "k", Value: []byte(text)}},
	}
	for i := range 20 {
		a := alarm.Alert{Labels: model.LabelSet{"alert": model.LabelValue(strconv.Itoa(i))}, Fired: n}.WithFingerprint()
		p.Inputs = append(p.Inputs, alarm.Change{Kind: alarm.Changed, Alert: &a, Source: "push"})
		if i%2 == 0 {
			p.Exclude = append(p.Exclude, alarm.Verdict{Fingerprint: a.Fingerprint(), Suppressions: []alarm.Suppression{
				{Fingerprint: a.Fingerprint(), Reason: alarm.ReasonSilence, Note: text},
			}})
		}
	}
	return p
}

// recordsOf is how many records of history a numbered plan makes.
const recordsOf = 20 + 10 + 3

// numberOf is the number of the plan that the database holds, of which it must hold all, in the
// state and in history.
func numberOf(t *testing.T, db *sqlstore.DB) int {
	t.Helper()
	s, err := db.Load(t.Context())
	require.NoError(t, err)
	n := wholeNumber(t, s)
	if n == 0 {
		return 0
	}
	records, err := db.Records(t.Context(), 0, 0)
	require.NoError(t, err)
	require.Zero(t, len(records)%recordsOf, "half of a plan is in history")
	last := records[len(records)-1].At
	require.Equal(t, start().Add(time.Duration(n)*time.Second), last, "history and state differ")
	return n
}

func wholeNumber(t *testing.T, s *alarm.Stored) int {
	t.Helper()
	if len(s.Alerts) == 0 {
		require.Equal(t, &alarm.Stored{}, s)
		return 0
	}
	n := s.Alerts[0].Fired
	text := strconv.Itoa(n)
	seen := []string{text, s.Silences[0].Comment, s.Groups[0].Group.Receiver, string(s.Told[0].Data), string(s.Rows[0].Value)}
	for _, a := range s.Alerts {
		seen = append(seen, strconv.Itoa(a.Fired))
	}
	for _, v := range s.Verdicts {
		seen = append(seen, v.Suppressions[0].Note)
	}
	for _, in := range s.Intentions {
		seen = append(seen, in.GroupID)
	}
	require.Len(t, s.Alerts, 20)
	require.Len(t, s.Verdicts, 10)
	require.Len(t, s.Intentions, 1)
	require.Equal(t, []string{text}, slices.Compact(seen), "half of a plan is there")
	return n
}
