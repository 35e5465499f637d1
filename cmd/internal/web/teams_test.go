package web

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"

	"github.com/tocsin/tocsin/alarm"
)

// A crew are teams by the alertname that each owns.
type crew map[string]string

func (c crew) Names() []string { return slices.Sorted(maps.Keys(c)) }

func (c crew) Of(ls model.LabelSet) (teams []string, owned bool) {
	for _, name := range c.Names() {
		if string(ls["alertname"]) == c[name] {
			teams = append(teams, name)
		}
	}
	return teams, len(teams) > 0
}

func TestAlertsPageByTeam(t *testing.T) {
	for target, want := range map[string]string{
		"/?team=disks": `
1 All 1 Firing 0 Withheld 0 Pending
# alertname=DiskFull 1 firing → ops
  firing warning DiskFull 1 d 2 h ago 8 % left why 1 more annotation impact no orders`,
		"/?team=%21unowned&q=Slow": `
1 All 0 Firing 0 Withheld 1 Pending
# Pending not for long enough yet: nobody is told
  pending info Slow 1 min ago why`,
		"/?team=%21unowned&q=CertExpires": `
1 All 0 Firing 1 Withheld 0 Pending withheld: 1 by time interval
# not grouped 1 withheld → mail
  Muted by nights: nobody is told until it ends.
  ▸ 1 withheld: 1 by time interval
  time interval CertExpires <1 min ago unowned Muted by time interval nights why`,
		"/?team=nobody": `
0 All 0 Firing 0 Withheld 0 Pending
No alert matches. Clear the search`,
	} {
		t.Run(target, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHandler(t, night(), Options{Teams: crew{"disks": "DiskFull", "nodes": "NodeDown"}})
				doc := parse(t, get(t, h, target))
				assert.Equal(t, strings.TrimSpace(want), outline(doc))
			})
		})
	}
}

func TestTeamsAreAChoice(t *testing.T) {
	choices := func(teams Teams, target string) (texts []string) {
		for _, s := range find(parse(t, get(t, newHandler(t, night(), Options{Teams: teams}), target)), "select", "") {
			if attr(s, "name") != "team" {
				continue
			}
			for _, o := range find(s, "option", "") {
				text := words(o)
				for _, a := range o.Attr {
					if a.Key == "selected" {
						text += "*"
					}
				}
				texts = append(texts, text)
			}
		}
		return texts
	}
	assert.Equal(t, []string{"all", "unowned", "disks*", "nodes"}, choices(crew{"nodes": "n", "disks": "d"}, "/?team=disks"))
	assert.Equal(t, []string{"all", "unowned", "nodes", "gone*"}, choices(crew{"nodes": "n"}, "/?team=gone"))
	assert.Empty(t, choices(crew{}, "/"), "without teams there is nothing to choose")
	assert.Empty(t, choices(nil, "/"))
}

func TestSeveritiesComeFromTheConfiguration(t *testing.T) {
	e := &fakeEngine{groups: []alarm.GroupReading{
		group("ops", model.LabelSet{"alertname": "A"}, firing(model.LabelSet{"alertname": "A", "prio": "low", "severity": "critical"}, nil, time.Minute, "ops")),
		group("ops", model.LabelSet{"alertname": "B"}, firing(model.LabelSet{"alertname": "B", "prio": "top"}, nil, time.Hour, "ops")),
	}}
	severities := alarm.Severities{}
	h := newHandler(t, e, Options{Severities: func() alarm.Severities { return severities }})
	first := func() string {
		row := find(parse(t, get(t, h, "/")), "li", "row")[0]
		return words(find(row, "a", "name")[0]) + " " + attr(row, "class")
	}
	assert.Equal(t, "A row firing tone-high", first(), "without a configured order there is the usual one")
	severities = alarm.Severities{Label: "prio", Values: []alarm.Severity{{Name: "top"}, {Name: "mid"}, {Name: "low"}}}
	assert.Equal(t, "B row firing tone-high", first(), "a reload counts at once")
}
