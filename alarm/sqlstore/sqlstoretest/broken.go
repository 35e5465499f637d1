package sqlstoretest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm/sqlstore"
)

// freezeAfter is Freeze as soon as n more pieces have passed to the server.
func (p *Proxy) freezeAfter(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.freeze = n + 1
}

// exerciseCut breaks the connection at each piece of a commit, on the way there and on the way back.
func exerciseCut(t *testing.T, f *fixture) {
	ctx := t.Context()
	proxy := NewProxy(t, f.server.Address)
	db := f.open(f.server.URLAt(proxy.Address, f.database), "", 0, 0)
	generation := acquire(t, db)
	require.NoError(t, db.Commit(ctx, generation, numbered(1)))
	last, ambiguous := 1, 0
	for _, arm := range []func(n int){
		func(n int) { proxy.CutToServer(n, 0) },
		proxy.CutToClient,
	} {
		cuts := 0
		for piece := 0; ; piece++ {
			require.Less(t, piece, 1000)
			arm(piece)
			err := db.Commit(ctx, generation, numbered(last+1))
			happened := proxy.Disarm()
			n := numberOf(t, db)
			if err == nil {
				require.Equal(t, last+1, n, "it was acknowledged")
			} else {
				require.Contains(t, []int{last, last + 1}, n, "all or nothing")
				require.ErrorIs(t, err, sqlstore.ErrUnavailable)
				require.NotContains(t, err.Error(), Password)
			}
			if err != nil && n == last+1 {
				ambiguous++
			}
			last = n
			if err == nil && !happened {
				break
			}
			cuts++
		}
		assert.Greater(t, cuts, 8, "a commit has so many pieces")
	}
	assert.Positive(t, ambiguous, "an answer got lost")
	require.NoError(t, db.Commit(ctx, generation, numbered(last+1)), "the same generation goes on")
}

// exerciseLate breaks the connection at each piece of a commit, but the piece arrives: what Load
// says first must be true for ever.
func exerciseLate(t *testing.T, f *fixture) {
	ctx := t.Context()
	proxy := NewProxy(t, f.server.Address)
	db := f.open(f.server.URLAt(proxy.Address, f.database), "", 0, 0)
	other := f.open(f.url, "", 0, 0)
	generation := acquire(t, db)
	require.NoError(t, db.Commit(ctx, generation, numbered(1)))
	last, late := 1, 0
	for piece := 0; ; piece++ {
		require.Less(t, piece, 1000)
		proxy.CutToServer(piece, 100*time.Millisecond)
		err := db.Commit(ctx, generation, numbered(last+1))
		happened := proxy.Disarm()
		before := numberOf(t, other) // who does not wait may see the old state
		n := numberOf(t, db)
		if n > before {
			late++
		}
		if err == nil && !happened {
			break
		}
		time.Sleep(130 * time.Millisecond)
		require.Equal(t, n, numberOf(t, other), "a commit arrived after its outcome was read")
		last = n
	}
	assert.Positive(t, late, "a commit arrived late, and was waited for")
}

// exerciseLostCommits sets the state back, as a standby does that lacks the last commits.
func exerciseLostCommits(t *testing.T, f *fixture) {
	ctx := t.Context()
	db, reader := f.open(f.url, "", 0, 0), f.open(f.url, "", 0, 0)
	generation := acquire(t, db)
	for n := range 5 {
		require.NoError(t, db.Commit(ctx, generation, numbered(n+1)))
	}
	delta, err := reader.Follow(ctx, sqlstore.Leadership{})
	require.NoError(t, err)
	f.dialect.Exec(t, f.url, "UPDATE lease SET version = 3")
	require.ErrorContains(t, db.Commit(ctx, generation, numbered(6)), "load it again")
	_, err = db.Load(ctx)
	require.NoError(t, err)
	require.NoError(t, db.Commit(ctx, generation, numbered(7)))
	assert.Equal(t, 7, numberOf(t, db))
	delta, err = reader.Follow(ctx, delta.Leadership)
	require.NoError(t, err)
	assert.True(t, delta.Whole, "who follows cannot know what was lost")
}

// exerciseStopped stops the server, and starts it again.
func exerciseStopped(t *testing.T, d Dialect, server *Server) {
	ctx := t.Context()
	d.Exec(t, server.URL(""), "CREATE DATABASE stopped")
	f := &fixture{t: t, dialect: d, server: server, url: server.URL("stopped")}
	db := f.open(f.url, "", time.Minute, 0)
	generation := acquire(t, db)
	last := 0
	for _, end := range []func(testing.TB){server.Stop, server.Kill} {
		require.NoError(t, db.Commit(ctx, generation, numbered(last+1)))
		last++
		end(t)
		for range 2 {
			began := time.Now()
			calls := map[string]func() error{
				"commit": func() error { return db.Commit(ctx, generation, numbered(100)) },
				"load": func() error {
					_, err := db.Load(ctx)
					return err
				},
				"renew": func() error {
					_, err := db.Renew(ctx, generation)
					return err
				},
				"follow": func() error {
					_, err := db.Follow(ctx, sqlstore.Leadership{})
					return err
				},
				"history": func() error {
					_, err := db.Records(ctx, 0, 1)
					return err
				},
				"prune": func() error {
					_, err := db.Prune(ctx, start(), 1)
					return err
				},
			}
			for name, call := range calls {
				err := call()
				require.ErrorIs(t, err, sqlstore.ErrUnavailable, name)
				require.NotContains(t, err.Error(), Password)
			}
			require.Less(t, time.Since(began), 10*time.Second)
		}
		server.Start(t)
		assert.Equal(t, last, numberOf(t, db), "it came back by itself")
	}
	require.NoError(t, db.Commit(ctx, generation, numbered(last+1)))
}

// exerciseCrash kills a server with the settings that it has by default, in the middle of commits.
func exerciseCrash(t *testing.T, d Dialect) {
	ctx := t.Context()
	server := d.Start(t, Options{Durable: true})
	f := &fixture{t: t, dialect: d, server: server, url: server.URL("")}
	db := f.open(f.url, "", time.Minute, 0)
	generation := acquire(t, db)
	last := 0
	for round := range 3 {
		acknowledged := make(chan int, 1)
		go func() {
			n := last
			for db.Commit(ctx, generation, numbered(n+1)) == nil {
				n++
			}
			acknowledged <- n
		}()
		time.Sleep(time.Duration(100+70*round) * time.Millisecond)
		server.Kill(t)
		n := <-acknowledged
		server.Start(t)
		last = numberOf(t, db)
		require.Contains(t, []int{n, n + 1}, last, "what was acknowledged is there; the next one may be")
		require.Positive(t, last)
	}
}
