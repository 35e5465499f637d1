package server

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/source"
	"github.com/tocsin/tocsin/notify"
)

// A source is down if it is stale or sees nothing. While nobody knows yet how it stands, what was told
// before is kept.
func TestOwnSaysWhichSourcesAreDown(t *testing.T) {
	away := alarm.SourceStatus{Name: "gen2", Stale: true, Err: errors.New("connection refused")}
	there := alarm.SourceStatus{Name: "gen2"}
	for name, tc := range map[string]struct {
		sources []alarm.SourceStatus
		blind   error
		want    string
	}{
		"fine":                       {[]alarm.SourceStatus{there}, nil, ""},
		"stale":                      {[]alarm.SourceStatus{away}, nil, "firing"},
		"stale, and never read":      {[]alarm.SourceStatus{away}, source.ErrUnread, "firing"},
		"answers, and sees nothing":  {[]alarm.SourceStatus{there}, source.ErrBlind, "firing"},
		"not read yet":               {[]alarm.SourceStatus{there}, source.ErrUnread, "unknown"},
		"the engine has not started": {nil, source.ErrUnread, "unknown"},
		"another one is stale":       {[]alarm.SourceStatus{there, {Name: "push", Stale: true}}, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			o := own{
				enabled: func() bool { return true },
				watched: func() map[string]bool { return map[string]bool{"gen2": true} },
				sources: func() []alarm.SourceStatus { return tc.sources },
				blind:   func() map[string]error { return map[string]error{"gen2": tc.blind} },
				problem: func() string { return "" },
				letters: func(context.Context) ([]alarm.DeadLetter, error) { return nil, nil },
				depths:  func() []notify.Depth { return nil },
				outage:  func() (from, to time.Time) { return },
			}
			s, err := o.Alerts(t.Context())
			require.NoError(t, err)
			got := ""
			for _, a := range s.Alerts {
				got += "firing"
				assert.Equal(t, "gen2", string(a.Labels["source"]))
			}
			for _, ms := range s.Unknowns {
				got += "unknown"
				assert.Equal(t, `{alertname="TocsinSourceDown",severity="critical",source="gen2"}`, ms.String())
			}
			assert.Equal(t, tc.want, got)
		})
	}
}
