package web

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"golang.org/x/net/html"

	"github.com/tocsin/tocsin/alarm"
)

func TestVerdictWords(t *testing.T) {
	fires := firing(model.LabelSet{"alertname": "X"}, nil, time.Minute)
	with := func(change func(*alarm.Alert)) alarm.Reading {
		a := *fires.Alert
		change(&a)
		return alarm.Reading{Alert: &a}
	}
	groups := []alarm.GroupExplanation{{}}
	for _, tc := range []struct {
		x    alarm.Explanation
		want string
	}{
		{alarm.Explanation{}, "This alert is no longer known."},
		{alarm.Explanation{Reading: with(func(a *alarm.Alert) { a.State = alarm.Pending })}, "It is pending"},
		{alarm.Explanation{Reading: with(func(a *alarm.Alert) { a.State = alarm.Resolved })}, "It has ended."},
		{alarm.Explanation{Reading: with(func(a *alarm.Alert) { a.EndsAt = now })}, "It has ended."},
		{alarm.Explanation{Reading: withheld(fires, alarm.Suppression{}), Groups: groups}, "It fires, and is withheld"},
		{alarm.Explanation{Reading: fires}, "It fires, and no route"},
		{alarm.Explanation{Reading: fires, Groups: groups}, "It fires, and nothing withholds it."},
	} {
		assert.True(t, strings.HasPrefix(verdictWords(now, &tc.x), tc.want), "%q: %q", tc.want, verdictWords(now, &tc.x))
	}
}

func TestGroupWords(t *testing.T) {
	fires := firing(model.LabelSet{"alertname": "X"}, nil, time.Minute, "ops")
	quiet := withheld(fires, alarm.Suppression{Reason: alarm.ReasonSilence})
	over := *fires.Alert
	over.State = alarm.Resolved
	ended := alarm.Reading{Alert: &over}
	told, open := []string{"mail[0]", "slack[0]"}, []alarm.Intention{{}}
	at := func(d time.Duration) alarm.GroupState { return alarm.GroupState{Anchor: now.Add(d)} }
	for _, tc := range []struct {
		r    alarm.Reading
		g    alarm.GroupExplanation
		want string
	}{
		{fires, alarm.GroupExplanation{ToldAlert: told}, "ops was told of it through mail[0], slack[0]."},
		{quiet, alarm.GroupExplanation{ToldAlert: told}, "ops was told of it through mail[0], slack[0] before it was withheld. When it ends, that is told too."},
		{ended, alarm.GroupExplanation{ToldAlert: told}, "ops was told of it through mail[0], slack[0], and its end is still to be told."},
		{fires, alarm.GroupExplanation{Open: open}, "ops is being told: a notification is on its way."},
		{
			fires,
			alarm.GroupExplanation{Failed: []alarm.Failure{{Integration: "mail[0]", At: now, Attempts: 3, Err: "unexpected status code 429"}}},
			"ops could not be told through mail[0] at 00:00:00 UTC, and is tried again: unexpected status code 429.",
		},
		{quiet, alarm.GroupExplanation{Open: open}, "ops is not told."},
		{ended, alarm.GroupExplanation{}, "ops is not told."},
		{alarm.Reading{}, alarm.GroupExplanation{}, "ops is not told."},
		{fires, alarm.GroupExplanation{MutedBy: []string{"nights", "feasts"}}, "ops is not told while the time interval nights, feasts lasts."},
		{fires, alarm.GroupExplanation{State: at(20 * time.Second)}, "ops will be told at 00:00:20 UTC, when group_wait (30s) is over."},
		{fires, alarm.GroupExplanation{State: at(-6 * time.Minute)}, "ops will be told at 00:04:00 UTC, when the group is flushed next."},
		{fires, alarm.GroupExplanation{State: at(-5 * time.Minute)}, "ops will be told at 00:00:00 UTC, when the group is flushed next."},
	} {
		g := group("ops", nil)
		tc.g.Group = g.Group
		assert.Equal(t, tc.want, groupWords(now, tc.r, &tc.g))
	}
}

func TestHistoryWords(t *testing.T) {
	for _, tc := range []struct {
		record alarm.Record
		want   string
	}{
		{alarm.Record{Kind: "appeared", Source: "gen2"}, "began to fire, says gen2"},
		{alarm.Record{Kind: "appeared", Source: "gen2", Body: []byte(`{"state":"pending"}`)}, "is pending, says gen2"},
		{alarm.Record{Kind: "changed"}, "changed"},
		{alarm.Record{Kind: "ended", Source: "push"}, "ended, says push"},
		{alarm.Record{Kind: "verdict", Body: []byte(`{"at":"2000-01-01T00:00:00Z"}`)}, "is not withheld any more"},
		{alarm.Record{Kind: "verdict", Body: []byte(`{"suppressions":7}`)}, "the verdict changed"},
		{alarm.Record{Kind: "verdict"}, "the verdict changed"},
		{
			alarm.Record{Kind: "add", Receiver: "ops", Integration: "mail[0]", Body: []byte(`{"id":7,"reason":"first notification"}`)},
			"a notification of ops through mail[0] was planned: first notification",
		},
		{alarm.Record{Kind: "delivered", Receiver: "ops", Body: []byte(`{"id":7,"attempts":1}`)}, "ops was told"},
		{alarm.Record{Kind: "failed", Receiver: "ops", Body: []byte(`{"attempts":3,"error":"503"}`)}, "ops could not be told: 503 (after 3 attempts)"},
		{alarm.Record{Kind: "unsent", Receiver: "ops"}, "nothing was left to tell ops"},
		{alarm.Record{Kind: "silence", Body: []byte(`{"id":"s1","createdBy":"anna","comment":"kernel"}`)}, "a silence was set by anna: kernel"},
		{alarm.Record{Kind: "silence-removed"}, "an expired silence was forgotten"},
		{alarm.Record{Kind: "reload"}, "the configuration was loaded anew"},
		{alarm.Record{Kind: "moonrise", Body: []byte(`{"name":"m","note":"full"}`)}, "moonrise m: full"},
	} {
		assert.Equal(t, tc.want, teller().historyWords(tc.record).Words)
	}
}

// teller tells history of a night in which it knows one silence.
func teller() rower {
	return rower{now: now, root: "../", r: &reading{silences: map[string]*alarm.Silence{"s1": {CreatedBy: "anna", Comment: "kernel", EndsAt: now.Add(time.Hour)}}}}
}

func TestHistoryTellsWhyAnAlertWasWithheld(t *testing.T) {
	line := teller().historyWords(alarm.Record{At: now, Kind: "verdict", Body: []byte(
		`{"suppressions":[{"reason":"silence","by":"s1"},{"reason":"silence","by":"gone"},{"reason":"inhibition","by":"00000000000000aa","rule":"r"}]}`)})
	assert.Equal(t, "is withheld", line.Words)
	assert.Equal(t, []reasonView{
		{Kind: "silence", Says: "Silenced by anna", Comment: "kernel", ID: "s1", Until: makeWhen(now, now.Add(time.Hour))},
		{Kind: "silence", Says: "Silenced (gone)", ID: "gone"},
		{Kind: "inhibition", Says: "Inhibited by", Cause: "00000000000000aa", URL: "../alert/00000000000000aa?at=2000-01-01T00%3A00%3A00Z", Rule: "r"},
	}, line.Reasons)
}

func TestHistoryFacts(t *testing.T) {
	assert.Equal(t, []pair{{Name: "a", Value: "true"}, {Name: "b.c", Value: "12345678901234567890"}, {Name: "d.1.e", Value: "x"}},
		facts([]byte(`{"d":[{"e":"x"},null],"b":{"c":12345678901234567890},"a":true,"z":""}`)))
	assert.Equal(t, []pair{{Value: "not JSON"}}, facts([]byte("not JSON")))
	assert.Nil(t, facts(nil))
	many := facts([]byte("[" + strings.Repeat(`"x",`, 99) + `"x"]`))
	assert.Len(t, many, maxFacts+1)
	assert.Equal(t, pair{Value: "… and 60 more"}, many[maxFacts])
}

func FuzzHistory(f *testing.F) {
	f.Add("verdict", []byte(`{"suppressions":[1,{"reason":{}}]}`))
	f.Add("add", []byte(`[[[]]]`))
	f.Fuzz(func(t *testing.T, kind string, body []byte) {
		line := teller().historyWords(alarm.Record{Kind: kind, Body: body})
		assert.LessOrEqual(t, len(line.Facts), maxFacts+1)
	})
}

func TestExplainPage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := night()
		pod := e.groups[3].Alerts[1]
		a := *pod.Alert
		a.FirstSeen, a.Fired = now.Add(-25*time.Hour), 3
		a.Reports = []alarm.Report{
			{Source: "gen2", StartsAt: a.StartsAt, UpdatedAt: now},
			{Source: "push", StartsAt: a.StartsAt, EndsAt: now.Add(5 * time.Minute), UpdatedAt: now, Timeout: true},
		}
		pod.Alert = &a
		key := alarm.IntentionKey{Receiver: "ops", Integration: "mail[0]"}
		fp := a.Fingerprint()
		e.explanations = map[model.Fingerprint]*alarm.Explanation{fp: {
			Reading: pod,
			Groups: []alarm.GroupExplanation{{
				Group: e.groups[3].Group, State: alarm.GroupState{Created: now.Add(-13 * time.Minute), Anchor: now.Add(-12 * time.Minute)},
				Told: []alarm.Told{{Key: key, At: now.Add(-12 * time.Minute), Sets: alarm.ToldSets{Firing: []uint64{1}}}},
				Open: []alarm.Intention{{Key: key, Action: alarm.Update, Reason: alarm.NotifyNewAlerts, At: now, Deadline: now.Add(5 * time.Minute)}},
			}},
			History: []alarm.Record{
				{ID: 1, At: now.Add(-13 * time.Minute), Kind: "appeared", Source: "gen2"},
				{ID: 2, At: now.Add(-12 * time.Minute), Kind: "delivered", Receiver: "ops", Integration: "mail[0]"},
			},
		}}
		w := get(t, newHandler(t, e, Options{}), "/alert/"+fp.String())
		assert.Equal(t, http.StatusOK, w.Code)
		doc := parse(t, w)
		assert.Equal(t, "PodDown on cart-1 · tocsin", words(find(doc, "title", "")[0]))
		assert.Equal(t, now.Add(-24*time.Hour), e.from.UTC())
		var cards []string
		for d := range doc.Descendants() {
			if d.Type == html.ElementNode && strings.Contains(attr(d, "class"), "card") {
				cards = append(cards, words(d))
			}
		}
		assert.Equal(t, []string{
			"inhibition warning PodDown since 1999-12-31 23:47:00 UTC (13 min ago) " +
				"It fires, and is withheld: nobody is told while one of these reasons lasts. " +
				"Inhibited by NodeDown on w7, rule nodes ops is not told. pod=cart-1",
			"Causes this alert NodeDown on w7 rule nodes firing since 1999-12-31 23:46:00 UTC (14 min ago) root cause",
			"Sources Source State Since Ends Last said " +
				"gen2 firing 1999-12-31 23:47:00 UTC (13 min ago) when the source no longer reports it 2000-01-01 00:00:00 UTC (<1 min ago) " +
				"push firing 1999-12-31 23:47:00 UTC (13 min ago) 2000-01-01 00:05:00 UTC (in 5 min), by resolve_timeout 2000-01-01 00:00:00 UTC (<1 min ago) " +
				"First seen 1999-12-30 23:00:00 UTC (1 d 1 h ago) Began to fire 3 times Fired for 1 d 1 h in all Fingerprint " + fp.String(),
			"Receiver ops Route {} Group alertname=NodeDown Timers group_wait 30s, group_interval 5m, repeat_interval 4h " +
				"Group made 1999-12-31 23:47:00 UTC (13 min ago) First flush 1999-12-31 23:48:00 UTC (12 min ago) Next flush 2000-01-01 00:03:00 UTC (in 3 min) " +
				"mail[0] last told of 1 firing and 0 resolved, does not know that this alert fires: 1999-12-31 23:48:00 UTC (12 min ago); repeats after 2000-01-01 03:48:00 UTC " +
				"mail[0] on its way: update because new alerts added, planned 2000-01-01 00:00:00 UTC (<1 min ago), tried until 2000-01-01 00:05:00 UTC",
			"History 24 hours 7 days 30 days 90 days Each time leads to the alert as it stood then. " +
				"1999-12-31 23:48:00 UTC (12 min ago) ops through mail[0] was told " +
				"1999-12-31 23:47:00 UTC (13 min ago) began to fire, says gen2",
		}, cards)
	})
}

func TestExplainPageOfWhatIsOnlyHistory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fp := model.Fingerprint(7)
		e := &fakeEngine{explanations: map[model.Fingerprint]*alarm.Explanation{fp: {}}}
		for range explainLimit {
			e.explanations[fp].History = append(e.explanations[fp].History, alarm.Record{At: now, Kind: "changed"})
		}
		w := get(t, newHandler(t, e, Options{}), "/alert/"+fp.String()+"?since=7d")
		assert.Equal(t, http.StatusOK, w.Code)
		assert.Equal(t, now.Add(-7*24*time.Hour), e.from.UTC())
		text := words(parse(t, w))
		assert.Contains(t, text, "This alert is no longer known. What is left of it is its history.")
		assert.Contains(t, text, "Only the newest 200 entries of the last 7 days are shown.")
	})
}

func TestExplainPageOfNothingKnown(t *testing.T) {
	h := newHandler(t, night(), Options{})
	for _, target := range []string{"/alert/0000000000000007", "/alert/xyz", "/alert/", "/alert/1/2"} {
		assert.Equal(t, http.StatusNotFound, get(t, h, target).Code, target)
	}
	assert.Contains(t, words(parse(t, get(t, h, "/alert/7"))), fmt.Sprintf("Nothing is known of an alert %s in the last 24 hours.", model.Fingerprint(7)))
}
