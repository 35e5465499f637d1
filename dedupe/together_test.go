package dedupe

import (
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
)

// TestAnOOMOfLowerSeverityIsToldOnce puts Presence and Hold together, with whatever is configured: an
// alert that is up for 20 s each six minutes, ten times, is told once, and that says how often.
func TestAnOOMOfLowerSeverityIsToldOnce(t *testing.T) {
	for name, o := range map[string]Options{
		"hold alone": {}, "with flap": {Flap: &FlapOptions{}}, "with linger": {Linger: 10 * time.Second},
		"with both": {Flap: &FlapOptions{}, Linger: 10 * time.Second},
	} {
		presence, err := NewPresence(start, nil, o)
		require.NoError(t, err)
		c := holds(t, holdOptions())
		open := map[model.Fingerprint]bool{}
		pages, closes, count := 0, 0, 0
		for now := start; now.Before(start.Add(4 * time.Hour)); now = now.Add(10 * time.Second) {
			s := whole("a")
			if now.Before(start.Add(time.Hour)) && now.Sub(start)%(6*time.Minute) < 20*time.Second {
				s.Firing(sev("OOM", "warning"))
			}
			changes, _, _ := presence.Observe(now, []alarm.Snapshot{s})
			var changed []*alarm.Alert
			for _, ch := range changes {
				if ch.Kind != alarm.Refreshed {
					changed = append(changed, ch.Alert)
				}
			}
			c.step(now, changed...)
			for fp, a := range c.alerts { // tell
				switch tell := a.State == alarm.Firing && !c.withheld(a); {
				case tell && !open[fp]:
					open[fp], c.told[fp] = true, true
					pages++
				case open[fp] && a.State != alarm.Firing:
					delete(open, fp)
					closes++
				}
				o := a.Occurrences()
				count = max(count, o.Transients)
				if o.Flapping != nil {
					count = max(count, o.Flapping.Changes)
				}
			}
		}
		assert.Equal(t, 1, pages, name)
		assert.Equal(t, 1, closes, "%s: and its end is told", name)
		assert.GreaterOrEqual(t, count, 10, name)
		assert.Empty(t, c.reasons, name)
	}
}
