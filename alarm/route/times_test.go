package route_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
	_ "time/tzdata" // the same zones on every machine

	"github.com/prometheus/alertmanager/timeinterval"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm/route"
)

// interval reads a time interval as Alertmanager does, in JSON.
func interval(t testing.TB, text string) timeinterval.TimeInterval {
	t.Helper()
	var ti timeinterval.TimeInterval
	require.NoError(t, json.Unmarshal([]byte(text), &ti))
	return ti
}

const (
	inNight   = `{"times": [{"start_time": "02:00", "end_time": "03:00"}], "location": "Europe/Berlin"}`
	inBerlin  = `{"times": [{"start_time": "09:00", "end_time": "17:00"}], "weekdays": ["monday:friday"], "location": "Europe/Berlin"}`
	inUTC     = `{"times": [{"start_time": "09:00", "end_time": "17:00"}]}`
	inLastDay = `{"days_of_month": ["-1"], "location": "America/Sao_Paulo"}`
)

func TestMuted(t *testing.T) {
	for _, tc := range []struct {
		name         string
		mute, active []string // intervals
		now          string
		muted        []string // which of mute0, mute1, active0, ...
		next         string   // empty: never
	}{
		{name: "no intervals", now: "2026-07-01T12:00:00Z"},
		{name: "before", mute: []string{inUTC}, now: "2026-07-01T08:59:59.999Z", next: "2026-07-01T09:00:00Z"},
		{name: "at its start", mute: []string{inUTC}, now: "2026-07-01T09:00:00Z", muted: []string{"mute0"}, next: "2026-07-01T17:00:00Z"},
		{name: "within", mute: []string{inUTC}, now: "2026-07-01T16:59:59.999Z", muted: []string{"mute0"}, next: "2026-07-01T17:00:00Z"},
		{name: "at its end", mute: []string{inUTC}, now: "2026-07-01T17:00:00Z", next: "2026-07-02T09:00:00Z"},
		{name: "now is in another zone", mute: []string{inUTC}, now: "2026-07-01T16:30:00+08:00", next: "2026-07-01T09:00:00Z"},
		{name: "always", mute: []string{`{}`}, now: "2026-07-01T12:00:00Z", muted: []string{"mute0"}},
		{
			name: "two, one after the other", mute: []string{inUTC, `{"times": [{"start_time": "10:00", "end_time": "24:00"}]}`},
			now: "2026-07-01T09:30:00Z", muted: []string{"mute0"}, next: "2026-07-01T10:00:00Z",
		},
		{name: "active within", active: []string{inBerlin}, now: "2026-07-03T14:59:00Z", next: "2026-07-03T15:00:00Z"},
		{
			name: "inactive over the weekend", active: []string{inBerlin}, now: "2026-07-03T15:00:00Z",
			muted: []string{"active0"}, next: "2026-07-06T07:00:00Z",
		},
		{
			name: "inactive in all", active: []string{inBerlin, inNight}, now: "2026-07-03T20:00:00Z",
			muted: []string{"active0", "active1"}, next: "2026-07-04T00:00:00Z",
		},
		{
			name: "inactive hides mute", active: []string{inBerlin}, mute: []string{`{}`}, now: "2026-07-03T15:00:00Z",
			muted: []string{"active0"}, next: "2026-07-06T07:00:00Z",
		},
		{
			name: "active and muted", active: []string{inBerlin}, mute: []string{`{}`}, now: "2026-07-03T12:00:00Z",
			muted: []string{"mute0"}, next: "2026-07-03T15:00:00Z",
		},

		// 29 March 2026, Berlin: 02:00 to 03:00 is left out. The interval does not occur.
		{name: "spring, the night before", mute: []string{inNight}, now: "2026-03-28T01:30:00Z", muted: []string{"mute0"}, next: "2026-03-28T02:00:00Z"},
		{name: "spring", mute: []string{inNight}, now: "2026-03-29T00:30:00Z", next: "2026-03-30T00:00:00Z"},
		{
			name: "spring, cut in half", mute: []string{`{"times": [{"start_time": "02:30", "end_time": "03:30"}], "location": "Europe/Berlin"}`},
			now: "2026-03-29T00:59:00Z", next: "2026-03-29T01:00:00Z",
		},
		// 25 October 2026, Berlin: 02:00 to 03:00 comes twice.
		{
			name: "autumn, again", mute: []string{`{"times": [{"start_time": "02:00", "end_time": "02:30"}], "location": "Europe/Berlin"}`},
			now: "2026-10-25T00:45:00Z", next: "2026-10-25T01:00:00Z",
		},
		{name: "autumn", mute: []string{inNight}, now: "2026-10-25T00:15:00Z", muted: []string{"mute0"}, next: "2026-10-25T02:00:00Z"},
		{name: "autumn, office", active: []string{inBerlin}, now: "2026-10-26T07:30:00Z", muted: []string{"active0"}, next: "2026-10-26T08:00:00Z"},
		// 4 November 2018, Sao Paulo: midnight is left out; 17 February 2019: 23:00 to 24:00 comes twice.
		{
			name: "no midnight", mute: []string{`{"weekdays": ["sunday"], "location": "America/Sao_Paulo"}`},
			now: "2018-11-04T02:59:00Z", next: "2018-11-04T03:00:00Z",
		},
		{
			name: "two hours before midnight", mute: []string{`{"weekdays": ["sunday"], "location": "America/Sao_Paulo"}`},
			now: "2019-02-17T01:30:00Z", next: "2019-02-17T03:00:00Z",
		},
		{name: "last day of the month", mute: []string{inLastDay}, now: "2026-02-27T12:00:00Z", next: "2026-02-28T03:00:00Z"},
		{name: "far away, so asked again before", mute: []string{`{"years": ["2050"]}`}, now: "2026-07-01T12:00:00Z", next: "2026-07-17T00:00:00Z"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			intervals := map[string][]timeinterval.TimeInterval{}
			define := func(kind string, texts []string) (names []string) {
				for i, text := range texts {
					name := fmt.Sprintf("%s%d", kind, i)
					intervals[name] = []timeinterval.TimeInterval{interval(t, text)}
					names = append(names, name)
				}
				return names
			}
			child := route.Route{MuteTimeIntervals: define("mute", tc.mute), ActiveTimeIntervals: define("active", tc.active)}
			tree, err := route.New(route.Route{Receiver: "ops", Routes: []route.Route{child}}, intervals)
			require.NoError(t, err)

			now, err := time.Parse(time.RFC3339Nano, tc.now)
			require.NoError(t, err)
			var want time.Time
			if tc.next != "" {
				want, err = time.Parse(time.RFC3339, tc.next)
				require.NoError(t, err)
			}
			by, next := tree.Muted("{}/{}/0", now)
			assert.Equal(t, tc.muted, by)
			assert.Equal(t, want, next)
		})
	}
}

func TestMutedOfNoRoute(t *testing.T) {
	by, next := newTree(t, route.Route{Receiver: "ops"}).Muted("gone since the reload", time.Unix(0, 0))
	assert.Nil(t, by)
	assert.Zero(t, next)
}

// TestMutedNamesEachOnce has an interval of two parts that overlap, named twice.
func TestMutedNamesEachOnce(t *testing.T) {
	tree, err := route.New(route.Route{
		Receiver: "ops", Routes: []route.Route{{MuteTimeIntervals: []string{"often", "often"}}},
	}, map[string][]timeinterval.TimeInterval{"often": {interval(t, inUTC), interval(t, `{}`)}})
	require.NoError(t, err)
	by, _ := tree.Muted("{}/{}/0", time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC))
	assert.Equal(t, []string{"often"}, by)
}

// TestMutedTwin compares random intervals, around the days on which clocks change, with what
// Alertmanager's Intervener says each minute.
func TestMutedTwin(t *testing.T) {
	for seed := range uint64(400) {
		r := rand.New(rand.NewPCG(seed, 4))
		change := changes[r.IntN(len(changes))]
		intervals := map[string][]timeinterval.TimeInterval{}
		for _, name := range []string{"a", "b", "c", "d"} {
			for range 1 + r.IntN(2) {
				intervals[name] = append(intervals[name], randomInterval(t, r, change.zone))
			}
		}
		mute, active := []string{"a", "b"}[:r.IntN(3)], []string{"c", "d"}[:r.IntN(3)]
		tree, err := route.New(route.Route{
			Receiver: "ops", Routes: []route.Route{{MuteTimeIntervals: mute, ActiveTimeIntervals: active}},
		}, intervals)
		require.NoError(t, err)
		twin := timeinterval.NewIntervener(intervals)

		at, err := time.Parse(time.RFC3339, change.at)
		require.NoError(t, err)
		start := at.Add(-time.Duration(r.IntN(6*60)) * time.Minute)
		var by []string
		var next time.Time
		asked := start
		for minute := range 8 * 60 {
			now := start.Add(time.Duration(minute) * time.Minute)
			want := twinMuted(t, twin, mute, active, now)
			if minute == 0 || !next.IsZero() && !now.Before(next) {
				asked = now
				by, next = tree.Muted("{}/{}/0", now)
				require.True(t, next.IsZero() || next.After(now))
			}
			require.Equal(t, want, by, "seed %d: asked at %s, now %s, next %s", seed, asked, now, next)
		}
	}
}

// twinMuted is what Alertmanager's TimeActiveStage and TimeMuteStage, one after the other, do.
func twinMuted(t *testing.T, twin *timeinterval.Intervener, mute, active []string, now time.Time) []string {
	if len(active) > 0 {
		ok, _, err := twin.Mutes(active, now)
		require.NoError(t, err)
		if !ok {
			return active
		}
	}
	_, by, err := twin.Mutes(mute, now)
	require.NoError(t, err)
	return slices.Compact(by)
}

// changes are the instants at which the clocks of some zones change. Lord Howe's change by half an
// hour; Kathmandu's do not, but stand at 5:45.
var changes = []struct{ zone, at string }{
	{"Europe/Berlin", "2026-03-29T01:00:00Z"},
	{"Europe/Berlin", "2026-10-25T01:00:00Z"},
	{"America/Sao_Paulo", "2018-11-04T03:00:00Z"},
	{"America/Sao_Paulo", "2019-02-17T02:00:00Z"},
	{"Australia/Lord_Howe", "2026-04-04T15:00:00Z"},
	{"Asia/Kathmandu", "2026-12-31T18:15:00Z"},
	{"UTC", "2026-12-31T00:00:00Z"},
}

func randomInterval(t *testing.T, r *rand.Rand, zone string) timeinterval.TimeInterval {
	spec := map[string]any{}
	if r.IntN(3) > 0 {
		from := r.IntN([]int{4 * 60, 24 * 60}[r.IntN(2)]) // clocks change at night
		to := from + 1 + r.IntN([]int{30, 24*60 - from}[r.IntN(2)])
		clock := func(m int) string {
			m = min(m, 24*60)
			return fmt.Sprintf("%02d:%02d", m/60, m%60)
		}
		spec["times"] = []map[string]string{{"start_time": clock(from), "end_time": clock(to)}, {"start_time": "01:40", "end_time": "02:30"}}[:1+r.IntN(2)]
	}
	if r.IntN(3) == 0 {
		spec["weekdays"] = []string{"saturday:saturday", "sunday:tuesday"}[:1+r.IntN(2)]
	}
	if r.IntN(4) == 0 {
		spec["days_of_month"] = []string{"-2:-1", "1:4"}[:1+r.IntN(2)]
	}
	if r.IntN(6) == 0 {
		spec["months"] = []string{"january:march"}
	}
	if r.IntN(6) == 0 {
		spec["years"] = []string{"2026"}
	}
	if r.IntN(3) > 0 {
		spec["location"] = zone
	}
	text, err := json.Marshal(spec)
	require.NoError(t, err)
	return interval(t, string(text))
}
