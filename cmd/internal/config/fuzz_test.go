package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	amconfig "github.com/prometheus/alertmanager/config"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm/matcher"
	"github.com/tocsin/tocsin/alarm/route"
	"github.com/tocsin/tocsin/depgraph"
)

// The verdict on a file without the section is Alertmanager's own, and no text makes Parse panic,
// accept a section that Alertmanager's part would swallow, or refuse without a problem.
func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"testdata/valid/*.yml", "testdata/invalid/*.yml"} {
		files, err := filepath.Glob(pattern)
		require.NoError(f, err)
		for _, file := range files {
			text, err := os.ReadFile(file)
			require.NoError(f, err)
			f.Add(string(text))
		}
	}
	for _, s := range []string{
		"", "\ufeffroute: {receiver: x}\nreceivers: [{name: x}]", "route:\r  receiver: x\rreceivers:\r- name: x\rtocsin:\r  retention: 1d\r",
		"route: {receiver: x}\nreceivers: [{name: x}]\n? tocsin\n: {}\n", "  route: {receiver: x}\n  receivers: [{name: x}]\n  tocsin:\n",
		"route: &r\n  receiver: x\n  routes: [*r]\nreceivers: [{name: x}]\n", "a: &a [*a]\n", "route: {receiver: x, receiver: y}\nreceivers: [{name: x}]",
		"route: {receiver: x}\nreceivers:\n-\n  name: x\n- - name\n-   name: x\n", "route: {receiver: x, match_re: {a: }}\nreceivers: [{name: x}]\n",
		"route: {receiver: x}\nreceivers:\n- name: x\n  opsgenie_configs: [null]\nglobal: {opsgenie_api_key: k}\n",
		"route:\n receiver: x\n routes:\n - routes:\n   - {}\n   -\n receivers: 1\n", "route: {receiver: x}\nreceivers: [{name: x}]\n<<: {tocsin: {}}\n",
	} {
		f.Add(s)
	}
	matcher.ValidName("") // so that both sides parse in the same mode
	f.Fuzz(func(t *testing.T, text string) {
		own, ownErr := Parse(File{Name: "/am.yml", Text: []byte(text)}, nil)
		peer, peerErr := peerLoad(text)
		var problems Problems
		if ownErr != nil {
			require.ErrorAs(t, ownErr, &problems)
			require.NotEmpty(t, problems)
			for _, p := range problems {
				assert.LessOrEqual(t, p.Line, len(splitLines(text))+1, p.String())
			}
		} else {
			_, err := route.New(own.Route(), own.TimeIntervals())
			require.NoError(t, err)
			_, err = depgraph.New(own.InhibitRules(), depgraph.Options{})
			require.NoError(t, err)
			own.Files()
		}
		switch {
		case peerErr == nil && ownErr == nil:
			assert.False(t, own.HasTocsin)
			assert.Equal(t, peer.Route, own.Alertmanager.Route)
		case peerErr == nil:
			for _, p := range problems { // a section where nobody looks for it is refused
				assert.Equal(t, Key, p.Path, p.String())
			}
		case ownErr == nil:
			assert.True(t, own.HasTocsin, "Alertmanager says: %v", peerErr)
			assert.Contains(t, peerErr.Error(), "field "+Key+" not found")
		}
	})
}

// peerLoad is what Alertmanager's LoadFile does, with a crash as an error.
func peerLoad(text string) (c *amconfig.Config, err error) {
	defer func() {
		if recover() != nil {
			c, err = nil, os.ErrInvalid
		}
	}()
	c, err = amconfig.Load(text)
	if err != nil {
		return nil, err
	}
	for _, r := range c.Receivers { // which it sets the directory of
		for _, o := range r.OpsGenieConfigs {
			_ = o.HTTPConfig
		}
		for _, o := range r.WechatConfigs {
			_ = o.HTTPConfig
		}
		for _, o := range r.VictorOpsConfigs {
			_ = o.HTTPConfig
		}
		for _, o := range r.RocketchatConfigs {
			_ = o.HTTPConfig
		}
	}
	return c, nil
}

func FuzzSplitLines(f *testing.F) {
	for _, s := range []string{"", "a", "a\n", "a\r\nb\rc\u0085d\u2028e\u2029", "\n\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		lines := splitLines(text)
		assert.Equal(t, text, strings.Join(lines, ""))
	})
}
