package server

import (
	"context"
	"fmt"
	"time"
	_ "time/tzdata" // zones of windows are known wherever the binary runs

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/matcher"
	"github.com/tocsin/tocsin/alarm/silence"
	"github.com/tocsin/tocsin/cmd/internal/config"
	"github.com/tocsin/tocsin/cmd/internal/web"
)

var _ web.Maintenance = (*maintenance)(nil)

// maintenance is windows and silences as the API and the page speak of them: kept by the service, and
// looked at before they mute.
type maintenance struct {
	*silence.Service
	alerts  func(context.Context, matcher.Matchers) ([]alarm.Reading, error)
	history historyOfAll
	config  func() *config.Config
}

// historyOfAll says what fired in the past.
type historyOfAll interface {
	Fired(ctx context.Context, from, to time.Time, limit int, visit func(model.Fingerprint, model.LabelSet)) (time.Time, error)
}

// How far a preview looks back, and how much it reads for that at most.
const (
	previewSpan  = 7 * 24 * time.Hour
	previewLimit = 20_000
)

// Preview says what a silence would hit, now and in the past week.
func (m *maintenance) Preview(ctx context.Context, planned *alarm.Silence) (silence.Preview, error) {
	firing, err := m.alerts(ctx, planned.Matchers)
	if err != nil {
		return silence.Preview{}, fmt.Errorf("read alerts: %w", err)
	}
	now := time.Now().UTC()
	var past []silence.Sighting
	since, err := m.history.Fired(ctx, now.Add(-previewSpan), now, previewLimit, func(fp model.Fingerprint, ls model.LabelSet) {
		past = append(past, silence.Sighting{Fingerprint: fp, Labels: ls})
	})
	if err != nil {
		return silence.Preview{}, fmt.Errorf("read history: %w", err)
	}
	for _, r := range firing { // what has fired all the time is in no record
		if r.Alert.State == alarm.Firing {
			past = append(past, silence.Sighting{Fingerprint: r.Alert.Fingerprint(), Labels: r.Alert.Labels})
		}
	}
	guard := m.config().Tocsin.SilenceGuard
	p := silence.Look(planned.Matchers, firing, past, silence.Guard{
		Alerts: guard.Alerts, Severity: guard.Severity, Severities: m.config().Severities(),
	})
	p.Since, p.Complete = since, !since.After(now.Add(-previewSpan))
	return p, nil
}

// planner is what turns windows into silences under the configuration in force.
func (s *server) planner() silence.Planner { return s.current.Load().config.Planner() }

// configureWindows has in force what the configuration plans.
func (s *server) configureWindows(ctx context.Context) error {
	windows, err := silence.NewService(s.engine, silence.Options{Planner: s.planner})
	if err != nil {
		return err
	}
	if err := windows.Configure(ctx, s.current.Load().config.Windows()); err != nil {
		return fmt.Errorf("plan windows: %w", err)
	}
	return nil
}
