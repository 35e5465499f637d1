package config

import (
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm/matcher"
)

const withSources = `
route: {receiver: r}
receivers: [{name: r}]
tocsin:
  sources:
`

func TestSources(t *testing.T) {
	c, err := Parse(File{Name: "/etc/am.yml", Text: []byte(withSources + `
  - {name: gen2, type: vmalert, urls: [http://a:8880, http://b:8880], labels: {product_generation: "2"}, max_stale: 1h}
  - name: prom
    type: prometheus
    urls: [https://p:9090]
    interval: 5s
    http_config: {basic_auth: {username: u, password_file: secret}, tls_config: {insecure_skip_verify: true}}
  - {name: a, type: push, match: ['prometheus="a"'], expect_every: 1m}
  - {name: am, type: alertmanager, urls: [http://am:9093], settle: 10m, max_body: 64MB}
`)}, nil)
	require.NoError(t, err)
	ss := c.Tocsin.Sources
	require.Len(t, ss, 4)
	assert.Equal(t, model.LabelSet{"product_generation": "2"}, ss[0].Labels)
	assert.Equal(t, 30*time.Second, ss[0].Interval)
	assert.Equal(t, 10*time.Second, ss[0].Timeout)
	assert.Equal(t, time.Hour, ss[0].MaxStale)
	assert.True(t, ss[0].HTTP.FollowRedirects, "Prometheus's defaults")
	assert.Equal(t, 5*time.Second, ss[1].Timeout, "at most the interval")
	assert.Equal(t, "/etc/secret", ss[1].HTTP.BasicAuth.PasswordFile)
	assert.Contains(t, c.Files(), "/etc/secret", "it is watched")
	assert.Equal(t, 10*time.Minute, ss[3].Settle)
	assert.Equal(t, Size(64<<20), ss[3].MaxBody)
	assert.Equal(t, []matcher.Matchers{matcher.MustParse(`prometheus="a"`)}, ss[2].Match)
}

func TestBadSources(t *testing.T) {
	for _, tc := range []struct{ source, want string }{
		{`{type: vmalert, urls: [http://a]}`, "tocsin.sources[0].name: no name is given"},
		{`{name: push, type: vmalert, urls: [http://a]}`, `"push" is a source of our own`},
		{`{name: a, type: vmalrt, urls: [http://a]}`, `no type "vmalrt": did you mean "vmalert"`},
		{`{name: a, type: vmalert}`, "tocsin.sources[0].urls: it has no address"},
		{`{name: a, type: vmalert, urls: [a:8880]}`, "urls[0]: not the URL of a server"},
		{`{name: a, type: vmalert, urls: ["http://u:p@a"]}`, "a password in a URL ends up in logs"},
		{`{name: a, type: vmalert, urls: [http://a], interval: 10ms}`, "more often than once a second"},
		{`{name: a, type: vmalert, urls: [http://a], timeout: 1m}`, "longer than the interval"},
		{`{name: a, type: vmalert, urls: [http://a], expect_every: 1m}`, "are for sources that push"},
		{`{name: a, type: vmalert, urls: [http://a], labels: {"": x}}`, `"" is no label name`},
		{`{name: a, type: vmalert, urls: [http://a], http_config: {basic_aut: {}}}`, "basic_aut"},
		{`{name: a, type: vmalert, urls: [http://a], http_config: {bearer_token: a, bearer_token_file: b}}`, "at most one of"},
		{`{name: a, type: vmalert, urls: [http://a], settle: 1m}`, "only an Alertmanager forgets"},
		{`{name: a, type: vmalert, urls: [http://a], max_body: 64}`, "no size"},
		{`{name: a, type: vmalert, urls: [http://a], max_body: 0MB}`, "write one such as 64MB"},
		{`{name: a, type: vmalert, urls: [http://a], max_body: -1KB}`, "write one such as 64MB"},
		{`{name: a, type: push, expect_every: 1m, match: ['a="b"'], max_body: 64MB}`, "are for sources that are asked"},
		{`{name: a, type: push, match: ['a="b"']}`, "expect_every"},
		{`{name: a, type: push, expect_every: 1m}`, "nothing says which alerts are this sender's"},
		{`{name: a, type: push, expect_every: 1m, match: [a]}`, `"a" is no matcher`},
	} {
		_, err := Parse(File{Name: "am.yml", Text: []byte(withSources + "  - " + tc.source + "\n")}, nil)
		if assert.Error(t, err, tc.source) {
			assert.Contains(t, err.Error(), tc.want, tc.source)
		}
	}
}
