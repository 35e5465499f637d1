package amreceiver_test

import (
	"log/slog"
	"net/url"
	"slices"
	"testing"
	"time"

	amalert "github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/alertmanager/config"
	amreceiver "github.com/prometheus/alertmanager/config/receiver"
	"github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/alertmanager/eventrecorder"
	"github.com/prometheus/alertmanager/featurecontrol"
	"github.com/prometheus/alertmanager/inhibit"
	"github.com/prometheus/alertmanager/marker"
	"github.com/prometheus/alertmanager/nflog"
	"github.com/prometheus/alertmanager/nflog/nflogpb"
	amnotify "github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/alertmanager/provider/mem"
	"github.com/prometheus/alertmanager/silence"
	"github.com/prometheus/alertmanager/template"
	"github.com/prometheus/alertmanager/timeinterval"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/tocsin/tocsin/alarm"
	tocsin "github.com/tocsin/tocsin/notify/amreceiver"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	quiet       = slog.New(slog.DiscardHandler)
	externalURL = &url.URL{Scheme: "https", Host: "alerts.example.org", Path: "/am"}
)

// A twin is Alertmanager itself: its dispatcher, its pipeline and its integrations.
type twin struct {
	alerts *mem.Alerts
	log    *nflog.Log
	route  *dispatch.Route
}

func startTwin(t *testing.T, cfg *config.Config, first ...*amalert.Alert) *twin {
	t.Helper()
	reg, ff, recorder := prometheus.NewRegistry(), featurecontrol.NoopFlags{}, eventrecorder.Recorder{}
	tmpl, err := template.FromGlobs(nil)
	require.NoError(t, err)
	tmpl.ExternalURL = externalURL
	receivers := map[string][]amnotify.Integration{}
	for _, rc := range cfg.Receivers {
		receivers[rc.Name], err = amreceiver.BuildReceiverIntegrations(rc, tmpl, quiet)
		require.NoError(t, err)
	}
	tw := &twin{route: dispatch.NewRoute(cfg.Route, nil)}
	tw.log, err = nflog.New(nflog.Options{Metrics: reg, Retention: time.Hour})
	require.NoError(t, err)
	silences, err := silence.New(silence.Options{Metrics: reg, Retention: time.Hour})
	require.NoError(t, err)
	tw.alerts, err = mem.NewAlerts(t.Context(), time.Hour, 0, nil, quiet, recorder, reg, ff)
	require.NoError(t, err)
	t.Cleanup(tw.alerts.Close)
	require.NoError(t, tw.alerts.Put(t.Context(), first...))

	groups := marker.NewGroupMarker()
	pipeline := amnotify.NewPipelineBuilder(reg, ff, recorder).New(
		receivers, func() time.Duration { return 0 }, inhibit.NewInhibitor(tw.alerts, nil, quiet, recorder),
		silence.NewSilencer(silences, quiet, recorder), timeinterval.NewIntervener(nil), groups, tw.log, nil)
	dispatcher := dispatch.NewDispatcher(tw.alerts, tw.route, pipeline, groups,
		func(d time.Duration) time.Duration { return max(d, amnotify.MinTimeout) }, time.Hour, nil, quiet, recorder,
		dispatch.NewDispatcherMetrics(false, reg, ff), tmpl)
	done := make(chan struct{})
	go func() {
		defer close(done)
		dispatcher.Run(time.Now())
	}()
	dispatcher.WaitForLoading()
	t.Cleanup(func() {
		dispatcher.Stop()
		<-done
	})
	return tw
}

// told returns what the twin's notification log has of an integration, once it is as wanted.
func (tw *twin) told(t *testing.T, key string, idx uint32, integration string, want alarm.ToldSets) {
	t.Helper()
	receiver := &nflogpb.Receiver{GroupName: "ops", Integration: integration, Idx: idx}
	var got alarm.ToldSets
	require.Eventually(t, func() bool { // it is written after the message was sent
		entries, err := tw.log.Query(nflog.QReceiver(receiver), nflog.QGroupKey(key))
		if err != nil {
			return false
		}
		got.Firing, got.Resolved = slices.Clone(entries[0].FiringAlerts), slices.Clone(entries[0].ResolvedAlerts)
		slices.Sort(got.Firing)
		slices.Sort(got.Resolved)
		return assert.ObjectsAreEqual(want, got)
	}, 10*time.Second, time.Millisecond, "want %v", want)
}

// hashes returns the sets that a delivery tells.
func hashes(now time.Time, alerts []alarm.Alert) alarm.ToldSets {
	sets := alarm.ToldSets{Firing: []uint64{}, Resolved: []uint64{}}
	for i := range alerts {
		if hash := alarm.Hash(alerts[i].Labels); alerts[i].ResolvedAt(now) {
			sets.Resolved = append(sets.Resolved, hash)
		} else {
			sets.Firing = append(sets.Firing, hash)
		}
	}
	slices.Sort(sets.Firing)
	slices.Sort(sets.Resolved)
	return sets
}

// What Alertmanager sends for a group from its first notification to its last, we send too, byte
// for byte, through each integration; and its notification log holds our hashes.
func TestMessagesEqualAlertmanagers(t *testing.T) {
	remote := newRemote(t)
	cfg, err := config.Load(remote.config())
	require.NoError(t, err)
	specs, receivers, err := tocsin.Build(cfg, externalURL, quiet)
	require.NoError(t, err)
	senders := []string{
		"webhook", "firing", "email", "pagerduty", "opsgenie", "slack", "victorops", "discord", "webex", "teams",
	}
	assert.Equal(t, []alarm.ReceiverSpec{
		{Name: "nobody", Labels: map[string]string{"name": "nobody"}, Integrations: []alarm.IntegrationSpec{
			{Name: "webhook[0]", SendResolved: true}, // no route uses it, and what it was told must be closed
		}},
		{Name: "unused-by-itself", Labels: map[string]string{"name": "unused-by-itself"}},
		{Name: "ops", Labels: map[string]string{"name": "ops", "floor": "second"}, Integrations: []alarm.IntegrationSpec{
			{Name: "webhook[0]", SendResolved: true},
			{Name: "webhook[1]"},
			{Name: "email[0]", SendResolved: true},
			{Name: "pagerduty[0]", SendResolved: true},
			{Name: "opsgenie[0]", SendResolved: true},
			{Name: "slack[0]", SendResolved: true},
			{Name: "victorops[0]", SendResolved: true},
			{Name: "discord[0]", SendResolved: true},
			{Name: "webex[0]", SendResolved: true},
			{Name: "msteamsv2[0]", SendResolved: true},
		}},
	}, specs)

	start := time.Now().UTC().Add(-time.Minute)
	alert := func(instance string) *alarm.Alert {
		return &alarm.Alert{
			Labels: model.LabelSet{
				"alertname": "DiskFull", "team": "db", "instance": model.LabelValue(instance), "path": `<"/var">&`,
			},
			Annotations:  model.LabelSet{"summary": model.LabelValue("disk of " + instance + " is full\n"), "same": "x"},
			GeneratorURL: "http://rules.example/graph?a=b&c=d",
			StartsAt:     start,
		}
	}
	a, b, c, d := alert("a"), alert("b"), alert("c"), alert("d")
	end := func(a *alarm.Alert) { a.State, a.EndsAt = alarm.Resolved, time.Now().UTC() }
	end(c)

	tw := startTwin(t, cfg, amAlerts(a, b, c)...)
	route := tw.route.Routes[0]
	const key = `{}/{team=~"d.*"}:{alertname="DiskFull", team="db"}`
	group := model.LabelSet{"alertname": "DiskFull", "team": "db"}
	labels := route.RouteOpts.Labels

	rounds := []struct {
		reason alarm.NotifyReason
		change func() *alarm.Alert
		alerts []*alarm.Alert
		all    bool // the integration without resolves is told, too
	}{
		{alarm.NotifyFirst, nil, []*alarm.Alert{a, b, c}, true},
		{alarm.NotifyResolved, func() *alarm.Alert { end(a); return a }, []*alarm.Alert{a, b}, false},
		{alarm.NotifyNewAlerts, func() *alarm.Alert { return d }, []*alarm.Alert{b, d}, true},
		{alarm.NotifyResolved, func() *alarm.Alert { end(b); return b }, []*alarm.Alert{b, d}, false},
		{alarm.NotifyAllResolved, func() *alarm.Alert { end(d); return d }, []*alarm.Alert{d}, false},
	}
	for i, round := range rounds {
		if round.change != nil {
			require.NoError(t, tw.alerts.Put(t.Context(), amAlerts(round.change())...))
		}
		delivery := &alarm.Delivery{
			Intention: alarm.Intention{ID: int64(i), Key: alarm.IntentionKey{Group: key}, Reason: round.reason},
			Now:       time.Now(), GroupKey: key, GroupLabels: group, RouteID: route.ID(), RouteLabels: labels,
		}
		var firing []alarm.Alert
		for _, a := range round.alerts {
			delivery.Alerts = append(delivery.Alerts, *a)
			if a.State == alarm.Firing {
				firing = append(firing, *a)
			}
		}
		delivery.Told = hashes(delivery.Now, delivery.Alerts)
		for j, in := range receivers["ops"] {
			if in.Name == "webhook[1]" && !round.all {
				continue
			}
			sender := senders[j]
			want := <-remote.from(sender)
			ours := *delivery
			if in.Name == "webhook[1]" {
				ours.Alerts = firing
			}
			require.NoError(t, in.Receiver.Deliver(t.Context(), &ours), in.Name)
			assert.Equal(t, want, <-remote.from(sender), "%s: %s", in.Name, round.reason)
			assert.Nil(t, ours.Data)
		}
		tw.told(t, key, 0, "webhook", delivery.Told)
	}
	for _, sender := range append(senders, "nobody") {
		assert.Empty(t, remote.from(sender), sender)
	}
}

func amAlerts(alerts ...*alarm.Alert) []*amalert.Alert {
	var all []*amalert.Alert
	for _, a := range alerts {
		all = append(all, &amalert.Alert{UpdatedAt: time.Now(), Alert: model.Alert{
			Labels: a.Labels, Annotations: a.Annotations, StartsAt: a.StartsAt, EndsAt: a.EndsAt,
			GeneratorURL: a.GeneratorURL,
		}})
	}
	return all
}
