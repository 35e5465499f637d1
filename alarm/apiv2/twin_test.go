package apiv2_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/alertmanager/api"
	"github.com/prometheus/alertmanager/config"
	"github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/alertmanager/eventrecorder"
	"github.com/prometheus/alertmanager/featurecontrol"
	"github.com/prometheus/alertmanager/inhibit"
	"github.com/prometheus/alertmanager/marker"
	"github.com/prometheus/alertmanager/matcher/compat"
	"github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/alertmanager/provider/mem"
	"github.com/prometheus/alertmanager/silence"
	"github.com/prometheus/alertmanager/template"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/common/route"
	"github.com/stretchr/testify/require"
)

const twinConfig = `
global: {resolve_timeout: 5m}
route:
  receiver: root
  group_by: [alertname]
  routes:
    - {receiver: orders, matchers: ['team="orders"'], group_by: [alertname, cluster], continue: true}
    - {receiver: night, matchers: ['team=~"orders|night"'], mute_time_intervals: [always]}
time_intervals:
  - {name: always, time_intervals: [{times: [{start_time: '00:00', end_time: '24:00'}]}]}
receivers:
  - name: root
  - name: orders
    labels: {owner: 'shop <&>', tier: ''}
  - name: night
inhibit_rules:
  - {source_matchers: ['severity="critical"'], target_matchers: ['severity="warning"'], equal: [cluster]}
`

// twin is Alertmanager's own API over its own store, dispatcher, inhibitor and silences.
type twin struct {
	http.Handler
	alerts     *mem.Alerts
	silences   *silence.Silences
	dispatcher *dispatch.Dispatcher
	inhibitor  *inhibit.Inhibitor
}

func newTwin(t testing.TB) *twin {
	t.Helper()
	logger := slog.New(slog.DiscardHandler)
	compat.InitFromFlags(logger, featurecontrol.NoopFlags{})
	cfg, err := config.Load(twinConfig)
	require.NoError(t, err)

	tw := &twin{}
	recorder := eventrecorder.NopRecorder()
	tw.alerts, err = mem.NewAlerts(context.Background(), time.Hour, 0, nil, logger, recorder, prometheus.NewRegistry(), featurecontrol.NoopFlags{})
	require.NoError(t, err)
	tw.silences, err = silence.New(silence.Options{Logger: logger, Metrics: prometheus.NewRegistry(), Retention: time.Hour, EventRecorder: recorder})
	require.NoError(t, err)
	silencer := silence.NewSilencer(tw.silences, logger, recorder)
	groups := marker.NewGroupMarker()
	tree := dispatch.NewRoute(cfg.Route, nil)
	tw.inhibitor = inhibit.NewInhibitor(tw.alerts, cfg.InhibitRules, logger, recorder)
	tmpl, err := template.FromGlobs(nil)
	require.NoError(t, err)
	tw.dispatcher = dispatch.NewDispatcher(tw.alerts, tree, notify.MultiStage{}, groups,
		func(d time.Duration) time.Duration { return d }, time.Hour, nil, logger, recorder, nil, tmpl)
	go tw.inhibitor.Run()
	tw.inhibitor.WaitForLoading()
	go tw.dispatcher.Run(time.Now())
	tw.dispatcher.WaitForLoading()

	a, err := api.New(api.Options{
		Alerts:   tw.alerts,
		Silences: tw.silences,
		GroupMutedFunc: func(routeID, _ string) ([]string, bool) {
			by := mutedBy(routeID)
			return by, len(by) > 0
		},
		Registry:        prometheus.NewRegistry(),
		RequestDuration: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "d"}, []string{"handler", "method", "code"}),
		GroupFunc: func(ctx context.Context, rf func(*dispatch.Route) bool, af func(*alert.Alert, time.Time) bool) (dispatch.AlertGroups, map[model.Fingerprint][]string, error) {
			return tw.dispatcher.Groups(ctx, rf, af)
		},
	})
	require.NoError(t, err)
	a.Update(cfg, func(ctx context.Context, ls model.LabelSet) {
		tw.inhibitor.Mutes(ctx, ls)
		silencer.Mutes(ctx, ls)
	})
	tw.Handler = a.Register(route.New(), "/")
	return tw
}

// mutedBy stands for the time intervals, which the notification pipeline would judge.
func mutedBy(routeID string) []string {
	if strings.Contains(routeID, "night") {
		return []string{"always"}
	}
	return nil
}

func (tw *twin) stop() {
	tw.dispatcher.Stop()
	tw.inhibitor.Stop()
	tw.alerts.Close()
}

func do(h http.Handler, method, target, contentType, body string) *httptest.ResponseRecorder {
	var r io.Reader
	if body != "" {
		r = strings.NewReader(body)
	}
	req := httptest.NewRequest(method, target, r)
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, req)
	return w
}
