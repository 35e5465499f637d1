package depgraph

import (
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/alertmanager/config/common"
	"github.com/prometheus/alertmanager/eventrecorder"
	"github.com/prometheus/alertmanager/inhibit"
	"github.com/prometheus/alertmanager/provider/mem"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
)

// alertmanager is Alertmanager's own inhibitor over its own store.
func alertmanager(tb testing.TB, rules []Rule) (*mem.Alerts, *inhibit.Inhibitor) {
	logger := slog.New(slog.DiscardHandler)
	store, err := mem.NewAlerts(tb.Context(), 24*time.Hour, 0, nil, logger, eventrecorder.NopRecorder(), prometheus.NewRegistry(), nil)
	require.NoError(tb, err)
	tb.Cleanup(store.Close)
	var theirs []common.InhibitRule
	for _, r := range rules {
		their := common.InhibitRule{SourceMatchers: common.Matchers(r.Cause), TargetMatchers: common.Matchers(r.Impact)}
		for _, p := range r.On {
			their.Equal = append(their.Equal, p.Impact)
		}
		theirs = append(theirs, their)
	}
	return store, inhibit.NewInhibitor(store, theirs, logger, eventrecorder.NopRecorder())
}

// TestInhibitsAsAlertmanager compares the Suppressor with Alertmanager's inhibitor over random
// histories. Alertmanager 0.34 has none of the faults that earlier ones had.
func TestInhibitsAsAlertmanager(t *testing.T) {
	for seed := range uint64(100) {
		synctest.Test(t, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 4))
			rules := randomRules(rnd)
			g, err := New(rules, Options{})
			require.NoError(t, err)
			ours := follow(g)
			store, theirs := alertmanager(t, rules)
			done := make(chan struct{})
			go func() { theirs.Run(); close(done) }()
			theirs.WaitForLoading()
			defer func() {
				theirs.Stop()
				store.Close()
				<-done
			}()

			for step := range 30 {
				a := alarm.Alert{Labels: randomLabels(rnd), StartsAt: time.Now()}
				their := &alert.Alert{Alert: model.Alert{Labels: a.Labels, StartsAt: time.Now(), EndsAt: time.Now().Add(time.Hour)}, UpdatedAt: time.Now()}
				if known := slices.Sorted(maps.Keys(ours.alerts)); len(known) > 0 && rnd.IntN(3) == 0 {
					a.Labels = ours.alerts[known[rnd.IntN(len(known))]].Labels
					a.State = alarm.Resolved
					their.Labels, their.EndsAt = a.Labels, time.Now()
				}
				require.NoError(t, store.Put(t.Context(), their))
				synctest.Wait()
				ours.judge(&a)
				for fp, known := range ours.alerts {
					require.Equal(t, theirs.Mutes(t.Context(), known.Labels), len(ours.reasons[fp]) > 0,
						"seed %d step %d: %s under %v", seed, step, known.Labels, rules)
				}
				time.Sleep(time.Second)
			}
		})
	}
}

// lastRule is the case of Alertmanager's benchmark: n rules with the same impact, of which only the
// last has a cause that fires.
func lastRule(n int) (rules []Rule, cause, impact model.LabelSet) {
	for i := range n {
		rules = append(rules, inhibits(`src="`+strconv.Itoa(i)+`"`, `dst="0"`))
	}
	return rules, set("src=" + strconv.Itoa(n-1)), set("dst=0")
}

// BenchmarkInhibited asks whether one alert is inhibited, of Alertmanager and of us.
func BenchmarkInhibited(b *testing.B) {
	for _, size := range []struct {
		name string
		n    int
	}{{"100", 100}, {"1k", 1000}, {"10k", 10_000}} {
		rules, cause, impact := lastRule(size.n)
		b.Run("alertmanager/"+size.name, func(b *testing.B) {
			store, theirs := alertmanager(b, rules)
			require.NoError(b, store.Put(b.Context(), &alert.Alert{
				Alert: model.Alert{Labels: cause, EndsAt: time.Now().Add(time.Hour)}, UpdatedAt: time.Now(),
			}))
			done := make(chan struct{})
			go func() { theirs.Run(); close(done) }()
			theirs.WaitForLoading()
			b.ReportAllocs()
			for b.Loop() {
				if !theirs.Mutes(b.Context(), impact) {
					b.Fatal("not inhibited")
				}
			}
			theirs.Stop()
			<-done
		})
		b.Run("tocsin/"+size.name, func(b *testing.B) {
			g, err := New(rules, Options{})
			require.NoError(b, err)
			s := g.Suppressor()
			firing := func(ls model.LabelSet) *alarm.Alert {
				a := alarm.Alert{Labels: ls}.WithFingerprint()
				return &a
			}
			s.Judge(start, alarm.View{Changes: []alarm.Change{{Alert: firing(cause)}}})
			changes := []alarm.Change{{Alert: firing(impact)}}
			ended := *changes[0].Alert
			ended.State = alarm.Resolved
			ends := []alarm.Change{{Alert: &ended}}
			b.ReportAllocs()
			for b.Loop() { // it comes and goes, so that nothing that was kept helps
				if len(s.Judge(start, alarm.View{Changes: changes}).Reasons) != 1 {
					b.Fatal("not inhibited")
				}
				s.Judge(start, alarm.View{Changes: ends})
			}
		})
	}
}

// BenchmarkCause lets one cause of 2k rules come and go while 10k alerts fire, five of which are its
// impacts, and builds all of it from nothing.
func BenchmarkCause(b *testing.B) {
	var rules []Rule
	for i := range 2000 {
		rules = append(rules, inhibits(`alertname="NodeDown",app="`+strconv.Itoa(i)+`"`, `alertname=~"A|B|C",app="`+strconv.Itoa(i)+`"`, "cluster"))
	}
	g, err := New(rules, Options{})
	require.NoError(b, err)
	var changes []alarm.Change
	for i := range 10_000 {
		a := alarm.Alert{Labels: set("alertname=A cluster=eu app=" + strconv.Itoa(i%2000) + " i=" + strconv.Itoa(i))}.WithFingerprint()
		changes = append(changes, alarm.Change{Alert: &a})
	}
	b.Run("comes and goes", func(b *testing.B) {
		s := g.Suppressor()
		s.Judge(start, alarm.View{Changes: changes})
		cause := alarm.Alert{Labels: set("alertname=NodeDown cluster=eu app=7")}.WithFingerprint()
		ended := cause
		ended.State = alarm.Resolved
		for b.Loop() {
			if len(s.Judge(start, alarm.View{Changes: []alarm.Change{{Alert: &cause}}}).Reasons) != 5 {
				b.Fatal("five impacts")
			}
			s.Judge(start, alarm.View{Changes: []alarm.Change{{Alert: &ended}}})
		}
	})
	b.Run("from nothing", func(b *testing.B) {
		for b.Loop() {
			g.Suppressor().Judge(start, alarm.View{Changes: changes})
		}
	})
}
