package web

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
)

func TestChainsAreFollowedToTheRoot(t *testing.T) {
	e := outage(1, 1)
	rack, node, target := e.groups[0].Alerts[0], e.groups[0].Alerts[1], e.groups[0].Alerts[2]
	alerts, _ := e.Alerts(t.Context())
	titles := func(s alarm.Suppression, known []alarm.Reading) (all []string) {
		for _, l := range chainOf(now, &reading{alerts: known}, s, "../") {
			text := l.Title
			if l.Gap {
				text = "… " + text
			}
			if l.Root {
				text += " (root)"
			}
			if l.State == "" {
				text += " (gone)"
			}
			all = append(all, text)
		}
		return all
	}
	why := target.Verdict.Suppressions[0]
	assert.Equal(t, []string{"NodeDown on n0", "RackDown (root)"}, titles(why, alerts))
	assert.Equal(t, []string{"RackDown (root)"}, titles(node.Verdict.Suppressions[0], alerts))

	rackFp, nodeFp := rack.Alert.Fingerprint().String(), node.Alert.Fingerprint().String()
	assert.Equal(t, []string{"NodeDown (gone)", "… " + rackFp + " (root) (gone)"}, titles(why, nil), "its note says who it was")
	assert.Equal(t, []string{nodeFp + " (root) (gone)"}, titles(alarm.Suppression{Reason: alarm.ReasonInhibition, By: nodeFp}, nil))
	assert.Empty(t, titles(alarm.Suppression{Reason: alarm.ReasonDependency, Note: "a cause may follow"}, alerts))

	circle := because(node, "r", node)
	assert.Equal(t, []string{"NodeDown on n0", "… " + rackFp + " (root) (gone)"}, titles(why, []alarm.Reading{circle}), "a circle ends")
}

func TestCausesSayHowMuchTheyExplain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHandler(t, outage(2, 3), Options{})
		marks := map[string]string{}
		doc := parse(t, get(t, h, "/"))
		for _, row := range find(doc, "li", "row") {
			for _, m := range find(row, "a", "mark") {
				marks[words(find(row, "a", "name")[0])] = words(m)
				if words(m) == "explains 10" {
					list := parse(t, get(t, h, reach(t, "/", attr(m, "href"))))
					assert.Len(t, find(list, "li", "row"), 10, "those in the middle of a chain as well")
					assert.Equal(t, "What RackDown explains. Show all", words(find(list, "p", "because")[0]))
				}
			}
		}
		assert.Equal(t, map[string]string{"RackDown": "explains 10", "NodeDown": "explains 4"}, marks)
	})
}

func TestExplainPageOfACause(t *testing.T) {
	e := outage(2, 3)
	node := e.groups[0].Alerts[1]
	fp := node.Alert.Fingerprint()
	e.explanations = map[model.Fingerprint]*alarm.Explanation{fp: {Reading: node}, 7: {Reading: firing(model.LabelSet{"alertname": "Other"}, nil, 0), Explains: map[string]int{"B": 2, "A": 2, "C": 30}}}
	h := newHandler(t, e, Options{})
	doc := parse(t, get(t, h, "/alert/"+fp.String()))
	explained := find(doc, "ul", "explained")
	require.Len(t, explained, 1)
	assert.Equal(t, "3 TargetDown 1 PodDown", words(explained[0]))
	list := parse(t, get(t, h, reach(t, "/alert/x", attr(find(explained[0], "a", "")[0], "href"))))
	assert.Len(t, find(list, "li", "row"), 3)
	assert.Equal(t, "this alert ← RackDown", "this alert ← "+words(find(find(doc, "ol", "chain")[0], "a", "")[0]))

	doc = parse(t, get(t, h, "/alert/0000000000000007"))
	assert.Equal(t, "30 C 2 A 2 B", words(find(doc, "ul", "explained")[0]), "the engine may know of more than the reading")
}

func TestRowsSayWhatIsUnusual(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		flapping := firing(model.LabelSet{"alertname": "Queue"}, nil, time.Hour, "ops")
		flapping.Alert.Fired = 12
		flapping.Alert.Counts = &alarm.Counts{Flaps: 2, Flapping: &alarm.Flapping{Since: now.Add(-time.Hour), Changes: 9, Noted: now, NotedChanges: 8}}
		raised := firing(model.LabelSet{"alertname": "Outage"}, nil, 0, "ops")
		raised.Alert.RaisedBy = "rollup"
		e := &fakeEngine{groups: []alarm.GroupReading{group("ops", nil, flapping, raised)}}
		var marks []string
		for _, m := range find(parse(t, get(t, newHandler(t, e, Options{Teams: crew{"q": "Queue"}}), "/")), "p", "marks") {
			marks = append(marks, words(m))
		}
		assert.Equal(t, []string{
			"unowned raised by a roll-up",
			"fired 12 times Flapping since 1999-12-31 23:00 UTC: 8 changes of state by 2000-01-01 00:00 UTC.",
		}, marks)
	})
}

func TestReasonWords(t *testing.T) {
	cause := firing(model.LabelSet{"alertname": "NodeDown", "node": "w7"}, nil, 0)
	root := firing(model.LabelSet{"alertname": "RackDown"}, nil, 0)
	r := &reading{alerts: []alarm.Reading{cause, root}}
	if cause.Alert.Fingerprint() > root.Alert.Fingerprint() {
		r.alerts = []alarm.Reading{root, cause}
	}
	by, top := cause.Alert.Fingerprint().String(), root.Alert.Fingerprint().String()
	for _, tc := range []struct {
		s    alarm.Suppression
		want string
	}{
		{alarm.Suppression{Reason: alarm.ReasonDependency, By: by, Note: "NodeDown"}, "Explained by|NodeDown on w7||"},
		{alarm.Suppression{Reason: alarm.ReasonDependency, By: by, Root: top, Note: "NodeDown, which is over"}, "Explained by|NodeDown on w7|RackDown|NodeDown, which is over"},
		{alarm.Suppression{Reason: alarm.ReasonDependency, By: "00000000000000aa", Note: "Gone"}, "Explained by|Gone||"},
		{alarm.Suppression{Reason: alarm.ReasonDependency, Note: "a cause may follow"}, "Held back|||a cause may follow"},
		{alarm.Suppression{Reason: alarm.ReasonRollup, By: by, Note: "NodeDown"}, "Part of|NodeDown on w7||"},
		{alarm.Suppression{Reason: alarm.ReasonRollup, Note: "within what is tolerated"}, "Counted by a roll-up|||within what is tolerated"},
		{alarm.Suppression{Reason: alarm.ReasonHold, By: "warning", Note: "it may be transient"}, "Held back|||it may be transient"},
		{alarm.Suppression{Reason: alarm.ReasonFlood, By: by, Note: "it joined"}, "Part of the flood|NodeDown on w7||it joined"},
		{alarm.Suppression{Reason: alarm.ReasonActivity, Note: "idle"}, "Nobody uses the environment|||idle"},
		{alarm.Suppression{Reason: "moon", By: "full"}, "Withheld (moon)|full||"},
	} {
		v := suppressionView(now, r, tc.s, "./")
		assert.Equal(t, tc.want, v.Says+"|"+v.Cause+"|"+v.Root+"|"+v.Comment)
	}
}
