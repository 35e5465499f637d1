package opsgenie

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
)

func rendered(t *testing.T, o Options, alerts ...alarm.Alert) incident {
	t.Helper()
	c, err := New("key", o)
	require.NoError(t, err)
	in, _ := c.render(&alarm.Delivery{
		Intention:   alarm.Intention{Key: alarm.IntentionKey{Receiver: "ops", Group: "g"}},
		Now:         time.Unix(1000, 0),
		Alerts:      alerts,
		RouteLabels: model.LabelSet{"team": "db"},
	})
	return in
}

func TestContentTemplates(t *testing.T) {
	in := rendered(t, Options{Content: Content{
		Message:     `{{ .Name | toUpper }} on {{ .Labels.instance }} ({{ len .Alerts.Firing }})`,
		Description: `{{ range .Alerts }}{{ .Annotations.summary }} {{ end }}`,
		Entity:      `{{ .Labels.instance | reReplaceAll ":.*" "" }}`,
		Source:      `{{ .Receiver }}`,
		Tags:        []string{"{{ .Labels.severity }}", `{{ .Labels.SortedPairs.Names | join "," }}`},
		Details:     map[string]string{"runbook": "{{ .Annotations.runbook }}", "none": "{{ .Annotations.none }}"},
		Actions:     []string{"restart"},
		Responders:  []Responder{{Type: "team", Name: "{{ .Team }}"}, {Type: "user", Username: "{{ .Labels.owner }}"}, {Type: "teams", Name: "a, b"}},
		VisibleTo:   []Responder{{Type: "team", ID: "42"}},
	}}, alarm.Alert{
		Labels:      model.LabelSet{"alertname": "Down", "instance": "db1:9100", "severity": "critical"},
		Annotations: model.LabelSet{"summary": "it is down", "runbook": "http://run"},
	})
	assert.Equal(t, incident{
		Message: "DOWN on db1:9100 (1)", Alias: "tocsin/ops/g", Description: "it is down", Entity: "db1", Source: "ops",
		Tags:       []string{"tocsin", "instance_tocsin", "critical", "alertname", "instance", "severity"},
		Details:    map[string]string{"alertname": "Down", "instance": "db1:9100", "severity": "critical", "runbook": "http://run"},
		Actions:    []string{"restart"},
		Responders: []map[string]string{{"type": "team", "name": "db"}, {"type": "team", "name": "a"}, {"type": "team", "name": "b"}},
		VisibleTo:  []map[string]string{{"type": "team", "id": "42"}},
		Priority:   "P3", User: "tocsin",
	}, in)
}

// Whatever an alert holds, what is sent is within the limits and says what was cut.
func TestContentLimits(t *testing.T) {
	long := strings.Repeat("ä", 20000)
	in := rendered(t, Options{Content: Content{Tags: []string{strings.Repeat("t,", 30) + long, "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20"}, Source: long}}, alarm.Alert{
		Labels:      model.LabelSet{"alertname": "X", "instance": model.LabelValue(long), "other": model.LabelValue(long)},
		Annotations: model.LabelSet{"summary": model.LabelValue("line one\nline two " + long), "description": model.LabelValue(long)},
	})
	for limit, text := range map[int]string{limitMessage: in.Message, limitDescription: in.Description, limitEntity: in.Entity, limitSource: in.Source} {
		assert.Equal(t, limit, utf8.RuneCountInString(text))
		assert.True(t, strings.HasSuffix(text, cutMark))
	}
	assert.True(t, strings.HasPrefix(in.Message, "line one line two"))
	assert.True(t, strings.HasPrefix(in.Description, "line one line two ä"), "the whole title is in the description")
	assert.Len(t, in.Tags, limitTags)
	assert.LessOrEqual(t, sizeOf(in.Details), limitDetails)
	assert.Equal(t, "entity, source, message, description, tags, details", in.Details["tocsin_cut"])
}

func TestContentTemplateFails(t *testing.T) {
	in := rendered(t, Options{Content: Content{Message: `{{ reReplaceAll .Labels.pattern "" "x" }}`}}, alarm.Alert{
		Labels: model.LabelSet{"alertname": "X", "pattern": "("}, Annotations: model.LabelSet{"summary": "a disk is full"},
	})
	assert.Equal(t, "a disk is full", in.Message, "a wrong title is better than none")
	assert.Contains(t, in.Details["tocsin_template_error"], "missing closing )")
}

func TestContentWithoutAnything(t *testing.T) {
	assert.Equal(t, "alert", rendered(t, Options{}, alarm.Alert{}).Message)
	assert.Equal(t, "alert", rendered(t, Options{}).Message)
	in := rendered(t, Options{}, alarm.Alert{Labels: model.LabelSet{"alertname": "Down", "job": "node"}})
	assert.Equal(t, "Down node", in.Message)
}

func TestPriority(t *testing.T) {
	alert := func(severity, state string) alarm.Alert {
		return alarm.Alert{Labels: model.LabelSet{"severity": model.LabelValue(severity), "state": model.LabelValue(state)}}
	}
	o := Options{
		Severities: alarm.Severities{Values: []alarm.Severity{{Name: "critical", Priority: "P1"}, {Name: "info", Priority: "P5"}, {Name: "odd", Priority: "high"}}},
		Priority: func(a *alarm.Alert, by string) string {
			if a.Labels["state"] == "passive" && by == "P1" {
				return "P2"
			}
			return map[model.LabelValue]string{"broken": "P9"}[a.Labels["state"]]
		},
	}
	ended := alert("critical", "")
	ended.State = alarm.Resolved
	for _, tc := range []struct {
		name   string
		alerts []alarm.Alert
		want   string
	}{
		{"by severity", []alarm.Alert{alert("critical", "")}, "P1"},
		{"passive", []alarm.Alert{alert("critical", "passive")}, "P2"},
		{"no severity", []alarm.Alert{alert("", "")}, "P3"},
		{"a priority that there is not", []alarm.Alert{alert("odd", "")}, "P3"},
		{"an override that there is not", []alarm.Alert{alert("info", "broken")}, "P5"},
		{"the worst of a group", []alarm.Alert{alert("info", ""), alert("critical", "passive")}, "P2"},
		{"what ended does not count", []alarm.Alert{alert("info", ""), ended}, "P5"},
	} {
		assert.Equal(t, tc.want, rendered(t, o, tc.alerts...).Priority, tc.name)
	}
}
