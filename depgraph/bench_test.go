package depgraph

import (
	"strconv"
	"testing"
	"time"

	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/matcher"
)

// fleet is 2k dependency rules, one for each application, and 10k alerts, five of each application. Every
// tenth has its cause among them.
func fleet(tb testing.TB) (*Graph, []Rule, []alarm.Change) {
	var rules []Rule
	for i := range 2000 {
		app := strconv.Itoa(i)
		rules = append(rules, Rule{
			Name:   "app-" + app,
			Cause:  matcher.MustParse(`alertname="NodeDown",app="` + app + `"`),
			Impact: matcher.MustParse(`alertname=~"TargetDown|.*Latency|Errors",app="` + app + `"`),
			On:     []Pair{Same("cluster"), {Impact: "instance", Cause: "node", StripPort: true, Optional: true}},
			Settle: time.Minute, HoldBack: 30 * time.Second, Max: 4 * time.Hour,
		})
	}
	g, err := New(rules, Options{Severities: severities()})
	require.NoError(tb, err)
	var changes []alarm.Change
	add := func(s string) {
		a := alarm.Alert{Labels: set(s), StartsAt: start, FirstSeen: start}.WithFingerprint()
		changes = append(changes, alarm.Change{Alert: &a})
	}
	for i := range 10_000 {
		app := strconv.Itoa(i % 2000)
		if i < 2000 && i%10 == 0 {
			add("alertname=NodeDown severity=crit cluster=eu node=n1 app=" + app)
			continue
		}
		add("alertname=TargetDown severity=warn cluster=eu instance=n1:9100 app=" + app + " i=" + strconv.Itoa(i))
	}
	return g, rules, changes
}

// BenchmarkDependencies2kRules10kAlerts lets one cause come and go, and builds all from nothing.
func BenchmarkDependencies2kRules10kAlerts(b *testing.B) {
	g, _, changes := fleet(b)
	told := func(model.Fingerprint) bool { return true }
	b.Run("cause comes and goes", func(b *testing.B) {
		s := g.Suppressor()
		now := start.Add(time.Hour)
		s.Judge(now, alarm.View{Changes: changes, Told: told})
		cause := alarm.Alert{Labels: set("alertname=NodeDown severity=crit cluster=eu node=n1 app=7"), StartsAt: start}.WithFingerprint()
		ended := cause
		ended.State = alarm.Resolved
		b.ReportAllocs()
		for b.Loop() {
			now = now.Add(time.Second)
			if len(s.Judge(now, alarm.View{Changes: []alarm.Change{{Alert: &cause}}, Told: told}).Reasons) != 5 {
				b.Fatal("five impacts")
			}
			s.Judge(now, alarm.View{Changes: []alarm.Change{{Alert: &ended}}, Told: told})
			if now.Sub(start) > 4*time.Hour {
				b.StopTimer()
				s, now = g.Suppressor(), start.Add(time.Hour)
				s.Judge(now, alarm.View{Changes: changes, Told: told})
				b.StartTimer()
			}
		}
	})
	b.Run("nothing changes", func(b *testing.B) {
		s := g.Suppressor()
		s.Judge(start, alarm.View{Changes: changes, Told: told})
		for b.Loop() {
			s.Judge(start, alarm.View{Told: told})
		}
	})
	b.Run("from nothing", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			g.Suppressor().Judge(start.Add(time.Hour), alarm.View{Changes: changes, Told: told})
		}
	})
	b.Run("explain", func(b *testing.B) {
		var alerts []alarm.Alert
		for _, c := range changes {
			alerts = append(alerts, *c.Alert)
		}
		for b.Loop() {
			g.Explain(start, alerts)
		}
	})
}

// BenchmarkAgainstAlertmanager asks whether an alert of 10k is inhibited by one of 2k rules, of
// Alertmanager and of us.
func BenchmarkAgainstAlertmanager(b *testing.B) {
	var rules []Rule
	for i := range 2000 {
		app := strconv.Itoa(i)
		rules = append(rules, inhibits(`alertname="NodeDown",app="`+app+`"`, `alertname=~"TargetDown|.*Latency|Errors",app="`+app+`"`, "cluster"))
	}
	_, _, changes := fleet(b)
	g, err := New(rules, Options{})
	require.NoError(b, err)
	withheld := map[model.Fingerprint]bool{}
	for _, r := range g.Suppressor().Judge(start, alarm.View{Changes: changes}).Reasons {
		withheld[r.Fingerprint] = true
	}
	require.Len(b, withheld, 800)
	store, theirs := alertmanager(b, rules)
	for _, c := range changes {
		require.NoError(b, store.Put(b.Context(), &alert.Alert{
			Alert: model.Alert{Labels: c.Alert.Labels, StartsAt: time.Now(), EndsAt: time.Now().Add(time.Hour)}, UpdatedAt: time.Now(),
		}))
	}
	done := make(chan struct{})
	go func() { theirs.Run(); close(done) }()
	theirs.WaitForLoading()
	b.Run("alertmanager/2k rules, 10k alerts", func(b *testing.B) {
		n := 0
		for b.Loop() {
			muted := theirs.Mutes(b.Context(), changes[n].Alert.Labels)
			require.Equal(b, withheld[changes[n].Alert.Fingerprint()], muted)
			n = (n + 1) % len(changes)
		}
	})
	b.Run("tocsin/2k rules, 10k alerts", func(b *testing.B) { // it comes and goes, so that nothing that was kept helps
		s := g.Suppressor()
		s.Judge(start, alarm.View{Changes: changes})
		n := 0
		for b.Loop() {
			if a := changes[n].Alert; a.Name() != "NodeDown" {
				ended := *a
				ended.State = alarm.Resolved
				s.Judge(start, alarm.View{Changes: []alarm.Change{{Alert: &ended}}})
				reasons := s.Judge(start, alarm.View{Changes: changes[n : n+1]}).Reasons
				require.Equal(b, withheld[a.Fingerprint()], len(reasons) > 0)
			}
			n = (n + 1) % len(changes)
		}
	})
	theirs.Stop()
	<-done
}
