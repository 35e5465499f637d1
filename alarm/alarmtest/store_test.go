package alarmtest_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/alarmtest"
)

func TestStore(t *testing.T) {
	alarmtest.ExerciseStore(t, func(*testing.T) func(*testing.T) alarmtest.Database {
		store := alarmtest.NewStore()
		return func(*testing.T) alarmtest.Database { return store }
	})
}

func TestStoreFailsOnDemand(t *testing.T) {
	store := alarmtest.NewStore()
	ctx := t.Context()
	plan := func(key string) *alarm.Plan {
		return &alarm.Plan{Rows: []alarm.Row{{Part: "p", Key: key, Value: []byte{}}}}
	}
	full := errors.New("disk full")

	store.Fail(full)
	require.ErrorIs(t, store.Commit(ctx, 0, plan("a")), full)
	_, err := store.Load(ctx)
	require.NoError(t, err, "only commits fail")
	store.Fail(nil)
	require.NoError(t, store.Commit(ctx, 0, plan("b")))

	store.Inject(alarmtest.OnCall(alarmtest.OpCommitted, 1, alarmtest.ErrInjected))
	require.NoError(t, store.Commit(ctx, 0, plan("c")))
	require.ErrorIs(t, store.Commit(ctx, 0, plan("d")), alarmtest.ErrInjected)
	require.NoError(t, store.Commit(ctx, 0, plan("e")))

	for _, op := range []alarmtest.Op{alarmtest.OpLoad, alarmtest.OpHistory} {
		store.Inject(alarmtest.OnCall(op, 0, alarmtest.ErrInjected))
		_, loadErr := store.Load(ctx)
		_, historyErr := store.Records(ctx, 0, 0)
		assert.Equal(t, op == alarmtest.OpLoad, loadErr != nil)
		assert.Equal(t, op == alarmtest.OpHistory, historyErr != nil)
	}
	store.Inject(nil)

	s, err := store.Load(ctx)
	require.NoError(t, err)
	var keys []string
	for _, r := range s.Rows {
		keys = append(keys, r.Key)
	}
	assert.Equal(t, []string{"b", "c", "d", "e"}, keys, "what was committed and not answered is there")
	assert.Equal(t, 4, store.Commits())
}

// A test gives its engine a store that fails when the test wants it to.
func ExampleStore() {
	store := alarmtest.NewStore()
	plan := &alarm.Plan{Rows: []alarm.Row{{Part: "flap", Key: "a", Value: []byte("1")}}}

	store.Inject(alarmtest.OnCall(alarmtest.OpCommit, 1, alarmtest.ErrInjected))
	for range 3 {
		fmt.Println(store.Commit(context.Background(), 0, plan))
	}
	// Output:
	// <nil>
	// injected
	// <nil>
}
