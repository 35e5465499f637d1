package sqlstore

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/matcher"
)

func TestAWindowIsReadAsItWasWritten(t *testing.T) {
	at := time.Date(2026, 1, 6, 22, 0, 0, 0, time.UTC)
	s := alarm.Silence{
		ID: "1", Matchers: matcher.MustParse(`env="staging"`), StartsAt: at, EndsAt: alarm.NoEnd(), UpdatedAt: at, CreatedBy: "me", Comment: "c",
		Kind: alarm.KindWindow, Name: "patch\nnight", Scope: alarm.Scope{Cluster: "a", Instance: "b", Environment: "c", Team: "d"},
		Recurrence: &alarm.Recurrence{Rule: "FREQ=DAILY", Zone: "Europe/London", Start: "2026-01-06T22:00:00", Duration: 2 * time.Hour},
		Exceptions: []alarm.Span{{Start: at, End: at}, {Start: at.Add(time.Hour), End: at.Add(2 * time.Hour)}},
		Lease:      time.Minute, Grace: time.Second, CloseOpen: true, FromFile: true,
	}
	b := appendSilence(nil, &s)
	require.True(t, json.Valid(b), "%s", b)
	var again alarm.Silence
	require.NoError(t, decode(&reader{known: map[string]string{}}, b, func(r *reader) { r.silence(&again) }))
	assert.Equal(t, s, again)

	old := `{"id":"2","startsAt":"2026-01-06T22:00:00Z","endsAt":"2026-01-06T23:00:00Z","comment":"from before there were windows"}`
	again = alarm.Silence{}
	require.NoError(t, decode(&reader{known: map[string]string{}}, []byte(old), func(r *reader) { r.silence(&again) }))
	assert.Equal(t, alarm.KindSilence, again.Kind)
	assert.Equal(t, old, string(appendSilence(nil, &again)), "and is written as it was")
}
