package source

import (
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/matcher"
)

func at(clock string) time.Time {
	t, err := time.Parse("15:04:05.999999999", clock)
	if err != nil {
		panic(err)
	}
	return asked.Truncate(24 * time.Hour).Add(t.Sub(t.Truncate(24 * time.Hour)))
}

func TestRulesReadsVMAlert(t *testing.T) {
	f := newFake(t, says(golden(t, "vmalert-old.json")))
	got := read(t, newTestRules(t, VMAlert, f.URL+"/vmalert/?rule_group[]=queues"))

	labels := func(name, queue, severity string) model.LabelSet {
		return model.LabelSet{
			"alertgroup": "queues", "alertname": model.LabelValue(name), "cluster": "lab", "env": "e1",
			"queue": model.LabelValue(queue), "severity": model.LabelValue(severity),
		}
	}
	high := labels("QueueHigh", "mail", "warning")
	high["fixed"], high["team"] = "x", "mail-team"
	link := "http://vmalert:8880/vmalert/api/v1/alert?group_id=16595382602160869872&alert_id="
	want := []alarm.Alert{
		alarm.Alert{
			Labels: high, Annotations: model.LabelSet{"summary": "queue mail depth 20"},
			GeneratorURL: link + "15805494158847502155", StartsAt: at("10:56:30.89972634"),
		}.WithFingerprint(),
		alarm.Alert{
			Labels: labels("QueueHighFor", "sms", "critical"), Annotations: model.LabelSet{}, State: alarm.Pending,
			GeneratorURL: link + "2", StartsAt: at("10:56:40.5"),
		}.WithFingerprint(),
		alarm.Alert{ // fires since 3 s after its condition became true
			Labels: labels("QueueHighFor", "mail", "critical"), Annotations: model.LabelSet{},
			GeneratorURL: link + "3", StartsAt: at("10:56:33"),
		}.WithFingerprint(),
	}
	assert.ElementsMatch(t, want, got.Alerts)
	assert.IsIncreasing(t, []uint64{
		uint64(got.Alerts[0].Fingerprint()), uint64(got.Alerts[1].Fingerprint()), uint64(got.Alerts[2].Fingerprint()),
	})
	assert.Equal(t, []matcher.Matchers{matcher.MustParse(`alertgroup=~"queues|",alertname="Broken",cluster="lab"`)}, got.Unknowns)
	assert.Equal(t, "/vmalert/api/v1/rules?rule_group%5B%5D=queues&type=alert", f.seen[0].URL.RequestURI())
	assert.Equal(t, "tocsin", f.seen[0].UserAgent())
}

func TestRulesReadsNewerVMAlert(t *testing.T) {
	f := newFake(t, says(golden(t, "vmalert-new.json")))
	got := read(t, newTestRules(t, VMAlert, f.with("user:hunter2@", "/x")))
	assert.Equal(t, []string{
		`firing {alertgroup="queues", alertname="QueueDepthHigh", cluster="lab2", queue="mail", region="eu", severity="warning", team="orders"} 10:56:05`,
		`unknown {alertgroup=~"late\\.start|",alertname="Slow",severity="info"}`,
	}, told(got))
	assert.Equal(t, f.URL+"/x/vmalert/alert?group_id=14550520989585825537&alert_id=2299787279173520354", got.Alerts[0].GeneratorURL)
}

func TestRulesReadsPrometheus(t *testing.T) {
	f := newFake(t, says(golden(t, "prometheus.json")))
	o, _ := options(t)
	o.Labels = model.LabelSet{"cluster": "lab", "severity": "none"}
	r, err := NewRules("prom", Prometheus, []string{f.URL}, o)
	require.NoError(t, err)
	got := read(t, r)
	assert.Equal(t, []string{
		`firing {alertname="Always", cluster="lab", pod="20", severity="critical"} 10:56:32`,
		`unknown {alertname="Broken",severity="critical"}`,
		`unknown {alertname="New"}`,
	}, told(got))
	assert.Equal(t, model.LabelSet{"summary": "20 ü"}, got.Alerts[0].Annotations)
	// What Prometheus pushes of it has this fingerprint.
	pushed := alarm.Alert{Labels: model.LabelSet{"alertname": "Always", "cluster": "lab", "pod": "20", "severity": "critical"}}
	assert.Equal(t, pushed.Fingerprint(), got.Alerts[0].Fingerprint())
}

// A testRule prints itself as vmalert does.
type testRule struct {
	name, labels, health, lastError, evaluated, state, alerts string
	hold                                                      int
}

func (r testRule) String() string {
	or := func(s, otherwise string) string {
		if s == "" {
			return otherwise
		}
		return s
	}
	return fmt.Sprintf(`{"state":%q,"name":%q,"labels":{%s},"duration":%d,"lastError":%q,"alerts":[%s],"health":%q,"lastEvaluation":%q,"type":"alerting"}`,
		or(r.state, "inactive"), or(r.name, "X"), r.labels, r.hold, r.lastError, r.alerts, or(r.health, "ok"), or(r.evaluated, "2026-11-21T10:56:40Z"))
}

func group(rules ...testRule) http.HandlerFunc {
	var texts []string
	for _, r := range rules {
		texts = append(texts, r.String())
	}
	return says(`{"status":"success","data":{"groups":[{"name":"g","rules":[` + strings.Join(texts, ",") + `],"interval":10}]}}`)
}

func listedAs(state, name, labels, activeAt string) string {
	if labels != "" {
		labels = "," + labels
	}
	return fmt.Sprintf(`{"state":%q,"labels":{"alertname":%q,"alertgroup":"g"%s},"activeAt":"2026-11-21T%sZ"}`, state, name, labels, activeAt)
}

// What a rule lists is evidence only if it was evaluated; what it leaves out has ended only if it also
// makes sense.
func TestRuleHealth(t *testing.T) {
	x := listedAs("firing", "X", `"i":"1"`, "10:00:00")
	fires := `firing {alertgroup="g", alertname="X", i="1"} 10:00:00`
	unknown := `unknown {alertgroup=~"g|",alertname="X"}`
	tests := map[string]struct {
		rules []testRule
		want  []string
	}{
		"good":                       {[]testRule{{state: "firing", alerts: x}}, []string{fires}},
		"good and quiet":             {[]testRule{{}}, []string{}},
		"err":                        {[]testRule{{state: "firing", alerts: x, health: "err", lastError: "e"}}, []string{unknown}},
		"unknown health":             {[]testRule{{health: "unknown"}}, []string{unknown}},
		"an odd health":              {[]testRule{{health: "fine, thank you"}}, []string{unknown}},
		"only lastError":             {[]testRule{{lastError: "e"}}, []string{unknown}},
		"not evaluated":              {[]testRule{{evaluated: "0001-01-01T00:00:00Z"}}, []string{unknown}},
		"evaluated just in time":     {[]testRule{{evaluated: "2026-11-21T10:55:32Z"}}, []string{}},
		"stuck":                      {[]testRule{{evaluated: "2026-11-21T10:55:31Z", alerts: x}}, []string{unknown}},
		"evaluated in the future":    {[]testRule{{evaluated: "2026-11-21T11:55:00Z"}}, []string{}},
		"fires, and lists nothing":   {[]testRule{{state: "firing"}}, []string{unknown}},
		"pending, and lists nothing": {[]testRule{{state: "pending"}}, []string{unknown}},
		"inactive ones are no alerts": {
			[]testRule{{alerts: listedAs("inactive", "X", "", "10:00:00")}}, []string{},
		},
		"without labels": {[]testRule{{alerts: x + `,{"state":"firing"}`}}, []string{fires, unknown}},
		"without a name": {
			[]testRule{{alerts: x + `,{"state":"firing","labels":{"a":"b"}}`}}, []string{fires, unknown},
		},
		"of an odd state": {[]testRule{{alerts: x + "," + listedAs("dizzy", "X", "", "10:00:00")}}, []string{fires, unknown}},
		"with a mad label": {
			[]testRule{{alerts: x + "," + listedAs("firing", "X", `"a":"`+strings.Repeat("x", 65<<10)+`"`, "10:00:00")}},
			[]string{fires, unknown},
		},
		"twice": {
			[]testRule{{alerts: listedAs("pending", "X", `"i":"1"`, "09:00:00") + "," + x + "," + listedAs("firing", "X", `"i":"1"`, "10:00:01")}},
			[]string{fires},
		},
		"templates tell nothing": {
			[]testRule{{labels: `"severity":"warning","team":"{{ $labels.team }}","none":"","alertname":"Y"`, health: "err"}},
			[]string{`unknown {alertgroup=~"g|",alertname="X",severity="warning"}`},
		},
		"same name, other labels": {
			[]testRule{{labels: `"severity":"warning"`, health: "err"}, {labels: `"severity":"critical"`}},
			[]string{`unknown {alertgroup=~"g|",alertname="X",severity="warning"}`},
		},
		"same name and labels": {[]testRule{{health: "err"}, {state: "firing", alerts: x}}, []string{fires, unknown}},
		"labels that are not made as is thought": {
			[]testRule{{health: "err", labels: `"severity":"warning"`, alerts: listedAs("firing", "X", `"severity":"other"`, "10:00:00")}},
			[]string{`unknown {alertgroup=~"g|",alertname="X",severity="warning"}`, `unknown {alertgroup="g",alertname="X",severity="other"}`},
		},
		"for is longer than it fires": { // it was changed
			[]testRule{{hold: 7200, alerts: x}}, []string{`firing {alertgroup="g", alertname="X", i="1"} 10:56:40`},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFake(t, group(tt.rules...))
			assert.Equal(t, tt.want, told(read(t, newTestRules(t, VMAlert, f.URL))))
		})
	}
}

func TestPair(t *testing.T) {
	const fired, other = "10:00:00", "09:00:00"
	firing := func(clock string) http.HandlerFunc {
		return group(testRule{state: "firing", hold: 60, alerts: listedAs("firing", "X", "", clock)})
	}
	pending := group(testRule{state: "pending", hold: 60, alerts: listedAs("pending", "X", "", fired)})
	quiet, broken, down := group(testRule{hold: 60}), group(testRule{hold: 60, health: "err"}), fails(502, "bad gateway")
	frozen := group(testRule{hold: 60, health: "err", alerts: listedAs("firing", "X", "", fired)})
	x := ` {alertgroup="g", alertname="X"} `
	unknown := []string{`unknown {alertgroup=~"g|",alertname="X"}`}
	tests := map[string]struct {
		a, b http.HandlerFunc
		want []string // nil for an error
	}{
		"both say so":             {firing(fired), firing(other), []string{"firing" + x + "09:01:00"}},
		"one says so":             {quiet, firing(fired), []string{"firing" + x + "10:01:00"}},
		"firing beats pending":    {pending, firing(fired), []string{"firing" + x + "10:01:00"}},
		"pending and nothing":     {pending, quiet, []string{"pending" + x + fired}},
		"one is down":             {down, firing(fired), []string{"firing" + x + "10:01:00"}},
		"one is down, quiet":      {quiet, down, []string{}},
		"one is broken":           {broken, firing(fired), []string{"firing" + x + "10:01:00"}},
		"one is broken, quiet":    {quiet, broken, []string{}},
		"frozen is no evidence":   {frozen, quiet, []string{}},
		"both broken":             {broken, frozen, unknown},
		"one broken, one down":    {broken, down, unknown},
		"both down":               {down, fails(401, ""), nil},
		"one empty, one down":     {says(`{"status":"success","data":{"groups":[]}}`), down, nil},
		"one empty":               {says(`{"status":"success","data":{"groups":[]}}`), firing(fired), []string{"firing" + x + "10:01:00"}},
		"one does not have it":    {group(testRule{name: "Y"}), firing(fired), []string{"firing" + x + "10:01:00"}},
		"one lacks it, other bad": {group(testRule{name: "Y"}), broken, unknown},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			a, b := newFake(t, tt.a), newFake(t, tt.b)
			got, err := newTestRules(t, VMAlert, a.URL, b.URL).Alerts(t.Context())
			if tt.want == nil {
				require.ErrorContains(t, err, "source test: all of its 2 servers: "+a.URL+"/api/v1/rules: status ")
				require.ErrorContains(t, err, "; "+b.URL+"/api/v1/rules: status ")
				return
			}
			require.NoError(t, err)
			assert.Equal(t, tt.want, told(got))
		})
	}
}

// What only one of a pair evaluates is unknown while that one is away.
func TestRuleOfOneServerOnly(t *testing.T) {
	both := testRule{name: "Both"}
	a, b := newFake(t, group(both, testRule{alerts: listedAs("firing", "X", "", "10:00:00")})), newFake(t, group(both))
	r := newTestRules(t, VMAlert, a.URL, b.URL)
	fires := []string{`firing {alertgroup="g", alertname="X"} 10:00:00`}
	assert.Equal(t, fires, told(read(t, r)))
	a.will(fails(503, ""))
	assert.Equal(t, []string{`unknown {alertgroup=~"g|",alertname="X"}`}, told(read(t, r)))
	a.will(group(both))
	assert.Empty(t, told(read(t, r)), "deleted")
	a.will(fails(503, ""))
	assert.Empty(t, told(read(t, r)))
}

// A restarted server counts anew for how long a condition has been true: what fired is pending again.
func TestRestart(t *testing.T) {
	rule := func(state, alert, evaluated, health string) http.HandlerFunc {
		return group(testRule{state: state, hold: 60, alerts: alert, evaluated: evaluated, health: health})
	}
	pending := rule("pending", listedAs("pending", "X", "", "10:56:00"), "", "")
	unknown := []string{`unknown {alertgroup=~"g|",alertname="X"}`}
	held := []string{`unknown {alertgroup="g",alertname="X"}`}
	steps := []struct {
		what   string
		answer http.HandlerFunc
		want   []string
	}{
		{"pending at first", pending, []string{`pending {alertgroup="g", alertname="X"} 10:56:00`}},
		{"fires", rule("firing", listedAs("firing", "X", "", "10:00:00"), "", ""), []string{`firing {alertgroup="g", alertname="X"} 10:01:00`}},
		{"restarted", rule("inactive", "", "0001-01-01T00:00:00Z", "ok"), unknown},
		{"pending anew", pending, held},
		{"trouble", rule("pending", listedAs("pending", "X", "", "10:56:00"), "", "err"), append(unknown[:1:1], held[:0]...)},
		{"still pending", pending, held},
		{"fires anew", rule("firing", listedAs("firing", "X", "", "10:55:00"), "", ""), []string{`firing {alertgroup="g", alertname="X"} 10:56:00`}},
		{"ends", rule("inactive", "", "", ""), []string{}},
		{"pending, another time", pending, []string{`pending {alertgroup="g", alertname="X"} 10:56:00`}},
	}
	f := newFake(t, nil)
	r := newTestRules(t, VMAlert, f.URL)
	for _, s := range steps {
		f.will(s.answer)
		require.Equal(t, s.want, told(read(t, r)), s.what)
	}
}

func TestAllowEmpty(t *testing.T) {
	f := newFake(t, says(`{"status":"success","data":{"groups":[]}}`))
	o, _ := options(t)
	r, err := NewRules("test", VMAlert, []string{f.URL}, o)
	require.NoError(t, err)
	_, err = r.Alerts(t.Context())
	require.ErrorIs(t, err, ErrNoRules)
	o.AllowEmpty = true
	r, err = NewRules("test", VMAlert, []string{f.URL}, o)
	require.NoError(t, err)
	assert.Equal(t, alarm.Snapshot{}, read(t, r))
}

func TestReplicaLabels(t *testing.T) {
	rule := func(replica string) testRule {
		return testRule{labels: `"replica":"` + replica + `"`, alerts: listedAs("firing", "X", `"replica":"`+replica+`"`, "10:00:00")}
	}
	a, b := newFake(t, group(rule("a"))), newFake(t, group(rule("b")))
	o, _ := options(t)
	o.ReplicaLabels = []model.LabelName{"replica"}
	r, err := NewRules("test", VMAlert, []string{a.URL, b.URL}, o)
	require.NoError(t, err)
	fires := []string{`firing {alertgroup="g", alertname="X"} 10:00:00`}
	assert.Equal(t, fires, told(read(t, r)))
	a.will(fails(500, ""))
	assert.Equal(t, fires, told(read(t, r)))
	bad := rule("b")
	bad.health = "err"
	b.will(group(bad))
	assert.Equal(t, []string{`unknown {alertgroup=~"g|",alertname="X"}`}, told(read(t, r)))
}

// Alerts that did not change share their maps with the answer before, and labels always do.
func TestRulesShareMaps(t *testing.T) {
	body := golden(t, "prometheus.json")
	f := newFake(t, says(body))
	r := newTestRules(t, Prometheus, f.URL)
	same := func(a, b model.LabelSet) bool { return reflect.ValueOf(a).Pointer() == reflect.ValueOf(b).Pointer() }
	first, second := read(t, r).Alerts[0], read(t, r).Alerts[0]
	assert.True(t, same(first.Labels, second.Labels))
	assert.True(t, same(first.Annotations, second.Annotations))
	f.will(says(strings.ReplaceAll(body, `"summary":"20`, `"summary":"21`)))
	third := read(t, r).Alerts[0]
	assert.True(t, same(first.Labels, third.Labels))
	assert.Equal(t, model.LabelSet{"summary": "21 ü"}, third.Annotations)
	assert.Equal(t, model.LabelSet{"summary": "20 ü"}, first.Annotations)
}

func TestPullLogAndMetrics(t *testing.T) {
	good := group(testRule{}, testRule{name: "Y"})
	a, b := newFake(t, good), newFake(t, fails(500, "boom"))
	o, log := options(t)
	registry := prometheus.NewPedanticRegistry()
	o.Registerer = registry
	r, err := NewRules("gen2", VMAlert, []string{a.URL, b.URL}, o)
	require.NoError(t, err)
	_, err = NewRules("gen3", VMAlert, []string{a.URL}, o)
	require.NoError(t, err, "sources share a registry")

	said := func() string {
		read(t, r)
		text := strings.NewReplacer(a.URL, "A", b.URL, "B").Replace(log.String())
		log.Reset()
		return text
	}
	assert.Equal(t, `level=WARN msg="one of the servers of a source does not answer well" source=gen2 err="B/api/v1/rules: status 500; it begins \"boom\""`+"\n", said())
	assert.Empty(t, said(), "told once")
	b.will(good)
	assert.Equal(t, `level=INFO msg="a server of a source answers well again" source=gen2 server=B`+"\n", said())
	bad := group(testRule{health: "err", alerts: `{}`}, testRule{name: "Y", health: "err"})
	a.will(bad)
	assert.Empty(t, said(), "the other has evaluated it")
	b.will(bad)
	assert.Equal(t, `level=WARN msg="what a source says is not known of everything: the alerts concerned are kept as they were" source=gen2 unknown=2 new=2 first=g/X because="its health is \"err\""`+"\n", said())
	assert.Empty(t, said())
	assert.NoError(t, testutil.GatherAndCompare(registry, strings.NewReader(`
# HELP tocsin_source_alerts_invalid Alerts in the last answers of a source that are of no use: without a name, or beyond a limit.
# TYPE tocsin_source_alerts_invalid gauge
tocsin_source_alerts_invalid{source="gen2"} 2
tocsin_source_alerts_invalid{source="gen3"} 0
# HELP tocsin_source_requests_total Questions to the servers of a source, by whether the answer was good.
# TYPE tocsin_source_requests_total counter
tocsin_source_requests_total{outcome="error",source="gen2"} 2
tocsin_source_requests_total{outcome="error",source="gen3"} 0
tocsin_source_requests_total{outcome="ok",source="gen2"} 10
tocsin_source_requests_total{outcome="ok",source="gen3"} 0
# HELP tocsin_source_rules_unknown Rules that no server of a source has evaluated well of late, so that their alerts are held.
# TYPE tocsin_source_rules_unknown gauge
tocsin_source_rules_unknown{source="gen2"} 2
tocsin_source_rules_unknown{source="gen3"} 0
# HELP tocsin_source_servers_failing Servers of a source whose last answer was not good.
# TYPE tocsin_source_servers_failing gauge
tocsin_source_servers_failing{source="gen2"} 0
tocsin_source_servers_failing{source="gen3"} 0
`), "tocsin_source_alerts_invalid", "tocsin_source_requests_total", "tocsin_source_rules_unknown", "tocsin_source_servers_failing"))
	problems, err := testutil.GatherAndLint(registry)
	require.NoError(t, err)
	assert.Empty(t, problems)

	a.will(good)
	assert.Equal(t, `level=INFO msg="a source knows everything again" source=gen2`+"\n", said())
}
