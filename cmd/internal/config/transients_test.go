package config

import (
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/dedupe"
)

func parseTransients(t *testing.T, section string) (*Config, error) {
	t.Helper()
	return Parse(File{Name: "am.yml", Text: []byte("route: {receiver: r}\nreceivers: [{name: r}]\ntocsin:\n" + section)}, nil)
}

func TestTransients(t *testing.T) {
	c, err := parseTransients(t, `
  severity_label: level
  severities: {critical: {page: true}, warning: {page: true}, info: {}}
  transients: {hold: {critical: 0s, warning: 30s, info: 5m}, linger: 1m, promote: {count: 4}}
  flap: {half_life: 10m, start: 4.5, mode: icinga, stop: 2}
  flood: {pages: 10}
`)
	require.NoError(t, err)
	assert.Equal(t, time.Minute, c.Linger())
	hold, ok := c.Hold()
	assert.True(t, ok)
	severities := alarm.Severities{Label: "level", Values: []alarm.Severity{{Name: "critical", Page: true}, {Name: "warning", Page: true}, {Name: "info"}}}
	assert.Equal(t, dedupe.HoldOptions{
		Severities: severities, For: map[string]time.Duration{"critical": 0, "warning": 30 * time.Second, "info": 5 * time.Minute},
		Promote: 4, Within: time.Hour,
	}, hold)
	assert.Equal(t, &dedupe.FlapOptions{
		Mode: dedupe.IcingaFlap, HalfLife: 10 * time.Minute, Start: 4.5, Stop: 2, Min: 10 * time.Minute, Max: 6 * time.Hour, NoteEvery: 30 * time.Minute,
	}, c.Flap())
	flood, ok := c.Flood(func(model.LabelSet) string { return "x" })
	assert.True(t, ok)
	assert.Equal(t, "x", flood.Team(nil))
	flood.Team = nil
	assert.Equal(t, dedupe.FloodOptions{Severities: severities, Pages: 10, Within: 2 * time.Minute, Max: 6 * time.Hour}, flood)
}

// Without these keys nothing is held, and nothing flaps.
func TestNoTransients(t *testing.T) {
	for _, section := range []string{"  retention: 1d\n", "  transients:\n  flap:\n  flood:\n", "  transients: {hold: {critical: 0s}}\n"} {
		c, err := parseTransients(t, section)
		require.NoError(t, err, section)
		_, held := c.Hold()
		_, flooded := c.Flood(nil)
		assert.False(t, held || flooded, section)
		assert.Nil(t, c.Flap(), section)
		assert.Zero(t, c.Linger(), section)
	}
}

func TestDefaultsOfTransients(t *testing.T) {
	c, err := parseTransients(t, "  transients: {hold: {warning: 30s}, promote: {count: 0}}\n  flap: {}\n  flood: {}\n")
	require.NoError(t, err)
	hold, ok := c.Hold()
	assert.True(t, ok)
	assert.Equal(t, -1, hold.Promote, "none")
	assert.Equal(t, []alarm.Severity{{Name: "warning", Page: true}}, hold.Severities.Values, "the severities that are there")
	assert.Equal(t, dedupe.DecayFlap, c.Flap().Mode)
	assert.Equal(t, 15*time.Minute, c.Flap().HalfLife)
	flood, ok := c.Flood(nil)
	assert.True(t, ok)
	assert.Equal(t, 20, flood.Pages)
}

func TestBadTransients(t *testing.T) {
	const severities = "  severities: {critical: {page: true}, warning: {}}\n"
	for _, tc := range []struct{ section, want string }{
		{severities + "  transients: {hold: {warnings: 30s}}", `am.yml:5: tocsin.transients.hold.warnings: no severity "warnings": did you mean "warning"`},
		{"  transients: {hold: {warning: 30}}", `tocsin.transients.hold.warning: "30" is no duration`},
		{"  transients: {hold: {warning: 1s, warning: 2s}}", "key given twice"},
		{"  transients: {hold: 30s}", "tocsin.transients.hold: a mapping is wanted"},
		{"  transients: {holds: {}}", `unknown key "holds": did you mean "hold"`},
		{"  transients: {promote: {count: -1}}", "tocsin.transients.promote.count: less than none: write 0"},
		{"  transients: {promote: {within: 0s}}", "tocsin.transients.promote.within: nothing happens within no time"},
		{"  flap: {mode: nagios}", `tocsin.flap.mode: no mode "nagios": known are decay, icinga`},
		{"  flap: {half_life: 0s}", "tocsin.flap.half_life: no time at all: leave it out for 15m"},
		{"  flap: {start: 1, stop: 2}", "tocsin.flap: flapping that starts at 1 cannot stop at 2"},
		{"  flap: {start: NaN}", "tocsin.flap.start: a number above 0 is wanted"},
		{"  flap: {stop: [1]}", "tocsin.flap.stop: a number above 0 is wanted"},
		{"  flap: {min: 7h}", "tocsin.flap: at least 7h0m0s is longer than at most 6h0m0s"},
		{"  flood: {pages: 0}", "tocsin.flood.pages: nothing would ever page"},
		{"  flood: {within: 0s}", "tocsin.flood.within: nothing happens within no time"},
		{"  flood: {max: 0s}", "tocsin.flood.max: what joins a flood"},
	} {
		_, err := parseTransients(t, tc.section+"\n")
		if assert.Error(t, err, tc.section) {
			assert.Contains(t, err.Error(), tc.want, tc.section)
		}
	}
}
