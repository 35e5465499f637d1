package alarmtest

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/matcher"
)

func alertOf(a alarm.Alert) *alarm.Alert {
	a = a.WithFingerprint()
	return &a
}

// fullPlan sets something of each kind, with each field.
func fullPlan() *alarm.Plan {
	at := epoch.Add(-time.Hour)
	report := alarm.Report{
		Source: "push", State: alarm.Resolved, StartsAt: at, EndsAt: at.Add(1), UpdatedAt: at.Add(2), Timeout: true, Partial: true,
	}
	a := alertOf(alarm.Alert{
		Labels:       model.LabelSet{"alertname": "Fire", "instance": "db1", "job": "node"},
		Annotations:  model.LabelSet{"summary": "it burns", "runbook_url": "http://example.org/?a=b&c=<d>"},
		GeneratorURL: "http://prometheus/graph?g0.expr=up", State: alarm.Resolved,
		StartsAt: at, EndsAt: at.Add(time.Minute), UpdatedAt: at.Add(time.Second), Timeout: true,
		Reports:   []alarm.Report{report, {Source: "vmalert", State: alarm.Pending, StartsAt: at}},
		FirstSeen: at.Add(-time.Hour), Fired: 3, RaisedBy: "rollup",
		Counts: &alarm.Counts{
			Since: at, Ended: at.Add(1), Firing: time.Minute, Reopens: 1, Flaps: 2, Transients: 3,
			Flapping: &alarm.Flapping{Since: at, Changes: 4, Noted: at.Add(2), NotedChanges: 5},
		},
	})
	b := alertOf(alarm.Alert{Labels: model.LabelSet{"alertname": "Flood"}, State: alarm.Pending})
	group := &alarm.Group{
		RouteID: `{}/{team="db"}/0`, Key: `{}/{team="db"}:{alertname="Fire"}`, Receiver: "db", Labels: model.LabelSet{"alertname": "Fire"},
		Path: []string{"{}", `{team="db"}`}, RouteLabels: model.LabelSet{"priority": "{{ .x }}"}, Team: "db",
		Wait: 30 * time.Second, Interval: 5 * time.Minute, Repeat: 4 * time.Hour,
	}
	key := func(n string) alarm.IntentionKey {
		return alarm.IntentionKey{Receiver: "db", Integration: "webhook[" + n + "]", Group: group.Key}
	}
	intention := func(id int64, action alarm.Action) alarm.Intention {
		return alarm.Intention{
			ID: id, Key: key(action.String()), GroupID: group.ID(), Action: action, Reason: alarm.NotifyFirst, At: at, Deadline: at.Add(time.Hour),
		}
	}
	return &alarm.Plan{
		At: epoch, Cycle: 7,
		Inputs: []alarm.Change{{Kind: alarm.Changed, Alert: a, Source: "push"}, {Kind: alarm.Ended, Alert: b}},
		Silences: []*alarm.Silence{
			{
				ID: "6b1e", Matchers: matcher.MustParse(`{a="b",c!="d",e=~"f|g",h!~"i.*"}`), StartsAt: at, EndsAt: at.Add(time.Hour),
				UpdatedAt: at.Add(1), CreatedBy: "me", Comment: "a comment", Annotations: map[string]string{"ticket": "1"},
				Kind: alarm.KindWindow, Name: "patch-night",
				Scope:      alarm.Scope{Cluster: "c", Instance: "i", Environment: "e", Team: "t"},
				Recurrence: &alarm.Recurrence{Rule: "FREQ=DAILY", Zone: "Europe/London", Start: "2026-01-06T22:00:00", Duration: time.Hour},
				Exceptions: []alarm.Span{{Start: at, End: at.Add(time.Minute)}, {Start: at.Add(time.Hour), End: at.Add(time.Hour)}},
				Lease:      time.Minute, Grace: time.Second, CloseOpen: true, FromFile: true,
			},
			{ID: "7c2f", Matchers: matcher.MustParse(`{x="y"}`)},
		},
		Add: []alarm.Intention{intention(11, alarm.Add)}, Update: []alarm.Intention{intention(12, alarm.Update)},
		Close: []alarm.Intention{intention(13, alarm.Close)},
		Exclude: []alarm.Verdict{
			{Fingerprint: a.Fingerprint(), At: at, Suppressions: []alarm.Suppression{
				{Fingerprint: a.Fingerprint(), Reason: alarm.ReasonSilence, By: "6b1e", Root: "7c2f", Close: true, Rule: "r", Note: "n", Since: at, Until: at.Add(1)},
				{Fingerprint: a.Fingerprint(), Reason: alarm.ReasonInhibition, By: b.Fingerprint().String()},
			}},
			{Fingerprint: b.Fingerprint(), At: at, Suppressions: []alarm.Suppression{
				{Fingerprint: b.Fingerprint(), Reason: alarm.ReasonSilence},
			}},
		},
		Groups: []alarm.GroupState{
			{Group: group, Created: at, Anchor: at.Add(30 * time.Second)}, {Group: &alarm.Group{RouteID: "{}", Key: "{}:{}"}},
		},
		Told: []alarm.Told{
			{
				Key: key("0"), At: at, Sets: alarm.ToldSets{Firing: []uint64{1, 1 << 63}, Resolved: []uint64{0, ^uint64(0)}, Note: "flapping"},
				Open: []uint64{5}, Data: []byte{0, 255, '"'},
				Acked: alarm.Acked{At: at, By: "somebody"}, ClosedThere: at.Add(2), ClosedBy: "somebody else",
			},
			{Key: key("1"), At: at},
		},
		Rows: []alarm.Row{{Part: "flap", Key: "k", Value: []byte{0, 1}}, {Part: "hold", Key: "k", Value: []byte("v")}},
		Tellings: []alarm.Telling{
			{Fingerprint: 1 << 63, Key: key("0"), At: at}, {Fingerprint: 7, Key: key("1"), Resolved: true},
		},
		Events: []alarm.Event{{Kind: "reload", Name: "config", Note: "hash"}, {Kind: "source"}},
	}
}

// changedPlan has the identities of fullPlan, and otherwise as much as possible different.
func changedPlan() *alarm.Plan {
	p := fullPlan()
	first, second := *p.Inputs[0].Alert, *p.Inputs[1].Alert
	first.State, first.Annotations, first.Reports, first.EndsAt = alarm.Firing, nil, first.Reports[1:], time.Time{}
	second.Fired, second.UpdatedAt = 9, epoch
	p.Inputs = []alarm.Change{{Kind: alarm.Appeared, Alert: &first, Source: "other"}, {Kind: alarm.Changed, Alert: &second}}
	p.Silences[0] = &alarm.Silence{ID: p.Silences[0].ID, Matchers: matcher.MustParse(`{z="z"}`), EndsAt: epoch}
	p.Exclude[0].Suppressions = p.Exclude[0].Suppressions[1:]
	p.Groups[0].Anchor = epoch
	p.Told[0] = alarm.Told{Key: p.Told[0].Key, At: epoch, Open: []uint64{1, 2, 3}}
	p.Add[0].Reason, p.Close[0].Deadline = alarm.NotifyRepeat, epoch
	p.Rows[0].Value = []byte{}
	p.Events = nil
	return p
}

// removalOf removes all that p sets.
func removalOf(p *alarm.Plan) *alarm.Plan {
	out := &alarm.Plan{At: p.At}
	for _, c := range p.Inputs {
		out.Forgotten = append(out.Forgotten, c.Alert)
	}
	for _, v := range p.Exclude {
		out.Exclude = append(out.Exclude, alarm.Verdict{Fingerprint: v.Fingerprint, At: epoch})
	}
	for _, s := range p.Silences {
		out.RemovedSilences = append(out.RemovedSilences, s.ID)
	}
	for _, g := range p.Groups {
		out.EndedGroups = append(out.EndedGroups, g.Group.ID())
	}
	for _, told := range p.Told {
		out.DroppedTold = append(out.DroppedTold, told.Key)
	}
	for i, in := range slices.Concat(p.Add, p.Update, p.Close) {
		o := alarm.Outcome{ID: in.ID, Key: in.Key, At: epoch, Attempts: i + 1}
		switch i % 3 {
		case 0:
			o.Told, o.Data, o.Oldest = alarm.ToldSets{Firing: []uint64{1}, Resolved: []uint64{1 << 63}}, []byte("ts"), epoch
		case 1:
			o.Err, o.Uncertain = errors.New(`503 "busy"`), true
		case 2:
			o.Unsent = true
		}
		out.Outcomes = append(out.Outcomes, o)
	}
	for _, r := range p.Rows {
		out.Rows = append(out.Rows, alarm.Row{Part: r.Part, Key: r.Key})
	}
	return out
}

// storedOf is what a database holds after it was given p alone, if p removes nothing.
func storedOf(p *alarm.Plan) *alarm.Stored {
	s := &alarm.Stored{
		Silences: slices.Clone(p.Silences), Groups: slices.Clone(p.Groups), Told: slices.Clone(p.Told), Rows: slices.Clone(p.Rows),
		Verdicts: slices.Clone(p.Exclude), Intentions: slices.Concat(p.Add, p.Update, p.Close),
	}
	for _, c := range p.Inputs {
		s.Alerts = append(s.Alerts, c.Alert)
	}
	sortStored(s)
	return s
}

// merge adds src, which has nothing in common with dst.
func merge(dst, src *alarm.Stored) {
	dst.Alerts = append(dst.Alerts, src.Alerts...)
	dst.Silences = append(dst.Silences, src.Silences...)
	dst.Groups = append(dst.Groups, src.Groups...)
	dst.Told = append(dst.Told, src.Told...)
	dst.Intentions = append(dst.Intentions, src.Intentions...)
	dst.Verdicts = append(dst.Verdicts, src.Verdicts...)
	dst.Rows = append(dst.Rows, src.Rows...)
	sortStored(dst)
}

func sortStored(s *alarm.Stored) {
	slices.SortFunc(s.Alerts, func(a, b *alarm.Alert) int { return cmp.Compare(a.Fingerprint(), b.Fingerprint()) })
	slices.SortFunc(s.Silences, func(a, b *alarm.Silence) int { return cmp.Compare(a.ID, b.ID) })
	slices.SortFunc(s.Groups, func(a, b alarm.GroupState) int { return cmp.Compare(a.Group.ID(), b.Group.ID()) })
	slices.SortFunc(s.Told, func(a, b alarm.Told) int { return compareKeys(a.Key, b.Key) })
	slices.SortFunc(s.Intentions, func(a, b alarm.Intention) int { return cmp.Compare(a.ID, b.ID) })
	slices.SortFunc(s.Verdicts, func(a, b alarm.Verdict) int { return cmp.Compare(a.Fingerprint, b.Fingerprint) })
	slices.SortFunc(s.Rows, func(a, b alarm.Row) int { return cmp.Or(cmp.Compare(a.Part, b.Part), cmp.Compare(a.Key, b.Key)) })
}

// hostileTexts are strings that people, exporters and attackers put into labels.
func hostileTexts() []string {
	return []string{
		"", "\x00", "a\x00b", `"`, `\`, `\"`, "'", "';DROP TABLE alerts;--", "\n\r\t\b\f\x1f\x7f", "{{ .Labels }}", "</script>",
		"Ünïcödé", "火事", "🔥", "\u2028\u2029", "\ufffd", "\ufeff", "\xff", "a\xc3", "\xed\xa0\x80", "\xed\xb3\xbf", "\xf8\x88\x80\x80\x80",
		`\udc80`, `\u0000`, "\xff\xfe\\u0022\"", " leading and trailing ", strings.Repeat("long\xff", 30_000),
	}
}

// hostilePlan has text wherever text can be, under identities that no other n has.
func hostilePlan(n int64, text string) *alarm.Plan {
	id := fmt.Sprintf("%d%s", n, text)
	labels := model.LabelSet{"n": model.LabelValue(fmt.Sprint(n)), "value": model.LabelValue(text), model.LabelName("name" + text): "x"}
	a := alertOf(alarm.Alert{
		Labels: labels, Annotations: model.LabelSet{model.LabelName("a" + text): model.LabelValue(text)}, GeneratorURL: text,
		Reports: []alarm.Report{{Source: text}},
	})
	group := &alarm.Group{RouteID: id, Key: text, Receiver: text, Labels: labels, Path: []string{text, ""}, RouteLabels: labels}
	key := alarm.IntentionKey{Receiver: id, Integration: text, Group: text}
	return &alarm.Plan{
		Inputs: []alarm.Change{{Alert: a, Source: text}},
		Silences: []*alarm.Silence{{
			ID: id, Matchers: matcher.Matchers{{Type: matcher.Equal, Name: "a" + text, Value: text}}, CreatedBy: text, Comment: text,
			Annotations: map[string]string{"a" + text: text},
		}},
		Add: []alarm.Intention{{ID: n, Key: key, GroupID: text, Reason: alarm.NotifyReason(text)}},
		Exclude: []alarm.Verdict{{Fingerprint: a.Fingerprint(), Suppressions: []alarm.Suppression{
			{Fingerprint: a.Fingerprint(), Reason: alarm.Reason(text), By: text, Rule: text, Note: text},
		}}},
		Groups:   []alarm.GroupState{{Group: group}},
		Told:     []alarm.Told{{Key: key, Data: append([]byte(text), 0)}},
		Tellings: []alarm.Telling{{Fingerprint: a.Fingerprint(), Key: key}},
		Rows:     []alarm.Row{{Part: text, Key: id, Value: []byte(text)}},
		Events:   []alarm.Event{{Kind: "k" + text, Name: text, Note: text}},
	}
}

// randomPlan sets and removes some of n possible things of each kind.
func randomPlan(rng *rand.Rand, n int) *alarm.Plan {
	texts := hostileTexts()
	texts = texts[:len(texts)-1] // not the long one
	text := func() string { return texts[rng.IntN(len(texts))] }
	when := func() time.Time { return epoch.Add(time.Duration(rng.Int64N(1e15))) }
	some := func() []int { return rng.Perm(n)[:rng.IntN(min(n, 12))] }
	alert := func(i int) *alarm.Alert {
		return alertOf(alarm.Alert{
			Labels: model.LabelSet{"n": model.LabelValue(fmt.Sprint(i))}, Annotations: model.LabelSet{"note": model.LabelValue(text())},
			State: alarm.State(rng.IntN(3)), StartsAt: when(), Fired: rng.IntN(3),
		})
	}
	group := func(i int) *alarm.Group {
		return &alarm.Group{RouteID: fmt.Sprint(i % 3), Labels: model.LabelSet{"n": model.LabelValue(fmt.Sprint(i))}, Key: text()}
	}
	key := func(i int) alarm.IntentionKey {
		return alarm.IntentionKey{Receiver: fmt.Sprint(i % 5), Integration: fmt.Sprint(i % 2), Group: fmt.Sprint(i)}
	}
	p := &alarm.Plan{}
	for _, i := range some() {
		p.Inputs = append(p.Inputs, alarm.Change{Kind: alarm.ChangeKind(rng.IntN(3)), Alert: alert(i), Source: text()})
	}
	for _, i := range some() {
		p.Forgotten = append(p.Forgotten, alert(i))
	}
	for _, i := range some() {
		fp := alert(i).Fingerprint()
		v := alarm.Verdict{Fingerprint: fp, At: when()}
		for range rng.IntN(3) {
			v.Suppressions = append(v.Suppressions, alarm.Suppression{Fingerprint: fp, Reason: alarm.ReasonSilence, Note: text(), Until: when()})
		}
		p.Exclude = append(p.Exclude, v)
	}
	for _, i := range some() {
		p.Silences = append(p.Silences, &alarm.Silence{ID: fmt.Sprint(i), Comment: text(), EndsAt: when()})
	}
	for _, i := range some() {
		p.RemovedSilences = append(p.RemovedSilences, fmt.Sprint(i))
	}
	for _, i := range some() {
		p.Groups = append(p.Groups, alarm.GroupState{Group: group(i), Anchor: when()})
	}
	for _, i := range some() {
		p.EndedGroups = append(p.EndedGroups, group(i).ID())
	}
	for _, i := range some() {
		p.Told = append(p.Told, alarm.Told{Key: key(i), At: when(), Open: []uint64{rng.Uint64()}, Data: []byte(text() + "x")})
	}
	for _, i := range some() {
		p.DroppedTold = append(p.DroppedTold, key(i))
	}
	lists := []*[]alarm.Intention{&p.Add, &p.Update, &p.Close}
	for _, i := range some() {
		action := rng.IntN(3)
		*lists[action] = append(*lists[action], alarm.Intention{ID: int64(i), Key: key(i), Action: alarm.Action(action), At: when()})
	}
	for _, i := range some() {
		p.Outcomes = append(p.Outcomes, alarm.Outcome{ID: int64(i), Key: key(i), At: when(), Unsent: rng.IntN(2) == 0})
	}
	for _, i := range some() {
		row := alarm.Row{Part: fmt.Sprint(i % 2), Key: fmt.Sprint(i)}
		if rng.IntN(3) > 0 {
			row.Value = []byte(text())
		}
		p.Rows = append(p.Rows, row)
	}
	return p
}

// requireFull requires that each field of each type of package alarm is set somewhere in the
// values, so that a new field cannot be forgotten; but for those that are not stored.
func requireFull(t *testing.T, name string, values ...any) {
	set := map[string]bool{}
	for _, v := range values {
		fieldsOf(reflect.ValueOf(v), set)
	}
	delete(set, "Intention.Uncertain")
	delete(set, "Recurrence.Calendar")
	for field, isSet := range set {
		require.True(t, isSet, "%s: %s is nowhere set", name, field)
	}
}

func fieldsOf(v reflect.Value, set map[string]bool) {
	switch v.Kind() {
	case reflect.Pointer:
		fieldsOf(v.Elem(), set)
	case reflect.Slice:
		for i := range v.Len() {
			fieldsOf(v.Index(i), set)
		}
	case reflect.Struct:
		if v.Type().PkgPath() != reflect.TypeFor[alarm.Plan]().PkgPath() {
			return
		}
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() {
				name := v.Type().Name() + "." + f.Name
				set[name] = set[name] || !v.Field(i).IsZero()
				fieldsOf(v.Field(i), set)
			}
		}
	}
}

// assertStored compares two states; silences by what their matchers say.
func assertStored(t *testing.T, want, got *alarm.Stored) {
	t.Helper()
	assert.Equal(t, silenceBodies(want), silenceBodies(got))
	w, g := *want, *got
	w.Silences, g.Silences = nil, nil
	assert.Equal(t, emptyAsNil(w), emptyAsNil(g))
}

func silenceBodies(s *alarm.Stored) (out []silenceBody) {
	for _, sil := range s.Silences {
		out = append(out, bodyOfSilence(sil))
	}
	return out
}

func emptyAsNil(s alarm.Stored) alarm.Stored {
	v := reflect.ValueOf(&s).Elem()
	for i := range v.NumField() {
		if f := v.Field(i); f.Kind() == reflect.Slice && f.Len() == 0 {
			f.SetZero()
		}
	}
	return s
}
