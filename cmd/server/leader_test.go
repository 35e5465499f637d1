package server

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/cmd/internal/config"
	"github.com/tocsin/tocsin/notify"
)

// A calledRemote counts what it is asked for.
type calledRemote struct {
	notify.Remote
	lists, closes int
}

func (r *calledRemote) List(context.Context) ([]notify.Incident, error) {
	r.lists++
	return nil, nil
}

func (r *calledRemote) Close(context.Context, notify.Incident, string) error {
	r.closes++
	return nil
}

// Whoever was paused for longer than the lease holds is the leader no more when it goes on, though nobody
// has told it yet: it closes no incident, and is no sign of life.
func TestWhoseLeaseHasEndedKeepsStill(t *testing.T) {
	s := &server{lease: &lease{}}
	holdUntil := func(at time.Time) { s.lease.until.Store(&at) }
	remote := &calledRemote{}
	submitted := func(context.Context, alarm.Input) error {
		holdUntil(time.Now().Add(-time.Second)) // it is paused in the middle
		return nil
	}
	r := &recorded{remote, submitted, s.barred}

	holdUntil(time.Now().Add(-time.Second))
	_, err := r.List(t.Context())
	require.ErrorIs(t, err, errBarred)
	require.ErrorIs(t, r.Close(t.Context(), notify.Incident{}, ""), errBarred)
	require.ErrorIs(t, (&keepers{server: s}).good(&assembly{}, config.Heartbeat{}), errBarred)

	holdUntil(time.Now().Add(time.Hour))
	_, err = r.List(t.Context())
	require.NoError(t, err)
	require.ErrorIs(t, r.Close(t.Context(), notify.Incident{}, ""), errBarred)
	assert.Equal(t, calledRemote{lists: 1}, *remote)

	holdUntil(time.Time{}) // for as long as this process lives
	assert.NoError(t, s.barred())
}
