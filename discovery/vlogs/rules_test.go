package vlogs

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/tocsin/tocsin/discovery"
)

// A rule of examples/rules, as vmalert reads it.
type rule struct {
	Alert  string         `yaml:"alert"`
	Expr   string         `yaml:"expr"`
	Labels model.LabelSet `yaml:"labels"`
}

func rules(t *testing.T) []rule {
	t.Helper()
	text, err := os.ReadFile("../../examples/rules/health-logs.yml")
	require.NoError(t, err)
	var file struct {
		Groups []struct {
			Rules []rule `yaml:"rules"`
		} `yaml:"groups"`
	}
	require.NoError(t, yaml.Unmarshal(text, &file))
	require.Len(t, file.Groups, 1)
	return file.Groups[0].Rules
}

// fires returns the labels of the alerts that a rule makes, as vmalert asks for them, without the name of the result.
func (r *rule) fires(t *testing.T, logs string) []string {
	t.Helper()
	resp, err := http.DefaultClient.PostForm(logs+"/select/logsql/stats_query", url.Values{"query": {r.Expr}})
	require.NoError(t, err)
	defer resp.Body.Close()
	var answer struct {
		Data struct {
			Result []struct{ Metric model.LabelSet }
		}
	}
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&answer))
	var all []string
	for _, series := range answer.Data.Result {
		assert.Equal(t, model.LabelValue("failing"), series.Metric["__name__"], "each result is an alert of its own")
		delete(series.Metric, "__name__")
		labels := series.Metric.Merge(r.Labels)
		labels["alertname"] = model.LabelValue(r.Alert)
		all = append(all, labels.String())
	}
	return all
}

// The rules that ship for vmalert and a Board make the same alerts of the same answers.
func TestRulesAndBoardAgree(t *testing.T) {
	r := newRig(t, WriterOptions{})
	board, err := discovery.NewBoard(discovery.BoardOptions{})
	require.NoError(t, err)
	const active, passive, unknown = discovery.Active, discovery.Passive, discovery.RoleUnknown
	type answer struct {
		state discovery.State
		role  discovery.Role
	}
	first := map[string][]answer{
		"active":     {{discovery.Fail, active}, {discovery.Fail, active}, {discovery.OK, active}},
		"passive":    {{discovery.Fail, passive}, {discovery.OK, passive}},
		"either":     {{discovery.Fail, unknown}},
		"mixed":      {{discovery.Fail, passive}, {discovery.OK, active}},
		"half-said":  {{discovery.OK, passive}, {discovery.Fail, unknown}},
		"recovered":  {{discovery.Fail, active}},
		"degraded":   {{discovery.Warn, active}},
		"changed":    {{discovery.Fail, passive}},
		"unreached":  {{discovery.Fail, active}},
		"was-active": {{discovery.Fail, active}, {discovery.Fail, active}},
	}
	second := map[string][]answer{}
	for name, answers := range first {
		second[name] = slices.Clone(answers)
	}
	second["recovered"][0].state = discovery.OK
	second["changed"][0].role = active
	second["unreached"][0].state = discovery.Unknown
	second["was-active"] = []answer{{discovery.Fail, passive}, {discovery.OK, passive}}
	at := now()
	for i, cycle := range []map[string][]answer{first, second} {
		c := discovery.Cycle{Agent: "one", Cluster: "eu", Interval: 30 * time.Second, At: at.Add(time.Duration(i-2) * 10 * time.Second)}
		for name, answers := range cycle {
			for n, a := range answers {
				h := discovery.Health{
					Target: discovery.Target{Cluster: "eu", Namespace: name, Environment: "the " + name, Service: string(rune('a' + n)), URL: "http://x/"},
					At:     c.At, Activity: discovery.Activity{Role: a.role},
				}
				h.State, h.Format = a.state, discovery.ASPNet
				c.Results = append(c.Results, h)
			}
		}
		slices.SortFunc(c.Results, func(a, b discovery.Health) int { return a.Target.Key().Compare(b.Target.Key()) })
		r.write(c)
		board.Observe(at, c)
	}

	snapshot, err := board.Alerts(t.Context())
	require.NoError(t, err)
	var want []string
	for _, a := range snapshot.Alerts {
		want = append(want, a.Labels.String())
	}
	require.Len(t, want, 7)
	// A board holds an alert that was there, as unknown; a rule knows nothing of what was, and says so again.
	want = append(want, model.LabelSet{
		"alertname": "HealthServicesFailing", "cluster": "eu", "namespace": "unreached", "environment": "the unreached",
		"activity": "active", "severity": "critical", "priority": "P1",
	}.String())
	slices.Sort(want)
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		var got []string
		for _, one := range rules(t) {
			got = append(got, one.fires(t, r.server.URL)...)
		}
		slices.Sort(got)
		assert.Equal(c, want, got)
	}, 30*time.Second, 100*time.Millisecond)
}
