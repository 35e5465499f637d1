package main_test

import (
	"fmt"
	"slices"
	"strconv"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
)

// inFlight is how many deliveries of one integration a kill can leave untold of: the Deliverer's
// workers.
const inFlight = 256

// groupConfig tells a receiver of groups, quickly, and repeats nothing.
func groupConfig(url, resolveTimeout string) string {
	return fmt.Sprintf(`
global: {resolve_timeout: %s}
route: {receiver: ops, group_by: [group], group_wait: 200ms, group_interval: 1s, repeat_interval: 24h}
receivers:
- name: ops
  webhook_configs: [{url: %q}]
`, resolveTimeout, url)
}

// TestRestartRemembers has 2,000 alerts fire and 1,500 of them end while the server restarts.
func TestRestartRemembers(t *testing.T) {
	t.Parallel()
	const total, groups, steadyGroups = 2000, 100, 20

	// In the steady groups all keep firing; in the others, one of sixteen. Of those that end, half
	// are resolved by their sender, and half lapse: it does not speak of them again.
	var keep, resolve, lapse []model.LabelSet
	for i := range total {
		labels := model.LabelSet{
			model.AlertNameLabel: "Restart",
			"group":              model.LabelValue("g" + strconv.Itoa(i%groups)),
			"n":                  model.LabelValue(strconv.Itoa(i)),
		}
		switch ending := i%groups - steadyGroups + i/groups*(groups-steadyGroups); {
		case i%groups < steadyGroups || ending%16 == 0:
			keep = append(keep, labels)
		case ending%2 == 0:
			resolve = append(resolve, labels)
		default:
			lapse = append(lapse, labels)
		}
	}
	assert.Equal(t, []int{500, 700, 800}, []int{len(keep), len(resolve), len(lapse)})

	for name, c := range map[string]struct {
		end     func(*server)
		repeats int
	}{
		"SIGTERM": {(*server).Stop, 0},
		"SIGKILL": {(*server).Kill, inFlight},
	} {
		t.Run(name, func(t *testing.T) {
			sink := newSink(t)
			s := startServer(t, groupConfig(sink.URL, "5s"))
			s.Push(each(slices.Concat(keep, resolve), firing)...)
			all := fingerprints(slices.Concat(keep, resolve, lapse))
			eventually(t, func() error {
				s.Push(each(lapse, lasting)...) // their sender repeats them, as senders do
				return sink.opened(all)()
			})

			c.end(s)
			epoch := sink.NextEpoch()
			s.Start()
			assert.Len(t, s.Alerts(), total, "active alerts after the restart")
			s.Push(each(keep, firing)...)
			s.Push(each(resolve, ended)...)
			eventually(t, sink.opened(fingerprints(keep)))
			rounds(t, s, sink, named("Clock"))
			assert.NoError(t, sink.opened(fingerprints(keep))())

			again := repeats(sink.Notifications())
			assert.LessOrEqual(t, len(again), c.repeats, "notifications that said nothing new")
			steady := 0
			for _, n := range sink.Notifications() {
				if n.Epoch == epoch && !slices.ContainsFunc(n.Alerts, func(a notifiedAlert) bool { return a.Status == "resolved" }) {
					steady++
				}
			}
			assert.LessOrEqual(t, steady, c.repeats+1, "notifications after the restart in which nothing had ended, beside the clock's")
		})
	}
}

// lasting is an alert that lasts until resolve_timeout, unless its sender speaks of it again.
func lasting(labels model.LabelSet) alert { return alert{Labels: labels} }
