package main_test

import (
	"errors"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/cmd/internal/reference"
)

// TestWhatIsNotStoredIsNoAnswer takes the database away from a leader, and asks again for what it could not
// store: that it is there already, or is gone already, would be a lie.
func TestWhatIsNotStoredIsNoAnswer(t *testing.T) {
	t.Parallel()
	s := newStage(t, 1, "postgres", false)
	m, mute := s.members[0], reference.Mutes()[3]
	s.eventually(func() error {
		if s.leader() == nil {
			return errors.New("it does not lead")
		}
		return nil
	})
	begin := func(name string) error {
		return m.post("/api/v1/windows?confirm=true", map[string]any{"name": name, "matchers": []string{`instance="h3"`}, "duration": "1h"}, nil)
	}
	require.NoError(t, m.beginWindow("before", mute))
	m.proxy.Refuse()
	for range 3 {
		require.ErrorContains(t, begin("move"), "503")
		code, body, err := m.do(http.MethodPost, "/api/v1/windows/before/end", "")
		require.NoError(t, err)
		require.Equal(t, http.StatusServiceUnavailable, code, body)
	}
	m.proxy.Admit()
	s.eventually(func() error { return begin("move") })
	require.NoError(t, m.endWindow("before", false))
	require.ErrorContains(t, begin("move"), "is there already")
}
