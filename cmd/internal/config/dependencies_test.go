package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/matcher"
	"github.com/tocsin/tocsin/depgraph"
)

const withTocsin = `
route: {receiver: r}
receivers: [{name: r}]
inhibit_rules:
- {source_matchers: ['a="1"'], target_matchers: ['b="1"']}
tocsin:
`

func TestDependencies(t *testing.T) {
	c, err := Parse(File{Name: "/etc/am.yml", Text: []byte(withTocsin + `
  severity_label: level
  severities: {critical: {page: true, priority: P1}, warning: {page: true, priority: P3}, info: {}}
  topology: {files: [topology.yml]}
  dependencies:
  - name: node-hides-workloads
    cause: ['alertname="NodeDown"']
    impact: ['alertname=~"TargetDown|.*Latency"', 'job!=""']
    on: [cluster, {impact: instance, cause: node, strip_port: true}, {cause: zone, optional: true}]
    hold_back: 30s
    settle: 60s
    max: 4h
  - {name: pool, cause: ['alertname="ReplicaDown"'], impact: ['alertname="ShopDown"'], via: topology, require: all, of: ['kind="replica"'],
     any_severity: true, cause_silenced: pass, close_open: false}
  - {name: two, cause: ['alertname="BrokerDown"'], impact: ['alertname="QueueDown"'], on: [cluster], require: {at_least: 2}}
`)}, nil)
	require.NoError(t, err)
	rules := c.Rules()
	require.Len(t, rules, 4, "the inhibit rules are the last")
	assert.Equal(t, depgraph.Rule{
		Name: "node-hides-workloads", Kind: depgraph.Dependency, Cause: matcher.MustParse(`alertname="NodeDown"`),
		Impact: matcher.MustParse(`alertname=~"TargetDown|.*Latency",job!=""`),
		On: []depgraph.Pair{
			depgraph.Same("cluster"), {Impact: "instance", Cause: "node", StripPort: true}, {Impact: "zone", Cause: "zone", Optional: true},
		},
		HoldBack: 30 * time.Second, Settle: time.Minute, Max: 4 * time.Hour,
	}, rules[0])
	assert.Equal(t, depgraph.Rule{
		Name: "pool", Kind: depgraph.Dependency, Cause: matcher.MustParse(`alertname="ReplicaDown"`), Impact: matcher.MustParse(`alertname="ShopDown"`),
		Via: true, Require: depgraph.All, Of: matcher.MustParse(`kind="replica"`), AnySeverity: true, SilencedPass: true, KeepOpen: true,
	}, rules[1])
	assert.Equal(t, 2, rules[2].Least)
	assert.Equal(t, depgraph.Inhibition, rules[3].Kind)
	assert.Equal(t, alarm.Severities{Label: "level", Values: []alarm.Severity{
		{Name: "critical", Page: true, Priority: "P1"}, {Name: "warning", Page: true, Priority: "P3"}, {Name: "info"},
	}}, c.Severities())
	assert.Contains(t, c.Files(), "/etc/topology.yml", "it is watched")
	_, err = depgraph.New(rules, c.GraphOptions(nil))
	require.NoError(t, err)
}

func TestBadDependencies(t *testing.T) {
	for _, tc := range []struct{ section, want string }{
		{`dependencies: [{cause: ['a="1"'], impact: ['b="1"'], on: [c]}]`, "tocsin.dependencies[0].name: no name is given"},
		{`dependencies: [{name: x, impact: ['b="1"'], on: [c]}]`, "dependencies[0].cause: every alert would be a cause"},
		{`dependencies: [{name: x, cause: ['a="1"'], on: [c]}]`, "dependencies[0].impact: every alert would be an impact"},
		{`dependencies: [{name: x, cause: ['a="1"'], impact: ['b="1"']}]`, "nothing says which cause belongs to which impact"},
		{`dependencies: [{name: x, cause: ['a="1"'], impact: ['b="1"'], on: [c]}, {name: x, cause: ['a="1"'], impact: ['b="1"'], on: [c]}]`, `dependencies[1].name: "x" is given twice`},
		{`dependencies: [{name: x, cause: ['a="1"'], impact: ['b="1"'], via: topology}]`, "via: there is no topology"},
		{`dependencies: [{name: x, cause: ['a="1"'], impact: ['b="1"'], via: magic}]`, `no way via "magic"`},
		{`dependencies: [{name: x, cause: ['a="1"'], impact: ['b="1"'], on: [c], require: most}]`, `"most" is no requirement: write any, all`},
		{`dependencies: [{name: x, cause: ['a="1"'], impact: ['b="1"'], on: [c], require: {at_least: 0}}]`, "so few are no requirement"},
		{`dependencies: [{name: x, cause: ['a="1"'], impact: ['b="1"'], on: [c], require: all}]`, "dependencies[0]: only the topology knows how many all are"},
		{`dependencies: [{name: x, cause: ['a="1"'], impact: ['b="1"'], on: [{strip_port: true}]}]`, "on[0]: no label is named"},
		{`dependencies: [{name: x, cause: ['a="1"'], impact: ['b="1"'], on: [{impact: c, strip_ports: true}]}]`, `unknown key "strip_ports": did you mean "strip_port"`},
		{`dependencies: [{name: x, cause: ['a="1"'], impact: ['b="1"'], on: [c], cause_silenced: no}]`, `no way to "no": write explain or pass`},
		{`dependencies: [{name: x, cause: ['a="1"'], impact: ['b="1"'], on: [c], hold_back: soon}]`, `"soon" is no duration`},
		{
			`dependencies: [{name: x, cause: ['a="1"'], impact: ['a="2"'], on: [c]}, {name: y, cause: ['a="2"'], impact: ['a="1"'], on: [c]}]`,
			`tocsin.dependencies[0]: rules explain alerts in a circle, for an impact of each may be a cause of the next: "x" -> "y" -> "x"`,
		},
		{
			"dependencies: [{name: x, cause: ['alertname=\"NodeDown\"'], impact: ['alertname=\"Outage\"'], on: [c]}]\n" +
				"  rollups: [{name: Outage, match: ['alertname=\"NodeDown\"'], by: [c]}]", `"x" -> "Outage" -> "x"`,
		},
		{`rollups: [{match: ['a="1"']}]`, "rollups[0].name: no name is given"},
		{`rollups: [{name: x}]`, "rollups[0].match: nothing says which alerts to count"},
		{`rollups: [{name: x, match: ['a="1"'], tolerate: some}]`, `tolerate: "some" is no number: write a number such as 1, or a share such as 25%`},
		{`rollups: [{name: x, match: ['a="1"'], tolerate: 125%}]`, `"125%" is no share below 100%`},
		{`rollups: [{name: x, match: ['a="1"'], tolerate: 25%}]`, "25% of a pool of which nobody knows the size"},
		{`rollups: [{name: x, match: ['a="1"'], of: {topology: ['kind="node"']}}]`, "of: there is no topology"},
		{`rollups: [{name: x, match: ['a="1"'], of: {}}]`, "of: it says nothing"},
		{`rollups: [{name: x, match: ['a="1"'], raise: {annotations: {summary: "{{ .Cuont }}"}}}]`, "annotation summary: template"},
		{`rollups: [{name: x, match: ['a="1"'], by: [c], raise: {labels: {c: d}}}]`, `label "c" is counted by`},
		{`rollups: [{name: x, match: ['a="1"'], raise: {labels: {alertname: o}}}, {name: y, match: ['a="2"'], raise: {labels: {alertname: o}}}]`, `it raises the same alerts as "x"`},
		{`dependencies: [{name: x, cause: ['a="1"'], impact: ['b="1"'], on: [c], hold_back: 1h, max: 10m}]`, "dependencies[0].hold_back: longer than max, which is 10m: write less"},
		{`dependencies: [{name: x, cause: ['a="1"'], impact: ['b="1"'], on: [c], settle: 1h, max: 10m}]`, "dependencies[0].settle: longer than max, which is 10m: write less"},
		{`dependencies: [{name: x, cause: ['alertname=~".*"'], impact: ['b="1"'], on: [c]}]`, "dependencies[0].cause: every alert would be a cause: write"},
		{`dependencies: [{name: x, cause: ['alertname!=""', 'a=~"(?s)(.*)"'], impact: ['b="1"'], on: [c]}]`, "dependencies[0].cause: every alert would be a cause: write"},
		{`rollups: [{name: x, match: ['a="1"'], of: 8, tolerate: 8}]`, "rollups[0].tolerate: all of the 8 are tolerated, and nobody is ever told: write at most 7"},
		{`rollups: [{name: x, match: ['a="1"'], of: 8, tolerate: 9}]`, "rollups[0].tolerate: all of the 8 are tolerated"},
		{`rollups: [{name: x, match: ['a="1"'], of: 8, steps: [{above: 8}]}]`, "rollups[0].steps[0].above: there are never more than all of the 8: write at most 7"},
		{`rollups: [{name: x, match: ['a="1"'], of: 8, tolerate: 1, steps: [{above: 75%}, {above: 25%}]}]`, "rollups[0].steps[1].above: not above what comes before it"},
		{`rollups: [{name: x, match: ['a="1"'], of: 8, tolerate: 1, steps: [{above: 4}, {above: 50%}]}]`, "rollups[0].steps[1].above: not above what comes before it"},
		{`rollups: [{name: x, match: ['a="1"'], tolerate: 3, steps: [{above: 3}]}]`, "rollups[0].steps[0].above: not above what comes before it"},
		{`severities: [critical]`, "severities: a mapping is wanted, not a list"},
		{`severities: {critical: {pages: true}}`, `unknown key "pages": did you mean "page"`},
		{`severities: {critical: {priority: high}}`, `"high" is no priority: write P1 to P5`},
		{`severities: {critical: {}, critical: {}}`, "critical: key given twice"},
		{`topology: {files: [a, a]}`, `topology.files[1]: "a" is given twice`},
	} {
		_, err := Parse(File{Name: "am.yml", Text: []byte(withTocsin + "  " + tc.section + "\n")}, nil)
		if assert.Error(t, err, tc.section) {
			assert.Contains(t, err.Error(), tc.want, tc.section)
			assert.Contains(t, err.Error(), "am.yml:", tc.section)
		}
	}
}

// Nothing is said of a key that could not be read but that.
func TestNoConsequences(t *testing.T) {
	for _, tc := range []struct{ section, want string }{
		{
			`dependencies: [{name: x, cause: 'a="1"', impact: 'b="1"', on: c}]`,
			"am.yml:7: tocsin.dependencies[0].cause: a list is wanted, not a single value: write - before each entry\n" +
				"am.yml:7: tocsin.dependencies[0].impact: a list is wanted, not a single value: write - before each entry\n" +
				"am.yml:7: tocsin.dependencies[0].on: a list is wanted, not a single value: write - before each entry",
		},
		{
			`dependencies: [{name: x, cause: ['a="1"'], impact: ['b="1"'], on: [c], require: {at_least: two}}]`,
			`am.yml:7: tocsin.dependencies[0].require.at_least: "two" is no number: write one such as 50`,
		},
		{`rollups: [{name: x, match: 'a="1"'}]`, "am.yml:7: tocsin.rollups[0].match: a list is wanted, not a single value: write - before each entry"},
	} {
		_, err := Parse(File{Name: "am.yml", Text: []byte(withTocsin + "  " + tc.section + "\n")}, nil)
		assert.EqualError(t, err, tc.want)
	}
}

// What may be meant is not refused.
func TestGoodTolerances(t *testing.T) {
	for _, section := range []string{
		`rollups: [{name: x, match: ['a="1"'], of: 8, tolerate: 7}]`,
		`rollups: [{name: x, match: ['a="1"'], of: 8, tolerate: 1, steps: [{above: 25%}, {above: 4}, {above: 75%}]}]`,
		`rollups: [{name: x, match: ['a="1"'], of: {label: n}, tolerate: 3, steps: [{above: 25%}]}]`,
		`rollups: [{name: x, match: ['a="1"'], tolerate: 3, steps: [{above: 9}]}]`,
		`dependencies: [{name: x, cause: ['alertname!="A"'], impact: ['alertname="A"'], on: [c], hold_back: 1m, settle: 1m, max: 1m}]`,
		`dependencies: [{name: x, cause: ['a!=""'], impact: ['a=""'], on: [c], hold_back: 1m}]`,
	} {
		_, err := Parse(File{Name: "am.yml", Text: []byte(withTocsin + "  " + section + "\n")}, nil)
		assert.NoError(t, err, section)
	}
}

func TestRollups(t *testing.T) {
	c, err := Parse(File{Name: "am.yml", Text: []byte(withTocsin + `
  rollups:
  - name: partial-outage
    match: ['alertname="NodeDown"']
    by: [app, cluster]
    of: {label: replicas}
    tolerate: 25%
    raise:
      labels: {alertname: AppDegraded, severity: warning}
      annotations: {summary: "Application {{ .Labels.app }}: {{ .Count }} of {{ .Total }} nodes down"}
    steps:
    - {above: 50%, raise: {labels: {severity: critical}}}
`)}, nil)
	require.NoError(t, err)
	assert.Equal(t, []depgraph.Rollup{{
		Name: "partial-outage", Match: matcher.MustParse(`alertname="NodeDown"`), By: []model.LabelName{"app", "cluster"},
		Of: depgraph.Pool{Label: "replicas"}, Tolerate: depgraph.Tolerance{Percent: 25},
		Raise: depgraph.Raise{
			Labels:      model.LabelSet{"alertname": "AppDegraded", "severity": "warning"},
			Annotations: map[model.LabelName]string{"summary": "Application {{ .Labels.app }}: {{ .Count }} of {{ .Total }} nodes down"},
		},
		Steps: []depgraph.Step{{Above: depgraph.Tolerance{Percent: 50}, Raise: depgraph.Raise{Labels: model.LabelSet{"severity": "critical"}}}},
	}}, c.Rollups())
	_, err = depgraph.NewRollups(c.Rollups(), c.RollupOptions(nil))
	require.NoError(t, err)
}

func TestTopologyFiles(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	main := write("am.yml", withTocsin+"  topology: {files: [a.yml, b.yml]}\n")
	write("a.yml", "entities:\n- {name: shop, kind: service, labels: {service: shop}, depends_on: [db, n1]}\n- {name: db, labels: {service: db}}\n")
	b := write("b.yml", "entities:\n- name: n1\n  labels: {node: n1}\n")
	c, err := Load(main, "")
	require.NoError(t, err)
	assert.Equal(t, []alarm.Entity{
		{Name: "shop", Kind: "service", Labels: model.LabelSet{"service": "shop"}, DependsOn: []string{"db", "n1"}},
		{Name: "db", Labels: model.LabelSet{"service": "db"}},
		{Name: "n1", Labels: model.LabelSet{"node": "n1"}},
	}, c.Topology(nil).Entities())
	assert.Contains(t, c.Files(), b)

	write("b.yml", "entities:\n- name: db\n- labels: {node: \"\"}\n- {name: x, depends_on: [x, shoop, nowhere]}\n- {nam: y}\n")
	_, err = Load(main, "")
	require.Error(t, err)
	for _, want := range []string{
		b + `:2: entities[0].name: "db" is given twice: it stands in ` + filepath.Join(dir, "a.yml") + ":3 already",
		"b.yml:3: entities[1].name: no name is given", "b.yml:3: entities[1].labels: label node is empty",
		"b.yml:4: entities[2].depends_on: it depends on itself", `entities[2].depends_on[1]: no entity "shoop": did you mean "shop"?`,
		`entities[2].depends_on[2]: no entity "nowhere": add it`, `b.yml:5: entities[3]: unknown key "nam": did you mean "name"?`,
		`a.yml:2: entities[0].depends_on[1]: no entity "n1"`,
	} {
		assert.Contains(t, err.Error(), want)
	}
	require.NoError(t, os.Remove(b))
	_, err = Load(main, "")
	assert.ErrorContains(t, err, main+":7: tocsin.topology.files[1]: open "+b+": no such file or directory: name a file that can be read")
	var problems Problems
	require.ErrorAs(t, err, &problems)
	assert.Len(t, problems, 1)
}

// What health says is topology too, if there is a section health that says it.
func TestTopologyOfHealth(t *testing.T) {
	const (
		rule   = `dependencies: [{name: a, cause: ['alertname="C"'], impact: ['alertname="I"'], via: topology}]`
		health = `health: {targets: [{cluster: a, environment: b, service: c, url: "http://c"}]}`
	)
	parse := func(parts ...string) (*Config, error) {
		return Parse(File{"am.yml", []byte(plainRoute + "tocsin:\n  " + strings.Join(parts, "\n  ") + "\n")}, nil)
	}
	c, err := parse(rule, health, "topology: {health: true}")
	require.NoError(t, err)
	live := alarm.Entities{{Name: "service/a/b/c", DependsOn: []string{"service/a/b/d"}}}
	assert.Equal(t, []alarm.Entity(live), c.Topology(live).Entities())
	for want, parts := range map[string][]string{
		"tocsin.topology.health: no health is asked":              {"topology: {health: true}"},
		"tocsin.topology.kubernetes: no health is asked":          {"topology: {kubernetes: true}"},
		"tocsin.topology.kubernetes: nobody knows where pods run": {health, "topology: {kubernetes: true}"},
		"tocsin.dependencies[0].via: there is no topology: write": {rule, health},
		"tocsin.topology: unknown key \"healt\": did you mean":    {health, "topology: {healt: true}"},
	} {
		_, err := parse(parts...)
		assert.ErrorContains(t, err, want)
	}
}

// No text makes the topology panic, or be refused without a line of its own.
func FuzzTopology(f *testing.F) {
	for _, s := range []string{"", "entities: []", "entities:\n- {name: a, depends_on: [b]}\n- {name: b, labels: {x: y}}\n", "a: &a [*a]", "entities: &e\n- *e\n", "---\n---\n", "entities: [null]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		entities, problems := parseTopology([]File{{Name: "t.yml", Text: []byte(text)}}, false)
		for _, p := range problems {
			assert.LessOrEqual(t, p.Line, len(splitLines(text))+1, p.String())
		}
		if len(problems) == 0 {
			_, err := depgraph.New(nil, depgraph.Options{Topology: entities})
			require.NoError(t, err)
		}
	})
}
