package source

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func newTestListing(since, link string) *listing {
	return &listing{known: newCatalog(nil, nil), prose: newContents(100), base: &url.URL{Scheme: "http", Host: "x"}, since: `"` + since + `"`, url: `"` + link + `"`}
}

// narrow is a stream that holds so little at a time that every value is cut somewhere.
func narrow(body string) *stream { return &stream{r: strings.NewReader(body), buf: make([]byte, 3)} }

// Whatever arrives, in pieces of whatever size, is read alike and does no harm; and what is read can be
// judged and put together.
func FuzzRules(f *testing.F) {
	for _, name := range []string{"vmalert-old.json", "vmalert-new.json", "prometheus.json"} {
		f.Add(golden(f, name))
	}
	f.Add(`{"status":"success","data":{"groups":[{"rules":[{"alerts":[{"labels":{"a":"\ud83d\ude00\u00"}}]}]}]}}`)
	f.Add(`{"status":"success","data":{"groups":[{"rules":null},null,{}]},"x":[{"a":"]}\""},[],{}]}`)
	f.Add(`{"data":{"groups":[{"rules":[{"name":"X","labels":{"a":"{{x}}"},"health":"err","alerts":[{"state":"firing","labels":{"alertname":"Y"}}]}]}]},"status":"success"}`)
	f.Fuzz(func(t *testing.T, body string) {
		rules, groups, err := newTestListing("activeAt", "source").decodeRules(newStream(strings.NewReader(body)))
		again, groupsAgain, errAgain := newTestListing("activeAt", "source").decodeRules(narrow(body))
		require.Equal(t, err == nil, errAgain == nil, "%v; %v", err, errAgain)
		require.Equal(t, groups, groupsAgain)
		require.Equal(t, rules, again)
		if err != nil {
			return
		}
		n := naming{grouped: true}
		for i := range rules {
			n.judge(&rules[i], asked)
		}
		u := n.unite([]reading{{rules: rules}}, make([]memory, 1))
		for _, a := range u.snapshot.Alerts {
			require.NoError(t, a.Validate())
		}
		for i := range rules { // every alert is either told, or held
			for _, a := range rules[i].alerts {
				told := a.state == inactive
				for _, b := range u.snapshot.Alerts {
					told = told || b.Fingerprint() == a.who.Fingerprint()
				}
				for _, ms := range u.snapshot.Unknowns {
					told = told || ms.Matches(a.who.Labels)
				}
				require.True(t, told, "%s", a.who.Labels)
			}
		}
	})
}

func FuzzAlertmanagerAlerts(f *testing.F) {
	f.Add(golden(f, "alertmanager-alerts.json"))
	f.Add(`[{"labels":{"a":"b"},"startsAt":"2026-11-21T10:00:00Z","status":{"state":"active"}},{}]`)
	f.Fuzz(func(t *testing.T, body string) {
		got, err := newTestListing("startsAt", "generatorURL").decodeAlerts(newStream(strings.NewReader(body)))
		again, errAgain := newTestListing("startsAt", "generatorURL").decodeAlerts(narrow(body))
		require.Equal(t, err == nil, errAgain == nil, "%v; %v", err, errAgain)
		if err == nil {
			require.Equal(t, got, again)
			muster([]roster{got})
		}
	})
}

// Any labels that can be printed are read again.
func FuzzListedRoundTrip(f *testing.F) {
	f.Add("alertname", "X", "summary", "20 %", "http://x/?a=b&c=d")
	f.Add("ü", "\x01\u2028😀\\", "\"", "</script>", "relative")
	f.Fuzz(func(t *testing.T, name, value, note, text, link string) {
		for _, s := range []string{name, value, note, text, link} {
			if !utf8.ValidString(s) || s == "" {
				t.Skip()
			}
		}
		body, err := json.Marshal(map[string]any{
			"labels": map[string]string{name: value}, "annotations": map[string]string{note: text},
			"state": "firing", "activeAt": asked, "source": "http://x/" + link, "more": []any{nil, 1.5, true, map[string]any{}},
		})
		require.NoError(t, err)
		a, err := newTestListing("activeAt", "source").read(body)
		if err != nil {
			require.NotErrorIs(t, err, errShape) // beyond a limit
			return
		}
		assert.Equal(t, model.LabelSet{model.LabelName(name): model.LabelValue(value)}, a.who.Labels)
		assert.Equal(t, model.LabelSet{model.LabelName(note): model.LabelValue(text)}, a.what.Annotations)
		assert.Equal(t, firing, a.state)
		assert.True(t, asked.Equal(a.since))
	})
}
