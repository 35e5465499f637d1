package amreceiver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"testing"
	"time"

	amalert "github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/alertmanager/config"
	"github.com/prometheus/alertmanager/featurecontrol"
	amnotify "github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/client_golang/prometheus"
	commoncfg "github.com/prometheus/common/config"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/notify"
	"github.com/tocsin/tocsin/notify/notifytest"
)

var quiet = slog.New(slog.DiscardHandler)

// one builds the only integration of a configuration.
func one(t *testing.T, receiver string, opts ...commoncfg.HTTPClientOption) notify.Receiver {
	t.Helper()
	cfg, err := config.Load("route: {receiver: ops}\nreceivers: [{name: ops, " + receiver + "}]")
	require.NoError(t, err)
	_, receivers, err := Build(cfg, &url.URL{Scheme: "http", Host: "am"}, quiet, opts...)
	require.NoError(t, err)
	require.Len(t, receivers["ops"], 1)
	return receivers["ops"][0].Receiver
}

func TestReceiverMeetsTheContract(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	notifytest.ExerciseReceiver(t, one(t, "webhook_configs: [{url: '"+server.URL+"'}]"))
}

// Each status is classed as Alertmanager's own pipeline classes it.
func TestErrorsHaveTheirClass(t *testing.T) {
	tests := []struct {
		status   int
		rejected bool
		reason   notify.FailureReason
	}{
		{400, true, notify.FailureClientError},
		{403, true, notify.FailureAuth},
		{429, true, notify.FailureRateLimited},
		{500, false, notify.FailureServerError},
		{503, false, notify.FailureServerError},
	}
	for _, test := range tests {
		t.Run(fmt.Sprint(test.status), func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(test.status)
			}))
			defer server.Close()
			r := one(t, "webhook_configs: [{url: '"+server.URL+"'}]")
			err := r.Deliver(t.Context(), notifytest.Delivery(time.Now(), "ops", "webhook[0]", "g", alarm.Add))
			require.Error(t, err)
			assert.Equal(t, test.rejected, errors.Is(err, notify.ErrRejected))
			var reason *notify.ReasonError
			require.ErrorAs(t, err, &reason)
			assert.Equal(t, test.reason, reason.Reason)
		})
	}
}

func TestNothingListens(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	r := one(t, "webhook_configs: [{url: 'http://"+listener.Addr().String()+"/secret'}]")
	err = r.Deliver(t.Context(), notifytest.Delivery(time.Now(), "ops", "webhook[0]", "g", alarm.Add))
	require.Error(t, err)
	assert.NotErrorIs(t, err, notify.ErrRejected, "it may listen again")
	assert.NotContains(t, err.Error(), "secret")
}

func TestNothingToSay(t *testing.T) {
	r := one(t, "webhook_configs: [{url: 'http://127.0.0.1:1/'}]")
	assert.NoError(t, r.Deliver(t.Context(), notify.Close("k", "over")))
}

// Slack's message is updated as long as the group is told of, over as many deliveries, and a new one
// begins with the next first notification.
func TestDataIsKept(t *testing.T) {
	var asked []string
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		var body struct{ Channel, TS string }
		assert.NoError(t, json.NewDecoder(req.Body).Decode(&body))
		asked = append(asked, fmt.Sprint(req.Host, req.URL, " ", body.Channel, " ", body.TS))
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"ok": true, "channel": "C1", "ts": "17.%d"}`, len(asked))
	}))
	defer server.Close()
	dial := func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, server.Listener.Addr().String())
	}
	r := one(t, `slack_configs: [{api_url: 'https://slack.com/api/chat.postMessage', channel: '#ops', update_message: true,
		http_config: {tls_config: {insecure_skip_verify: true}}}]`, commoncfg.WithDialContextFunc(dial))

	var data []byte
	deliver := func(reason alarm.NotifyReason) {
		d := notifytest.Delivery(time.Now(), "ops", "slack[0]", "g", alarm.Update)
		d.Reason, d.Data = reason, data
		require.NoError(t, r.Deliver(t.Context(), d))
		data = d.Data
	}
	deliver(alarm.NotifyFirst)
	deliver(alarm.NotifyNewAlerts)
	deliver(alarm.NotifyRepeat)
	deliver(alarm.NotifyFirst)
	data = []byte("\xffdamaged")
	deliver(alarm.NotifyRepeat)
	assert.Equal(t, []string{
		"slack.com/api/chat.postMessage #ops ",
		"slack.com/api/chat.update C1 17.1",
		"slack.com/api/chat.update C1 17.2",
		"slack.com/api/chat.postMessage #ops ",
		"slack.com/api/chat.postMessage #ops ",
	}, asked)
	assert.NotEmpty(t, data)
}

// A notifier that looks at its context.
type notifier func(ctx context.Context, alerts ...*amalert.Alert) (bool, error)

func (n notifier) Notify(ctx context.Context, alerts ...*amalert.Alert) (bool, error) {
	return n(ctx, alerts...)
}

func (notifier) SendResolved() bool { return true }

func TestContextIsAlertmanagers(t *testing.T) {
	now := time.Unix(1_800_000_000, 0).UTC()
	d := notifytest.Delivery(now, "ops", "fake[0]", "g", alarm.Add)
	d.ID, d.RouteLabels, d.Data = 7, nil, []byte(nil)
	d.Alerts = append(d.Alerts,
		alarm.Alert{Labels: model.LabelSet{"n": "1"}, StartsAt: now, EndsAt: now.Add(time.Hour)},
		alarm.Alert{Labels: model.LabelSet{"n": "2"}, StartsAt: now, EndsAt: now},
		alarm.Alert{Labels: model.LabelSet{"n": "3"}, StartsAt: now, State: alarm.Resolved, EndsAt: now.Add(time.Hour)},
		alarm.Alert{Labels: model.LabelSet{"n": "4"}, StartsAt: now, State: alarm.Resolved},
	)
	var ends []time.Time
	check := notifier(func(ctx context.Context, alerts ...*amalert.Alert) (bool, error) {
		for _, a := range alerts {
			ends = append(ends, a.EndsAt)
		}
		got := map[string]any{}
		note := func(name string, value any, ok bool) {
			if ok {
				got[name] = value
			}
		}
		value, ok := amnotify.ReceiverName(ctx)
		note("receiver", value, ok)
		key, ok := amnotify.GroupKey(ctx)
		note("key", key, ok)
		labels, ok := amnotify.GroupLabels(ctx)
		note("labels", labels, ok)
		routeLabels, ok := amnotify.RouteLabels(ctx)
		note("routeLabels", routeLabels, ok)
		at, ok := amnotify.Now(ctx)
		note("now", at, ok)
		repeat, ok := amnotify.RepeatInterval(ctx)
		note("repeat", repeat, ok)
		route, ok := amnotify.RouteID(ctx)
		note("route", route, ok)
		flush, ok := amnotify.FlushID(ctx)
		note("flush", flush, ok)
		firing, ok := amnotify.FiringAlerts(ctx)
		note("firing", firing, ok)
		resolved, ok := amnotify.ResolvedAlerts(ctx)
		note("resolved", resolved, ok)
		why, ok := amnotify.NotificationReason(ctx)
		note("reason", why, ok)
		assert.Equal(t, map[string]any{
			"receiver": "ops", "key": d.GroupKey, "labels": d.GroupLabels, "routeLabels": model.LabelSet{},
			"now": now, "repeat": 4 * time.Hour, "route": "{}", "flush": uint64(7),
			"firing": d.Told.Firing, "resolved": d.Told.Resolved, "reason": amnotify.ReasonFirstNotification,
		}, got)
		store, ok := amnotify.NflogStore(ctx)
		require.True(t, ok)
		store.SetStr("s", "x")
		store.SetInt("i", -1)
		store.SetFloat("f", .5)
		return false, nil
	})
	integration := amnotify.NewIntegration(check, check, "fake", 0, "ops")
	r := &Receiver{integration: &integration, name: "ops", logger: quiet}
	require.NoError(t, r.Deliver(t.Context(), d))
	assert.Equal(t, []time.Time{{}, {}, now, now, now}, ends)

	d.Reason = alarm.NotifyRepeat
	store, _, err := openStore(d)
	require.NoError(t, err)
	s, _ := store.GetStr("s")
	i, _ := store.GetInt("i")
	f, _ := store.GetFloat("f")
	assert.Equal(t, []any{"x", int64(-1), .5}, []any{s, i, f})
	for _, key := range []string{"s", "i", "f"} {
		store.Delete(key)
	}
	_, before, err := openStore(d)
	require.NoError(t, err)
	data, err := closeStore(store, before)
	require.NoError(t, err)
	assert.Nil(t, data, "nothing is kept of nothing")
}

func TestReasons(t *testing.T) {
	for _, r := range []alarm.NotifyReason{
		alarm.NotifyFirst, alarm.NotifyNewAlerts, alarm.NotifyResolved, alarm.NotifyAllResolved, alarm.NotifyRepeat,
	} {
		assert.Equal(t, string(r), reason(r).String())
	}
	assert.Equal(t, amnotify.ReasonUnknown, reason("recovered"))
	assert.Equal(t, amnotify.ReasonUnknown, reason(alarm.NotifyNone))
}

func TestBuildReportsAllProblems(t *testing.T) {
	cfg, err := config.Load(`
route: {receiver: a, routes: [{receiver: b}, {matchers: [x=y]}]}
receivers:
- {name: a, webhook_configs: [{url: 'http://x', http_config: {tls_config: {ca_file: /nowhere/a}}}]}
- {name: b, webhook_configs: [{url: 'http://x', http_config: {tls_config: {ca_file: /nowhere/b}}}]}
- {name: unused, webhook_configs: [{url: 'http://x', http_config: {tls_config: {ca_file: /nowhere/c}}}]}
`)
	require.NoError(t, err)
	_, _, err = Build(cfg, &url.URL{}, quiet)
	require.ErrorContains(t, err, `receiver "a": `)
	require.ErrorContains(t, err, `receiver "b": `)
	assert.NotContains(t, err.Error(), "nowhere/c")

	dir := t.TempDir()
	cfg.Templates = []string{dir + "/[", dir}
	_, _, err = Build(cfg, &url.URL{}, quiet)
	assert.ErrorContains(t, err, "parse templates: ")
}

// The metrics that Alertmanager's mixin uses are there, with the same labels, before anything was
// sent.
func TestMetricsAreAlertmanagers(t *testing.T) {
	for _, receiverNames := range []bool{false, true} {
		theirs, ours := prometheus.NewRegistry(), prometheus.NewRegistry()
		features := ""
		if receiverNames {
			features = featurecontrol.FeatureReceiverNameInMetrics
		}
		flags, err := featurecontrol.NewFlags(quiet, features)
		require.NoError(t, err)
		cfg, err := config.Load("route: {receiver: ops}\nreceivers: [{name: ops, webhook_configs: [{url: 'http://x'}]}]")
		require.NoError(t, err)
		_, receivers, err := Build(cfg, &url.URL{}, quiet)
		require.NoError(t, err)

		r := receivers["ops"][0].Receiver.(*Receiver)
		amnotify.NewMetrics(theirs, flags).InitializeFor(map[string][]amnotify.Integration{"ops": {*r.integration}})
		_, err = notify.New(notifytest.NewOutbox(t), receivers,
			notify.Options{Registerer: ours, Kinds: Kinds(), ReceiverNames: receiverNames})
		require.NoError(t, err)
		assert.Equal(t, series(t, theirs), series(t, ours))
		assert.NotEmpty(t, series(t, ours))
	}
}

// series returns the metrics that are named as Alertmanager's, with their types and labels.
func series(t *testing.T, reg prometheus.Gatherer) []string {
	families, err := reg.Gather()
	require.NoError(t, err)
	var all []string
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if name := f.GetName(); len(name) > 13 && name[:13] == "alertmanager_" {
				all = append(all, fmt.Sprint(name, f.GetType(), m.GetLabel(), len(m.GetHistogram().GetBucket())))
			}
		}
	}
	slices.Sort(all)
	return all
}

func BenchmarkDeliver(b *testing.B) {
	nothing := notifier(func(context.Context, ...*amalert.Alert) (bool, error) { return false, nil })
	storing := notifier(func(ctx context.Context, _ ...*amalert.Alert) (bool, error) {
		store, _ := amnotify.NflogStore(ctx)
		store.SetStr("threadTs", "17.1")
		return false, nil
	})
	for name, n := range map[string]notifier{"without data": nothing, "with new data": storing} {
		b.Run(name, func(b *testing.B) {
			integration := amnotify.NewIntegration(n, n, "fake", 0, "ops")
			r := &Receiver{integration: &integration, name: "ops", logger: quiet}
			d := notifytest.Delivery(time.Now(), "ops", "fake[0]", "g", alarm.Add)
			b.ReportAllocs()
			for b.Loop() {
				if err := r.Deliver(b.Context(), d); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
