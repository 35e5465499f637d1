package server

import (
	"testing"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/matcher"
	"github.com/tocsin/tocsin/cmd/internal/config"
)

func TestBySender(t *testing.T) {
	alert := func(prometheus string) alarm.Alert {
		return alarm.Alert{Labels: model.LabelSet{"alertname": "X", "prometheus": model.LabelValue(prometheus)}}
	}
	sources := []config.Source{
		{Name: "a", Match: []matcher.Matchers{matcher.MustParse(`prometheus="a"`), matcher.MustParse(`prometheus="a2"`)}},
		{Name: "b", Match: []matcher.Matchers{matcher.MustParse(`prometheus=~"b.*|a"`)}},
	}
	s := alarm.Snapshot{Source: "push", Partial: true, Alerts: []alarm.Alert{alert("c"), alert("b1"), alert("a"), alert("a2")}}
	assert.Equal(t, []alarm.Snapshot{
		{Source: "a", Partial: true, Alerts: []alarm.Alert{alert("a"), alert("a2")}},
		{Source: "b", Partial: true, Alerts: []alarm.Alert{alert("b1")}},
		{Source: "push", Partial: true, Alerts: []alarm.Alert{alert("c")}},
	}, bySender(s, sources))
}
