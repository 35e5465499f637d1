package sqlstoretest

import (
	"context"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/sqlstore"
)

// exerciseFollow reads what a leader commits. That every change arrives is tested by the suite of
// package alarmtest, over a Follower.
func exerciseFollow(t *testing.T, f *fixture) {
	ctx := t.Context()
	leader, reader := f.open(f.url, "one", 0, 0), f.open(f.url, "two", 0, 0)
	generation := acquire(t, leader)
	require.NoError(t, leader.Commit(ctx, generation, numbered(1)))
	delta, err := reader.Follow(ctx, sqlstore.Leadership{})
	require.NoError(t, err)
	assert.True(t, delta.Whole)
	assert.Equal(t, 1, wholeNumber(t, delta.State))

	_, err = leader.Renew(ctx, generation)
	require.NoError(t, err)
	still, err := reader.Follow(ctx, delta.Leadership)
	require.NoError(t, err)
	assert.Nil(t, still.State, "a renewal is no news")
	assert.Equal(t, "one", still.Leadership.Name)

	p := &alarm.Plan{At: start(), Rows: []alarm.Row{{Part: "p", Key: "new", Value: []byte("v")}}, RemovedSilences: []string{"s"}}
	require.NoError(t, leader.Commit(ctx, generation, p))
	next, err := reader.Follow(ctx, delta.Leadership)
	require.NoError(t, err)
	assert.False(t, next.Whole)
	assert.Equal(t, &alarm.Stored{Rows: p.Rows}, next.State, "only what is new")
	assert.Equal(t, sqlstore.Removed{Silences: []string{"s"}}, next.Removed)

	require.NoError(t, leader.Release(ctx, generation))
	require.NoError(t, reader.Commit(ctx, acquire(t, reader), &alarm.Plan{}))
	next, err = leader.Follow(ctx, next.Leadership)
	require.NoError(t, err)
	assert.True(t, next.Whole, "another leader")
}

func exerciseNewerSchema(t *testing.T, f *fixture) {
	db := f.open(f.url, "", 0, 0)
	f.dialect.Exec(t, f.url, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, true)")
	_, err := f.dialect.Open(t.Context(), f.url, "", 0, 0)
	var schema *sqlstore.SchemaError
	require.ErrorAs(t, err, &schema)
	assert.EqualValues(t, 99, schema.Found)
	_, err = db.Acquire(t.Context())
	require.ErrorAs(t, err, &schema, "a newer version came meanwhile")
}

// exerciseSecrets looks for passwords in what is said of databases that cannot be opened.
func exerciseSecrets(t *testing.T, f *fixture) {
	u, err := url.Parse(f.url)
	require.NoError(t, err)
	const wrong = "wrong-and-secret"
	other := *u
	other.User = url.UserPassword("tocsin", wrong)
	nobody := *u
	nobody.Host = "127.0.0.1:1"
	missing := *u
	missing.Path = "/missing"
	for what, text := range map[string]string{
		"password": other.String(), "host": nobody.String(), "database": missing.String(),
		"port": strings.Replace(u.String(), u.Host, "host:port", 1), "escape": strings.Replace(u.String(), u.Host, "%zz", 1),
		"no URL": Password, "parameter": u.String() + "?sslmode=" + wrong + "&tls=" + wrong,
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		_, err := f.dialect.Open(ctx, text, "", 0, 0)
		cancel()
		require.Error(t, err, what)
		assert.NotContains(t, err.Error(), Password, what)
		assert.NotContains(t, err.Error(), wrong, what)
		if what == "password" || what == "host" || what == "database" {
			assert.ErrorIs(t, err, sqlstore.ErrUnavailable, what)
		}
	}
}
