package source

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/tocsin/tocsin/alarm"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// recorder is an engine that keeps what it is given, or fails.
type recorder struct {
	mu  sync.Mutex
	got []alarm.Snapshot
	err error
}

func (r *recorder) Submit(_ context.Context, in alarm.Input) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return r.err
	}
	r.got = append(r.got, in.Snapshots...)
	return nil
}

func (r *recorder) last() alarm.Snapshot {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.got[len(r.got)-1]
}

var now = time.Date(2026, 11, 21, 7, 0, 0, 0, time.UTC)

func TestPushFillsInTimes(t *testing.T) {
	early, late := now.Add(-time.Hour), now.Add(time.Hour)
	tests := []struct {
		times        string
		starts, ends time.Time
		timeout      bool
	}{
		{``, now, now.Add(time.Minute), true},
		{`,"startsAt":"2026-11-21T06:00:00Z"`, early, now.Add(time.Minute), true},
		{`,"endsAt":"2026-11-21T08:00:00Z"`, late, late, false},
		{`,"startsAt":"2026-11-21T06:00:00Z","endsAt":"2026-11-21T08:00:00Z"`, early, late, false},
		{`,"startsAt":null,"endsAt":"0001-01-01T00:00:00.000Z"`, now, now.Add(time.Minute), true},
	}
	for _, tt := range tests {
		t.Run(tt.times, func(t *testing.T) {
			e := &recorder{}
			p, err := NewPush("push", e, PushOptions{ResolveTimeout: func() time.Duration { return time.Minute }})
			require.NoError(t, err)
			require.NoError(t, p.Receive(t.Context(), now, []byte(`[{"labels":{"alertname":"X"}`+tt.times+`}]`)))
			want := alarm.Alert{
				Labels: model.LabelSet{"alertname": "X"}, Annotations: model.LabelSet{},
				StartsAt: tt.starts, EndsAt: tt.ends, UpdatedAt: now, Timeout: tt.timeout,
			}
			assert.Equal(t, alarm.Snapshot{Source: "push", At: now, Partial: true, Alerts: []alarm.Alert{want.WithFingerprint()}}, e.last())
		})
	}
}

func TestPushKeepsTheValidOnes(t *testing.T) {
	e := &recorder{}
	registry := prometheus.NewRegistry()
	p, err := NewPush("push", e, PushOptions{Registerer: registry})
	require.NoError(t, err)

	err = p.Receive(t.Context(), now, []byte(`[
		{"labels":{"alertname":"Good"}},
		{"labels":{}},
		{"labels":{"alertname":"Late"},"startsAt":"2026-11-21T08:00:00Z","endsAt":"2026-11-21T07:00:00Z"},
		{"labels":{"alertname":"Good too"}}
	]`))
	var invalid *InvalidError
	require.ErrorAs(t, err, &invalid)
	assert.Equal(t, 2, invalid.Count)
	assert.True(t, invalid.Invalid())
	assert.EqualError(t, err, "at least one label pair required\nstart time must be before end time")
	assert.ErrorIs(t, err, errTimes)

	var names []string
	for _, a := range e.last().Alerts {
		names = append(names, a.Name())
	}
	assert.Equal(t, []string{"Good", "Good too"}, names)

	require.NoError(t, p.Receive(t.Context(), now, []byte(`[{"labels":{"alertname":"Good"}}]`)))
	require.NoError(t, p.Receive(t.Context(), now, []byte(`[{"labels":{"alertname":"Good"},"annotations":null}]`)))
	require.Error(t, p.Receive(t.Context(), now, []byte(`[`)))
	problems, err := testutil.GatherAndLint(registry)
	require.NoError(t, err)
	assert.Empty(t, problems)
	assert.NoError(t, testutil.GatherAndCompare(registry, strings.NewReader(`
# HELP alertmanager_alerts_invalid_total The total number of received alerts that were invalid.
# TYPE alertmanager_alerts_invalid_total counter
alertmanager_alerts_invalid_total{version="v2"} 2
# HELP alertmanager_alerts_received_total The total number of received alerts.
# TYPE alertmanager_alerts_received_total counter
alertmanager_alerts_received_total{status="firing",version="v2"} 5
alertmanager_alerts_received_total{status="resolved",version="v2"} 1
# HELP tocsin_push_alerts_decoded_total Pushed alerts by how they were decoded: known from the cache, new, or by the slow fallback.
# TYPE tocsin_push_alerts_decoded_total counter
tocsin_push_alerts_decoded_total{path="fallback"} 1
tocsin_push_alerts_decoded_total{path="known"} 1
tocsin_push_alerts_decoded_total{path="new"} 4
`)))
}

func TestPushPassesTheEnginesErrorOn(t *testing.T) {
	e := &recorder{err: fmt.Errorf("%w: disk full", alarm.ErrNotStored)}
	p, err := NewPush("push", e, PushOptions{})
	require.NoError(t, err)

	err = p.Receive(t.Context(), now, []byte(`[{"labels":{"alertname":"X"}},{"labels":{}}]`))
	assert.ErrorIs(t, err, alarm.ErrNotStored)
	assert.NotErrorAs(t, err, new(*InvalidError))
	assert.NoError(t, p.Receive(t.Context(), now, []byte(`[]`)), "nothing to store")
}

func TestInvalidErrorIsBounded(t *testing.T) {
	p, err := NewPush("push", &recorder{}, PushOptions{})
	require.NoError(t, err)
	err = p.Receive(t.Context(), now, []byte("["+strings.Repeat(`{"labels":{}},`, 1000)+`{"labels":{}}]`))
	require.Error(t, err)
	assert.Len(t, strings.Split(err.Error(), "\n"), 101)
	assert.ErrorContains(t, err, "and 901 more")
}

func TestNewPushRefuses(t *testing.T) {
	_, err := NewPush("", &recorder{}, PushOptions{})
	assert.ErrorContains(t, err, "name")
	_, err = NewPush("push", nil, PushOptions{})
	assert.ErrorContains(t, err, "engine")
	_, err = NewPush("push", &recorder{}, PushOptions{MaxLabels: -1})
	assert.ErrorContains(t, err, "limit")
	r := prometheus.NewRegistry()
	_, err = NewPush("push", &recorder{}, PushOptions{Registerer: r})
	require.NoError(t, err)
	_, err = NewPush("push", &recorder{}, PushOptions{Registerer: r})
	assert.ErrorContains(t, err, "register metrics")
}

func TestPushIsSafeForGoroutines(t *testing.T) {
	e := &recorder{}
	p, err := NewPush("push", e, PushOptions{MaxCached: 10})
	require.NoError(t, err)
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 50 {
				body := fmt.Sprintf(`[{"labels":{"alertname":"X","g":"%d"}},{"labels":{"alertname":"X","i":"%d"}}]`, g, i)
				assert.NoError(t, p.Receive(t.Context(), now, []byte(body)))
			}
		})
	}
	wg.Wait()
	assert.Len(t, e.got, 200)
}
