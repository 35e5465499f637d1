//go:build !race

package alarm_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	amalert "github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/alertmanager/config"
	amcommoncfg "github.com/prometheus/alertmanager/config/common"
	"github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/alertmanager/eventrecorder"
	"github.com/prometheus/alertmanager/featurecontrol"
	"github.com/prometheus/alertmanager/inhibit"
	"github.com/prometheus/alertmanager/marker"
	"github.com/prometheus/alertmanager/nflog"
	amnotify "github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/alertmanager/provider/mem"
	amsilence "github.com/prometheus/alertmanager/silence"
	"github.com/prometheus/alertmanager/silence/silencepb"
	"github.com/prometheus/alertmanager/timeinterval"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/alarmtest"
	"github.com/tocsin/tocsin/alarm/matcher"
	"github.com/tocsin/tocsin/alarm/route"
)

// twinInterval is the group_interval that build gives every route.
const twinInterval = time.Minute

// twinRoute is the tree that both sides are given: groups by alertname, one child that lets its alerts
// go on to the next, and one that makes a group of each alert. Its timers are those of build, but the
// children repeat more often.
func twinRoute() route.Route {
	wait, interval, repeat, often := 10*time.Second, twinInterval, time.Hour, 20*time.Minute
	return route.Route{
		Receiver: "a", GroupBy: []model.LabelName{model.AlertNameLabel}, Wait: &wait, Interval: &interval, Repeat: &repeat,
		Routes: []route.Route{
			{Receiver: "b", Matchers: matcher.MustParse(`n="1"`), Continue: true, Repeat: &often},
			{Receiver: "a", Matchers: matcher.MustParse(`n=~"1|2"`), GroupByAll: true, Repeat: &often},
		},
	}
}

// twinReceivers are the receivers of both sides. One integration wants no resolves.
func twinReceivers() []alarm.ReceiverSpec {
	return []alarm.ReceiverSpec{
		{Name: "a", Integrations: []alarm.IntegrationSpec{{Name: "webhook[0]", SendResolved: true}, {Name: "slack[0]"}}},
		{Name: "b", Integrations: []alarm.IntegrationSpec{{Name: "webhook[0]", SendResolved: true}}},
	}
}

// A twinRemote takes down everything that one side tells.
type twinRemote struct {
	mu     sync.Mutex // guards the fields below
	refuse bool
	lines  []string
	open   map[string]bool // "integration alert" that was told firing and not yet told resolved
}

// take is one notification: when, to whom, for which group, of which alerts in which order, since and
// until when, and why.
func (r *twinRemote) take(integration, group, reason string, alerts []alarm.Alert) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.refuse {
		return errors.New("refused")
	}
	const stamp = "15:04:05.000"
	line := fmt.Sprintf("%s %s %s (%s)", time.Now().Format(stamp), integration, group, reason)
	for _, a := range alerts {
		if a.EndsAt.IsZero() {
			line += fmt.Sprintf(" +%s since %s", a.Labels, a.StartsAt.Format(stamp))
			r.open[integration+" "+a.Labels.String()] = strings.Contains(integration, "webhook")
		} else {
			line += fmt.Sprintf(" -%s since %s until %s", a.Labels, a.StartsAt.Format(stamp), a.EndsAt.Format(stamp))
			delete(r.open, integration+" "+a.Labels.String())
		}
	}
	r.lines = append(r.lines, line)
	return nil
}

// heard returns what was told since it was last asked. What is told in the same instant has no order.
func (r *twinRemote) heard() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	lines := r.lines
	r.lines = nil
	slices.Sort(lines)
	return lines
}

// holds says whether anybody who wants to hear of the alert's end was told that it fires.
func (r *twinRemote) holds(a *alarm.Alert) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, spec := range twinReceivers() {
		for _, i := range spec.Integrations {
			if r.open[spec.Name+"/"+i.Name+" "+a.Labels.String()] {
				return true
			}
		}
	}
	return false
}

func (r *twinRemote) setRefuse(refuse bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refuse = refuse
}

// An alertmanager is Alertmanager's own parts, put together as its main does without a cluster.
type alertmanager struct {
	alerts   *mem.Alerts
	silences *amsilence.Silences
}

// newAlertmanager starts one that tells remote, and returns what ends it.
func newAlertmanager(t *testing.T, remote *twinRemote) (*alertmanager, func()) {
	log, recorder, flags, reg := slog.New(slog.DiscardHandler), eventrecorder.NopRecorder(), featurecontrol.NoopFlags{}, prometheus.NewRegistry()
	ctx, cancel := context.WithCancel(context.Background())
	// Alertmanager forgets all that has ended whenever it cleans up, we after 15 minutes: an alert that
	// comes back, and overlaps its past, would begin when it first began for the one that remembers.
	const never = 24 * time.Hour
	alerts, err := mem.NewAlerts(ctx, never, 0, nil, log, recorder, reg, flags)
	require.NoError(t, err)
	silences, err := amsilence.New(amsilence.Options{Logger: log, Metrics: reg, Retention: 120 * time.Hour})
	require.NoError(t, err)
	notified, err := nflog.New(nflog.Options{Logger: log, Metrics: reg, Retention: 120 * time.Hour})
	require.NoError(t, err)
	groups := marker.NewGroupMarker()
	inhibitor := inhibit.NewInhibitor(alerts, []amcommoncfg.InhibitRule{{ // the rule of build
		SourceMatchers: amcommoncfg.Matchers(matcher.MustParse(`alertname="ClusterDown"`)),
		TargetMatchers: amcommoncfg.Matchers(matcher.MustParse(`alertname!="ClusterDown"`)),
		Equal:          []string{"cluster"},
	}}, log, recorder)
	receivers := map[string][]amnotify.Integration{}
	for _, spec := range twinReceivers() {
		for i, in := range spec.Integrations {
			kind := strings.TrimSuffix(in.Name, "[0]")
			notifier := twinNotifier{remote, spec.Name + "/" + in.Name}
			receivers[spec.Name] = append(receivers[spec.Name], amnotify.NewIntegration(notifier, sendsResolved(in.SendResolved), kind, i, spec.Name))
		}
	}
	pipeline := amnotify.NewPipelineBuilder(reg, flags, recorder).New(receivers, func() time.Duration { return 0 }, inhibitor,
		amsilence.NewSilencer(silences, log, recorder), timeinterval.NewIntervener(nil), groups, notified, nil)
	dispatcher := dispatch.NewDispatcher(alerts, dispatch.NewRoute(twinConfig(twinRoute()), nil), pipeline, groups,
		func(d time.Duration) time.Duration { return max(d, amnotify.MinTimeout) }, 30*time.Second, nil, log, recorder,
		dispatch.NewDispatcherMetrics(false, reg, flags), nil)

	var wg sync.WaitGroup
	wg.Go(func() { dispatcher.Run(time.Now()) })
	wg.Go(inhibitor.Run)
	inhibitor.WaitForLoading()
	dispatcher.WaitForLoading()
	return &alertmanager{alerts: alerts, silences: silences}, func() {
		dispatcher.Stop()
		inhibitor.Stop()
		cancel()
		alerts.Close()
		wg.Wait()
	}
}

// push hands in one alert.
func (am *alertmanager) push(a alarm.Alert) error {
	return am.alerts.Put(context.Background(), &amalert.Alert{
		Alert:     model.Alert{Labels: a.Labels, StartsAt: a.StartsAt, EndsAt: a.EndsAt},
		UpdatedAt: a.UpdatedAt, Timeout: a.Timeout,
	})
}

// silence mutes what has this n, and returns the silence's ID.
func (am *alertmanager) silence(n string, from, until time.Time) (string, error) {
	s := &silencepb.Silence{
		MatcherSets: []*silencepb.MatcherSet{{Matchers: []*silencepb.Matcher{{Type: silencepb.Matcher_EQUAL, Name: "n", Pattern: n}}}},
		StartsAt:    timestamppb.New(from), EndsAt: timestamppb.New(until),
	}
	err := am.silences.Set(context.Background(), s)
	return s.Id, err
}

// A twinNotifier is an integration of Alertmanager that tells the remote. What is refused is not
// retried, for our Deliverer, which would retry too, is not part of the comparison.
type twinNotifier struct {
	remote *twinRemote
	name   string
}

func (n twinNotifier) Notify(ctx context.Context, alerts ...*amalert.Alert) (bool, error) {
	key, _ := amnotify.GroupKey(ctx)
	reason, _ := amnotify.NotificationReason(ctx)
	ours := make([]alarm.Alert, len(alerts))
	for i, a := range alerts {
		ours[i] = alarm.Alert{Labels: a.Labels, StartsAt: a.StartsAt, EndsAt: a.EndsAt}
	}
	return false, n.remote.take(n.name, key, reason.String(), ours)
}

type sendsResolved bool

func (s sendsResolved) SendResolved() bool { return bool(s) }

// twinConfig makes Alertmanager's configuration out of ours, as far as twinRoute uses it.
func twinConfig(r route.Route) *config.Route {
	c := &config.Route{
		Receiver: r.Receiver, GroupBy: r.GroupBy, GroupByAll: r.GroupByAll, Continue: r.Continue,
		Matchers:  amcommoncfg.Matchers(slices.Clone(r.Matchers)),
		GroupWait: (*model.Duration)(r.Wait), GroupInterval: (*model.Duration)(r.Interval), RepeatInterval: (*model.Duration)(r.Repeat),
	}
	for _, child := range r.Routes {
		c.Routes = append(c.Routes, twinConfig(child))
	}
	return c
}

// newTwinEngine starts our engine, which tells remote, and returns what ends it.
func newTwinEngine(t *testing.T, remote *twinRemote) (*alarm.Engine, func()) {
	offers := make(chan []alarm.Intention, 10000)
	e, err := alarm.NewEngine(alarm.EngineOptions{
		Store: alarmtest.NewStore(), Build: build(twinRoute(), nil, twinReceivers()...),
		Offer: func(in []alarm.Intention) { offers <- in },
	})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { _ = e.Run(ctx) })
	wg.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case ins := <-offers:
				for _, in := range ins {
					wg.Go(func() { deliverToTwin(ctx, e, remote, in) })
				}
			}
		}
	})
	return e, func() { cancel(); wg.Wait() }
}

// deliverToTwin makes one attempt, as twinNotifier does.
func deliverToTwin(ctx context.Context, e *alarm.Engine, remote *twinRemote, in alarm.Intention) {
	o := alarm.Outcome{ID: in.ID, Key: in.Key, At: time.Now()}
	if d, err := e.Render(o.At, in); err == nil && d != nil { // no commit fails
		o.Told = d.Told
		o.Err = remote.take(in.Key.Receiver+"/"+in.Key.Integration, d.GroupKey, string(d.Reason), d.Alerts)
	} else {
		o.Unsent = true
	}
	_ = e.Done(ctx, o)
}
