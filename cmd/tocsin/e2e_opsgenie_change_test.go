package main_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/notify/opsgenie"
	"github.com/tocsin/tocsin/notify/opsgenie/opsgenietest"
)

// TestIncidentThroughAWindow has a window begin over an open incident whose alert ends within it.
func TestIncidentThroughAWindow(t *testing.T) {
	eachGenie(t, func(t *testing.T, g *genie) {
		s := startServer(t, g.config("ops", "", ""))
		in := func(name string) model.LabelSet {
			return model.LabelSet{"alertname": model.LabelValue(name), "cluster": "us"}
		}
		s.Push(firing(in("Told")))
		eventually(t, g.opened(in("Told")))
		script(t, s, `
$ tocsin window add --name=move --cluster=us --duration=1h
<id>
[0]
`)
		s.Push(firing(in("Within")), firing(in("Stays")), firing(named("Elsewhere")))
		eventually(t, g.opened(in("Told"), named("Elsewhere")))
		g.reconciled(s)
		require.NoError(t, g.opened(in("Told"), named("Elsewhere"))(), "it still fires: it stays open")
		s.Push(ended(in("Told")), ended(in("Within")))
		eventually(t, g.opened(named("Elsewhere")))
		script(t, s, `
$ tocsin window end move
[0]
`)
		eventually(t, g.opened(named("Elsewhere"), in("Stays")))
		assert.Zero(t, g.incidents(in("Within")), "nobody was ever told of it")
		assert.Equal(t, 1, g.incidents(in("Told")))
	})
}

// TestCauseClosesIncident has a cause appear after what it explains: that incident is closed, and opened
// again if it goes on without its cause.
func TestCauseClosesIncident(t *testing.T) {
	eachGenie(t, func(t *testing.T, g *genie) {
		s := startServer(t, g.config("ops", "", `
  dependencies:
  - {name: host-explains, cause: ['alertname="NodeDown"'], impact: ['alertname="TargetDown"'], on: [instance], any_severity: true}
`))
		target := model.LabelSet{"alertname": "TargetDown", "instance": "db1"}
		node := model.LabelSet{"alertname": "NodeDown", "instance": "db1"}
		s.Push(firing(target))
		eventually(t, g.opened(target))
		s.Push(firing(node))
		eventually(t, g.opened(node))
		eventually(t, g.noted(target, "It still fires, and is closed here: dependency host-explains"))
		eventually(t, g.noted(target, "NodeDown"))
		g.reconciled(s)
		require.NoError(t, g.opened(node)())
		s.Push(ended(node))
		eventually(t, g.opened(target))
		s.Push(ended(target))
		eventually(t, g.opened())
		assert.Equal(t, 2, g.incidents(target))
		assert.Equal(t, 1, g.incidents(node))
	})
}

// TestReceiverOfIncidentsRenamed has incidents follow a receiver that gets another name: closed and opened
// anew, or, with an alias_key, kept.
func TestReceiverOfIncidentsRenamed(t *testing.T) {
	eachGenie(t, func(t *testing.T, g *genie) {
		disk, slow := named("Disk"), named("Slow")
		s := startServer(t, g.config("ops", "", ""))
		s.Push(firing(disk), firing(slow))
		eventually(t, g.opened(disk, slow))
		apply := func(config string) {
			t.Helper()
			s.Configure(config)
			code, body, err := s.do(http.MethodPost, "/-/reload", "")
			require.NoError(t, err)
			require.Equal(t, http.StatusOK, code, body)
		}
		of := func(receiver string) func() error {
			return func() error {
				for _, a := range g.Open() {
					if !strings.Contains(a.Alias, "/"+receiver+"/") {
						return fmt.Errorf("%s is open", a.Alias)
					}
				}
				return g.opened(disk, slow)()
			}
		}
		apply(g.config("night", "", ""))
		eventually(t, of("night"))
		assert.Equal(t, 2, g.incidents(disk), "one closed, one opened")

		apply(g.config("night", "alias_key: night", ""))
		apply(g.config("day", "alias_key: night", ""))
		g.reconciled(s)
		require.NoError(t, of("night")())
		assert.Equal(t, 2, g.incidents(disk), "carried over")

		// A route that is another changes nothing.
		apply(strings.Replace(g.config("day", "alias_key: night", ""), "24h}", `24h, routes: [{receiver: day, matchers: ['alertname="Disk"'], group_by: [job]}]}`, 1))
		g.reconciled(s)
		require.NoError(t, of("night")())
		assert.Equal(t, 2, g.incidents(disk))
		s.Push(ended(disk), ended(slow))
		eventually(t, g.opened())
	})
}

// TestAdoption takes over from Alertmanager's own integration, or closes what that left open.
func TestAdoption(t *testing.T) {
	eachGenie(t, func(t *testing.T, g *genie) {
		for _, how := range []string{"take", "close"} {
			t.Run(how, func(t *testing.T) {
				g := newGenie(t, g.jsm)
				theirs := opsgenie.AlertmanagerAlias(`{}:{alertname="Disk"}`)
				g.Put(opsgenietest.Alert{Alias: theirs, Message: "[FIRING:1] Disk"})
				g.Put(opsgenietest.Alert{Alias: "somebody-elses", Message: "made by hand"})
				config := strings.Replace(g.config("ops", "adopt: "+how, ""), "startup_grace: 1s", "startup_grace: 3s", 1)
				s := startServer(t, config)
				began := time.Now()
				if how == "take" { // its sender speaks up within startup_grace
					s.Push(firing(named("Disk")))
				}
				eventually(t, func() error {
					if _, open := g.Find(theirs); open {
						return fmt.Errorf("%s is still open", theirs)
					}
					return nil
				})
				if how == "take" {
					assert.NotZero(t, g.incidents(named("Disk")), "ours was opened first")
					assert.Greater(t, time.Since(began), 2*time.Second)
				}
				eventually(t, s.logged("took over from Alertmanager"))
				_, open := g.Find("somebody-elses")
				assert.True(t, open, "what is nobody's is left alone")
				s.Stop()
				g.Put(opsgenietest.Alert{Alias: theirs, Message: "again"})
				s.Start()
				s.Push(firing(named("Slow")))
				eventually(t, func() error {
					if g.incidents(named("Slow")) == 0 {
						return fmt.Errorf("not open yet")
					}
					return nil
				})
				g.reconciled(s)
				_, open = g.Find(theirs)
				assert.True(t, open, "it is taken over once")
			})
		}
	})
}

// TestIncidentsOfNobody has incidents of ours be open of which the server knows nothing. They are closed, but
// for what others made; and not too many at once, unless a person says so.
func TestIncidentsOfNobody(t *testing.T) {
	eachGenie(t, func(t *testing.T, g *genie) {
		s := startServer(t, strings.Replace(g.config("ops", "", ""), "close_at_most: 100", "close_at_most: 20", 1))
		disk := named("Disk")
		s.Push(firing(disk))
		eventually(t, g.opened(disk))
		ours := g.incident(disk)
		leave := func(n int) {
			for i := range n {
				g.Put(opsgenietest.Alert{Alias: fmt.Sprintf("%s%04d", strings.TrimSuffix(ours.Alias, "0000"), i), Tags: ours.Tags})
			}
		}
		g.Put(opsgenietest.Alert{Alias: "theirs", Tags: ours.Tags[:1]})
		leave(10)
		eventually(t, func() error {
			if n := len(g.Open()); n != 2 {
				return fmt.Errorf("%d are open", n)
			}
			return nil
		})
		leave(11)
		eventually(t, s.metricIs("tocsin_reconcile_guarded", 1))
		g.reconciled(s)
		assert.Len(t, g.Open(), 13, "the guard keeps them open")
		assert.Equal(t, 1, g.incidents(disk))

		assert.Contains(t, s.page("/"), "of 12 open incidents would be closed")
		code, body, err := s.do(http.MethodPost, "/api/v1/reconciliations/approve", `{"receiver": "other"}`)
		require.NoError(t, err)
		assert.Equal(t, http.StatusNotFound, code, body)
		code, body, err = s.do(http.MethodPost, "/api/v1/reconciliations/approve", `{"receiver": "ops"}`)
		require.NoError(t, err)
		require.Equal(t, http.StatusNoContent, code, body)
		eventually(t, func() error {
			if n := len(g.Open()); n != 2 {
				return fmt.Errorf("%d are open", n)
			}
			return nil
		})
		eventually(t, s.metricIs("tocsin_reconcile_guarded", 0))
		_, body, err = s.get("/api/v1/reconciliations")
		require.NoError(t, err)
		assert.Regexp(t, `^\[\{"receiver":"ops","at":"[^"]+","drift":0`, body)
	})
}

// TestDeadLetters has the service refuse an incident for good.
func TestDeadLetters(t *testing.T) {
	eachGenie(t, func(t *testing.T, g *genie) {
		sink := newSink(t)
		config := g.config("ops", "", "")
		config = strings.Replace(config, "[{name: ops}]", fmt.Sprintf("[{name: ops}, {name: mail, webhook_configs: [{url: %q}]}]", sink.URL), 1)
		config = strings.Replace(config, "{name: ops, opsgenie:", "{name: ops, fallback: mail, opsgenie:", 1)
		s := startServer(t, config)
		g.Inject(opsgenietest.Fault{Kind: opsgenietest.Refuse, Status: http.StatusForbidden, Match: opsgenietest.Writes})
		disk, slow := named("Disk"), named("Slow")
		s.Push(firing(disk), firing(slow))
		eventually(t, sink.said("Disk", "firing"))
		eventually(t, sink.said("Slow", "firing"))
		letters := s.deadLetters()
		require.Len(t, letters, 2)
		eventually(t, s.explains(named("TocsinDeliveryFailing"), `receiver="ops"`))
		assert.Contains(t, letters[0]["error"], "403")
		assert.Equal(t, "mail", letters[0]["fallback"])

		g.Heal()
		g.reconciled(s)
		assert.Zero(t, g.incidents(disk)+g.incidents(slow), "nobody asked for another attempt")
		order := func(what string, labels model.LabelSet) {
			for _, l := range s.deadLetters() {
				if l["group"] == labels.Fingerprint().String() {
					text, err := json.Marshal(l)
					require.NoError(t, err)
					code, body, err := s.do(http.MethodPost, "/api/v1/dead-letters/"+what, string(text))
					require.NoError(t, err)
					require.Equal(t, http.StatusNoContent, code, body)
					return
				}
			}
			t.Fatalf("no letter of %s", labels)
		}
		order("discard", slow)
		order("retry", disk)
		eventually(t, func() error {
			if g.incidents(disk) == 0 {
				return fmt.Errorf("it is not open")
			}
			return nil
		})
		eventually(t, func() error {
			if left := s.deadLetters(); len(left) != 0 {
				return fmt.Errorf("left: %v", left)
			}
			return nil
		})
		eventually(t, func() error {
			if n := len(s.Alerts(`alertname="TocsinDeliveryFailing"`)); n > 0 {
				return fmt.Errorf("%d receivers are still said to be failing", n)
			}
			return nil
		})
		s.Kill()
		s.Start()
		g.reconciled(s)
		assert.Zero(t, g.incidents(slow), "it stays discarded")
		s.Push(ended(disk), ended(slow))
		eventually(t, sink.said("Disk", "firing", "resolved"))
		eventually(t, sink.said("Slow", "firing", "resolved"))
		eventually(t, func() error {
			if _, open := g.open()[disk.Fingerprint().String()]; open {
				return fmt.Errorf("it is still open")
			}
			return nil
		})
	})
}

// deadLetters are what was given up, but for what is said of that.
func (s *server) deadLetters() (letters []map[string]any) {
	s.t.Helper()
	s.getJSON("/api/v1/dead-letters", &letters)
	return slices.DeleteFunc(letters, func(l map[string]any) bool {
		labels, _ := l["labels"].(map[string]any)
		return labels["alertname"] == "TocsinDeliveryFailing"
	})
}
