package web

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
)

func TestParseInstant(t *testing.T) {
	for text, want := range map[string]string{
		"1999-12-31T23:00Z": "1999-12-31T23:00:00Z", "1999-12-31T23:00:01.5Z": "1999-12-31T23:00:01.5Z",
		"1999-12-31T23:00:00+02:00": "1999-12-31T21:00:00Z", "1999-12-31T23:00": "1999-12-31T23:00:00Z", "1999-12-31T23:00:07": "1999-12-31T23:00:07Z",
		"2000-01-01T00:00Z": "2000-01-01T00:00:00Z",
		"2000-01-01T00:01Z": "that is in the future: choose an instant of the past",
		"yesterday":         `"yesterday" is no time: write one such as 2027-01-01T03:00Z`,
		"\u202e":            `"\\u202e" is no time: write one such as 2027-01-01T03:00Z`,
	} {
		at, err := parseInstant(now, text)
		if err != nil {
			assert.Equal(t, want, err.Error())
			continue
		}
		assert.Equal(t, want, at.Format(time.RFC3339Nano))
	}
}

func TestPastWords(t *testing.T) {
	fires := firing(model.LabelSet{"alertname": "X"}, nil, time.Hour, "ops")
	ended, pending := *fires.Alert, *fires.Alert
	ended.State, pending.State = alarm.Resolved, alarm.Pending
	quiet := withheld(fires, alarm.Suppression{Reason: alarm.ReasonSilence})
	g := alarm.GroupExplanation{Group: group("ops", nil).Group}
	told, muted := g, g
	told.ToldAlert, muted.MutedBy = []string{"mail[0]"}, []string{"nights"}
	for _, tc := range []struct {
		r                alarm.Reading
		g                alarm.GroupExplanation
		verdict, toldVia string
	}{
		{alarm.Reading{}, g, "Nothing that is recorded says", "ops had not been told of it."},
		{alarm.Reading{Alert: &pending}, g, "It was pending:", "ops had not been told of it."},
		{alarm.Reading{Alert: &ended}, told, "It had ended.", "ops had been told of it through mail[0], and its end was still to be told."},
		{quiet, told, "It fired, and was withheld:", "ops had been told of it through mail[0]."},
		{quiet, muted, "It fired, and was withheld:", "ops had not been told of it."},
		{fires, muted, "It fired, and nothing withheld it.", "ops had not been told: by the configuration of now, the time interval nights lasted."},
	} {
		x := alarm.Explanation{At: now, Reading: tc.r, Groups: []alarm.GroupExplanation{tc.g}}
		assert.True(t, strings.HasPrefix(verdictWords(now, &x), tc.verdict), verdictWords(now, &x))
		assert.Equal(t, tc.toldVia, pastGroupWords(now, tc.r, &tc.g))
	}
	assert.Contains(t, verdictWords(now, &alarm.Explanation{At: now, Reading: fires}), "none led to a receiver")
}

func TestExplainPageOfThePast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		at := now.Add(-time.Hour)
		e := night()
		then := firing(model.LabelSet{"alertname": "PodDown", "pod": "p"}, nil, 3*time.Hour, "ops")
		node := e.groups[2].Alerts[0].Alert.Fingerprint().String()
		then = withheld(then, alarm.Suppression{Reason: alarm.ReasonDependency, By: node, Root: "00000000000000aa", Rule: "nodes", Note: "NodeDown"})
		fp := then.Alert.Fingerprint()
		e.past = map[model.Fingerprint]*alarm.Explanation{fp: {
			At: at, Reading: then,
			Groups:  []alarm.GroupExplanation{{Group: e.groups[3].Group, ToldAlert: []string{"mail[0]"}}},
			History: []alarm.Record{{ID: 1, At: at.Add(-time.Second + 7), Kind: "appeared", Source: "gen2"}},
		}}
		target := "/alert/" + fp.String() + "?since=7d&at=" + at.Format("2006-01-02T15:04")
		w := get(t, newHandler(t, e, Options{}), target)
		require.Equal(t, http.StatusOK, w.Code)
		assert.Equal(t, at, e.at)
		assert.Equal(t, at.Add(-7*24*time.Hour), e.from)
		doc := parse(t, w)
		assert.Contains(t, words(find(doc, "p", "past")[0]), "As it stood at 1999-12-31 23:00:00 UTC (1 h ago).")
		text := words(doc)
		assert.Contains(t, text, "It fired, and was withheld:")
		assert.Contains(t, text, "mail[0] knew that this alert fired")
		for _, absent := range []string{"group_wait", "Next flush", "Group made", "repeats after"} {
			assert.NotContains(t, text, absent, "of the past no timers are known")
		}
		var links []string
		for _, a := range find(doc, "a", "") {
			if strings.Contains(attr(a, "href"), "at=") {
				links = append(links, words(a)+" "+reach(t, target, attr(a, "href")))
			}
		}
		assert.Contains(t, links, "NodeDown on w7 /alert/"+node+"?at=1999-12-31T23%3A00%3A00Z", "causes are shown as they stood then")
		assert.Contains(t, links, "00000000000000aa /alert/00000000000000aa?at=1999-12-31T23%3A00%3A00Z")
		assert.Contains(t, links, "1999-12-31 22:59:59 UTC /alert/"+fp.String()+"?at=1999-12-31T22%3A59%3A59.000000007Z&since=7d", "a record is among what its own instant shows")
		assert.Contains(t, links, "24 hours /alert/"+fp.String()+"?at=1999-12-31T23%3A00%3A00Z", "the instant is kept")
		field := find(find(doc, "form", "then")[0], "input", "")[0]
		assert.Equal(t, "1999-12-31T23:00:00", attr(field, "value"))
	})
}

func TestExplainPageOfAnInstantThatIsNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := night()
		r := e.groups[1].Alerts[0]
		fp := r.Alert.Fingerprint()
		e.explanations = map[model.Fingerprint]*alarm.Explanation{fp: {Reading: r}}
		h := newHandler(t, e, Options{})
		w := get(t, h, "/alert/"+fp.String()+"?at=tomorrow")
		assert.Equal(t, http.StatusBadRequest, w.Code)
		doc := parse(t, w)
		assert.Contains(t, words(find(doc, "p", "error")[0]), `"tomorrow" is no time`)
		assert.Contains(t, words(doc), "It fires, and no route", "what stands now is shown meanwhile")

		w = get(t, h, "/alert/"+fp.String()+"?at=1999-12-31T00:00Z")
		assert.Equal(t, http.StatusNotFound, w.Code)
		assert.Contains(t, words(parse(t, w)), "until 1999-12-31 00:00:00 UTC. It may have begun later, or history does not go back that far.")
	})
}

// A receiver is one box, whether it is told of groups, of each alert, or of both.
func TestReceiverBoxes(t *testing.T) {
	r := firing(model.LabelSet{"alertname": "X"}, nil, time.Hour, "ops")
	m := rower{now: now, root: "./", r: &reading{}, pairs: manyPairs, limit: wholeText}
	part := func(receiver string, change func(*alarm.GroupExplanation)) alarm.GroupExplanation {
		g := alarm.GroupExplanation{Group: group(receiver, model.LabelSet{"a": "b"}).Group}
		g.State.Anchor = now.Add(-time.Minute)
		if change != nil {
			change(&g)
		}
		return g
	}
	level := func(told ...alarm.Told) func(*alarm.GroupExplanation) {
		return func(g *alarm.GroupExplanation) {
			g.Level, g.Told = true, told
			for _, t := range told {
				g.ToldAlert = append(g.ToldAlert, t.Key.Integration)
			}
		}
	}
	incidents := alarm.IntentionKey{Receiver: "ops", Integration: "incidents[0]"}
	acked := alarm.Told{Key: incidents, At: now, Acked: alarm.Acked{At: now.Add(-time.Minute), By: "anna"}}
	closed := alarm.Told{Key: incidents, At: now, ClosedThere: now.Add(-time.Minute)}
	refused := func(g *alarm.GroupExplanation) {
		level()(g)
		g.Failed = []alarm.Failure{{Integration: "incidents[0]", At: now, Err: "422"}}
	}

	boxes := func(groups ...alarm.GroupExplanation) []receiverBox {
		return m.receiverBoxes(&alarm.Explanation{Reading: r, Groups: groups})
	}
	both := boxes(part("ops", nil), part("mail", nil), part("ops", level(acked)))
	require.Len(t, both, 2)
	assert.Equal(t, "ops", both[0].Receiver)
	require.Len(t, both[0].Parts, 2)
	assert.False(t, both[0].Parts[0].SamePath)
	assert.True(t, both[0].Parts[1].SamePath, "the route is said once")
	assert.Equal(t, []string{
		"ops will be told at 00:04:00 UTC, when the group is flushed next.",
		"ops was told of it through incidents[0], and there anna acknowledged it.",
	}, both[0].Words)
	assert.Equal(t, []thereView{{"acknowledged there by anna", makeWhen(now, now.Add(-time.Minute))}}, both[0].Parts[1].Told[0].There)

	silent := boxes(part("ops", func(g *alarm.GroupExplanation) { g.Silent = true }), part("ops", level(closed)))
	require.Len(t, silent, 1)
	assert.Len(t, silent[0].Parts, 1, "nothing would be told of groups: nothing is said of them")
	assert.Equal(t, []string{"ops was told of it through incidents[0], and there somebody closed it by hand."}, silent[0].Words)

	alone := boxes(part("ops", func(g *alarm.GroupExplanation) { g.Silent = true }))
	assert.Equal(t, []string{"ops has nothing that would be told of groups."}, alone[0].Words)

	stands := boxes(part("ops", refused), part("mail", func(g *alarm.GroupExplanation) {
		g.Group.RouteID, g.Group.Team = g.Group.RouteID+"\x00fallback", "db"
	}))
	assert.Equal(t, []string{"ops could not be told through incidents[0] at 00:00:00 UTC, and it was given up: 422."}, stands[0].Words)
	assert.True(t, stands[1].Parts[0].Stands)
	assert.Equal(t, "db", stands[1].Parts[0].Team)
}

func TestExplainPageCountsOccurrences(t *testing.T) {
	r := firing(model.LabelSet{"alertname": "X"}, nil, time.Hour)
	m := rower{now: now}
	said := func() string {
		var all []string
		for _, p := range m.countWords(r.Alert) {
			all = append(all, p.Name+" "+p.Value)
		}
		return strings.Join(all, "; ")
	}
	r.Alert.Fired, r.Alert.FirstSeen = 1, now.Add(-time.Hour)
	assert.Equal(t, "Began to fire 1 time; Fired for 1 h in all", said())
	r.Alert.Fired = 7
	r.Alert.Counts = &alarm.Counts{
		Since: now.Add(-time.Minute), Firing: time.Hour, Reopens: 3, Flaps: 2,
		Flapping: &alarm.Flapping{Since: now.Add(-time.Hour), Changes: 9},
	}
	assert.Equal(t, "Began to fire 7 times; Came back while kept up 3 times; Began to flap 2 times; Fired for 1 h 1 min in all; Flapping since 1999-12-31 23:00:00 UTC: 9 changes of state", said())
	r.Alert.Counts = &alarm.Counts{Since: now, Transients: 4}
	r.Alert.Fired = 1
	assert.Equal(t, "Began to fire 1 time; Too brief to tell 4 times; Note Fired and ended 4 times since 1999-12-31 23:00 UTC, each time too briefly to tell.", said())
	m.at = now.Add(-30 * time.Minute)
	r.Alert.Counts = nil
	assert.Equal(t, "Began to fire 1 time; Fired for 30 min in all", said(), "until the instant that the page is about")
}

func TestHistoryIsLookedForFurtherBack(t *testing.T) {
	doc := parse(t, get(t, newHandler(t, night(), Options{}), "/alert/0000000000000007?since=7d"))
	var links []string
	for _, a := range find(find(doc, "main", "")[0], "a", "") {
		links = append(links, reach(t, "/alert/0000000000000007", attr(a, "href")))
	}
	assert.Equal(t, []string{"/alert/0000000000000007?since=30d", "/alert/0000000000000007?since=90d", "/"}, links)
}
