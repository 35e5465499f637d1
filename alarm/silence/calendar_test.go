package silence

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
)

func utc(t *testing.T, s string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, s)
	require.NoError(t, err)
	return at
}

// startsIn lists the starts of a rule from one instant to another.
func startsIn(c alarm.Calendar, from, to time.Time) []string {
	var all []string
	for at, ok := c.Next(from.Add(-1)); ok && at.Before(to); at, ok = c.Next(at) {
		all = append(all, at.UTC().Format("2006-01-02T15:04Z"))
	}
	return all
}

// TestBothClockChanges has a window begin each day while the clock leaps, and while it shows an hour
// twice, in ten zones: starts on the day before, the day itself and the day after, worked out by hand
// from the zones' published changes of 2026.
func TestBothClockChanges(t *testing.T) {
	for _, tc := range []struct{ zone, start, from, want string }{
		// Forward: 01:00 becomes 02:00. 01:30 is not shown; without the leap it would be 01:30 GMT.
		{"Europe/London", "01:30", "2026-03-28", "28T01:30 29T01:30 30T00:30"},
		{"Europe/London", "01:30", "2026-10-24", "24T00:30 25T00:30 26T01:30"}, // the first 01:30
		{"Europe/Berlin", "02:30", "2026-03-28", "28T01:30 29T01:30 30T00:30"},
		{"Europe/Berlin", "02:30", "2026-10-24", "24T00:30 25T00:30 26T01:30"},
		{"America/New_York", "02:30", "2026-03-07", "07T07:30 08T07:30 09T06:30"},
		{"America/New_York", "01:30", "2026-10-31", "31T05:30 01T05:30 02T06:30"},
		{"America/Los_Angeles", "02:00", "2026-03-07", "07T10:00 08T10:00 09T09:00"},
		{"America/Los_Angeles", "01:00", "2026-10-31", "31T08:00 01T08:00 02T09:00"},
		{"America/St_Johns", "02:15", "2026-03-07", "07T05:45 08T05:45 09T04:45"}, // UTC-3:30
		{"America/St_Johns", "01:15", "2026-10-31", "31T03:45 01T03:45 02T04:45"},
		{"America/Santiago", "00:30", "2026-09-05", "05T04:30 06T04:30 07T03:30"}, // at midnight
		{"America/Santiago", "23:30", "2026-04-03", "04T02:30 05T02:30 06T03:30"},
		{"Australia/Sydney", "02:30", "2026-10-03", "02T16:30 03T16:30 04T15:30"},
		{"Australia/Sydney", "02:30", "2026-04-04", "03T15:30 04T15:30 05T16:30"},
		{"Australia/Lord_Howe", "02:15", "2026-10-03", "02T15:45 03T15:45 04T15:15"}, // half an hour
		{"Australia/Lord_Howe", "01:45", "2026-04-04", "03T14:45 04T14:45 05T15:15"},
		{"Pacific/Auckland", "02:30", "2026-09-26", "25T14:30 26T14:30 27T13:30"},
		{"Pacific/Auckland", "02:30", "2026-04-04", "03T13:30 04T13:30 05T14:30"},
		{"Africa/Cairo", "00:30", "2026-04-23", "22T22:30 23T22:30 24T21:30"},
		{"Africa/Cairo", "23:30", "2026-10-28", "28T20:30 29T20:30 30T21:30"},
	} {
		loc, err := zone(tc.zone)
		require.NoError(t, err)
		w := Window{Name: "w", Scope: alarm.Scope{Cluster: "eu"}, Rule: "FREQ=DAILY", Start: tc.from + "T" + tc.start, Zone: tc.zone, Duration: 90 * time.Minute}
		s, err := Planner{}.Plan(start, w)
		require.NoError(t, err, tc.zone)
		first, err := ParseTime(tc.from+"T"+tc.start, loc)
		require.NoError(t, err)
		var got []string
		for _, o := range s.Ahead(first.Add(-time.Second), 3) {
			got = append(got, o.Start.UTC().Format("02T15:04"))
			assert.Equal(t, 90*time.Minute, o.End.Sub(o.Start), "%s: as time passes", tc.zone)
			assert.Equal(t, alarm.SilencePending, s.StateAt(o.Start.Add(-1)))
			assert.Equal(t, alarm.SilenceActive, s.StateAt(o.Start))
			assert.Equal(t, alarm.SilenceActive, s.StateAt(o.End.Add(-1)))
			assert.Equal(t, alarm.SilencePending, s.StateAt(o.End))
		}
		assert.Equal(t, tc.want, strings.Join(got, " "), "%s %s", tc.zone, tc.start)
	}
}

// TestRules are golden: what common rules mean.
func TestRules(t *testing.T) {
	for _, tc := range []struct{ rule, start, zone, from, to, want string }{
		{"FREQ=WEEKLY;BYDAY=TU", "2026-01-06T22:00", "Europe/London", "2026-03-20", "2026-04-10", "2026-03-24T22:00Z 2026-03-31T21:00Z 2026-04-07T21:00Z"},
		{"RRULE:FREQ=WEEKLY", "2026-01-06T22:00", "UTC", "2026-03-20", "2026-04-01", "2026-03-24T22:00Z 2026-03-31T22:00Z"},
		{"FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,SU;WKST=MO", "2026-01-06T22:00", "UTC", "2026-01-01", "2026-02-03", "2026-01-11T22:00Z 2026-01-19T22:00Z 2026-01-25T22:00Z 2026-02-02T22:00Z"},
		{"FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,SU;WKST=SU", "2026-01-06T22:00", "UTC", "2026-01-01", "2026-02-02", "2026-01-18T22:00Z 2026-01-19T22:00Z 2026-02-01T22:00Z"},
		{"FREQ=MONTHLY;BYDAY=2TU", "2026-01-01T03:00", "UTC", "2026-01-01", "2026-04-01", "2026-01-13T03:00Z 2026-02-10T03:00Z 2026-03-10T03:00Z"},
		{"FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", "2026-01-01T03:00", "UTC", "2026-01-15", "2026-04-01", "2026-01-30T03:00Z 2026-02-27T03:00Z 2026-03-31T03:00Z"},
		{"FREQ=MONTHLY", "2026-01-31T03:00", "UTC", "2026-01-01", "2026-06-01", "2026-01-31T03:00Z 2026-03-31T03:00Z 2026-05-31T03:00Z"},
		{"FREQ=MONTHLY;BYMONTHDAY=-1", "2026-01-01T03:00", "UTC", "2028-02-01", "2028-04-01", "2028-02-29T03:00Z 2028-03-31T03:00Z"},
		{"FREQ=YEARLY", "2024-02-29T03:00", "UTC", "2025-01-01", "2033-01-01", "2028-02-29T03:00Z 2032-02-29T03:00Z"},
		{"FREQ=YEARLY;BYWEEKNO=1;BYDAY=MO", "2026-01-01T03:00", "UTC", "2026-06-01", "2028-06-01", "2027-01-04T03:00Z 2028-01-03T03:00Z"},
		{"FREQ=DAILY;INTERVAL=3", "2026-01-01T03:00", "UTC", "2026-12-25", "2027-01-01", "2026-12-27T03:00Z 2026-12-30T03:00Z"},
		{"FREQ=DAILY;COUNT=2", "2026-01-01T03:00", "UTC", "2026-01-01", "2027-01-01", "2026-01-01T03:00Z 2026-01-02T03:00Z"},
		{"FREQ=DAILY;UNTIL=20260102", "2026-01-01T23:00", "America/New_York", "2026-01-01", "2027-01-01", "2026-01-02T04:00Z 2026-01-03T04:00Z"},
		{"FREQ=DAILY;UNTIL=20260103T035959Z", "2026-01-01T23:00", "America/New_York", "2026-01-01", "2027-01-01", "2026-01-02T04:00Z"},
		{"FREQ=DAILY;UNTIL=20260102T225959", "2026-01-01T23:00", "America/New_York", "2026-01-01", "2027-01-01", "2026-01-02T04:00Z"},
		{"freq=daily;byhour=1,13;byminute=15", "2026-01-01T00:00", "UTC", "2026-05-01", "2026-05-02", "2026-05-01T01:15Z 2026-05-01T13:15Z"},
	} {
		c, err := newCalendar(&alarm.Recurrence{Rule: tc.rule, Zone: tc.zone, Start: tc.start + ":00"})
		require.NoError(t, err, tc.rule)
		from, to := utc(t, tc.from+"T00:00:00Z"), utc(t, tc.to+"T00:00:00Z")
		assert.Equal(t, tc.want, strings.Join(startsIn(c, from, to), " "), tc.rule)
	}
}

func TestBadRules(t *testing.T) {
	for rule, want := range map[string]string{
		"":                                               "no recurrence rule",
		"FREQ=FORTNIGHTLY":                               "no recurrence rule",
		"FREQ=HOURLY":                                    "FREQ=DAILY;BYHOUR",
		"FREQ=DAILY;INTERVAL=0":                          "INTERVAL is 0",
		"FREQ=DAILY;INTERVAL=-1":                         "INTERVAL is -1",
		"FREQ=DAILY;INTERVAL=99999":                      "INTERVAL is 99999",
		"FREQ=DAILY;COUNT=100000":                        "COUNT is 100000",
		"FREQ=DAILY;COUNT=1;UNTIL=20300101":              "exclude each other",
		"FREQ=DAILY;UNTIL=tomorrow":                      "UNTIL=TOMORROW is no date",
		"FREQ=DAILY;UNTIL=20200101":                      "never comes to pass",
		"FREQ=DAILY;BYDAY=2TU":                           "needs FREQ=MONTHLY",
		"FREQ=DAILY;BYDAY=XX":                            "no recurrence rule",
		"FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30":             "never comes to pass",
		"FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30":            "never comes to pass",
		"FREQ=DAILY;FREQ=WEEKLY":                         "FREQ is given twice",
		"FREQ=YEARLY;BYEASTER=0":                         "not in RFC 5545",
		"DTSTART:20260101T000000\nRRULE:FREQ=DAILY":      "only the rule stands here",
		"FREQ=DAILY;BYHOUR=25":                           "no recurrence rule",
		"FREQ=WEEKLY;BYMONTHDAY=1":                       "BYMONTHDAY makes no sense",
		"FREQ=MONTHLY;BYYEARDAY=1":                       "need FREQ=YEARLY",
		"FREQ=DAILY;BYHOUR=" + strings.Repeat("1,", 600): "longer than",
		"FREQ=DAILY;BYHOUR=1,2,3,4,5,6,7,8,9,10;BYMINUTE=1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29": "290 starts a day",
	} {
		began := time.Now()
		_, err := newCalendar(&alarm.Recurrence{Rule: rule, Zone: "UTC", Start: "2026-01-01T00:00:00", Duration: time.Hour})
		if assert.Error(t, err, rule) {
			assert.Contains(t, err.Error(), want, rule)
		}
		assert.Less(t, time.Since(began), 5*time.Second, "whatever the rule, it is soon refused: %s", rule)
	}
}

// A naiveRule says by looking at the calendar whether a wall time is a start.
type naiveRule struct {
	freq             string
	interval         int
	days             []time.Weekday
	monthdays, hours []int
	minutes, months  []int
	start            wall
}

var dayWords = [...]string{"SU", "MO", "TU", "WE", "TH", "FR", "SA"}

func randomRule(rnd *rand.Rand) naiveRule {
	some := func(n, from, to int) []int {
		var all []int
		for range rnd.IntN(n + 1) {
			all = append(all, from+rnd.IntN(to-from+1))
		}
		return all
	}
	r := naiveRule{
		freq: []string{"DAILY", "DAILY", "WEEKLY", "MONTHLY"}[rnd.IntN(4)], interval: 1 + rnd.IntN(2)*rnd.IntN(3),
		hours: append(some(2, 0, 23), rnd.IntN(4), rnd.IntN(4)), minutes: some(2, 0, 59),
		start: time.Date(2025, time.Month(1+rnd.IntN(12)), 1+rnd.IntN(28), rnd.IntN(4), rnd.IntN(60), 0, 0, time.UTC),
	}
	if rnd.IntN(2) == 0 {
		for _, d := range some(4, 0, 6) {
			r.days = append(r.days, time.Weekday(d))
		}
	}
	if r.freq != "WEEKLY" && rnd.IntN(6) == 0 {
		r.monthdays = some(4, 1, 31)
	}
	if rnd.IntN(4) == 0 {
		r.months = append(some(5, 1, 12), 3, 10)
	}
	return r
}

func (r naiveRule) String() string {
	parts := []string{"FREQ=" + r.freq, fmt.Sprint("INTERVAL=", r.interval)}
	list := func(name string, values []int) {
		if len(values) > 0 {
			parts = append(parts, name+"="+strings.ReplaceAll(strings.Trim(fmt.Sprint(values), "[]"), " ", ","))
		}
	}
	list("BYHOUR", r.hours)
	list("BYMINUTE", r.minutes)
	list("BYMONTHDAY", r.monthdays)
	list("BYMONTH", r.months)
	if len(r.days) > 0 {
		var words []string
		for _, d := range r.days {
			words = append(words, dayWords[d])
		}
		parts = append(parts, "BYDAY="+strings.Join(words, ","))
	}
	return strings.Join(parts, ";")
}

func (r naiveRule) begins(w wall) bool {
	day := func(w wall) int { return int(w.Truncate(24*time.Hour).Unix() / 86400) }
	monday := func(w wall) int { return day(w) - (int(w.Weekday())+6)%7 }
	minutes := r.minutes
	if len(minutes) == 0 {
		minutes = []int{r.start.Minute()}
	}
	implicit := len(r.days) == 0 && len(r.monthdays) == 0
	in := func(list []int, x int) bool { return len(list) == 0 || slices.Contains(list, x) }
	if w.Before(r.start) || !in(r.hours, w.Hour()) || !slices.Contains(minutes, w.Minute()) || !in(r.months, int(w.Month())) ||
		!in(r.monthdays, w.Day()) || len(r.days) > 0 && !slices.Contains(r.days, w.Weekday()) {
		return false
	}
	switch r.freq {
	case "DAILY":
		return (day(w)-day(r.start))%r.interval == 0
	case "WEEKLY":
		return (monday(w)-monday(r.start))/7%r.interval == 0 && (!implicit || w.Weekday() == r.start.Weekday())
	default:
		months := 12*(w.Year()-r.start.Year()) + int(w.Month()) - int(r.start.Month())
		return months%r.interval == 0 && (!implicit || w.Day() == r.start.Day())
	}
}

// changes returns both changes of a zone's clock in 2026, or two days if it has none.
func changes(loc *time.Location) [2]time.Time {
	_, first := time.Date(2026, 1, 1, 0, 0, 0, 0, loc).ZoneBounds()
	if first.IsZero() {
		return [2]time.Time{time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 9, 1, 0, 0, 0, 0, time.UTC)}
	}
	_, second := first.ZoneBounds()
	return [2]time.Time{first.UTC(), second.UTC()}
}

// TestAgainstAMinuteByMinuteModel walks through each minute around both clock changes: what the wall
// clock shows for the first time is a start if the rule says so, and what it leaps over starts when it
// would have been shown without the leap.
func TestAgainstAMinuteByMinuteModel(t *testing.T) {
	zones := []string{"Europe/London", "America/New_York", "Australia/Lord_Howe", "America/Santiago", "Asia/Kolkata"}
	const days = 3
	active, leapt := 0, 0
	for seed := range uint64(40) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		rule := randomRule(rnd)
		name := zones[rnd.IntN(len(zones))]
		loc, err := zone(name)
		require.NoError(t, err)
		duration := time.Duration(1+rnd.IntN(200)) * time.Minute
		w := Window{Scope: alarm.Scope{Cluster: "eu"}, Rule: rule.String(), Start: rule.start.Format(wallForm), Zone: name, Duration: duration}
		s, err := Planner{}.Plan(start, w)
		if err != nil {
			require.Contains(t, err.Error(), "never comes to pass", rule)
			continue
		}
		from := changes(loc)[rnd.IntN(2)].Truncate(24*time.Hour).AddDate(0, 0, -1)
		starts := map[int64]bool{}
		shown := wallAt(from.AddDate(0, 0, -3).Add(-time.Minute), loc)
		furthest := shown
		for at := from.AddDate(0, 0, -3); at.Before(from.AddDate(0, 0, days)); at = at.Add(time.Minute) {
			now := wallAt(at, loc)
			leap := now.Sub(shown) - time.Minute // what the clock leapt over, or went back
			for missed := shown.Add(time.Minute); missed.Before(now); missed = missed.Add(time.Minute) {
				if missed.After(furthest) && rule.begins(missed) {
					starts[at.Add(missed.Sub(now)+leap).Unix()] = true
					leapt++
				}
			}
			if now.After(furthest) && rule.begins(now) {
				starts[at.Unix()] = true
			}
			shown = now
			if now.After(furthest) {
				furthest = now
			}
		}
		for at := from; at.Before(from.AddDate(0, 0, days)); at = at.Add(time.Minute) {
			want := alarm.SilencePending
			for back := time.Duration(0); back < duration && want == alarm.SilencePending; back += time.Minute {
				if starts[at.Add(-back).Unix()] {
					want = alarm.SilenceActive
				}
			}
			if want == alarm.SilenceActive {
				active++
			}
			if got := s.StateAt(at); got != want {
				require.Equal(t, want, got, "seed %d: %s for %s in %s from %s, at %s", seed, rule, duration, name, rule.start, at)
			}
		}
	}
	assert.Positive(t, active)
	assert.Positive(t, leapt, "starts that the clock leapt over")
}

func FuzzRule(f *testing.F) {
	for _, s := range []string{"FREQ=WEEKLY;BYDAY=TU", "FREQ=MONTHLY;BYDAY=-1FR;BYSETPOS=1", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29;COUNT=3", "FREQ=DAILY;UNTIL=20270101T000000Z;INTERVAL=9"} {
		f.Add(s, "2026-01-06T22:00:00", "Europe/London", int64(1_770_000_000))
	}
	f.Fuzz(func(t *testing.T, rule, from, zone string, at int64) {
		c, err := newCalendar(&alarm.Recurrence{Rule: rule, Start: from, Zone: zone, Duration: time.Hour})
		if err != nil {
			require.NotEmpty(t, err.Error())
			return
		}
		if c.rule.Dtstart.Year() < 1970 || c.rule.Dtstart.Year() > 2200 {
			return // refused before
		}
		now := time.Unix(at%10_000_000_000, 0)
		last, ok := c.Last(now)
		require.True(t, !ok || !last.After(now))
		next, more := c.Next(now)
		require.True(t, !more || next.After(now))
		if more {
			again, ok := c.Last(next)
			require.True(t, ok)
			require.True(t, again.Equal(next), "the next start is the last one when it comes: %s, %s", next, again)
		}
	})
}
